"""Where the loop's time goes: which part of the work each millisecond of it finds.

A timer interrupts the loop every millisecond and the time since the interruption before is put
down to the innermost part that is running, so that a call into C counts whole. Sampling takes a few
µs of each millisecond; that time is left out. A part's CPU time is the loop's own thread's; what is
missing to its time was spent waiting, or another process had the core.
"""

import signal
import time
from types import FrameType
from typing import Any

__all__ = ["LIBRARY", "PARTS", "Sampler", "part_of"]

_EVERY_S = 0.001
_DEPTH_MAX = 12

# Innermost first match by end of the file's name and start of the function's qualified name.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("streams/head.py", "", "head"),
    ("streams/deduplicate.py", "Window.changes", "seal"),
    ("streams/deduplicate.py", "Window.commit", "after commit"),
    ("streams/deduplicate.py", "", "window"),
    ("streams/merge.py", "Merger.changes", "seal"),
    ("streams/merge.py", "Merger.commit", "after commit"),
    ("streams/merge.py", "", "merge"),
    ("streams/last_state.py", "LastStates.changes", "seal"),
    ("streams/last_state.py", "LastStates.commit", "after commit"),
    ("streams/last_state.py", "", "last state"),
    ("streams/report.py", "", "last state"),
    ("streams/unknown.py", "", "place and rules"),
    ("streams/plan.py", "Planner", "place and rules"),
    ("streams/place.py", "", "place and rules"),
    ("streams/route.py", "", "place and rules"),
    ("streams/plan.py", "", "cut and view"),
    ("streams/view.py", "", "cut and view"),
    ("streams/pseudonym.py", "", "pseudonym"),
    ("hub/plates/pseudonym.py", "", "pseudonym"),
    ("streams/process.py", "Process._deliver", "cut and view"),
    ("streams/process.py", "Process._cut", "cut and view"),
    ("streams/process.py", "Process.commit", "after commit"),
    ("streams/partition.py", "Partition.commit", "after commit"),
    ("streams/process.py", "", "decide"),
    ("streams/partition.py", "", "decide"),
    ("hub/kafka/transaction.py", "TransactionalProducer.produce", "produce"),
    ("hub/kafka/transaction.py", "TransactionalProducer.poll", "produce"),
    ("hub/kafka/transaction.py", "TransactionalProducer._hand_over", "produce"),
    ("hub/kafka/transaction.py", "TransactionalProducer", "commit"),
    ("hub/engine/state.py", "", "seal"),
    ("hub/engine/books.py", "", "seal"),
    ("hub/process.py", "Process.seal", "seal"),
    ("hub/process.py", "Process.committed", "after commit"),
    ("hub/process.py", "Process.tick", "registers and lag"),
    ("hub/kafka/reading.py", "", "registers and lag"),
    ("hub/engine/lag.py", "", "registers and lag"),
    ("hub/process.py", "", "decide"),
    ("hub/metrics.py", "", "after commit"),
    ("hub/engine/loop.py", "Loop._poll", "poll"),
    ("hub/engine/loop.py", "Loop._commit", "commit"),
    ("hub/engine/loop.py", "Loop._handle", "group by partition"),
)
_OTHER = "other"
LIBRARY = "client library (threads of its own)"


def part_of(file: str, function: str) -> str | None:
    """The part that a function belongs to; None when its caller decides."""
    for ending, start, part in PARTS:
        if file.endswith(ending) and function.startswith(start):
            return part
    return None


class Sampler:
    """Samples the main thread between `start` and `stop`; only the main thread may call them."""

    def __init__(self) -> None:
        self._wall: dict[str, float] = {}
        self._cpu: dict[str, float] = {}
        self._known: dict[Any, str | None] = {}
        self._last = (0.0, 0.0)
        self._began = (0.0, 0.0)
        self._before: Any = None

    def start(self) -> None:
        """Begin."""
        self._before = signal.signal(signal.SIGALRM, self._sample)
        self._began = (time.thread_time(), time.process_time())
        self._last = (time.perf_counter(), time.thread_time())
        signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)

    def stop(self) -> dict[str, dict[str, float]]:
        """Seconds and CPU seconds by part, and the CPU seconds of the client library's threads."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._before is None:
            return {}
        signal.signal(signal.SIGALRM, self._before)
        thread = time.thread_time() - self._began[0]
        process = time.process_time() - self._began[1]
        cpu = {**self._cpu, LIBRARY: process - thread}
        return {"wall": self._wall, "cpu": cpu}

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        part = self._part(frame)
        self._wall[part] = self._wall.get(part, 0.0) + wall - self._last[0]
        self._cpu[part] = self._cpu.get(part, 0.0) + cpu - self._last[1]
        self._last = (time.perf_counter(), time.thread_time())

    def _part(self, frame: FrameType | None) -> str:
        for _ in range(_DEPTH_MAX):
            if frame is None:
                break
            code = frame.f_code
            if code not in self._known:
                self._known[code] = part_of(code.co_filename, code.co_qualname)
            part = self._known[code]
            if part is not None:
                return part
            frame = frame.f_back
        return _OTHER
