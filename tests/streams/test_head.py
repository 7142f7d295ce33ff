from datetime import UTC, datetime

import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from hub.codec import EARLIEST_US, LATEST_US, TIME_QUALITY, micros
from streams import head
from streams.head import COARSE_US, Heads, encoded_names, minute_of
from streams.plan import place_time


def encoded(text: str) -> bytes:
    data = text.encode()
    number, out = len(data) << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number]) + data


# One key for all: a record whose key and names differ must not mislead its neighbours.
@settings(max_examples=60, deadline=None)
@given(found=st.lists(steps.events("plate_read"), min_size=1, max_size=6), one_key=st.booleans())
def test_what_is_read_in_place_equals_the_decoded_header(found, one_key):
    heads = Heads()
    for event in found * 2:
        header = steps.canonical(event.value, "plate_read")["header"]
        key = b"one" if one_key else event.key
        source, names, minute, place_us, kind = heads.read(event.value, key)
        assert source == header["source_id"]
        assert names == encoded(header["source_id"]) + encoded(header["device_ref"])
        assert names == encoded_names(header["source_id"], header["device_ref"])
        assert minute == minute_of(micros(header["received_at"]))
        assert kind == encoded(header["kind"])
        assert 0 <= place_time(header) - place_us < COARSE_US


@given(
    starts=st.lists(st.integers(EARLIEST_US, LATEST_US), min_size=1, max_size=4),
    steps_us=st.lists(st.integers(0, 3 * COARSE_US), max_size=30),
)
def test_times_that_share_a_second_share_no_more_than_that(starts, steps_us):
    heads = Heads()
    for start in starts:
        at = start
        for step in [0, *steps_us]:
            at = min(at + step, LATEST_US)
            number, out = (at << 1) ^ (at >> 63), bytearray()
            while number > 0x7F:
                out.append(number & 0x7F | 0x80)
                number >>= 7
            value = bytes([*out, number]) + bytes(10)
            place_us, minute, end = heads._time(value, 0)
            assert 0 <= at - place_us < COARSE_US
            assert minute == minute_of(at)
            assert end == len(value) - 10


@pytest.mark.parametrize("at", [EARLIEST_US - 1, LATEST_US + 1, 2**62])
def test_what_is_no_time_is_refused(at):
    number, out = (at << 1) ^ (at >> 70), bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    with pytest.raises(ValueError, match="no time"):
        Heads().read(bytes(TIME_QUALITY + 2) + bytes([*out, number]) + bytes(20), b"k")


def test_a_number_without_an_end_is_refused_soon():
    with pytest.raises(ValueError, match="64 bits"):
        Heads().read(b"\xff" * 1_000_000, b"k")


def test_the_qualities_that_make_a_time_unusable_are_those_of_the_schema():
    symbols = next(
        field["type"]["symbols"]
        for field in schemas.source("header")["fields"]
        if field["name"] == "time_quality"
    )
    unusable = [symbols[written >> 1] for written in head._UNUSABLE]
    assert unusable == ["SUSPECT", "RECEIVED"]


@pytest.mark.parametrize("length", [b"\x01", b"\x03", b"\xfe\x7f"])
def test_a_source_of_impossible_length_is_refused_and_not_remembered_for_its_key(length):
    times = bytes(42) + b"\x80\xa0\xd4\xe9\xb9\xcd\x87\x06" + b"\x00\x00"
    heads = Heads()
    with pytest.raises((ValueError, IndexError)):
        heads.read(times + length + b"\x06abc\x06abc\x02k", b"key")
    assert heads.read(times + b"\x06abc\x06def\x02k", b"key")[0] == "abc"


def test_a_stamp_years_ahead_is_placed_by_its_receipt_and_hides_nothing_that_follows():
    receipts = [datetime(2026, 3, 14, 7, minute, tzinfo=UTC) for minute in (0, 1)]
    ahead = {"observed_at": datetime(2034, 1, 1, tzinfo=UTC), "time_quality": "SUSPECT"}
    right = {"observed_at": receipts[1], "time_quality": "DEVICE"}
    first, second = (
        place_time(told | {"received_at": at})
        for told, at in zip((ahead, right), receipts, strict=True)
    )
    assert [first, second] == [micros(at) for at in receipts]
