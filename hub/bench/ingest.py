"""`hub bench ingest`: payloads taken over HTTP, beside an app that keeps nothing."""

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w

from hub.bench.peering import Peer
from hub.bench.pushing import KEY, SOURCE
from hub.bench.running import Measured
from hub.bench.site import Site, site
from hub.config import load
from hub.errors import EnvironmentNotReadyError, InvariantError
from hub.kafka.reading import read_all

__all__ = ["measure"]

_CONNECTOR = "hikvision_isapi"
_READY_S, _DRAINED_S = 60.0, 120.0
_ROW = "ingest, durable before it answers"


def measure(
    count: int, runs: int, connections: int, limit: Peer | None, *, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Push `count` payloads to each server in turn, `runs` times; medians, ratios within a round.

    Every payload that was taken must be on its raw topic, once. CPU is the server's. Without a
    `limit` there is nothing to compare with.
    """
    rounds: dict[str, list[dict[str, float]]] = {}
    with site() as place:
        file = _configured(place)
        for number in range(runs):
            say(f"round {number + 1} of {runs}: {count:,} payloads, {connections} connections")
            alone = None
            if limit is not None:
                words = [*limit.program]
                alone = _one(words, place.folder / "limit.log", count, connections)
                rounds.setdefault(limit.name, []).append({**alone, "ratio": 1.0})
                say(f"  {limit.name}: {alone['rate']:,.0f}/s")
            words = [sys.executable, "-m", "hub.bench.taking", str(file)]
            mine = _one(
                words,
                place.folder / "ingest.log",
                count,
                connections,
                settled=partial(_drained, place, (number + 1) * count),
            )
            mine["ratio"] = mine["rate"] / alone["rate"] if alone else float("nan")
            rounds.setdefault(_ROW, []).append(mine)
            say(f"  ingest: {mine['rate']:,.0f}/s")
    return [_row(mode, each) for mode, each in rounds.items()]


def _row(mode: str, rounds: list[dict[str, float]]) -> dict[str, Any]:
    def median(name: str, places: int) -> float:
        return round(statistics.median(each[name] for each in rounds), places)

    return {
        "mode": mode,
        "payloads_per_s": round(median("rate", 0)),
        "cpu_us_per_payload": median("cpu_us", 1),
        "p50_ms": median("p50_ms", 2),
        "p99_ms": median("p99_ms", 2),
        "ratio_to_limit": median("ratio", 3),
    }


def _configured(place: Site) -> Path:
    """A site's file with one push source that may send as fast as it can."""
    file = place.folder / "ingest.toml"
    source = {
        "connector": _CONNECTOR,
        "auth": {"bearer_sha256": [hashlib.sha256(KEY.encode()).hexdigest()]},
        "limits": {"per_second": 1e6, "burst": 1_000_000},
    }
    values = {
        "data": str(place.folder / "ingest"),
        "registry_url": place.config.registry_url,
        "kafka": {
            "bootstrap": place.config.kafka.bootstrap,
            "replication_factor": 1,
            "min_insync_replicas": 1,
        },
        "ingest": {"port": 0},
        "source": {SOURCE: source},
    }
    file.write_text(tomli_w.dumps(values), "utf-8")
    load(file)
    return file


def _one(
    words: list[str],
    log: Path,
    count: int,
    connections: int,
    settled: Callable[[], None] | None = None,
) -> dict[str, float]:
    """One server under load; `settled` waits until what it took is where it belongs."""
    with Measured(words, log) as server:
        port = _port(server)
        before = server.cpu_s()
        told = _pushed(port, count, connections)
        spent = server.cpu_s() - before
        if told["refused"]:
            raise InvariantError(f"{told['refused']:,} payloads were refused", where=str(log))
        if settled:
            settled()
    return {
        "rate": told["payloads"] / told["seconds"],
        "cpu_us": spent / count * 1e6,
        "p50_ms": told["p50_ms"],
        "p99_ms": told["p99_ms"],
    }


def _port(server: Measured) -> int:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        for line in server.said(0.1):
            if line["say"] == "ready":
                return int(line["port"])
    raise EnvironmentNotReadyError(f"a server did not start:\n{server.tail()}", where="bench")


def _pushed(port: int, count: int, connections: int) -> Mapping[str, Any]:
    words = [sys.executable, "-m", "hub.bench.pushing", str(port), str(count), str(connections)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise EnvironmentNotReadyError(f"the sender failed:\n{done.stderr[-2000:]}", where="bench")
    told: Mapping[str, Any] = json.loads(done.stdout)
    return told


def _drained(place: Site, total: int) -> None:
    """Wait until the raw topic holds so many payloads; `InvariantError` when it holds others."""
    deadline, found = time.monotonic() + _DRAINED_S, -1
    while found < total and time.monotonic() < deadline:
        found = sum(1 for _ in read_all(place.config.kafka, f"raw.{_CONNECTOR}.v1"))
    if found != total:
        raise InvariantError(
            f"{found:,} payloads of {total:,} that were taken", where=f"raw.{_CONNECTOR}.v1"
        )
