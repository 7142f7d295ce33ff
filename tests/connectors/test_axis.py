"""`axis` against the client library's fixtures and what cameras send; each trap has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.axis import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "axis"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
# Of each shared sample: kind, state and whether it is the state at a subscription; or why not.
SHARED_OUTCOMES = {
    "consolidated_track.json": ("camera.tracked_object", "STOPPED", False),
    "fence_guard_init.xml": ("camera.fence", "STOPPED", True),
    "first_message.xml": "metadata without events",
    "global_scene_change.xml": ("device.health", "ONLINE", True),
    "lpr_fflprapp_event.json": ("vehicle.passage", None, False),
    "mqtt_event_pir.json": ("camera.motion", "STOPPED", False),
    "object_analytics_init.xml": ("camera.objects", "STOPPED", True),
    "port_0_init.xml": ("camera.input", "STOPPED", True),
    "vmd4_any_init.xml": "a repetition of what each profile tells (ANY)",
    "vmd4_c1p1_change.xml": ("camera.motion", "STARTED", False),
    "ws_objectanalytics_notify.json": ("camera.objects", "STOPPED", False),
}


def read(document, topic="", **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    meta = {"mqtt_topic": topic} if topic else {}
    return list(parse(Payload(body=body, received_at=NOW, meta=meta), Options(**options)))


def one(document, topic="", **options):
    (outcome,) = read(document, topic, **options)
    return outcome


def told(topic="onvif:Device/axis:IO/Port", data=None, **source):
    message = {"source": source, "key": {}, "data": data or {"state": "1"}}
    return {"timestamp": 1773449157321, "topic": topic, "message": message}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_OUTCOMES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found, wanted = one((SHARED / name).read_bytes()), SHARED_OUTCOMES[name]
    if isinstance(wanted, str):
        assert found == Nothing(why=wanted)
    else:
        assert (found.kind, found.body.get("state"), found.replayed) == wanted


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_a_packet_of_rtp_is_the_transports_matter_and_its_document_is_read():
    packet = bytes.fromhex((SHARED / "rtp_packet1_full.hex.txt").read_text("ascii").strip())
    outcomes = read(packet[12:])
    assert outcomes
    assert all(isinstance(each, Event | Nothing) for each in outcomes)


def test_topics_of_every_transport_have_one_kind():
    by_mqtt = one(told(), "axis/B8A44F000001/event/x")
    by_socket = one({"params": {"notification": told("tns1:Device/tnsaxis:IO/Port", port="2")}})
    assert by_mqtt.kind == by_socket.kind == "camera.input"
    assert by_socket.body["input_ref"] == "2"


@pytest.mark.parametrize(("value", "state"), [("0", "STOPPED"), ("1", "STARTED")])
def test_active_is_zero_or_one_as_a_text(value, state):
    topic = "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile2"
    found = one(told(topic, {"active": value}))
    assert (found.body["state"], found.device_ref, found.body["region"]) == (state, "1", "2")


@pytest.mark.parametrize("topic", ["VMD/Camera1ProfileANY", "ObjectAnalytics/Device1ScenarioANY"])
def test_any_repeats_each_profile_and_is_read_only_where_asked_for(topic):
    whole = f"tnsaxis:CameraApplicationPlatform/{topic}"
    assert isinstance(one(told(whole, {"active": "1"})), Nothing)
    assert one(told(whole, {"active": "1"}), any_profile=True).body["region"] == "ANY"


def test_a_camera_is_named_by_its_serial_in_payload_or_topic():
    assert one(told() | {"serial": "B8A44F000009"}, "axis/x").device_ref == "B8A44F000009"
    assert one(told(), "site/B8A44F00000A/event").device_ref == "B8A44F00000A"
    assert one(told(), "nga-tu-so/event").device_ref == "nga-tu-so"


def test_a_finished_track_is_one_event_with_its_own_id_and_boxes_downwards():
    track = {"id": "5b8b", "end_time": "2026-03-14T00:45:57Z",
             "classes": [{"type": "Head", "score": 0.2}, {"type": "Car", "score": 0.7}],
             "observations": [{"bounding_box": {"left": 0.5, "top": 0.4, "right": 0.6,
                                                "bottom": 0.5}}]}  # fmt: skip
    found = one(track)
    assert (found.subject, found.body["target"], found.body["score"]) == (("5b8b",), "Car", 0.7)
    box = found.body["box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (0.5, 0.4, 0.1, 0.1)


def test_the_picture_of_a_person_is_dropped_and_clothes_are_not_read():
    human = {"type": "Human", "upper_clothing_colors": [{"name": "Black"}]}
    track = {"id": "5b8b", "image": {"data": "abcd"}, "classes": [human]}
    found = one(track)
    assert "person_picture_dropped" in found.quality_flags
    assert "Black" not in str(found)


def lpr(**more):
    base = {"capture_timestamp": "1773449157252", "datetime": "20260314 084557252"}
    return base | {"plateUTF8": "30K12345", "plateConfidence": "0.71", "carState": "lost"} | more


def test_a_vehicle_is_told_once_when_it_is_lost():
    assert isinstance(one(lpr(carState="new")), Nothing)
    assert isinstance(one(lpr(carState="update")), Nothing)
    assert one(lpr()).restricted["plate"]["confidence"] == 0.71


def test_the_capture_timestamp_is_right_and_the_datetime_local():
    assert one(lpr()).observed_at == datetime(2026, 3, 14, 0, 45, 57, 252_000, tzinfo=UTC)


def test_uris_that_spell_the_plate_are_not_kept():
    found = one(lpr(imagesURI=["/x/30K12345.jpg"], carID="30K12345"))
    assert "30K12345" not in str(found).replace(str(found.restricted), "")
    assert "native_id_withheld" in found.quality_flags


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "empty"), ({}, "no-event"), (b"[]", "wrong-type"), (b"{", "malformed")]
)
def test_what_is_no_message_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code


def test_another_document_is_refused_and_hides_no_other():
    stream = b"<m:MetadataStream xmlns:m='x'/>"
    outcomes = read(b"<html/>" + stream)
    assert [type(each) for each in outcomes] == [Rejection, Nothing]
