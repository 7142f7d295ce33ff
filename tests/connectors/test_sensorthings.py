"""`sensorthings` against the standard and Hamburg's layers; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.sensorthings import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "sensorthings"
NOW = datetime(2026, 11, 20, 1, 30, 2, tzinfo=UTC)
AT = "2026-11-20T01:29:58Z"
TOPIC = {"mqtt_topic": "v1.1/Datastreams(51)/Observations"}
KNOWN = {"51": {"layer": "primary_signal", "thing": "1337_1", "crossing": "1337"}}
# What the documentation's entities give: they are of no traffic, or are no observations.
SHARED_NOTHING = {
    "entity_1.json": "no observation",
    "entity_2.json": "no observation",
    "expand_1.json": "no observation",
    "expand_2.json": "observations of layers that are not read: without a layer",
}


def read(document, meta=None, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    payload = Payload(body=body, received_at=NOW, meta=meta or {})
    return list(parse(payload, Options(**options)))


def stream(*results, layer="primary_signal", **members):
    observations = [
        each if isinstance(each, dict) else {"phenomenonTime": AT, "result": each}
        for each in results
    ]
    base = {"@iot.id": 51, "properties": {"layerName": layer, "signalGroupID": "K2"}}
    thing = {"name": "1337_1", "properties": {"trafficLightsID": "1337"}}
    return base | {"Thing": thing, "Observations": observations} | members


def one(*results, **members):
    (outcome,) = read({"value": [stream(*results, **members)]})
    return outcome


def phase(result, **members):
    event = one(result, **members)
    return event.body["groups"][0]["state"], event.quality_flags


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_NOTHING)
def test_a_shared_entity_that_is_no_traffic_gives_nothing(name):
    (outcome,) = read((SHARED / name).read_bytes())
    assert isinstance(outcome, Nothing)
    assert outcome.why == SHARED_NOTHING[name]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_observation_alone_belongs_to_no_known_datastream():
    body = (SHARED / "entity_4.json").read_bytes()
    (refused,) = read(body)
    assert refused.code == "unknown-datastream"
    (event,) = read(body, TOPIC, datastreams={"51": {"layer": "detector_car"}})
    assert event.body["occupancy_ratio"] == 0.49
    assert event.observed_at == datetime(2020, 10, 11, 10, 13, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, ("DARK", ())),
        (1, ("STOP_AND_REMAIN", ())),
        (2, ("PERMISSIVE_CLEARANCE", ())),
        (3, ("PERMISSIVE_MOVEMENT_ALLOWED", ())),
        (4, ("PRE_MOVEMENT", ())),
        (5, ("CAUTION_CONFLICTING_TRAFFIC", ())),
        (6, ("PERMISSIVE_CLEARANCE", ())),
        (9, ("UNKNOWN", ("phase_unknown",))),
        (7, ("UNKNOWN", ("phase_unknown",))),
        (-1, ("UNKNOWN", ("phase_unknown",))),
        ("3", ("PERMISSIVE_MOVEMENT_ALLOWED", ())),
        (3.5, ("UNKNOWN", ("phase_unknown",))),
    ],
)
def test_a_code_is_a_phase_and_unknown_ones_are_none(code, expected):
    assert phase(code) == expected


def test_the_words_of_the_unit_go_before_hamburg_s_list():
    unit = {"symbol": "-", "definition": "0=red, 1=Green,9=unknown"}
    assert phase(1, unitOfMeasurement=unit)[0] == "PERMISSIVE_MOVEMENT_ALLOWED"
    assert phase(1, unitOfMeasurement={"definition": "http://x"})[0] == "STOP_AND_REMAIN"


def test_a_phase_begins_at_its_observation_as_signals_come_on_change_alone():
    event = one(3)
    assert event.body["groups"][0]["start_at"] == event.observed_at == datetime.fromisoformat(AT)


def test_observations_come_newest_first_and_are_given_oldest_first():
    entries = [
        {"phenomenonTime": f"2026-11-20T01:29:{second}Z", "result": 1} for second in (50, 40, 45)
    ]
    events = read({"value": [stream(*entries)]})
    assert [event.observed_at.second for event in events] == [40, 45, 50]


def test_the_same_observation_twice_has_one_id():
    body = json.dumps({"phenomenonTime": AT, "result": 1}).encode()
    meta, options = dict(TOPIC), {"datastreams": KNOWN}
    ids = {
        result.value[5:21]
        for received in (NOW, NOW.replace(second=30))
        for result in dry_run(
            connector,
            Sample(name="x", body=body, received_at=received, meta=meta, options=options),
        )
    }
    assert len(ids) == 1


def test_a_rebuilt_server_gives_other_ids_and_the_subject_stays():
    assert one(1).subject == one(1, **{"@iot.id": 4711}).subject == ("1337_1", "primary_signal")
    assert one(1, Thing={}).subject == ("Datastreams(51)", "primary_signal")


def test_an_observation_over_mqtt_is_that_of_a_poll():
    (event,) = read({"phenomenonTime": AT, "result": 1}, TOPIC, datastreams=KNOWN)
    polled = one(1)
    assert (event.subject, event.device_ref, event.native_id) == (
        polled.subject, polled.device_ref, polled.native_id,
    )  # fmt: skip
    assert event.body["intersection"] == polled.body["intersection"] == 1337


def test_a_list_of_observations_is_of_the_datastream_its_address_names():
    link = "https://sta.hanoi.example/v1.1/Datastreams(51)/Observations?$skip=1"
    document = {"value": [{"phenomenonTime": AT, "result": 1}], "@iot.nextLink": link}
    assert read(document, datastreams=KNOWN)[0].device_ref == "1337_1"


def test_an_interval_ends_when_it_was_observed_and_its_length_is_the_period():
    entry = {"phenomenonTime": "2026-11-20T01:20:00Z/2026-11-20T01:25:00Z", "result": 187}
    event = one(entry, layer="Anzahl_Kfz_Zaehlfeld_5-Min")
    assert event.observed_at == datetime(2026, 11, 20, 1, 25, tzinfo=UTC)
    assert (event.body["vehicle_count"], event.body["period_s"]) == (187, 300.0)


def test_a_jittering_time_is_left_as_it_is():
    event = one({"phenomenonTime": "2026-11-20T01:29:57.377Z", "result": 1})
    assert event.observed_at == datetime(2026, 11, 20, 1, 29, 57, 377_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("layer", "symbol", "result", "field", "value"),
    [
        ("Anzahl_Kfz_Zaehlfeld_5-Min", "", 0, "vehicle_count", 0),
        ("Anzahl_Fahrraeder_Zaehlstelle_5-Min", "", 12, "vehicle_count", 12),
        ("detector_car", "", 100, "occupancy_ratio", 1.0),
        ("detector_bike", "", 7, "occupancy_ratio", 0.07),
        ("", "km/h", 31.5, "speed_kmh", 31.5),
        ("", "m/s", 10, "speed_kmh", 36.0),
        ("", "veh/h", 1240, "flow_veh_h", 1240.0),
        ("Anzahl_Kfz_Zaehlfeld_5-Min", "", -1, "vehicle_count", None),
        ("Anzahl_Kfz_Zaehlfeld_5-Min", "", 1.5, "vehicle_count", None),
        ("detector_car", "", 101, "occupancy_ratio", None),
        ("", "km/h", -99, "speed_kmh", None),
    ],
)
def test_a_quantity_is_known_by_layer_or_unit_and_sentinels_are_none(
    layer, symbol, result, field, value
):
    event = one(result, layer=layer, unitOfMeasurement={"symbol": symbol})
    assert event.body.get(field) == value
    assert event.quality_flags == (() if value is not None else (f"{field}_invalid",))


def test_bicycles_are_a_class_of_their_own():
    assert one(7, layer="detector_bike").body["vehicle_class"] == "bicycle"
    assert one(7, layer="Anzahl_Fahrraeder_5-Min").body["vehicle_class"] == "bicycle"
    assert one(7, layer="Anzahl_Kfz_5-Min").body["vehicle_class"] == ""


@pytest.mark.parametrize("layer", ["signal_program", "cycle_second", ""])
def test_other_layers_are_named_and_not_read(layer):
    outcome = one(7, layer=layer)
    assert isinstance(outcome, Nothing)
    assert (layer or "without a layer") in outcome.why


def test_things_hold_datastreams_and_their_place():
    thing = {
        "name": "1337_1",
        "Locations": [{"location": {"geometry": {"type": "Point", "coordinates": [105.8, 21.0]}}}],
        "Datastreams": [stream(1, Thing={})],
    }
    for document in (thing, {"value": [thing]}):
        (event,) = read(document)
        assert (event.device_ref, event.position.lat) == ("1337_1", 21.0)


def test_a_bad_observation_hides_no_other():
    outcomes = read({"value": [stream("n/a", None, 1), 7, stream(1)]})
    assert [type(each) for each in outcomes] == [Rejection, Rejection, Event, Rejection, Event]
    assert [outcomes[0].path, outcomes[3].path] == [
        "value[0]/Observations[0]/result", "value[1]",
    ]  # fmt: skip


def test_an_empty_answer_is_nothing():
    assert isinstance(read({"value": []})[0], Nothing)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"code": 404, "type": "error", "message": "Not a valid path"}, "service-error"),
        (b"<html/>", "malformed"),
        (b"[]", "wrong-type"),
    ],
)
def test_an_answer_that_is_none_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code


def test_a_wrong_option_is_named():
    with pytest.raises(ValidationError, match=r"datastreams\.51\.layer"):
        Options(datastreams={"51": {"thing": "1337_1"}})
