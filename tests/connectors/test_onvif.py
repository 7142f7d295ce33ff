# more than 400 lines: every trap of one format, in one place
"""`onvif` against what is known of the format; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.elements import as_elements
from connectors._formats.inline import inline_pictures
from connectors._formats.onvif_scene import unit_box
from connectors._formats.onvif_topics import classes, is_on, meaning, plain_topic
from connectors._formats.xml import parse_xml
from connectors.onvif import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.config import TEST_ID_KEY
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = "2026-03-14T00:46:02.500Z"
LINE = "RuleEngine/LineDetector/Crossed"
JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
# What must come out of each shared sample, read from the file. The specification's fragments have
# undeclared prefixes, so alone they are refused; inside a document they give what follows.
SHARED_OUTCOMES = {
    "onvif_event/pullmessages_two_linecrossings.xml": [
        ("camera.line_crossed", "1", "PULSE", "MyImportantFence1", "15"),
        ("camera.line_crossed", "1", "PULSE", "MyImportantFence2", "19"),
    ],
    "onvif_event/zeep_linedetector_crossed.json": [
        ("camera.line_crossed", "video_source_config1", "PULSE", "MyLineDetectorRule", "0"),
    ],
    "onvif_event/zeep_reolink_package.json": [
        ("camera.package_detected", "000", "ONGOING", "", None),
    ],
    "onvif_event/zeep_tapo_linecross.json": [
        ("camera.line_crossed", "vsconf", "STARTED", "MyLineCrossDetectorRule", None),
    ],
    "onvif_metadata/sensor_data.xml": [],
    "onvif_mqtt/event_linecrossed.json": [
        ("camera.line_crossed", "MyDevice/1", "PULSE", "MyImportantFence1", "15"),
    ],
    "onvif_mqtt/metadata_frame_myclassifier.json": [
        ("camera.tracked_object", "MyDevice", "ONGOING", None, "15"),
    ],
}
SHARED_TOPICS = {
    "event_linecrossed.json": "MyDevice/onvif-ej/RuleEngine/LineDetector/Crossed/&1/2/M",
    "metadata_frame_myclassifier.json": "MyDevice/onvif-mj/VideoAnalytics/1/MyClassifier",
}
SHARED_FRAGMENTS = {
    "onvif_event/property_deleted.xml": [("camera.object_inside", "1", "STOPPED", None)],
    "onvif_event/property_initialized.xml": [("camera.object_inside", "1", "STOPPED", None)],
    "onvif_metadata/frames_object_track.xml": [
        ("camera.tracked_object", "", "ONGOING", "12"),
        ("camera.tracked_object.idle", "", "ONGOING", "12"),
        ("camera.tracked_object", "", "ONGOING", "12"),
        ("camera.tracked_object.removed", "", "ONGOING", "19"),
    ],
    "onvif_metadata/license_plate_info.xml": [
        ("camera.tracked_object", "", "ONGOING", "12"),
        ("vehicle.passage", "", None, "12"),
    ],
    "onvif_metadata/vehicle_info.xml": [("camera.tracked_object", "", "ONGOING", "45")],
}
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared samples are not beside the project"
)


def read(body, topic="", retain="", **options):
    body = body if isinstance(body, bytes) else body.encode()
    meta = {name: text for name, text in (("mqtt_topic", topic), ("mqtt_retained", retain)) if text}
    payload = Payload(body=body, received_at=NOW, meta=meta)
    return list(parse(payload, Options(**options)))


def one(body, topic="", **options):
    outcomes = read(body, topic, **options)
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def items(**values):
    return "".join(f'<tt:SimpleItem Name="{name}" Value="{v}"/>' for name, v in values.items())


def message(topic=f"tns1:{LINE}", operation="", *, at=AT, source=None, key=None, more="", **data):
    source = {"VideoSource": "1", "Rule": "Fence1"} if source is None else source
    of = f' PropertyOperation="{operation}"' if operation else ""
    return (
        f"<wsnt:NotificationMessage><wsnt:Topic>{topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{at}"{of}><tt:Source>{items(**source)}</tt:Source>'
        f"<tt:Key>{items(**(key or {}))}</tt:Key><tt:Data>{items(**data)}{more}</tt:Data>"
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def stream(*parts, root="MetadataStream"):
    inner = "".join(parts)
    return (
        f'<tt:{root} xmlns:tt="http://www.onvif.org/ver10/schema"'
        f' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2">{inner}</tt:{root}>'
    )


def event(*args, **data):
    return one(stream(f"<tt:Event>{message(*args, **data)}</tt:Event>"))


STEPS = (
    '<tt:Transformation><tt:Translate x="-1.0" y="-1.0"/>'
    '<tt:Scale x="0.003125" y="0.00416667"/></tt:Transformation>'
)


def frame(inner, steps=STEPS):
    text = f'<tt:Frame UtcTime="{AT[:-1]}" Source="M">{steps}{inner}</tt:Frame>'
    return stream(f"<tt:VideoAnalytics>{text}</tt:VideoAnalytics>")


def tracked(appearance="", behaviour="", id_='ObjectId="12"'):
    return (
        f"<tt:Object {id_}><tt:Appearance>{appearance}</tt:Appearance>"
        f"<tt:Behaviour>{behaviour}</tt:Behaviour></tt:Object>"
    )


def box(left="20.0", top="80.0", right="100.0", bottom="30.0"):
    sides = f'left="{left}" top="{top}" right="{right}" bottom="{bottom}"'
    return f"<tt:Shape><tt:BoundingBox {sides}/></tt:Shape>"


def plate(text="29H-772.46", likelihood="0.9"):
    number = f'<tt:PlateNumber Likelihood="{likelihood}">{text}</tt:PlateNumber>'
    return f"<tt:LicensePlateInfo>{number}</tt:LicensePlateInfo>"


def id_of(found):
    return Identity(TEST_ID_KEY, connector, "s").event(found, payload_id="p", index=0)


def told(found):
    return (found.kind, found.device_ref, found.body.get("state"), found.native_id)


@needs_shared
@pytest.mark.parametrize("name", SHARED_OUTCOMES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    outcomes = read((SHARED / name).read_bytes(), SHARED_TOPICS.get(Path(name).name, ""))
    found = [
        (each.kind, each.device_ref, each.body["state"], each.body.get("region"), each.native_id)
        for each in outcomes
        if isinstance(each, Event)
    ]
    assert found == SHARED_OUTCOMES[name]
    assert found or [type(each) for each in outcomes] == [Nothing]


@needs_shared
@pytest.mark.parametrize("name", SHARED_FRAGMENTS)
def test_a_fragment_of_the_specification_is_refused_alone_and_read_inside_a_document(name):
    text = (SHARED / name).read_text()
    assert {each.code for each in read(text)} == {"malformed"}
    outcomes = [each for each in read(stream(text)) if isinstance(each, Event)]
    assert [told(each) for each in outcomes] == SHARED_FRAGMENTS[name]


@needs_shared
def test_the_shared_plate_and_vehicle_are_read_with_their_likelihoods():
    vehicle, read_plate = read(
        stream((SHARED / "onvif_metadata/license_plate_info.xml").read_text())
    )
    assert read_plate.restricted["plate"]["raw"] == "6DZG261"
    assert (read_plate.restricted["plate"]["confidence"], read_plate.body["country"]) == (
        0.9,
        "US-California",
    )
    car = one(stream((SHARED / "onvif_metadata/vehicle_info.xml").read_text()))
    assert (car.body["target"], car.body["score"]) == ("Car", 0.9)
    assert vehicle.time_quality == "SUSPECT"  # of 2010


def test_one_meaning_has_many_topics():
    crossed = [
        "tns1:RuleEngine/LineDetector/Crossed",
        "tns1:RuleEngine/CellMotionDetector/LineCross",
        "tns1:RuleEngine/tnsajax:LineDetector/Crossing",
    ]
    assert {event(topic).kind for topic in crossed} == {"camera.line_crossed"}
    wanted = {
        "tns1:RuleEngine/MyRuleDetector/VehicleDetect": "camera.vehicle_detected",
        "tns1:VideoSource/MotionAlarm": "camera.motion",
        "tns1:Device/Trigger/tnshik:AlarmIn": "camera.input",
        "tns1:UserAlarm/IVA/HumanShapeDetect": "camera.person_detected",
    }
    assert {topic: event(topic, State="true").kind for topic in wanted} == wanted


def test_an_unknown_topic_keeps_its_own_name():
    found = event("tns1:UserAlarm/tnsacme:IllegalParking", State="true")
    assert (found.kind, found.body["rule"]) == (
        "camera.user_alarm_illegal_parking",
        "UserAlarm/IllegalParking",
    )


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("IsVehicle", "vehicle_detected"),
        ("IsLineCross", "line_crossed"),
        ("IsPet", "animal_detected"),
    ],
)
def test_a_smart_event_is_told_by_its_data(item, kind):
    found = event("tns1:RuleEngine/TPSmartEventDetector/TPSmartEvent", **{item: "true"})
    assert (found.kind, found.body["state"]) == (f"camera.{kind}", "STARTED")


@pytest.mark.parametrize(
    ("value", "state"),
    [
        *((each, "STARTED") for each in ("true", "1", "ON", "active", "True")),
        *((each, "STOPPED") for each in ("false", "0", "OFF", "inactive", "")),
        ("sometimes", "PULSE"),
    ],
)
def test_a_state_is_spelt_in_many_ways_and_cleared_by_nothing(value, state):
    assert event("tns1:VideoSource/MotionAlarm", "Changed", State=value).body["state"] == state


def test_a_topic_has_blanks_and_items_come_in_any_order():
    spaced = event("\n   tns1:RuleEngine/ LineDetector/Crossed\n ", ObjectId="15")
    swapped = read(
        stream(message(source={"Rule": "Fence1", "VideoSource": "1"}, ObjectId="15"))
        .replace('Name="Rule" Value="Fence1"', 'Value="Fence1" Name="Rule"')
    )  # fmt: skip
    assert [id_of(spaced)] == [id_of(each) for each in swapped]


def test_initialized_is_the_state_at_a_subscription_and_replayed():
    found = event("tns1:VideoSource/MotionAlarm", "Initialized", State="true")
    assert (found.replayed, found.body["state"]) == (True, "ONGOING")
    assert not event("tns1:VideoSource/MotionAlarm", "Changed", State="true").replayed


def test_initialized_on_a_topic_of_occurrences_raises_no_live_alarm():
    assert event(f"tns1:{LINE}", "Initialized", ObjectId="0").replayed


def test_a_deleted_property_ends_without_data():
    topic, key = "tns1:RuleEngine/FieldDetector/ObjectsInside", {"ObjectId": "5"}
    began = event(topic, "Changed", key=key, IsInside="true")
    gone = event(topic, "Deleted", key=key)
    assert (began.body["state"], gone.body["state"]) == ("STARTED", "STOPPED")
    assert began.subject == gone.subject
    assert "property_deleted" in gone.quality_flags


def test_zero_bytes_over_mqtt_are_a_deleted_property():
    assert isinstance(one(b"", f"cam/onvif-ej/{LINE}/&1"), Nothing)
    with pytest.raises(PayloadError, match="empty"):
        read(b"")


def test_a_retained_payload_is_replayed():
    body = json.dumps({"UtcTime": AT, "Source": {"VideoSource": "1"}, "Data": {"State": True}})
    topic = "cam/onvif-ej/VideoSource/MotionAlarm/&1"
    assert [each.replayed for each in read(body, topic, "1")] == [True]
    assert [each.replayed for each in read(body, topic)] == [False]


def test_values_over_mqtt_may_be_quoted_or_not():
    quoted, bare = ({"State": "true", "ObjectId": "7"}, {"State": True, "ObjectId": 7})
    found = [
        one(json.dumps({"UtcTime": AT, "Source": {"VideoSource": "1"}, "Data": data}), topic)
        for data in (quoted, bare)
        for topic in ["cam/onvif-ej/VideoSource/MotionAlarm/&1"]
    ]
    assert id_of(found[0]) == id_of(found[1])
    assert found[0].body["state"] == "STARTED"


def test_json_copied_from_the_specification_with_an_open_quote_is_read_and_flagged():
    body = '{\n"UtcTime": "2026-03-14T00:46:02.500Z\n "Source": {"VideoSource": "1"}, "Data": {}\n}'
    found = one(body, f"cam/onvif-ej/{LINE}/&1")
    assert (found.device_ref, found.quality_flags) == ("cam/1", ("json_repaired",))
    with pytest.raises(PayloadError, match="JSON"):
        read('{"UtcTime": }', f"cam/onvif-ej/{LINE}")


def test_a_camera_over_mqtt_is_called_by_the_prefix_of_its_topic():
    body = json.dumps({"UtcTime": AT, "Source": {"VideoSource": "2"}, "Data": {}})
    topic = f"hanoi/kim-ma/onvif-ej/{LINE}/&2/x"
    assert one(body, topic).device_ref == "hanoi/kim-ma/2"
    assert one(body, topic, device="cam-7", device_ref="device").device_ref == "cam-7"


def test_an_event_over_mqtt_without_its_topic_is_refused():
    with pytest.raises(PayloadError) as refused:
        read(json.dumps({"UtcTime": AT, "Source": {}, "Data": {}}))
    assert (refused.value.code, refused.value.path) == ("topic-missing", "mqtt_topic")


def test_a_stamp_without_z_is_utc():
    found = event(f"tns1:{LINE}", at="2026-03-14T00:46:02.500")
    assert found.observed_at == datetime(2026, 3, 14, 0, 46, 2, 500_000, tzinfo=UTC)
    assert found.time_quality == "DEVICE"


@pytest.mark.parametrize(
    ("text", "quality", "flags"),
    [
        ("2026-03-14T00:45:61Z", "DEVICE", ("time_repaired",)),
        ("2026-03-14T07:46:02Z", "SUSPECT", ("clock_suspect",)),  # local time that says it is UTC
        ("2026-03-14T07:46:02+07:00", "DEVICE", ()),
        ("46:3100:00", "RECEIVED", ("time_unreadable",)),
        ("2026-03-14T07:46:0207:00", "ASSUMED_ZONE", ("time_repaired",)),
        ("", "RECEIVED", ("time_missing",)),
    ],
)
def test_an_event_is_never_dropped_for_its_stamp(text, quality, flags):
    found = event(f"tns1:{LINE}", at=text)
    assert (found.time_quality, found.quality_flags) == (quality, flags)


def test_two_objects_that_cross_one_line_at_one_moment_are_two_events():
    first, second = event(ObjectId="15"), event(ObjectId="19")
    assert id_of(first) != id_of(second)
    assert id_of(first) == id_of(event(ObjectId="15"))


def test_an_objects_number_is_no_id_without_a_time():
    found = event(at="", ObjectId="15")
    assert (found.native_id, found.observed_at) == (None, None)


def test_a_condition_of_the_device_is_health_while_it_holds_and_when_it_ends():
    topic = "tns1:Device/HardwareFailure/StorageFailure"
    broken, well = (
        event(topic, "Changed", source={"Token": "SD"}, Failed=v) for v in ("true", "0")
    )
    assert [(each.noun, each.body["component"], each.body["state"]) for each in (broken, well)] == [
        ("health", "storage", "FAULT"),
        ("health", "storage", "ONLINE"),
    ]
    assert broken.subject == well.subject
    assert isinstance(event(topic, "Deleted", source={"Token": "SD"}), Nothing)


@pytest.mark.parametrize(
    ("topic", "component", "state"),
    [
        ("tns1:VideoSource/SignalLoss", "video", "OFFLINE"),
        ("tns1:VideoSource/GlobalSceneChange/ImagingService", "video", "DEGRADED"),
        ("tns1:RuleEngine/TamperDetector/Tamper", "video", "DEGRADED"),
        ("tns1:Device/HardwareFailure/FanFailure", "device", "DEGRADED"),
    ],
)
def test_a_trouble_of_the_camera_is_no_alarm(topic, component, state):
    found = event(topic, "Changed", State="1")
    assert (found.body["component"], found.body["state"]) == (component, state)


@pytest.mark.parametrize(
    "topic",
    [
        "tns1:Monitoring/ProcessorUsage",
        "tns1:RuleEngine/CountAggregation/Counter",
        "tns1:RecordingConfig/JobState",
        "tns1:AccessControl/AccessGranted/Credential",
    ],
)
def test_readings_configuration_and_access_to_buildings_are_no_events(topic):
    assert isinstance(event(topic, "Changed", Value="1", CredentialHolderName="Anh Ba"), Nothing)


def test_who_was_recognised_is_not_read():
    element = f'<tt:ElementItem Name="Image"><tt:Image>{JPEG}</tt:Image></tt:ElementItem>'
    found = event("tns1:RuleEngine/Recognition/Face", EnrollmentID="Anh Ba", more=element)
    assert "Anh Ba" not in str(found)
    assert (found.kind, found.pictures) == ("camera.face_detected", ())
    assert "person_picture_dropped" in found.quality_flags


def test_a_recognised_plate_is_a_plate_read_with_its_pictures():
    more = "".join(
        f'<tt:ElementItem Name="{name}">{inner}</tt:ElementItem>'
        for name, inner in (
            ("LicensePlateInfo", plate()),
            ("VehicleInfo", "<tt:VehicleInfo><tt:Type>Bus</tt:Type></tt:VehicleInfo>"),
            ("BoundingBox", '<tt:Rectangle left="-0.1" top="0" right="0.1" bottom="-0.1"/>'),
            ("Image", f"<tt:Image>{JPEG}</tt:Image>"),
            ("VehicleImage", f"<tt:VehicleImage>{JPEG}</tt:VehicleImage>"),
        )
    )
    found = event(
        "tns1:RuleEngine/Recognition/LicensePlate", Speed="10", Likelihood="0.5", more=more
    )
    assert found.restricted["plate"]["text"] == "29H77246"
    assert found.restricted["plate"]["confidence"] == 0.9
    assert (found.body["speed_kmh"], found.body["vehicle_type"]) == (36.0, "Bus")
    assert [picture.role for picture in found.pictures] == ["plate", "vehicle"]
    assert (found.body["plate_box"]["x"], found.body["plate_box"]["y"]) == (0.45, 0.5)


@pytest.mark.parametrize("item", ["LicensePlate", "PlateNumber"])
def test_an_item_that_holds_a_plate_stands_in_the_restricted_part_alone(item):
    found = event("tns1:RuleEngine/tnsacme:Anpr/Read", **{item: "29H-772.46"})
    assert (found.noun, found.restricted["plate"]["text"]) == ("plate_read", "29H77246")
    assert "77246" not in str((found.body, found.kind, found.native_id, found.subject))


def test_y_points_upwards_and_the_transformation_is_applied():
    found = one(frame(tracked(box())))
    # 20, 80, 100, 30 of 640 x 480: x from 0.03125 to 0.15625, y upwards from 0.0625 to 0.16667.
    assert found.body["box"] | {"picture_width_px": None} == {
        "x": 0.03125,
        "y": 0.833333,
        "width": 0.125,
        "height": 0.104167,
        "scale": "UNIT",
        "picture_width_px": None,
        "picture_height_px": None,
    }


def test_a_box_that_fits_no_scale_is_kept_as_given_and_flagged():
    found = one(frame(tracked(box()), steps=""))
    assert (found.body["box"]["scale"], found.body["box"]["x"]) == ("UNKNOWN", 20.0)
    assert "box_scale_unknown" in found.quality_flags
    downwards = one(frame(tracked(box("0", "0.1", "0.5", "0.9")), steps=""))
    assert (downwards.body["box"]["scale"], downwards.body["box"]["height"]) == ("UNKNOWN", 0.8)
    unread = one(frame(tracked(box(left="?"))))
    assert (unread.body["box"], unread.quality_flags[-1]) == (None, "box_unreadable")


def test_a_transformation_of_the_object_comes_before_that_of_the_frame():
    own = '<tt:Transformation><tt:Scale x="2" y="2"/></tt:Transformation>'
    found = one(frame(tracked(own + box("10", "40", "50", "15"))))
    assert found.body["box"] == one(frame(tracked(box()))).body["box"]


def test_an_idle_object_has_not_ended_and_a_deleted_one_has():
    tree = '<tt:ObjectTree><tt:Delete ObjectId="12"/></tt:ObjectTree>'
    idle, ended = read(frame(tracked(behaviour="<tt:Idle/>") + tree))
    assert (idle.kind, idle.body["state"]) == ("camera.tracked_object.idle", "ONGOING")
    assert (ended.kind, ended.body["state"]) == ("camera.tracked_object", "STOPPED")
    assert idle.subject == ended.subject


def test_objects_that_merge_split_and_get_renamed_end_under_their_old_ids():
    tree = (
        '<tt:ObjectTree><tt:Rename><tt:from ObjectId="1"/><tt:to ObjectId="2"/></tt:Rename>'
        '<tt:Split><tt:from ObjectId="3"/><tt:to ObjectId="3"/><tt:to ObjectId="4"/></tt:Split>'
        '<tt:Merge><tt:from ObjectId="5"/><tt:from ObjectId="6"/><tt:to ObjectId="6"/></tt:Merge>'
        "</tt:ObjectTree>"
    )
    ended = read(frame(tree))
    assert [(each.native_id, each.quality_flags) for each in ended] == [
        ("1", ("device_unnamed", "object_renamed")),
        ("5", ("device_unnamed", "object_merged")),
    ]


def test_a_plate_that_is_an_object_of_its_own_has_its_vehicle_as_parent():
    vehicle = tracked(
        "<tt:Class><tt:Type>Vehicle</tt:Type></tt:Class>"
        "<tt:VehicleInfo><tt:Type>Truck</tt:Type></tt:VehicleInfo>",
        '<tt:Speed>5</tt:Speed><tt:Direction yaw="90" pitch="0"/>',
    )
    child = tracked(
        f"{box()}<tt:Class><tt:Type>LicensePlate</tt:Type></tt:Class>{plate()}",
        id_='ObjectId="13" Parent="12"',
    )
    found = read(frame(vehicle + child))[-1]
    assert (found.noun, found.body["vehicle_type"]) == ("plate_read", "Truck")
    assert (found.body["speed_kmh"], found.body["direction"]) == (18.0, "DEPARTING")
    assert found.body["plate_box"]["scale"] == "UNIT"


def test_the_box_of_a_vehicle_is_not_that_of_its_plate():
    found = read(frame(tracked(box() + plate())))[-1]
    assert found.body["plate_box"] is None


@pytest.mark.parametrize(
    ("text", "read_as"), [("unknown", ""), ("", ""), ("29H-772.46", "29H77246")]
)
def test_a_plate_nobody_read_is_a_passage_without_one(text, read_as):
    found = read(frame(tracked(plate(text))))[-1]
    assert found.restricted["plate"]["text"] == read_as
    assert ("plate_unread" in found.quality_flags) == (not read_as)


def test_a_likelihood_out_of_its_scale_is_not_believed():
    found = read(frame(tracked(plate(likelihood="90"))))[-1]
    assert found.restricted["plate"]["confidence"] is None
    assert "confidence_out_of_scale" in found.quality_flags
    assert read(frame(tracked(plate(likelihood=""))))[-1].restricted["plate"]["confidence"] is None


@pytest.mark.parametrize(
    ("target", "roles", "flags"),
    [
        ("Vehicle", ["vehicle"], ()),
        ("LicensePlate", ["plate"], ()),
        ("Human", [], ("person_picture_dropped",)),
        ("Face", [], ("person_picture_dropped",)),
        ("Other", [], ("person_picture_dropped",)),
    ],
)
def test_pictures_of_persons_and_of_what_may_be_one_are_dropped(target, roles, flags):
    of = f"<tt:Class><tt:Type>{target}</tt:Type></tt:Class><tt:Image>{JPEG}</tt:Image>"
    found = one(frame(tracked(of)))
    assert [picture.role for picture in found.pictures] == roles
    assert found.quality_flags[1:] == flags  # the first says that the stream names no camera


def test_faces_and_bodies_are_not_read():
    face = "<tt:HumanFace><tt:Gender>Male</tt:Gender></tt:HumanFace>"
    assert "Male" not in str(one(frame(tracked(face))))


def test_ids_of_objects_are_told_apart_by_what_numbers_them():
    topics = ["cam/onvif-mj/VideoAnalytics/1/M", "cam/onvif-mj/VideoAnalytics/2/M"]
    body = json.dumps({"Frame": [{"@UtcTime": AT, "Object": [{"@ObjectId": 5}]}]})
    first, second = (one(body, topic) for topic in topics)
    assert first.subject != second.subject
    assert id_of(first) != id_of(second)


def test_two_cameras_of_one_broker_share_no_subject():
    body = json.dumps({"Frame": [{"@UtcTime": AT, "Object": [{"@ObjectId": 5}]}]})
    state = json.dumps({"UtcTime": AT, "Source": {"VideoSource": "1"}, "Data": {"State": True}})
    for local, text in (("onvif-mj/VideoAnalytics/1/M", body), ("onvif-ej/VideoSource/X", state)):
        first, second = (one(text, f"{name}/{local}") for name in ("cam-1", "cam-2"))
        assert first.subject != second.subject


def test_an_object_without_an_id_is_refused_and_its_neighbours_pass():
    outcomes = read(frame(tracked(id_="") + tracked() + tracked(id_='UUID="a-b"')))
    assert [type(each) for each in outcomes] == [Rejection, Event, Event]
    assert outcomes[0].path == "MetadataStream/VideoAnalytics/Frame/Object[0]"
    assert outcomes[2].native_id == "a-b"


def test_the_last_report_of_a_track_ends_it():
    element = '<tt:ElementItem Name="Object"><tt:Object ObjectId="8"/></tt:ElementItem>'
    topic = "tns1:RuleEngine/ObjectTrack/Aggregation"
    states = [event(topic, Final=final, more=element).body["state"] for final in ("false", "true")]
    assert states == ["ONGOING", "STOPPED"]


def test_documents_follow_each_other_and_a_broken_one_ends_nothing():
    declared = '<?xml version="1.0" encoding="UTF-8"?>\n'
    broken = "<tt:MetadataStream><tt:Event></tt:MetadataStream>"
    whole = stream(message())
    outcomes = read(declared + whole + declared + broken + declared + whole)
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]
    assert (outcomes[1].code, outcomes[1].path) == ("malformed", "document[1]")


def test_roots_are_also_read_as_the_specification_misspells_them():
    text = stream(message(), root="MetaDataStream").replace("NotificationM", "NotficationM")
    assert isinstance(one(text), Event)


def test_prefixes_do_not_matter_but_undeclared_ones_are_no_xml():
    plain = stream(message()).replace("tt:", "").replace("wsnt:", "")
    assert id_of(one(plain)) == id_of(one(stream(message())))
    assert one(message()).code == "malformed"


def test_a_notification_without_topic_or_message_is_refused_by_its_place():
    outcomes = read(stream(message(topic=""), message(), "<NotificationMessage/>"))
    assert [getattr(each, "code", "") for each in outcomes] == [
        "topic-missing",
        "",
        "topic-missing",
    ]
    bare = "<wsnt:NotificationMessage><wsnt:Topic>tns1:A/B</wsnt:Topic></wsnt:NotificationMessage>"
    assert one(stream(bare)).code == "no-message"


def test_a_pull_without_messages_is_no_event():
    answer = "<PullMessagesResponse><CurrentTime/></PullMessagesResponse>"
    body = f"<Envelope><Body>{answer}</Body></Envelope>"
    assert isinstance(one(body), Nothing)


def test_a_fault_says_what_the_camera_refused():
    body = (
        "<Envelope><Body><Fault><Code><Value>Sender</Value><Subcode><Value>ter:NotAuthorized</Value>"
        "</Subcode></Code></Fault></Body></Envelope>"
    )
    found = one(body)
    assert (found.code, "ter:NotAuthorized" in found.message) == ("soap-fault", True)
    assert "clock" in found.fix


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<DeviceInfo/>", "unknown-document"),
        ("plain words", "unknown-format"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-entities"),
        ("{}", "no-event"),
        ("[1]", "wrong-type"),
        ('{"Topic": {}, "Message": {}}', "topic-missing"),
    ],
)
def test_what_is_no_message_of_onvif_is_refused(body, code):
    try:
        codes = {each.code for each in read(body)}
    except PayloadError as error:
        codes = {error.code}
    assert codes == {code}


def test_metadata_that_holds_no_frame_is_no_event():
    body = json.dumps({"SensorData": {"@UtcTime": AT, "@SensorID": "t1", "Value": 28.6}})
    assert isinstance(one(body, "cam/onvif-mj/SensorData/Temperature"), Nothing)
    assert isinstance(one(body), Nothing)
    assert isinstance(one(stream("<tt:PTZ/>")), Nothing)


def test_too_many_messages_end_with_a_refusal():
    outcomes = read(stream(*("<tt:Frame/>" for _ in range(10_001))))
    assert (len(outcomes), outcomes[-1].code) == (10_001, "too-many-records")
    outcomes = read(stream() * 300)
    assert (len(outcomes), outcomes[-1].code) == (257, "too-many-documents")


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=100))
def test_no_topic_is_too_odd(text):
    topic = plain_topic(text)
    assert plain_topic(topic) == topic
    found = meaning(topic, {"IsPet": "true"})
    assert found.word or found.noun in {"plate_read", "object_track"}


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=5))
def test_no_data_is_too_odd(data):
    assert is_on(data) in {True, False, None}
    assert isinstance(classes(data), str)


_SIDE = st.floats(-2, 2).map(lambda number: f"{number:.4f}")


@settings(max_examples=60, deadline=None)
@given(_SIDE, _SIDE, _SIDE, _SIDE)
def test_every_box_is_of_its_scale_or_as_given(left, top, right, bottom):
    node = parse_xml(f'<b left="{left}" top="{top}" right="{right}" bottom="{bottom}"/>'.encode())
    found, flags = unit_box(node)
    if found is None or found["scale"] == "UNIT":
        return
    assert flags == ("box_scale_unknown",)
    assert found["x"] == min(float(left), float(right))


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=60), cut=st.integers(0, 3), text=st.text(max_size=30))
def test_no_base64_is_too_odd(data, cut, text):
    encoded = base64.b64encode(b"\xff\xd8\xff" + data).decode()
    pictures, _ = inline_pictures([("plate", f"data:image/jpeg;base64,{encoded}")])
    assert pictures[0].data == b"\xff\xd8\xff" + data
    pictures, flags = inline_pictures([("plate", encoded[: len(encoded) - cut])])
    assert pictures or "picture_unreadable" in flags
    inline_pictures([("plate", text)])


def test_json_mirrors_attributes_that_are_numbers_and_the_text_beside_them():
    node = as_elements("Type", {"@Likelihood": 0.8, "@Sure": True, "#text": "Human"})
    assert (node.attributes, node.text) == ({"Likelihood": "0.8", "Sure": "true"}, "Human")
