"""All of ingest in one process: logs, drainers, drop folders, sources and the HTTP front."""

import asyncio
import logging
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

import uvloop
from aiohttp import web

from hub.config import Config
from hub.discovery import look_again
from hub.errors import EnvironmentNotReadyError, HubError
from hub.evidence import EvidenceStore
from hub.ingest.drainer import Drainer
from hub.ingest.durable import Durable
from hub.ingest.entries import Entries
from hub.ingest.intake import LANES, Intake
from hub.ingest.limits import ByteBudget
from hub.ingest.log import IngestLog
from hub.ingest.server import Front
from hub.ingest.sources.cursors import Cursors
from hub.ingest.sources.inlet import Services
from hub.ingest.sources.runner import Sources
from hub.ingest.status import Status
from hub.reloading import Answer

__all__ = ["IngestHandle", "run_ingest"]

_log = logging.getLogger("hub.ingest")

_DRAIN_S = 5.0
_ANSWER_S = 5.0
_FILES = 65_536
# For what would hold up the event loop: the evidence store, cursors, large bodies.
_THREADS = 4
# The log's writer needs the interpreter for microseconds at a time; with Python's 5 ms it waits
# longer for its turn than for the disk (measured: 3,700 payloads/s instead of 5,800).
_SWITCH_S = 0.001


def run_ingest(
    config: Config,
    *,
    slot: str,
    stop: threading.Event | None = None,
    mark_schema_id: Callable[[], int],
    ready: Callable[[int], None] | None = None,
    load: Callable[[], Config] | None = None,
) -> None:
    """Take payloads until SIGTERM, SIGINT or `stop`; `ready` hears of the port.

    At SIGHUP it takes the sources of the configuration that `load` gives.

    `mark_schema_id` gives the registry's id of `ingest_mark.v1-value`; it may raise while the
    registry is away and is asked again. Raises what made going on impossible: the slot is taken,
    the log contradicts Kafka, the port or the folder can't be used.
    """
    _allow_connections()
    with ExitStack() as opened:
        opened.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_S)
        logs: dict[str, IngestLog] = {}
        for lane in LANES:
            log = IngestLog(
                config.data / "ingest" / slot / lane,
                max_bytes=config.ingest.log_max_bytes,
                segment_bytes=config.ingest.log_segment_bytes,
                group_commit_s=config.ingest.group_commit_ms / 1000,
            )
            opened.callback(log.close)
            logs[lane] = log
        cursors = Cursors(config.data / "sources")
        opened.callback(cursors.close)
        pool = opened.enter_context(ThreadPoolExecutor(_THREADS, thread_name_prefix="ingest"))
        process = _Process(config, slot, logs, mark_schema_id, cursors=cursors, pool=pool)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(process.run(stop, ready, load))
    if process.error is not None:
        raise process.error


