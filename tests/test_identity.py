from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hub import Area, Connector, Event, Position
from hub.identity import Identity, make_id, record_key, uuid_text

KEY = b"a key of a test site"
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
CONNECTOR = Connector(
    name="x",
    title="x",
    parse=lambda _payload, _options: (),
    emits=("plate_read", "situation"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.lane", "body.at"),
        "situation": ("body.detail",),
    },
)
EVENT = Event(
    noun="plate_read",
    kind="vehicle.passage",
    device_ref="cam-1",
    native_id="7",
    observed_at=AT,
    body={"lane": 2, "at": AT},
    restricted={"plate": {"raw": "30K-000.01"}},
)


SITUATION = Event(
    noun="situation",
    kind="road.flooding",
    subject=("7",),
    native_id="7",
    native_version="1",
    position=Position(lat=21.0, lon=105.8),
    body={"detail": "x"},
)


def id_of(event, *, key=KEY, source="s", payload="p", index=0):
    return Identity(key, CONNECTOR, source).event(event, payload_id=payload, index=index)


def test_an_id_is_a_uuid_of_version_8():
    id_ = UUID(bytes=id_of(EVENT))
    assert (id_.version, id_.variant) == (8, "specified in RFC 4122")
    assert uuid_text(id_.bytes) == str(id_)


@pytest.mark.parametrize(
    "change",
    [
        {"replayed": True},
        {"published_at": AT},
        {"quality_flags": ("clock_suspect",)},
        {"areas_reported": (Area(scheme="", code="1"),)},
        {"observed_at": AT.astimezone(datetime.fromisoformat("2026-03-01T00:00:00+07:00").tzinfo)},
    ],
)
def test_how_a_report_arrived_does_not_change_its_id(change):
    assert id_of(replace(EVENT, **change), payload="other", index=5) == id_of(EVENT)


@pytest.mark.parametrize(
    "change",
    [
        {"device_ref": "cam-2"},
        {"native_id": "8"},
        {"native_version": "2"},
        {"version_at": AT},
        {"observed_at": AT + timedelta(microseconds=1)},
        {"kind": "vehicle.stopped"},
        {"lifecycle": "ENDED"},
        {"subject": ("a",)},
        {"body": {"lane": 3, "at": AT}},
        {"body": {"lane": 2, "at": AT + timedelta(seconds=1)}},
        {"restricted": {"plate": {"raw": "30K-000.02"}}},
        {"restricted": {}},
    ],
)
def test_what_was_reported_changes_the_id(change):
    assert id_of(replace(EVENT, **change)) != id_of(EVENT)


def test_source_and_key_change_the_id():
    assert len({id_of(EVENT), id_of(EVENT, source="t"), id_of(EVENT, key=b"other key")}) == 3


def test_a_report_without_id_and_time_is_told_apart_by_its_payload():
    bare = replace(EVENT, native_id=None, observed_at=None)
    assert id_of(bare) != id_of(bare, payload="q")
    assert id_of(bare) != id_of(bare, index=1)
    assert id_of(bare) == id_of(bare)


def test_parts_never_run_into_each_other():
    assert make_id(KEY, "ab", "c") != make_id(KEY, "a", "bc")


def test_a_subject_is_the_same_for_all_its_updates():
    identity = Identity(KEY, CONNECTOR, "s")
    assert identity.subject("situation", ("a", "b")) == identity.subject("situation", ("a", "b"))
    assert identity.subject("situation", ("a", "b")) != identity.subject("alert", ("a", "b"))


def test_one_native_id_of_two_sources_is_two_subjects():
    one, other = (Identity(KEY, CONNECTOR, source) for source in ("s", "t"))
    assert one.subject("situation", ("7",)) != other.subject("situation", ("7",))


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "EXTREME"},
        {"status": "TEST"},
        {"position": Position(lat=21.0, lon=105.9)},
        {"position": None},
        {"areas_reported": (Area(scheme="nso-2025-07", code="00004"),)},
    ],
)
def test_what_a_state_says_outside_its_body_changes_its_id_too(change):
    assert id_of(replace(SITUATION, **change)) != id_of(SITUATION)


def test_how_well_a_position_is_known_does_not_change_the_id_of_a_state():
    better = Position(lat=21.0, lon=105.8, accuracy_m=5.0, method="register")
    assert id_of(replace(SITUATION, position=better)) == id_of(SITUATION)


def test_a_key_is_percent_encoded():
    assert record_key("s", "a/b é") == b"s/a%2Fb%20%C3%A9"
    assert record_key("s", None) == b"s"
    assert record_key("s", "") == b"s/"
