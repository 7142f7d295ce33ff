"""A cluster with a proxy in front, workers that are started again, a city that sends, a checker.

Workers reach the brokers through the proxy; whoever writes the input or looks at the result does
not. One rig serves many tests: its history only grows, and each test looks at all of it.
"""

import itertools
import logging
import os
import random
import signal
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import tomli_w
from checker import Checker, live_topics
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from history import LiveReader
from proxy import Proxy, routes_of
from registry_front import RegistryFront

import schemas
from hub import routes, simulator, topics
from hub.config import Config, load
from hub.envelope import raw_topic
from hub.ledger import balance
from hub.registry import Registry
from hub.simulator import Plan, Rates, Shot
from hub.simulator.truth import Refusal
from hub.stack import Stack
from hub.supervisor import Supervisor, Worker

_log = logging.getLogger(__name__)

__all__ = ["BULK", "CITY", "ID_KEY", "FaultRig"]

ID_KEY = "tests: no secret, but long enough"
PATIENCE_S = 60.0
STAGES = ("normalise", "process")
POISONED = "hik-police-centre"
# All that may go wrong on the way to the hub, but for pictures: they only make the records large.
BULK = Rates(
    plate_reads_per_s=30, heartbeats_per_s=5, detections_per_s=5, alarms_per_s=2, pictures=0,
    situations_per_s=0, alert_chains_per_s=0, retransmitted=0.2, swapped=0.2, late=0.1,
    wrong_clocks=0.1, unknown_cameras=0.1, broken=0.01, violations=0,
)  # fmt: skip
CITY = replace(BULK, situations_per_s=2, alert_chains_per_s=1, violations=0.01)
PLAN_S = 7200


