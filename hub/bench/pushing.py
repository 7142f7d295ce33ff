"""Pushes payloads as fast as they are taken: `python -m hub.bench.pushing PORT COUNT CONNECTIONS`.

As many connections as devices keep open, each with one payload on its way. The client is written
for this alone, so that it costs less than any server it measures. It says one line at its end.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import uvloop

from hub.bench.fill import SEED
from hub.simulator import Plan, Rates

__all__ = ["KEY", "SOURCE", "bodies", "main"]

SOURCE, KEY = "bench", "benchmark: no secret"
_BODIES = 2_000
_WARM_SHARE = 10


def bodies() -> list[bytes]:
    """Plate reads of the simulated city without pictures, about two kilobytes each."""
    quiet = {
        "heartbeats_per_s": 0, "detections_per_s": 0, "alarms_per_s": 0, "situations_per_s": 0,
        "alert_chains_per_s": 0, "violations": 0, "broken": 0, "pictures": 0,
    }  # fmt: skip
    start = datetime(2026, 3, 1, 1, tzinfo=UTC)
    plan = Plan(seed=SEED, seconds=600, start=start, rates=Rates(plate_reads_per_s=50, **quiet))
    reads = (shot.body for shot in plan if shot.kind == "plate_read")
    return list(itertools.islice(reads, _BODIES))


class _Run:
    """What all connections share."""

    def __init__(self, requests: list[bytes], count: int, done: asyncio.Event) -> None:
        self._requests: Iterator[bytes] = itertools.islice(itertools.cycle(requests), count)
        self._count, self._warm = count, count // _WARM_SHARE
        self._done = done
        self.taken = 0
        self.refused = 0
        self.began = self.ended = 0.0
        self.waits: list[float] = []
        self.error: Exception | None = None

    def next(self) -> bytes | None:
        """The next request; None when all were sent."""
        return next(self._requests, None)

    def answered(self, *, yes: bool, wait_s: float) -> None:
        """Note an answer; the first tenth does not count, but for its number."""
        self.taken += yes
        self.refused += not yes
        total = self.taken + self.refused
        if total == self._warm:
            self.began = time.perf_counter()
        elif total > self._warm:
            self.waits.append(wait_s)
        if total == self._count:
            self.ended = time.perf_counter()
            self._done.set()

    def lost(self, error: Exception | None) -> None:
        """A connection was closed by the other side: the run is over."""
        self.error = error or ConnectionResetError("the server closed a connection")
        self._done.set()


class _Connection(asyncio.Protocol):
    """One device: it sends, waits for the answer, and sends again."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._answer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is of no common class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.lower().partition(b"content-length:")
        if len(body) < int(rest.partition(b"\r\n")[0]):
            return
        self._answer = b""
        yes = head.startswith(b"HTTP/1.1 200")
        self._run.answered(yes=yes, wait_s=time.perf_counter() - self._sent)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(error)

    def _send(self) -> None:
        request = self._run.next()
        if request is not None:
            self._sent = time.perf_counter()
            self._transport.write(request)


def _request(body: bytes) -> bytes:
    head = (
        f"POST /v1/ingest/{SOURCE} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


async def _push(port: int, count: int, connections: int) -> dict[str, Any]:
    done = asyncio.Event()
    run = _Run([_request(body) for body in bodies()], count, done)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
    await done.wait()
    if run.error is not None:
        raise run.error
    waits = sorted(run.waits)
    return {
        "taken": run.taken,
        "refused": run.refused,
        "payloads": len(waits),
        "seconds": run.ended - run.began,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
    }


def main(words: list[str]) -> int:
    """Push, and say how it went."""
    port, count, connections = map(int, words)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_push(port, count, connections))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
