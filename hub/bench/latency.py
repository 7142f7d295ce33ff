"""`hub bench latency`: how old events are when a subscriber has them, at a steady rate."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import schemas
from hub.bench.fill import fill
from hub.bench.pacing import WARM_S
from hub.bench.running import Measured
from hub.bench.site import Site, site
from hub.envelope import raw_topic
from hub.errors import EnvironmentNotReadyError, InvariantError
from hub.kafka.admin import Cluster

__all__ = ["WARM_S", "Line", "lines", "measure"]

_PATIENCE_S = 120.0
_DRAIN_S = 60.0
_RAW = raw_topic("hikvision_isapi", "bulk")


@dataclass(frozen=True, slots=True)
class Line:
    """One way through the hub: who writes, what runs, what the subscriber reads."""

    name: str
    source: str
    rate: float
    workers: tuple[tuple[str, str], ...]
    topic: str
    backlog: int = 0
    """Plate reads that wait for the bulk lane before it starts."""


def lines(rate: float, raw_rate: float, urgent_rate: float, backlog: int) -> list[Line]:
    """The three that are measured; rates are events a second."""
    plates = schemas.subscriber_topic("police", "plate_read")
    return [
        Line("bulk: canonical to subscriber", "canonical", rate, (("process", "bulk"),), plates),
        Line(
            "bulk: raw to subscriber",
            "raw",
            raw_rate,
            (("normalise", "bulk"), ("process", "bulk")),
            plates,
        ),
        Line(
            "urgent: raw to subscriber, beside a plate backlog",
            "urgent",
            urgent_rate,
            (("normalise", "urgent"), ("process", "urgent"), ("process", "bulk")),
            schemas.subscriber_topic("police", "alert"),
            backlog,
        ),
    ]


def measure(
    wanted: Sequence[Line], seconds: float, *, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """A row for each line, and the bytes of a raw plate read on the broker's disk.

    Raises `InvariantError` when an event did not arrive, or came twice.
    """
    rows, figures = [], {}
    for line in wanted:
        say(f"{line.name}: {line.rate:,.0f}/s for {seconds:.0f} s")
        with site() as place:
            row = _line(place, line, seconds)
            if line.source == "raw":
                figures["raw_bytes"] = place.disk_bytes(_RAW) / row["sent"]
        say(f"  p99 {row['p99_ms']} ms")
        rows.append(row)
    return rows, figures


def _line(place: Site, line: Line, seconds: float) -> dict[str, Any]:
    if line.backlog:
        fill(place.config, place.ids, "plates", line.backlog)
    with ExitStack() as running:
        ends = [
            running.enter_context(_end(place, *words))
            for words in (
                ("read", str(place.file), line.topic),
                (line.source, str(place.file), str(line.rate), str(seconds)),
            )
        ]
        reader, source = ends
        _wait(reader, "ready")
        _wait(source, "ready")
        for stage, lane in line.workers:
            # Started one after the other: only the last one has a backlog to work on.
            _start(running.enter_context(_worker(place, stage, lane)))
        source.tell()
        sent = _wait(source, "done")
        left = _backlog(place) if line.backlog else 0
        seen = _drain(reader, sent["records"])
        reader.close()
        found = _wait(reader, "latency")
    if not (sent["records"] == seen == found["unique"] == found["records"]):
        raise InvariantError(
            f"{sent['records']:,} sent, {found['records']:,} received, "
            f"{found['unique']:,} of them different",
            where=line.topic,
            fix="the figures mean nothing; find out what was lost or repeated",
        )
    return {
        "line": line.name,
        "events_per_s": round(line.rate),
        "sent": sent["records"],
        "counted": found["counted"],
        **{name: found[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")},
        "source_behind_ms": sent["behind_ms"],
        "backlog_left": left,
    }


def _end(place: Site, role: str, *words: str) -> Measured:
    command = [sys.executable, "-m", "hub.bench.pacing", role, *words]
    return Measured(command, place.folder / f"{role}.log")


@contextmanager
def _worker(place: Site, stage: str, lane: str) -> Iterator[Measured]:
    """A worker as operators run it; asked to end as they would."""
    words = ["--config", str(place.file), "run", stage, "--lane", lane]
    log = place.folder / f"{stage}-{lane}.log"
    with Measured([sys.executable, "-m", "hub", *words], log) as worker:
        try:
            yield worker
        finally:
            worker.process.terminate()


def _start(worker: Measured) -> None:
    """Wait until it has its partitions."""
    deadline = time.monotonic() + _PATIENCE_S
    while "took over" not in worker.log.read_text("utf-8", "replace"):
        if worker.process.poll() is not None or time.monotonic() > deadline:
            raise EnvironmentNotReadyError(
                f"a worker took over no partition:\n{worker.tail()}", where=worker.log.name
            )
        time.sleep(0.02)


def _wait(process: Measured, word: str) -> dict[str, Any]:
    """Wait until it says that word."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        for line in process.said(0.1):
            if line["say"] == word:
                return line
    raise EnvironmentNotReadyError(
        f"it never said {word!r}:\n{process.tail()}", where=process.log.name
    )


def _drain(reader: Measured, count: int) -> int:
    """Wait until the subscriber has that many records, or until nothing comes any more."""
    seen, deadline = 0, time.monotonic() + _DRAIN_S
    while seen < count and time.monotonic() < deadline:
        for line in reader.said(0.2):
            seen = line.get("records", seen)
    return seen


def _backlog(place: Site) -> int:
    """Plate reads that the bulk lane has not handled yet."""
    topic = schemas.nouns()["plate_read"].topic
    lags = Cluster(place.config.kafka).lags("hub.process.bulk")
    return sum(lag.records for lag in lags if lag.topic == topic)
