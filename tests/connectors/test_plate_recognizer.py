"""`plate_recognizer` against what is known of the format; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from connectors.plate_recognizer import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "plate_recognizer"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"
# Plate, score, camera, time: read from the files.
SHARED_READS = {
    "snapshot_mmc_response.json": (
        "MW818WM", 1.0, "sv1-searial-1", "2024-10-17T23:04:50.098+00:00",
    ),
    "snapshot_readme.json": ("ABC123", 0.904, "", None),
    "stream_webhook_recognition.json": (
        "9JUB11", 0.839, "camera-1", "2021-09-29T05:56:13.606935+00:00",
    ),
}  # fmt: skip


def hook(*results, event="recognition", **data):
    base = {"camera_id": "cong-01", "timestamp": "2026-03-14T00:45:56.5Z"}
    return {"hook": {"event": event}, "data": base | {"results": list(results)} | data}


def read(data, content_type="application/json"):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return list(parse(Payload(body=data, content_type=content_type, received_at=NOW), Options()))


def one(data, content_type="application/json"):
    (outcome,) = read(data, content_type)
    return outcome


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_READS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found = one((SHARED / name).read_bytes())
    text, score, camera, at = SHARED_READS[name]
    assert found.restricted["plate"]["text"] == text
    assert found.restricted["plate"]["confidence"] == score
    assert found.device_ref == camera
    assert found.observed_at == (at and datetime.fromisoformat(at))


def test_json_a_form_and_a_multipart_say_the_same():
    document = json.dumps(hook({"plate": "30k12345", "score": 0.9}))
    form = urlencode({"json": document}).encode()
    parts = (
        b'--pr\r\nContent-Disposition: form-data; name="json"\r\n\r\n' + document.encode() + b"\r\n"
        b'--pr\r\nContent-Disposition: form-data; name="upload"; filename="a.jpg"\r\n\r\n'
        + JPEG + b"\r\n--pr--\r\n"
    )  # fmt: skip
    plain = one(document.encode())
    assert one(form, "application/x-www-form-urlencoded") == plain
    several = one(parts, "multipart/form-data; boundary=pr")
    assert [picture.data for picture in several.pictures] == [JPEG]
    assert several.restricted["plate"] == plain.restricted["plate"]


def test_a_plate_in_lower_case_is_compared_in_upper_case_and_kept_as_given():
    plate = one(hook({"plate": "30k12345"})).restricted["plate"]
    assert (plate["text"], plate["raw"]) == ("30K12345", "30k12345")


def test_a_hook_that_is_called_again_gives_the_same_id():
    body = json.dumps(hook({"plate": "30k12345"})).encode()
    runs = [list(dry_run(connector, Sample(name=name, body=body))) for name in ("first", "retry")]
    assert runs[0][0].value[5:21] == runs[1][0].value[5:21]


def test_a_result_without_a_plate_is_a_passage_without_a_reading():
    found = one(hook({"plate": "", "vehicle": {"type": "Bus"}}))
    assert "plate_unread" in found.quality_flags
    assert found.body["vehicle_type"] == "Bus"


def test_the_score_of_the_reading_is_not_that_of_the_detection():
    found = one(hook({"plate": "30k12345", "score": 0.8, "dscore": 0.4}))
    assert found.restricted["plate"]["confidence"] == 0.8


def test_a_direction_in_degrees_or_empty_says_nothing_of_approaching():
    for direction in (81, "", None):
        assert one(hook({"plate": "x1", "direction": direction})).body.get("direction") is None


def test_utc_is_believed_before_the_local_time():
    local = "2026-03-14 09:45:56+07:00"
    found = one(hook({"plate": "30k12345"}, timestamp_local=local))
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 56, 500_000, tzinfo=UTC)


def test_unknown_and_generic_are_no_words_for_a_vehicle():
    found = one(
        hook({
            "plate": "30k12345",
            "vehicle": {"type": "Unknown"},
            "model_make": [{"make": "generic"}],
        })
    )  # fmt: skip
    assert (found.body["vehicle_type"], found.body["vehicle_make"]) == ("", "")


def test_a_broken_result_hides_no_other():
    outcomes = read(hook({"plate": "30k12345"}, "broken", {"plate": "30k12346"}))
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]
    assert outcomes[1].path == "results[1]"


def test_a_hook_of_something_else_and_an_empty_list_are_no_events():
    assert isinstance(one(hook(event="camera_offline")), Nothing)
    assert isinstance(one(hook()), Nothing)


def test_a_picture_that_names_the_plate_keeps_no_name():
    found = one(hook({"plate": "30k12345"}, filename="30k12345.jpg"))
    assert "30k12345" not in str(found).replace(str(found.restricted), "")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"json=", "empty"),
        (b"json=%7B", "malformed"),
        (b"a=b", "no-event"),
        (b"{", "malformed"),
    ],
)
def test_what_holds_no_recognition_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body, "application/x-www-form-urlencoded")
    assert refused.value.code == code


def test_a_score_of_null_is_not_given_and_nought_is_a_score():
    found = [one(hook({"plate": "30k12345", "score": score})) for score in (None, 0, 0.8)]
    assert [each.restricted["plate"]["confidence"] for each in found] == [None, 0.0, 0.8]
