import random
from collections.abc import Iterable
from typing import Any

import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import CANARY, Arrival, Steps, arrival

import schemas
from hub.codec import CUT, EVENT_ID, Cut, RecordCodec, frame
from hub.config import TEST_ID_KEY
from hub.plates import Pseudonyms, VehicleKey

NOUNS = list(schemas.nouns())
OCCURRENCES = [noun.name for noun in schemas.nouns().values() if noun.family == "occurrence"]
GIVEN = {
    (each.id, noun): {field for right in each.rights if noun in right.nouns
                      for field in right.fields}
    for each in schemas.subscribers().values()
    for noun in each.nouns
}  # fmt: skip
SAMPLES = list(steps.samples())


def check_deliveries(event, noun: str, delivered: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Each delivery is the canonical event, as its subscriber's view shows it."""
    whole = steps.canonical(event.value, noun)
    topics = []
    for topic, value, key in delivered:
        subscriber = topic.split(".")[0]
        topics.append(topic)
        codec = RecordCodec(schemas.built(topic), 100 + steps.NUMBERS[noun])
        record = codec.decode(value)
        assert value == codec.encode(record), "what is spliced is what would be encoded"
        assert key == event.key
        # A state's subject and lifecycle are the hub's to set.
        free = {"subject_id", "lifecycle"} if noun not in OCCURRENCES else set()
        for name, field in whole["header"].items():
            assert name in free or record["header"][name] == field, name
        assert record["body"] == whole["body"]
        withheld = []
        for name, field in whole["restricted"].items():
            if f"restricted.{name}" not in GIVEN[subscriber, noun]:
                assert not record["restricted"][name]
                withheld += [f"restricted.{name}"] if field else []
            else:
                assert record["restricted"][name] == field
        assert record["view"]["id"] == subscriber
        assert [each["field"] for each in record["view"]["withheld"]] == withheld
        assert record["view"]["pseudonym"] == pseudonym_of(whole, subscriber, noun)
        assert record["hub"]["slot"] == "tests"
        if "restricted.plate" not in GIVEN[subscriber, noun]:
            assert CANARY.encode() not in value
            assert b"CANARY" not in value
    live = whole["header"]["status"] == "LIVE"
    who = [each for each in schemas.subscribers().values() if noun in each.nouns]
    wanted = [f"{each.id}.{noun}.v1" for each in who if live or each.id == "ops"]
    assert sorted(topics) == sorted(wanted)


def pseudonym_of(event: dict[str, Any], subscriber: str, noun: str) -> str | None:
    """What stands for the plate, made of the decoded event."""
    header, plate = event["header"], event["restricted"]["plate"]
    if "view.pseudonym" not in GIVEN[subscriber, noun] or plate is None:
        return None
    at = header["observed_at"]
    if at is None or header["time_quality"] in ("SUSPECT", "RECEIVED"):
        at = header["received_at"]
    vehicle = VehicleKey(plate["text"], plate["category"], plate["colour"])
    return Pseudonyms(TEST_ID_KEY, subscriber).of(vehicle, at)


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_what_subscribers_get_is_the_canonical_event_as_their_view_shows_it(noun, data):
    event = data.draw(steps.events(noun))
    own, other = event.cut, data.draw(steps.events(noun)).cut
    forged = Cut(
        data.draw(st.integers(0, len(event.value) + 9)),
        data.draw(st.integers(0, len(event.value) + 9)),
        data.draw(st.integers(0, 255)),
        own.check ^ data.draw(st.integers(1, 2**32 - 1)),
    )
    for cut in (
        True,
        False,
        None,
        b"",
        b"nonsense",
        forged.pack(),
        other.pack(),
        Cut(own.start, own.end, 0, own.check ^ 1).pack(),
        Cut(own.start - 3, own.start, 0, own.check ^ 1).pack(),
    ):
        hub = Steps()
        check_deliveries(event, noun, hub.take(noun, arrival(event, cut=cut)))
        assert not hub.refused


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.noun)
def test_recorded_events_reach_their_subscribers_whole(event):
    hub = Steps()
    check_deliveries(event, event.noun, hub.take(event.noun, arrival(event)))
    assert not hub.refused


@settings(max_examples=25, deadline=None)
@given(found=st.lists(steps.events("plate_read"), min_size=2, max_size=8))
def test_events_of_one_worker_do_not_take_each_others_parts(found):
    hub = Steps()
    for event in {event.value[EVENT_ID]: event for event in found}.values():
        check_deliveries(event, "plate_read", hub.take("plate_read", arrival(event)))


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_version_that_is_only_registered_is_written_anew(noun, data):
    event = data.draw(steps.events(noun))
    record = {**steps.canonical(event.value, noun)}
    record["body"] = {**record["body"], "added": "later"}
    value = RecordCodec(steps.newer(noun), 77).encode(record)
    for cut in (arrival(event).headers_, None, [("cut", b"\0" * CUT.size)]):
        hub = Steps()
        check_deliveries(event, noun, hub.take(noun, Arrival(event.key, value, cut)))
        assert not hub.refused


