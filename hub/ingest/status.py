"""What ingest says of itself: ready while its logs have room, and what else it sees."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from hub.ingest.log import IngestLog
from hub.metrics import StageMetrics

__all__ = ["Status"]


class Status:
    """Written by the drainers, read by `/readyz` and `/metrics`."""

    def __init__(self, logs: Mapping[str, IngestLog]) -> None:
        self._logs = logs
        self._state = threading.Lock()
        self._kafka: dict[str, str] = dict.fromkeys(logs, "not yet reached")
        self._registry = "not yet reached"
        self.sources: Callable[[], dict[str, Any]] = dict
        """How each source stands that the hub goes to; set by who has them."""
        self._metrics = {lane: StageMetrics("ingest", lane, "log") for lane in logs}

    def kafka(self, lane: str, word: str) -> None:
        """How the drainer of a lane stands with Kafka: `reachable`, or what is wrong."""
        with self._state:
            self._kafka[lane] = word

    def registry(self, word: str) -> None:
        """How the schema registry stands."""
        with self._state:
            self._registry = word

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether payloads are taken, and the body of `/readyz`."""
        ready = all(log.has_room for log in self._logs.values())
        states = Counter(source["state"] for source in self.sources().values())
        with self._state:
            return ready, {
                "status": "ready" if ready else "full",
                "log_bytes": {lane: log.used_bytes for lane, log in self._logs.items()},
                "log_records": {lane: log.backlog() for lane, log in self._logs.items()},
                "kafka": dict(self._kafka),
                "registry": self._registry,
                "sources": dict(states),
            }

    def measure(self) -> None:
        """Bring the gauges up to date, when they are looked at."""
        for lane, log in self._logs.items():
            self._metrics[lane].ingest_log_bytes(log.used_bytes)
            self._metrics[lane].lag(log.backlog())
