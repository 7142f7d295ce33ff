"""`open511` against the standard and what servers send; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.open511 import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "open511_drivebc"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
# Of each shared sample: id, kind, severity, and whether its time can be believed.
SHARED_EVENTS = {
    "event_list_of_two.json": [
        ("drivebc.ca/DBC-20066", "road.road_condition", "SEVERE", True),
        ("drivebc.ca/DBC-20073", "road.construction", "MINOR", True),
    ],
    "event_one_filtered.json": [("drivebc.ca/DBC-20066", "road.road_condition", "SEVERE", True)],
    "open511_feed_two.json": [
        ("drivebc.ca/DBC-28386", "road.incident", "SEVERE", False),
        ("drivebc.ca/DBC-11111", "road.incident", "SEVERE", False),
    ],
}


def event(**more):
    base = {"id": "hn/1", "status": "ACTIVE", "event_type": "INCIDENT"}
    return base | {"updated": "2026-03-14T07:30:00+07:00"} | more


def read(document, **options):
    if not isinstance(document, bytes):
        document = json.dumps(document).encode()
    return list(parse(Payload(body=document, received_at=NOW), Options(**options)))


def one(*events, **options):
    (outcome,) = read({"events": [*events]}, **options)
    return outcome


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_EVENTS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found = [
        (each.native_id, each.kind, each.severity, each.version_at is not None)
        for each in read((SHARED / name).read_bytes())
    ]
    assert found == SHARED_EVENTS[name]


def test_a_change_without_a_new_time_is_an_event_of_its_own():
    """As measured on a real pair: other roads, the same `updated`."""
    bodies = [
        json.dumps({"events": [event(roads=[{"name": name}])]}).encode() for name in ("A", "B")
    ]
    first, second = (next(iter(dry_run(connector, Sample(name="x", body=body)))) for body in bodies)
    assert first.value[5:21] != second.value[5:21]


def test_a_time_in_the_year_2083_orders_nothing():
    found = one(event(updated="2083-04-13T10:30:12-04:00"))
    assert (found.time_quality, found.version_at) == ("SUSPECT", None)


def test_an_open_interval_has_no_end_and_one_without_a_zone_is_local():
    still = one(event(schedule={"intervals": ["2026-03-13T08:00:00+07:00/"]}))
    assert (still.body["valid_from"], still.body["valid_to"]) == (
        datetime(2026, 3, 13, 1, tzinfo=UTC), None,
    )  # fmt: skip
    local = one(event(schedule={"intervals": ["2026-03-13T08:00/2026-03-13T10:00"]}))
    assert local.body["valid_to"] == datetime(2026, 3, 13, 3, tzinfo=UTC)


def test_several_intervals_reach_from_the_first_to_the_last():
    nights = ["2026-03-12T22:00/2026-03-13T05:00", "2026-03-13T22:00/2026-03-14T05:00"]
    found = one(event(schedule={"intervals": nights}), zone="UTC")
    assert found.body["valid_from"] == datetime(2026, 3, 12, 22, tzinfo=UTC)
    assert found.body["valid_to"] == datetime(2026, 3, 14, 5, tzinfo=UTC)


def test_archived_ends_an_event_and_its_subject_stays():
    assert one(event(status="ARCHIVED")).lifecycle == "ENDED"
    assert one(event(status="ARCHIVED")).subject == one(event()).subject


def test_of_several_roads_the_first_gives_the_direction_and_all_are_told():
    roads = [{"name": "Kim Mã", "direction": "E", "state": "CLOSED"}, {"name": "Liễu Giai"}]
    found = one(event(roads=roads))
    assert (found.body["road"], found.body["direction"], found.body["impact"]) == (
        "Kim Mã", "E", "CLOSED",
    )  # fmt: skip
    assert [text["role"] for text in found.body["texts"]] == ["road", "road"]


def test_lanes_are_counted_for_each_road_and_certainty_is_told():
    roads = [{"name": "Kim Mã", "lanes_closed": 2, "lanes_open": 1}, {"name": "Liễu Giai"}]
    found = one(event(roads=roads, certainty="LIKELY"))
    assert found.body["lanes"] == ["Kim Mã: 1 open", "Kim Mã: 2 closed"]
    assert found.body["probability"] == "LIKELY"


def test_the_layout_of_drivebc_has_its_road_apart_from_the_stretch():
    own = {"route_at": "Highway 1", "route_from": "Exit 109", "route_to": "Exit 120"}
    found = one(event(**own, route_display="Exit 109 to Exit 120"))
    assert found.body["road"] == "Highway 1"
    assert found.body["texts"] == [
        {"language": "", "text": "Highway 1, Exit 109, Exit 120", "role": "road"}
    ]


def test_longitude_comes_first_in_json_and_last_in_gml():
    point = {"type": "Point", "coordinates": [105.815, 21.031]}
    xml = (
        b'<open511 xmlns:g="http://www.opengis.net/gml"><events><event><id>hn/1</id><geography>'
        b"<g:Point><g:pos>21.031 105.815</g:pos></g:Point></geography></event></events></open511>"
    )
    (of_xml,) = read(xml)
    assert of_xml.position == one(event(geography=point)).position
    assert of_xml.quality_flags == ("time_missing",)


def test_contacts_in_prose_are_masked():
    found = one(event(description="Gọi 024 3888 8888"))
    assert "3888" not in str(found)
    assert "contact_masked" in found.quality_flags


def test_an_empty_feed_is_all_clear():
    assert isinstance(one(), Nothing)


def test_a_bad_event_hides_no_other():
    outcomes = read({"events": [event(), event(id=""), 7, event(id="hn/2")]})
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert outcomes[1].path == "events[1]/id"


@pytest.mark.parametrize(
    ("document", "code"),
    [({}, "missing-field"), (b"<html/>", "not-open511"), (b"login", "malformed"), (b"", "empty")],
)
def test_what_is_no_feed_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("word", "impact"), [("False", ""), (False, ""), ("True", "closed"), (True, "closed")]
)
def test_false_as_a_text_is_a_road_that_is_open(word, impact):
    assert one(event(closed=word)).body["impact"] == impact
