"""The embedded stack: brokers and registry in one data folder, started and stopped together."""

import atexit
import base64
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from hub.stack.artifacts import fetch
from hub.stack.errors import StackError
from hub.stack.kafka import Broker
from hub.stack.lock import require_space, try_lock
from hub.stack.ports import choose_ports
from hub.stack.process import alive, identity, kill_leftovers, terminate
from hub.stack.registry import Registry

__all__ = ["Stack", "down"]

OWNER, LOCK, STATE = "owner.pid", "stack.lock", "stack.json"
TEMPORARY = "hanoi-event-hub-"
OWNER_STOP_TIMEOUT_S = 40


class Stack:
    """Kafka and a schema registry on this machine, for as long as a `with` block or the process.

    Args:
        data: the folder that keeps topics, schemas, ports and logs; None means a temporary one
            that is removed at the end.
        brokers: 1, or 3 with replication (the number is fixed with the data folder).
        registry: whether to start the schema registry too.
        port_base: the first of the ports to use: brokers, then the registry and its health
            port, then controllers. None finds free ones and keeps them with the data folder.
        gather_ms: how long a new group waits for more members; those that come later take whole
            topics over, those that come together share each.
        proxied: whether each broker has a second listener for clients that come through a proxy,
            at ports of its own (`Broker.behind`); for tests that disturb the wire.
    """

    def __init__(
        self,
        data: Path | None = None,
        brokers: int = 1,
        registry: bool = True,  # noqa: FBT001, FBT002 - reads well by name
        port_base: int | None = None,
        *,
        gather_ms: int = 0,
        proxied: bool = False,
    ) -> None:
        if brokers < 1:
            raise ValueError("a stack has at least one broker")
        self._temporary = data is None
        self._data = None if data is None else data.expanduser().resolve()
        self._count = brokers
        self._with_registry = registry
        self._port_base = port_base
        self._gather_ms = gather_ms
        self._proxied = proxied
        self._lock: IO[str] | None = None
        self._registry: Registry | None = None
        self.brokers: list[Broker] = []

    @property
    def data(self) -> Path:
        """The folder of topics, ports and logs."""
        if self._data is None:
            raise _not_started()
        return self._data

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses, as Kafka clients take them."""
        if not self.brokers:
            raise _not_started()
        return ",".join(broker.bootstrap for broker in self.brokers)

    @property
    def registry_url(self) -> str:
        """The base address of the registry's Confluent-compatible API."""
        return self._running_registry().url

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until it answers; on any error nothing is left running."""
        if self._lock is not None:
            raise StackError("it is started already", where=str(self.data), fix="stop it first")
        artifacts = fetch(registry=self._with_registry)
        self._open_folder()
        atexit.register(self.stop)
        try:
            self._start_all(artifacts.kafka, artifacts.registry)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything; a temporary data folder is removed. Does nothing when stopped."""
        if self._lock is None:
            return
        atexit.unregister(self.stop)
        try:
            self._stop_all()
        finally:
            (self.data / OWNER).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
            if self._temporary:
                shutil.rmtree(self.data, ignore_errors=True)
                self._data = None
                self.brokers = []

    def kill_registry(self) -> None:
        """SIGKILL the registry."""
        self._running_registry().kill()

    def restart_registry(self) -> None:
        """Stop the registry if it runs, start it, wait until it answers."""
        registry = self._running_registry()
        registry.stop()
        registry.launch()
        registry.wait_ready()

    def _running_registry(self) -> Registry:
        if self._registry is None:
            raise _not_started()
        return self._registry

    def _open_folder(self) -> None:
        """Make the folder, take its lock, clear what a killed run left behind."""
        if self._temporary:
            _remove_abandoned()
            self._data = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        try:
            for name in ("config", "logs", "pids"):
                (self.data / name).mkdir(parents=True, exist_ok=True)
            self._lock = try_lock(self.data / LOCK)
        except OSError as error:
            raise StackError(
                f"the data folder cannot be written ({error.strerror})",
                where=str(self.data),
                fix="make it writable for you, or choose another folder",
            ) from error
        if self._lock is None:
            owner = alive(self.data / OWNER)
            who = f"process {owner.pid}" if owner else "another process"
            raise StackError(
                f"{who} is using this data folder",
                where=str(self.data),
                fix="stop it there (or `hub down` with this folder), or choose another folder",
            )
        # We hold the lock, so whoever wrote these pid files is gone.
        kill_leftovers(self.data / "pids")
        (self.data / OWNER).write_text(json.dumps(identity(os.getpid())), encoding="utf-8")

    def _start_all(self, jars: tuple[Path, ...], program: Path | None) -> None:
        require_space(self.data, "the data folder of the embedded stack")
        state = self._state()
        count, ports = self._count, state["ports"]
        pairs = list(zip(ports[:count], ports[count + 2 : 2 * count + 2], strict=True))
        spare = ports[2 * count + 2 :]
        self.brokers = [
            Broker(
                node,
                ports=pairs,
                jars=jars,
                folder=self.data,
                cluster_id=state["cluster_id"],
                behind=(spare[2 * node - 2], spare[2 * node - 1]) if spare else None,
                gather_ms=self._gather_ms,
            )
            for node in range(1, count + 1)
        ]
        for broker in self.brokers:
            broker.launch()
        if program is not None:
            self._registry = Registry(
                program,
                port=ports[count],
                health_port=ports[count + 1],
                bootstrap=self.bootstrap,
                folder=self.data,
            )
            # It needs seconds before it first asks for Kafka, and then waits for it.
            self._registry.launch()
        for broker in self.brokers:
            broker.wait_ready(live=count)
        if self._registry is not None:
            self._registry.wait_ready()

    def _state(self) -> dict[str, Any]:
        """Cluster id, number of brokers and ports, remembered from the first start."""
        path = self.data / STATE
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            old = {"cluster_id": _new_cluster_id(), "brokers": self._count, "ports": []}
        except ValueError as error:
            raise StackError(
                f"its contents are not JSON ({error})",
                where=str(path),
                fix="restore the file, or choose another data folder",
            ) from error
        if old["brokers"] != self._count:
            raise StackError(
                f"this data folder was made for {old['brokers']} brokers, not {self._count}",
                where=str(self.data),
                fix=f"start it with {old['brokers']}, or choose another folder",
            )
        # Two ports a broker, two for the registry, also when it is not started this time.
        wanted = 2 * self._count + 2 + (2 * self._count if self._proxied else 0)
        ports = choose_ports(wanted, base=self._port_base, remembered=old["ports"])
        state: dict[str, Any] = {**old, "ports": ports}
        work = path.with_suffix(".new")
        work.write_text(json.dumps(state), encoding="utf-8")
        work.replace(path)
        return state

    def _stop_all(self) -> None:
        if self._registry is not None:
            if self._temporary:
                self._registry.kill()
            else:
                self._registry.stop()
            self._registry = None
        if self._temporary:
            # Nobody will read this data again: there is nothing to close in order.
            for broker in self.brokers:
                broker.kill()
            return
        for broker in self.brokers:
            broker.ask_to_stop()
        for broker in self.brokers:
            broker.stop()


