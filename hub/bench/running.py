"""Runs measured processes and takes their figures, the same way for the hub and for its peers.

A measured process says JSON lines on standard output: `ready` with the partitions it holds, `began`
with how many records it had read when its measured part began, `done` with how many it has
handled. It starts at the first line on its standard input and ends when that is closed.
"""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from hub.bench.site import ID_KEY
from hub.errors import EnvironmentNotReadyError

__all__ = ["Figures", "Measured", "run"]

# Without any progress.
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of a mode gave: measured events, seconds, CPU seconds, peak memory."""

    events: int
    began: float
    ended: float
    cpu_s: float
    peak_mib: float
    profile: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Seconds (`wall`) and CPU seconds (`cpu`) by part of the loop."""
    profiled: int = 0
    """Events they are of."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / (self.ended - self.began)

    @property
    def cpu_us(self) -> float:
        """CPU µs an event."""
        return self.cpu_s / self.events * 1e6


@dataclass(slots=True)
class _Seen:
    """What one process has said so far."""

    partitions: int = -1
    began: float = 0.0
    skipped: int = 0
    done: int = 0
    ended: float = 0.0
    cpu_began: float = 0.0
    cpu_s: float = 0.0
    profile: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    profiled: int = 0


class Measured:
    """One running process."""

    def __init__(
        self, words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                words,
                env={**os.environ, "HUB_ID_KEY": ID_KEY, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._system = psutil.Process(self.process.pid)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def tell(self) -> None:
        """Let it start."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """Let it end by itself."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()

    def end(self) -> None:
        """End it, whatever it does."""
        self.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listener.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def said(self, wait_s: float) -> Iterator[dict[str, Any]]:
        """What it has said since; raises when it is gone with an error."""
        try:
            line = self._lines.get(timeout=wait_s)
        except queue.Empty:
            return
        while line is not None:
            if line.startswith('{"say"'):
                yield json.loads(line)
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return
        if self.process.wait(20):
            raise EnvironmentNotReadyError(
                f"a measured process failed:\n{self.tail()}", where=str(self.process.args)
            )

    def cpu_s(self) -> float:
        """CPU seconds it has used."""
        try:
            times = self._system.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    def peak_mib(self) -> float:
        """The most memory it has held so far, 0 where the system does not say."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        except OSError:
            return 0.0
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(found[0]) / 1024 if found else 0.0

    def tail(self) -> str:
        """The end of what it wrote on standard error."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def run(processes: Sequence[Measured], count: int, partitions: int = 0) -> Figures:
    """Start all at once when they hold all partitions; figures when they have done all records."""
    seen = [_Seen() for _ in processes]
    deadline, before = time.monotonic() + _PATIENCE_S, 0
    started = False
    while (done := sum(each.done for each in seen)) < count:
        if done > before:
            deadline, before = time.monotonic() + _PATIENCE_S, done
        _hear(processes, seen, 0.02)
        if not started and _ready(seen, partitions):
            started = True
            for process in processes:
                process.tell()
        if time.monotonic() > deadline:
            told = "\n".join(process.tail() for process in processes)
            raise EnvironmentNotReadyError(
                f"not done after {_PATIENCE_S:.0f} s, at {[each.done for each in seen]}:\n{told}",
                where=str(processes[0].process.args),
            )
    peaks = [process.peak_mib() for process in processes]
    for process in processes:
        process.close()
    while any(process.process.poll() is None for process in processes):
        _hear(processes, seen, 0.1)
        if time.monotonic() > deadline:
            break
    _hear(processes, seen, 0.1)
    return Figures(
        sum(each.done - each.skipped for each in seen),
        min(each.began for each in seen),
        max(each.ended for each in seen),
        sum(each.cpu_s - each.cpu_began for each in seen),
        max(peaks),
        seen[0].profile,
        seen[0].profiled,
    )


def _hear(processes: Sequence[Measured], seen: Sequence[_Seen], wait_s: float) -> None:
    """Note what the processes say."""
    for process, each in zip(processes, seen, strict=True):
        for line in process.said(wait_s):
            _note(process, each, line)


def _ready(seen: Sequence[_Seen], partitions: int) -> bool:
    """Whether everyone is there; with `partitions`, whether each has some and none lacks."""
    if not partitions:
        return all(each.partitions >= 0 for each in seen)
    return (
        all(each.partitions > 0 for each in seen)
        and sum(each.partitions for each in seen) == partitions
    )


def _note(process: Measured, seen: _Seen, line: Mapping[str, Any]) -> None:
    match line["say"]:
        case "ready":
            seen.partitions = line["partitions"]
        case "began":
            seen.began, seen.skipped = line["at"], line["records"]
            seen.cpu_began = process.cpu_s()
        case "done":
            seen.done, seen.ended = line["records"], line["at"]
            seen.cpu_s = process.cpu_s() or seen.cpu_s
        case "profile":
            seen.profile, seen.profiled = line["parts"], line["records"]
