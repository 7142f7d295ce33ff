"""`dahua_cgi` against what is known of the format; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dahua_cgi import Options, parse
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
    "dahua_cgi/humantrait_wizmind_utc_is_local.txt": [("camera.humantrait", "14", "STOPPED", None)],
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
    "dahua_cgi/timechange-pulse.txt": [("device.health", "0", "DEGRADED", None)],
    "dahua_cgi/videomotion-start.txt": [("camera.videomotion", "0", "STARTED", None)],
    "dahua_cgi/videomotion-stop.txt": [("camera.videomotion", "0", "STOPPED", None)],
}
# What an integrator saved of an event, and a log with a comma missing: neither is on any wire.
SHARED_REFUSED = {
    "dahua_cgi/crossregion_human_data_only.json": "no-event",
    "dahua_anpr/trafficjunction_rpc_th.txt": "malformed",
}


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


def test_the_word_heartbeat_is_no_event():
    assert one("Heartbeat") == Nothing(why="heartbeat")
    assert one(part("Heartbeat", "Content-Length:9")) == Nothing(why="heartbeat")


@pytest.mark.parametrize("length", [["Content-Length:0"], ["Content-Length: 7"], []])
def test_a_content_length_may_be_zero_wrong_or_absent(length):
    body = part(event(Name="a"), *length) + part(event(Name="b"), *length)
    assert [each.body["region"] for each in read(body)] == ["a", "b"]


def test_a_boundary_with_a_blank_is_one_too():
    body = part(event(Name="a")).replace("--myboundary", "-- myboundary") + part(event(Name="b"))
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
