"""Which raw topics a site has: those of the connectors its sources use."""

from collections.abc import Set as AbstractSet

from hub.config import Config
from hub.discovery import connector_names
from hub.envelope import raw_topic

__all__ = ["connector_topics", "connectors_in_use", "raw_topics"]


def connector_topics(name: str) -> tuple[str, ...]:
    """The raw topics of a connector, in both lanes."""
    return tuple(dict.fromkeys(raw_topic(name, lane) for lane in ("bulk", "urgent")))


def connectors_in_use(config: Config, topics: AbstractSet[str]) -> list[str]:
    """The connectors that sources name, and those whose payloads the cluster's topics may hold.

    A source that is taken out of `hub.toml` leaves payloads behind: they are handled like others.
    """
    used = config.connectors()
    return [
        name
        for name in connector_names()
        if name in used or not topics.isdisjoint(connector_topics(name))
    ]


def raw_topics(config: Config, topics: AbstractSet[str]) -> list[str]:
    """The raw topics of the connectors in use, in both lanes; `topics` are the cluster's."""
    return [raw for name in connectors_in_use(config, topics) for raw in connector_topics(name)]
