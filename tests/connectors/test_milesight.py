"""`milesight` against a recorded push; each trap of the field has a test."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

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
    assert one(confidence="70").restricted["plate"]["confidence"] is None


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


@pytest.mark.parametrize(("body", "code"), [(b"", "empty"), (b"plate=1", "malformed")])
def test_what_is_no_push_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
