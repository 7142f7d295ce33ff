"""`hub bench process`: the process stage against copying bytes, on the same broker in one run."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from hub import register, routes, simulator, topics
from hub.bench.fill import SEED, fill
from hub.bench.worker import MODES, TOPIC
from hub.config import Config, load
from hub.errors import EnvironmentNotReadyError
from hub.kafka.admin import Cluster, TopicState
from hub.registry import Registry
from hub.schema_ids import SchemaIds
from hub.stack import Stack

__all__ = ["measure"]

_PARTITIONS = 3
_KEY = "benchmark: no secret, ids are random"
_NAMES = {
    "copy": "copy bytes (the limit)",
    "copy-transactions": "copy bytes in transactions",
    "process": "process, exactly once, state saved",
}


def measure(count: int, runs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure every mode `runs` times in turn; a row each, medians, with the ratio to the limit."""
    figures: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for run in range(runs):
        # A fresh broker for each round: every mode then finds the same log and empty state.
        with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, Stack() as stack:
            file, size = _prepare(Path(folder), stack, count)
            say(f"round {run + 1} of {runs}: {count:,} plate reads of {size} bytes")
            for mode in MODES:
                figures[mode].append(_worker(mode, file, count))
    return _rows(figures)


def _prepare(folder: Path, stack: Stack, count: int) -> tuple[Path, int]:
    """Topics, registers and the events; the configuration file and the mean size of an event."""
    file = folder / "hub.toml"
    values = {
        "data": str(folder / "data"),
        "registry_url": stack.registry_url,
        "kafka": {
            "bootstrap": stack.bootstrap,
            "replication_factor": 1,
            "min_insync_replicas": 1,
            "partitions": dict.fromkeys(("raw", "canonical", "subscriber"), _PARTITIONS),
        },
    }
    file.write_text(tomli_w.dumps(values), "utf-8")
    config: Config = load(file, {"HUB_ID_KEY": _KEY})
    registry = Registry(config.registry_url)
    topics.apply(config, registry)
    Cluster(config.kafka).create(
        {f"bench.{mode}.v1": TopicState(_PARTITIONS, 1, {}) for mode in MODES}
    )
    routes.publish(config, registry, routes.read_toml(routes.SHIPPED.read_text("utf-8")))
    register.publish(config, registry, register.read_csv(simulator.register_csv(SEED)))
    size = fill(config, SchemaIds(registry), TOPIC, count)
    registry.close()
    return file, size


def _worker(mode: str, file: Path, count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "hub.bench.worker", mode, str(file), str(count)],
        env={**os.environ, "HUB_ID_KEY": _KEY},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise EnvironmentNotReadyError(f"the measured worker failed:\n{done.stderr}", where=mode)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _rows(figures: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    limits = [run["events"] / run["seconds"] for run in figures["copy"]]
    rows = []
    for mode, runs in figures.items():
        rates = [run["events"] / run["seconds"] for run in runs]
        rows.append(
            {
                "mode": _NAMES[mode],
                "events_per_s": round(statistics.median(rates)),
                "cpu_us_per_event": round(
                    statistics.median(run["cpu_s"] / run["events"] * 1e6 for run in runs), 2
                ),
                "peak_mib": round(max(run["peak_mib"] for run in runs)),
                # Pairs of one round, so that a slow machine slows both sides.
                "ratio_to_limit": round(
                    statistics.median(
                        rate / limit for rate, limit in zip(rates, limits, strict=True)
                    ),
                    3,
                ),
            }
        )
    return rows
