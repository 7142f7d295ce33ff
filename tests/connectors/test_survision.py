"""`survision` against what integrators and a simulator show; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.survision import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.identity import Identity

OWN = Path(__file__).parents[1] / "samples" / "survision"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
WHEN = datetime(2026, 3, 14, 0, 45, 57, 98_000, tzinfo=UTC)
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9").decode()


def read(document, meta=None, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW, meta=meta or {}), Options(**options)))


def anpr(decision=None, **more):
    told = {"@plate": "30K12345", "@reliability": "98"} | (decision or {})
    return {"anpr": {"@date": "1773449157098", "@session": "3", "@id": "7"} | more | {
        "decision": told
    }}  # fmt: skip


def one(decision=None, **more):
    (outcome,) = read(anpr(decision, **more), device="SV-1")
    return outcome


def id_of(event):
    return Identity(b"k" * 32, connector, "s").event(event, payload_id="p", index=0)


def test_a_decision_is_a_passage_at_the_milliseconds_it_tells():
    found = one()
    assert (found.observed_at, found.time_quality) == (WHEN, "DEVICE")
    assert found.restricted["plate"]["text"] == "30K12345"
    assert found.restricted["plate"]["confidence"] == 0.98


@pytest.mark.parametrize("word", ["0", "false", 0, False])
def test_a_clock_that_is_not_set_is_suspect_however_likely_its_time(word):
    found = one(**{"@synchronized": word})
    assert (found.observed_at, found.time_quality) == (WHEN, "SUSPECT")
    assert "clock_unsynchronised" in found.quality_flags
    assert one(**{"@synchronized": "1"}).quality_flags == ()


@pytest.mark.parametrize("date", ["", "0", "yesterday", None])
def test_a_time_that_is_none_drops_nothing(date):
    found = one(**{"@date": date, "@synchronized": "0"})
    assert (found.observed_at, found.time_quality) == (None, "RECEIVED")


def test_the_sensor_is_named_by_its_header_or_the_site():
    header = {"header.survision-serial-number": "SV-HN-0042"}
    assert read(anpr(), header)[0].device_ref == "SV-HN-0042"
    assert read(anpr(), header, device="gate 2")[0].device_ref == "gate 2"
    (unnamed,) = read(anpr())
    assert (unnamed.device_ref, unnamed.quality_flags) == ("", ("device_unnamed",))
    assert connector.headers == ("survision-serial-number",)


def test_numbers_that_begin_again_after_a_start_name_a_passage_with_its_time_only():
    first, later = one(), one(**{"@date": "1773449999000"})
    assert first.native_id == later.native_id == "3/7"
    assert id_of(first) != id_of(later)
    assert id_of(first) == id_of(one())
    assert one(**{"@session": ""}).native_id is None


def test_a_decision_that_is_sent_again_is_a_read_of_its_own():
    better = one({"@plate": "30K12346"})
    assert id_of(better) != id_of(one())


@pytest.mark.parametrize("plate", ["", "unknown", "-", None])
def test_an_empty_plate_is_a_passage_without_a_reading(plate):
    found = one({"@plate": plate, "@reliability": "0"})
    assert found.restricted["plate"]["text"] == ""
    assert found.restricted["plate"]["confidence"] is None
    assert "plate_unread" in found.quality_flags


def test_a_reliability_is_of_a_hundred():
    assert one({"@reliability": "0"}).restricted["plate"]["confidence"] is None
    found = one({"@reliability": "160"})
    assert found.restricted["plate"]["confidence"] is None
    assert "confidence_out_of_scale" in found.quality_flags


def test_characters_are_told_in_any_order_alone_or_not_at_all():
    several = [{"@index": "1", "@reliability": "90"}, {"@index": "0", "@reliability": "80"}]
    for told, values in (
        ({"char": several}, [0.8, 0.9]),
        ({"char": several[0]}, [0.9]),
        ({"char": [*several, {"@index": "2"}]}, []),
        ({"char": [*several, 7]}, []),
        (None, []),
    ):
        assert one({"reliabilityPerCharacter": told}).body["character_confidences"] == values


def test_a_box_is_in_pixels_of_a_picture_whose_size_is_not_told():
    corners = {"@x": "728", "@y": "695", "@width": "222", "@height": "50"}
    box = one(corners).body["plate_box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (728, 695, 222, 50)
    assert (box["scale"], box["picture_width_px"]) == ("PIXEL", None)
    assert one().body["plate_box"] is None


def test_a_picture_is_a_text_or_an_object_around_one():
    for picture in (JPEG, {"#text": JPEG}):
        assert [each.role for each in one({"jpeg": picture}).pictures] == ["scene"]
    assert one({"jpeg": {}, "contextJpeg": None}).pictures == ()
    assert "picture_unreadable" in one({"contextJpeg": "no picture"}).quality_flags


def test_the_plates_a_sensor_keeps_are_not_told_but_that_one_fits():
    found = one({"database": {"@plate": "29A99999", "@distance": "1"}})
    assert found.body["list_name"] == "database"
    assert "29A99999" not in repr(found)


def test_a_front_plate_is_of_a_vehicle_that_approaches():
    for word, direction in (
        ("front", "APPROACHING"),
        ("rear", "DEPARTING"),
        ("unknown", "UNKNOWN"),
    ):
        assert one({"@direction": word}).body["direction"] == direction


def test_colour_country_and_speed_are_told_where_the_sensor_knows_them():
    about = {"@plateBackground": "yellow", "@context": "VN", "@context_isoAlpha2": ""}
    found = one(about, speed={"@instantSpeed_km_h": "37"})
    assert found.restricted["plate"]["colour"] == "YELLOW"
    assert (found.body["country"], found.body["speed_kmh"]) == ("VN", 37)
    assert one({"@context": "unknown"}).body["country"] == ""


def test_a_trigger_that_ended_with_a_decision_is_a_passage():
    result = {"@date": "1773449157098", "@triggerId": "42", "decision": {"@plate": "30K12345"}}
    (found,) = read({"triggerResult": result})
    assert (found.noun, found.observed_at, found.native_id) == ("plate_read", WHEN, None)
    assert isinstance(read({"triggerResult": {"@triggerId": "42"}})[0], Nothing)


@pytest.mark.parametrize("kind", ["new", "end", "noPlate", "speed"])
def test_steps_before_and_after_a_decision_are_no_passages(kind):
    assert isinstance(read({"anpr": {"@date": "1", kind: {"@x": "1"}}})[0], Nothing)


@pytest.mark.parametrize("kind", ["answer", "dgpr", "video", "database", "ioState", "infos"])
def test_other_messages_of_a_sensor_are_no_events(kind):
    (found,) = read({kind: {"@plate": "30K12345"}})
    assert isinstance(found, Nothing)
    assert "30K12345" not in found.why


def test_a_sensors_infos_are_its_health():
    sensor = {"@serial": "SV-9", "@status": "RUNNING", "@firmwareVersion": "3.4.1"}
    (found,) = read({"infos": {"sensor": sensor}})
    assert (found.noun, found.device_ref, found.body["state"]) == ("health", "SV-9", "ONLINE")
    (other,) = read({"infos": {"sensor": sensor | {"@status": "CAMERA_FAILURE"}}})
    assert (other.body["state"], other.body["detail"]) == ("UNKNOWN", "CAMERA_FAILURE")
    assert id_of(found) != id_of(other)


def test_a_bad_message_hides_no_other():
    outcomes = read([anpr(), {"unheard": {}}, 7, anpr()])
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert [each.path for each in outcomes[1:3]] == ["[1]/anpr", "[2]"]
    assert isinstance(read([])[0], Nothing)


def test_a_recorded_looking_push_keeps_its_picture():
    (found,) = read((OWN / "unset_clock.json").read_bytes())
    assert found.restricted["plate"]["colour"] == "WHITE"
    assert (len(found.pictures), found.body["speed_kmh"]) == (1, 37)


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "empty"), (b"{}", "no-event"), (b"7", "wrong-type")]
)
def test_what_is_no_message_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
