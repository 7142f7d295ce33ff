"""Runs stages as processes on a real cluster, and holds what they wrote against an oracle.

The oracle is a pure function of the log: what the raw topics hold goes through the parsers, what
the canonical topics hold through the steps, in one go and in memory. Whatever was killed, stopped
or shared in between, the topics must hold the same records, each once and in their order.
"""

import hashlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from oracle import Oracle

import schemas
from hub import routes, simulator, topics
from hub.codec import RecordCodec
from hub.config import Config, load
from hub.envelope import raw_topic
from hub.kafka.watchdog import EXIT_CODE
from hub.ledger import balance
from hub.registry import Registry
from hub.schema_ids import SchemaIds
from hub.simulator import Plan, Rates, Shot
from hub.stack import Stack
from hub.supervisor import Worker

ROOT = Path(__file__).parents[2]
ID_KEY = "tests: no secret, but long enough"
# `make test-slow SEED=n` sends another city through the same hands.
SEED = int(os.environ.get("HUB_TEST_SEED", "20261122"))
# Everything that may go wrong on the way, but for pictures: they only make the records large. No
# violations: their lane is the urgent one.
RATES = Rates(
    plate_reads_per_s=30, heartbeats_per_s=5, detections_per_s=5, alarms_per_s=2, pictures=0,
    situations_per_s=0, alert_chains_per_s=0, retransmitted=0.2, second_reads=0.2, swapped=0.2,
    late=0.1, wrong_clocks=0.1, unknown_cameras=0.1, broken=0.02, violations=0,
)  # fmt: skip
PATIENCE_S = 120.0
STAGES = ("normalise", "process")
Raw = tuple[str, bytes, bytes, list[tuple[str, bytes]]]


