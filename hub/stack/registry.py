"""The schema registry of the embedded stack: its settings and its readiness.

It keeps its schemas in a Kafka topic, so that schema ids live and die with the records that
carry them; its own database is only a copy in memory.
"""

import http.client
import json
from pathlib import Path

from hub.stack.ports import HOST
from hub.stack.process import JavaProcess, java

__all__ = ["Registry"]

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0
API = "/apis/ccompat/v7"

# The first compiler only: it starts a third faster, and answers a few requests a minute.
JVM = ("-Xms64m", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Registry:
    """The registry's process and address."""

    def __init__(
        self, program: Path, *, port: int, health_port: int, bootstrap: str, folder: Path
    ) -> None:
        self._port = port
        self.url = f"http://{HOST}:{port}{API}"
        log = folder / "logs" / "registry.log"
        settings = {
            "apicurio.storage.kind": "kafkasql",
            "apicurio.kafkasql.bootstrap.servers": bootstrap,
            # It waits this long, several times over, for topics that are empty at first: the
            # default of 5 s costs 20 s a start. Its journal is read to the end whatever this is.
            "apicurio.kafkasql.consumer.poll.timeout": 250,
            # The journal of a small site is read whole in moments, and is never cut.
            "apicurio.kafkasql.snapshot.scheduled.enabled": "false",
            "quarkus.http.host": HOST,
            "quarkus.http.port": port,
            "quarkus.management.host": HOST,
            "quarkus.management.port": health_port,
            "quarkus.http.access-log.enabled": "false",
            "quarkus.log.console.enabled": "false",
            "quarkus.log.file.enabled": "true",
            "quarkus.log.file.json.enabled": "false",
            "quarkus.log.file.format": "%d %p %c{2} %s%e%n",
            "quarkus.log.file.path": log,
            "quarkus.log.file.rotation.max-file-size": "10M",
            'quarkus.log.category."org.apache.kafka".level': "WARN",
        }
        options = [f"-D{name}={value}" for name, value in settings.items()]
        jar = str(program / "quarkus-run.jar")
        command = [str(java()), *JVM, *options, "-jar", jar]
        self._process = JavaProcess("registry", command, folder=folder)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid

    def launch(self) -> None:
        """Start it without waiting."""
        self._process.start()

    def wait_ready(self) -> None:
        """Wait until it answers a question about subjects."""
        self._process.wait_until(self._answers, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop it cleanly."""
        self._process.stop(timeout_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL it."""
        self._process.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", f"{API}/subjects")
            answer = connection.getresponse()
            return answer.status == 200 and isinstance(json.load(answer), list)
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()
