"""Runs the hub for minutes while everything around it breaks, then looks at every record.

    make soak MINUTES=30 [SEED=n] [BROKERS=1|3] [REPORT=file]

One seed gives the same city and the same schedule of faults (their moments depend on the machine).
Ends with 1 on any violation, and keeps the cluster's data, the logs and the schedule.
"""

import argparse
import faulthandler
import json
import os
import platform
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import confluent_kafka
import psutil
from fault_rig import CITY, FaultRig
from history import Decoder, read
from oracle import Oracle
from soak_faults import Troublemaker

import hub
from hub import routes
from hub.ledger import balance
from hub.registry import Registry
from hub.schema_ids import SchemaIds
from hub.stack import Stack

ROOT = Path(__file__).parents[2]
LANES = ("bulk", "urgent")
DRAIN_S = 600.0
# Three brokers and eight workers need this to be more than a test of the machine's patience.
THREE_BROKERS = {"cores": 4, "memory": 6 * 2**30}


@dataclass
class Result:
    """What a run showed."""

    seed: int
    minutes: float
    brokers: int
    workers: int
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    payloads: int = 0
    restarts: int = 0
    lag_max: int = 0
    drained_s: float = 0.0
    takeovers_s: list[float] = field(default_factory=list)


class View:
    """What the engine's oracle asks of a rig."""

    def __init__(self, rig: FaultRig) -> None:
        self._rig = rig
        self.config, self.inputs = rig.config, rig.inputs
        self.registry = Registry(rig.config.registry_url)
        self.ids = SchemaIds(self.registry)
        self.rules = routes.read_toml(routes.SHIPPED.read_text("utf-8"))

    def read(self, names: Any) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {name: [] for name in names}
        for message in read(self._rig.stack.bootstrap, found):
            found[message.topic()].append(message)
        return found

    def dead_letters(self) -> list[dict[str, Any]]:
        decode = Decoder(self.config.registry_url)
        return [
            decode(message.value()) for message in self.read(["dead_letter.v1"])["dead_letter.v1"]
        ]


class Sampler:
    """Looks at the lag while the run goes on, in a thread of its own: brokers answer late then."""

    def __init__(self, rig: FaultRig) -> None:
        self.lag_max = 0
        self._rig = rig
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.wait(2.0):
            lags = [self._rig.behind(s, lane) for s in ("normalise", "process") for lane in LANES]
            self.lag_max = max(self.lag_max, sum(lags))


def soak(rig: FaultRig, result: Result, *, per_s: float, workers: int) -> Troublemaker:
    """Feed and disturb for the minutes asked for, let it drain, and look at everything."""
    trouble = Troublemaker(rig, random.Random(result.seed))
    rig.crew(workers)
    rig.feed(100)
    rig.until_drained()
    sampler = Sampler(rig)
    end = time.monotonic() + result.minutes * 60
    with rig.feeding(per_s):
        while time.monotonic() < end:
            trouble.tick()
            rig.supervisor.check()
            hopeless = [each for each in rig.supervisor.workers.values() if each.given_up]
            assert not hopeless, hopeless[0].tail(30)
            time.sleep(0.1)
    began = time.monotonic()
    trouble.heal_all()
    for broker in rig.stack.brokers:
        broker.launch()
    try:
        rig.until_drained(DRAIN_S)
    except AssertionError as error:
        result.violations.append(f"I11 not drained: {error}")
    result.drained_s = time.monotonic() - began
    sampler.stop()
    result.lag_max = sampler.lag_max
    result.payloads = rig.sent
    result.faults = trouble.done
    result.restarts = sum(each.starts - 1 for each in rig.supervisor.workers.values())
    result.takeovers_s = takeovers(trouble)
    look(rig, result)
    return trouble


def look(rig: FaultRig, result: Result) -> None:
    """Checker, ledger and oracle: three looks at the same history, with no code in common."""
    checker = rig.checker()
    result.violations += checker.run().lines()
    result.events = checker.events
    result.violations += [f"ledger: {each}" for each in balance(rig.config).problems]
    view = View(rig)
    try:
        Oracle(view).check()
    except AssertionError as error:
        result.violations.append(f"oracle: {error}")
    finally:
        view.registry.close()


