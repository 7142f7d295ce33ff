"""`dahua_itsapi` against what is known of the format; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.dahua_itsapi import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "dahua_anpr"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"


def body(plate="30K-123.45", *, exists=True, snap=None, **members):
    return {
        "Picture": {
            "Plate": {"PlateNumber": plate, "IsExist": exists, "PlateColor": "White"},
            "SnapInfo": {
                "AccurateTime": "2026-03-14 07:45:58.263",
                "DeviceID": "cong-01",
                "LanNo": 2,
                **(snap or {}),
            },
            **members,
        }
    }


def read(data, content_type="application/json", **options):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    payload = Payload(body=data, content_type=content_type, received_at=NOW)
    return list(parse(payload, Options(**options)))


def one(data, **options):
    (outcome,) = read(data, **options)
    return outcome


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_capture_is_one_passage():
    data = (SHARED / "itsapi_tollgateinfo_body.json").read_bytes()
    received = datetime(2026, 6, 4, 0, 44, 40, tzinfo=UTC)
    payload = Payload(body=data, content_type="application/json", received_at=received)
    (found,) = parse(payload, Options(zone="Europe/Bratislava"))
    assert found.noun == "plate_read"
    assert found.device_ref == "4711"
    assert found.observed_at == datetime(2026, 6, 4, 0, 44, 33, 263_000, tzinfo=UTC)
    assert found.restricted["plate"]["raw"] == "FP137WM"
    assert (found.body["lane"], found.body["country"]) == (1, "SVK")
    # Its pictures were taken out by who published it.
    assert found.quality_flags == ("picture_unreadable",)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_log_of_a_request_is_no_body():
    with pytest.raises(PayloadError) as refused:
        read((SHARED / "itsapi_tollgateinfo_request.txt").read_bytes(), "text/plain")
    assert refused.value.code == "malformed"


def test_time_is_local_and_the_enum_time_zone_is_never_taken_for_hours():
    found = one(body(snap={"TimeZone": 13}))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 58, 263_000, tzinfo=UTC)
    assert found.time_quality == "ASSUMED_ZONE"


def test_without_the_accurate_time_the_snaps_is_taken():
    found = one(body(snap={"AccurateTime": "", "SnapTime": "2026-03-14 07:45:58"}))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 58, tzinfo=UTC)


def test_one_passage_that_comes_on_two_paths_gives_two_reads_of_one_device():
    tollgate, parking = one(body()), one({"ParkingInfo": body()})
    assert tollgate.device_ref == parking.device_ref
    assert tollgate.restricted == parking.restricted


@pytest.mark.parametrize("raw", ["", "--", "unlicensed", "Unknown", "Unknow"])
def test_words_for_no_plate_are_a_passage_without_one(raw):
    found = one(body(raw))
    assert found.restricted["plate"]["text"] == ""
    assert "plate_unread" in found.quality_flags


def test_a_plate_that_does_not_exist_is_none_whatever_stands_there():
    assert one(body("30K12345", exists=False)).restricted["plate"]["text"] == ""


def test_cyrillic_and_greek_letters_in_a_plate_are_read_as_latin_ones():
    assert one(body("29\u041012345")).restricted["plate"]["text"] == "29A12345"
    assert one(body("29\u039112345")).restricted["plate"]["text"] == "29A12345"


def test_a_keep_alive_is_no_event():
    assert isinstance(one({"Active": "keepAlive", "DeviceID": "cong-01"}), Nothing)


def test_pictures_inside_the_body_are_taken_out():
    content = base64.b64encode(JPEG).decode()
    found = one(body(NormalPic={"Content": content}, CutoutPic={"Content": content}))
    assert {picture.role for picture in found.pictures} == {"scene", "plate"}
    assert all(picture.data == JPEG for picture in found.pictures)


def test_a_picture_of_anything_else_may_be_a_person_and_is_dropped():
    content = base64.b64encode(JPEG).decode()
    found = one(body(FacePic={"Content": content}, MainSeatPic={"Content": content}))
    assert found.pictures == ()
    assert found.quality_flags == ("person_picture_dropped",)


def test_a_picture_cut_short_is_kept_and_said_and_one_that_is_none_is_left_out():
    cut = base64.b64encode(JPEG[:-2]).decode()
    found = one(body(NormalPic={"Content": cut}, CutoutPic={"Content": "no base64!"}))
    assert [picture.data for picture in found.pictures] == [JPEG[:-2]]
    assert found.quality_flags == ("picture_truncated", "picture_unreadable")


def test_a_pictures_name_that_spells_the_plate_is_kept_nowhere():
    content = base64.b64encode(JPEG).decode()
    found = one(body(NormalPic={"Content": content, "PicName": "30K12345-x.jpg"}))
    told = str(found).replace(str(found.restricted), "")
    assert "30K12345" not in told


def test_boxes_are_pixels_of_the_picture():
    plate = {"BoundingBox": [10, 20, 40, 80], "PlateNumber": "30K12345"}
    box = one({"Picture": {"Plate": plate}}).body["plate_box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (10, 20, 30, 60)
    assert box["scale"] == "PIXEL"


def test_a_copy_that_the_camera_had_kept_is_replayed():
    assert one(body(snap={"Source": "Offline"})).replayed
    assert not one(body(snap={"Source": "Realtime"})).replayed


def test_a_violation_is_a_candidate_beside_the_read_and_only_where_one_is_named():
    assert [each.noun for each in read(body(snap={"ViolationCode": "0"}))] == ["plate_read"]
    reads = read(body(snap={"Event": "TrafficRunRedLight"}, Vehicle={"VehicleType": "SUV"}))
    assert [each.noun for each in reads] == ["plate_read", "violation"]
    assert reads[1].body["act_word"] == "red_light"
    assert reads[1].body["law_code"].startswith("16824.6.")


def test_a_body_without_a_picture_says_what_to_post():
    refused = one({"Other": {}})
    assert isinstance(refused, Rejection)
    assert (refused.code, refused.path) == ("picture-missing", "Picture")


def test_the_xml_of_some_firmware_says_the_same():
    xml = (
        b"<TollgateInfo><Picture><Plate><PlateNumber>30K-123.45</PlateNumber></Plate><SnapInfo>"
        b"<AccurateTime>2026-03-14 07:45:58.263</AccurateTime><DeviceID>cong-01</DeviceID>"
        b"<LanNo>2</LanNo></SnapInfo></Picture></TollgateInfo>"
    )
    (found,) = read(xml, "application/xml")
    same = one(body())
    assert isinstance(found, Event)
    assert (found.observed_at, found.device_ref, found.body["lane"]) == (
        same.observed_at, same.device_ref, same.body["lane"],
    )  # fmt: skip
    assert found.restricted["plate"]["text"] == same.restricted["plate"]["text"]
