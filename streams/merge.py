"""Near duplicates: the same vehicle or alarm, reported again by the same device within seconds.

The first report goes out at once. Later ones of the same thing are merged into it: counted, but not
delivered, unless they say more (a better reading, an end, or a minute has passed). Such a one goes
out as an update of the first one's subject and carries how many reports it stands for.

Whether two reports are near is a matter of the time they tell of, so that late ones and ones out of
order merge alike. How long a thing is remembered is a matter of arrival, the append time of the
canonical record: the decision depends on the log alone, and memory is bounded.
"""

import struct
from collections import deque
from typing import NamedTuple

from hub.likeness import LIKENESS, NO_SCORE, Likeness, Phase
from schemas import MergeSpec

__all__ = ["Merged", "Merger", "Thing"]

# Things are remembered this long after their last report arrived, in steps of ten seconds.
_STEP_MS = 10_000
_STEPS = 6
_PACKED = struct.Struct(">8s8s16sqqqIHBB")
_STEP, _STEP_AT = struct.Struct(">I"), 56
_COUNT_MAX = 65_535
_NO_TAIL = bytes(8)


class Thing(NamedTuple):
    """One vehicle at a camera, or one alarm: what its reports had in common so far."""

    whole: bytes
    tail: bytes
    subject: bytes
    low_us: int
    """Earliest and latest time its reports tell of, and the time of the last one delivered."""
    high_us: int
    sent_us: int
    step: int
    """When its last report arrived, in steps."""
    reports: int
    score: int
    over: int
    """1 when its end was told."""


class Merged(NamedTuple):
    """A report of a known thing; only where `deliver` does it go out, as an update."""

    deliver: bool
    thing: Thing


