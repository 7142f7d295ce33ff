"""`milesight` against a recorded push; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import normalize

import pytest

from connectors.milesight import Options, parse
from hub import Event, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/anpr_other/milesight_lpr_push.json"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"


def read(document, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options(**options)))


def one(**more):
    (outcome,) = read({"device": "Cổng", "time": "2026-03-14 07:45:57", "plate": "30K12345"} | more)
    return outcome


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_push_is_one_passage_with_its_picture():
    (found,) = read(SHARED.read_bytes(), zone="UTC")
    assert found.restricted["plate"]["raw"] == "62D3680"
    assert found.restricted["plate"]["confidence"] is None
    assert found.observed_at == datetime(2024, 2, 1, 6, 0, 5, 509_000, tzinfo=UTC)
    assert (found.body["country"], found.body["list_name"]) == ("LVA", "Visitor")
    assert (found.body["plate_box"]["width"], found.body["plate_box"]["height"]) == (96, 42)
    assert [picture.role for picture in found.pictures] == ["plate"]


def test_a_dash_stands_for_what_is_missing():
    found = one(speed="-", direction="-", confidence="-", vehicle_type="-", plate="-")
    assert (found.body["speed_kmh"], found.body["direction"]) == (None, "UNKNOWN")
    assert found.body["vehicle_type"] == ""
    assert "plate_unread" in found.quality_flags


def test_a_confidence_may_be_a_text():
    assert one(confidence="0.70").restricted["plate"]["confidence"] == 0.7
    unscaled = one(confidence="70")
    assert unscaled.restricted["plate"]["confidence"] is None
    assert "confidence_out_of_scale" in unscaled.quality_flags


def test_the_brand_has_a_blank_in_its_name():
    assert one(**{"Vehicle Brand": "Honda"}).body["vehicle_make"] == "Honda"


def test_time_is_local():
    found = one()
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, tzinfo=UTC)
    assert found.time_quality == "ASSUMED_ZONE"


def test_pictures_are_taken_out_and_those_of_persons_dropped():
    picture = base64.b64encode(JPEG).decode()
    found = one(plate_image=picture, full_image=picture, face_image=picture)
    assert sorted(each.role for each in found.pictures) == ["plate", "scene"]
    assert "person_picture_dropped" in found.quality_flags


def test_a_bad_entry_of_a_list_hides_no_other():
    good = {"device": "A", "plate": "30K12345"}
    outcomes = read([good, {"device": "A"}, 7, good])
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]


def polled(*lines):
    return read("\r\n".join(lines).encode(), zone="Asia/Ho_Chi_Minh")


def test_the_last_reads_of_a_poll_are_text_and_each_a_passage():
    first, second = polled(
        "time_0=2026-03-14 07:45:41", "plate_0=30F-220.71", "direction_0=1", "roi_id_0=2",
        "plate_left_0=10", "plate_top_0=20", "plate_right_0=40", "plate_bottom_0=30",
        "time_1=2026-03-14 07:45:49", "plate_1=-", "direction_1=0",
    )  # fmt: skip
    assert (first.restricted["plate"]["text"], first.body["lane"]) == ("30F22071", 2)
    assert (first.body["direction"], second.body["direction"]) == ("APPROACHING", "UNKNOWN")
    assert (first.body["plate_box"]["width"], first.body["plate_box"]["scale"]) == (30, "PIXEL")
    assert {"plate_unread", "device_unnamed"} <= set(second.quality_flags)
    assert first.observed_at == datetime(2026, 3, 14, 0, 45, 41, tzinfo=UTC)


def test_a_title_may_be_that_of_many_cameras():
    (found,) = read({"device": "Network Camera", "plate": "30K12345"}, device="cong-2")
    assert found.device_ref == "cong-2"
    assert one(device="-").device_ref == ""


def test_a_bad_read_of_a_poll_hides_no_other():
    outcomes = polled("time_0=x", "plate_1=30F22071", "junk")
    assert [type(each) for each in outcomes] == [Rejection, Event]
    assert outcomes[0].path == "plate_0"
    outcomes = polled(*(f"plate_{number}=30F22071" for number in range(1_001)))
    assert (len(outcomes), outcomes[-1].code) == (1_001, "too-many-records")


@pytest.mark.parametrize(("body", "code"), [(b"", "empty"), (b"plate=1", "unknown-format")])
def test_what_is_no_push_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code


def test_a_name_in_local_letters_is_one_however_they_are_composed():
    name = "Cổng số 2, Đống Đa"
    found = {one(device=normalize(form, name)).device_ref for form in ("NFC", "NFD")}
    assert found == {name}


def test_a_box_comes_with_its_scale_and_the_size_of_its_picture():
    corners = {"coordinate_x1": 10, "coordinate_y1": 20, "coordinate_x2": 106, "coordinate_y2": 62}
    box = one(**corners, resolution_width=1920, resolution_height=1080).body["plate_box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (10, 20, 96, 42)
    assert (box["scale"], box["picture_width_px"], box["picture_height_px"]) == (
        "PIXEL",
        1920,
        1080,
    )
