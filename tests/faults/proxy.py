"""A proxy between Kafka clients and brokers that knows where a request begins and what it asks.

Cutting bytes is what any proxy can do. Keeping back one EndTxn, or losing the answer to one
TxnOffsetCommit, takes a proxy that reads frames: a request is its size, then its API key.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, Self

__all__ = ["Action", "Api", "Proxy", "Rule"]

HOST = "127.0.0.1"
# Answers that nobody waits for any more are still read, so that the broker is not held up.
DRAIN_S = 5.0


class Api(IntEnum):
    """The requests that tests disturb, by their API key."""

    PRODUCE = 0
    FETCH = 1
    HEARTBEAT = 12
    ADD_PARTITIONS = 24
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


Action = Literal["hold", "strand", "drop", "mute", "duplicate", "reset"]
"""What happens to a request.

- hold: it waits, and what follows on its connection waits behind it
- strand: its connection breaks at once, and it still arrives after a while
- drop: it never arrives
- mute: it arrives, and its answer is lost
- duplicate: it arrives twice; the client sees one answer
- reset: its connection breaks instead
"""


@dataclass
class Rule:
    """What to do to the next `times` requests of some kind.

    `hits` says how often it was done, `passed_on` how many of those requests have arrived.
    """

    action: Action
    apis: frozenset[int]
    seconds: float = 0.0
    times: int = 1
    skip: int = 0
    containing: bytes = b""
    hits: int = 0
    passed_on: int = 0

    def takes(self, api: int, frame: bytes) -> bool:
        """Whether this request is the rule's; counts it then."""
        if api not in self.apis or self.hits >= self.times or self.containing not in frame:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass(eq=False)
class _Link:
    """One client's connection and the one made for it to the broker."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    muted: set[int] = field(default_factory=set)

    def reset(self) -> None:
        """Break both sides without a farewell."""
        for side in (self.client, self.broker):
            _reset(side)


class Proxy:
    """Listens for each broker at the port it tells its clients; runs in a thread of its own.

    `routes` maps each port to listen at to the broker's port behind it. A context manager.
    """

    def __init__(self, routes: Mapping[int, int]) -> None:
        self._routes = dict(routes)
        self._rules: list[Rule] = []
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._silent = False
        self.latency_s = 0.0
        self.bytes_per_s = 0.0
        self.requests: Counter[int] = Counter()

    @property
    def bootstrap(self) -> str:
        """What clients take as their bootstrap servers."""
        return ",".join(f"{HOST}:{port}" for port in self._routes)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @contextmanager
    def rule(
        self,
        action: Action,
        *apis: Api,
        seconds: float = 0.0,
        times: int = 1,
        skip: int = 0,
        containing: bytes = b"",
    ) -> Iterator[Rule]:
        """Disturb requests while the block runs."""
        rule = Rule(action, frozenset(apis), seconds, times, skip, containing)
        self._rules.append(rule)
        try:
            yield rule
        finally:
            self._rules.remove(rule)

    @contextmanager
    def slow(self, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> Iterator[None]:
        """Delay every frame, or let bytes through at a pace, while the block runs."""
        self.latency_s, self.bytes_per_s = latency_s, bytes_per_s
        try:
            yield
        finally:
            self.latency_s = self.bytes_per_s = 0.0

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """Keep every connection open and let nothing through while the block runs."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False
            # What was swallowed in mid-stream is gone: such a connection is of no more use.
            self.reset_all()

    def reset_all(self) -> int:
        """Break every connection; how many there were."""

        async def reset() -> int:
            links = list(self._links)
            for link in links:
                link.reset()
            return len(links)

        return asyncio.run_coroutine_threadsafe(reset(), self._loop).result(10)

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(self._accept_for(target), HOST, port)
            for port, target in self._routes.items()
        ]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for link in list(self._links):
            link.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept_for(self, target: int):
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                answers, broker = await asyncio.open_connection(HOST, target)
            except OSError:
                _reset(writer)
                return
            link = _Link(writer, broker)
            self._links.add(link)
            for pump in (self._requests(reader, link), self._answers(answers, link)):
                self._spawn(pump)

        return accept

    def _spawn(self, work) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, link: _Link) -> None:
        """Client to broker, frame by frame."""
        late = False
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await _frame(reader)
                api, correlation = struct.unpack_from(">hxxi", frame, 4)
                self.requests[api] += 1
                await self._pass(len(frame))
                rule = next((each for each in self._rules if each.takes(api, frame)), None)
                action = rule.action if rule else ""
                if action == "strand":
                    _reset(link.client)
                if rule is not None and action in ("hold", "strand"):
                    # The client may have given up by then: the request arrives all the same.
                    late = True
                    await asyncio.sleep(rule.seconds)
                elif action == "reset":
                    link.reset()
                    return
                if action == "mute":
                    link.muted.add(correlation)
                if action != "drop":
                    link.broker.write(frame)
                    if rule is not None:
                        rule.passed_on += 1
                if action == "duplicate":
                    link.broker.write(_as_duplicate(frame))
                    link.muted.add(_duplicate_of(correlation))
                await link.broker.drain()
                if action == "strand":
                    break
        if late:
            # A reset at once would take the late request with it.
            await asyncio.sleep(DRAIN_S)
        _reset(link.broker)

    async def _answers(self, reader: asyncio.StreamReader, link: _Link) -> None:
        """Broker to client; an answer belongs to the request with its correlation id."""
        try:
            while True:
                frame = await _frame(reader)
                (correlation,) = struct.unpack_from(">i", frame, 4)
                if correlation in link.muted:
                    link.muted.discard(correlation)
                    continue
                await self._pass(len(frame))
                if not link.client.is_closing():
                    link.client.write(frame)
                    await link.client.drain()
        except (OSError, asyncio.IncompleteReadError):
            _reset(link.client)
        finally:
            self._links.discard(link)

    async def _pass(self, size: int) -> None:
        """Wait as long as the link makes a frame wait."""
        wait_s = self.latency_s + (size / self.bytes_per_s if self.bytes_per_s else 0.0)
        if wait_s:
            await asyncio.sleep(wait_s)
        while self._silent:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.05)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame, with its size in front."""
    head = await reader.readexactly(4)
    (size,) = struct.unpack(">i", head)
    return head + await reader.readexactly(size)


def _duplicate_of(correlation: int) -> int:
    """A correlation id that no client gives: theirs count up from 1."""
    return -1 - correlation


def _as_duplicate(frame: bytes) -> bytes:
    (correlation,) = struct.unpack_from(">i", frame, 8)
    return frame[:8] + struct.pack(">i", _duplicate_of(correlation)) + frame[12:]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, as a firewall or a dying host does."""
    own = writer.get_extra_info("socket")
    if own is not None and not writer.is_closing():
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def routes_of(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Routes for a stack's brokers, from their `behind`: own port, port told to clients."""
    return {shown: own for own, shown in pairs}
