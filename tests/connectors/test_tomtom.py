"""`tomtom` against the vendor's reference; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.tomtom import connector, parse
from hub import Event, Nothing, Options, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

OWN = Path(__file__).parents[1] / "samples" / "tomtom"
NOW = datetime(2026, 11, 20, 1, 30, 2, tzinfo=UTC)


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options()))


def incident(id_="a1", geometry=None, **members):
    properties = ({"id": id_} if id_ is not None else {}) | members
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def one(*args, **members):
    (outcome,) = read({"incidents": [incident(*args, **members)]})
    return outcome


def event_id(**members):
    body = json.dumps({"incidents": [incident(**members)]}).encode()
    (result,) = dry_run(connector, Sample(name="x", body=body))
    return result.value[5:21]


@pytest.mark.parametrize(
    "change",
    [
        {"endTime": "2026-11-20T02:00:00Z"},
        {"magnitudeOfDelay": 3},
        {"timeValidity": "present"},
        {"events": [{"description": "Ùn tắc"}]},
    ],
)
def test_changed_content_without_a_version_is_an_event_of_its_own(change):
    assert event_id() != event_id(**change)


def test_a_delay_that_differs_with_every_poll_is_no_update():
    assert event_id(delay=None) == event_id(delay=240) == event_id(delay=300, numberOfReports=4)


def test_a_closure_has_no_delay():
    event = one(iconCategory=8, magnitudeOfDelay=4, delay=None)
    assert (event.kind, event.severity, event.body["impact"]) == (
        "road.road_closed", "UNKNOWN", "undefined",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("magnitude", "severity", "impact"),
    [
        (0, "UNKNOWN", ""),
        (1, "MINOR", "minor"),
        (2, "MODERATE", "moderate"),
        (3, "SEVERE", "major"),
        (9, "UNKNOWN", ""),
        (-1, "UNKNOWN", ""),
        ("x", "UNKNOWN", ""),
        (None, "UNKNOWN", ""),
    ],
)
def test_the_grade_of_the_delay_is_the_severity(magnitude, severity, impact):
    event = one(magnitudeOfDelay=magnitude)
    assert (event.severity, event.body["impact"]) == (severity, impact)


def test_an_end_that_is_past_or_absent_ends_nothing():
    assert one(endTime="2026-11-20T01:00:00Z").lifecycle == "UNKNOWN"
    assert one().body["valid_to"] is None


def test_a_start_is_no_time_of_observation_and_the_last_report_is():
    event = one(startTime="2026-11-20T00:00:00Z")
    assert (event.observed_at, event.version_at, event.time_quality) == (None, None, "RECEIVED")
    event = one(lastReportTime="2026-11-20T01:24:11Z")
    assert event.observed_at == event.version_at == datetime(2026, 11, 20, 1, 24, 11, tzinfo=UTC)


@pytest.mark.parametrize("without", ["iconCategory", "events", "from", "to", "tmc", "roadNumbers"])
def test_members_that_were_not_asked_for_may_be_absent(without):
    document = json.loads((OWN / "incidents.json").read_text())
    document["incidents"][0]["properties"].pop(without)
    assert read(document)[0].kind == "road.road_closed"


def test_of_several_events_the_incident_s_own_category_goes_first():
    events = [{"iconCategory": 9, "code": 701}, {"iconCategory": 8, "code": 401}]
    assert one(iconCategory=8, events=events).kind == "road.road_closed"
    assert (one(events=events).kind, one(events=events).body["detail"]) == (
        "road.road_works", "701,401",
    )  # fmt: skip
    assert one(iconCategory=0).kind == one().kind == "road.incident"


def test_a_category_nobody_named_is_flagged():
    assert "category_unknown" in one(iconCategory=99).quality_flags


def test_a_cluster_is_no_incident():
    assert isinstance(one(id_=None, iconCategory=13), Nothing)


def test_incidents_stand_in_a_list_or_in_a_collection():
    features = [incident()]
    for document in ({"incidents": features}, {"incidents": {"features": features}}):
        assert [each.native_id for each in read(document)] == ["a1"]
    assert read({"type": "FeatureCollection", "features": features})[0].native_id == "a1"


def test_longitude_comes_first_and_null_geometry_is_no_place():
    line = {"type": "LineString", "coordinates": [[105.84, 21.0], [105.85, 21.01]]}
    event = one("a1", line)
    assert (event.position.lat, event.position.lon) == (21.0, 105.84)
    assert (one().position, one().body["points"]) == (None, [])


def test_an_empty_area_is_all_clear():
    assert isinstance(read({"incidents": []})[0], Nothing)


def test_a_bad_incident_hides_no_other():
    features = [incident(), incident(None), {"properties": 7}, 7, incident(), incident("a2")]
    outcomes = read({"incidents": features})
    assert [type(each) for each in outcomes] == [Event, *[Rejection] * 4, Event]
    assert outcomes[1].path == "incidents[1]/properties/id"
    assert outcomes[4].code == "duplicate-id"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"detailedError": {"code": "FORBIDDEN", "message": "…"}}, "service-error"),
        ({"error": "quota"}, "service-error"),
        ({}, "missing-field"),
        (b"<h1>Developer Over Qps</h1>", "malformed"),
        (b"", "empty"),
    ],
)
def test_an_answer_that_is_none_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code
