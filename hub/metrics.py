"""The metrics of every component: one set of names, and the only module that knows Prometheus.

A stage makes one `StageMetrics` and counts a whole batch with one call. A label combination is
looked up once and kept, so that a count costs a dictionary access and an addition. No label ever
holds a camera, a plate, a shard or an event id; `source_id` is on counters (and on the gauges that
are about sources), never on histograms.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.errors import EnvironmentNotReadyError

__all__ = ["CONTENT_TYPE", "MetricsServer", "StageMetrics", "render", "serve", "value"]

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

# A `_created` series beside every counter would double what Prometheus stores.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

_REGISTRY = CollectorRegistry()
_PLACE = ("stage", "lane", "component")
_STREAM = (*_PLACE, "topic")
_COUNTED = (*_STREAM, "source_id")
_BATCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGE_BUCKETS = (
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    900,
    3600,
    21_600,
    86_400,
    259_200,
)

_RECORDS_IN = Counter(
    "hub_records_in_total", "Records or payloads taken in", _COUNTED, registry=_REGISTRY
)
_RECORDS_OUT = Counter(
    "hub_records_out_total", "Records written, once committed", _COUNTED, registry=_REGISTRY
)
_RECORDS_DROPPED = Counter(
    "hub_records_dropped_total",
    "Records or payloads refused or left out on purpose, by reason",
    (*_COUNTED, "reason"),
    registry=_REGISTRY,
)
_DEAD_LETTERS = Counter(
    "hub_dead_letters_total",
    "Dead letters written, by code",
    (*_COUNTED, "code"),
    registry=_REGISTRY,
)
_SNAPSHOTS_UNPROVEN = Counter(
    "hub_snapshots_unproven_total",
    "Full snapshots that ended and told nothing of what is missing, by reason",
    (*_PLACE, "source_id", "reason"),
    registry=_REGISTRY,
)
_ERRORS = Counter("hub_errors_total", "Errors met, by kind", (*_PLACE, "error"), registry=_REGISTRY)
_BATCH_SECONDS = Histogram(
    "hub_batch_seconds",
    "Time from the start of a batch to its commit",
    _PLACE,
    buckets=_BATCH_BUCKETS,
    registry=_REGISTRY,
)
_EVENT_AGE_SECONDS = Histogram(
    "hub_event_age_seconds",
    "Time from observed to delivered",
    _STREAM,
    buckets=_AGE_BUCKETS,
    registry=_REGISTRY,
)
_LAG_RECORDS = Gauge("hub_lag_records", "Records not yet processed", _STREAM, registry=_REGISTRY)
_LAG_SECONDS = Gauge(
    "hub_lag_seconds", "Age of the oldest record not yet processed", _STREAM, registry=_REGISTRY
)
_SOURCE_LAST_PAYLOAD = Gauge(
    "hub_source_last_payload_timestamp_seconds",
    "When a source was last heard (seconds since 1970)",
    ("source_id",),
    registry=_REGISTRY,
)
_SOURCE_UP = Gauge(
    "hub_source_up",
    "Whether a source that the hub goes to works (1) or not (0)",
    ("source_id",),
    registry=_REGISTRY,
)
_SOURCE_SINCE = Gauge(
    "hub_source_state_since_timestamp_seconds",
    "Since when it has been so (seconds since 1970)",
    ("source_id",),
    registry=_REGISTRY,
)
_SOURCE_PAUSED = Gauge(
    "hub_source_paused",
    "Whether a source's payloads are set aside unread (1), as too many were refused, or not (0)",
    ("source_id",),
    registry=_REGISTRY,
)
_INGEST_LOG_BYTES = Gauge(
    "hub_ingest_log_bytes", "Bytes in the local log of ingest", ("lane",), registry=_REGISTRY
)


@cache
def _child(metric: Any, *labels: str) -> Any:
    """The series of these labels; kept, as looking it up costs more than counting."""
    return metric.labels(*labels)


class StageMetrics:
    """Counts for one component of one stage and lane; every method takes a whole batch."""

    def __init__(self, stage: str, lane: str, component: str = "") -> None:
        self._place = (stage, lane, component)

    def records_in(self, count: int, *, topic: str = "", source_id: str = "") -> None:
        """Records or payloads taken in."""
        _child(_RECORDS_IN, *self._place, topic, source_id).inc(count)

    def records_out(self, count: int, *, topic: str = "", source_id: str = "") -> None:
        """Records written and committed."""
        _child(_RECORDS_OUT, *self._place, topic, source_id).inc(count)

    def dropped(self, count: int, reason: str, *, topic: str = "", source_id: str = "") -> None:
        """Records left out on purpose, or payloads refused at the door."""
        _child(_RECORDS_DROPPED, *self._place, topic, source_id, reason).inc(count)

    def dead_letters(self, count: int, code: str, *, topic: str = "", source_id: str = "") -> None:
        """Dead letters written."""
        _child(_DEAD_LETTERS, *self._place, topic, source_id, code).inc(count)

    def snapshot_unproven(self, reason: str, *, source_id: str) -> None:
        """A full snapshot that told nothing of what is missing."""
        _child(_SNAPSHOTS_UNPROVEN, *self._place, source_id, reason).inc()

    def error(self, error: str | BaseException, count: int = 1) -> None:
        """An error met: its kind, never its text."""
        name = error if isinstance(error, str) else type(error).__name__
        _child(_ERRORS, *self._place, name).inc(count)

    def batch_seconds(self, seconds: float) -> None:
        """How long one batch took."""
        _child(_BATCH_SECONDS, *self._place).observe(seconds)

    def event_age_observer(self, topic: str) -> Callable[[float], None]:
        """The function that takes ages in seconds; bound once, called for each event."""
        observe: Callable[[float], None] = _child(_EVENT_AGE_SECONDS, *self._place, topic).observe
        return observe

    def lag(self, records: float, seconds: float | None = None, *, topic: str = "") -> None:
        """What waits: how many records and, where it is known, how old the oldest is."""
        _child(_LAG_RECORDS, *self._place, topic).set(records)
        if seconds is not None:
            _child(_LAG_SECONDS, *self._place, topic).set(seconds)

    def source_heard(self, source_id: str, at: float) -> None:
        """A payload of this source arrived at that time (seconds since 1970)."""
        _child(_SOURCE_LAST_PAYLOAD, source_id).set(at)

    def source_state(self, source_id: str, *, up: bool, since: float) -> None:
        """Whether a source works that the hub goes to, and since when (seconds since 1970)."""
        _child(_SOURCE_UP, source_id).set(float(up))
        _child(_SOURCE_SINCE, source_id).set(since)

    def source_gone(self, source_id: str) -> None:
        """The hub no longer goes to this source: it is neither up nor down."""
        for metric in (_SOURCE_UP, _SOURCE_SINCE):
            with suppress(KeyError):  # it never was
                metric.remove(source_id)
        _child.cache_clear()

    def source_paused(self, source_id: str, *, paused: bool) -> None:
        """Whether payloads of a source are set aside."""
        _child(_SOURCE_PAUSED, source_id).set(float(paused))

    def no_source_paused(self) -> None:
        """This process begins: what it said of sources before is void."""
        _SOURCE_PAUSED.clear()
        _child.cache_clear()

    def ingest_log_bytes(self, used: int) -> None:
        """Bytes in this lane's local log."""
        _child(_INGEST_LOG_BYTES, self._place[1]).set(used)


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    return prometheus_client.generate_latest(_REGISTRY)


def value(name: str, **labels: str) -> float:
    """Sum of one metric's samples whose labels have these values: for live views and tests."""
    total = 0.0
    for family in _REGISTRY.collect():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                total += sample.value
    return total


class MetricsServer:
    """A worker's `/metrics`; `close` frees the port."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(port: int, host: str = "127.0.0.1") -> MetricsServer:
    """Answer `/metrics` on that port (0: a free one) from a thread of its own."""
    try:
        server, thread = prometheus_client.start_http_server(port, addr=host, registry=_REGISTRY)
    except OSError as error:
        raise EnvironmentNotReadyError(
            f"can't serve metrics: {error.strerror}",
            where=f"{host}:{port}",
            fix="give another port (metrics_port, HUB_METRICS_PORT), or end what holds this one",
        ) from error
    return MetricsServer(server, thread)
