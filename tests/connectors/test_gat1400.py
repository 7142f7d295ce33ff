"""`gat1400` against the standard's public texts; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.gat1400 import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/gb_standards/gat1400_motorvehicles.json"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9").decode()


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options()))


def vehicles(*objects):
    return read({"MotorVehicleListObject": {"MotorVehicleObject": [*objects]}})


def one(**more):
    base = {"MotorVehicleID": "1", "DeviceID": "D1", "PassTime": "20260314074557"}
    (outcome,) = vehicles(base | {"PlateNo": "浙BY6H39"} | more)
    return outcome


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_push_is_a_passage_although_its_picture_is_cut_off():
    (found,) = read(SHARED.read_bytes())
    assert found.native_id == "33029902001210000118"
    assert found.observed_at == datetime(2021, 4, 11, 10, 13, 37, tzinfo=UTC)
    assert found.restricted["plate"]["raw"] == "浙BY6H39"
    assert {"picture_unreadable", "device_unnamed"} <= set(found.quality_flags)


def test_fourteen_digits_are_local_and_the_first_time_that_is_given_counts():
    assert one().observed_at == datetime(2026, 3, 14, 0, 45, 57, tzinfo=UTC)
    later = one(PassTime="", AppearTime="20260314074559")
    assert later.observed_at.second == 59


def test_a_vehicle_without_a_plate_says_so():
    for word in ("0", 0):
        assert "plate_unread" in one(HasPlate=word).quality_flags


def test_pictures_of_persons_are_dropped_by_their_code():
    images = [{"Type": code, "Data": JPEG} for code in ("01", "2", "04", "11", "99")]
    found = one(SubImageList={"SubImageInfoObject": images})
    assert [each.role for each in found.pictures] == ["vehicle", "plate"]
    assert "person_picture_dropped" in found.quality_flags


def test_colours_are_codes_and_values_may_be_texts():
    found = one(PlateColor="5", LaneNo="2", Speed="41", PlateReliability="90")
    assert found.restricted["plate"]["colour"] == "BLUE"
    assert found.restricted["plate"]["confidence"] == 0.9
    assert (found.body["lane"], found.body["speed_kmh"]) == (2, 41)


def test_notices_of_a_subscription_are_read_and_two_wheelers_are_motorbikes():
    rider = {"NonMotorVehicleID": "9", "TollgateID": "T1", "PlateNo": "29B112345"}
    notice = {"NonMotorVehicleObjectList": {"NonMotorVehicleObject": [rider]}}
    (found,) = read({"SubscribeNotificationListObject": {"SubscribeNotificationObject": [notice]}})
    assert (found.device_ref, found.restricted["plate"]["category"]) == ("T1", "MOTORBIKE")


@pytest.mark.parametrize("name", ["KeepaliveObject", "FaceListObject", "PersonListObject"])
def test_keep_alives_faces_and_persons_are_no_events(name):
    assert isinstance(read({name: {"DeviceID": "D1"}})[0], Nothing)


def test_a_bad_vehicle_hides_no_other():
    outcomes = vehicles({"MotorVehicleID": "1"}, {}, 7, {"MotorVehicleID": "2"})
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]


@pytest.mark.parametrize(
    ("body", "code"), [({}, "no-event"), (b"", "empty"), (b"[]", "wrong-type")]
)
def test_what_is_no_list_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