@pytest.mark.parametrize("noun", NOUNS)
def test_a_version_nobody_knows_is_refused_and_not_remembered(noun):
    event = next(each for each in made(noun))
    hub = Steps()
    bad = Arrival(event.key, frame(4_000_000_000) + event.value[5:], arrival(event).headers_)
    assert hub.take(noun, bad) == []
    assert [error.code for error in hub.refused] == ["unknown-schema"]
    assert hub.take(noun, arrival(event))


def made(noun: str, count: int = 1, seed: int = 1):
    """Live events of a noun, without hypothesis."""
    dice = random.Random(seed)
    for _ in range(count):
        id_ = dice.randbytes(16)
        header = {
            "event_id": id_, "subject_id": id_, "lifecycle": "UNKNOWN", "status": "LIVE",
            "severity": "INFO", "time_quality": "DEVICE", "replayed": False,
            "received_at": steps.EPOCH.replace(year=2026), "source_id": "vms",
            "device_ref": f"cam-{dice.randrange(9)}", "kind": "some.kind",
            "origin": {"sha256": bytes(32)},
        }  # fmt: skip
        plate = {"plate": {"raw": CANARY, "text": CANARY}}
        value, cut = steps.codec(noun).encode(header, plate, {})
        key = f"vms/{header['device_ref']}".encode()
        yield steps.Canonical(noun, schemas.nouns()[noun].topic, key, value, cut)


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_garbage_is_refused_and_what_was_meant_passes_afterwards(noun, data):
    event, before, after = made(noun, 3)
    value, at = bytearray(event.value), data.draw(st.integers(0, len(event.value) - 1))
    garbage = data.draw(
        st.sampled_from(
            [
                None,
                b"",
                b"\0",
                bytes(value[:at]),
                bytes(value[:at]) + b"\xff" * 40,
                bytes(value) + b"more",
                b"\xff" * len(value),
            ]
        )
    )
    hub = Steps()
    assert hub.take(noun, arrival(before))
    assert hub.take(noun, Arrival(event.key, garbage, arrival(event).headers_)) == []
    assert len(hub.refused) == 1
    assert hub.take(noun, arrival(event))
    assert hub.take(noun, arrival(after))
    assert hub.outcomes(noun) == {"delivered": 3}


@pytest.mark.parametrize("noun", OCCURRENCES)
def test_a_broken_copy_of_an_event_does_not_open_the_way_for_a_whole_one(noun):
    (event,) = made(noun)
    hub = Steps()
    assert hub.take(noun, arrival(event))
    # Cut off before its kind: not even its head can be read.
    assert hub.take(noun, Arrival(event.key, event.value[:44])) == []
    assert len(hub.refused) == 1
    assert hub.take(noun, arrival(event)) == []
    assert hub.outcomes(noun) == {"delivered": 1, "duplicate": 1}


def test_a_record_with_another_devices_key_does_not_mislead_that_device():
    first, *_ = made("plate_read", seed=1)
    second = next(each for each in made("plate_read", 9, seed=2) if each.key != first.key)
    hub = Steps()
    wrong = Arrival(second.key, first.value, arrival(first).headers_)
    check = hub.take("plate_read", wrong)
    assert len(check) == 3
    check_deliveries(second, "plate_read", hub.take("plate_read", arrival(second)))


@settings(max_examples=30, deadline=None)
@given(noise=st.lists(st.binary(max_size=200), max_size=5), key=st.binary(max_size=5))
def test_no_bytes_stop_the_stage(noise, key):
    (event,) = made("plate_read")
    hub = Steps()
    for value in noise:
        hub.take("plate_read", Arrival(key, value, [("cut", value)]))
        hub.take("alert", Arrival(key, b"\0\0\0\0\x09" + value))
        hub.take("plate_read", Arrival(key, event.value[:42] + value))
    assert hub.take("plate_read", arrival(event))


def test_a_duplicate_after_a_rollback_is_a_first_arrival_again():
    (event,) = made("plate_read")
    hub = Steps()
    assert hub.take("plate_read", arrival(event))
    hub.process.rollback()
    assert hub.take("plate_read", arrival(event))
    hub.process.commit()
    assert hub.take("plate_read", arrival(event)) == []


def test_what_no_rule_wants_is_dropped_and_counted():
    hub = Steps(rules=steps.RuleBook())
    (event,) = made("plate_read")
    assert hub.take("plate_read", arrival(event)) == []
    assert hub.outcomes("plate_read") == {"dropped": 1}


def test_by_the_shipped_rules_nobody_but_the_police_sees_a_plate():
    hub = Steps(rules=steps.shipped())
    (event,) = made("plate_read")
    shown = {topic: CANARY.encode() in value for topic, value, _ in
             hub.take("plate_read", arrival(event))}  # fmt: skip
    assert shown == {"police.plate_read.v1": True, "htmoc.plate_read.v1": False}
