"""What is read again, record by record, where counts differ: ids of a few sources and minutes."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import schemas
from hub.codec import EVENT_ID, HeadReader, RecordCodec
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.errors import RecordError
from hub.kafka.archive import Place
from hub.ledger.held import Held, Kinds, decoded, event_name, name_of, raw_cell
from hub.ledger.rows import Cell

__all__ = ["Event", "Evidence", "Paper", "within"]


Origin = tuple[Place, int, int]
"""Raw partition, offset and index in the payload."""


class Event(NamedTuple):
    """One canonical record."""

    offset: int
    event_id: bytes
    origin: Origin | None
    """None when it names none."""


class Paper(NamedTuple):
    """One raw record, or one dead letter: its offset and what it is called."""

    offset: int
    name: str
    remark: str = ""


@dataclass(slots=True)
class Evidence:
    """Records of the cells that are looked at; offsets rise in every list."""

    kinds: Kinds
    cells: frozenset[Cell]
    """Of canonical records."""
    payloads: frozenset[tuple[str, int]]
    """Source and minute of raw records."""
    held: Held
    """Reads cells; counts nothing here."""
    events: dict[Cell, dict[Place, list[Event]]] = field(default_factory=dict)
    copies: dict[Cell, dict[bytes, Counter[str]]] = field(default_factory=dict)
    """Records of an event id on each subscriber's topic."""
    sent: dict[bytes, set[Origin | None]] = field(default_factory=dict)
    """Where the records of an event id on subscribers' topics come from."""
    raw: dict[tuple[str, int], dict[Place, list[Paper]]] = field(default_factory=dict)
    letters: dict[Place, list[Paper]] = field(default_factory=dict)
    """Dead letters by the input partition of what was refused."""
    traced: set[tuple[Place, int]] = field(default_factory=set)
    """Payloads of which an event is on a canonical topic."""
    _letter: RecordCodec = field(
        default_factory=lambda: RecordCodec(schemas.built(DEAD_LETTERS), 0)
    )
    _readers: dict[str, HeadReader] = field(default_factory=dict)

    def enter(self, message: Any) -> None:
        """Keep one record if it belongs to what is looked at."""
        topic = message.topic()
        place = Place(topic, message.partition())
        if (noun := self.kinds.canonical.get(topic)) is not None:
            cell = self.held.cell(noun, message)
            if cell in self.cells or cell[1:] in self.payloads:
                self._event(cell, place, message)
        elif (noun := self.kinds.subscriber.get(topic)) is not None:
            cell = self.held.cell(noun, message)
            if cell in self.cells:
                value = message.value() or b""
                id_ = value[EVENT_ID]
                # A subscriber's record begins as the canonical one it was made from.
                self.sent.setdefault(id_, set()).add(self._origin(noun, value))
                self.copies.setdefault(cell, {}).setdefault(id_, Counter())[topic] += 1
        elif topic in self.kinds.raw:
            name = raw_cell(message)[1:]
            if name in self.payloads:
                paper = Paper(message.offset(), name_of(message))
                self.raw.setdefault(name, defaultdict(list))[place].append(paper)
        elif topic == DEAD_LETTERS:
            letter = decoded(self._letter, message)
            if letter is None:
                return
            paper = Paper(letter["offset"], event_name(letter["dead_id"]))
            self.letters.setdefault(Place(letter["topic"], letter["partition"]), []).append(paper)

    def settle(self) -> None:
        """Bring dead letters, which come from several partitions, into order."""
        for papers in self.letters.values():
            papers.sort()

    def refused(self, place: Place) -> set[int]:
        """Offsets of an input partition that have dead letters."""
        return {paper.offset for paper in self.letters.get(place, ())}

    def _event(self, cell: Cell, place: Place, message: Any) -> None:
        value = message.value() or b""
        origin = self._origin(cell.noun, value)
        event = Event(message.offset(), value[EVENT_ID], origin)
        if origin is not None:
            self.traced.add(origin[:2])
        self.events.setdefault(cell, defaultdict(list))[place].append(event)

    def _origin(self, noun: str, value: bytes) -> Origin | None:
        if noun not in self._readers:
            self._readers[noun] = HeadReader(schemas.built(schemas.nouns()[noun].topic))
        try:
            origin: Mapping[str, Any] = self._readers[noun].header(value)["origin"]
        except RecordError:
            # Nothing a stage of the hub wrote; it became a dead letter.
            return None
        if origin["topic"] is None:
            return None
        return Place(origin["topic"], origin["partition"]), origin["offset"], origin["index"]


def within(items: Iterable[Any], start: int, end: int) -> list[Any]:
    """Items whose first field, their offset, is in a row: `start <= offset < end`."""
    found = list(items)
    low = bisect_left(found, start, key=lambda item: item[0])
    high = bisect_left(found, end, key=lambda item: item[0])
    return found[low:high]
