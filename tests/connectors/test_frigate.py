"""`frigate` against what is known of the format; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.frigate import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "frigate"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = 1773449150.25
# What must come out of each shared sample, read from the file: target and state of each event,
# the reason why there is none, or the code of the refusal (documents hold comments).
SHARED_OUTCOMES = {
    "events_end.json": [("dog", "STOPPED")],
    "events_new.json": [("person", "STARTED")],
    "review_new.json": [("person", "STARTED")],
    "tracked_object_update_classification_sublabel.json": "classification: no event of its own",
    "tracked_object_update_description.json": "description: no event of its own",
    "events_update_v0.9_doc.jsonc": "malformed",
    "reviews_update_v0.14_doc.jsonc": "malformed",
}


def seen(**more):
    return {
        "id": "1773449149.5-abc123",
        "camera": "ngo-105",
        "label": "car",
        "score": 0.8,
        "start_time": 1773449149.5,
        "end_time": None,
        "frame_time": AT,
        "box": [100, 200, 300, 500],
    } | more


def message(kind="update", before=None, **after):
    return {"type": kind, "before": seen() if before is None else before, "after": seen(**after)}


def read(data, topic="frigate/events", **meta):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    meta |= {"mqtt_topic": topic} if topic else {}
    return list(parse(Payload(body=data, received_at=NOW, meta=meta), Options()))


def one(data, topic="frigate/events", **meta):
    (outcome,) = read(data, topic, **meta)
    return outcome


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_OUTCOMES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    data, wanted = (SHARED / name).read_bytes(), SHARED_OUTCOMES[name]
    if wanted == "malformed":
        with pytest.raises(PayloadError) as refused:
            read(data, "")
        assert refused.value.code == wanted
    elif isinstance(wanted, str):
        assert one(data, "") == Nothing(why=wanted)
    else:
        assert [(each.body["target"], each.body["state"]) for each in read(data, "")] == wanted


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_answer_of_the_poll_gives_an_event_for_each_entry():
    data = (SHARED / "api_events_list.json").read_bytes()
    found = read(data, "")
    assert len(found) == len(json.loads(data))
    assert all(each.replayed and each.body["state"] == "STOPPED" for each in found)


def test_one_object_keeps_its_subject_through_all_its_messages():
    found = [one(message(kind)) for kind in ("new", "update", "end")]
    assert {each.subject for each in found} == {("1773449149.5-abc123",)}
    assert [each.body["state"] for each in found] == ["STARTED", "ONGOING", "STOPPED"]


def test_an_end_without_its_time_is_of_the_last_frame():
    assert one(message("end")).observed_at == datetime(2026, 3, 14, 0, 45, 50, 250_000, tzinfo=UTC)
    later = one(message("end", end_time=AT + 10))
    assert later.observed_at == datetime(2026, 3, 14, 0, 46, 0, 250_000, tzinfo=UTC)


def test_old_schemas_without_sub_labels_zones_and_snapshots_are_read():
    after = {"id": "1-a", "camera": "c", "label": "car", "frame_time": AT, "top_score": 0.9}
    found = one({"type": "new", "after": after})
    assert (found.body["score"], found.body["region"]) == (0.9, "")


@pytest.mark.parametrize("sub_label", ["Anh Ba", ["Anh Ba", 0.9], None])
def test_a_sub_label_may_name_a_person_and_is_not_read(sub_label):
    assert "Anh Ba" not in str(one(message(sub_label=sub_label)))


def test_a_plate_is_a_read_when_it_is_new_or_changed_and_not_with_every_update():
    plate = {"recognized_license_plate": "30K-123.45", "recognized_license_plate_score": 0.7}
    first = read(message(**plate))
    assert [each.noun for each in first] == ["detection", "plate_read"]
    assert first[1].restricted["plate"]["text"] == "30K12345"
    assert first[1].restricted["plate"]["confidence"] == 0.7
    assert [each.noun for each in read(message(before=seen(**plate), **plate))] == ["detection"]
    better = plate | {"recognized_license_plate_score": 0.9}
    assert len(read(message(before=seen(**plate), **better))) == 2


def test_a_plate_that_comes_as_an_update_of_its_own_is_a_read():
    update = {"type": "lpr", "id": "1-a", "camera": "c", "timestamp": AT, "plate": "30K12345",
              "name": "xe nhà Ba", "score": 0.9}  # fmt: skip
    found = one(update, "frigate/tracked_object_update")
    assert found.restricted["plate"]["text"] == "30K12345"
    assert "xe nhà Ba" not in str(found)


def test_an_update_without_camera_and_time_is_marked():
    update = {"type": "lpr", "id": "1-a", "plate": "30K12345"}
    found = one(update, "frigate/tracked_object_update")
    assert {"time_missing", "device_unnamed"} <= set(found.quality_flags)


@pytest.mark.parametrize("kind", ["description", "face", "classification"])
def test_descriptions_faces_and_classes_are_no_events(kind):
    assert isinstance(one({"type": kind, "id": "1-a"}), Nothing)


def test_a_review_becomes_an_alert_and_its_late_message_begins_nothing_again():
    after = {"id": "r1", "camera": "c", "start_time": AT, "data": {"objects": ["car"]}}
    kinds = [("new", "detection"), ("update", "alert"), ("end", "alert")]
    found = [
        one({"type": kind, "after": after | {"severity": severity}}, "frigate/reviews")
        for kind, severity in kinds
    ]
    assert [each.severity for each in found] == ["INFO", "MINOR", "MINOR"]
    assert {each.subject for each in found} == {("review", "r1")}
    late = {"type": "genai", "after": after | {"severity": "alert"}}
    assert isinstance(one(late, "frigate/reviews"), Nothing)


def test_a_false_positive_is_no_event():
    assert isinstance(one(message(false_positive=True)), Nothing)


def test_availability_is_the_health_of_the_server_and_status_that_of_a_camera():
    server, camera = one(b"offline", "frigate/available"), one(b"online", "x/c1/status/detect")
    assert (server.device_ref, server.body["state"]) == ("", "OFFLINE")
    assert (camera.device_ref, camera.body["state"]) == ("c1", "ONLINE")
    assert one(b"disabled", "frigate/c1/status/record").body["state"] == "DEGRADED"


def test_counts_and_pictures_on_other_topics_are_no_events():
    assert isinstance(one(b"3", "frigate/c1/person"), Nothing)
    assert isinstance(one(b"\xff\xd8\xff\xe0", "frigate/c1/person/snapshot"), Nothing)


def test_a_box_is_two_corners_in_pixels_of_a_picture_nobody_measures():
    box = one(message()).body["box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (100, 200, 200, 300)
    assert (box["scale"], box["picture_width_px"]) == ("PIXEL", None)


def test_a_broken_entry_of_a_list_hides_no_other():
    outcomes = read([seen(), "broken", seen(id="2-b")], "")
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]
    assert outcomes[1].path == "[1]"


@pytest.mark.parametrize("data", [b"", b"hello", b"{", b'{"type": "new"}', b'{"after": {}}'])
def test_what_is_no_message_of_frigate_is_refused(data):
    with pytest.raises(PayloadError):
        read(data, "")


def test_an_object_whose_beginning_was_missed_is_followed_from_its_next_message():
    found = [one(message(kind)) for kind in ("update", "end")]
    assert [each.body["state"] for each in found] == ["ONGOING", "STOPPED"]
    assert {each.subject for each in found} == {("1773449149.5-abc123",)}


@pytest.mark.parametrize("word", ["False", "false", False, None])
def test_false_as_a_text_is_no_false_positive(word):
    assert isinstance(one(message(false_positive=word)), Event)
    assert isinstance(one(message(false_positive="True")), Nothing)


@pytest.mark.parametrize(
    ("data", "topic"),
    [
        ({"type": "new", "after": {"id": "1-a", "camera": "c", "frame_time": AT}}, "x/events"),
        ({"type": "new", "after": {"id": "r1", "camera": "c", "severity": "alert"}}, "x/reviews"),
        (b"offline", "frigate/available"),
        (b"online", "frigate/c1/status/detect"),
    ],
    ids=["object", "review", "server", "camera"],
)
def test_what_the_broker_had_kept_is_replayed(data, topic):
    assert one(data, topic, mqtt_retained="true").replayed
    assert not one(data, topic).replayed


@pytest.mark.parametrize("score", [-0.5, -1, 90])
def test_a_score_out_of_its_scale_is_none(score):
    update = {"type": "lpr", "id": "1-a", "camera": "c", "timestamp": AT, "plate": "30K12345"}
    found = one(update | {"score": score}, "frigate/tracked_object_update")
    assert found.restricted["plate"]["confidence"] is None
