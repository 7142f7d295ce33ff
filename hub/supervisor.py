"""Keeps worker processes running: one process per stage and lane, started again when it dies.

A worker that is killed leaves nothing to clean up: its successor takes over its slot, which ends
the open transaction, and goes on at the committed offsets.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.reloading import ROLES
from hub.stack.process import spawn

__all__ = ["LATELY_S", "Supervisor", "Worker", "ended_lately", "worker_commands"]

_log = logging.getLogger("hub.supervisor")
_STOP_S = 15.0
_SETTLED_S = 30.0
# Codes of `hub` that a new start can't mend: wrong use or configuration.
_HOPELESS = (2,)
# How long an end is told to those who ask.
LATELY_S = 300.0
_ENDS = "ended.json"


def ended_lately(folder: Path, now: float) -> dict[str, int]:
    """How often each worker with its log in this folder has ended by itself lately."""
    try:
        ends = json.loads((folder / _ENDS).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    found = {name: sum(at > now - LATELY_S for at in times) for name, times in ends.items()}
    return {name: count for name, count in found.items() if count}


def worker_commands(stages: Sequence[str], lanes: Sequence[str]) -> dict[str, list[str]]:
    """The words after `hub` for every worker of the stages, by the worker's name."""
    found: dict[str, list[str]] = {}
    for stage in stages:
        if stage == "ingest":
            found[stage] = ["run", stage]
        else:
            found |= {f"{stage}-{lane}": ["run", stage, "--lane", lane] for lane in lanes}
    return found


@dataclass(slots=True)
class Worker:
    """One supervised process."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    started: float = 0.0
    given_up: int | None = None
    not_before: float = 0.0

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self.process is not None and self.process.poll() is None
        return self.process.pid if running and self.process else None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid is None:
            self.process = spawn(self.command, self.log, environment=self.environment)
            self.starts += 1
            self.started = time.monotonic()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None and self.pid is not None:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


@dataclass(slots=True)
class Supervisor:
    """Runs workers until `stop`; each `check` starts again what has died."""

    folder: Path
    config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    _ends: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        words: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> Worker:
        """A worker: `hub` with these words, its log in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = ["--config", str(self.config)] if self.config else []
        worker = Worker(
            name,
            [sys.executable, "-m", "hub", *config, *words],
            self.folder / f"{name}.log",
            {**os.environ, **self.environment, **(environment or {})},
        )
        self.workers[name] = worker
        return worker

    def start(self) -> None:
        """Start every worker; what ended before is history."""
        (self.folder / _ENDS).unlink(missing_ok=True)
        for worker in self.workers.values():
            worker.start()

    def check(self) -> None:
        """Start again what has died, with a growing pause for what dies at once."""
        now = time.monotonic()
        for worker in self.workers.values():
            if worker.pid is not None or worker.given_up is not None or now < worker.not_before:
                continue
            code = worker.process.returncode if worker.process else 0
            self._note(worker)
            if code in _HOPELESS:
                worker.given_up = code
                _log.error("%s can't run:\n%s", worker.name, worker.tail())
                continue
            _log.warning("%s ended with %s; starting it again", worker.name, code)
            worker.start()
            quick = worker.started - now < _SETTLED_S
            worker.not_before = now + (min(10.0, 0.5 * 2 ** min(worker.starts, 5)) if quick else 0)

    def _note(self, worker: Worker) -> None:
        """Write down when it ended, for `hub doctor`: between two ends all looks well."""
        now = time.time()
        kept = [at for at in self._ends.get(worker.name, []) if at > now - LATELY_S]
        self._ends[worker.name] = [*kept, now]
        temporary = self.folder / f"{_ENDS}.tmp"
        temporary.write_text(json.dumps(self._ends), "utf-8")
        temporary.replace(self.folder / _ENDS)

    def run(self, stop: threading.Event) -> None:
        """Start and watch until stopped or until a worker can't run at all."""
        self.start()
        try:
            while not stop.wait(0.2):
                self.check()
                if any(worker.given_up is not None for worker in self.workers.values()):
                    return
        finally:
            self.stop()

    def hang_up(self) -> None:
        """Let those that read sources' entries take them anew."""
        for worker in self.workers.values():
            reads = worker.name.startswith(ROLES)
            if reads and worker.process is not None and worker.pid is not None:
                worker.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Ask every worker to end, then insist; those that feed others end first."""
        for worker in self.workers.values():
            if worker.process is not None and worker.pid is not None:
                worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers.values():
            if worker.process is None:
                continue
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("%s did not end in time; killed", worker.name)
                worker.kill()
