# more than 400 lines: the rig and its oracle, read together
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
from collections import Counter, defaultdict
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
from confluent_kafka.admin import AdminClient, OffsetSpec

import schemas
from hub import routes, simulator, topics
from hub.codec import EventCodec, RecordCodec, micros, read_long
from hub.config import Config, load
from hub.connector import Payload, Rejection
from hub.discovery import connector
from hub.envelope import Canonical, Envelope, RawRef, raw_topic
from hub.ledger import balance
from hub.registry import Registry
from hub.schema_ids import SchemaIds, Versions
from hub.simulator import Plan, Rates, Shot
from hub.stack import Stack
from hub.supervisor import Worker
from streams.place import DeviceRegister
from streams.process import Process
from streams.route import RuleBook

ID_KEY = "tests: no secret, but long enough"
SEED = 20_261_122
# Everything that may go wrong on the way, but for pictures: they only make the records large.
RATES = Rates(
    plate_reads_per_s=30, heartbeats_per_s=5, detections_per_s=5, alarms_per_s=2, pictures=0,
    situations_per_s=0, alert_chains_per_s=0, retransmitted=0.2, swapped=0.2, late=0.1,
    wrong_clocks=0.1, unknown_cameras=0.1, broken=0.02,
)  # fmt: skip
PATIENCE_S = 120.0
STAGES = ("normalise", "process")
# On records that no stage wrote: the oracle does not ask where they come from.
BY_HAND = ("by hand", b"1")
Raw = tuple[str, bytes, bytes, list[tuple[str, bytes]]]


