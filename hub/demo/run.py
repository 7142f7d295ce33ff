"""Runs the demonstration and reconciles it with the simulator's truth."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from hub import simulator
from hub.demo.view import Progress, View
from hub.demo.watch import Watch
from hub.errors import EnvironmentNotReadyError, HubError
from hub.kafka.admin import Cluster
from hub.ledger import Balance, balance
from hub.site import Site

__all__ = ["Outcome", "Settings", "run"]

_ENDLESS = 10**9
_SETTLE_S = 120.0
_CHECK_S = 0.3


@dataclass(frozen=True, slots=True)
class Settings:
    """What `hub demo` was asked for."""

    data: Path
    seconds: int | None
    speed: float
    seed: int
    live: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The reconciled end of a demo."""

    report: simulator.Report
    books: Balance
    payloads: int
    restarts: int

    @property
    def ok(self) -> bool:
        """Whether every event is where it belongs, once, and the books balance."""
        return self.report.ok and self.books.holds

    def as_dict(self, settings: Settings) -> dict[str, Any]:
        """The summary for `--json`; of two runs with one seed it is the same."""
        return {
            "ok": self.ok,
            "seed": settings.seed,
            "seconds": settings.seconds,
            "payloads": self.payloads,
            **self.report.as_dict(),
            "ledger": {"holds": self.books.holds, "problems": self.books.problems[:20]}
            | self.books.totals(),
        }


def run(
    settings: Settings,
    console: Console,
    stop: threading.Event,
    *,
    disturb: Callable[[Site, float], None] | None = None,
) -> Outcome | None:
    """Run until the schedule is sent, or until stopped; None when there was nothing to check.

    `disturb` is called as time goes on, for tests that kill what they like.
    """
    # A sender faster than time must start in the past, or its clocks run ahead of the hub's.
    lead = timedelta(seconds=(settings.seconds or 0) * max(0.0, 1 - 1 / settings.speed))
    plan = simulator.Plan(
        seed=settings.seed, seconds=settings.seconds or _ENDLESS, start=datetime.now(UTC) - lead
    )
    with Site(
        settings.data,
        sources=simulator.sources(settings.seed),
        devices=simulator.register_csv(settings.seed, plan.city),
        say=lambda text: console.print(f"· {text}"),
    ) as site:
        # The plan is made before the start-up, which takes a while: its clock begins now.
        plan = simulator.Plan(
            seed=settings.seed, seconds=plan.seconds, start=datetime.now(UTC) - lead
        )
        watch = Watch(site.config, keep=settings.seconds is not None)
        watch.start()
        try:
            return _drive(settings, site, plan, watch, console, stop, disturb)
        finally:
            watch.stop()


def _drive(  # noqa: PLR0917 - one caller
    settings: Settings,
    site: Site,
    plan: simulator.Plan,
    watch: Watch,
    console: Console,
    stop: threading.Event,
    disturb: Callable[[Site, float], None] | None,
) -> Outcome | None:
    progress = Progress(phase="sending")
    truth = simulator.Truth()
    sender = _Sender(plan, site, settings, truth, progress)
    sender.start()
    with _shown(settings, View(watch, progress, settings.seconds), console):
        while sender.alive() and not stop.is_set():
            _look_after(site, progress, watch)
            if disturb is not None:
                disturb(site, progress.second)
            time.sleep(_CHECK_S)
        sender.end()
        if settings.seconds is None or stop.is_set():
            return None
        progress.phase = "settling"
        _settle(site, progress, watch, stop)
    if watch.error is not None:
        raise watch.error
    if not watch.catch_up():
        raise EnvironmentNotReadyError(
            "subscribers' topics could not be read to their end", where=site.config.kafka.bootstrap
        )
    report = simulator.check(truth, watch.delivered, watch.dead_letters)
    return Outcome(report, balance(site.config), progress.sent, progress.restarts)


def _look_after(site: Site, progress: Progress, watch: Watch) -> None:
    """Start again what died, and note how far everything is."""
    supervisor = site.supervisor
    assert supervisor is not None
    supervisor.check()
    for worker in supervisor.workers.values():
        if worker.given_up is not None:
            raise EnvironmentNotReadyError(worker.tail(), where=worker.name)
    progress.restarts = sum(worker.starts - 1 for worker in supervisor.workers.values())
    if watch.error is not None:
        raise watch.error
    # While a broker is away there is no lag to show, and that is no reason to end.
    with contextlib.suppress(HubError):
        lags = Cluster(site.config.kafka).lags("hub.")
        progress.lag = {lag.group: 0 for lag in lags}
        for lag in lags:
            progress.lag[lag.group] += lag.records


def _settle(site: Site, progress: Progress, watch: Watch, stop: threading.Event) -> None:
    """Wait until what was accepted has gone all the way."""
    deadline = time.monotonic() + _SETTLE_S
    quiet = 0
    while quiet < 2 and not stop.is_set():
        _look_after(site, progress, watch)
        try:
            quiet = quiet + 1 if site.idle() else 0
        except HubError:
            quiet = 0
        if time.monotonic() > deadline:
            waiting = {group: lag for group, lag in progress.lag.items() if lag}
            raise EnvironmentNotReadyError(
                f"records still wait after {_SETTLE_S:.0f} s: {waiting}",
                where=str(site.data / "logs"),
                fix="read the workers' logs there",
            )
        time.sleep(_CHECK_S)


@contextlib.contextmanager
def _shown(settings: Settings, view: View, console: Console) -> Iterator[None]:
    """The live view, on a terminal that wants one."""
    if not settings.live:
        yield
        return
    with Live(view, console=console, refresh_per_second=4, screen=False, transient=True):
        yield


class _Sender:
    """The simulator in a thread with its own event loop."""

    def __init__(
        self,
        plan: simulator.Plan,
        site: Site,
        settings: Settings,
        truth: simulator.Truth,
        progress: Progress,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._progress = progress
        self._error: BaseException | None = None
        self._work = simulator.drive(
            plan,
            site.ingest_url,
            simulator.credentials(settings.seed),
            speed=settings.speed,
            progress=self._note,
            truth=truth,
        )
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._task: asyncio.Task[simulator.Truth] | None = None

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop sending, and raise what went wrong."""
        if self._task is not None and self.alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        if self._error is not None:
            raise self._error

    def _note(self, sent: int, second: float) -> None:
        self._progress.sent, self._progress.second = sent, second

    def _run(self) -> None:
        async def work() -> None:
            self._task = asyncio.ensure_future(self._work)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

        try:
            self._loop.run_until_complete(work())
        except BaseException as error:  # noqa: BLE001 - raised again by `end`
            self._error = error
        finally:
            self._loop.close()
