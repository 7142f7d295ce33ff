"""From the log to Kafka: everything acknowledged arrives, in order, exactly once."""

import random
import time
import uuid
from collections import Counter

import pytest
from drained import (
    TOPICS,
    IngestProcess,
    Poster,
    drained,
    make_topics,
    payload_ids,
    read_all,
    until,
)
from ingest_support import handle, logged, make_config, post, push_source

import schemas
from hub.codec import RecordCodec, schema_id
from hub.config import KafkaConfig
from hub.errors import FencedError, InvariantError
from hub.ingest.mark import MARK_TOPIC

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def kafka(stack) -> KafkaConfig:
    config = KafkaConfig(bootstrap=stack.bootstrap)
    make_topics(config)
    return config


@pytest.fixture
def slot() -> str:
    return f"test-{uuid.uuid4().hex[:10]}"


def last_mark(kafka: KafkaConfig, key: str) -> dict:
    values = [m.value() for m in read_all(kafka, MARK_TOPIC) if m.key() == key.encode()]
    assert schema_id(values[-1]) == 7
    return RecordCodec(schemas.source("ingest_mark"), 7).decode(values[-1])


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
        # What it has no connection for yet when it is stopped stays in the log.
        until(lambda: drained(running.port))
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
