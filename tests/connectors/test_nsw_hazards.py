"""Live Traffic NSW: sentinels, HTML, ends, several roads."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.nsw_hazards import connector, parse
from hub import Event, Options, Payload, PayloadError, Rejection
from hub.connector import Area, Position

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/nsw_hazards"
SHARED = ROOT.parent / "shared/samples/traffic/nsw_hazards"
AT = datetime(2026, 11, 20, 1, 16, 2, tzinfo=UTC)
NOW_MS = 1_795_137_300_000  # 2026-11-20 01:15:00 UTC
HAZARD = {"mainCategory": "HAZARD", "lastUpdated": NOW_MS - 60_000, "ended": False}


def outcomes(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=AT), Options()))


def collection(*hazards, geometry=None):
    features = [
        {"id": number, "geometry": geometry, "properties": each}
        for number, each in enumerate(hazards, 1)
    ]
    return {"lastPublished": NOW_MS, "features": features}


def event_of(geometry=None, **more):
    (event,) = outcomes(collection(HAZARD | more, geometry=geometry))
    return event


# Id, kind, detail, road, limit and the time of the last update, read from each file by hand.
SHARED_EVENTS = {
    "alpine.json": [
        ("123855", "road.alpine_conditions", "", "Link Road", None, "2022-08-20T02:41:22.748"),
        ("123858", "road.alpine_conditions", "", "All roads", None, "2022-08-20T02:41:54.009"),
    ],
    "fire.json": [],
    "incident.json": [
        ("116163", "road.hazard", "Road damage", "Bruxner Highway", 40.0, "2022-07-22T01:33:59"),
        ("125981", "road.hazard", "Road damage", "Newell Highway", None, "2022-07-21T04:21:09"),
        (
            "132964",
            "road.breakdown",
            "Car",
            "South Dowling Street",
            None,
            "2022-08-20T04:05:11.653",
        ),
    ],
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_EVENTS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found = outcomes((SHARED / name).read_bytes())
    told = [
        (
            event.native_id,
            event.kind,
            event.body["detail"],
            event.body["road"],
            event.body["speed_limit_kmh"],
            event.observed_at.replace(tzinfo=None).isoformat(timespec="auto").removesuffix("000"),
        )
        for event in found
        if isinstance(event, Event)
    ]
    assert SHARED_EVENTS[name] == told
    assert told or found[0].why == "a collection without features (Fire): all clear"
    assert {event.lifecycle for event in found if isinstance(event, Event)} <= {"UNKNOWN"}
    assert set(SHARED_EVENTS) == {file.name for file in SHARED.glob("*.json")}


def test_the_lanes_and_the_direction_are_the_sources_words():
    event = outcomes((OWN / "incident.json").read_bytes())[0]
    names = ("road", "direction", "lanes", "impact")
    told = ["Đường Giải Phóng", "Southbound", ["Right turn lane"], "Lanes closed"]
    assert told == [event.body[name] for name in names]
    roads = [text["text"] for text in event.body["texts"] if text["role"] == "road"]
    assert roads == [
        "Đường Giải Phóng, approaching phố Vọng Phường Bạch Mai",
        "Phố Vọng, Phường Bạch Mai",
    ]
    assert event.areas_reported == (Area(scheme="", code="", name="Phường Bạch Mai"),)


def test_html_becomes_lines_and_contacts_are_masked():
    event = outcomes((OWN / "incident.json").read_bytes())[0]
    (advice,) = (t["text"] for t in event.body["texts"] if t["role"] == "otherAdvice")
    assert advice == "Một làn bị chặn & ùn tắc.\nGọi […]"
    assert event.quality_flags == ("contact_masked",)


@pytest.mark.parametrize("value", [-1, None, "40", True])
def test_an_unknown_limit_is_null(value):
    event = event_of(speedLimit=value)
    assert (event.body["speed_limit_kmh"], event.quality_flags) == (None, ())


def test_an_impossible_limit_is_null_and_flagged():
    event = event_of(speedLimit=999)
    assert (event.body["speed_limit_kmh"], event.quality_flags) == (None, ("speed_limit_invalid",))


@pytest.mark.parametrize("value", ["null", " ", "", "-1", None, "Unknown"])
def test_words_for_unknown_are_no_values(value):
    event = event_of(subCategoryA=value, subCategoryB="Tree", headline=value)
    assert (event.body["detail"], event.body["texts"]) == ("Tree", [])


@pytest.mark.parametrize(
    ("fields", "lifecycle"),
    [
        ({}, "UNKNOWN"),
        ({"ended": True}, "ENDED"),
        ({"end": NOW_MS}, "ENDED"),
        ({"end": NOW_MS + 1}, "UNKNOWN"),
        ({"end": -1}, "UNKNOWN"),
    ],
)
def test_an_end_is_a_flag_or_a_time_not_after_the_publication(fields, lifecycle):
    assert event_of(**fields).lifecycle == lifecycle


def test_an_id_is_a_text_whether_it_was_one_or_not():
    number, text = (
        outcomes({"features": [{"id": id_, "properties": HAZARD}]})[0] for id_ in (7, "7")
    )
    assert number.subject == text.subject == ("7",)


def test_one_bad_hazard_does_not_lose_its_neighbours():
    found = outcomes((OWN / "incident.json").read_bytes())
    assert [type(each) for each in found] == [Event, Rejection, Event]
    assert (found[1].code, found[1].path) == ("missing-field", "features[1]/id")


def test_three_times_are_kept_apart():
    event = event_of(created=NOW_MS - 3_600_000)
    assert datetime(2026, 11, 20, 1, 14, tzinfo=UTC) == event.observed_at
    assert datetime(2026, 11, 20, 1, 15, tzinfo=UTC) == event.published_at
    assert datetime(2026, 11, 20, 0, 15, tzinfo=UTC) == event.body["valid_from"]


def test_points_are_longitude_first_and_swapped_ones_flagged():
    event = event_of(geometry={"type": "Point", "coordinates": [105.85, 21.03]})
    assert event.position == Position(lat=21.03, lon=105.85)
    swapped = event_of(geometry={"type": "Point", "coordinates": [21.03, 105.85]})
    assert (swapped.position, swapped.quality_flags) == (None, ("axes_swapped_suspect",))


def test_content_that_changed_without_its_time_has_another_identity():
    assert {"body.texts", "body.lanes"} <= set(connector.identity["situation"])
    one, other = event_of(), event_of(otherAdvice="Mở một làn")
    assert (one.version_at, one.body["texts"]) != (other.version_at, other.body["texts"])
    assert one.version_at == other.version_at


def test_an_error_document_is_no_all_clear():
    with pytest.raises(PayloadError, match="a list"):
        outcomes({"message": "API rate limit exceeded"})


@pytest.mark.parametrize("value", [7, None, [], {"a": [1]}, True, "x", 10**30])
@pytest.mark.parametrize(
    "name", ["mainCategory", "lastUpdated", "end", "created", "ended", "roads", "otherAdvice"]
)
def test_a_value_of_any_kind_costs_at_most_its_hazard(name, value):
    first, second = outcomes(collection(HAZARD, HAZARD | {name: value}))
    assert (type(first), type(second)) == (Event, Event)


def test_roads_of_any_shape_are_read_as_far_as_they_go():
    roads = [7, {"impactedLanes": 3}, {"mainStreet": ["x"], "impactedLanes": [None, {}]}]
    assert event_of(roads=roads).body["road"] == ""


@pytest.mark.parametrize(
    ("ended", "lifecycle"),
    [(True, "ENDED"), ("True", "ENDED"), ("False", "UNKNOWN"), (False, "UNKNOWN")],
)
def test_an_end_flag_that_is_the_text_false_ends_nothing(ended, lifecycle):
    assert event_of(ended=ended).lifecycle == lifecycle
