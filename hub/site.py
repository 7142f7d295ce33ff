"""A whole hub on one machine: embedded stack, topics, rules, every stage; for `up`, `demo`, tests.

Production does without: there the cluster is the city's, and `hub run` runs the stages.
"""

import json
import logging
import os
import re
import secrets
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
from hub.stack.ports import choose_ports
from hub.supervisor import Supervisor, worker_commands

__all__ = ["Site", "write_settings"]

_log = logging.getLogger("hub.site")
_STAGES = ("ingest", "normalise", "process")
_LANES = ("urgent", "bulk")
_READY_S = 60.0
# One machine shares few cores: more partitions would only cost memory.
_PARTITIONS = {"raw": 3, "canonical": 3, "subscriber": 3}


def write_settings(file: Path, values: Mapping[str, Any], *, origin: Path | None) -> None:
    """Write a site's `hub.toml`; its head says where its sources come from."""
    head = "# Written by `hub up`; edits are lost at its next start."
    if origin is not None:
        # Quoted, as a file's name may hold a line break.
        named = json.dumps(str(origin), ensure_ascii=False)
        head += f" Sources are those of\n# {named}: edit that file, then `hub reload --sources` it."
    temporary = file.with_suffix(".tmp")
    temporary.write_text(f"{head}\n\n{tomli_w.dumps(values)}", "utf-8")
    temporary.replace(file)


@dataclass(slots=True)
class Site:
    """Starts everything in `data`; a context manager that stops it in the right order.

    `sources` is the `source` table of `hub.toml`, and `origin` the file it comes from; `devices` a
    register as CSV. Without `ingest_port` payloads are taken where they were the last time. `say`
    hears of each step in words.
    """

    data: Path
    sources: Mapping[str, Any] = field(default_factory=dict)
    devices: str = ""
    port_base: int | None = None
    ingest_port: int | None = None
    origin: Path | None = None
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
        write_settings(self.config_file, values, origin=self.origin)
        self.config = load(self.config_file, {"HUB_ID_KEY_FILE": str(key)})

    def _ingest_port(self) -> int:
        """The port that was asked for, else that of the last time, as devices know it."""
        if self.ingest_port:
            return self.ingest_port
        if self.port_base is not None:
            return self.port_base + 10
        remembered = []
        if self.config_file.exists():
            # Not parsed: it is written anew, whatever people have made of it.
            text = self.config_file.read_text("utf-8", "replace")
            remembered = [
                int(port) for port in re.findall(r"^port = (\d{1,5})$", text, re.MULTILINE)[:1]
            ]
        return choose_ports(1, base=None, remembered=remembered)[0]

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
