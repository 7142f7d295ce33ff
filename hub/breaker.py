"""When a source is paused, and when it is read again: a breaker over its recent payloads. Pure.

Closed, all is read, and of the last `payloads` payloads it is known which were refused; once that
is more than `share` of so many, it opens. Open, payloads are set aside unread but for one now and
then, on trial. A good one lets those that follow be read: it closes when so many in a row were good
as chance hardly gives a source that is as bad as the share allows, and the first refused one opens
it again. A payload that holds nothing to refuse, such as a heartbeat, says nothing either way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log

__all__ = ["CLOSED", "SET_ASIDE", "Breaker", "Closed", "Open", "Probing", "State"]

SET_ASIDE = "source-paused"
"""Code of the dead letter of a payload that was not read, as its source was paused."""

_TRIAL_S = 30.0
# As bad as the share allows, a source passes its trial once in so many times.
_CHANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Closed:
    """Every payload is read."""

    refused: int = 0
    """A bit for each of the last payloads, the newest one lowest: 1 where it was refused."""


@dataclass(frozen=True, slots=True)
class Open:
    """Payloads are set aside."""

    tried_at: float
    aside: int = 0
    """How many were set aside since the last trial."""

    def one_more(self) -> "Open":
        """After one more was set aside."""
        return Open(self.tried_at, self.aside + 1)

    def due(self) -> "Open":
        """The next payload is one on trial."""
        return Open(float("-inf"))


@dataclass(frozen=True, slots=True)
class Probing:
    """Payloads are read, as so many in a row were good."""

    good: int


State = Closed | Open | Probing
CLOSED = Closed()


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one source is judged; times are seconds of any clock that never goes back."""

    share: float
    payloads: int

    @property
    def proof(self) -> int:
        """Good payloads in a row that close it."""
        if self.share >= 1:
            return 1
        return min(self.payloads, ceil(log(_CHANCE) / log(1 - self.share)))

    def verdict(self, events: int, refused: int) -> bool | None:
        """Whether a payload counts as refused: more than the share of it; None says nothing."""
        return self._too_much(refused, events + refused) if events or refused else None

    def reads(self, state: State, clock: Callable[[], float]) -> bool:
        """Whether the next payload is read."""
        if not isinstance(state, Open):
            return True
        return state.aside >= self.payloads or clock() - state.tried_at >= _TRIAL_S

    def after(self, state: State, clock: Callable[[], float], *, refused: bool) -> State:
        """The state after a payload that was read."""
        if isinstance(state, Closed):
            bits = (state.refused << 1 | refused) & ((1 << self.payloads) - 1)
            opens = self._too_much(bits.bit_count(), self.payloads)
            return Open(clock()) if opens else Closed(bits)
        if refused:
            return Open(clock())
        good = state.good + 1 if isinstance(state, Probing) else 1
        return Probing(good) if good < self.proof else CLOSED

    def _too_much(self, refused: int, of: int) -> bool:
        # Rounded, as 0.29 of 100 is a little less than 29 in binary.
        return refused > round(self.share * of, 9)
