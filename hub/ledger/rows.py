"""What the books say: rows added up, and the offsets they cover. Pure.

Memory is counters per source, noun and minute, and three numbers for each row that does not follow
on the one before it.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.codec import micros
from hub.kafka.archive import Place

__all__ = ["BESIDE", "IN", "Cell", "Rows", "Spans"]

IN = {
    "normalise": ("events", "refused", "nothing"),
    "process": ("delivered", "merged", "duplicate", "superseded", "dropped", "dead"),
}
"""Outcomes that explain one record of a stage's input each."""
BESIDE = {"normalise": ("withheld",), "process": ()}
"""Outcomes of a stage that are told beside these, and explain no record."""


class Cell(NamedTuple):
    """What is counted together; the noun of raw payloads is empty."""

    noun: str
    source_id: str
    minute: int
    """Minute of `received_at`, µs since 1970; 0 when it can't be read."""


class Overlap(NamedTuple):
    """Offsets that two rows explain, and the slot that wrote the later one."""

    start: int
    end: int
    slot: str


class Spans:
    """Offsets of one input partition that rows cover, from `begin` on."""

    __slots__ = ("_ends", "_slots", "_starts", "begin", "overlaps")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.overlaps: list[Overlap] = []
        self._starts, self._ends = array("q"), array("q")
        self._slots: list[str] = []

    @property
    def end(self) -> int:
        """Offset after the last one that is covered."""
        return self._ends[-1] if self._ends else self.begin

    def add(self, start: int, end: int, slot: str) -> bool:
        """Add a row, in the order of the ledger; whether it lies wholly behind `begin`.

        A row that reaches over `begin` moves it: its counts can't be split.
        """
        if start < self.begin:
            self.begin = max(self.begin, end)
            return False
        if self._ends and start < self._ends[-1]:
            if min(end, self._ends[-1]) > start:
                self.overlaps.append(Overlap(start, min(end, self._ends[-1]), slot))
            self._ends[-1] = max(end, self._ends[-1])
        elif self._ends and start == self._ends[-1]:
            self._ends[-1], self._slots[-1] = end, slot
        else:
            self._starts.append(start)
            self._ends.append(end)
            self._slots.append(slot)
        return True

    def covers(self, offset: int) -> bool:
        """Whether a row explains an offset."""
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._ends[at]

    def slot_after(self, offset: int) -> str:
        """The slot that went on behind an offset no row explains; "" when none did."""
        at = bisect_right(self._starts, offset)
        return self._slots[at] if at < len(self._slots) else ""


@dataclass(slots=True)
class Rows:
    """Rows of the ledger, added up."""

    starts: Mapping[Place, int]
    """Where the reading of each input partition begins."""
    stages: Mapping[str, str]
    """Stage of each input topic."""
    spans: dict[Place, Spans] = field(default_factory=dict)
    outcomes: dict[tuple[str, Cell], Counter[str]] = field(default_factory=dict)
    found: Counter[Cell] = field(default_factory=Counter)
    produced: Counter[Cell] = field(default_factory=Counter)
    dead: Counter[Place] = field(default_factory=Counter)

    def enter(self, row: Mapping[str, Any]) -> None:
        """Add one row, in the order of the ledger."""
        place = Place(row["topic"], row["partition"])
        stage = row["stage"]
        within = self.stages.get(place.topic) == stage and self.span(place).add(
            row["from_offset"], row["to_offset"], row["slot"]
        )
        for cell, outcome, count, produced in cells_of(row):
            if outcome == "found":
                self.found[cell] += count
                continue
            if outcome == "delivered":
                self.produced[cell] += produced
            if not within:
                continue
            if outcome == "dead":
                self.dead[place] += count
            if outcome in IN[stage] + BESIDE[stage]:
                self.outcomes.setdefault((stage, cell), Counter())[outcome] += count

    def span(self, place: Place) -> Spans:
        """The offsets that are covered of one input partition."""
        found = self.spans.get(place)
        if found is None:
            found = self.spans[place] = Spans(self.starts.get(place, 0))
        return found


def cells_of(row: Mapping[str, Any]) -> Iterator[tuple[Cell, str, int, int]]:
    """Cell, outcome, count and produced of every count of a row."""
    for each in row["counts"]:
        cell = Cell(each["noun"], each["source_id"], micros(each["minute"]))
        yield cell, each["outcome"], each["count"], each["produced"]
