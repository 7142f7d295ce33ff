"""What leaves its traces in a cluster for good; the last of the tests that share one."""

import uuid
from collections import Counter

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from harness import PATIENCE_S
from oracle import BY_HAND

import schemas
from hub.codec import RecordCodec
from hub.ledger import balance

pytestmark = pytest.mark.kafka
PLATES = "camera.plate_read.v1"
POISON = {
    "nothing": None,
    "an empty value": b"",
    "noise": bytes(range(1, 200)),
    "a number without an end": b"\xff" * 300,
    "zeroes": bytes(90),
    "an unknown schema": b"\0\x7f\xff\xff\xff" + bytes(90),
    "an impossible schema": b"\0\xff\xff\xff\xff" + bytes(90),
    "a time in the year 300000": bytes(42) + b"\xfe" + b"\xff" * 8 + b"\x01" + bytes(40),
}


def test_poison_on_a_canonical_topic_becomes_dead_letters_and_its_neighbours_pass(rig):
    rig.stages()
    rig.feed(30)
    rig.until_drained()
    before = {each["dead_id"] for each in rig.dead_letters()}
    whole = rig.read([PLATES])[PLATES][-1]
    # Not the id of an event that came: a second arrival is a duplicate, however it looks.
    other = whole.value()[:5] + b"BROKEN EVENT ID." + whole.value()[21:]
    broken = {
        "cut off in its header": other[:60],
        "cut off in its body": other[:-1],
        "damaged in the middle": other[:100] + b"\xff" * 60,
        "with more behind it": other + b"more",
    }
    poison = [
        (topic, key, value, [BY_HAND, ("cut", value)])
        for topic in (PLATES, "traffic.signal_state.v1")
        for key in (whole.key(), b"\xff%41/x", None)
        for value in (POISON | broken).values()
    ]
    rig.write(poison)
    rig.feed(30)
    rig.until_drained()
    letters = [each for each in rig.dead_letters() if each["dead_id"] not in before]
    letters = [each for each in letters if each["stage"] == "process"]
    found = Counter((each["topic"], each["body"]) for each in letters)
    assert found == Counter((topic, value or b"") for topic, _, value, _ in poison)
    codes = {each["code"] for each in letters}
    assert codes <= {"not-framed", "not-avro", "unknown-schema", "wrong-schema"}, codes
    rig.check()


def test_a_loss_a_double_and_a_doubled_row_turn_the_ledger_red_and_are_named(rig):
    rig.stages()
    rig.feed(30)
    rig.until_drained()
    rig.stop_workers()
    before = set(balance(rig.config).problems)
    # A worker that commits past a record it never handled.
    whole = rig.read([PLATES])[PLATES][-1]
    lost = whole.value()[:5] + b"LOST-EVENT-ID..." + whole.value()[21:]
    rig.write([(PLATES, whole.key(), lost, [BY_HAND])])
    place = next(each for each in rig.read([PLATES])[PLATES] if each.value() == lost)
    member = Consumer({"bootstrap.servers": rig.stack.bootstrap, "group.id": "hub.process.bulk"})
    offset = TopicPartition(PLATES, place.partition(), place.offset() + 1)
    member.commit(offsets=[offset], asynchronous=False)
    member.close()
    # One that delivers a record a second time.
    record = rig.read(["police.plate_read.v1"])["police.plate_read.v1"][-1]
    rig.write([("police.plate_read.v1", record.key(), record.value(), [])])
    # And one that writes its books twice: a row of signals, so that no sum hides another.
    codec = RecordCodec(schemas.built("ledger.v1"), 0)
    rows = [(each, codec.decode(each.value())) for each in rig.read(["ledger.v1"])["ledger.v1"]]
    row, held = next(each for each in rows if each[1]["topic"] == "traffic.signal_state.v1")
    rig.write([("ledger.v1", row.key(), row.value(), [])])

    problems = "\n".join(sorted(set(balance(rig.config).problems) - before))
    assert f"no row explains {PLATES}/{place.partition()} offset {place.offset()}" in problems
    assert f"event {uuid.UUID(bytes=b'LOST-EVENT-ID...')}" in problems
    assert f"event {uuid.UUID(bytes=record.value()[5:21])} is 2 times on police.plate" in problems
    doubled = f"traffic.signal_state.v1/{held['partition']} offsets"
    assert any(doubled in each and "in two rows" in each for each in problems.splitlines())


@pytest.mark.slow
def test_a_worker_without_its_state_refuses_to_go_on(rig):
    rig.stages()
    rig.feed(60)
    rig.until_drained()
    rig.stop_workers()
    topic = "state.process.ids.v1"
    assert rig.read([topic])[topic]
    admin = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    cut = [TopicPartition(topic, number, -1) for number in range(3)]
    for future in admin.delete_records(cut).values():
        future.result(30)
    assert not rig.read([topic])[topic]
    process = rig.worker("process")
    rig.until(lambda: process.process.poll() is not None, "the worker gives up", PATIENCE_S)
    rig.workers.clear()
    said = process.log.read_text("utf-8")
    assert "ends before the committed offsets" in said, said
    assert "State is missing" in said, said
    assert process.process.returncode not in (0, -9)
