"""What marks a payload that was put on its raw topic again, and what of it may pass. Pure.

`hub dead replay` writes the payload as it was, with two more headers: `replay_of`, the dead letters
it is for, and `replay_indexes`, the places in the payload that were refused. All others were
delivered the first time, so normalise leaves them out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hub.codec import LIFECYCLE, REPLAYED, SUBJECT_ID
from hub.connector import Rejection
from hub.envelope import Canonical, Result
from hub.errors import RecordError

__all__ = ["ENDS", "INDEXES", "OF", "TOO_MANY_PARTS", "Indexes", "as_sent", "marked", "only"]

OF, INDEXES = "replay_of", "replay_indexes"
TOO_MANY_PARTS = "too-many-parts"
ENDS = frozenset({"parser-defect", TOO_MANY_PARTS})
"""Refusals with which reading ended, so that nothing is said about what would have followed."""
_RANGE = re.compile(r"(\d{1,9})(-(\d{1,9})?)?")


@dataclass(frozen=True, slots=True)
class Indexes:
    """Places in a payload, as ranges `[first, last]`; `last` None: to the end.

    Written `3,7-9,12-`.
    """

    ranges: tuple[tuple[int, int | None], ...]

    @classmethod
    def only(cls, index: int) -> "Indexes":
        """One place."""
        return cls(((index, index),))

    @classmethod
    def onwards(cls, index: int) -> "Indexes":
        """A place and everything after it."""
        return cls(((index, None),))

    @classmethod
    def union(cls, many: Iterable["Indexes"]) -> "Indexes":
        """The places that any of them holds."""
        found: list[tuple[int, int | None]] = []
        for first, last in sorted((each for one in many for each in one.ranges), key=_first):
            before = found[-1] if found else None
            if before is not None and before[1] is None:
                break
            if before is not None and before[1] is not None and first <= before[1] + 1:
                found[-1] = (before[0], None if last is None else max(last, before[1]))
            else:
                found.append((first, last))
        return cls(tuple(found))

    @classmethod
    def parse(cls, text: str) -> "Indexes":
        """Read what `str` wrote; `RecordError` when it is nothing of the kind."""
        found: list[tuple[int, int | None]] = []
        for part in text.split(","):
            match = _RANGE.fullmatch(part)
            if match is None:
                raise RecordError(
                    f"the header {INDEXES} is not readable",
                    code="bad-raw-record",
                    fix="only `hub dead replay` writes it",
                )
            first, dash, last = match.groups()
            end = int(first) if dash is None else int(last) if last else None
            found.append((int(first), end))
        return cls(tuple(found))

    def __contains__(self, index: int) -> bool:
        return any(
            first <= index and (last is None or index <= last) for first, last in self.ranges
        )

    def __str__(self) -> str:
        return ",".join(
            f"{first}-" if last is None else str(first) if first == last else f"{first}-{last}"
            for first, last in self.ranges
        )

    def within(self, other: "Indexes") -> "Indexes":
        """The places that both hold."""
        found: list[tuple[int, int | None]] = []
        for first, last in self.ranges:
            for start, end in other.ranges:
                low = max(first, start)
                ends = [each for each in (last, end) if each is not None]
                high = min(ends) if ends else None
                if high is None or low <= high:
                    found.append((low, high))
        return Indexes(tuple(sorted(found, key=_first)))


def _first(range_: tuple[int, int | None]) -> int:
    return range_[0]


def marked(value: bytes) -> bytes:
    """A framed event, marked as backlog: it must not raise a live alarm."""
    # The byte stands before what the cut's checksum covers, and enters no id.
    return value[:REPLAYED] + b"\x01" + value[REPLAYED + 1 :]


def as_sent(now: bytes, there: bytes) -> bytes:
    """What a connector gives now, restated as a record that was sent again restates it."""
    subject = there[SUBJECT_ID.start : LIFECYCLE + 1]
    restated = now[: SUBJECT_ID.start] + subject + now[LIFECYCLE + 1 :]
    return marked(restated)


def only(
    outcomes: Iterable[tuple[int | None, Result]], wanted: Indexes
) -> Iterator[tuple[int | None, Result]]:
    """What a replayed payload may give; a refusal that hides what follows is never left out."""
    for index, result in outcomes:
        if isinstance(result, Rejection):
            if index is None or index in wanted or result.code in ENDS:
                yield index, result
        elif index is not None and index in wanted:
            if isinstance(result, Canonical):
                yield index, replace(result, value=marked(result.value))
            else:
                yield index, result
