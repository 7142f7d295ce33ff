"""How long to wait before the next try: longer each time, bounded, and spread by chance. Pure."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]

_FIRST_S = 1.0
_MOST_S = 60.0
# A source that asks for more is asked again after this.
_ASKED_MOST_S = 3_600.0
# A connection that held this long begins anew; one that breaks at once goes on waiting longer.
_SETTLED_S = 30.0
# Of its own: the process's generator is for those who seed it.
_CHANCE = random.SystemRandom()


class Backoff:
    """The pauses of one source; `chance` gives numbers from 0 to 1."""

    def __init__(self, chance: Callable[[], float] = _CHANCE.random) -> None:
        self._chance = chance
        self._failures = 0

    def pause_s(self, *, held_s: float, retry_after_s: float | None = None) -> float:
        """Seconds to wait after a connection that worked for `held_s` (0: it never did)."""
        self._failures = 1 if held_s >= _SETTLED_S else self._failures + 1
        pause_s = min(_MOST_S, _FIRST_S * 2.0 ** min(self._failures - 1, 16))
        pause_s *= 0.5 + self._chance() / 2
        if retry_after_s is not None:
            # Never earlier than asked, and not all in that second.
            asked_s = min(_ASKED_MOST_S, max(0.0, retry_after_s))
            pause_s = max(pause_s, asked_s * (1 + self._chance() / 10))
        return pause_s
