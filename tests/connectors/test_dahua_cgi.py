# more than 400 lines: every trap of one format, in one place
"""`dahua_cgi` against what is known of the format; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dahua_cgi import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
# What must come out of each shared sample, read from the file: kind, channel, state, time.
SHARED_EVENTS = {
    "dahua_cgi/crosslinedetection-start-human.txt": [
        ("camera.crosslinedetection", "0", "STARTED", "2021-04-12T16:40:58.883000+00:00")
    ],
    "dahua_cgi/crosslinedetection-stop-human.txt": [
        ("camera.crosslinedetection", "0", "STOPPED", None)
    ],
    "dahua_cgi/crossregion_localetime.txt": [
        ("camera.crossregiondetection", "1", "STARTED", "2019-01-31T10:04:58.633000+00:00")
    ],
    # Its UTC is local time: 21:26:33 in the source's zone, not in UTC.
    "dahua_cgi/humantrait_wizmind_utc_is_local.txt": [
        ("camera.humantrait", "14", "STOPPED", "2022-08-13T14:26:33+00:00")
    ],
    "dahua_cgi/parkingdetection-start.txt": [
        ("camera.parkingdetection", "0", "STARTED", "2021-04-22T16:16:25.915000+00:00")
    ],
    "dahua_cgi/rtspsessiondisconnect-start.txt": [("device.health", "0", "DEGRADED", None)],
    "dahua_cgi/session_nvr.txt": [
        ("camera.videomotion", "0", "STARTED", None),
        ("camera.smartmotionhuman", "1", "PULSE", None),
        ("camera.crossregiondetection", "2", "STOPPED", None),
    ],
    "dahua_cgi/smartmotionvehicle-start.txt": [("camera.smartmotionvehicle", "0", "STARTED", None)],
    "dahua_cgi/timechange-pulse.txt": [("device.health", "0", "ONLINE", None)],
    "dahua_cgi/videomotion-start.txt": [("camera.videomotion", "0", "STARTED", None)],
    "dahua_cgi/videomotion-stop.txt": [("camera.videomotion", "0", "STOPPED", None)],
}
# What an integrator saved of an event without its code, which is on no wire.
SHARED_REFUSED = {"dahua_cgi/crossregion_human_data_only.json": "no-event"}


def read(body, content_type="", **options):
    body = body if isinstance(body, bytes) else body.encode()
    payload = Payload(body=body, content_type=content_type, received_at=NOW)
    return list(parse(payload, Options(**options)))


def one(body, **options):
    outcomes = read(body, **options)
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def event(code="CrossLineDetection", action="Start", index=0, **data):
    return f"Code={code};action={action};index={index};data={json.dumps(data)}"


def part(text, *headers):
    lines = ["--myboundary", "Content-Type: text/plain", *headers, "", text, ""]
    return "\r\n".join(lines)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", [*SHARED_EVENTS, *SHARED_REFUSED])
def test_every_shared_sample_gives_what_is_written_of_it(name):
    body = (SHARED / name).read_bytes()
    if name in SHARED_REFUSED:
        with pytest.raises(PayloadError) as refused:
            read(body)
        assert refused.value.code == SHARED_REFUSED[name]
        return
    found = [
        (each.kind, each.device_ref, each.body["state"], each.observed_at)
        for each in read(body)
        if isinstance(each, Event)
    ]
    wanted = [(*rest, at and datetime.fromisoformat(at)) for *rest, at in SHARED_EVENTS[name]]
    assert found == wanted


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_log_of_rpc2_is_refused_as_it_is_and_one_passage_with_its_comma():
    body = (SHARED / "dahua_anpr/trafficjunction_rpc_th.txt").read_bytes()
    assert one(body).code == "malformed"
    found = one(body.replace(b'"session"', b', "session"'), zone="Asia/Bangkok")
    # RealUTC, not UTC, which is seven hours on; the milliseconds are UTC's own.
    assert found.observed_at == datetime(2024, 1, 30, 7, 34, 55, 305_000, tzinfo=UTC)
    plate = found.restricted["plate"]
    assert (found.noun, plate["text"], plate["confidence"]) == ("plate_read", "", None)
    assert "plate_unread" in found.quality_flags
    told = {"lane": 2, "direction": "DEPARTING", "speed_limit_kmh": 70.0, "speed_kmh": None}
    told |= {"vehicle_type": "NoMannedConvertibleTricycle", "vehicle_colour": "Blue"}
    assert told == {name: found.body[name] for name in told}


def test_the_word_heartbeat_is_no_event():
    assert one("Heartbeat") == Nothing(why="heartbeat")
    assert one(part("Heartbeat", "Content-Length:9")) == Nothing(why="heartbeat")


@pytest.mark.parametrize("length", [["Content-Length:0"], ["Content-Length: 7"], []])
def test_a_content_length_may_be_zero_wrong_or_absent(length):
    body = part(event(Name="a"), *length) + part(event(Name="b"), *length)
    assert [each.body["region"] for each in read(body)] == ["a", "b"]


@pytest.mark.parametrize("later", ["-- myboundary", "--myboundary"])
def test_a_boundary_with_a_blank_is_one_too(later):
    first = part(event(Name="a")).replace("--myboundary", "-- myboundary")
    body = first + part(event(Name="b")).replace("--myboundary", later)
    assert [each.body["region"] for each in read(body)] == ["a", "b"]


def test_a_block_of_http_in_mid_stream_hides_nothing():
    block = (
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=myboundary\r\n\r\n"
    )
    body = part(event(Name="a")) + block + part(event(Name="b"))
    assert [each.body["region"] for each in read(body)] == ["a", "b"]


def test_several_events_may_stand_in_one_part():
    body = part(f"{event(Name='a')}\r\n{event('VideoMotion', index=3)}Code=VideoLoss;action=Stop")
    assert [each.kind for each in read(body)] == [
        "camera.crosslinedetection", "camera.videomotion", "device.health",
    ]  # fmt: skip


def test_json_may_hold_semicolons_equals_signs_and_words_like_an_events_head():
    name = "a;b=c;data={1} Code=VideoLoss;action=Start;index=9;data={}"
    assert one(event(Name=name)).body["region"] == name


def test_data_on_a_line_of_their_own_are_the_events_too():
    assert one('Code=X;action=Start;index=0;data=\r\n  {"Name":"a"}').body["region"] == "a"
    assert one("Code=X;action=Start;index=0;data=[1]").quality_flags[-1] == "data_unreadable"


def test_truncated_json_keeps_the_event_and_hides_no_later_one():
    first, second = read(
        'Code=VideoMotion;action=Start;index=1;data={"Id":[0\r\n' + event(Name="b")
    )
    assert (first.device_ref, first.quality_flags) == ("1", ("time_missing", "data_unreadable"))
    assert second.body["region"] == "b"


def test_a_stop_repeats_its_starts_time_so_its_own_is_the_receipts():
    stamps = {"UTC": 1773449150, "UTCMS": 5, "EventID": 10021}
    start, stop = read(event(**stamps) + event(action="Stop", **stamps))
    assert start.observed_at == datetime(2026, 3, 14, 0, 45, 50, 5000, tzinfo=UTC)
    assert (stop.observed_at, stop.time_quality) == (None, "RECEIVED")
    assert "end_time_received" in stop.quality_flags
    assert start.native_id == stop.native_id


def test_an_event_id_that_begins_anew_after_a_reboot_makes_no_second_id_equal():
    before = one(event(EventID=10001, UTC=1773449150))
    after = one(event(EventID=10001, UTC=1773449160))
    assert before.native_id != after.native_id


def test_utc_that_is_honest_stays_as_it_is():
    found = one(event(UTC=1773449150, LocaleTime="2026-03-14 07:45:50"))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 50, tzinfo=UTC)
    assert (found.time_quality, found.quality_flags) == ("DEVICE", ())


def test_utc_that_is_local_is_taken_back_by_the_sources_zone():
    found = one(event(UTC=1773474350.0, LocaleTime="2026-03-14 07:45:50"))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 50, tzinfo=UTC)
    assert found.quality_flags == ("utc_is_local",)


def test_utc_equal_to_local_time_is_right_where_the_site_is_at_utc():
    found = one(event(UTC=1773449150, LocaleTime="2026-03-14 00:45:50"), zone="UTC")
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 50, tzinfo=UTC)
    assert found.quality_flags == ()


def test_real_utc_is_believed_before_any_other():
    found = one(event(RealUTC=1773449150, UTC=1773474350, LocaleTime="2026-03-14 07:45:50"))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 50, tzinfo=UTC)
    assert found.quality_flags == ()


def test_the_enum_time_zone_is_never_taken_for_hours():
    with_zone, without = one(event(UTC=1773449150, TimeZone=13)), one(event(UTC=1773449150))
    assert with_zone.observed_at == without.observed_at


def test_an_event_without_time_is_of_the_time_of_receipt():
    found = one(event("SmartMotionVehicle", object=[{"Rect": [0, 0, 10, 10], "VehicleID": 3}]))
    assert (found.observed_at, found.time_quality) == (None, "RECEIVED")
    assert found.body["target"] == "Vehicle"


def test_a_confidence_of_zero_is_none_and_one_of_255_is_whole():
    boxes = {"ObjectType": "Human", "BoundingBox": [0, 0, 8, 8]}
    scores = [one(event(Object=boxes | {"Confidence": n})).body["score"] for n in (0, 255, 300)]
    assert scores == [None, 1.0, None]


def test_a_box_is_two_corners_on_a_grid_of_8192_and_four_zeros_are_none():
    seen = one(event(Object={"BoundingBox": [100, 200, 400, 800]})).body["box"]
    assert (seen["x"], seen["y"], seen["width"], seen["height"]) == (100, 200, 300, 600)
    assert seen["scale"] == "GRID_8192"
    assert one(event(Object={"BoundingBox": [0, 0, 0, 0]})).body["box"] is None


@pytest.mark.parametrize("raw", ["", "--", "unlicensed", "Unknown", "unknown"])
def test_words_for_no_plate_are_a_passage_without_one(raw):
    found = one(event("TrafficJunction", "Pulse", TrafficCar={"PlateNumber": raw}))
    assert found.noun == "plate_read"
    assert found.restricted["plate"]["text"] == ""
    assert "plate_unread" in found.quality_flags


def test_a_plate_is_of_traffic_car_else_of_the_object_else_of_the_two_wheeler():
    plates = [
        {"TrafficCar": {"PlateNumber": "29A12345"}, "Object": {"ObjectType": "Plate", "Text": "X"}},
        {"Object": {"ObjectType": "Plate", "Text": "29A12345"}},
        {"NonMotor": {"Plate": {"Text": "29A12345"}}},
    ]
    found = [one(event("TrafficJunction", "Pulse", **each)) for each in plates]
    assert {each.restricted["plate"]["text"] for each in found} == {"29A12345"}


def test_homoglyphs_in_a_plate_are_read_as_the_letters_they_look_like():
    found = one(event("TrafficJunction", "Pulse", TrafficCar={"PlateNumber": "29\u041012345"}))
    assert found.restricted["plate"]["text"] == "29A12345"
    assert found.restricted["plate"]["raw"] == "29\u041012345"


def test_a_violation_is_a_candidate_beside_the_read_and_only_where_one_is_named():
    car = {"PlateNumber": "30K12345", "Speed": 78, "UpperSpeedLimit": 60}
    plain = read(event("TrafficJunction", "Pulse", TrafficCar=car))
    assert [each.noun for each in plain] == ["plate_read"]
    speeding = read(event("TrafficOverSpeed", "Pulse", TrafficCar=car, UTC=1773449150))
    assert [each.noun for each in speeding] == ["plate_read", "violation"]
    assert speeding[1].body["act_word"] == "speeding"
    named = read(
        event("TrafficJunction", "Pulse", TrafficCar={"ViolationCode": "9", "ViolationName": "X"})
    )
    assert (named[1].body["source_code"], named[1].body["act_word"]) == ("9", "")
    assert "act_unknown" in named[1].quality_flags


def test_events_of_the_device_are_its_health():
    for code in ("VideoLoss", "VideoBlind", "VideoAbnormalDetection", "StorageFailure",
                 "RtspSessionDisconnect", "TimeChange", "NTPAdjustTime"):  # fmt: skip
        found = one(event(code))
        assert (found.noun, found.kind) == ("health", "device.health")
        assert one(event(code, "Stop")).body["state"] == "ONLINE"


def test_who_lost_a_session_is_not_told():
    found = one(event("RtspSessionDisconnect", Device="192.0.2.9", UserAgent=" nvr"))
    assert "192.0.2.9" not in str(found)


def test_riders_and_seats_are_persons_and_are_not_read():
    rider = {"RiderList": [{"Helmet": 0, "Age": 31}], "Plate": {"Text": "29B112345"}}
    found = one(event("TrafficJunction", "Pulse", NonMotor=rider))
    assert "Helmet" not in str(found)


def test_a_picture_belongs_to_the_event_before_it():
    jpeg = b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"
    lines = "Events[0].Code=TrafficJunction\r\nEvents[0].TrafficCar.PlateNumber=30K12345"
    image = f"--myboundary\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    body = part(lines).encode() + image.encode() + jpeg + b"\r\n" + part(event(Name="b")).encode()
    first, second = read(body, "multipart/x-mixed-replace; boundary=myboundary")
    assert [each.data for each in first.pictures] == [jpeg]
    assert second.pictures == ()


def test_too_many_events_are_refused_and_those_before_are_kept():
    outcomes = read("Code=VideoMotion;action=Start;index=0\n" * 1001)
    assert len(outcomes) == 1001
    assert isinstance(outcomes[-1], Rejection)


SNAP = {
    "EventBaseInfo.Code": "TrafficParking",
    "EventBaseInfo.Action": "Start",
    "EventBaseInfo.Index": "0",
    "GroupID": "1647090670",
    "CountInGroup": "3",
    "IndexInGroup": "2",
    "Object.BoundingBox[0]": "5954",
    "Object.BoundingBox[1]": "2234",
    "Object.BoundingBox[2]": "6346",
    "Object.BoundingBox[3]": "2404",
    "Object.ObjectType": "Plate",
    "Object.Text": "00123",
    "TrafficCar.DrivingDirection[0]": "Approach",
    "TrafficCar.PlateColor": "YellowbottomBlackText",
    "TrafficCar.PlateNumber": "00123",
    "TrafficCar.UpperSpeedLimit": "70",
    "TrafficCar.VehicleSign": "Unknown",
    "TrafficCar.ViolationCode": "1044",
    "TrafficCar.ViolationDesc": "A",
    "UTC": "1773449150",
    "UTCMS": "619",
    "Vehicle.Category": "Unknown",
    "Vehicle.DriverFace[0][3]": "0",
}
JPEG = b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"


def snap(number=0, prefix="Events", **more):
    lines = {**SNAP, **{name.replace("__", "."): value for name, value in more.items()}}
    return "\n\n".join(f"{prefix}[{number}].{name}={value}" for name, value in lines.items())


def test_lines_of_snap_manager_name_their_event_in_its_base_info():
    passage, candidate = read(snap())
    assert (passage.device_ref, passage.noun, candidate.noun) == ("0", "plate_read", "violation")
    assert passage.observed_at == datetime(2026, 3, 14, 0, 45, 50, 619_000, tzinfo=UTC)
    assert passage.body["direction"] == "APPROACHING"
    assert passage.body["plate_box"]["width"] == 392
    assert (passage.body["vehicle_type"], passage.body["vehicle_make"]) == ("", "")


def test_digits_of_a_plate_in_lines_are_no_number():
    plate = read(snap())[0].restricted["plate"]
    assert (plate["raw"], plate["colour"]) == ("00123", "YELLOW")


def test_lines_may_be_named_returned_events_and_hold_their_data_in_a_branch():
    assert [each.noun for each in read(snap(prefix="ReturnEvents"))] == ["plate_read", "violation"]
    lines = (
        "Events[0].Code=CrossLineDetection\nEvents[0].Data.Name=a\nEvents[0].Data.UTC= 1773449150"
    )
    assert (one(lines).body["region"], one(lines).observed_at.second) == ("a", 50)


def test_several_events_of_lines_are_told_apart_by_their_number():
    found = read(f"{snap()}\n{snap(1, EventBaseInfo__Index='4')}")
    assert [each.device_ref for each in found] == ["0", "0", "4", "4"]


def test_an_event_of_lines_without_its_code_is_refused_and_hides_no_other_one():
    outcomes = read(f"Events[0].Name=a\n{snap(1)}")
    assert [type(each) for each in outcomes] == [Rejection, Event, Event]
    assert outcomes[0].path == "Events[0].EventBaseInfo.Code"


def test_lines_without_end_are_read_so_far_and_the_rest_is_refused():
    outcomes = read(snap() + "\n\n" + "Events[0].X.Y=1\n" * 6_000)
    assert [type(each) for each in outcomes] == [Event, Event, Rejection]
    assert outcomes[-1].code == "too-many-lines"


def test_lines_that_contradict_each_other_are_read_as_far_as_they_go():
    contrary = ["Name=a", "Name.More=b", "List[0]=1", "List[7]=2", "List.Name=c", "List[0][0]=3"]
    lines = "\n".join(f"Events[0].{line}" for line in ["Code=CrossLineDetection", *contrary])
    assert one(lines).body["region"] == "a"


def test_the_sites_own_code_stands_beside_what_the_event_is():
    candidate = read(snap())[1]
    assert (candidate.body["source_code"], candidate.body["act_word"]) == ("1044", "stopping")
    assert (candidate.body["law_code"], candidate.quality_flags) == ("", ("law_code_open",))


@pytest.mark.parametrize(
    ("code", "acts", "word"),
    [
        ("1044", {"1044": "stopping_jam"}, "stopping_jam"),
        ("1625", {}, "stopping"),
        ("7", {"9": "phone"}, "stopping"),
    ],
    ids=["the site's word", "the event's before the common list's", "another code's word"],
)
def test_a_sites_word_for_its_code_stands_before_the_events_and_that_before_the_common_lists(
    code, acts, word
):
    assert read(snap(TrafficCar__ViolationCode=code), acts=acts)[1].body["act_word"] == word


def test_a_code_of_the_common_list_is_known_beside_an_event_that_is_no_act():
    car = {"PlateNumber": "30K12345", "ViolationCode": "1625"}
    assert (
        read(event("TrafficJunction", "Pulse", TrafficCar=car))[1].body["act_word"] == "red_light"
    )


def test_a_national_code_that_a_site_has_taught_its_cameras_is_taken_as_it_is():
    candidate = read(snap(TrafficCar__ViolationCode="16824.7.2.h"))[1]
    assert (candidate.body["law_code"], candidate.body["act_word"]) == ("16824.7.2.h", "helmet")


def test_the_pictures_of_one_act_are_events_of_one_group():
    found = [read(snap(IndexInGroup=place))[1] for place in "123"]
    assert {each.native_id for each in found} == {"1647090670"}
    assert [each.native_version for each in found] == ["1/3", "2/3", "3/3"]


def test_the_end_of_an_act_is_no_second_passage():
    found = one(snap(EventBaseInfo__Action="Stop"))
    assert (found.noun, found.body["state"]) == ("detection", "STOPPED")


def test_an_act_without_a_word_of_the_hub_is_a_candidate_too():
    found = read(event("TrafficOverLine", "Pulse", TrafficCar={"PlateNumber": "30K12345"}))
    assert (found[1].body["source_code"], found[1].body["act_word"]) == ("TrafficOverLine", "")


def test_a_bare_head_is_an_act_whose_provision_people_choose():
    rider = {"Category": "Motorcycle", "Plate": {"Text": "29B112345"}}
    found = read(event("TrafficNonMotorWithoutSafehat", "Pulse", NonMotor=rider))
    assert (found[1].body["act_word"], found[1].body["law_code"]) == ("helmet", "")
    assert "law_code_open" in found[1].quality_flags


def test_a_red_light_says_for_how_long_it_was_red():
    stamps = {"UTC": 1773449150, "UTCMS": 500, "RedLightUTC": 1773449148, "RedLightUTCMS": 0}
    found = read(event("TrafficRunRedLight", "Pulse", LightState=2, **stamps))[1]
    assert (found.body["signal_state"], found.body["red_elapsed_s"]) == ("red", 2.5)
    stamps["RedLightUTC"] = 74874395
    assert read(event("TrafficRunRedLight", "Pulse", **stamps))[1].body["red_elapsed_s"] is None


@pytest.mark.parametrize(
    "code", ["FaceDetection", "FaceRecognition", "HumanTrait", "AccessControl"]
)
def test_a_picture_beside_an_event_of_persons_is_dropped(code):
    lines = part(f"Events[0].EventBaseInfo.Code={code}")
    image = b"--myboundary\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n--myboundary--"
    found = one(lines.encode() + image)
    assert (found.pictures, found.quality_flags[-1]) == ((), "person_picture_dropped")


def test_bytes_of_a_picture_are_never_changed():
    jpeg = b"\xff\xd8\xff\xe0\n-- x\n" + bytes(30) + b"\xff\xd9"
    image = f"--myboundary\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    found = read(part(snap()).encode() + image.encode() + jpeg + b"\r\n--myboundary--")[0]
    assert [each.data for each in found.pictures] == [jpeg]


def test_the_only_event_of_human_trait_is_a_stop_and_its_time_is_its_own():
    found = one(event("HumanTrait", "Stop", UTC=1773449150))
    assert (found.body["state"], found.observed_at.minute) == ("STOPPED", 45)


def test_the_end_of_smart_motion_may_be_of_another_object_and_is_the_same_alarm():
    start, stop = (
        one(event("SmartMotionVehicle", action, object=[{"Rect": [0, 0, 9, 9], "VehicleID": n}]))
        for action, n in (("Start", 7), ("Stop", 9))
    )
    alike = ("rule", "region", "target")
    assert [start.body[name] for name in alike] == [stop.body[name] for name in alike]
    assert (start.subject, start.device_ref) == (stop.subject, stop.device_ref)


def test_a_misspelt_name_of_a_human_is_one_too():
    found = one(event("SmartMotionHuman", object=[{"HumamID": 3, "Rect": [0, 0, 1, 1]}]))
    assert found.body["target"] == "Human"


@pytest.mark.parametrize(
    ("after", "state"), [("2026-03-14 07:46:02", "ONLINE"), ("2026-03-14 14:46:00", "DEGRADED")]
)
def test_a_clock_that_was_set_far_on_was_wrong(after, state):
    stamps = {"BeforeModifyTime": "2026-03-14 07:46:00", "ModifiedTime": after}
    found = one(event("TimeChange", "Pulse", **stamps))
    assert (found.body["component"], found.body["state"]) == ("clock", state)


@pytest.mark.parametrize(("result", "state"), [(True, "ONLINE"), (False, "DEGRADED")])
def test_a_time_server_that_does_not_answer_degrades_the_clock(result, state):
    assert one(event("NTPAdjustTime", "Pulse", result=result)).body["state"] == state


def test_names_in_the_vendors_own_encoding_are_read():
    body = 'Code=CrossLineDetection;action=Start;index=0;data={"Name":"东门入口越线"}'
    assert one(body.encode("gb18030")).body["region"] == "东门入口越线"
    assert one(body.encode()[:-9]).quality_flags[-1] == "data_unreadable"


def test_an_event_that_is_posted_alone_or_in_a_list_is_read_and_a_bad_one_refused():
    good = {"Code": "TrafficJunction", "Action": "Pulse", "Index": 3, "Data": {"TrafficCar": {}}}
    assert one(json.dumps(good)).device_ref == "3"
    outcomes = read(json.dumps([good, {"Action": "Pulse"}, good]))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]
    assert (outcomes[1].code, outcomes[1].path) == ("event-code-missing", "[1]/Code")


def test_a_part_that_is_broken_ends_no_stream():
    outcomes = read(part("{broken") + part(event(Name="b")))
    assert (outcomes[0].code, outcomes[0].path) == ("malformed", "part[0]")
    assert outcomes[1].body["region"] == "b"


def test_a_text_with_a_line_of_dashes_is_no_multipart():
    assert one('Code=X;action=Start;index=0;data={"Name":"a"}\n--').body["region"] == "a"


def test_a_stream_is_cut_into_its_events_byte_by_byte():
    image = b"--myboundary\r\nContent-Type:image/jpeg\r\n\r\n" + JPEG + b"\r\n"
    body = part(snap()).encode() + image + part("Heartbeat").encode()
    body += part(event(Name="b"), "Content-Length:3").encode() + b"--myboundary\r\n"
    live = connector.split("multipart/x-mixed-replace; boundary=myboundary", 1 << 20)
    pieces = [piece for byte in body for piece in live.feed(bytes([byte]))] + live.pause()
    found = [each for piece in pieces for each in read(piece.body, piece.content_type)]
    nouns = [getattr(each, "noun", "nothing") for each in found]
    assert nouns == ["plate_read", "violation", "nothing", "detection"]
    assert [each.data for each in found[0].pictures] == [JPEG]


@pytest.mark.parametrize("body", ["", "  ", "hello", "--myboundary\r\n\r\n", "[]", "{}"])
def test_what_holds_no_event_is_refused_with_the_way_to_mend_it(body):
    with pytest.raises(PayloadError):
        read(body)


@given(st.text(max_size=200), st.integers(0, 200))
def test_no_text_makes_the_parser_fail_otherwise(noise, cut):
    body = (event(Name=noise) + noise)[:cut] + noise
    try:
        outcomes = read(body)
    except PayloadError:
        return
    assert all(isinstance(each, Event | Rejection | Nothing) for each in outcomes)


def test_channels_count_from_nought_and_one_is_the_second_camera():
    assert [one(event(index=number)).device_ref for number in (0, 1, 32)] == ["0", "1", "32"]
