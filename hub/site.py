"""A whole hub on one machine: embedded stack, topics, rules, every stage; for `up`, `demo`, tests.

Production does without: there the cluster is the city's, and `hub run` runs the stages.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import tomli_w

from hub import register, routes, topics
from hub.config import Config, load
from hub.errors import EnvironmentNotReadyError
from hub.kafka.admin import Cluster
from hub.registry import Registry
from hub.stack import Stack
from hub.supervisor import Supervisor, worker_commands

__all__ = ["Site"]

_log = logging.getLogger("hub.site")
_STAGES = ("ingest", "normalise", "process")
_LANES = ("urgent", "bulk")
_READY_S = 60.0
# One machine shares few cores: more partitions would only cost memory.
_PARTITIONS = {"raw": 3, "canonical": 3, "subscriber": 3}


@dataclass(slots=True)
class Site:
    """Starts everything in `data`; a context manager that stops it in the right order.

    `sources` is the `source` table of `hub.toml`; `devices` a register as CSV. `say` hears of each
    step in words.
    """

    data: Path
    sources: Mapping[str, Any] = field(default_factory=dict)
    devices: str = ""
    port_base: int | None = None
    say: Callable[[str], None] = lambda _text: None
    stack: Stack | None = None
    config: Config = field(default_factory=Config)
    supervisor: Supervisor | None = None
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    @property
    def ingest_url(self) -> str:
        """Where payloads are taken."""
        return f"http://127.0.0.1:{self.config.ingest.port}"

    @property
    def config_file(self) -> Path:
        """The configuration of this site, for other commands."""
        return self.data / "hub.toml"

    def start(self) -> None:
        """Bring everything up, to the point where payloads are taken."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.say("starting Apache Kafka and the schema registry")
        self.stack = self._opened.enter_context(
            Stack(self.data / "stack", port_base=self.port_base)
        )
        self._configure()
        registry = Registry(self.config.registry_url, cache=self.data / "registry.json")
        try:
            self.say("making topics and registering schemas")
            topics.apply(self.config, registry)
            self._load_registers(registry)
        finally:
            registry.close()
        self.say("starting ingest, normalise and process")
        self._start_workers()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return once ingest takes payloads; `EnvironmentNotReadyError` shows why it does not."""
        deadline = time.monotonic() + _READY_S
        supervisor = self.supervisor
        assert supervisor is not None
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.ingest_url}/readyz", timeout=2, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                supervisor.check()
            time.sleep(0.1)
        raise EnvironmentNotReadyError(
            f"ingest does not answer:\n{supervisor.workers['ingest'].tail()}",
            where=self.ingest_url,
            fix=f"see the logs in {supervisor.folder}",
        )

    def idle(self) -> bool:
        """Whether every accepted payload has gone all the way."""
        try:
            answer = httpx.get(f"{self.ingest_url}/readyz", timeout=2, trust_env=False)
        except httpx.HTTPError:
            return False
        if not answer.is_success or any(answer.json()["log_records"].values()):
            return False
        return not any(lag.records for lag in Cluster(self.config.kafka).lags("hub."))

    def _configure(self) -> None:
        """Write the site's own `hub.toml`, with its ports of now; the id key is made once."""
        assert self.stack is not None
        key = self.data / "id.key"
        if not key.exists():
            descriptor = os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        values = {
            "data": str(self.data),
            "registry_url": self.stack.registry_url,
            "kafka": {
                "bootstrap": self.stack.bootstrap,
                "replication_factor": 1,
                "min_insync_replicas": 1,
                "partitions": _PARTITIONS,
            },
            "ingest": {"port": self._ingest_port()},
            "source": self.sources,
        }
        self.config_file.write_text(tomli_w.dumps(values), "utf-8")
        self.config = load(self.config_file, {"HUB_ID_KEY_FILE": str(key)})

    def _ingest_port(self) -> int:
        if self.port_base is not None:
            return self.port_base + 10
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        return port

    def _load_registers(self, registry: Registry) -> None:
        rules = Path(routes.SHIPPED)
        routes.publish(
            self.config, registry, routes.read_toml(rules.read_text("utf-8"), where=str(rules))
        )
        if self.devices:
            register.publish(self.config, registry, register.read(self.devices))

    def _start_workers(self) -> None:
        self.supervisor = Supervisor(
            self.data / "logs",
            self.config_file,
            {"HUB_ID_KEY_FILE": str(self.data / "id.key")},
        )
        for name, words in worker_commands(_STAGES, _LANES).items():
            self.supervisor.add(name, words)
        self._opened.callback(self.supervisor.stop)
        self.supervisor.start()
