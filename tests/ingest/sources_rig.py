"""Sources in the test's own event loop, before a log without Kafka, and servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ingest_support import make_config

from hub.evidence import EvidenceStore
from hub.ingest.durable import Durable
from hub.ingest.intake import LANES, Intake
from hub.ingest.limits import ByteBudget
from hub.ingest.log import IngestLog
from hub.ingest.records import RawRecord, unpack
from hub.ingest.sources.cursors import Cursors
from hub.ingest.sources.inlet import Services
from hub.ingest.sources.runner import Sources
from hub.ingest.sources.task import SourceTask

LIMIT_S = 20.0


class Quick:
    """Pauses of a test: none, or what the source asked for, which is noted."""

    def __init__(self) -> None:
        self.asked: list[float | None] = []

    def pause_s(self, *, held_s: float, retry_after_s: float | None = None) -> float:
        assert held_s >= 0
        self.asked.append(retry_after_s)
        return 0.02


class Rig:
    """Sources that run, and what they have made durable."""

    def __init__(self, services: Services, sources: Sources) -> None:
        self.services = services
        self.sources = sources
        self.tasks: dict[str, SourceTask] = {}

    @property
    def budget(self) -> ByteBudget:
        return self.services.budget

    def start(self) -> None:
        self.tasks = self.sources.prepare(self.services.intake.sources.values())
        for task in self.tasks.values():
            task._backoff, task._spread_s = Quick(), 0.0
        self.sources.start(self.tasks)

    def durable(self) -> list[RawRecord]:
        found = []
        for lane in LANES:
            log = self.services.intake.logs[lane]
            entries, _ = log.read(log.start(), max_records=10**9, max_bytes=2**40)
            found += [unpack(entry) for _, entry in entries]
        return found

    async def records(self, count: int) -> list[RawRecord]:
        """Wait for that many records; more are an error."""
        await until(lambda: len(self.durable()) >= count)
        found = self.durable()
        assert len(found) == count
        return found

    async def state(self, source_id: str, word: str) -> str:
        """Wait for a state; its reason."""
        await until(lambda: self.sources.report()[source_id]["state"] == word)
        return self.sources.report()[source_id]["reason"]


def poll(url: str, **more: Any) -> dict[str, Any]:
    """A polled source."""
    settings = {"kind": "http_poll", "url": url, "every_s": 0.05, "timeout_s": 5, **more}
    return {"connector": "plain_test", "transport": settings}


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def stream(url: str, **more: Any) -> dict[str, Any]:
    """A source whose answer never ends."""
    settings = {"kind": "http_stream", "url": url, "silence_s": 5, **more}
    return {"connector": "stream_test", "transport": settings}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what it waits for knows no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(data: Path, sources: Mapping[str, Any], slot: str = "test", **ingest):
    """Sources of a site, started; the logs are closed at the end."""
    config = make_config(data, sources, **ingest)
    logs = {
        lane: IngestLog(data / "ingest" / slot / lane, max_bytes=config.ingest.log_max_bytes)
        for lane in LANES
    }
    cursors = Cursors(data / "sources")
    with ThreadPoolExecutor(4) as pool:
        services = Services(
            Intake(config, logs, EvidenceStore.open(config.evidence())),
            Durable(logs, asyncio.get_running_loop()),
            ByteBudget(config.ingest.inflight_bytes),
            cursors,
            pool,
        )
        running = Rig(services, Sources(services, slot=slot))
        try:
            running.start()
            yield running
            await running.sources.stop()
            assert services.budget.used == 0, "bodies that nobody holds any more"
        finally:
            await running.sources.stop()
            for log in logs.values():
                log.close()
            cursors.close()


class Request(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return self.line.split()[1]


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """An HTTP server on a real socket that answers whatever bytes a test writes."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): text.strip()
                    for name, _, text in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(head[0], headers, body)
                self.requests.append(request)
                await self._answer(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(answer: Answer, **more: Any) -> AsyncIterator[Peer]:
    """A server that ends with the block, whoever is still connected."""
    made = Peer(answer)
    open_: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_.add(task)
        try:
            await made.connected(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            open_.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **more)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in list(open_):
            task.cancel()
        if open_:
            await asyncio.wait(open_)


def http(
    body: bytes = b"", status: str = "200 OK", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole answer."""
    given = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def scripted(*answers: bytes) -> Answer:
    """One answer after another; the last one for ever."""
    left = list(answers)

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def headers_of(record: RawRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=boundary\r\n\r\n"
JPEG = b"\xff\xd8\xff\xe0 picture \xff\xd9"


def part(data: bytes, content_type: bytes = b"application/xml") -> bytes:
    head = b"--boundary\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (content_type, len(data)) + data + b"\r\n"


def alert(number: int) -> bytes:
    return b"<a><n>%d</n></a>" % number


def streaming(*chunks: bytes | float, then: str = "stay"):
    """An answer that writes chunks and waits between them, then stays, closes or resets."""

    async def answer(request, writer):
        writer.write(HEAD)
        for chunk in chunks:
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            else:
                writer.write(chunk)
                await writer.drain()
        if then == "stay":
            await asyncio.Event().wait()
        elif then == "reset":
            writer.transport.abort()
        else:
            writer.close()

    return answer
