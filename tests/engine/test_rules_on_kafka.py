"""Rules on a real Kafka: a change takes effect by the broker's append time, on every worker."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from harness import ID_KEY
from oracle import BY_HAND

import schemas
from hub import routes
from hub.cli import main
from hub.codec import EVENT_ID, EventCodec, micros
from hub.identity import record_key

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
DETECTIONS = "camera.detection.v1"
SOURCE = "ruled"
# `hub route load` wants a minute, for workers that are slow to hear of a rule. These look five
# times a second, so the test writes the rule to the topic itself, seconds ahead.
AHEAD = timedelta(seconds=10)
AROUND = timedelta(seconds=1)


def detection(rig, number: int):
    """A canonical record made by hand, and its event id."""
    codec = EventCodec(schemas.built(DETECTIONS), rig.ids.current(DETECTIONS))
    id_ = uuid.uuid4().bytes
    header = {
        "event_id": id_,
        "subject_id": id_,
        "status": "LIVE",
        "time_quality": "DEVICE",
        "received_at": datetime.now(UTC),
        # Long ago: only the append time may decide.
        "observed_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        "source_id": SOURCE,
        "device_ref": f"cam-{number % 9}",
        "kind": "ruled.here",
        "origin": {"sha256": bytes(32)},
    }
    value, cut = codec.encode(header, {}, {})
    key = record_key(SOURCE, header["device_ref"])
    return (DETECTIONS, key, value, [BY_HAND, ("cut", cut.pack())]), id_


def switched(rules, at: datetime):
    """The shipped rules, with detections for the police alone from then on."""
    ends = {"detections-police", "detections-htmoc"}
    ended = [{**rule, "valid_to": at} for rule in rules if rule["rule_id"] in ends]
    police = next(rule for rule in ended if rule["rule_id"] == "detections-police")
    return ended, {**police, "valid_from": at, "valid_to": None, "recipients": ["night-desk"]}


@pytest.fixture
def rig(session_rig):
    """The cluster of all tests, which find it afterwards as it was made."""
    rules = session_rig.rules
    yield session_rig
    session_rig.stop_workers()
    session_rig.rules = rules
    session_rig.reset()


def test_each_event_goes_once_where_the_rules_of_its_append_time_send_it(rig, monkeypatch, capsys):
    rig.worker("process", slot="one")
    rig.worker("process", slot="two")
    rig.write([detection(rig, 0)[0]])
    rig.until_handled([("process", "bulk")])
    at = datetime.now(UTC).replace(microsecond=0) + AHEAD
    ended, new = switched(rig.rules, at)
    routes.publish(rig.config, rig.registry, [*ended, new])
    keys = {routes.record_key(rule) for rule in ended}
    rig.rules = [rule for rule in rig.rules if routes.record_key(rule) not in keys]
    rig.rules += [*ended, new]
    ids = set()
    number = 1
    time.sleep(max(0.0, (at - AROUND - datetime.now(UTC)).total_seconds()))
    while datetime.now(UTC) < at + AROUND:
        # Small batches, in quick succession: they cross the instant.
        made = [detection(rig, number + each) for each in range(9)]
        rig.write([record for record, _ in made])
        ids |= {id_ for _, id_ in made}
        number += len(made)
        time.sleep(0.02)
    rig.until_handled([("process", "bulk")])
    rig.check()

    topics = ("police.detection.v1", "htmoc.detection.v1")
    found = rig.read([DETECTIONS, *topics])
    appended_us = {each.value()[EVENT_ID]: each.timestamp()[1] * 1000 for each in found[DETECTIONS]}
    late = {id_ for id_ in ids if appended_us[id_] >= micros(at)}
    assert late
    assert ids - late
    for topic, wanted in zip(topics, (ids, ids - late), strict=True):
        delivered = [each.value()[EVENT_ID] for each in found[topic]]
        assert sorted(id_ for id_ in delivered if id_ in ids) == sorted(wanted)

    # Run again as `hub explain` does, long after.
    monkeypatch.setenv("HUB_CONFIG", str(rig.config_file))
    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)
    for id_, got in (
        (max(ids - late, key=appended_us.get), 2),
        (min(late, key=appended_us.get), 1),
    ):
        assert main(["explain", str(uuid.UUID(bytes=id_)), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        sent = [each for each in told["ways"][0]["subscribers"] if each["spot"]]
        assert len(sent) == got
