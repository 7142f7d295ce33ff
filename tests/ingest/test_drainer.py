"""From the log to Kafka: everything acknowledged arrives, in order, exactly once."""

import http.client
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic
from ingest_support import handle, logged, make_config, post, push_source

import schemas
from hub.codec import RecordCodec, schema_id
from hub.config import KafkaConfig
from hub.errors import FencedError, InvariantError
from hub.ingest.mark import MARK_TOPIC
from hub.kafka.clients import admin, reader

pytestmark = pytest.mark.kafka

TOPICS = ["raw.plain_test.v1", "raw.sharded_test.urgent.v1"]


@pytest.fixture(scope="module")
def kafka(stack) -> KafkaConfig:
    config = KafkaConfig(bootstrap=stack.bootstrap)
    client = admin(config)
    found = client.list_topics(timeout=20).topics
    new = [NewTopic(name, 3, 1) for name in TOPICS if name not in found]
    if MARK_TOPIC not in found:
        new.append(NewTopic(MARK_TOPIC, 1, 1, config={"cleanup.policy": "compact"}))
    if new:
        for future in client.create_topics(new).values():
            future.result()
    return config


@pytest.fixture
def slot() -> str:
    return f"test-{uuid.uuid4().hex[:10]}"


def read_all(kafka: KafkaConfig, topic: str, isolation: str = "read_committed") -> list:
    """All records of a topic as a reader sees them."""
    ends = true_ends(kafka, topic)
    consumer: Consumer = reader(kafka, **{"isolation.level": isolation})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
    reached, messages = dict.fromkeys(ends, 0), []
    deadline = time.monotonic() + 60
    while any(reached[partition] < end for partition, end in ends.items()):
        assert time.monotonic() < deadline, f"{topic}: no reader passes {reached} of {ends}"
        for message in consumer.consume(1000, 0.2):
            if message.error() is None:
                messages.append(message)
                reached[message.partition()] = message.offset() + 1
            else:
                reached[message.partition()] = max(reached[message.partition()], message.offset())
    consumer.close()
    return messages


def true_ends(kafka: KafkaConfig, topic: str) -> dict[int, int]:
    """Where each partition ends, also behind a commit whose markers are still on their way."""
    consumer: Consumer = reader(kafka, **{"isolation.level": "read_uncommitted"})
    ends = {}
    for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
        place = TopicPartition(topic, partition)
        ends[partition] = consumer.get_watermark_offsets(place, timeout=20)[1]
    consumer.close()
    return ends


def payload_ids(kafka: KafkaConfig, wanted: set[str]) -> Counter:
    """How often each of these payloads is in a raw topic."""
    found: Counter = Counter()
    for topic in TOPICS:
        for message in read_all(kafka, topic):
            id_ = dict(message.headers())["payload_id"].decode()
            if id_ in wanted:
                found[id_] += 1
    return found


def last_mark(kafka: KafkaConfig, key: str) -> dict:
    values = [m.value() for m in read_all(kafka, MARK_TOPIC) if m.key() == key.encode()]
    assert schema_id(values[-1]) == 7
    return RecordCodec(schemas.source("ingest_mark"), 7).decode(values[-1])