def _allow_connections() -> None:
    """Each source and each client is a file; the usual soft limit of 1,024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_FILES, hard) if hard != resource.RLIM_INFINITY else _FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Process:
    """What lives inside the event loop."""

    def __init__(
        self,
        config: Config,
        slot: str,
        logs: dict[str, IngestLog],
        mark_schema_id: Callable[[], int],
        *,
        cursors: Cursors,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._config = config
        self._slot = slot
        self._logs = logs
        self._cursors = cursors
        self._pool = pool
        self._budget = ByteBudget(config.ingest.inflight_bytes)
        self._mark_schema_id = mark_schema_id
        self._intake = Intake(config, logs, EvidenceStore.open(config.evidence()))
        self._status = Status(logs)
        self.error: HubError | None = None

    async def run(
        self,
        stop: threading.Event | None,
        ready: Callable[[int], None] | None,
        load: Callable[[], Config] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        durable = Durable(self._logs, loop)
        services = Services(self._intake, durable, self._budget, self._cursors, self._pool)
        sources = Sources(services, slot=self._slot)
        entries = Entries(self._config, self._intake, sources=sources)
        self._status.sources = sources.report
        front = Front(
            self._config,
            self._intake,
            durable,
            self._status,
            budget=self._budget,
            pool=self._pool,
        )
        drainers = self._drainers(durable, loop, ending)
        runner = web.ServerRunner(front.server(), shutdown_timeout=_ANSWER_S)
        await runner.setup()
        reloading = asyncio.create_task(self._reloads(entries, front, load))
        try:
            port = await self._listen(runner)
            # First: what was at hand at a crash stands in the log until it is moved.
            entries.start()
            for drainer in drainers:
                drainer.start()
            if ready is not None:
                ready(port)
            _log.info("ingest takes payloads: slot=%s port=%d", self._slot, port)
            await _until(stop, ending)
        finally:
            await runner.cleanup()
            reloading.cancel()
            await asyncio.wait({reloading})
            await entries.stop()
            ended = await asyncio.gather(
                *(_in_thread(partial(each.stop, within_s=_DRAIN_S)) for each in drainers)
            )
            if not all(ended):
                _log.warning("a drainer still waits for Kafka; its records stay in the log")
            _log.info("ingest ended: slot=%s left=%s", self._slot, self._left())

    async def _reloads(
        self, entries: Entries, front: Front, load: Callable[[], Config] | None
    ) -> None:
        """Take sources anew at every SIGHUP, one after the other."""
        if load is None or threading.current_thread() is not threading.main_thread():
            return
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
        name = f"ingest.{self._slot}"
        while True:
            await asked.wait()
            asked.clear()
            try:
                look_again()
                config = await asyncio.get_running_loop().run_in_executor(None, load)
                answer = Answer(name, changes=await entries.take(config, front))
            except HubError as error:
                answer = Answer(name, error=str(error))
            answer.write(self._config.data)

    def _left(self) -> dict[str, int]:
        return {lane: log.backlog() for lane, log in self._logs.items()}

    def _drainers(
        self, durable: Durable, loop: asyncio.AbstractEventLoop, ending: asyncio.Event
    ) -> list[Drainer]:
        def fatal(error: HubError) -> None:
            self.error = self.error or error
            loop.call_soon_threadsafe(ending.set)

        sources = self._intake.sources.values()
        return [
            Drainer(
                self._config.kafka,
                log,
                slot=self._slot,
                lane=lane,
                topics={source.topic for source in sources if source.lane == lane},
                mark_schema_id=self._mark_schema_id,
                status=self._status,
                committed=durable.committed,
                fatal=fatal,
                keep_body=partial(self._intake.evidence.keep, kind="body"),
            )
            for lane, log in self._logs.items()
        ]

    async def _listen(self, runner: web.ServerRunner) -> int:
        host, port = self._config.ingest.host, self._config.ingest.port
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise EnvironmentNotReadyError(
                f"can't listen: {error.strerror}",
                where=f"{host}:{port}",
                fix="give another port (ingest.port, HUB_INGEST_PORT), or end what holds this one",
            ) from error
        chosen: int = runner.addresses[0][1]
        return chosen


async def _until(stop: threading.Event | None, ending: asyncio.Event) -> None:
    """Wait for a signal, the caller's event or a fatal error."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
    while not ending.is_set() and not (stop is not None and stop.is_set()):
        try:
            async with asyncio.timeout(0.1):
                await ending.wait()
        except TimeoutError:
            continue


def _in_thread(work: Callable[[], object]) -> "asyncio.Future[object]":
    return asyncio.get_running_loop().run_in_executor(None, work)


class IngestHandle:
    """Ingest in a thread of this process: `with IngestHandle(config, …) as ingest: ingest.url`."""

    def __init__(self, config: Config, *, slot: str, mark_schema_id: Callable[[], int]) -> None:
        self._config = config
        self._slot = slot
        self._mark_schema_id = mark_schema_id
        self._stop = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self.port = 0
        self.error: BaseException | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._config.ingest.host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it still takes payloads; `stop` says why not."""
        return self._thread.is_alive()

    def start(self) -> Self:
        """Return once it listens, or raise why it can't."""
        self._thread.start()
        self._started.wait()
        if self.error is not None:
            raise self.error
        return self

    def stop(self) -> None:
        """End cleanly; raises what ended it before."""
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _ready(self, port: int) -> None:
        self.port = port
        self._started.set()

    def _run(self) -> None:
        try:
            run_ingest(
                self._config,
                slot=self._slot,
                stop=self._stop,
                mark_schema_id=self._mark_schema_id,
                ready=self._ready,
            )
        except BaseException as error:  # noqa: BLE001 - raised again where `start` or `stop` waits
            self.error = error
        finally:
            self._started.set()
