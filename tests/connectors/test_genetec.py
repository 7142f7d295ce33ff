"""`genetec` against the vendor's guides and a recorded push; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.genetec import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/anpr_other/genetec_autovu_webhook.json"
OWN = ROOT / "tests" / "samples" / "genetec"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9").decode()
ID = "ccd6761e-b2a6-4afc-b386-412d6529c4ec"


def read(document, received_at=NOW, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options(**options)))


def push(**more):
    told = {"Plate": "30K12345", "CameraName": "Lpr Camera", "SharpName": "S1", "VehicleID": ID}
    return told | {"DateUtc": "03/14/2026", "TimeUtc": "00:45:57"} | more


def one(received_at=NOW, options=None, **more):
    (outcome,) = read(push(**more), received_at, **(options or {}))
    return outcome


def id_of(event):
    return Identity(b"k" * 32, connector, "s").event(event, payload_id="p", index=0)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_push_is_a_passage_with_its_two_pictures():
    (found,) = read(SHARED.read_bytes(), datetime(2024, 10, 24, 20, 29, 30, tzinfo=UTC))
    assert found.device_ref == "G637821011231200521C - Camera"
    assert found.native_id == ID
    assert found.observed_at == datetime(2024, 10, 24, 20, 29, 26, tzinfo=UTC)
    assert found.restricted["plate"]["text"] == "9HKA742"
    assert found.restricted["plate"]["confidence"] == 0.99
    assert (found.body["country"], found.body["direction"]) == ("CA", "DEPARTING")
    assert (found.body["vehicle_colour"], found.body["vehicle_make"]) == ("Grey", "")
    assert [(each.role, len(each.data)) for each in found.pictures] == [
        ("scene", 141_672),
        ("plate", 3_519),
    ]
    assert set(found.quality_flags) == {"utc_equals_local", "outside_hanoi"}


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ("14/03/2026", "00:45:57"),
        ("03/14/2026", "12:45:57 AM"),
        ("14-03-2026", "12:45:57 SA"),
        ("14.3.2026", "0:45:57"),
        ("2026:03:14", "00:45:57.000"),
        ("2026-03-14", "00:45:57"),
        ("2026/3/14", "12:45:57 AM"),
    ],
)
def test_a_date_follows_the_servers_locale(date, clock):
    found = one(DateUtc=date, TimeUtc=clock)
    assert found.observed_at == NOW.replace(minute=45, second=57)
    assert (found.time_quality, found.quality_flags) == ("DEVICE", ())


def test_a_date_that_may_be_read_both_ways_is_the_one_near_to_its_receipt():
    april, march = (datetime(2026, month, day, 8, tzinfo=UTC) for month, day in ((4, 3), (3, 4)))
    for received_at in (april, march):
        found = one(received_at, DateUtc="03/04/2026", TimeUtc="07:59:58")
        assert found.observed_at == received_at.replace(hour=7, minute=59, second=58)
        assert "date_order_assumed" in found.quality_flags


def test_the_order_of_a_date_can_be_declared_and_counts_whenever_it_is_possible():
    for order, month in (("dmy", 4), ("mdy", 3)):
        found = one(options={"date_order": order}, DateUtc="03/04/2026")
        assert found.observed_at.month == month
        assert "date_order_assumed" not in found.quality_flags
        assert one(options={"date_order": order}).observed_at.day == 14


def test_a_day_that_is_the_same_either_way_is_in_no_doubt():
    found = one(datetime(2026, 5, 5, 1, tzinfo=UTC), DateUtc="05/05/2026")
    assert found.quality_flags == ()


def test_utc_is_believed_where_the_local_time_is_the_same_and_that_is_flagged():
    found = one(DateLocal="03/14/2026", TimeLocal="00:45:57")
    assert found.observed_at == NOW.replace(minute=45, second=57)
    assert found.quality_flags == ("utc_equals_local",)
    right = one(DateLocal="03/14/2026", TimeLocal="07:45:57")
    assert right.quality_flags == ()


def test_a_server_whose_utc_is_local_can_be_declared():
    found = one(options={"utc_is_local": True}, TimeUtc="07:45:57", TimeLocal="07:45:57")
    assert found.observed_at == NOW.replace(minute=45, second=57)
    assert (found.time_quality, found.quality_flags) == ("ASSUMED_ZONE", ())


def test_local_time_alone_is_of_the_sources_zone():
    found = one(DateUtc="", TimeUtc="", DateLocal="14/03/2026", TimeLocal="7:45:57 SA")
    assert found.observed_at == NOW.replace(minute=45, second=57)
    assert found.time_quality == "ASSUMED_ZONE"


@pytest.mark.parametrize(
    ("date", "flag"), [("", "time_missing"), ("Thứ Bảy", "time_unreadable"), ("99/99/2026", None)]
)
def test_a_date_that_is_none_drops_nothing(date, flag):
    found = one(DateUtc=date, TimeUtc="" if not date else "00:45:57")
    assert (found.observed_at, found.time_quality) == (None, "RECEIVED")
    assert (flag or "time_unreadable") in found.quality_flags


def test_a_read_that_comes_again_as_a_hit_is_another_event():
    plain, hit = one(IsHit="No"), one(IsHit="Yes")
    assert (plain.body["list_name"], hit.body["list_name"]) == ("", "hit")
    assert id_of(plain) != id_of(hit)
    assert id_of(plain) == id_of(one(IsHit="No", UserName="somebody else"))


@pytest.mark.parametrize("text", ["", "-", "NOPLATE", "#PLATE_READ#"])
def test_an_empty_plate_is_a_passage_without_a_reading(text):
    found = one(Plate=text)
    assert found.restricted["plate"]["text"] == ""
    assert "plate_unread" in found.quality_flags


def test_a_confidence_is_a_text_of_a_hundred_and_zero_is_none():
    plates = [
        one(ConfidenceScore=text).restricted["plate"] for text in ("99", "87,5", "0", "-", "255")
    ]
    assert [each["confidence"] for each in plates] == [0.99, 0.875, None, None, None]
    assert "confidence_out_of_scale" in one(ConfidenceScore="255").quality_flags
    inner = one(Attributes={"Confidence Score": "70"})
    assert inner.restricted["plate"]["confidence"] == 0.7


def test_decimals_have_a_comma_in_some_locales_and_zero_is_no_position():
    found = one(Latitude="21,0311", Longitude="105,8134")
    assert (found.position.lat, found.position.lon) == (21.0311, 105.8134)
    for zero in ("0", "0.0", 0.0, "0,0", ""):
        nowhere = one(Latitude=zero, Longitude=zero)
        assert (nowhere.position, nowhere.quality_flags) == (None, ())


def test_cameras_of_one_name_are_told_apart_by_their_units():
    assert one().device_ref == "S1/Lpr Camera"
    assert one(SharpName="S2").device_ref == "S2/Lpr Camera"
    assert one(CameraName="S1 - Camera").device_ref == "S1 - Camera"
    unnamed = one(CameraName="-", SharpName="")
    assert (unnamed.device_ref, unnamed.quality_flags) == ("", ("device_unnamed",))


def test_an_id_of_zeros_is_none():
    assert one(VehicleID="00000000-0000-0000-0000-000000000000").native_id is None


def test_pictures_are_taken_out_and_those_that_nobody_names_dropped():
    found = one(PlateImage=JPEG, ContextImage=JPEG, DriverImage=JPEG, OverviewImage="")
    assert [each.role for each in found.pictures] == ["plate", "scene"]
    assert "person_picture_dropped" in found.quality_flags


def test_names_of_users_and_patrols_are_not_read():
    (found,) = read((OWN / "webhook.json").read_bytes())
    assert "Nguyen" not in repr(found)
    assert len(found.pictures) == 2


def test_the_cameras_own_json_names_its_unit_and_tells_no_zone():
    (found,) = read((OWN / "sharp_extension.json").read_bytes())
    assert found.device_ref == "SHARPV12345/Lpr Camera"
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 56, 797_000, tzinfo=UTC)
    assert found.time_quality == "ASSUMED_ZONE"
    assert (found.body["direction"], found.body["country"]) == ("DEPARTING", "")
    assert found.restricted["plate"]["confidence"] == 0.91


def test_the_cameras_own_xml_says_the_same():
    (found,) = read((OWN / "sharp_extension.xml").read_bytes())
    assert found.restricted["plate"]["text"] == "30H55566"
    assert found.restricted["plate"]["confidence"] == 1.0
    assert (found.native_id[-4:], found.time_quality) == ("e93b", "DEVICE")


def test_a_template_may_have_tags_that_nobody_filled():
    (found,) = read((OWN / "ftp_template.xml").read_bytes())
    assert (found.body["country"], found.body["lane"]) == ("", 1)
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 54, 120_000, tzinfo=UTC)
    assert (found.position.lat, found.position.lon) == (21.0311, 105.8134)
    assert found.quality_flags == ("template_unfilled",)


def test_an_empty_element_is_a_plate_that_was_not_read():
    (found,) = read(b"<AutoVu><Plate/><SourceName>S1</SourceName></AutoVu>")
    assert (found.device_ref, found.restricted["plate"]["text"]) == ("S1", "")


def test_a_bad_read_hides_no_other():
    found = read([push(), {"CameraName": "x"}, 7, push()])
    assert [type(each) for each in found] == [Event, Rejection, Rejection, Event]
    assert [each.path for each in found[1:3]] == ["[1]/Plate", "[2]"]
    assert isinstance(read([])[0], Nothing)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"{}", "missing-field"),
        (b"<AutoVuReturn/>", "missing-field"),
        (b"7", "wrong-type"),
    ],
)
def test_what_is_no_read_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
