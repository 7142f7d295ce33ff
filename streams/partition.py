"""What process keeps for one input partition, and counts of it in the open transaction."""

from dataclasses import dataclass, field

import schemas
from streams.deduplicate import Window
from streams.last_state import LastStates
from streams.merge import Merger
from streams.plan import Plan

__all__ = ["Partition", "Tally"]


@dataclass(slots=True)
class Tally:
    """What became of the records of one input partition in the open transaction.

    `counts` maps (source, minute of received_at in µs, outcome) to the records of the input and
    the records written for them.
    """

    counts: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)

    def add(self, source: str, minute: int, outcome: str, produced: int = 0) -> None:
        """Count one record."""
        name = (source, minute, outcome)
        count = self.counts.get(name)
        if count is None:
            self.counts[name] = [1, produced]
        else:
            count[0] += 1
            count[1] += produced


@dataclass(slots=True)
class Partition:
    """State of one input partition."""

    noun: schemas.NounSpec
    window: Window
    states: LastStates
    merger: Merger | None
    tally: Tally = field(default_factory=Tally)
    plans: dict[tuple[bytes, bytes, bytes], Plan] = field(default_factory=dict)
    """Plans by source and device, status and severity, and kind, all as encoded."""

    def commit(self) -> None:
        """The open transaction was committed."""
        self.window.commit()
        self.states.commit()
        if self.merger is not None:
            self.merger.commit()
        self.tally = Tally()

    def rollback(self) -> None:
        """The open transaction was rolled back."""
        self.window.rollback()
        self.states.rollback()
        if self.merger is not None:
            self.merger.rollback()
        # An unknown device is told when its plan is made: what was told is taken back.
        self.plans.clear()
        self.tally = Tally()
