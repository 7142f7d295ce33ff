"""Waiting for durability inside the event loop: on the local disk, or moved to Kafka.

The writer and the drainer threads wake the loop once for a whole group, not once for each request.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.errors import HubError
from hub.ingest.log import IngestLog

__all__ = ["Durable"]

# How long an answer waits for all replicas before it says that the payload is kept locally.
_REPLICATED_S = 5.0


class Durable:
    """Appends to the lanes' logs for coroutines of one event loop."""

    def __init__(
        self,
        logs: Mapping[str, IngestLog],
        loop: asyncio.AbstractEventLoop,
        *,
        replicated_s: float = _REPLICATED_S,
    ) -> None:
        self._logs = logs
        self._loop = loop
        self._replicated_s = replicated_s
        self._moved = dict.fromkeys(logs, -1)
        self._waiting: dict[str, list[tuple[int, int, asyncio.Future[bool]]]] = {
            lane: [] for lane in logs
        }
        self._order = itertools.count()

    async def append(self, lane: str, record: bytes) -> int:
        """Return the record's sequence number once it is on the disk."""
        future: asyncio.Future[int] = self._loop.create_future()
        self._logs[lane].submit(record, future, self._settle)
        return await future

    async def moved(self, lane: str, sequence: int) -> bool:
        """Whether Kafka has the record, after waiting for it a bounded time."""
        if self._moved[lane] >= sequence:
            return True
        future: asyncio.Future[bool] = self._loop.create_future()
        heapq.heappush(self._waiting[lane], (sequence, next(self._order), future))
        try:
            async with asyncio.timeout(self._replicated_s):
                return await future
        except TimeoutError:
            return False

    def committed(self, lane: str, sequence: int) -> None:
        """The drainer's word, from its thread: everything up to there is in Kafka."""
        self._soon(self._wake, lane, sequence)

    def _wake(self, lane: str, sequence: int) -> None:
        self._moved[lane] = sequence
        waiting = self._waiting[lane]
        while waiting and waiting[0][0] <= sequence:
            future = heapq.heappop(waiting)[2]
            if not future.done():
                future.set_result(True)

    def _settle(self, results: Sequence[tuple[Any, int | HubError]]) -> None:
        self._soon(_resolve, results)

    def _soon(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # Nobody waits any more; what is durable stays durable.


def _resolve(results: Sequence[tuple[Any, int | HubError]]) -> None:
    for future, outcome in results:
        if future.done():
            continue  # its request is gone; the record stays
        if isinstance(outcome, HubError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