class Merger:
    """Things reported to one input partition lately.

    Changes belong to the open transaction until `commit`; `rollback` undoes them. Things are kept
    as packed bytes: they are many, and the garbage collector need not look at them.
    """

    __slots__ = (
        "_before",
        "_better",
        "_changed",
        "_gap_us",
        "_pending",
        "_span_us",
        "_steps",
        "_tails",
        "_tails_before",
        "_things",
    )

    def __init__(self, spec: MergeSpec) -> None:
        self._gap_us = round(spec.gap_s * 1e6)
        self._span_us = round(spec.span_s * 1e6)
        self._better = round(spec.better * 100)
        self._things: dict[bytes, bytes] = {}
        # From the end of a text to the text that was last kept with it.
        self._tails: dict[bytes, bytes] = {}
        self._before: dict[bytes, bytes] = {}
        self._tails_before: dict[bytes, bytes] = {}
        # In the order of their last report, so that a restore ends with the same tails.
        self._changed: dict[bytes, bytes] = {}
        # Names by the step they were touched in, to forget them by.
        self._steps: deque[tuple[int, list[bytes]]] = deque()
        self._pending = (b"", _NO_TAIL, 0, b"")

    def report(self, like: bytes, subject: bytes, arrived_ms: int) -> Merged | None:
        """Compare a report with what was reported lately; None when it is the first of its thing.

        `like` is the header of that name, `subject` the event's own, `arrived_ms` the append time.
        Nothing is remembered of it before `accept`: its event may still be refused.
        """
        whole, tail, score, phase, at_us = LIKENESS.unpack(like)
        step = arrived_ms // _STEP_MS
        thing, longer = None, False
        # Most reports are the first of their thing.
        if whole in self._things or whole in self._tails or tail in self._things:
            thing, longer = self._known(whole, tail, step)
        if (
            thing is None
            or phase == Phase.BEGINS
            or (thing.over and phase != Phase.ENDS)
            or not thing.low_us - self._gap_us <= at_us <= thing.high_us + self._gap_us
        ):
            over = phase == Phase.ENDS
            fresh = (whole, tail, subject, at_us, at_us, at_us, step, 1, score, over)
            self._pending = (whole, tail, step, _PACKED.pack(*fresh))
            return None
        ends = phase == Phase.ENDS and not thing.over
        better = longer or (
            score != NO_SCORE and (thing.score == NO_SCORE or score >= thing.score + self._better)
        )
        deliver = ends or better or at_us - thing.sent_us >= self._span_us
        thing = Thing(
            whole if longer else thing.whole,
            tail if longer else thing.tail,
            thing.subject,
            min(at_us, thing.low_us),
            max(at_us, thing.high_us),
            max(at_us, thing.sent_us) if deliver else thing.sent_us,
            step,
            min(thing.reports + 1, _COUNT_MAX),
            score if better else thing.score,
            thing.over or ends,
        )
        self._pending = (thing.whole, thing.tail, step, _PACKED.pack(*thing))
        return Merged(deliver, thing)

    def accept(self) -> None:
        """Remember the report that was compared last."""
        self._keep(*self._pending)

    def thing(self, like: Likeness, arrived_ms: int) -> Thing | None:
        """What is remembered of the thing that a report tells of."""
        return self._known(like.whole, like.tail, arrived_ms // _STEP_MS)[0]

    def changes(self) -> bytes:
        """Things the open transaction changed, packed for the changelog."""
        return b"".join(self._changed.values())

    def commit(self) -> None:
        """The transaction's things are part of the log now."""
        self._settle()
        self._forget()

    def rollback(self) -> None:
        """Forget the transaction: its things were never written."""
        for whole, packed in self._changed.items():
            del self._things[whole]
            self._tails.pop(_tail_of(packed), None)
        self._things |= self._before
        self._tails |= {t: o for t, o in self._tails_before.items() if o in self._things}
        self._settle()

    def restore(self, packed: bytes) -> None:
        """Take over the things of an earlier transaction, in the changelog's order."""
        for at in range(0, len(packed), _PACKED.size):
            data = packed[at : at + _PACKED.size]
            thing = Thing._make(_PACKED.unpack(data))
            self._keep(thing.whole, thing.tail, thing.step, data)
        self.commit()

    def __len__(self) -> int:
        return len(self._things)

    def _known(self, whole: bytes, tail: bytes, step: int) -> tuple[Thing | None, bool]:
        """The thing a report belongs to, and whether the report has more of its text."""
        # The longer text first: both may be known.
        packed = self._lately(self._tails.get(whole, whole), step) or self._lately(whole, step)
        longer = False
        if packed is None and tail != _NO_TAIL and not self._lately(self._tails.get(tail), step):
            # The end of its text was reported before, and by no other longer text since.
            packed = self._lately(tail, step)
            longer = packed is not None
        return (None if packed is None else Thing._make(_PACKED.unpack(packed))), longer

    def _lately(self, name: bytes | None, step: int) -> bytes | None:
        """A thing, unless its time is over, be it not cleared away yet."""
        packed = self._things.get(name or b"")
        if packed is None or _STEP.unpack_from(packed, _STEP_AT)[0] + _STEPS < step:
            return None
        return packed

    def _keep(self, whole: bytes, tail: bytes, step: int, packed: bytes) -> None:
        if whole in self._changed:
            # Again at the end of the order.
            del self._changed[whole]
        elif whole in self._things:
            self._before[whole] = self._things[whole]
        self._changed[whole] = self._things[whole] = packed
        if tail != _NO_TAIL:
            if tail in self._tails:
                self._tails_before.setdefault(tail, self._tails[tail])
            self._tails[tail] = whole
        if not self._steps or self._steps[-1][0] < step:
            self._steps.append((step, [whole]))
        else:
            self._steps[-1][1].append(whole)

    def _settle(self) -> None:
        self._before.clear()
        self._tails_before.clear()
        self._changed.clear()

    def _forget(self) -> None:
        """Give back the memory of things that no report can find any more."""
        while self._steps and self._steps[0][0] + _STEPS < self._steps[-1][0]:
            step, names = self._steps.popleft()
            for whole in names:
                packed = self._things.get(whole)
                if packed is None:
                    continue
                if _STEP.unpack_from(packed, _STEP_AT)[0] <= step:
                    del self._things[whole]
                    if self._tails.get(_tail_of(packed)) == whole:
                        del self._tails[_tail_of(packed)]


def _tail_of(packed: bytes) -> bytes:
    return packed[8:16]
