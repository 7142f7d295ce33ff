"""What the topics themselves hold, counted without decoding more than a time. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID

import schemas
from hub.codec import EVENT_ID, MINUTE_US, RecordCodec, micros, received_minute
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.envelope import received_of
from hub.errors import RecordError
from hub.kafka.archive import Place
from hub.ledger.rows import Cell, Rows

__all__ = [
    "NAMED_MAX",
    "Held",
    "Kinds",
    "decoded",
    "event_name",
    "name_of",
    "printable",
    "raw_cell",
    "unreadable",
]

NAMED_MAX = 20
"""Ids that one line names; of more, their number is told."""
_KEYS_MAX = 100_000
_ID_MAX = 64


class Kinds(NamedTuple):
    """What each topic is."""

    raw: frozenset[str]
    canonical: Mapping[str, str]
    """Noun of each canonical topic."""
    subscriber: Mapping[str, str]
    """Noun of each subscriber's topic."""


@dataclass(slots=True)
class Unexplained:
    """Records below the committed offset that no row covers."""

    count: int = 0
    named: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Held:
    """Records of all topics but the ledger, counted."""

    kinds: Kinds
    rows: Rows
    """The rows that were read before the topics were."""
    committed: Mapping[Place, int]
    taken: Counter[tuple[str, Cell]] = field(default_factory=Counter)
    waiting: Counter[tuple[str, Cell]] = field(default_factory=Counter)
    canonical: Counter[Cell] = field(default_factory=Counter)
    delivered: Counter[Cell] = field(default_factory=Counter)
    dead: Counter[Place] = field(default_factory=Counter)
    unexplained: dict[Place, Unexplained] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    """Records of the hub's own topics that the hub can't have written."""
    first_ms: dict[Place, int] = field(default_factory=dict)
    """Append time of the first record read of each partition."""
    _letters: RecordCodec = field(
        default_factory=lambda: RecordCodec(schemas.built(DEAD_LETTERS), 0)
    )
    _sources: dict[bytes, str] = field(default_factory=dict)

    def enter(self, message: Any) -> None:
        """Count one record; records of a partition come in their order."""
        topic = message.topic()
        place = Place(topic, message.partition())
        if place not in self.first_ms:
            self.first_ms[place] = message.timestamp()[1]
        noun = self.kinds.canonical.get(topic)
        if noun is not None:
            cell = self.cell(noun, message)
            self.canonical[cell] += 1
            self._input("process", cell, place, message)
        elif topic in self.kinds.subscriber:
            self.delivered[self.cell(self.kinds.subscriber[topic], message)] += 1
        elif topic in self.kinds.raw:
            self._input("normalise", raw_cell(message), place, message)
        elif topic == DEAD_LETTERS:
            letter = decoded(self._letters, message)
            if letter is None:
                self.unreadable.append(unreadable(message))
                return
            of = Place(letter["topic"], letter["partition"])
            stage = self.rows.stages.get(of.topic)
            if stage == letter["stage"] and letter["offset"] >= self.rows.span(of).begin:
                self.dead[of] += 1

    def cell(self, noun: str, message: Any) -> Cell:
        """Cell of a canonical or subscriber's record; both have key and time in the same places."""
        key = message.key() or b""
        source = self._sources.get(key)
        if source is None:
            if len(self._sources) > _KEYS_MAX:
                self._sources.clear()
            source = unquote(key.split(b"/")[0].decode("utf-8", "replace"))
            self._sources[key] = source
        return Cell(noun, source, received_minute(message.value()))

    def _input(self, stage: str, cell: Cell, place: Place, message: Any) -> None:
        """Hold one record of an input against the rows' offsets."""
        offset = message.offset()
        spans = self.rows.span(place)
        if offset < spans.begin:
            return
        if spans.covers(offset):
            self.taken[stage, cell] += 1
        elif offset >= max(self.committed.get(place, 0), spans.end):
            self.waiting[stage, cell] += 1
        else:
            lost = self.unexplained.setdefault(place, Unexplained())
            lost.count += 1
            if len(lost.named) < NAMED_MAX:
                after = spans.slot_after(offset)
                by = f"; slot {after} went on behind it" if after else ""
                lost.named.append(f"offset {offset} ({name_of(message)}{by})")


def decoded(codec: RecordCodec, message: Any) -> dict[str, Any] | None:
    """A record of the hub's own; None when it is none."""
    try:
        return codec.decode(message.value())
    except RecordError:
        return None


def unreadable(message: Any) -> str:
    """What to say of a record that is not what its topic holds."""
    place = f"{message.topic()}/{message.partition()} offset {message.offset()}"
    return f"{place} can't be read: no stage of the hub wrote it"


def raw_cell(message: Any) -> Cell:
    """Cell of a raw record."""
    headers = dict(message.headers() or ())
    received = received_of(headers)
    minute = micros(received) // MINUTE_US * MINUTE_US if received else 0
    return Cell("", (headers.get("source_id") or b"").decode("utf-8", "replace"), minute)


def name_of(message: Any) -> str:
    """The id of an input record, for people: never anything that its body holds."""
    if message.topic().startswith("raw."):
        payload = dict(message.headers() or ()).get("payload_id") or b""
        return f"payload {printable(payload[:_ID_MAX].decode('utf-8', 'replace')) or '(no id)'}"
    return f"event {event_name((message.value() or b'')[EVENT_ID])}"


def event_name(event_id: bytes) -> str:
    """An event id as people see it."""
    return str(UUID(bytes=event_id)) if len(event_id) == 16 else "(no id)"


def printable(text: str) -> str:
    """A text of somebody else's, harmless to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
