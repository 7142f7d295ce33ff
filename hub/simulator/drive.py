"""Sends a plan to the hub's ingest as the city's devices would: in order, and never giving up."""

import asyncio
import random
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import httpx

from hub.simulator.city import Credential
from hub.simulator.plan import Plan
from hub.simulator.truth import Shot, Truth

__all__ = ["drive"]

_LANES = 4
"""Connections of one source; a device keeps to one of them, so its order holds."""
_WAITING = 64
"""Payloads that may wait in a lane before simulated time stands still."""
_RETRY = frozenset({429, 500, 502, 503, 504})
_PATIENCE_S = 5.0

Progress = Callable[[int, float], None]


async def drive(
    plan: Plan,
    base_url: str,
    credentials: Mapping[str, Credential],
    *,
    speed: float = 1.0,
    progress: Progress | None = None,
    truth: Truth | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Truth:
    """Post every payload of the plan, `speed` simulated seconds a second or as fast as it goes.

    Nothing is dropped: when the hub is slower, or away, simulated time waits for it. `progress` is
    told how many payloads were accepted and which simulated second it is. A `truth` given grows as
    payloads are accepted, so that an interrupted run can still be checked. Cancel it to stop.
    """
    if speed <= 0:
        raise ValueError("speed is simulated seconds a second and above 0")
    truth = Truth() if truth is None else truth
    trusted = httpx.create_ssl_context(trust_env=False)
    # A client of its own for each lane: one pool of all connections costs more than the posts.
    sender = _Sender(
        lambda: httpx.AsyncClient(
            base_url=base_url,
            verify=trusted,
            timeout=httpx.Timeout(30, connect=5),
            transport=transport,
            trust_env=False,
        ),
        credentials,
        truth,
    )
    lanes = _Lanes(sender)
    try:
        await _feed(plan, lanes, speed, lambda at_s: progress and progress(sender.sent, at_s))
        await lanes.finish()
    finally:
        await lanes.close()
    if progress:
        progress(sender.sent, float(plan.seconds))
    return truth


async def _feed(
    plan: Iterable[Shot], lanes: "_Lanes", speed: float, tell: Callable[[float], object]
) -> None:
    """Hand each payload to its lane when its time has come; a full lane stops the clock."""
    begin = time.monotonic()
    for shot in plan:
        lanes.check()
        early_s = begin + shot.at_s / speed - time.monotonic()
        if early_s > 0.005:  # shorter sleeps cost more than they are worth
            await asyncio.sleep(early_s)
        await lanes.put(shot)
        tell(shot.at_s)


class _Sender:
    """Posts one payload until the hub has said yes or no."""

    def __init__(
        self,
        connect: Callable[[], httpx.AsyncClient],
        credentials: Mapping[str, Credential],
        truth: Truth,
    ) -> None:
        self.connect = connect
        self._credentials = credentials
        self._truth = truth
        self.sent = 0

    async def send(self, client: httpx.AsyncClient, shot: Shot) -> None:
        """Post it, with the same bytes again after no answer, a full log or an empty bucket."""
        credential = self._credentials[shot.source_id]
        path, headers = shot.path, {"Content-Type": shot.content_type}
        if credential.by_path:
            path = f"{path}/{credential.secret}"
        else:
            headers["Authorization"] = f"Bearer {credential.secret}"
        indeterminate = False
        for attempt in range(1_000_000):
            wait_s = min(_PATIENCE_S, 0.1 * 2 ** min(attempt, 6))
            try:
                answer = await client.post(path, content=shot.body, headers=headers)
            except httpx.ConnectError:
                pass  # nothing was sent
            except httpx.TransportError:
                indeterminate = True
            else:
                if answer.status_code not in _RETRY:
                    self._note(shot, answer.status_code, indeterminate=indeterminate)
                    return
                # A server in trouble may have kept the payload all the same.
                indeterminate = indeterminate or answer.status_code != httpx.codes.TOO_MANY_REQUESTS
                with suppress(KeyError, ValueError):
                    wait_s = min(60.0, float(answer.headers["Retry-After"]))
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries

    def _note(self, shot: Shot, status: int, *, indeterminate: bool) -> None:
        if status == httpx.codes.OK:
            self.sent += 1
            self._truth.accept(shot, indeterminate=indeterminate)
        else:
            self._truth.turn_away(shot, status)


class _Lanes:
    """A few ordered queues for each source, each emptied by one task."""

    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._queues: dict[tuple[str, int], asyncio.Queue[Shot]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def put(self, shot: Shot) -> None:
        """Queue a payload behind the others of its device; waits while the lane is full."""
        lane = (shot.source_id, zlib.crc32(shot.lane.encode()) % _LANES)
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = asyncio.Queue(_WAITING)
            self._tasks.append(asyncio.create_task(self._empty(queue)))
        await queue.put(shot)

    def check(self) -> None:
        """Raise what ended a lane."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def finish(self) -> None:
        """Wait until every lane is empty; raises what ended one."""
        joins = [asyncio.ensure_future(queue.join()) for queue in self._queues.values()]
        try:
            while not all(join.done() for join in joins):
                await asyncio.wait([*joins, *self._tasks], return_when=asyncio.FIRST_COMPLETED,
                                   timeout=1)  # fmt: skip
                self.check()
        finally:
            for join in joins:
                join.cancel()

    async def close(self) -> None:
        """End every task."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _empty(self, queue: asyncio.Queue[Shot]) -> None:
        async with self._sender.connect() as client:
            while True:
                await self._sender.send(client, await queue.get())
                queue.task_done()
