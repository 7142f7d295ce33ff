"""MULTI texts of message signs: mark-up, dark signs, odd times."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.multi import read_multi
from connectors.vms_multi import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/traffic/vms_multi"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def outcomes(document, received_at=AT):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def sign(**members):
    (event,) = outcomes({"id": "S1", "message_text": "A", "is_on": True} | members)
    return event


def lines(text):
    return [page["lines"] for page in read_multi(text).pages]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_published_sign_has_two_pages_of_two_lines():
    at = datetime(2026, 2, 3, 1, 30, tzinfo=UTC)
    (event,) = outcomes((SHARED / "dms10.json").read_bytes(), at)
    assert event.body["pages"] == [
        {"lines": ["PATTULLO BR <5 MIN", "PORT MANN BR <5 MIN"], "seconds_on": 3.0},
        {"lines": ["ALEX FRASER BR <5 MIN", "MASSEY TUNNEL <5 MIN"], "seconds_on": 3.0},
    ]
    assert event.observed_at == datetime(2025, 12, 8, 13, 2, 16, tzinfo=UTC)
    assert event.quality_flags == ("zone_contradicts_name", "outside_hanoi")
    assert (event.position.lat, event.position.lon) == (49.2133, -122.848)


def test_a_page_time_holds_until_the_next_one():
    pages = read_multi("[pt25]A[np]B[np][pt40o5]C[np][pt]D").pages
    assert [page["seconds_on"] for page in pages] == [2.5, 2.5, 4.0, None]


def test_doubled_brackets_are_brackets():
    assert lines("KM 9 [[RA]]") == [["KM 9 [RA]"]]


def test_blanks_before_a_line_are_layout():
    assert lines("  A[nl]   B") == [["  A", "   B"]]


def test_an_empty_line_between_two_is_kept():
    assert lines("A[nl][nl]B[nl]") == [["A", "", "B"]]


def test_tags_are_read_in_any_case_and_fonts_and_colours_are_left_out():
    assert lines("[FO3][CF255,0,0][FL]A[/FL][NL2]B") == [["A", "B"]]


def test_a_character_by_its_code_may_be_of_letters_only():
    assert lines("[hc3c]2 T[hcfe][hc1ea0]") == [["<2 TþẠ"]]


def test_pictures_are_named_by_their_number():
    assert read_multi("[g12][g3,10,20]").pictograms == ["g12", "g3"]


@pytest.mark.parametrize(
    ("text", "flag", "shown"),
    [
        ("[zz]A", "multi_unknown_tag", [["A"]]),
        ("A[nl", "multi_malformed", [["A[nl"]]),
        ("[ptx]A", "multi_malformed", [["A"]]),
        ("[f1]A", "multi_field", [["A"]]),
    ],
)
def test_what_is_no_mark_up_is_flagged_and_no_text_is_lost(text, flag, shown):
    assert (read_multi(text).flags, lines(text)) == ([flag], shown)


@given(st.text(alphabet="[]ptjlnp/3o ABĐ\u0301\n", max_size=80))
def test_no_text_makes_the_reader_raise(text):
    for page in read_multi(text).pages:
        assert page["lines"][-1]
        assert all("\n" not in line for line in page["lines"])


@given(st.lists(st.text(alphabet="ABC Đ", min_size=1).map(str.strip).filter(bool), min_size=1))
def test_lines_that_were_joined_come_apart_again(texts):
    assert lines("[nl]".join(texts)) == [texts]


def test_an_empty_text_is_a_dark_sign():
    assert (sign(message_text="").body["blank"], sign().body["blank"]) == (True, False)


def test_a_sign_that_is_off_shows_nothing():
    body = sign(is_on=False).body
    assert (body["blank"], body["pages"]) == (True, [])


@pytest.mark.parametrize(
    ("status", "flags"),
    [("OK", ()), ("ok", ()), (None, ()), ("Comm failure", ("sign_not_ok",))],
)
def test_a_sign_that_is_not_ok_may_not_show_its_text(status, flags):
    event = sign(status=status, updated_datetime_utc="2026-11-20T11:00:00Z")
    assert (event.quality_flags, event.body["blank"]) == (flags, False)


def test_a_text_stands_for_months_without_a_wrong_clock():
    assert sign(updated_datetime_utc="2026-05-20T11:00:00Z").time_quality == "DEVICE"


def test_the_same_sign_polled_again_is_the_same_event_and_another_text_is_not():
    identity = Identity(b"k" * 32, connector, "signs")
    one, again, other = (
        identity.event(sign(message_text=text), payload_id=payload, index=0)
        for text, payload in (("A", "p1"), ("A", "p2"), ("B", "p1"))
    )
    assert (one == again, one == other) == (True, False)


def test_a_message_after_its_expiry_is_dark_and_expired():
    event = sign(message_expiry_datetime_utc="2026-11-20T11:59:00Z")
    assert (event.lifecycle, event.body["blank"]) == ("EXPIRED", True)
    event = sign(message_expiry_datetime_utc="2026-11-20T12:01:00Z")
    assert (event.lifecycle, event.body["blank"]) == ("UNKNOWN", False)


@pytest.mark.parametrize(
    ("text", "hour", "flags"),
    [
        ("2026-11-20T18:00:00+07:00", 11, ("zone_contradicts_name",)),
        ("2026-11-20T11:00:00Z", 11, ()),
        ("2026-11-20T11:00:00+00:00", 11, ()),
        ("2026-11-20T11:00:00", 11, ()),
    ],
)
def test_a_field_named_utc_may_carry_an_offset_which_then_counts(text, hour, flags):
    event = sign(updated_datetime_utc=text)
    assert (event.observed_at.hour, event.quality_flags) == (hour, flags)


def test_a_swapped_position_is_dropped_with_a_flag_or_kept_as_reported():
    event = sign(location={"type": "Point", "coordinates": [21.04, 105.85]})
    assert (event.position, event.quality_flags[-1]) == (None, "axes_swapped_suspect")


def test_of_copies_of_one_sign_the_newest_is_taken():
    old = {"id": "A", "message_text": "CŨ", "updated_datetime_utc": "2026-11-20T11:00:00Z"}
    new = {"id": "A", "message_text": "MỚI", "updated_datetime_utc": "2026-11-20T11:30:00Z"}
    for order in ([old, new], [new, old]):
        (event,) = outcomes(order)
        assert event.body["pages"][0]["lines"] == ["MỚI"]


def test_a_bad_sign_costs_only_itself():
    found = outcomes([{"id": "A", "message_text": "A"}, 7, {"id": "B"}, {"message_text": "C"}])
    assert [type(one) for one in found] == [Rejection, Rejection, Rejection, Event]
    assert [one.path for one in found[:3]] == ["[1]", "[2]/message_text", "[3]/id"]


def test_an_empty_list_gives_nothing():
    assert isinstance(outcomes([])[0], Nothing)
    assert isinstance(outcomes({"results": []})[0], Nothing)