class FaultRig:
    """Brokers behind a proxy, topics, a crew of workers and a note of all that was sent."""

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        seed: int,
        rates: Rates = BULK,
        lanes: Sequence[str] = ("bulk",),
        stage: Mapping[str, Any] | None = None,
    ) -> None:
        self.stack, self.folder, self.seed, self.lanes = stack, folder, seed, lanes
        self.shots, self.known = list[Shot](), set[str]()
        self.chance = random.Random(seed)
        print(f"seed {seed}")
        folder.mkdir(parents=True, exist_ok=True)
        self.proxy = Proxy(routes_of(broker.behind for broker in stack.brokers if broker.behind))
        self.proxy.__enter__()
        self.front = RegistryFront(stack.registry_url)
        self._write_config(stage or {})
        self._make_topics()
        self.supervisor = Supervisor(folder / "logs", self.config_file, self._environment())
        start = datetime.now(UTC) - timedelta(seconds=PLAN_S)
        self._shots = iter(
            Plan(seed=seed, seconds=PLAN_S, start=start, rates=rates, cameras=60, junctions=20)
        )
        # Members of no group: they only ask where each group stands.
        self._observers: dict[str, Consumer] = {}
        self._in_doubt: set[str] = set()
        self._producer = Producer(
            {
                "bootstrap.servers": stack.bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
            }
        )
        self._unwritten: list[str] = []
        self._lone: list[Worker] = []
        self._recent: deque[Shot] = deque(maxlen=1000)
        self._guard = threading.RLock()
        self._asking = threading.Lock()
        self.live = LiveReader(stack.bootstrap, live_topics())

    @property
    def sent(self) -> int:
        """How many payloads were written."""
        return len(self.shots)

    @property
    def config_file(self) -> Path:
        return self.folder / "hub.toml"

    def close(self) -> None:
        self.supervisor.stop()
        for worker in self._lone:
            worker.kill()
        self.live.stop()
        for client in self._observers.values():
            client.close()
        self.front.close()
        self.proxy.__exit__()

    # Workers

    def crew(self, slots: Mapping[str, int] | int = 1) -> None:
        """Start workers of every stage and lane, so many of each; what dies is started again."""
        for stage, lane in itertools.product(STAGES, self.lanes):
            count = slots if isinstance(slots, int) else slots.get(stage, 1)
            for number in range(1, count + 1):
                self.hire(stage, lane, slot=f"slot{number}")
        self.supervisor.check()

    def hire(self, stage: str, lane: str = "bulk", *, slot: str, **environment: str) -> Worker:
        """Start one worker that is started again when it dies."""
        name = f"{stage}-{lane}-{slot}"
        words = ["run", stage, "--lane", lane]
        worker = self.supervisor.add(name, words, {"HUB_SLOT": slot, **environment})
        worker.start()
        return worker

    def lone(self, stage: str, lane: str = "bulk", *, slot: str, **environment: str) -> Worker:
        """Start one worker that nobody looks after: the test says what becomes of it."""
        name = f"{stage}-{lane}-{slot}-{len(list((self.folder / 'logs').glob('*')))}"
        words = ["--config", str(self.config_file), "run", stage, "--lane", lane]
        merged = {**os.environ, **self._environment(), "HUB_SLOT": slot, **environment}
        worker = Worker(
            name,
            [sys.executable, "-m", "hub", *words],
            self.folder / "logs" / f"{name}.log",
            merged,
        )
        worker.start()
        self._lone.append(worker)
        return worker

    def dismiss(self, name: str) -> int:
        """End one of the crew in order; its exit code."""
        worker = self.supervisor.workers.pop(name)
        assert worker.process is not None
        worker.process.send_signal(signal.SIGTERM)
        return worker.process.wait(PATIENCE_S)

    def stop_crew(self) -> None:
        """End the crew in order."""
        self.supervisor.stop()
        self.supervisor.workers.clear()

    def workers(self, stage: str = "") -> list[Worker]:
        """The crew, or those of one stage, that run now."""
        crew = self.supervisor.workers.items()
        return [each for name, each in crew if name.startswith(stage) and each.pid is not None]

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait, with an eye on the crew, and show the logs when it takes for ever."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.supervisor.check()
            if time.monotonic() > deadline:
                logs = (f"--- {name}\n{w.tail(15)}" for name, w in self.supervisor.workers.items())
                raise AssertionError(f"not after {seconds:.0f} s: {what}\n" + "\n".join(logs))
            time.sleep(0.1)

    def until_drained(self, seconds: float = PATIENCE_S) -> None:
        """Wait until both stages have committed everything that is there."""
        self.flush()
        wanted = list(itertools.product(STAGES, self.lanes))
        self.until(
            lambda: not any(self.behind(*each) for each in wanted),
            "the stages have handled everything",
            seconds,
        )

    def behind(self, stage: str, lane: str = "bulk") -> int:
        """Records and markers in front of a stage; 1 while nobody can say."""
        places = [TopicPartition(name, n) for name in self.inputs(stage, lane) for n in range(3)]
        group = f"hub.{stage}.{lane}"
        # One question at a time: a sampler and a test ask the same client.
        with self._asking:
            return self._ask_behind(group, places)

    def _ask_behind(self, group: str, places: list[TopicPartition]) -> int:
        # Not an admin client: librdkafka's crashes the process when brokers go while it asks.
        if group not in self._observers:
            self._observers[group] = Consumer(
                {
                    "bootstrap.servers": self.stack.bootstrap,
                    "group.id": group,
                    "isolation.level": "read_uncommitted",
                    "enable.auto.commit": False,
                }
            )
        client, behind = self._observers[group], 0
        try:
            if group in self._in_doubt:
                # A client that was told of no leader while brokers went believes that for minutes.
                client.list_topics(timeout=10)
                self._in_doubt.discard(group)
            for place in client.committed(places, timeout=10):
                if place.error is not None:
                    return self._nobody_says(group, place.error)
                _, end = client.get_watermark_offsets(place, timeout=10)
                # A partition that was never written to has no offset.
                behind += end - max(0, place.offset)
        except KafkaException as error:
            return self._nobody_says(group, error)
        return behind

    def _nobody_says(self, group: str, why: object) -> int:
        _log.warning("nobody can say how far %s is: %s", group, why)
        self._in_doubt.add(group)
        return 1

    def inputs(self, stage: str, lane: str) -> list[str]:
        if stage == "process":
            return [noun.topic for noun in schemas.nouns().values() if noun.lane == lane]
        return [raw_topic(name, lane) for name in self.config.connectors()]

    # Input

    def feed(self, count: int) -> list[Shot]:
        """Write the next payloads of the simulated city to their raw topics."""
        shots = list(itertools.islice(self._shots, count))
        assert len(shots) == count, f"the city has nothing more to say after {self.sent} payloads"
        for shot in shots:
            self.write(shot)
        with self._guard:
            self._recent.extend(shots)
        return shots

    def repeat(self, count: int) -> int:
        """Write some of the last payloads again, as a sender without an answer does; how many."""
        with self._guard:
            again = self.chance.sample(list(self._recent), min(count, len(self._recent)))
        for shot in again:
            self.write(shot.again(shot.at_s))
        return len(again)

    def write(self, shot: Shot) -> None:
        """Write one payload, and note what must come of it; in the order of the calls."""
        # No register is published here: where a device stands is nobody's question.
        shot = replace(shot, facts=tuple(replace(fact, device_id=None) for fact in shot.facts))
        table = self.config.source[shot.source_id]
        headers = {
            "source_id": shot.source_id,
            "payload_id": f"payload-{self.sent}",
            "received_at": datetime.now(UTC).isoformat(),
            "content_type": shot.content_type,
            "sha256": sha256(shot.body).hexdigest(),
            "transport": "http_push",
        }
        with self._guard:
            self.shots.append(shot)
            self._producer.produce(
                raw_topic(table.connector, "urgent" if self._urgent(shot) else "bulk"),
                shot.body,
                f"{shot.source_id}/{zlib.crc32(shot.lane.encode()) % 8}",
                headers=list(headers.items()),
                on_delivery=self._written,
            )
            self._producer.poll(0)

    def poison(self, count: int) -> None:
        """Write payloads that no parser takes; each must become a dead letter."""
        for _ in range(count):
            noise = self.chance.randbytes(self.chance.randint(1, 200))
            self.write(
                Shot(
                    at_s=0,
                    source_id=POISONED,
                    lane="poison",
                    content_type="application/xml",
                    body=b"<EventNotificationAlert>" + noise,
                    kind="poison",
                    refusal=Refusal(),
                )
            )

    def flush(self) -> None:
        """Wait until every payload written is there."""
        assert self._producer.flush(60) == 0
        assert not self._unwritten, self._unwritten[:3]

    @contextmanager
    def feeding(self, per_s: float = 100.0) -> Iterator[None]:
        """Write payloads at a steady rate, in a thread of its own, while the block runs."""
        stop = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                while not stop.wait(0.05):
                    self.feed(max(1, round(per_s / 20)))
            except BaseException as error:  # noqa: BLE001 - raised by whoever waits
                failed.append(error)

        thread = threading.Thread(target=run, name="feed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failed:
            raise failed[0]

    # Looking

    def checker(self) -> Checker:
        raw = [name for lane in ("bulk", "urgent") for name in self.inputs("normalise", lane)]
        live = getattr(self, "live", None)
        return Checker(self.stack.bootstrap, self.stack.registry_url, raw, self.shots, live)

    def violations(self) -> list[str]:
        """What the checker and the ledger find wrong with all that ever was in this cluster."""
        self.until_drained()
        told = self.checker().run().lines() + balance(self.config).problems
        fresh = [line for line in told if line not in self.known]
        self.known |= set(fresh)
        return fresh

    def check(self) -> None:
        """Nothing that happened since the last check left a trace in the topics."""
        found = self.violations()
        assert not found, f"seed {self.seed}:\n" + "\n".join(found[:30])

    def _urgent(self, shot: Shot) -> bool:
        # As the connector's own lane says, where the source's entry says nothing.
        return self.config.source[shot.source_id].lane == "urgent"

    def _written(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._unwritten.append(str(error))

    def _environment(self) -> dict[str, str]:
        return {
            "HUB_ID_KEY": ID_KEY,
            "HUB_KAFKA_BOOTSTRAP": self.proxy.bootstrap,
            "HUB_REGISTRY_URL": self.front.url,
        }

    def _write_config(self, stage: Mapping[str, Any]) -> None:
        copies = min(3, len(self.stack.brokers))
        values = {
            "data": str(self.folder / "data"),
            "registry_url": self.stack.registry_url,
            "kafka": {
                "bootstrap": self.stack.bootstrap,
                "replication_factor": copies,
                "min_insync_replicas": max(1, copies - 1),
                "partitions": {"raw": 3, "canonical": 3, "subscriber": 3},
            },
            "stage": {"poll_records": 200, **stage},
            # What these runs tell of poison is that its neighbours flow; a pause has its own tests.
            "source": {
                name: {**entry, "breaker": {"share": 1}}
                for name, entry in simulator.sources(self.seed).items()
            },
        }
        self.config_file.write_text(tomli_w.dumps(values), "utf-8")
        self.config: Config = load(self.config_file, {"HUB_ID_KEY": ID_KEY})

    def _make_topics(self) -> None:
        registry = Registry(self.config.registry_url)
        try:
            topics.apply(self.config, registry)
            rules = routes.read_toml(routes.SHIPPED.read_text("utf-8"))
            routes.publish(self.config, registry, rules)
        finally:
            registry.close()
