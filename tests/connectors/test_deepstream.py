"""`deepstream` against the vendor's converter and demo; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from connectors.deepstream import connector, parse
from hub import Event, Nothing, Options, Payload, PayloadError, Rejection
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "deepstream"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = "2026-03-14T00:45:57.252Z"
WHEN = datetime(2026, 3, 14, 0, 45, 57, 252_000, tzinfo=UTC)
NEEDS_SHARED = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared samples are not beside the project"
)


def read(document, received_at=NOW):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def message(event="moving", vehicle=None, **thing):
    box = {"topleftx": 504, "toplefty": 24, "bottomrightx": 648, "bottomrighty": 65}
    return {
        "messageid": "b88ad627",
        "@timestamp": AT,
        "sensor": {"id": "A1"},
        "object": {"id": "7", "vehicle": {"license": "UNK-M-0"} | (vehicle or {}), "bbox": box}
        | thing,
        "event": {"id": "1", "type": event},
    }


def frame(*objects, **more):
    return (
        {"version": "4.0", "id": 9, "@timestamp": AT, "sensorId": "A1"}
        | {"objects": list(objects)}
        | more
    )


def incident(**more):
    told = {"timestamp": AT, "end": AT, "objectIds": [3, 1, 2], "category": "Tailgating"}
    return {"sensorId": "A1"} | told | more


def ids_of(outcomes):
    made = Identity(b"k" * 32, connector, "s")
    return [made.event(each, payload_id="p", index=0) for each in outcomes]


def nouns_of(outcomes):
    return [each.noun for each in outcomes]


# Kind, camera, region, score, box and time, read from each file.
SHARED_EVENTS = {
    "moving.json": (
        "camera.tracked_object", "10_110_127_110_A1", "C_127_110", None, (504, 24, 144, 41),
        "2018-09-12T17:20:38.026000+00:00",
    ),
    "parked.json": (
        "camera.parked", "10_110_127_110_S1", "P1-PS-87", 1.0, (748, 71, 77, 54),
        "2018-09-12T17:20:45.074000+00:00",
    ),
    "vss_incident_tailgating.json": (
        "camera.tailgating", "Sensor-001", "", None, None, "2024-01-15T10:30:10+00:00",
    ),
}  # fmt: skip


@NEEDS_SHARED
@pytest.mark.parametrize("name", SHARED_EVENTS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    (found,) = read((SHARED / name).read_bytes())
    kind, camera, region, score, box, at = SHARED_EVENTS[name]
    assert (found.kind, found.device_ref) == (kind, camera)
    assert (found.body["region"], found.body.get("score")) == (region, score)
    told = found.body.get("box")
    assert (told and (told["x"], told["y"], told["width"], told["height"])) == box
    assert found.observed_at.isoformat() == at
    assert found.position is None


@NEEDS_SHARED
def test_the_shared_lines_are_a_hundred_objects_and_no_passage():
    found = read((SHARED / "stream_lines_1_100.ndjson").read_bytes())
    assert nouns_of(found) == ["detection"] * 100
    kinds = [each.kind for each in found]
    assert (kinds.count("camera.tracked_object"), kinds.count("camera.parked")) == (91, 9)
    assert len(set(ids_of(found))) == 100
    times = [each.observed_at for each in found]
    assert sum(late < early for early, late in pairwise(times)) == 13


@NEEDS_SHARED
def test_the_shared_schema_is_no_message():
    with pytest.raises(PayloadError) as refused:
        read((SHARED / "nv-schema.json").read_bytes())
    assert refused.value.code == "no-event"


def test_a_licence_that_is_unknown_is_no_plate_and_no_passage():
    for text in ("UNK-M-0", "UNK-M-17", "", "UNKNOWN", None):
        assert nouns_of(read(message(vehicle={"license": text}))) == ["detection"]


def test_a_licence_that_was_read_is_a_passage_whose_certainty_nobody_tells():
    vehicle = {"license": "30K-123.45", "confidence": 0.9, "make": "Toyota", "model": "UNKNOWN"}
    seen, passed = read(message(vehicle=vehicle))
    assert passed.restricted["plate"]["text"] == "30K12345"
    assert passed.restricted["plate"]["confidence"] is None
    assert (seen.body["score"], passed.body["vehicle_make"]) == (0.9, "Toyota")
    assert (passed.native_id, passed.observed_at) == ("b88ad627", WHEN)


@pytest.mark.parametrize("event", ["entry", "exit"])
def test_an_entry_or_exit_is_a_passage_also_without_a_reading(event):
    seen, passed = read(message(event))
    assert (seen.kind, seen.body["state"]) == (f"camera.{event}", "PULSE")
    assert passed.restricted["plate"]["text"] == ""
    assert "plate_unread" in passed.quality_flags


def test_a_message_that_is_older_than_the_one_before_keeps_its_own_time():
    older = message() | {"@timestamp": "2026-03-14T00:45:50Z", "messageid": "2"}
    late, early = read([message(), older])
    assert (late.observed_at, early.observed_at) == (WHEN, WHEN.replace(second=50, microsecond=0))
    assert early.quality_flags == ()


def test_the_same_object_before_two_cameras_is_two_things():
    other = message() | {"sensor": {"id": "A2"}, "messageid": "2"}
    one, two = read([message(), other])
    assert one.subject != two.subject


def test_what_a_broker_delivers_twice_is_one_event():
    first, second = read([message(), message()])
    assert ids_of([first]) == ids_of([second])


def test_an_object_that_is_not_tracked_has_no_subject():
    for id_ in ("18446744073709551615", "", -1):
        assert read(message(id=id_))[0].subject == ()
    assert read(frame("18446744073709551615|1|2|3|4|car"))[0].subject == ()


@pytest.mark.parametrize("score", [0, 0.0, -0.1, None, ""])
def test_a_confidence_that_stands_for_none_is_none(score):
    assert read(message(vehicle={"confidence": score}))[0].body["score"] is None


def test_a_confidence_of_another_scale_is_left_open():
    (found,) = read(message(vehicle={"confidence": 97.79}))
    assert found.body["score"] is None
    assert "confidence_out_of_scale" in found.quality_flags


@pytest.mark.parametrize("place", [(0, 0), (30.33, -40.55), (30.333, -40.555), (None, None)])
def test_positions_of_the_vendors_example_are_none(place):
    found = read(message(location={"lat": place[0], "lon": place[1]}))[0]
    assert (found.position, found.quality_flags) == (None, ())
    real = read(message(location={"lat": 21.0287, "lon": 105.7692}))[0]
    assert (real.position.lat, real.position.lon) == (21.0287, 105.7692)


def test_a_box_whose_corners_are_below_one_has_no_known_scale():
    box = {"topleftx": 0.1, "toplefty": 0.2, "bottomrightx": 0.5, "bottomrighty": 0.9}
    assert read(message(bbox=box))[0].body["box"]["scale"] == "UNKNOWN"
    assert read(message())[0].body["box"]["scale"] == "PIXEL"


def test_corners_in_the_wrong_order_are_no_box():
    box = {"topleftx": 50, "toplefty": 2, "bottomrightx": 5, "bottomrighty": 9}
    assert read(message(bbox=box))[0].body["box"] is None


def test_newer_converters_name_the_object_by_its_label_and_no_event():
    told = message("")
    told["object"] = {"id": "9", "location": {}, "Car": {"confidence": 0.7, "colour": "red"}}
    (found,) = read(told)
    assert (found.body["target"], found.body["score"]) == ("Car", 0.7)
    assert (found.kind, found.body["state"]) == ("camera.tracked_object", "ONGOING")


def test_an_event_that_nobody_lists_is_passed_on_in_its_words():
    (found,) = read(message("wrongWay"))
    assert (found.kind, found.body["rule"]) == ("camera.wrong_way", "wrongWay")
    assert found.body["state"] == "UNKNOWN"


def test_a_text_of_the_minimal_schema_is_split_and_its_last_part_the_confidence():
    found = read(
        frame(
            "957|1834|150|1918|215|Vehicle|#|sedan|Bugatti|M|blue|30H 555.66|HN|0.8",
            "958|1|2|30|40|Person|#|female|34|black|none|formal|0.91|#|pose2D|nose,1,2,0.8",
            "959|1|2|30|40|truck",
        )
    )
    assert nouns_of(found) == ["detection", "plate_read", "detection", "detection"]
    car, passed, person, truck = found
    assert passed.restricted["plate"]["text"] == "30H55566"
    assert (passed.body["vehicle_make"], passed.body["country"]) == ("Bugatti M", "HN")
    assert (car.body["score"], person.body["score"], truck.body["score"]) == (0.8, 0.91, None)
    assert car.body["box"]["width"] == 84


def test_classifiers_in_an_order_nobody_tells_are_not_taken_for_a_plate():
    found = read(frame("957|1|2|30|40|Vehicle|#|blue|30H55566|0.8"))
    assert nouns_of(found) == ["detection"]
    assert found[0].body["score"] == 0.8


def test_nothing_that_is_said_of_a_person_or_a_face_is_read():
    person = {"id": "8", "person": {"age": 81, "gender": "male", "confidence": 0.8}}
    face = "5|1|2|30|40|Face|#|male|81|black|none|yes|no|An Hoang|brown|0.7"
    found = read([message() | {"object": person}, frame(face)])
    assert [each.body["target"] for each in found] == ["person", "Face"]
    assert not any(word in repr(found) for word in ("An Hoang", "gender", "male", "81"))


def test_a_bad_object_hides_no_other_of_its_frame():
    found = read(frame("1|1|2|30|40|car", "2|x|2|30|40|car", "3|1|2|30", 7, "4|1|2|30|40|car"))
    assert [type(each) for each in found] == [Event, Rejection, Rejection, Rejection, Event]
    assert [each.path for each in found[1:4]] == ["objects[1]", "objects[2]", "objects[3]"]


def test_a_bad_line_hides_no_other_wherever_it_stands():
    good = json.dumps(message()).encode()
    for lines in ([b'{"a": 1', good, good], [good, b"{", good], [good, good, b'{"a"']):
        found = read(b"\n".join(lines))
        assert sorted(type(each).__name__ for each in found) == ["Event", "Event", "Rejection"]


def test_an_incident_that_goes_on_is_the_same_thing_with_its_objects_in_any_order():
    first, again, later = read(
        [
            incident(),
            incident(objectIds=["2", "3", "1"], id="another"),
            incident(objectIds=[2, 1, 3], end="2026-03-14T00:46:00Z"),
        ]
    )
    assert first.subject == again.subject == later.subject
    assert ids_of([first]) == ids_of([again]) != ids_of([later])
    assert later.observed_at == datetime(2026, 3, 14, 0, 46, tzinfo=UTC)


def test_an_incident_ends_when_it_is_complete():
    going, over = read([incident(), incident(info={"isComplete": "true"})])
    assert (going.body["state"], over.body["state"]) == ("ONGOING", "STOPPED")


def test_a_behaviour_tells_of_its_object_until_its_end():
    told = {"timestamp": "2026-03-14T00:45:00Z", "end": AT, "sensor": {"id": "A1"}}
    (found,) = read(told | {"object": {"id": "7", "type": "Vehicle", "confidence": 0.5}})
    assert (found.observed_at, found.body["target"]) == (WHEN, "Vehicle")


def test_a_clock_that_counts_from_1970_is_suspect_and_drops_nothing():
    (found,) = read(message() | {"@timestamp": "1970-01-01T00:00:07.200Z"})
    assert found.time_quality == "SUSPECT"


def test_a_frame_without_objects_is_no_event():
    for objects in ([], None):
        assert isinstance(read(frame() | {"objects": objects})[0], Nothing)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"\x0a\x034.0\x12\x011", "unknown-format"),
        (b"{}", "no-event"),
        (b'{"objectIds": []}', "missing-field"),
    ],
)
def test_what_is_no_message_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code


def test_what_the_broker_had_kept_is_replayed():
    message = {"messageid": "b88ad627", "@timestamp": "2026-03-14T00:45:57Z"}
    message |= {"sensor": {"id": "A1"}, "object": {"id": "7"}}
    body = json.dumps(message).encode()
    found = [
        next(iter(parse(Payload(body=body, received_at=NOW, meta=meta), Options())))
        for meta in ({"mqtt_topic": "x"}, {"mqtt_topic": "x", "mqtt_retained": "true"})
    ]
    assert [each.replayed for each in found] == [False, True]