def takeovers(trouble: Troublemaker) -> list[float]:
    """Seconds from each kill to the moment the worker had partitions again, from its log."""
    found = []
    for at, worker in trouble.killed:
        text = worker.log.read_text("utf-8", "replace")
        stamps = re.findall(r"^(\S+ \S+),(\d+) INFO hub\.engine .* took over", text, re.MULTILINE)
        times = [datetime.fromisoformat(day).timestamp() + int(ms) / 1000 for day, ms in stamps]
        after = [each - at for each in times if each > at]
        if after:
            found.append(after[0])
    return sorted(found)


def markdown(result: Result) -> str:
    """The report, as it is kept in `ops/`."""
    pins = json.loads((ROOT / "hub/stack/artifacts.json").read_text("utf-8"))
    kafka = next(each for each in pins["kafka"] if ":kafka_2.13:" in each).split(":")[2]
    memory = psutil.virtual_memory().total / 2**30
    times = result.takeovers_s or [0.0]
    events = "".join(
        f"| `{name}` | {count:,} |\n" for name, count in sorted(result.events.items()) if count
    )
    faults = "".join(f"| {name} | {count} |\n" for name, count in result.faults.most_common())
    found = "".join(f"- {each}\n" for each in result.violations) or "None.\n"
    return f"""\
# Soak run

Seed {result.seed}, {result.minutes:g} minutes, {result.brokers} broker(s), {result.workers} \
worker(s) for each stage and lane, {os.cpu_count()} cores, {memory:.0f} GiB of memory \
({platform.machine()}, {platform.system()}). hub {hub.__version__}, Apache Kafka {kafka}, \
confluent-kafka \
{confluent_kafka.version()} with librdkafka {confluent_kafka.libversion()[0]}, Python \
{platform.python_version()}.

**{sum(result.faults.values())} faults, {len(result.violations)} violations**, \
{result.payloads:,} payloads. Drained {result.drained_s:.0f} s after the last one. Largest lag \
{result.lag_max:,} records over both stages. Workers were started again {result.restarts} times; \
{len(result.takeovers_s)} took over after a kill within {statistics.median(times):.1f} s (median) \
and {times[-1]:.1f} s (longest).

| fault | times |
|---|---|
{faults}
| topic | records |
|---|---|
{events}
## Violations

{found}"""


def main() -> int:
    # A client library that crashes leaves at least its trace.
    faulthandler.enable()
    arguments = _arguments()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    brokers = arguments.brokers or _brokers()
    result = Result(seed, arguments.minutes, brokers, arguments.workers)
    folder = Path(tempfile.mkdtemp(prefix="hub-soak-"))
    print(f"seed {seed}, {brokers} broker(s), data in {folder}", flush=True)
    history: list[tuple[float, str]] = []
    with Stack(folder / "stack", brokers=brokers, proxied=True) as stack:
        rig = FaultRig(stack, folder / "rig", seed=seed, rates=CITY, lanes=LANES)
        try:
            trouble = soak(rig, result, per_s=arguments.per_second, workers=arguments.workers)
            history = trouble.history
        finally:
            rig.close()
    report = markdown(result)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(report, "utf-8")
    print(report)
    if result.violations:
        (folder / "faults.json").write_text(json.dumps(history), "utf-8")
        print(f"the history is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _brokers() -> int:
    """Three, where the machine has room for them."""
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().available
    return 3 if cores >= THREE_BROKERS["cores"] and memory >= THREE_BROKERS["memory"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--brokers", type=int, choices=(1, 3))
    parser.add_argument("--per-second", type=float, default=60, help="payloads a second")
    parser.add_argument("--workers", type=int, default=2, help="workers of each stage and lane")
    parser.add_argument("--report", type=Path, default=Path("data/soak.md"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
