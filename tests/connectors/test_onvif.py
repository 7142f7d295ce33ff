"""`onvif` against the specifications and what cameras send; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.onvif import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = "2026-03-14T00:45:57.321Z"
NAMES = (
    'xmlns:w="http://docs.oasis-open.org/wsn/b-2" xmlns:tt="http://www.onvif.org/ver10/schema" '
    'xmlns:tns1="http://www.onvif.org/ver10/topics"'
)
EJ, MJ = "cam-07/onvif-ej/", "cam-07/onvif-mj/VideoAnalytics/1/M"
# Of each shared sample, what must come out. Fragments of a specification's text leave namespaces
# undeclared, and decoded dictionaries of a library are on no wire: both are refused.
SHARED_EVENTS = {
    "onvif_event/pullmessages_two_linecrossings.xml": ["MyImportantFence1", "MyImportantFence2"],
    "onvif_metadata/sensor_data.xml": "metadata without events or frames",
}
SHARED_REFUSED = {
    "onvif_event/property_deleted.xml": "malformed",
    "onvif_event/property_initialized.xml": "malformed",
    "onvif_metadata/license_plate_info.xml": "malformed",
    "onvif_metadata/vehicle_info.xml": "malformed",
    "onvif_event/zeep_linedetector_crossed.json": "topic-missing",
    "onvif_event/zeep_reolink_package.json": "topic-missing",
    "onvif_event/zeep_tapo_linecross.json": "topic-missing",
}


def read(body, topic="", **meta):
    body = body if isinstance(body, bytes) else body.encode()
    meta |= {"mqtt_topic": topic} if topic else {}
    return list(parse(Payload(body=body, received_at=NOW, meta=meta), Options()))


def one(body, topic="", **meta):
    (outcome,) = read(body, topic, **meta)
    return outcome


def items(name, values):
    inner = "".join(f'<tt:SimpleItem Name="{k}" Value="{v}"/>' for k, v in values.items())
    return f"<tt:{name}>{inner}</tt:{name}>" if values else ""


def notice(
    topic="tns1:RuleEngine/LineDetector/Crossed", data=None, *, at=AT, operation="", source=None
):
    source = {"VideoSource": "1", "Rule": "R"} if source is None else source
    told = f' PropertyOperation="{operation}"' if operation else ""
    inner = items("Source", source) + items("Data", data or {})
    return (
        f"<w:NotificationMessage><w:Topic>\n  {topic}\n</w:Topic><w:Message>"
        f'<tt:Message UtcTime="{at}"{told}>{inner}</tt:Message></w:Message></w:NotificationMessage>'
    )


def notify(*notices):
    return f"<w:Notify {NAMES}>{''.join(notices)}</w:Notify>"


def stream(*frames):
    inner = f"<tt:VideoAnalytics>{''.join(frames)}</tt:VideoAnalytics>"
    return f"<tt:MetadataStream {NAMES}>{inner}</tt:MetadataStream>"


def frame(inner, at="2026-03-14T00:45:57.321", more=""):
    return f'<tt:Frame UtcTime="{at}">{more}{inner}</tt:Frame>'


def thing(inner="", id_="12", more=""):
    return f'<tt:Object ObjectId="{id_}"{more}><tt:Appearance>{inner}</tt:Appearance></tt:Object>'


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", [*SHARED_EVENTS, *SHARED_REFUSED])
def test_every_shared_sample_gives_what_is_written_of_it(name):
    body = (SHARED / name).read_bytes()
    if name in SHARED_EVENTS:
        wanted = SHARED_EVENTS[name]
        if isinstance(wanted, str):
            assert one(body) == Nothing(why=wanted)
        else:
            assert [each.body["region"] for each in read(body)] == wanted
        return
    try:
        codes = {each.code for each in read(body)}
    except PayloadError as error:
        codes = {error.code}
    assert codes == {SHARED_REFUSED[name]}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_frames_become_objects_once_a_stream_holds_them():
    text = (SHARED / "onvif_metadata/frames_object_track.xml").read_text("utf-8")
    found = read(stream(text.replace("...", "")))
    assert [(each.native_id, each.body["state"]) for each in found] == [
        ("12", "ONGOING"), ("19", "STOPPED"),
    ]  # fmt: skip
    # Left 25 of 640 and top 80 of 480, upwards: (25 / 640, 1 - 80 / 480).
    assert found[0].body["box"]["x"] == pytest.approx(25 / 640, abs=1e-4)
    assert found[0].body["box"]["y"] == pytest.approx(1 - 80 / 480, abs=1e-4)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_messages_of_profile_m_are_read_by_their_topics():
    event = one(
        (SHARED / "onvif_mqtt/event_linecrossed.json").read_bytes(),
        "MyDevice/onvif-ej/RuleEngine/LineDetector/Crossed/&1/2/MyImportantFence1",
    )
    assert (event.kind, event.device_ref, event.body["region"]) == (
        "camera.line_crossed", "MyDevice/1", "MyImportantFence1",
    )  # fmt: skip
    seen = one(
        (SHARED / "onvif_mqtt/metadata_frame_myclassifier.json").read_bytes(),
        "MyDevice/onvif-mj/VideoAnalytics/1/MyClassifier",
    )
    assert (seen.body["target"], seen.body["score"]) == ("Human", 0.8)
    assert "Male" not in str(seen)
    assert "LongSleeve" not in str(seen)


def test_items_and_attributes_in_another_order_make_no_other_id():
    other = notice().replace('Name="Rule" Value="R"', 'Value="R" Name="Rule"')
    ids = set()
    for each in (notice(), other):
        sample = Sample(name="x", body=notify(each).encode())
        ids.add(next(iter(dry_run(connector, sample))).value[5:21])
    assert len(ids) == 1


def test_blanks_in_a_topic_and_vendors_prefixes_are_nothing():
    found = one(notify(notice("tns1:Device/Trigger/tnshik:AlarmIn", {"State": "true"})))
    assert (found.kind, found.body["rule"]) == ("camera.input", "Device/Trigger/AlarmIn")


def test_initialized_is_the_state_at_a_subscription_on_any_topic():
    assert one(notify(notice(operation="Initialized"))).replayed
    assert not one(notify(notice(operation="Changed"))).replayed


def test_a_deleted_property_has_no_data_and_is_over():
    found = one(notify(notice(operation="Deleted")))
    assert found.body["state"] == "STOPPED"


@pytest.mark.parametrize(
    ("word", "state"),
    [("true", "STARTED"), ("1", "STARTED"), ("ON", "STARTED"), ("false", "STOPPED"),
     ("0", "STOPPED"), ("", "STOPPED")],
)  # fmt: skip
def test_a_state_is_spelt_in_many_ways(word, state):
    found = one(notify(notice("tns1:VideoSource/MotionAlarm", {"State": word})))
    assert found.body["state"] == state


def test_an_event_without_a_state_is_a_pulse():
    assert one(notify(notice(data={"ObjectId": "15"}))).body["state"] == "PULSE"


@pytest.mark.parametrize(
    "topic",
    ["tns1:RuleEngine/LineDetector/Crossed", "tns1:RuleEngine/CellMotionDetector/LineCross",
     "tns1:RuleEngine/TPSmartEventDetector/LineCross"],
)  # fmt: skip
def test_one_meaning_has_many_topics(topic):
    assert one(notify(notice(topic))).kind == "camera.line_crossed"


def test_an_unknown_topic_is_passed_on_under_its_own_name():
    found = one(notify(notice("tnsaxis:CameraApplicationPlatform/Fence/Guard")))
    assert found.kind == "camera.fence.guard"


def test_a_stamp_without_z_is_utc_whatever_the_zone():
    found = one(notify(notice(at="2026-03-14T00:45:57.321")))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, 321_000, tzinfo=UTC)
    assert found.time_quality == "DEVICE"


def test_minute_61_is_carried_and_said():
    found = one(notify(notice(at="2026-03-13T23:61:00Z")))
    assert found.observed_at == datetime(2026, 3, 14, 0, 1, tzinfo=UTC)
    assert "time_repaired" in found.quality_flags


def test_topics_of_the_device_are_its_health():
    lost = one(notify(notice("tns1:VideoSource/SignalLoss", {"State": "true"})))
    assert (lost.noun, lost.body["state"]) == ("health", "OFFLINE")
    scene = notice("tns1:VideoSource/GlobalSceneChange/ImagingService", {"State": "false"})
    assert one(notify(scene)).body["state"] == "ONLINE"


def test_the_specifications_own_misspellings_are_read():
    body = notify(notice()).replace("NotificationMessage", "NotficationMessage")
    assert isinstance(one(body), Event)
    assert isinstance(
        one(stream(frame(thing())).replace("MetadataStream", "MetaDataStream")), Event
    )


def test_documents_follow_one_another_and_a_broken_one_hides_no_other():
    good = '<?xml version="1.0"?>' + stream(frame(thing()))
    outcomes = read(good + good.replace("</tt:Frame>", "") + good)
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


def test_a_bad_notification_hides_no_other():
    outcomes = read(notify(notice(), "<w:NotificationMessage/>", notice()))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


def test_an_object_is_told_once_a_payload_and_its_end_is_an_end():
    gone = thing().replace("</tt:Object>", "<tt:Behaviour><tt:Removed/></tt:Behaviour></tt:Object>")
    found = one(stream(frame(thing()), frame(gone, "2026-03-14T00:45:58")))
    assert found.body["state"] == "STOPPED"
    assert found.observed_at.second == 58


def test_a_box_goes_upwards_from_minus_one_to_one():
    box = '<tt:Shape><tt:BoundingBox left="-0.5" top="0.5" right="0.0" bottom="0.0"/></tt:Shape>'
    found = one(stream(frame(thing(box)))).body["box"]
    assert (found["x"], found["y"], found["width"], found["height"]) == (0.25, 0.25, 0.25, 0.25)
    assert found["scale"] == "UNIT"


def test_a_plate_belongs_to_the_vehicle_that_it_stands_on():
    car = thing('<tt:VehicleInfo><tt:Type Likelihood="0.9">Car</tt:Type></tt:VehicleInfo>')
    plate = thing(
        '<tt:LicensePlateInfo><tt:PlateNumber Likelihood="0.8">30K12345</tt:PlateNumber>'
        "</tt:LicensePlateInfo>", "13", ' Parent="12"',
    )  # fmt: skip
    _, read_ = read(stream(frame(car + plate)))
    assert read_.noun == "plate_read"
    assert read_.restricted["plate"]["text"] == "30K12345"
    assert read_.restricted["plate"]["confidence"] == 0.8
    assert read_.body["vehicle_type"] == "Car"


def test_a_retained_message_is_the_state_at_a_subscription():
    body = json.dumps({"UtcTime": AT, "Data": {"State": "1"}})
    assert one(body, EJ + "VideoSource/MotionAlarm/&1", mqtt_retained="true").replayed


def test_zero_bytes_are_a_deleted_property():
    found = one(b"", EJ + "RuleEngine/FieldDetector/ObjectsInside/&1/R")
    assert (found.body["state"], found.device_ref) == ("STOPPED", "cam-07/1")
    assert isinstance(one(b"", MJ), Nothing)


@pytest.mark.parametrize("value", [True, "true", 1, "1"])
def test_values_over_mqtt_may_be_quoted_or_not(value):
    body = json.dumps({"UtcTime": AT, "Data": {"State": value}})
    assert one(body, EJ + "VideoSource/MotionAlarm").body["state"] == "STARTED"


@pytest.mark.parametrize(
    ("body", "topic", "code"),
    [
        ("", "", "empty"),
        ("{}", "", "topic-missing"),
        ("{}", "cam-07/other", "unknown-topic"),
        ('{"Frame": [', MJ, "malformed"),
    ],
)
def test_what_is_no_onvif_is_refused(body, topic, code):
    with pytest.raises(PayloadError) as refused:
        read(body, topic)
    assert refused.value.code == code


def test_another_document_and_an_answer_without_events_are_told_apart():
    assert one("<html/>").code == "not-onvif"
    assert isinstance(one(f"<w:Notify {NAMES}/>"), Nothing)