@dataclass
class Rig:
    """One cluster with every topic, workers to start and kill, and the oracle."""

    stack: Stack
    folder: Path
    seed: int = SEED
    python_path: Path | None = None
    by_hand: bool = False
    config: Config = field(default_factory=Config)
    workers: list[Worker] = field(default_factory=list)

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
        self.config_file.write_text(tomli_w.dumps(values), "utf-8")
        self.config = load(self.config_file, {"HUB_ID_KEY": ID_KEY})
        self.registry = Registry(self.config.registry_url)
        topics.apply(self.config, self.registry)
        self.rules = routes.read_toml(routes.SHIPPED.read_text("utf-8"))
        routes.publish(self.config, self.registry, self.rules)
        self.ids = SchemaIds(self.registry)
        self._shots = self._bulk_shots()
        self._numbers = itertools.count()
        self._envelopes: dict[str, Envelope] = {}
        self._admin = AdminClient({"bootstrap.servers": self.stack.bootstrap})

    @property
    def config_file(self) -> Path:
        return self.folder / "hub.toml"

    def close(self) -> None:
        self.stop_workers()
        self.registry.close()

    # Workers

    def worker(
        self, stage: str, lane: str = "bulk", *, slot: str = "one", failpoint: str = ""
    ) -> Worker:
        """Start a stage in one lane; it dies at the failpoint, `name:passage`."""
        environment = {**os.environ, "HUB_ID_KEY": ID_KEY, "HUB_SLOT": slot}
        environment |= {"HUB_FAILPOINT": failpoint} if failpoint else {}
        if self.python_path is not None:
            environment |= {"PYTHONPATH": str(self.python_path), "PYTHONSAFEPATH": "1"}
        name = f"{stage}-{lane}-{slot}-{next(self._numbers)}"
        words = [sys.executable, "-m", "hub", "--config", str(self.config_file)]
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
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {each.name}\n{each.tail(25)}" for each in self.workers)
                raise AssertionError(f"not after {seconds:.0f} s: {what}\n{logs}")
            time.sleep(0.1)

    def until_drained(self, lanes: Sequence[str] = ("bulk",)) -> None:
        """Wait until both stages have committed everything that is there."""
        wanted = [(stage, lane) for stage in STAGES for lane in lanes]
        self.until(
            lambda: not any(self._behind(*each) for each in wanted),
            "the stages have handled everything",
        )

    def _behind(self, stage: str, lane: str) -> int:
        """Records and markers in front of a stage, also where it never committed."""
        try:
            inputs = self._inputs(stage, lane)
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

    def _inputs(self, stage: str, lane: str) -> list[str]:
        if stage == "process":
            return [noun.topic for noun in schemas.nouns().values() if noun.lane == lane]
        return [raw_topic(name, lane) for name in ("cap", "datex2", "hikvision_isapi", "spat")]

    # Input

    def feed(self, count: int) -> list[Raw]:
        """Write the next payloads of the simulated city to their raw topics."""
        return self.write([self._raw(shot) for shot in itertools.islice(self._shots, count)])

    def write(self, records: Iterable[Raw]) -> list[Raw]:
        """Write records and wait for them."""
        client = Producer({"bootstrap.servers": self.stack.bootstrap, "acks": "all"})
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
            seed=self.seed, seconds=7200, start=start, rates=RATES, cameras=60, junctions=20
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

    def dead_letters(self) -> list[dict[str, Any]]:
        codec = RecordCodec(schemas.built("dead_letter.v1"), 0)
        name = "dead_letter.v1"
        return [codec.decode(message.value()) for message in self.read([name])[name]]

    def check(self, *, oracle: bool = True, books: bool = True) -> None:
        """The topics hold what the oracle says, each record once; the books balance."""
        if oracle:
            self._check_oracle()
        if books:
            self._check_books()

    def _check_oracle(self) -> None:
        by_hand = {"name": BY_HAND[0], "value": BY_HAND[1]}
        letters = Counter(
            (each["stage"], each["topic"], each["partition"], each["offset"])
            for each in self.dead_letters()
            if each["stage"] == "process" or by_hand not in each["record_headers"]
        )
        refused = self._check_normalise() + self._check_process()
        assert letters == refused, f"dead letters: {letters - refused}, missing {refused - letters}"

    def _check_books(self) -> None:
        # Hand-made canonical records are more than normalise can have written.
        problems = [
            each
            for each in balance(self.config).problems
            if not (self.by_hand and "normalise wrote" in each)
        ]
        assert not problems, "\n".join(problems[:20])

    def _check_normalise(self) -> Counter[Any]:
        """Canonical records are what the parsers find in the raw ones."""
        names = [name for lane in ("bulk", "urgent") for name in self._inputs("normalise", lane)]
        expected: Counter[Any] = Counter()
        refused: Counter[Any] = Counter()
        for name, messages in self.read(names).items():
            for message in messages:
                if BY_HAND in (message.headers() or ()):
                    continue
                place = ("normalise", name, message.partition(), message.offset())
                for result in self._parse(message):
                    if isinstance(result, Canonical):
                        expected[result.topic, result.key, result.value] += 1
                    elif isinstance(result, Rejection):
                        refused[place] += 1
        canonical = [noun.topic for noun in schemas.nouns().values()]
        found = Counter(
            (name, message.key(), message.value())
            for name, messages in self.read(canonical).items()
            for message in messages
            if BY_HAND not in (message.headers() or ())
        )
        lost, added = expected - found, found - expected
        assert not lost, f"normalise lost {len(lost)} of {len(expected)}: {_short(lost)}"
        assert not added, f"normalise wrote {len(added)} too many: {_short(added)}"
        return refused

    def _parse(self, message: Any) -> Iterable[Any]:
        headers = {name: value or b"" for name, value in message.headers() or ()}
        source = headers.get("source_id", b"").decode()
        payload = Payload(
            body=message.value() or b"",
            content_type=headers["content_type"].decode(),
            received_at=datetime.fromisoformat(headers["received_at"].decode()),
            source_id=source,
            payload_id=headers["payload_id"].decode(),
            transport=headers["transport"].decode(),
        )
        sha256 = bytes.fromhex(headers["sha256"].decode())
        place = RawRef(sha256, message.topic(), message.partition(), message.offset())
        return self._envelope(source).results(payload, place)

    def _envelope(self, source: str) -> Envelope:
        if source not in self._envelopes:
            table = self.config.source[source]
            kind = connector(table.connector)
            codecs = {
                noun.name: EventCodec(schemas.built(noun.topic), self.ids.current(noun.topic))
                for noun in schemas.nouns().values()
            }
            options = kind.options(**table.connector_options())
            self._envelopes[source] = Envelope(
                kind, options, source, key=ID_KEY.encode(), codecs=codecs
            )
        return self._envelopes[source]

    def _check_process(self) -> Counter[Any]:
        """Subscribers' records are what the steps make of the canonical ones, key by key."""
        expected: dict[Any, list[bytes]] = defaultdict(list)
        refused: Counter[Any] = Counter()
        versions = Versions(self.registry)
        canonical = {noun.topic: noun for noun in schemas.nouns().values()}
        for name, messages in self.read(canonical).items():
            steps = Process(
                lane=canonical[name].lane,
                slot="oracle",
                register=DeviceRegister(),
                rules=rule_book(self.rules),
                frames=versions.frames,
                recode=versions.recode,
                reader=versions.reader,
            )

            def emit(topic: str, value: bytes, key: bytes, steps: Process = steps) -> None:
                # Everything but who wrote it and when.
                expected[topic, key].append(value.removesuffix(steps._hub))

            def refuse(message: Any, _error: Exception) -> None:
                place = (message.topic(), message.partition(), message.offset())
                refused["process", *place] += 1

            for number in range(3):
                steps.open(name, number)
                mine = [message for message in messages if message.partition() == number]
                steps.handle(name, number, mine, now_us=1, emit=emit, refuse=refuse)
        found: dict[Any, list[bytes]] = defaultdict(list)
        for name, messages in self.read(subscriber_topics()).items():
            for message in messages:
                found[name, message.key()].append(message.value())
        for place in sorted(expected.keys() | found.keys(), key=str):
            _compare(place, expected[place], found[place])
        return refused


def _compare(place: Any, expected: list[bytes], found: list[bytes]) -> None:
    ids = [value[5:21] for value in found]
    wanted = [value[5:21] for value in expected]
    lost, added = Counter(wanted) - Counter(ids), Counter(ids) - Counter(wanted)
    assert not lost, f"process lost {len(lost)} of {len(wanted)} on {place}: {_short(lost)}"
    assert not added, f"process delivered {len(added)} too many on {place}: {_short(added)}"
    assert ids == wanted, f"the order on {place} is another one"
    for value, start in zip(found, expected, strict=True):
        assert value.startswith(start), f"other bytes on {place}: {value.hex()} {start.hex()}"
        _, at = read_long(value, len(start))
        length, at = read_long(value, at)
        assert at + length == len(value)


def _short(found: Iterable[Any]) -> list[Any]:
    return [str(each)[:120] for each in itertools.islice(found, 3)]


def subscriber_topics() -> list[str]:
    return [
        schemas.subscriber_topic(subscriber.id, noun)
        for subscriber in schemas.subscribers().values()
        for noun in subscriber.nouns
    ]


def rule_book(rules: Iterable[Mapping[str, Any]]) -> RuleBook:
    book = RuleBook()
    for rule in rules:
        book.put(routes.record_key(rule), rule, micros(rule["valid_from"]), 2**62)
    return book
