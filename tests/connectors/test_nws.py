"""NWS alerts: ends and expiry, chains, null geometry, placeholders."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.nws import connector, parse
from hub.connector import Area, Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/nws"
SHARED = ROOT.parent / "shared/samples/alert/nws_json"
AT = datetime(2026, 11, 20, 1, 16, 2, tzinfo=UTC)
ALERT = {
    "id": "urn:oid:1",
    "sender": "s@hanoi.example",
    "sent": "2026-11-20T08:00:00+07:00",
    "status": "Actual",
    "messageType": "Alert",
    "category": "Met",
    "severity": "Severe",
    "event": "Flood Watch",
    "expires": "2026-11-20T12:00:00+07:00",
    "ends": None,
    "areaDesc": "Ba Vì; Thạch Thất",
    "references": [],
}


def outcomes(document, received_at=AT):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def collection(*alerts, geometry=None):
    features = [{"type": "Feature", "geometry": geometry, "properties": a} for a in alerts]
    return {"type": "FeatureCollection", "features": features}


def event_of(geometry=None, **more):
    (event,) = outcomes(collection(ALERT | more, geometry=geometry))
    return event


# Of each alert of the file: message type, severity, codes, predecessors and the day it was sent.
# Placeholders for `sent` (all but two) leave no time, but the alert is there.
ARKANSAS = [
    ("ALERT", "SEVERE", 0, 0, "2024-01-29"),
    ("ALERT", "SEVERE", 4, 0, "2024-01-29"),
    ("UPDATE", "MODERATE", 1, 1, ""),
    ("UPDATE", "EXTREME", 2, 1, ""),
    ("ALERT", "SEVERE", 1, 0, ""),
    ("ALERT", "MINOR", 1, 0, ""),
    ("UPDATE", "SEVERE", 1, 2, ""),
    ("ALERT", "SEVERE", 0, 0, ""),
    ("ALERT", "MODERATE", 1, 0, ""),
    ("ALERT", "MODERATE", 1, 0, ""),
    ("UPDATE", "SEVERE", 24, 1, ""),
    ("ALERT", "SEVERE", 0, 0, ""),
]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_twelve_are_read_although_their_times_are_placeholders():
    found = outcomes((SHARED / "arkansas_12.geojson").read_bytes())
    document = json.loads((SHARED / "arkansas_12.geojson").read_text())
    told = [
        (
            event.body["message_type"],
            event.severity,
            len([area for area in event.areas_reported if area.code]),
            event.observed_at.date().isoformat() if event.observed_at else "",
        )
        for event in found
    ]
    assert [(kind, severity, codes, day) for kind, severity, codes, _, day in ARKANSAS] == told
    assert [event.native_id for event in found] == [
        feature["properties"]["id"] for feature in document["features"]
    ]
    assert [count for *_, count, _ in ARKANSAS] == [
        len(feature["properties"]["references"]) for feature in document["features"]
    ]
    for event, (*_, count, _) in zip(found, ARKANSAS, strict=True):
        assert len(event.body["references"]) >= count
    assert [bool(e.body["infos"][0]["areas"][0]["polygons"]) for e in found] == [False] * 11 + [
        True
    ]
    assert "ends_unreadable" in found[0].quality_flags
    assert "ends_unreadable" not in found[11].quality_flags


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_layout_of_2017_is_read():
    found = outcomes((SHARED / "features_2017.geojson").read_bytes())
    assert [event.native_id for event in found] == ["NWS-IDP-PROD-2587691", "NWS-IDP-PROD-2587152"]
    assert [len(event.areas_reported) for event in found] == [65, 65]
    assert [event.lifecycle for event in found] == ["EXPIRED", "EXPIRED"]
    assert datetime(2017, 12, 5, 23, 4, 56, tzinfo=UTC) == found[0].observed_at


@pytest.mark.parametrize(
    ("fields", "lifecycle"),
    [
        ({}, "NEW"),
        ({"messageType": "Update"}, "UPDATED"),
        # The product has expired, the flood has not ended.
        ({"expires": "2026-11-20T08:10:00+07:00", "ends": "2026-11-21T08:00:00+07:00"}, "NEW"),
        (
            {
                "messageType": "Update",
                "expires": "2026-11-20T08:10:00+07:00",
                "ends": "2026-11-21T08:00:00+07:00",
            },
            "UPDATED",
        ),
        ({"ends": "2026-11-20T08:15:00+07:00"}, "EXPIRED"),
        ({"expires": "2026-11-20T08:10:00+07:00"}, "EXPIRED"),
        ({"expires": "2026-11-20T08:10:00+07:00", "ends": "date:now"}, "EXPIRED"),
        ({"messageType": "Cancel", "ends": "2026-11-21T08:00:00+07:00"}, "CANCELLED"),
        ({"urgency": "Past", "response": "AllClear", "ends": "2026-11-21T08:00:00+07:00"}, "ENDED"),
    ],
)
def test_ends_decides_and_expires_only_where_there_is_no_end(fields, lifecycle):
    assert event_of(**fields).lifecycle == lifecycle


def test_ends_is_kept_beside_expires():
    block = event_of(ends="2026-11-21T08:00:00+07:00").body["infos"][0]
    assert {"name": "ends", "value": "2026-11-21T08:00:00+07:00"} in block["parameters"]
    assert datetime(2026, 11, 20, 5, tzinfo=UTC) == block["expires_at"]


def test_predecessors_stand_in_references_and_in_expired_references():
    triple = "s@hanoi.example,urn:oid:{},2026-11-19T06:00:00+07:00"
    event = event_of(
        references=[{"identifier": "urn:oid:0", "sender": "s", "sent": "t"}, {"@id": "x"}, "y"],
        parameters={"expiredReferences": [triple.format("0") + " " + triple.format("00")]},
    )
    told = [(r["identifier"], r["subject"]) for r in event.body["references"]]
    assert told == [("urn:oid:0", ("urn:oid:0",)), ("urn:oid:00", ("urn:oid:00",))]
    assert event.body["infos"][0]["parameters"] == []


def test_null_geometry_leaves_the_codes():
    event = event_of(geocode={"SAME": ["009700"], "UGC": ["HNZ001"]})
    assert event.areas_reported == (
        Area(scheme="SAME", code="009700"),
        Area(scheme="UGC", code="HNZ001"),
    )
    assert event.body["infos"][0]["areas"][0]["description"] == "Ba Vì; Thạch Thất"


def test_the_names_of_all_areas_are_not_repeated_for_each_code():
    event = event_of(areaDesc="x" * 2_000, geocode={"UGC": [f"HNZ{n:03}" for n in range(65)]})
    assert sum(len(area.name) for area in event.areas_reported) == 0


def test_a_polygon_is_turned_to_latitude_first():
    ring = [[105.4, 21.05], [105.5, 21.05], [105.5, 21.12], [105.4, 21.05]]
    event = event_of(geometry={"type": "Polygon", "coordinates": [ring]})
    outline = "21.05,105.4 21.05,105.5 21.12,105.5 21.05,105.4"
    assert event.body["infos"][0]["areas"][0]["polygons"] == [outline]
    assert event.quality_flags == ()


@pytest.mark.parametrize("sent", ["date:now -1 hour", None, ""])
def test_an_alert_is_not_dropped_for_a_placeholder(sent):
    event = event_of(sent=sent)
    assert (event.observed_at, event.time_quality) == (None, "RECEIVED")
    assert event.native_id == "urn:oid:1"


@pytest.mark.parametrize(
    ("name", "code"), [("id", "missing-field"), ("messageType", "missing-field")]
)
def test_one_bad_alert_does_not_lose_its_neighbours(name, code):
    first, refused = outcomes(collection(ALERT, ALERT | {name: None}))
    assert isinstance(first, Event)
    assert (refused.code, refused.path) == ("missing-field", f"features[1]/{name}")


@pytest.mark.parametrize("status", ["Test", "Exercise", "System"])
def test_what_is_not_actual_is_not_live(status):
    assert event_of(status=status).status == status.upper()


def test_an_empty_collection_is_an_all_clear_and_a_problem_is_not():
    (clear,) = outcomes({"features": []})
    assert isinstance(clear, Nothing)
    (problem,) = outcomes((OWN / "problem.json").read_bytes())
    assert (problem.code, isinstance(problem, Rejection)) == ("source-error", True)
    assert outcomes({})[0].code == "not-nws"
    with pytest.raises(PayloadError):
        outcomes(b"[]")


def test_a_single_feature_a_bare_alert_and_a_graph_are_read():
    bare = ALERT | {"references": []}
    feature = {"type": "Feature", "geometry": None, "properties": bare}
    assert outcomes(feature) == outcomes(bare) == outcomes({"@graph": [bare]})


def test_an_update_has_its_own_subject_and_the_identity_is_caps():
    assert event_of(id="urn:oid:2").subject == ("urn:oid:2",)
    assert connector.identity["alert"][0] == "body.identifier"


@pytest.mark.parametrize("value", [7, "x", [], {"a": [1]}, True])
@pytest.mark.parametrize("name", [*ALERT, "geocode", "parameters", "eventCode", "response"])
def test_a_value_of_any_kind_costs_at_most_its_alert(name, value):
    first, _ = outcomes(collection(ALERT, ALERT | {name: value}))
    assert isinstance(first, Event)