def down(data: Path) -> bool:
    """Stop the stack that another process runs in this data folder; says whether one ran.

    The process itself is asked to end (SIGTERM), since it could not go on without its brokers;
    Java that outlived its process is stopped too.
    """
    folder = data.expanduser().resolve()
    owner = alive(folder / OWNER)
    if owner is not None and owner.pid == os.getpid():
        raise StackError(
            "this process runs the stack itself", where=str(folder), fix="call its stop()"
        )
    if owner is not None:
        terminate(owner, timeout_s=OWNER_STOP_TIMEOUT_S)
    (folder / OWNER).unlink(missing_ok=True)
    return kill_leftovers(folder / "pids") > 0 or owner is not None


def _not_started() -> StackError:
    return StackError("the embedded stack (or this part of it) is not started", fix="call start()")


def _new_cluster_id() -> str:
    """A random UUID as Kafka writes it: 22 characters of URL-safe base64."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A leading dash would be read as an option.
        if not text.startswith("-"):
            return text


def _remove_abandoned() -> None:
    """Remove temporary data folders whose process was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        try:
            lock = try_lock(folder / LOCK) if (folder / LOCK).exists() else None
        except PermissionError:
            continue  # another user's
        if lock is not None:
            with lock:
                kill_leftovers(folder / "pids")
                shutil.rmtree(folder, ignore_errors=True)
