# more than 400 lines: every shape of one format, in one place
"""NGSI: one entity in its shapes, what a type becomes, partial and repeated notifications."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.shapes import outlines_of, points_of, position_of
from connectors.ngsi import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Position, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples"
AT = datetime(2026, 11, 20, 1, 16, 2, tzinfo=UTC)
FLOW = {
    "id": "F-1",
    "type": "TrafficFlowObserved",
    "dateObservedFrom": "2026-11-20T01:10:00Z",
    "dateObservedTo": "2026-11-20T01:15:00Z",
    "intensity": 143,
    "occupancy": 0.31,
    "averageVehicleSpeed": 27.5,
    "laneId": 2,
}
ALERT = {
    "id": "A-1",
    "type": "Alert",
    "category": "traffic",
    "subCategory": "trafficJam",
    "severity": "high",
    "dateIssued": "2026-11-20T01:00:00Z",
    "validTo": "2026-11-20T05:00:00Z",
    "description": "Ùn tắc",
}
ACCIDENT = {
    "id": "R-1",
    "type": "RoadAccident",
    "accidentDate": "2026-11-20T00:52:00Z",
    "status": "onGoing",
}


def outcomes(document, received_at=AT):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def event_of(entity, **more):
    (event,) = outcomes({**entity, **more})
    return event


def v2(entity):
    return {
        name: value if name in {"id", "type"} else {"type": "Text", "value": value, "metadata": {}}
        for name, value in entity.items()
    }


def ld(entity):
    return {
        name: value if name in {"id", "type"} else {"type": "Property", "value": value}
        for name, value in entity.items()
    }


# Read by hand: noun, time (UTC) and what matters of the body, or the type that is named.
FLOW_SHARED = (
    "measurement",
    "2016-12-07T11:15:00+00:00",
    {
        "lane": 1,
        "vehicle_count": 197,
        "period_s": 300.0,
        "speed_kmh": 52.6,
        "occupancy_ratio": 0.76,
    },
)
ISSUED = datetime(2017, 1, 2, 9, 25, 55, tzinfo=UTC)
ALERT_SHARED = ("alert", "2017-01-02T09:25:55+00:00", {"sent_at": ISSUED})
SHARED_FILES = {
    "alert/fiware_ngsi/Alert_example.json": ALERT_SHARED,
    "alert/fiware_ngsi/Alert_example.jsonld": ALERT_SHARED,
    # This one alone has dateModified, without a zone: 12:07:06 in Hanoi.
    "alert/fiware_ngsi/Alert_example-normalized.json": (
        "alert",
        "2019-06-07T05:07:06+00:00",
        {"sent_at": ISSUED},
    ),
    "traffic/fiware_ngsi/TrafficFlowObserved_example.json": FLOW_SHARED,
    "traffic/fiware_ngsi/TrafficFlowObserved_example.jsonld": FLOW_SHARED,
    "traffic/fiware_ngsi/TrafficFlowObserved_example-normalized.json": FLOW_SHARED,
    "traffic/fiware_ngsi/Camera_example.jsonld": "Camera",
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_FILES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    (found,) = outcomes((SHARED / name).read_bytes())
    expected = SHARED_FILES[name]
    if isinstance(expected, str):
        assert found == Nothing(why=f"an entity of type {expected}")
        return
    noun, at, body = expected
    assert (found.noun, found.observed_at.isoformat()) == (noun, at)
    assert body.items() <= found.body.items()
    if noun == "alert":
        assert (found.kind, found.severity) == ("alert.traffic.traffic_jam", "SEVERE")
        assert found.lifecycle == "EXPIRED"


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_no_shared_sample_is_forgotten():
    files = SHARED.glob("*/fiware_ngsi/*.json*")
    assert set(SHARED_FILES) == {str(file.relative_to(SHARED)) for file in files}


@pytest.mark.parametrize("entity", [FLOW, ALERT, ACCIDENT], ids=["flow", "alert", "accident"])
def test_one_entity_in_three_shapes_gives_one_event(entity):
    plain, normalised, linked = (outcomes(shape(entity)) for shape in (dict, v2, ld))
    assert plain == normalised == linked
    notified = {"subscriptionId": "s", "data": [v2(entity)]}
    assert outcomes(notified) == outcomes([entity]) == plain


@pytest.mark.parametrize(
    "type_",
    [
        "https://uri.etsi.org/ngsi-ld/default-context/TrafficFlowObserved",
        "https://uri.fiware.org/ns/data-models#TrafficFlowObserved",
        ["TrafficFlowObserved", "Observation"],
    ],
)
def test_a_type_may_be_a_uri_or_a_list(type_):
    assert event_of(FLOW, type=type_).noun == "measurement"


def test_names_may_be_uris():
    speed = FLOW["averageVehicleSpeed"]
    entity = {"id": "F-1", "type": "TrafficFlowObserved"}
    entity["https://smartdatamodels.org/dataModel.Transportation/averageVehicleSpeed"] = speed
    assert event_of(entity).body["speed_kmh"] == 27.5


def test_geojson_answers_are_entities_too():
    point = {"type": "Point", "coordinates": [105.85, 21.03]}
    properties = {name: value for name, value in FLOW.items() if name != "id"}
    feature = {"id": "F-1", "type": "Feature", "geometry": point, "properties": properties}
    (event,) = outcomes({"type": "FeatureCollection", "features": [feature]})
    assert (event.native_id, event.position) == ("F-1", Position(lat=21.03, lon=105.85))


def test_one_bad_entity_does_not_lose_its_neighbours():
    found = outcomes({"subscriptionId": "s", "data": [FLOW, {"type": "Alert"}, 7, ALERT]})
    assert [type(each) for each in found] == [Event, Rejection, Rejection, Event]
    assert [each.path for each in found[1:3]] == ["data[1]/id", "data[2]"]


def test_a_notification_of_the_first_version_says_what_to_subscribe_to():
    (refused,) = outcomes({"subscriptionId": "s", "contextResponses": [{"contextElement": {}}]})
    assert (refused.code, "attrsFormat" in refused.fix) == ("ngsi-v1", True)


def test_an_attribute_named_data_makes_no_notification():
    assert event_of(FLOW, data=[1]).noun == "measurement"
    assert [event.native_id for event in outcomes({"data": [FLOW]})] == ["F-1"]


def test_a_partial_notification_leaves_the_rest_null():
    event = event_of({"id": "F-1", "type": "TrafficFlowObserved", "intensity": 9})
    assert (event.body["vehicle_count"], event.body["speed_kmh"]) == (9, None)
    assert (event.observed_at, event.time_quality) == (None, "RECEIVED")


def test_traffic_flow_without_a_value_is_nothing():
    assert isinstance(event_of({"id": "F-1", "type": "TrafficFlowObserved"}), Nothing)


def test_a_notification_without_entities_is_nothing():
    assert outcomes({"subscriptionId": "s", "data": []}) == [
        Nothing(why="a notification without entities")
    ]


@pytest.mark.parametrize(
    ("fields", "period_s", "flags"),
    [
        ({}, 300.0, ()),
        (
            {
                "dateObserved": "2026-11-20T08:10:00/2026-11-20T08:15:00",
                "dateObservedFrom": None,
                "dateObservedTo": None,
            },
            300.0,
            (),
        ),
        ({"dateObservedFrom": None}, None, ()),
        ({"dateObservedFrom": "2026-11-20T01:20:00Z"}, None, ("period_invalid",)),
    ],
)
def test_intensity_is_a_count_and_the_period_is_the_entitys_own(fields, period_s, flags):
    event = event_of(FLOW, **fields)
    assert (event.body["vehicle_count"], event.body["period_s"]) == (143, period_s)
    assert "flow_veh_h" not in event.body
    assert datetime(2026, 11, 20, 1, 15, tzinfo=UTC) == event.observed_at
    assert event.quality_flags == flags


@pytest.mark.parametrize(
    ("name", "value", "field", "expected", "flags"),
    [
        ("occupancy", 76, "occupancy_ratio", None, ("occupancy_scale_unknown",)),
        ("occupancy", 1, "occupancy_ratio", 1.0, ()),
        ("intensity", -1, "vehicle_count", None, ("sentinel_dropped",)),
        ("intensity", 1.5, "vehicle_count", None, ("intensity_invalid",)),
        ("averageVehicleSpeed", "27.5", "speed_kmh", 27.5, ()),
        ("averageVehicleSpeed", "fast", "speed_kmh", None, ("average_vehicle_speed_invalid",)),
        ("averageVehicleSpeed", True, "speed_kmh", None, ("average_vehicle_speed_invalid",)),
        ("laneId", "x", "lane", None, ("lane_id_invalid",)),
        ("laneId", "urn:ngsi-ld:null", "lane", None, ()),
    ],
)
def test_sentinels_and_faults_cost_only_themselves(name, value, field, expected, flags):
    event = event_of(FLOW, **{name: value})
    assert (event.body[field], event.quality_flags) == (expected, flags)


def test_no_vehicle_and_always_occupied_is_a_stuck_detector():
    event = event_of(FLOW, intensity=0, occupancy=1)
    names = ("vehicle_count", "occupancy_ratio", "speed_kmh")
    assert [event.body[name] for name in names] == [None, None, None]
    assert event.quality_flags == ("detector_stuck",)


@pytest.mark.parametrize(
    ("unit", "expected", "flags"),
    [("KMH", 10.0, ()), ("MTS", 36.0, ()), ("H99", None, ("unit_unknown",))],
)
def test_a_speed_is_converted_by_its_unit_code(unit, expected, flags):
    speed = {"type": "Property", "value": 10, "unitCode": unit}
    event = event_of(FLOW, averageVehicleSpeed=speed)
    assert (event.body["speed_kmh"], event.quality_flags) == (expected, flags)


def test_the_latest_observation_orders_versions():
    category = {"type": "Property", "value": "traffic", "observedAt": "2026-11-20T01:12:00Z"}
    event = event_of(ALERT, category=category)
    assert datetime(2026, 11, 20, 1, 12, tzinfo=UTC) == event.version_at
    assert datetime(2026, 11, 20, 1, 0, tzinfo=UTC) == event.body["sent_at"]
    metadata = {"TimeInstant": {"type": "DateTime", "value": "2026-11-20T01:13:00Z"}}
    speed = {"type": "Number", "value": 10, "metadata": metadata}
    event = event_of({"id": "F", "type": "TrafficFlowObserved", "averageVehicleSpeed": speed})
    assert datetime(2026, 11, 20, 1, 13, tzinfo=UTC) == event.observed_at


def test_several_instances_of_an_attribute_are_read_as_the_default_one():
    instances = [
        {"type": "Property", "value": 1, "datasetId": "urn:a"},
        {"type": "Property", "value": 50},
    ]
    assert event_of(FLOW, averageVehicleSpeed=instances).body["speed_kmh"] == 50.0


@pytest.mark.parametrize(
    "location",
    [
        {"type": "Point", "coordinates": [105.85, 21.03, 12.0]},
        {"type": "geo:json", "value": {"type": "Point", "coordinates": [105.85, 21.03]}},
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [105.85, 21.03]}},
        {"type": "geo:point", "value": "21.03, 105.85"},
        "21.03,105.85",
    ],
)
def test_positions_are_read_in_both_orders_of_their_axes(location):
    event = event_of(ALERT, location=location)
    assert (event.position, event.quality_flags) == (Position(lat=21.03, lon=105.85), ())


def test_swapped_axes_are_flagged_not_trusted():
    event = event_of(ALERT, location={"type": "Point", "coordinates": [21.03, 105.85]})
    assert (event.position, event.quality_flags) == (None, ("axes_swapped_suspect",))


@pytest.mark.parametrize(
    ("entity", "fields", "lifecycle"),
    [
        (ALERT, {}, "UNKNOWN"),
        (ALERT, {"validTo": "2026-11-20T01:00:00Z"}, "EXPIRED"),
        (ALERT, {"deletedAt": "2026-11-20T01:15:00Z"}, "CANCELLED"),
        (ALERT, {"alterationType": {"type": "Text", "value": "entityDelete"}}, "CANCELLED"),
        (ACCIDENT, {}, "UNKNOWN"),
        (ACCIDENT, {"status": "solved"}, "ENDED"),
        (ACCIDENT, {"endDate": "2026-11-20T01:00:00Z"}, "ENDED"),
        (ACCIDENT, {"deletedAt": "2026-11-20T01:15:00Z"}, "CANCELLED"),
    ],
)
def test_ends_are_kept_apart(entity, fields, lifecycle):
    assert event_of(entity, **fields).lifecycle == lifecycle


def test_an_update_an_end_and_a_delete_have_one_subject():
    events = [event_of(ALERT, **more) for more in ({}, {"severity": "low"}, {"deletedAt": "x"})]
    assert {event.subject for event in events} == {("A-1",)}
    assert connector.identity["alert"] == ("body.sent_at", "body.infos")


def test_works_that_begin_next_week_are_told_today():
    works = {"id": "W-1", "type": "CityWork", "dateModified": "2026-11-20T01:10:00Z"}
    event = event_of(works, startDate="2026-11-27T00:00:00Z", endDate="2026-12-27T00:00:00Z")
    assert datetime(2026, 11, 20, 1, 10, tzinfo=UTC) == event.observed_at
    assert datetime(2026, 11, 27, tzinfo=UTC) == event.body["valid_from"]
    assert (event.time_quality, event.lifecycle) == ("DEVICE", "UNKNOWN")


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("informational", "INFO"),
        ("low", "MINOR"),
        ("medium", "MODERATE"),
        ("critical", "EXTREME"),
        ("", "UNKNOWN"),
    ],
)
def test_severity_is_the_models_word(word, severity):
    assert event_of(ALERT, severity=word).severity == severity


def test_persons_and_their_contacts_stay_in_raw():
    source = "https://account.hanoi.example/users/bia"
    event = event_of(ALERT, alertSource=source, owner=["urn:p:bia"], description="Gọi 0910 000 000")
    assert not [word for word in ("bia", "0910") if word in str(event)]
    assert event.quality_flags == ("contact_masked",)
    accident = event_of(ACCIDENT, description="Gọi 0910 000 000", dataProvider="bia@thu.example")
    assert not [word for word in ("bia", "0910") if word in str(accident)]
    assert accident.quality_flags == ("contact_masked",)


def test_a_device_that_is_the_source_is_the_events_device():
    event = event_of(ALERT, alertSource={"type": "Relationship", "object": "urn:ngsi-ld:Device:7"})
    assert event.device_ref == "urn:ngsi-ld:Device:7"


# GeoJSON shapes


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"type": "Point"}, {"coordinates": "a"}])
def test_what_is_no_geometry_has_no_point(value):
    assert (points_of(value), position_of(value), outlines_of(value)) == (([], ()), None, [])


def test_a_polygon_is_an_outline_latitude_first():
    ring = [[105.8, 21.0], [105.9, 21.0], [105.9, 21.1], [105.8, 21.0]]
    hole = [[105.85, 21.05], [105.86, 21.05], [105.86, 21.06], [105.85, 21.05]]
    outline = "21.0,105.8 21.0,105.9 21.1,105.9 21.0,105.8"
    polygon = {"type": "Polygon", "coordinates": [ring, hole]}
    several = {"type": "MultiPolygon", "coordinates": [[ring], [ring]]}
    assert outlines_of(polygon) == [outline]
    assert outlines_of({"geometries": [polygon, several]}) == [outline] * 3


MEMBERS = ["id", "type", "value", "coordinates", "geometries", "data", "object", "metadata"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "value",
                    "coordinates",
                    "geometries",
                    "location",
                    "data",
                    "object",
                    "metadata",
                    "validTo",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_geometry_raises(value):
    points_of(value)
    position_of(value)
    outlines_of(value)


@given(JSON, st.sampled_from([FLOW, ALERT, ACCIDENT]), st.data())
def test_a_value_of_any_kind_anywhere_costs_at_most_its_entity(value, entity, data):
    name = data.draw(st.sampled_from([*entity, "location", "address", "description"]))
    body = (
        json.dumps({**entity, name: value}, allow_nan=False, default=str).encode()
        if _is_json(value)
        else b"{}"
    )
    assert len(outcomes(body)) >= 1


def _is_json(value):
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
