"""`dahua_itsapi` against what is known of the format; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.dahua_itsapi import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "dahua_anpr"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
MEMBERS = [
    "Plate",
    "SnapInfo",
    "ParkingInfo",
    "NormalPic",
    "FacePic",
    "Content",
    "BoundingBox",
    "PlateNumber",
    "DeviceID",
    "PlateInfoList",
    "Vehicle",
    "Type",
    "Event",
    "IsExist",
]
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
    refused = one((SHARED / "itsapi_tollgateinfo_request.txt").read_bytes())
    assert (refused.code, refused.path) == ("malformed", "document[0]")


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


def parked(around="picture", **fields):
    """A push of a parking camera, with `ParkingInfo` in one of the places it is seen in."""
    info = {"SnapTime": "2026-03-14 07:45:58", "ParkingStallsNo": "A01", "DeviceID": "bai-do-7"}
    info |= {"TimeZone": 2, "Channel": 0, "Direction": "Obverse", "ParkingStatus": 0} | fields
    plate = {"PlateNumber": "30K-123.45", "IsExist": True, "Confidence": 85}
    if around == "picture":
        return {"Picture": {"Plate": plate, "ParkingInfo": info}}
    if around == "beside":
        device = info.pop("DeviceID")
        return {"Picture": {"Plate": plate}, "ParkingInfo": info, "DeviceID": device}
    return {"ParkingInfo": {"Picture": {"Plate": plate, "SnapInfo": info}}}


@pytest.mark.parametrize("around", ["picture", "beside", "around"])
def test_a_parking_camera_says_its_time_and_name_in_parking_info_wherever_that_stands(around):
    found = one(parked(around))
    assert (found.noun, found.device_ref) == ("plate_read", "bai-do-7")
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 58, tzinfo=UTC)
    assert found.body["direction"] == "APPROACHING"
    assert found.restricted["plate"]["text"] == "30K12345"


def test_a_confidence_is_of_255_at_a_gate_and_of_100_in_a_parking_space_and_nought_is_none():
    gate = body()
    scores = []
    for confidence in (204, 96, 0, 256):
        gate["Picture"]["Plate"]["Confidence"] = confidence
        scores.append(one(gate).restricted["plate"]["confidence"])
    assert scores == [0.8, 0.3765, None, None]
    assert one(parked()).restricted["plate"]["confidence"] == 0.85


def test_a_channel_that_is_not_the_first_is_a_device_of_its_own():
    assert [one(parked(Channel=n)).device_ref for n in (0, 3)] == ["bai-do-7", "bai-do-7/3"]


def test_a_count_of_posts_and_a_code_against_forgery_are_no_ids():
    identity = Identity(b"k" * 32, connector, "gate")
    ids = set()
    for number in (1, 4):
        data = body(snap={"DefenceCode": f"YhfH6{number}"})
        data["Picture"]["Plate"]["UploadNum"] = number
        ids.add(identity.event(one(data), payload_id=str(number), index=0))
    assert len(ids) == 1


def test_several_pictures_may_stand_under_one_name():
    content = base64.b64encode(JPEG).decode()
    two = {"Content": content, "Content_2nd": content}
    found = one(body(NormalPic=two, CombinPic=[{"Content": content}, {"Content": content}, None]))
    assert [picture.role for picture in found.pictures] == ["scene"] * 4


def test_faces_in_a_list_are_dropped_each_by_its_kind_whatever_that_is():
    content = base64.b64encode(JPEG).decode()
    faces = [{"PicType": kind, "Content": content} for kind in (0, 1, 2)]
    found = one(body(FacePic=faces))
    assert (found.pictures, found.quality_flags) == ((), ("person_picture_dropped",))


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
@pytest.mark.parametrize("join", ["", "\r\n", "\n"])
def test_base64_may_be_wrapped_in_lines_and_name_its_type(prefix, join):
    text = base64.b64encode(JPEG).decode()
    content = prefix + join.join(text[at : at + 16] for at in range(0, len(text), 16))
    found = one(body(NormalPic={"Content": content}))
    assert ([picture.data for picture in found.pictures], found.quality_flags) == ([JPEG], ())


def test_base64_that_breaks_off_is_kept_as_far_as_it_goes_and_said():
    text = base64.b64encode(JPEG).decode().rstrip("=")
    found = one(body(NormalPic={"Content": text[:-5]}))
    assert len(found.pictures) == 1
    assert JPEG.startswith(found.pictures[0].data)
    assert found.quality_flags == ("picture_truncated",)


def test_pictures_beside_documents_belong_to_the_one_before_them():
    def part(data, kind):
        return f"--its\r\nContent-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"

    documents = [part(json.dumps(body(raw)).encode(), "application/json") for raw in ("A", "B")]
    first, second = read(documents[0] + part(JPEG, "image/jpeg") + documents[1], "")
    assert [len(each.pictures) for each in (first, second)] == [1, 0]


def test_pictures_without_a_document_are_refused():
    with pytest.raises(PayloadError, match="without an event"):
        read(b"--its\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n--its--\r\n", "")


def test_one_bad_record_of_a_list_hides_no_other_one():
    outcomes = read([body(), 7, body("29A-000.01")])
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


def test_a_body_in_gb_2312_is_read():
    data = json.dumps(body("京A12345"), ensure_ascii=False).encode("gb2312")
    assert one(data).restricted["plate"]["raw"] == "京A12345"


@pytest.mark.parametrize(
    ("state", "told"), [("Pluse", "PULSE"), ("Start", "STARTED"), ("Stop", "STOPPED")]
)
def test_an_alarm_is_a_detection_by_its_number_for_each_plate(state, told):
    alarm = {"Time": "2026-03-14 07:45:58", "Type": 3, "State": state, "ParkingStallsNo": "A01"}
    found = one({"AlarmInfo": alarm, "DeviceID": "bai-do-7"})
    assert (found.noun, found.device_ref) == ("detection", "bai-do-7")
    assert [found.body[name] for name in ("rule", "state", "region")] == [
        "AlarmInfo 3",
        told,
        "A01",
    ]
    alarm["PlateInfoList"] = [{"PlateNumber": "30K12345"}, {"PlateNumber": "29A00001"}]
    plates = [each.restricted["plate"]["text"] for each in read({"AlarmInfo": alarm})]
    assert plates == ["30K12345", "29A00001"]


@pytest.mark.parametrize(
    "data",
    [
        {"Active": "keepAlive", "DeviceID": "x"},
        {"DeviceName": "x", "DeviceModel": "ITC", "DeviceType": "Tollgate", "DeviceID": "x"},
    ],
    ids=["KeepAlive", "DeviceInfo"],
)
def test_what_a_device_says_of_itself_is_no_event(data):
    assert isinstance(one(data), Nothing)


def test_an_event_of_another_api_names_the_connector_that_reads_it():
    refused = one({"Code": "TrafficJunction", "Action": "Pulse", "Data": {}})
    assert (refused.code, "dahua_cgi" in refused.fix) == ("other-format", True)


def test_a_cameras_own_list_is_named_and_nothing_of_it_is_told():
    assert one(body(snap={"BlockUser": True, "AllowUser": False})).body["list_name"] == "BlockUser"
    assert one(body(snap={"AllowUser": "true"})).body["list_name"] == "AllowUser"


def test_the_number_of_people_in_a_car_is_not_read():
    assert "InCarPeopleNum" not in str(one(body(snap={"InCarPeopleNum": 3})))
    assert one(body(snap={"InCarPeopleNum": 3})) == one(body())


def test_the_sites_own_code_of_an_act_stands_beside_what_the_event_is():
    snap = {"ViolationCode": "1044", "Event": "TrafficParking"}
    candidate = read(body(snap=snap, Vehicle={"VehicleType": "SUV"}))[1]
    assert (candidate.body["source_code"], candidate.body["act_word"]) == ("1044", "stopping")


def test_a_site_may_say_what_its_codes_of_acts_mean():
    candidate = read(body(snap={"ViolationCode": "77"}), acts={"77": "phone"})[1]
    assert candidate.body["act_word"] == "phone"


def test_too_many_documents_end_with_a_rejection():
    outcomes = read([body()] * 70)
    assert (len(outcomes), outcomes[-1].code) == (65, "too-many-documents")


@given(
    data=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6)
        ),
        max_leaves=25,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_members_make_the_parser_fail_otherwise(data):
    outcomes = read({"Picture": data, "AlarmInfo": data})
    assert all(isinstance(each, Event | Nothing | Rejection) for each in outcomes)


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


def test_a_picture_of_megabytes_inside_the_json_is_taken_out_whole():
    big = JPEG[:-2] + bytes(4_000_000) + JPEG[-2:]
    found = one(body(NormalPic={"Content": base64.b64encode(big).decode()}))
    assert ([each.data for each in found.pictures], found.quality_flags) == ([big], ())


def test_a_plate_of_null_is_a_passage_without_a_reading():
    found = one(body(None))
    assert (found.restricted["plate"]["raw"], found.restricted["plate"]["text"]) == ("", "")
    assert "plate_unread" in found.quality_flags
