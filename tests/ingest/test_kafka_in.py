"""Kafka in: another cluster's topic is mirrored; its offsets move after all is durable."""

import uuid

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewTopic
from ingest_support import make_config
from sources_rig import headers_of, rig, run, until

from hub.config import KafkaConfig
from hub.errors import ConfigError
from hub.ingest.intake import Source
from hub.ingest.sources import runner
from hub.kafka.clients import admin, consumer, producer

COUNT = 300


def mirrored(bootstrap: str, topic: str, **more) -> dict:
    settings = {"kind": "kafka", "bootstrap": bootstrap, "topic": topic, **more}
    return {"connector": "plain_test", "transport": settings}


def committed(kafka: KafkaConfig, topic: str, group: str) -> dict[int, int]:
    client = consumer(kafka, group)
    places = client.committed([TopicPartition(topic, p) for p in range(3)], timeout=20)
    client.close()
    return {place.partition: place.offset for place in places if place.offset >= 0}


def body(number: int) -> bytes:
    return b"%d" % number * 2_000


@pytest.fixture
def topic(stack) -> str:
    kafka = KafkaConfig(bootstrap=stack.bootstrap)
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    client = admin(kafka)
    for future in client.create_topics([NewTopic(name, 3, 1)]).values():
        future.result()
    writer = producer(kafka)
    for number in range(COUNT):
        writer.produce(
            name,
            body(number),
            key=b"%d" % number,
            headers=[("content-type", b"application/json"), ("ce_type", b"x"), ("secret", b"no")],
        )
    writer.produce(name, None, key=b"gone")
    writer.flush(20)
    return name


@pytest.mark.kafka
def test_every_record_is_taken_once_and_a_restart_goes_on_behind_it(stack, topic, tmp_path):
    kafka = KafkaConfig(bootstrap=stack.bootstrap)

    async def scenario():
        sources = {"theirs": mirrored(stack.bootstrap, topic)}
        async with rig(tmp_path, sources) as hub:
            records = await hub.records(COUNT)
            assert {record.value for record in records} == {body(n) for n in range(COUNT)}
            headers = headers_of(records[0])
            assert headers["transport"] == "kafka"
            assert headers["content_type"] == "application/json"
            assert headers["meta.header.ce-type"] == "x"
            assert not any("secret" in name for name in headers)
            await until(lambda: sum(committed(kafka, topic, "hub.theirs").values()) == COUNT + 1)
        async with rig(tmp_path, sources) as hub:
            await hub.state("theirs", "up")
            await hub.records(COUNT)

    run(scenario())


@pytest.mark.kafka
def test_what_is_not_durable_is_not_committed_and_comes_again_under_the_same_id(
    stack, topic, tmp_path
):
    kafka = KafkaConfig(bootstrap=stack.bootstrap)
    sources = {"theirs": mirrored(stack.bootstrap, topic, group=topic)}

    async def scenario():
        async with rig(tmp_path, sources, log_max_bytes=2**20) as hub:
            await until(lambda: not hub.services.intake.logs["bulk"].has_room)
            first = len(hub.durable())
            assert sum(committed(kafka, topic, topic).values()) <= first < COUNT
        # It ends here with records that are durable and not committed, as in a crash.
        async with rig(tmp_path, sources) as hub:
            await until(lambda: {r.value for r in hub.durable()} == {body(n) for n in range(COUNT)})
            ids = {(record.value, headers_of(record)["payload_id"]) for record in hub.durable()}
            assert len(ids) == COUNT
            assert len(hub.durable()) > COUNT, "some came twice"

    run(scenario())


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_an_outage(stack, tmp_path):
    async def scenario():
        async with rig(tmp_path, {"theirs": mirrored(stack.bootstrap, "no-such-topic")}) as hub:
            assert "mirroring" in await hub.state("theirs", "down")

    run(scenario())


def test_a_cluster_that_is_away_holds_nothing_up(tmp_path):
    async def scenario():
        async with rig(tmp_path, {"theirs": mirrored("127.0.0.1:1", "t")}) as hub:
            assert "mirroring" in await hub.state("theirs", "down")

    run(scenario())


def test_secrets_of_the_client_are_named_and_wrong_settings_said(tmp_path, monkeypatch):
    source = mirrored("127.0.0.1:1", "t", secret_client={"sasl.password": "THEIR_PASSWORD"})
    config = make_config(tmp_path, {"theirs": source})
    with pytest.raises(ConfigError, match="secret THEIR_PASSWORD is not set"):
        runner.transport_of(Source("theirs", config.source["theirs"]))
    monkeypatch.setenv("THEIR_PASSWORD", "word")
    assert runner.transport_of(Source("theirs", config.source["theirs"]))
