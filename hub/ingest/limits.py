"""How much may be sent: rates, memory in use, and what compressed bodies swell to."""

import asyncio
import time
import zlib
from collections.abc import Callable

__all__ = ["ByteBudget", "SwollenError", "TokenBucket", "inflate"]

_PIECE = 2**16
# Below this, a high ratio is what any regular text gives, and harmless.
_RATIO_FROM = 2**20
_RATIO_MAX = 100
_GZIP = 31


class TokenBucket:
    """Payloads of one source: `per_second` on average, `burst` at once."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> float:
        """Zero when a payload may come now, else the seconds until one may."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


class ByteBudget:
    """Bytes of bodies held in memory at one time; used from the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._freed = asyncio.Event()
        self.used = 0

    def take(self, count: int) -> bool:
        """Reserve, or say that there is no room."""
        if self.used + count > self._limit:
            return False
        self.used += count
        return True

    def give_back(self, count: int) -> None:
        """Free what was reserved."""
        self.used -= count
        self._freed.set()

    async def wait(self, count: int, *, within_s: float) -> bool:
        """Reserve as soon as there is room; False when there is none in that time."""
        try:
            async with asyncio.timeout(within_s):
                while not self.take(count):
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            return False
        return True


class SwollenError(ValueError):
    """A compressed body is larger inside than is allowed."""


def inflate(data: bytes, limit: int) -> bytes:
    """A gzip body's content, with never more than `limit` bytes in memory.

    Raises `SwollenError` above the limit or above a ratio of 100, `ValueError` for what is no gzip.
    """
    out = bytearray()
    allowed = min(limit, max(_RATIO_FROM, len(data) * _RATIO_MAX))
    member = zlib.decompressobj(_GZIP)
    started = False
    for at in range(0, len(data), _PIECE):
        rest = data[at : at + _PIECE]
        while rest:
            if member.eof:
                member, started = zlib.decompressobj(_GZIP), False
            started = True
            try:
                out += member.decompress(rest, _PIECE)
            except zlib.error as error:
                raise ValueError("not a gzip body") from error
            if len(out) > allowed:
                raise SwollenError("the body is larger inside than is allowed")
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if started and not member.eof:
        out += member.decompress(b"", allowed + 1 - len(out))
        if len(out) > allowed:
            raise SwollenError("the body is larger inside than is allowed")
        if not member.eof:
            raise ValueError("the gzip body ends too early")
    return bytes(out)
