"""`lilin` against the vendor's manual; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.lilin import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/camera/anpr_other/lilin_log_list.txt"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)


def read(document, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options(**options)))


def one(**more):
    entry = {"TS": "1773449157899288", "CAR_ID": "44", "LPR": "30K12345", "THRESHOLD": "0.795"}
    (outcome,) = read({"INFORMATION": [entry | more]})
    return outcome


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_manuals_sample_breaks_off_and_its_entries_are_read_once_it_is_closed():
    body = SHARED.read_bytes()
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == "malformed"
    found = read(body.strip().rstrip(b",") + b"]}")
    assert [each.restricted["plate"]["raw"] for each in found] == ["30U9874", "7336GN"]
    assert found[0].observed_at == datetime(2018, 4, 10, 3, 3, 57, 899_288, tzinfo=UTC)


def test_microseconds_as_a_text_are_right_and_gmt_is_not_believed():
    found = one(MOD_TS="2026-03-14 08:45:57 GMT")
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, 899_288, tzinfo=UTC)
    assert found.time_quality == "DEVICE"


def test_the_country_is_unreliable_and_owners_are_not_read():
    found = one(COUNTRY="TUR", LPR_USER="Trần Thị B", LPR_PHONE="0912345678")
    assert "TUR" not in str(found)
    assert "Trần Thị B" not in str(found)
    assert "0912345678" not in str(found)


def test_an_unread_plate_is_a_passage_without_one():
    assert "plate_unread" in one(LPR="").quality_flags


def test_a_plate_of_the_cameras_own_list_that_was_not_seen_is_no_passage():
    known = {"TS": "", "MOD_TS": "", "CAR_ID": "", "LPR": "30K12345", "ACT_PARAM": "black"}
    (found,) = read({"INFORMATION": [known], "LIST_TYPE": "black"})
    assert isinstance(found, Nothing)


def test_the_labelled_time_alone_is_suspect():
    found = one(TS="", MOD_TS="2026-03-14 00:45:57 GMT")
    assert found.observed_at == datetime(2026, 3, 14, 0, 45, 57, tzinfo=UTC)
    assert (found.time_quality, "zone_doubtful" in found.quality_flags) == ("SUSPECT", True)
    unread = one(TS="x", MOD_TS="yesterday")
    assert (unread.observed_at, unread.native_id) == (None, None)


def test_an_answer_names_no_camera():
    entry = {"TS": "1773449157899288", "LPR": "30K12345"}
    (found,) = read({"INFORMATION": [entry]}, device="cong-1")
    assert (found.device_ref, found.quality_flags) == ("cong-1", ())
    assert "device_unnamed" in one().quality_flags


def test_an_empty_list_brings_no_plate():
    assert isinstance(read({"INFORMATION": []})[0], Nothing)


def test_a_bad_entry_hides_no_other():
    good = {"TS": "1773449157899288", "LPR": "30K12345"}
    outcomes = read({"INFORMATION": [good, {"TS": "1"}, 7, good]})
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert outcomes[1].path == "INFORMATION[1]/LPR"


@pytest.mark.parametrize(("body", "code"), [(b"", "empty"), ({}, "missing-field")])
def test_what_is_no_list_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert refused.value.code == code
