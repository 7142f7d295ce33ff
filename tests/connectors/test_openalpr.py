"""`openalpr` against the project's documents; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.openalpr import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "camera" / "openalpr"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
# Plate, confidence, camera, time: read from the files.
SHARED_READS = {
    "alpr_group.json": ("A13709", 0.920752, "dimitar-video/1414799424", 1448326208.789),
    "alpr_results_v2.json": ("627WWI", 0.895649, "", 1436708576.996),
}


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options()))


def group(**more):
    base = {"data_type": "alpr_group", "epoch_start": 1773449157252, "camera_id": 7}
    return base | {"best_plate_number": "30K12345", "best_confidence": 92.0} | more


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_READS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    (found,) = read((SHARED / name).read_bytes())
    text, confidence, camera, at = SHARED_READS[name]
    assert found.restricted["plate"]["text"] == text
    assert found.restricted["plate"]["confidence"] == pytest.approx(confidence, abs=1e-6)
    assert (found.device_ref, found.observed_at.timestamp()) == (camera, at)


def test_a_group_is_one_passage_named_by_its_best_frame():
    (found,) = read(group(best_uuid="kim-ma-cam7-1", uuids=["a", "b"]))
    assert found.native_id == "kim-ma-cam7-1"
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, 252_000, tzinfo=UTC)


def test_a_preliminary_group_is_marked_and_has_the_id_of_the_final_one():
    (early,), (late,) = read(group(is_preview=True, best_uuid="u")), read(group(best_uuid="u"))
    assert "preview" in early.quality_flags
    assert early.native_id == late.native_id


@pytest.mark.parametrize("kind", [None, "", "alpr_group"])
def test_a_wrapper_without_a_type_is_known_by_what_it_holds(kind):
    (found,) = read(group(data_type=kind))
    assert found.restricted["plate"]["text"] == "30K12345"


def test_an_alert_names_its_list_alone():
    (found,) = read({"data_type": "alpr_alert", "alert_list": "bãi xe", "group": group()})
    assert found.body["list_name"] == "bãi xe"


def test_a_confidence_is_of_a_hundred_and_zero_is_none():
    assert read(group(best_confidence=0))[0].restricted["plate"]["confidence"] is None
    assert read(group(best_confidence=101))[0].restricted["plate"]["confidence"] is None


def test_four_corners_become_the_rectangle_around_them():
    corners = [{"x": 2, "y": 1}, {"x": 9, "y": 2}, {"x": 8, "y": 5}, {"x": 1, "y": 4}]
    (found,) = read(group(best_plate={"coordinates": corners}))
    box = found.body["plate_box"]
    assert (box["x"], box["y"], box["width"], box["height"]) == (1, 1, 8, 4)


def test_a_heartbeat_is_the_health_of_each_stream():
    streams = [{"camera_id": 7, "is_streaming": True}, {"camera_id": 8}, "broken"]
    outcomes = read({"data_type": "heartbeat", "video_streams": streams})
    assert [each.body["state"] for each in outcomes[:2]] == ["ONLINE", "OFFLINE"]
    assert isinstance(outcomes[2], Rejection)


def test_false_as_a_text_is_a_stream_that_stands_still_and_true_one_that_runs():
    streams = [{"camera_id": 7, "is_streaming": word} for word in ("True", "False")]
    outcomes = read({"data_type": "heartbeat", "video_streams": streams})
    assert [each.body["state"] for each in outcomes] == ["ONLINE", "OFFLINE"]
    assert "preview" not in read(group(is_preview="False"))[0].quality_flags


def test_the_url_of_a_stream_in_a_heartbeat_may_carry_a_password_and_is_not_read():
    url = "rtsp://admin:mat-khau-7@10.20.30.7/Streaming/Channels/101"
    stream = {"camera_id": 7, "is_streaming": True, "camera_name": url, "url": url}
    (found,) = read({"data_type": "heartbeat", "video_streams": [stream]})
    assert "mat-khau" not in repr(found)


def test_a_picture_without_plates_is_no_event_and_a_bad_result_hides_no_other():
    assert isinstance(read({"data_type": "alpr_results", "results": []})[0], Nothing)
    outcomes = read({"results": [{"plate": "30K12345"}, 7, {"plate": "30K12346"}]})
    assert [type(each) for each in outcomes] == [Event, Rejection, Event]


@pytest.mark.parametrize(
    ("body", "code"), [({}, "no-event"), (b"", "empty"), (b"[]", "wrong-type")]
)
def test_what_is_no_message_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