@dataclass
class Rig:
    """One cluster with every topic, workers to start and kill, and the oracle."""

    stack: Stack
    folder: Path
    seed: int = SEED
    python_path: Path | None = None
    by_hand: bool = False
    rates: Rates = RATES
    config: Config = field(default_factory=Config)
    workers: list[Worker] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        print(f"seed {self.seed}")
        self.folder.mkdir(parents=True, exist_ok=True)
        values = {
            "data": str(self.folder / "data"),
            "registry_url": self.stack.registry_url,
            "kafka": {
                "bootstrap": self.stack.bootstrap,
                "replication_factor": 1,
                "min_insync_replicas": 1,
                "partitions": {"raw": 3, "canonical": 3, "subscriber": 3},
            },
            "stage": {"poll_records": 200},
            "source": simulator.sources(self.seed),
        }
        self.configure(values)
        self.registry = Registry(self.config.registry_url)
        self.rules = routes.read_toml(routes.SHIPPED.read_text("utf-8"))
        self._make_topics()
        self.ids = SchemaIds(self.registry)
        self._shots = self._bulk_shots()
        self._numbers = itertools.count()
        self._admin = AdminClient({"bootstrap.servers": self.stack.bootstrap})

    @property
    def config_file(self) -> Path:
        return self.folder / "hub.toml"

    def configure(self, values: Mapping[str, Any]) -> None:
        """Change tables of the configuration, for workers that start from now on."""
        self.values |= values
        self.config_file.write_text(tomli_w.dumps(self.values), "utf-8")
        self.config = load(self.config_file, {"HUB_ID_KEY": ID_KEY})

    def close(self) -> None:
        self.stop_workers()
        self.registry.close()

    def reset(self) -> None:
        """Delete every topic of the hub, and with them the groups' offsets, and make them anew."""
        mine = {each.name for each in topics.declared(self.config)}
        deleting = self._admin.delete_topics(sorted(mine & set(self._topics())))
        for future in deleting.values():
            future.result(30)
        self.until(lambda: not mine & set(self._topics()), "the topics are gone")
        self.by_hand = False
        self._make_topics()

    def _topics(self) -> Iterable[str]:
        found: Iterable[str] = self._admin.list_topics(timeout=30).topics
        return found

    def _make_topics(self) -> None:
        topics.apply(self.config, self.registry)
        routes.publish(self.config, self.registry, self.rules)

    def limit(self, topic: str, batch_bytes: int | None) -> None:
        """Let a topic refuse larger batches; None takes the limit away."""
        operation = AlterConfigOpType.DELETE if batch_bytes is None else AlterConfigOpType.SET
        entry = ConfigEntry("max.message.bytes", str(batch_bytes), incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self._admin.incremental_alter_configs([resource])[resource].result(30)

    # Workers

    def worker(
        self,
        stage: str,
        lane: str = "bulk",
        *,
        slot: str = "one",
        failpoint: str = "",
        mutant: str = "",
    ) -> Worker:
        """Start a stage in one lane; it dies at the failpoint, `name:passage`.

        `mutant` names a fault of `tests/mutants` that is seeded into it.
        """
        environment = {**os.environ, "HUB_ID_KEY": ID_KEY, "HUB_SLOT": slot}
        environment |= {"HUB_FAILPOINT": failpoint} if failpoint else {}
        if self.python_path is not None:
            environment |= {"PYTHONPATH": str(self.python_path), "PYTHONSAFEPATH": "1"}
        if mutant:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
        name = f"{stage}-{lane}-{slot}-{next(self._numbers)}"
        module = ["mutants", mutant] if mutant else ["hub"]
        words = [sys.executable, "-m", *module, "--config", str(self.config_file)]
        log = self.folder / f"{name}.log"
        command = [*words, "run", stage, "--lane", lane]
        worker = Worker(name, command, log, environment)
        worker.start()
        self.workers.append(worker)
        return worker

    def stages(self) -> list[Worker]:
        """Both stages of the bulk lane."""
        return [self.worker(stage) for stage in STAGES]

    def stop_workers(self) -> None:
        """Ask every worker to end, as an operator would; none may have died."""
        running = [worker for worker in self.workers if worker.pid is not None]
        for worker in running:
            worker.process.send_signal(signal.SIGTERM)
        self.workers.clear()
        for worker in running:
            try:
                code = worker.process.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                raise AssertionError(f"{worker.name} did not end:\n{worker.tail(30)}") from None
            assert code == 0, f"{worker.name} ended with {code}:\n{worker.tail(30)}"

    def died(self, worker: Worker) -> bool:
        """Whether a worker has died of SIGKILL; any other end is a failure."""
        code = worker.process.poll()
        assert code in (None, -signal.SIGKILL), f"{worker.name}: {code}\n{worker.tail(30)}"
        return code is not None

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait, and show the workers' logs when it takes for ever."""
        deadline = time.monotonic() + seconds
        while not condition():
            for worker in self.workers:
                # It ended itself, as its client hung: what a supervisor does then.
                if worker.process is not None and worker.process.poll() == EXIT_CODE:
                    print(f"{worker.name} hung:\n{worker.tail()}")
                    worker.start()
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {each.name}\n{each.tail(25)}" for each in self.workers)
                raise AssertionError(f"not after {seconds:.0f} s: {what}\n{logs}")
            time.sleep(0.1)

    def until_drained(self, lanes: Sequence[str] = ("bulk",)) -> None:
        """Wait until both stages have committed everything that is there."""
        self.until_handled([(stage, lane) for stage in STAGES for lane in lanes])

    def until_handled(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Wait until these stages, each in a lane, have committed everything that is there."""
        stages = list(wanted)
        self.until(
            lambda: not any(self._behind(*each) for each in stages),
            f"{stages} have handled everything",
        )

    def _behind(self, stage: str, lane: str) -> int:
        """Records and markers in front of a stage, also where it never committed."""
        try:
            inputs = self.inputs(stage, lane)
            places = [TopicPartition(name, number) for name in inputs for number in range(3)]
            group = f"hub.{stage}.{lane}"
            asked = [ConsumerGroupTopicPartitions(group, places)]
            answer = self._admin.list_consumer_group_offsets(asked)[group].result(30)
            ends = self._admin.list_offsets(
                {place: OffsetSpec.latest() for place in places},
                isolation_level=IsolationLevel.READ_UNCOMMITTED,
            )
            until = {(at.topic, at.partition): each.result(30).offset for at, each in ends.items()}
        except KafkaException:
            return 1
        return sum(
            until[each.topic, each.partition] - max(0, each.offset)
            for each in answer.topic_partitions
        )

    def inputs(self, stage: str, lane: str) -> list[str]:
        if stage == "process":
            return [noun.topic for noun in schemas.nouns().values() if noun.lane == lane]
        return [raw_topic(name, lane) for name in ("cap", "datex2", "hikvision_isapi", "spat")]

    # Input

    def feed(self, count: int) -> list[Raw]:
        """Write the next payloads of the simulated city to their raw topics."""
        return self.write([self._raw(shot) for shot in itertools.islice(self._shots, count)])

    def write(self, records: Iterable[Raw]) -> list[Raw]:
        """Write records and wait for them."""
        client = Producer(
            {
                "bootstrap.servers": self.stack.bootstrap,
                "acks": "all",
                # As the hub chooses: a key stays in its partition, whoever writes it.
                "partitioner": "murmur2_random",
            }
        )
        written = list(records)
        canonical = {noun.topic for noun in schemas.nouns().values()}
        self.by_hand |= any(topic in canonical for topic, *_ in written)
        for topic, key, value, headers in written:
            client.produce(topic, value, key, headers=headers)
        assert client.flush(60) == 0
        return written

    def _bulk_shots(self) -> Iterator[Shot]:
        start = datetime.now(UTC) - timedelta(hours=2)
        plan = Plan(
            seed=self.seed, seconds=7200, start=start, rates=self.rates, cameras=60, junctions=20
        )
        yield from plan

    def _raw(self, shot: Shot) -> Raw:
        number = next(self._numbers)
        headers = {
            "source_id": shot.source_id,
            "payload_id": f"payload-{number}",
            "received_at": datetime.now(UTC).isoformat(),
            "content_type": shot.content_type,
            "sha256": hashlib.sha256(shot.body).hexdigest(),
            "transport": "http_push",
        }
        topic = raw_topic(self.config.source[shot.source_id].connector, shot.lane)
        pairs = [(name, text.encode()) for name, text in headers.items()]
        return topic, f"{shot.source_id}/{number % 7}".encode(), shot.body, pairs

    # Output

    def read(self, names: Iterable[str]) -> dict[str, list[Any]]:
        """Every committed record of the topics, each partition in its order."""
        names = list(names)
        client = Consumer(
            {
                "bootstrap.servers": self.stack.bootstrap,
                "group.id": "tests.reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        found: dict[str, list[Any]] = {name: [] for name in names}
        try:
            listed = client.list_topics(timeout=30).topics
            places = {(name, number) for name in names for number in listed[name].partitions}
            client.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
            deadline = time.monotonic() + PATIENCE_S
            while places:
                assert time.monotonic() < deadline, f"no end of {sorted(places)[:5]}"
                for message in client.consume(2000, 0.2):
                    error = message.error()
                    if error is None:
                        found[message.topic()].append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        places.discard((message.topic(), message.partition()))
                    else:
                        raise KafkaException(error)
        finally:
            client.close()
        return found

    def left_open(self) -> list[str]:
        """Partitions whose last stable offset is not their end: a transaction is open there."""
        places = [
            TopicPartition(name, number)
            for name, found in self._admin.list_topics(timeout=30).topics.items()
            for number in found.partitions
            if not name.startswith("__")
        ]
        committed, written = (
            self._admin.list_offsets(
                {place: OffsetSpec.latest() for place in places}, isolation_level=level
            )
            for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
        )
        return [
            f"{place.topic}/{place.partition}"
            for place in places
            if committed[place].result(30).offset != written[place].result(30).offset
        ]

    def dead_letters(self) -> list[dict[str, Any]]:
        codec = RecordCodec(schemas.built("dead_letter.v1"), 0)
        name = "dead_letter.v1"
        return [codec.decode(message.value()) for message in self.read([name])[name]]

    def check(self, *, oracle: bool = True, books: bool = True) -> None:
        """The topics hold what the oracle says, each record once; the books balance."""
        if oracle:
            Oracle(self).check()
        if books:
            self._check_books()

    def _check_books(self) -> None:
        # Hand-made canonical records are more than normalise can have written.
        problems = [
            each
            for each in balance(self.config).problems
            if not (self.by_hand and "normalise wrote" in each)
        ]
        assert not problems, "\n".join(problems[:20])
