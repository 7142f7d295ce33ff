"""Data that is no more where a stage left off: loud, and never skipped."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from fault_rig import FaultRig
from harness import SEED

from hub import topics
from hub.errors import HubError
from hub.registry import Registry
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
RAW, PLATES = "raw.hikvision_isapi.v1", "camera.plate_read.v1"


@pytest.fixture(scope="module")
def stack():
    with Stack(proxied=True) as stack:
        yield stack


@pytest.fixture
def rig(stack, tmp_path):
    """A rig on fresh topics: each test here spoils them for good."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    for future in admin.delete_topics(_topics(admin)).values() if _topics(admin) else ():
        future.result(30)
    for group in admin.list_consumer_groups().result(30).valid:
        if group.group_id.startswith("hub."):
            admin.delete_consumer_groups([group.group_id])[group.group_id].result(30)
    rig = FaultRig(stack, tmp_path, seed=SEED)
    rig.crew()
    rig.feed(100)
    rig.until_drained()
    rig.stop_crew()
    yield rig
    rig.close()


def _topics(admin: AdminClient) -> list[str]:
    kept = ("__", "kafkasql", "registry")
    return [name for name in admin.list_topics(timeout=30).topics if not name.startswith(kept)]


def refusal(rig, stage: str) -> str:
    """What a worker says that must not go on; and that it ends."""
    worker = rig.lone(stage, slot="slot1")
    rig.until(lambda: worker.pid is None, f"{stage} gives up")
    assert worker.process.returncode == 1, worker.tail()
    return worker.log.read_text("utf-8")


@pytest.mark.parametrize(("stage", "topic"), [("normalise", RAW), ("process", PLATES)])
def test_records_removed_before_they_were_handled_stop_the_stage(rig, stage, topic):
    rig.feed(200)
    rig.flush()
    if stage == "process":
        rig.hire("normalise", slot="slot1")
        rig.until(lambda: not rig.behind("normalise"), "normalise is through")
        rig.stop_crew()
    admin = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    gone = [TopicPartition(topic, number, -1) for number in range(3)]
    for future in admin.delete_records(gone).values():
        future.result(30)
    said = refusal(rig, stage)
    assert "the records from the committed offset on are gone" in said, said
    assert f"{topic}/" in said


def test_a_topic_deleted_and_made_anew_stops_the_stage_that_has_state_of_it(rig):
    # The broker forgets a group's offsets with the topic; the state remembers where it stood.
    admin = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    rig.live.stop()
    admin.delete_topics([PLATES])[PLATES].result(30)
    rig.until(lambda: PLATES not in admin.list_topics(timeout=30).topics, "the topic is gone")
    registry = Registry(rig.config.registry_url)
    try:
        topics.apply(rig.config, registry)
    finally:
        registry.close()
    said = refusal(rig, "process")
    assert f"state of {PLATES}/" in said, said


def test_more_partitions_than_declared_are_refused_by_the_next_plan(rig):
    admin = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    admin.create_partitions([NewPartitions(RAW, 4)])[RAW].result(30)
    rig.until(lambda: len(admin.list_topics(timeout=30).topics[RAW].partitions) == 4, "it grew")
    registry = Registry(rig.config.registry_url)
    try:
        with pytest.raises(HubError, match="partitions"):
            topics.apply(rig.config, registry)
    finally:
        registry.close()
