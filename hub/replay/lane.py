"""A private lane: what the current connectors would have said, on topics of its own."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import schemas
from hub import topics
from hub.codec import EVENT_ID, EventCodec
from hub.config import Config
from hub.errors import ConfigError
from hub.kafka.admin import Cluster
from hub.kafka.history import History
from hub.parsing import RawRecord
from hub.registry import Registry
from hub.replay.compare import Comparison, compare
from hub.replay.span import Span, parsed, payloads
from hub.replay.writer import TRANSACTIONAL_ID, Record, Writer, written
from hub.schema_ids import SchemaIds
from hub.tables import defence_of

__all__ = ["Lane"]

_KEPT_MS = 24 * 3_600_000
_SEGMENT_MS = 3_600_000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Lane:
    """Topics `replay.<name>.<canonical topic>`, kept for a day."""

    def __init__(self, config: Config, registry: Registry, name: str, span: Span) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} is no name of a lane",
                where="--name",
                fix="use 1 to 100 letters, digits, dots, dashes or underscores",
            )
        self.topics = {noun.name: f"replay.{name}.{noun.topic}" for noun in span.nouns}
        self.written = 0
        self._config = config
        self._registry = registry
        self._name = name
        self._span = span

    def run(self, *, go_on: bool = False) -> Comparison:
        """Write the range's events, each once, and compare them with the canonical ones.

        `ConfigError` when the topics exist; with `go_on` what they hold is left out.
        """
        self._create(go_on=go_on)
        ids = SchemaIds(self._registry)
        codecs = {
            noun.name: EventCodec(
                schemas.built(noun.topic), ids.of(self.topics[noun.name], schemas.built(noun.topic))
            )
            for noun in self._span.nouns
        }
        comparison = Comparison()
        with closing(
            Writer(self._config, ids, transactional_id=f"{TRANSACTIONAL_ID}-{self._name}")
        ) as writer:
            history = History(self._config.kafka)
            stretches = self._span.stretches(history)
            known = set(self._known(history)) if go_on else set()
            records = payloads(history, self._span, stretches)
            self.written = sum(written(writer, self._items(codecs, records, comparison, known)))
        compare(comparison, history, self._registry, self._span, stretches)
        return comparison

    def _items(
        self,
        codecs: Mapping[str, EventCodec],
        records: Iterable[RawRecord],
        comparison: Comparison,
        known: Collection[bytes],
    ) -> Iterator[tuple[Sequence[Record], int]]:
        """What to write of each payload, and how many records that are."""
        defence = defence_of(self._config, self._registry)
        for found in parsed(self._config, codecs, records, defence=defence):
            comparison.count(found)
            fresh = [
                Record(self.topics[event.noun], event.value, event.key, event.headers)
                for _, event in found.events
                if comparison.enter(event) and event.value[EVENT_ID] not in known
            ]
            yield fresh, len(fresh)

    def _create(self, *, go_on: bool) -> None:
        there = Cluster(self._config.kafka).topic_names() & set(self.topics.values())
        if there and not go_on:
            raise ConfigError(
                f"the private lane {self._name} is there already",
                where="--name",
                fix="take another name, or --continue to go on with it",
            )
        canonical = {noun.topic: noun.name for noun in self._span.nouns}
        settings = {"retention.ms": str(_KEPT_MS), "segment.ms": str(_SEGMENT_MS)}
        specs = [
            replace(
                spec,
                name=self.topics[canonical[spec.name]],
                config={**spec.config, **settings},
                readers=("who looks at the replay",),
            )
            for spec in topics.declared(self._config)
            if spec.name in canonical
        ]
        topics.apply(self._config, self._registry, specs=specs)

    def _known(self, history: History) -> Iterator[bytes]:
        """Ids of the events that an earlier run wrote."""
        for message in history.read(history.kept(list(self.topics.values()))):
            yield message.value()[EVENT_ID]
