# more than 400 lines: every trap of one format, in one place
"""`axis` against what is known of its formats; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.axis import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.config import TEST_ID_KEY
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "axis"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = "2026-03-14T00:46:02.256685Z"
AT_MS = 1773449162256
JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
MOTION = "CameraApplicationPlatform/VMD/Camera1Profile1"
# What must come out of each shared sample, read from the file: kind, device, state, region or
# lifecycle of each event, or why there is none.
SHARED_OUTCOMES = {
    "fence_guard_init.xml": [("camera.line_crossed", "1", "STOPPED", "Profile1")],
    "object_analytics_init.xml": [("camera.object_detected", "1", "STOPPED", "Scenario1")],
    "vmd4_c1p1_change.xml": [("camera.motion", "1", "STARTED", "Profile1")],
    "vmd4_any_init.xml": "a repeat of what each profile, or any of them, tells",
    "global_scene_change.xml": [("device.health", "0", "ONLINE", None)],
    "port_0_init.xml": [("camera.input", "", "STOPPED", "")],
    "first_message.xml": "no event and no frame in it",
    "mqtt_event_pir.json": [("camera.presence", "", "STOPPED", "")],
    "ws_objectanalytics_notify.json": [("camera.object_detected", "1", "STOPPED", "Scenario1")],
    "consolidated_track.json": [("camera.tracked_object", "", "STOPPED", None)],
    "lpr_fflprapp_event.json": [("vehicle.passage", "ACCC8ED3290D", None, None)],
}
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared samples are not beside the project"
)


def read(body, topic="", content_type="", **options):
    body = json.dumps(body) if isinstance(body, dict | list) else body
    body = body if isinstance(body, bytes) else body.encode()
    meta = {"mqtt_topic": topic} if topic else {}
    payload = Payload(body=body, content_type=content_type, received_at=NOW, meta=meta)
    return list(parse(payload, Options(**options)))


def one(body, topic="", content_type="", **options):
    outcomes = read(body, topic, content_type, **options)
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def items(values):
    return "".join(f'<SimpleItem Name="{name}" Value="{text}"/>' for name, text in values.items())


def event(topic=f"tnsaxis:{MOTION}", operation="Changed", source=None, **data):
    return (
        f"<MetadataStream><Event><NotificationMessage><Topic>{topic}</Topic><Message>"
        f'<Message UtcTime="{AT}" PropertyOperation="{operation}">'
        f"<Source>{items(source or {})}</Source><Data>{items(data)}</Data>"
        "</Message></Message></NotificationMessage></Event></MetadataStream>"
    )


def published(topic=f"axis:{MOTION}", source=None, serial=None, stamp=AT_MS, **data):
    message = {"source": source or {}, "key": {}, "data": data}
    told = {"timestamp": stamp, "topic": topic, "message": message}
    return told | ({"serial": serial} if serial else {})


def push(**more):
    return {
        "capture_timestamp": "1773449162252",
        "datetime": "20260314 074602252",
        "plateUTF8": "30L-614.37",
        "plateConfidence": "0.71",
        "carState": "lost",
        "carID": "1144696",
        "camera_info": {"SerialNumber": "B8A44F0417C2", "MACAddress": "B8:A4:4F:04:17:C2"},
    } | more


def id_of(found):
    return Identity(TEST_ID_KEY, connector, "s").event(found, payload_id="p", index=0)


@needs_shared
@pytest.mark.parametrize("name", SHARED_OUTCOMES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found, wanted = one((SHARED / name).read_bytes()), SHARED_OUTCOMES[name]
    if isinstance(wanted, str):
        assert found == Nothing(why=wanted)
        return
    told = (found.kind, found.device_ref, found.body.get("state"), found.body.get("region"))
    assert [told] == wanted
    assert found.replayed == name.endswith("_init.xml") or name == "global_scene_change.xml"


@needs_shared
def test_the_shared_plate_is_read_with_its_true_time():
    found = one((SHARED / "lpr_fflprapp_event.json").read_bytes())
    plate = found.restricted["plate"]
    assert (plate["raw"], plate["confidence"], found.lifecycle) == ("RLE11684", 0.719034, "ENDED")
    assert found.observed_at == datetime(2021, 6, 11, 10, 5, 38, 252_000, tzinfo=UTC)
    assert (found.body["plate_box"]["x"], found.body["plate_box"]["scale"]) == (1185, "PIXEL")
    assert "outside_hanoi" in found.quality_flags


@needs_shared
def test_a_packet_of_the_stream_is_read_with_its_header_before_the_document():
    text = (SHARED / "rtp_packet1_full.hex.txt").read_text()
    assert one(bytes.fromhex(text)) == Nothing(why="whether it records, which is no trouble")


def test_prefixes_of_topics_differ_by_transport_and_do_not_matter():
    streamed = one(event(active="1"))
    published_one = one(published(active="1", stamp=AT))
    assert id_of(streamed) == id_of(published_one)


@pytest.mark.parametrize("topic", ["VMD/Camera1ProfileANY", "ObjectAnalytics/Device1ScenarioANY"])
def test_any_repeats_each_profile_and_one_of_both_is_read(topic):
    body = published(f"axis:CameraApplicationPlatform/{topic}", active="1")
    assert isinstance(one(body), Nothing)
    assert isinstance(one(body, profiles="any"), Event)
    assert isinstance(one(published(active="1"), profiles="any"), Nothing)


def test_the_camera_and_the_profile_stand_in_the_topic_alone():
    found = one(published("axis:CameraApplicationPlatform/VMD/Camera2Profile3", active="1"))
    assert (found.device_ref, found.body["region"]) == ("2", "Profile3")
    assert found.body["rule"] == "CameraApplicationPlatform/VMD"


@pytest.mark.parametrize(("value", "state"), [("1", "STARTED"), ("0", "STOPPED")])
def test_a_state_is_zero_or_one_and_picked_by_name(value, state):
    body = published(
        "tnsaxis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1",
        classTypes="human",
        active=value,
    )
    assert (one(body).body["state"], one(body).body["target"]) == (state, "human")


def test_a_state_at_the_subscription_is_replayed():
    found = one(event(operation="Initialized", active="1"))
    assert (found.replayed, found.body["state"]) == (True, "ONGOING")


@pytest.mark.parametrize(
    ("serial", "topic", "options", "device_ref"),
    [
        ("B8A44F0417C2", "", {}, "B8A44F0417C2"),
        (None, "axis/B8A44F0417C2/event/tns:onvif/Device/axis:IO/Port", {}, "B8A44F0417C2"),
        (None, "ngo-105/event/tns:onvif/Device/axis:IO/Port", {}, "ngo-105"),
        (None, "", {"device": "cam-7"}, "cam-7"),
        (None, "", {}, ""),
    ],
)
def test_a_serial_number_stands_in_the_payload_or_the_topic_or_nowhere(
    serial, topic, options, device_ref
):
    body = published("onvif:Device/axis:IO/Port", {"port": "1"}, serial, state="1")
    found = one(body, topic, **options)
    assert (found.device_ref, found.body["input_ref"]) == (device_ref, "1")
    assert ("device_unnamed" in found.quality_flags) == (not device_ref)


def test_the_topic_of_an_event_may_stand_in_that_of_mqtt_alone():
    body = published(topic=None, source={"sensor": "0"}, state="1")
    topic = "axis/B8A44F0417C2/event/tns:onvif/Device/tns:axis/Sensor/PIR/$source/sensor/0"
    assert one(body, topic).kind == "camera.presence"
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert (refused.value.code, refused.value.path) == ("no-event", "topic")


def test_zero_bytes_on_a_topic_of_events_are_a_deleted_property():
    assert isinstance(one(b"", "axis/B8A44F0417C2/event/tns:axis/X"), Nothing)


def test_an_event_of_the_websocket_is_that_of_the_camera():
    told = published(active="1", stamp=AT)
    body = {"method": "events:notify", "params": {"notification": told}}
    assert id_of(one(body)) == id_of(one(told))
    assert isinstance(one({"apiVersion": "1.0", "method": "events:configure", "data": {}}), Nothing)
    with pytest.raises(PayloadError, match="refused a request"):
        read({"method": "events:configure", "error": {"code": 1100}})


def test_y_points_downwards_in_scenes():
    sides = {"left": 0.125, "top": 0.25, "right": 0.625, "bottom": 0.5}
    seen = [{"track_id": "2", "bounding_box": sides, "class": {"type": "Bus", "score": 0.7}}]
    box = one({"frame": {"timestamp": AT, "observations": seen}}).body["box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (0.125, 0.25, 0.5, 0.25)
    assert box["scale"] == "UNIT"


def test_objects_of_a_scene_end_when_they_are_deleted_or_renamed():
    operations = [
        {"type": "DeleteOperation", "id": "3"},
        {"type": "RenameOperation", "from": "8", "to": "2"},
        {"type": "MergeOperation", "from": ["4", "5"], "to": "5"},
        {"type": "OtherOperation"},
        "broken",
    ]
    found = read({"frame": {"timestamp": AT, "operations": operations}})
    assert [(each.native_id, each.body["state"]) for each in found] == [
        ("3", "STOPPED"),
        ("8", "STOPPED"),
        ("4", "STOPPED"),
    ]


def test_an_object_of_a_scene_without_an_id_hides_no_other():
    seen = [{"class": {"type": "Car"}}, "broken", {"track_id": "2"}]
    outcomes = read({"frame": {"timestamp": AT, "observations": seen}})
    assert [type(each) for each in outcomes] == [Rejection, Rejection, Event]
    assert outcomes[0].path == "frame/observations[0]/track_id"
    assert isinstance(one({"frame": {"timestamp": AT}}), Nothing)
    assert one({"start_time": AT, "observations": []}).code == "object-unnamed"


def test_a_track_is_one_event_of_the_end_of_its_object():
    found = one({"id": "a-b", "start_time": AT, "end_time": "2026-03-14T00:46:04Z", "classes": [
        {"type": "Human", "score": 0.2}, {"type": "Car", "score": 0.7}]})  # fmt: skip
    assert (found.native_id, found.body["state"], found.body["target"]) == ("a-b", "STOPPED", "Car")
    assert found.observed_at == datetime(2026, 3, 14, 0, 46, 4, tzinfo=UTC)


@pytest.mark.parametrize(("target", "roles"), [("Car", ["vehicle"]), ("Human", []), ("", [])])
def test_pictures_of_persons_and_their_clothes_are_not_kept(target, roles):
    told = {"type": target, "score": 0.7, "upper_clothing_colors": [{"name": "Purple"}]}
    found = one({"id": "a", "start_time": AT, "classes": [told], "image": {"data": JPEG}})
    assert [picture.role for picture in found.pictures] == roles
    assert ("person_picture_dropped" in found.quality_flags) == (not roles)
    assert "Purple" not in str(found)


def test_two_cameras_of_one_broker_share_no_subject():
    body = {"frame": {"timestamp": AT, "observations": [{"track_id": "1"}]}}
    first, second = (one(body, f"axis/B8A44F0417C{n}/scene") for n in (1, 2))
    assert (first.device_ref, first.subject != second.subject) == ("B8A44F0417C1", True)


def test_every_number_of_a_plate_is_a_text():
    found = one(push(plateCoordinates=["1185", "532", "140", "28"]))
    assert found.restricted["plate"]["confidence"] == 0.71
    assert found.body["plate_box"]["width"] == 140


def test_the_local_time_counts_only_where_the_true_one_is_missing():
    true = one(push(datetime="20260314 050000000"))
    local = one(push(capture_timestamp="0", capture_ts=""))
    ns = one(push(capture_timestamp="", capture_ts="1773449162252000000", datetime=""))
    assert true.observed_at == local.observed_at == ns.observed_at
    assert [each.time_quality for each in (true, local, ns)] == ["DEVICE", "ASSUMED_ZONE", "DEVICE"]


def test_one_car_is_new_updated_and_lost_under_one_subject():
    found = [one(push(carState=state)) for state in ("new", "update", "lost")]
    assert [each.lifecycle for each in found] == ["NEW", "UPDATED", "ENDED"]
    assert len({each.subject for each in found}) == 1
    assert len({id_of(each) for each in found}) == 3
    last = [one(push(carState=state), reads="lost") for state in ("new", "update", "lost")]
    assert [type(each) for each in last] == [Nothing, Nothing, Event]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"plateUTF8": ""}, ""),
        ({"plateUTF8": "", "plateUnicode": "29K08352"}, "29K08352"),
        ({"plateUTF8": "", "plateText": "29K08352"}, "29K08352"),
    ],
)
def test_a_plate_stands_in_four_encodings(names, text):
    found = one(push(**names))
    assert found.restricted["plate"]["text"] == text
    assert ("plate_unread" in found.quality_flags) == (not text)


def test_a_description_of_a_list_may_name_a_person_and_is_not_read():
    found = one(push(plateList="Block list", plateListDescription="Anh Ba"))
    assert found.body["list_name"] == "Block list"
    assert "Anh Ba" not in str(found)


def test_a_picture_that_is_only_a_uri_behind_the_cameras_digest_is_not_fetched_nor_told():
    found = one(push(imagesURI=["http://root:mat-khau-7@10.20.30.7/lp_7.jpg"]))
    assert found.pictures == ()
    assert "mat-khau" not in repr(found)


def test_the_plate_stands_nowhere_but_in_the_restricted_part():
    found = one(push(carID="30L61437", imagesURI=["/lp_30L61437.jpg"]))
    assert (found.native_id, "native_id_withheld" in found.quality_flags) == (None, True)
    assert "61437" not in str((found.body, found.subject, found.quality_flags, found.device_ref))


def multipart(*parts):
    head = '--b\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\n\r\n'
    return b"".join(head.format(*n).encode() + data + b"\r\n" for n, data in parts) + b"--b--\r\n"


def test_a_push_with_pictures_beside_it_keeps_what_each_shows():
    jpeg = b"\xff\xd8\xff\xe0 %d \xff\xd9"
    body = multipart(
        (("event", "event.json"), json.dumps(push()).encode()),
        (("image", "2026_785523lp_30L61437_1.jpg"), jpeg % 1),
        (("image2", "2026_547764roi_30L61437_2.jpg"), jpeg % 2),
    )
    found = one(body, content_type="multipart/form-data; boundary=b")
    assert [picture.role for picture in found.pictures] == ["plate", "scene"]
    assert "30L61437" not in str(found.quality_flags)
    with pytest.raises(PayloadError, match="no event"):
        read(multipart((("image", "x.jpg"), jpeg % 1)))


@pytest.mark.parametrize(
    ("kind", "role"), [("plate", "plate"), ("vehicle", "vehicle"), ("frame", "scene")]
)
def test_a_picture_in_base64_shows_what_its_event_says(kind, role):
    found = one(push(imageType=kind, ImageArray=[{"ImageType": "", "BinaryImage": JPEG}]))
    assert [picture.role for picture in found.pictures] == [role]


def test_an_event_of_the_verifier_is_the_read_that_it_pushes():
    data = {"text": "30L-614.37", "carState": "lost", "carID": "1144696", "left": "1185"}
    data |= {"capture_timestamp": "1773449162252", "MACAddress": "B8A44F0417C2"}
    found = one(event("tnsaxis:CameraApplicationPlatform/ALPV.Lost", "", **data))
    assert id_of(found) == id_of(one(push()))
    unstamped = one(event("tnsaxis:CameraApplicationPlatform/ALPV.Lost", text="30L-614.37"))
    assert unstamped.observed_at == datetime.fromisoformat(AT)


def test_a_list_that_matches_is_a_detection_without_the_plate():
    found = one(event("tnsaxis:CameraApplicationPlatform/ALPV.Block_list", active="1"))
    assert (found.kind, found.body["state"]) == ("camera.plate_listed", "STARTED")


def test_the_heartbeat_of_the_verifier_is_no_alarm():
    body = {"system": {"timestamp": AT}, "identify": {"macAddress": "x"}, "ALPV": {"version": "2"}}
    assert isinstance(one(body), Nothing)


def search(*reads):
    return "<events>" + "".join(f"<event>{each}</event>" for each in reads) + "</events>"


def test_two_times_of_a_search_that_disagree_are_suspect():
    same = "<TS>1773447600000</TS><MOD_TS>2026-03-14 00:20:00 GMT</MOD_TS><LPR>29K08352</LPR>"
    apart = same.replace("00:20:00", "02:20:00")
    first, second, third = read(search(same, apart, "<LPR/>"), device="cam-7")
    assert (first.time_quality, first.replayed) == ("DEVICE", True)
    assert (second.time_quality, second.quality_flags) == ("SUSPECT", ("times_disagree",))
    assert second.observed_at == first.observed_at
    assert (third.code, third.path) == ("plate-empty", "events/event[2]/LPR")
    assert isinstance(one(search()), Nothing)


def test_a_broken_document_of_the_stream_ends_nothing():
    declared = '<?xml version="1.0"?>'
    broken = "<MetadataStream><Event></MetadataStream>"
    outcomes = read(declared + event(active="1") + declared + broken + declared + event(active="0"))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


def test_scenes_of_the_stream_are_read_as_onvif_has_them():
    frame = f'<Frame UtcTime="{AT}"><Object ObjectId="1"/></Frame><Frame UtcTime="{AT}"/>'
    body = f"<MetadataStream><VideoAnalytics>{frame}</VideoAnalytics></MetadataStream>"
    assert [type(each) for each in read(body)] == [Event, Nothing]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"[]", "wrong-type"),
        (b"{}", "no-event"),
        (b"{", "malformed"),
        (b'{"message": {}}', "no-event"),
        (b"plain words", "unknown-format"),
    ],
)
def test_what_is_no_message_of_axis_is_refused(body, code):
    try:
        codes = {each.code for each in read(body)}
    except PayloadError as error:
        codes = {error.code}
    assert codes == {code}


def test_a_notification_without_a_topic_is_refused_by_its_place():
    found = one(event(""))
    assert (found.code, found.path) == (
        "topic-missing",
        "MetadataStream/Event/NotificationMessage",
    )
