"""Chooses dead letters, and knows which of them were replayed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from hub.config import Config
from hub.dead_letter import TOPIC
from hub.errors import ConfigError
from hub.identity import uuid_text
from hub.registry import Registry
from hub.tables import rows

__all__ = ["REPLAYS", "Group", "Letter", "Selection", "Spot", "groups", "replayed", "select"]

REPLAYS = "dead_replay.v1"


class Spot(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its bytes: there may be many."""

    dead_id: bytes
    stage: str
    code: str
    source_id: str
    component: str
    component_version: str
    payload_id: str
    index: int | None
    last_index: int | None
    """Where it stands for a run of parts, the last one."""
    received_at: datetime | None
    failed_at: datetime
    refused: Spot
    """Where the refused record stands."""
    spot: Spot
    """Where the letter stands."""


@dataclass(frozen=True, slots=True)
class Group:
    """The letters about one refused record."""

    spot: Spot
    letters: tuple[Letter, ...]

    @property
    def stage(self) -> str:
        """The stage that refused it."""
        return self.letters[0].stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters are meant; what is not given is not asked for."""

    ids: Sequence[str] = ()
    """Ids, or their beginnings; each must name one letter."""
    stage: str | None = None
    code: str | None = None
    source: str | None = None
    component: str | None = None
    component_version: str | None = None
    since: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether it would mean every letter there is."""
        return not self.ids and self.since is None and not any(self._asked().values())

    def holds(self, letter: Letter) -> bool:
        """Whether a letter is one of those."""
        asked = self._asked()
        return all(text is None or getattr(letter, name) == text for name, text in asked.items())

    def _asked(self) -> dict[str, str | None]:
        return {
            "stage": self.stage,
            "code": self.code,
            "source_id": self.source,
            "component": self.component,
            "component_version": self.component_version,
        }


def select(config: Config, registry: Registry, wanted: Selection) -> list[Letter]:
    """The letters that are meant, in the order of the records they are about.

    `ConfigError` when an id names no letter or several.
    """
    found: dict[bytes, Letter] = {}
    for record, letter in rows(config, registry, TOPIC, since=wanted.since):
        if wanted.holds(each := _letter(letter, Spot(TOPIC, record.partition, record.offset))):
            found[each.dead_id] = each
    if wanted.ids:
        by_text = {uuid_text(id_): letter for id_, letter in found.items()}
        found = {letter.dead_id: letter for letter in _named(by_text, wanted.ids)}
    return sorted(found.values(), key=lambda each: (each.stage, each.refused, each.index or 0))


def groups(letters: Iterable[Letter]) -> list[Group]:
    """Letters by the record they are about; they come in the order of `select`."""
    return [
        Group(spot, tuple(together))
        for (_, spot), together in groupby(letters, lambda each: (each.stage, each.refused))
    ]


def replayed(config: Config, registry: Registry) -> Mapping[bytes, datetime]:
    """When each letter was replayed last, by its id."""
    return {
        record["dead_id"]: record["written_at"] for _, record in rows(config, registry, REPLAYS)
    }


def _named(letters: Mapping[str, Letter], ids: Iterable[str]) -> Iterator[Letter]:
    for wanted in ids:
        begin = [letter for text, letter in letters.items() if text.startswith(wanted.lower())]
        if len(begin) != 1:
            what = f"{len(begin)} dead letters begin so" if begin else "no such dead letter"
            raise ConfigError(what, where=wanted, fix="take an id from `hub dead list`")
        yield begin[0]


def _letter(letter: Mapping[str, Any], spot: Spot) -> Letter:
    return Letter(
        dead_id=letter["dead_id"],
        stage=letter["stage"],
        code=letter["code"],
        source_id=letter["source_id"],
        component=letter["component"],
        component_version=letter["component_version"],
        payload_id=letter["payload_id"],
        index=letter["index"],
        last_index=letter.get("last_index"),  # letters of 0.1 have none
        received_at=letter["received_at"],
        failed_at=letter["failed_at"],
        refused=Spot(letter["topic"], letter["partition"], letter["offset"]),
        spot=spot,
    )