def until(condition, limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


class IngestProcess:
    """The ingest of tests/ingest/ingest_process.py, started again and again."""

    def __init__(self, data: Path, bootstrap: str, slot: str, log_max_bytes: int = 2**28) -> None:
        self._command = [
            sys.executable,
            str(Path(__file__).with_name("ingest_process.py")),
            str(data),
            bootstrap,
            slot,
            str(log_max_bytes),
        ]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def terminate(self) -> int:
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def drained(self) -> bool:
        ready = post(self.port, "/readyz", None, key=None, method="GET").json
        return not any(ready["log_records"].values())


class Poster:
    """Posts without pause and notes what was acknowledged."""

    def __init__(self, ingest: IngestProcess) -> None:
        self._ingest = ingest
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(path, body))
            for path, body in (
                ("s1", b"x" * 500),
                ("urgent", b"a|b"),
                ("s1", b"y" * 70_000),
                ("replicated", b"z"),
            )
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, path: str, body: bytes) -> None:
        while not self._stop.is_set():
            try:
                answer = post(self._ingest.port, f"/v1/ingest/{path}", body)
            except (OSError, http.client.HTTPException):  # it was just killed
                time.sleep(0.01)
                continue
            if answer.status == 200:
                self.acknowledged.append(answer.json["payload_id"])

    def stop(self) -> set[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert len(set(self.acknowledged)) == len(self.acknowledged)
        return set(self.acknowledged)


def test_what_is_acknowledged_is_in_kafka_as_received(kafka, slot, tmp_path):
    config = make_config(tmp_path, {"s1": push_source(ack="replicated")}, kafka.bootstrap)
    with handle(config, slot) as running:
        answer = post(running.port, "/v1/ingest/s1", b"\x00 body")
        until(lambda: post(running.port, "/v1/ingest/s1").json["ack"] == "replicated")
        ready = post(running.port, "/readyz", None, key=None, method="GET").json
        assert ready["kafka"]["bulk"] == "reachable"
        assert ready["registry"] == "reachable"
    id_ = answer.json["payload_id"]
    (message,) = [
        message
        for message in read_all(kafka, "raw.plain_test.v1")
        if dict(message.headers())["payload_id"].decode() == id_
    ]
    assert (message.key(), message.value()) == (b"s1", b"\x00 body")
    assert last_mark(kafka, f"{slot}/bulk")["slot"] == f"{slot}/bulk"


def test_order_is_kept_within_a_key(kafka, slot, tmp_path):
    config = make_config(tmp_path, {"s1": push_source()}, kafka.bootstrap)
    with handle(config, slot) as running:
        ids = [post(running.port, "/v1/ingest/s1").json["payload_id"] for _ in range(200)]
    found = [dict(m.headers())["payload_id"].decode() for m in read_all(kafka, TOPICS[0])]
    wanted = set(ids)
    assert [id_ for id_ in found if id_ in wanted] == ids


@pytest.mark.timeout(280)
def test_every_acknowledged_payload_arrives_once_through_kills(kafka, slot, tmp_path):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ingest = IngestProcess(tmp_path, kafka.bootstrap, slot)
    ingest.start()
    poster = Poster(ingest)
    for _ in range(8):
        time.sleep(chance.uniform(0.3, 3.0))
        ingest.kill()
        ingest.start()
    time.sleep(1.0)
    acknowledged = poster.stop()
    until(ingest.drained)
    assert ingest.terminate() == 0
    found = payload_ids(kafka, acknowledged)
    assert len(acknowledged) > 200
    assert set(found) == acknowledged, "lost"
    assert max(found.values()) == 1, "twice"


def test_ingest_accepts_without_kafka_and_moves_it_later(kafka, slot, tmp_path):
    away = IngestProcess(tmp_path, "127.0.0.1:1", slot)
    away.start()
    ids = {post(away.port, "/v1/ingest/s1").json["payload_id"] for _ in range(50)}
    away.kill()
    back = IngestProcess(tmp_path, kafka.bootstrap, slot)
    back.start()
    until(back.drained)
    assert back.terminate() == 0
    assert payload_ids(kafka, ids) == Counter(dict.fromkeys(ids, 1))


def test_a_clean_stop_leaves_nothing_behind(kafka, slot, tmp_path):
    ingest = IngestProcess(tmp_path, kafka.bootstrap, slot)
    ingest.start()
    ids = {post(ingest.port, "/v1/ingest/replicated").json["payload_id"] for _ in range(5)}
    ids |= {post(ingest.port, "/v1/ingest/s1").json["payload_id"] for _ in range(100)}
    assert ingest.terminate() == 0
    assert payload_ids(kafka, ids) == Counter(dict.fromkeys(ids, 1))


def test_a_wiped_folder_loses_nothing_that_comes_after(kafka, slot, tmp_path):
    ids = set()
    for folder in ("one", "two"):
        ingest = IngestProcess(tmp_path / folder, kafka.bootstrap, slot)
        ingest.start()
        ids |= {post(ingest.port, "/v1/ingest/s1").json["payload_id"] for _ in range(20)}
        until(ingest.drained)
        assert ingest.terminate() == 0
    assert payload_ids(kafka, ids) == Counter(dict.fromkeys(ids, 1))


def test_a_mark_of_another_log_stops_loudly_and_skips_nothing(kafka, slot, tmp_path):
    away = IngestProcess(tmp_path / "old", "127.0.0.1:1", slot)
    away.start()
    kept = {post(away.port, "/v1/ingest/s1").json["payload_id"] for _ in range(5)}
    away.kill()
    other = IngestProcess(tmp_path / "other", kafka.bootstrap, slot)
    other.start()
    post(other.port, "/v1/ingest/s1")
    until(other.drained)
    assert other.terminate() == 0
    # The records of the first log are older than the mark that the second one left.
    config = make_config(tmp_path / "old", {"s1": push_source()}, kafka.bootstrap)
    running = handle(config, slot).start()
    until(lambda: not running.alive)
    with pytest.raises(InvariantError, match="not of this log"):
        running.stop()
    left = {
        dict(record.headers)["payload_id"].decode() for record in logged(tmp_path / "old", slot)
    }
    assert left == kept


def test_a_slot_used_twice_stops_the_older_process(kafka, slot, tmp_path):
    config = make_config(tmp_path / "one", {"s1": push_source(ack="replicated")}, kafka.bootstrap)
    older = handle(config, slot).start()
    until(lambda: post(older.port, "/v1/ingest/s1").json["ack"] == "replicated")
    newer = handle(
        make_config(tmp_path / "two", {"s1": push_source(ack="replicated")}, kafka.bootstrap), slot
    ).start()
    until(lambda: post(newer.port, "/v1/ingest/s1").json["ack"] == "replicated")
    post(older.port, "/v1/ingest/s1")
    until(lambda: not older.alive)
    with pytest.raises(FencedError, match="another process"):
        older.stop()
    assert post(newer.port, "/v1/ingest/s1").status == 200
    newer.stop()


def test_a_full_log_loses_nothing_that_was_acknowledged(kafka, slot, tmp_path):
    ids, refused = set(), 0
    away = IngestProcess(tmp_path, "127.0.0.1:1", slot, 2**20)
    away.start()
    while refused < 3:
        answer = post(away.port, "/v1/ingest/s1", b"x" * 20_000)
        if answer.status == 200:
            ids.add(answer.json["payload_id"])
        else:
            assert answer.status == 503
            refused += 1
    away.kill()
    back = IngestProcess(tmp_path, kafka.bootstrap, slot, 2**20)
    back.start()
    until(back.drained)
    for _ in range(100):
        answer = post(back.port, "/v1/ingest/s1", b"x" * 20_000)
        if answer.status == 200:
            ids.add(answer.json["payload_id"])
    until(back.drained)
    assert back.terminate() == 0
    assert payload_ids(kafka, ids) == Counter(dict.fromkeys(ids, 1))


@pytest.mark.timeout(280)
def test_a_broker_that_stops_and_returns_costs_nothing(embedded, kafka, slot, tmp_path):
    ingest = IngestProcess(tmp_path, kafka.bootstrap, slot)
    ingest.start()
    poster = Poster(ingest)
    time.sleep(2)
    # Stopped, not killed: a broker that is alone and dies may lose the markers of transactions
    # that were decided (ops/README.md, "Readers stop short of the end"). Three are killed in
    # tests/faults/test_cluster.py.
    (broker,) = embedded.brokers
    broker.stop()
    time.sleep(3)
    broker.start()
    time.sleep(2)
    acknowledged = poster.stop()
    until(ingest.drained, limit_s=120)
    assert ingest.terminate() == 0
    assert payload_ids(kafka, acknowledged) == Counter(dict.fromkeys(acknowledged, 1))
