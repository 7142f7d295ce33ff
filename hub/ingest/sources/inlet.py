"""What a transport hands its payloads to: durable when `put` returns, bounded in every way."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from hub.errors import HubError, Recovery
from hub.ingest.durable import Durable
from hub.ingest.intake import Arrival, Intake, Snapshot, Source
from hub.ingest.limits import ByteBudget, TokenBucket
from hub.ingest.records import new_payload_id, pack
from hub.ingest.sources.backoff import Backoff
from hub.ingest.sources.cursors import Cursors
from hub.ingest.sources.state import SourceState

__all__ = ["Inlet", "Services", "to_its_end"]

_T = TypeVar("_T")

_log = logging.getLogger("hub.ingest.sources")

# How long a body may wait for memory that others hold.
_ROOM_S = 10.0
# How long what is under way may take when its source ends.
_LAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Services:
    """What all sources of a process share."""

    intake: Intake
    durable: Durable
    budget: ByteBudget
    cursors: Cursors
    pool: Executor


class Inlet:
    """One source's way to the log."""

    def __init__(self, source: Source, services: Services, state: SourceState) -> None:
        self.source = source
        self._services = services
        self._state = state
        limits = source.config.limits
        self.body_bytes = limits.body_bytes
        """Largest payload that is taken."""
        self._bucket = TokenBucket(limits.per_second, limits.burst)
        self._up_at: float | None = None

    def connecting(self) -> None:
        """A connection begins."""
        self._up_at = None

    def up(self) -> None:
        """The source answers as it should."""
        if self._up_at is None:
            self._up_at = time.monotonic()
        self._state.up()

    @property
    def held_s(self) -> float:
        """How long the connection has worked; 0 when it never did."""
        return 0.0 if self._up_at is None else time.monotonic() - self._up_at

    async def put(
        self,
        body: bytes,
        *,
        content_type: str = "",
        meta: Mapping[str, str] | None = None,
        payload_id: str = "",
        received_at: float | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Return once the payload is durable; what is too large is refused and counted.

        It waits as long as the log is full or its disk fails: a source that is not answered keeps
        what it has.
        """
        await self.put_all(
            [
                Arrival(
                    body,
                    content_type,
                    dict(meta or {}),
                    payload_id or new_payload_id(),
                    time.time() if received_at is None else received_at,
                    snapshot,
                )
            ]
        )

    async def put_all(self, arrivals: Sequence[Arrival]) -> None:
        """Return once all are durable, in their order and with one sync for many."""
        packed: list[tuple[Arrival, bytes]] = []
        for arrival in arrivals:
            if len(arrival.body) > self.body_bytes:
                self.refuse("too-large")
                continue
            while wait_s := self._bucket.take():  # noqa: ASYNC110 - time is what it waits for
                await asyncio.sleep(wait_s)
            packed.append((arrival, await self._again(partial(self._record, arrival))))
        # Tasks begin in the order they are made, and each enters the log as it begins.
        await asyncio.gather(*(self._again(partial(self._append, record)) for _, record in packed))
        for arrival, _ in packed:
            self._services.intake.count(self.source, arrival)

    def refuse(self, code: str) -> None:
        """Count a payload that can't be taken."""
        source = self.source
        source.metrics.dropped(1, code, topic=source.topic, source_id=source.id)

    async def reserve(self, count: int) -> bool:
        """Wait for that many bytes of memory; False when others hold on to them too long."""
        return await self._services.budget.wait(count, within_s=_ROOM_S)

    def give_back(self, count: int) -> None:
        """Free what was reserved."""
        self._services.budget.give_back(count)

    async def cursor(self) -> dict[str, Any]:
        """How far this source was read."""
        return await self.in_thread(lambda: self._services.cursors.load(self.source.id))

    def at_hand(self) -> set[str]:
        """Payload ids that were durable when the process before this one died."""
        return {each.payload_id for each in self._services.intake.at_hand.take(self.source.id)}

    async def commit(self, cursor: dict[str, Any]) -> None:
        """Keep how far it was read; only after what was read is durable."""
        await self.in_thread(lambda: self._services.cursors.save(self.source.id, cursor))

    def in_thread(self, work: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Do what would hold up the other sources."""
        return asyncio.get_running_loop().run_in_executor(self._services.pool, work)

    async def _again(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do it as often as it takes, until the log has room and the disks work."""
        backoff = Backoff()
        while True:
            try:
                return await work()
            except HubError as error:
                if error.recovery is not Recovery.RETRY:
                    raise
                self.source.metrics.error(error)
            await asyncio.sleep(backoff.pause_s(held_s=0.0))

    async def _record(self, arrival: Arrival) -> bytes:
        """The record of a payload, whose body is in the evidence store when it belongs there."""
        intake = self._services.intake
        stored = None
        if intake.belongs_in_evidence(len(arrival.body), arrival.content_type):
            stored = await self.in_thread(lambda: intake.evidence.put(arrival.body, "body"))
        return pack(intake.record(self.source, arrival, stored=stored))

    async def _append(self, record: bytes) -> None:
        sequence = await self._services.durable.append(self.source.lane, record)
        if self.source.config.ack == "replicated":
            await self._services.durable.moved(self.source.lane, sequence)


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do it; being cancelled, a moment longer: what a source has given it may not give again."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_LAST_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
