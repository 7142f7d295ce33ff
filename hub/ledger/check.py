"""Holds what the books say against what the topics hold, and says where they differ. Pure.

The books go on while they are checked, so each sum has two bounds: what rows said that were read
before the topics, and what they say together with the rows that came meanwhile. A stage that loses
nothing is between them, whatever it does at that moment; a difference that is named never mends
itself.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from hub.codec import EARLIEST_US, from_micros
from hub.kafka.archive import Place
from hub.ledger.held import Held, printable
from hub.ledger.rows import BESIDE, IN, Cell, Rows
from hub.render import rfc3339

__all__ = ["Balance", "Difference", "Floors", "Line", "differences", "faults", "lines"]

# A minute this young may still lie in an ingest log.
_YOUNG_US = 120_000_000


@dataclass(slots=True)
class Line:
    """One source, noun and minute of one stage: what came in, and what became of it."""

    stage: str
    noun: str
    source_id: str
    minute: datetime
    taken: int = 0
    waiting: int = 0
    """Records that are not committed yet."""
    open: bool = False
    """Something of this minute may still come."""
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def accounted(self) -> int:
        """Records of the input that the books explain."""
        return sum(self.outcomes[name] for name in IN[self.stage])

    @property
    def holds(self) -> bool:
        """Whether the books explain every record that was taken in."""
        return self.taken == self.accounted

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "noun": self.noun,
            "source_id": self.source_id,
            "minute": rfc3339(self.minute),
            "in": self.taken,
            "waiting": self.waiting,
            "open": self.open,
            **{name: self.outcomes[name] for name in IN[self.stage] + BESIDE[self.stage]},
            "holds": self.holds,
        }


@dataclass(slots=True)
class Balance:
    """The lines, what does not hold, and how far back the topics can prove it."""

    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What can't be proven any more, because topics have let go of it."""

    @property
    def holds(self) -> bool:
        """Whether every record is accounted for, once."""
        return not self.problems

    def totals(self) -> dict[str, dict[str, int]]:
        """Sums per stage."""
        found: dict[str, Counter[str]] = {stage: Counter() for stage in IN}
        for line in self.lines:
            found[line.stage]["in"] += line.taken
            found[line.stage].update({name: line.outcomes[name] for name in IN[line.stage]})
        return {stage: dict(sums) for stage, sums in found.items()}


class Floors(NamedTuple):
    """From which minute on everything is kept that a comparison needs, in µs since 1970."""

    canonical: Mapping[str, int]
    """By noun: its canonical topic and the ledger."""
    delivered: Mapping[str, int]
    """By noun: its subscribers' topics and the ledger."""


class Difference(NamedTuple):
    """One comparison that does not hold."""

    kind: Literal["in", "found", "delivered", "dead"]
    stage: str
    cell: Cell
    place: Place | None
    """The input partition, of dead letters alone."""
    text: str


def lines(rows: Rows, moved: Rows, held: Held, *, since_us: int, now_us: int) -> list[Line]:
    """Every source, noun and minute from `since_us` on, in order of stage and time."""
    waits = {(cell.source_id, cell.minute) for _, cell in held.waiting}
    waits |= {(cell.source_id, cell.minute) for cell in moved.found.keys() | moved.produced.keys()}
    found = []
    for stage, cell in sorted(rows.outcomes.keys() | held.taken.keys() | held.waiting.keys()):
        if cell.minute >= since_us:
            found.append(
                Line(
                    stage,
                    cell.noun,
                    printable(cell.source_id),
                    from_micros(cell.minute),
                    held.taken[stage, cell],
                    held.waiting[stage, cell],
                    (cell.source_id, cell.minute) in waits or cell.minute > now_us - _YOUNG_US,
                    rows.outcomes.get((stage, cell), Counter()),
                )
            )
    return found


def faults(rows: Rows, held: Held) -> Iterator[str]:
    """Offsets that two rows explain, or none."""
    for place, spans in sorted(rows.spans.items()):
        stage = rows.stages.get(place.topic, "")
        for start, end, slot in spans.overlaps:
            yield (
                f"{stage}: {place.topic}/{place.number} offsets {start} to {end} are in two rows,"
                f" the later one by slot {slot}"
            )
    for place, lost in sorted(held.unexplained.items()):
        stage = rows.stages[place.topic]
        more = lost.count - len(lost.named)
        yield (
            f"{stage}: no row explains {place.topic}/{place.number} {', '.join(lost.named)}"
            f"{f' and {more} more' if more else ''}"
        )


def differences(rows: Rows, moved: Rows, held: Held, floors: Floors) -> Iterator[Difference]:
    """Comparisons that do not hold: within a stage, between the stages, and behind them."""
    for stage, cell in sorted(rows.outcomes.keys() | held.taken.keys()):
        said = sum(rows.outcomes.get((stage, cell), Counter())[name] for name in IN[stage])
        if (taken := held.taken[stage, cell]) != said:
            yield Difference(
                "in",
                stage,
                cell,
                None,
                f"{stage}: {_of(cell)}: {taken} in, {said} accounted for",
            )
    for cell in sorted(rows.found.keys() | held.canonical.keys()):
        wrote, there = rows.found[cell], held.canonical[cell]
        if cell.minute >= floors.canonical.get(cell.noun, EARLIEST_US) and not (
            wrote <= there <= wrote + moved.found[cell]
        ):
            text = f"{_of(cell)}: normalise wrote {wrote}, its topic holds {there}"
            yield Difference("found", "normalise", cell, None, text)
    for cell in sorted(rows.produced.keys() | held.delivered.keys()):
        said, there = rows.produced[cell], held.delivered[cell]
        if cell.minute >= floors.delivered.get(cell.noun, EARLIEST_US) and not (
            said <= there <= said + moved.produced[cell]
        ):
            text = f"{_of(cell)}: the books say {said} deliveries, there are {there}"
            yield Difference("delivered", "process", cell, None, text)
    for place in sorted(rows.dead.keys() | held.dead.keys()):
        said, there = rows.dead[place], held.dead[place]
        if not said <= there <= said + moved.dead[place]:
            stage = rows.stages[place.topic]
            text = (
                f"{stage}: the books say {said} dead letters of {place.topic}/{place.number},"
                f" there are {there}"
            )
            yield Difference("dead", stage, Cell("", "", 0), place, text)


def _of(cell: Cell) -> str:
    source = printable(cell.source_id) or "(no source)"
    return f"{cell.noun or 'payloads'} of {source} {rfc3339(from_micros(cell.minute))[:16]}"
