"""Stamps as devices send them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.times import Stamp, read_stamp
from hub.connector import Options

NOW = datetime(2026, 3, 14, 0, 50, tzinfo=UTC)
OPTIONS = Options()


def read(text, *, at=NOW, **more):
    return read_stamp(text, received_at=at, options=OPTIONS, **more)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


SPELLINGS = [
    ("2026-03-14T07:45:12+07:00", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14T07:45:12+0700", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14T07:45:12+07", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-13T16:45:12-8:00", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14T00:45:12Z", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14t00:45:12z", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14 00:45:12 UTC", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14T07:45:12.1234567+07:00", utc(2026, 3, 14, 0, 45, 12, 123456), "DEVICE", ()),
    ("2026-03-14T07:45:12,5+07:00", utc(2026, 3, 14, 0, 45, 12, 500_000), "DEVICE", ()),
    ("\n 2026-03-14T07:45:12\n+07:00 ", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("2026-03-14T07:45:12", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ()),
    ("2026-03-14 07:45:12", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ()),
    ("2026/3/14 7:45:12", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ()),
    ("2026-03-14T07:45", utc(2026, 3, 14, 0, 45), "ASSUMED_ZONE", ()),
    ("2026-03-1407:45:12", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ()),
    ("20260314074512318", utc(2026, 3, 14, 0, 45, 12, 318_000), "ASSUMED_ZONE", ()),
    ("20260314T074512", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ()),
    ("20260314T004512Z", utc(2026, 3, 14, 0, 45, 12), "DEVICE", ()),
    ("20260314T074512.5+0700", utc(2026, 3, 14, 0, 45, 12, 500_000), "DEVICE", ()),
    ("202603140745", utc(2026, 3, 14, 0, 45), "ASSUMED_ZONE", ()),
    ("20260314T0745120000", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ("time_repaired",)),
    ("2026-03-14T07:45:1207:00", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ("time_repaired",)),
    ("2026-03-14T07:45:12 07:00", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ("time_repaired",)),
    ("2026-03-14T07:45:12+77:00", utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE", ("time_repaired",)),
    ("2026-03-14T06:61:00+07:00", utc(2026, 3, 14, 0, 1), "DEVICE", ("time_repaired",)),
    ("2026-03-13T24:00:00", utc(2026, 3, 13, 17), "ASSUMED_ZONE", ()),
    ("2026-03-14", utc(2026, 3, 13, 17), "ASSUMED_ZONE", ("time_repaired",)),
    ("20260314", utc(2026, 3, 13, 17), "ASSUMED_ZONE", ("time_repaired",)),
]


@pytest.mark.parametrize(("text", "at", "quality", "flags"), SPELLINGS)
def test_a_spelling_seen_in_the_field_is_read(text, at, quality, flags):
    assert Stamp(at, quality, flags, text) == read(text)


@pytest.mark.parametrize("text", ["", " ", "\n", "\ufeff"])
def test_no_stamp_is_missing(text):
    assert (
        read(text).at,
        read(text).quality,
        read(text).flags,
    ) == (None, "RECEIVED", ("time_missing",))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "--",
        "2026-02-30T00:00:00",
        "2026-13-01",
        "2026-03-14T25:00:00",
        "2026-03-14T07:62:00",
        "0001-01-01T00:00:00+07:00",
        "9999-12-31T24:00:00Z",
        "2026-03-14T07:45:12.",
        "1" * 200,
    ],
)
def test_what_is_no_time_is_unreadable(text):
    assert Stamp(None, "RECEIVED", ("time_unreadable",), text) == read(text)


@pytest.mark.parametrize(
    ("behind_s", "suspect"),
    [(-301, True), (-300, False), (0, False), (86_400, False), (86_401, True), (345_600, True)],
)
def test_a_clock_far_from_the_time_of_receipt_is_suspect_and_kept(behind_s, suspect):
    at = NOW - timedelta(seconds=behind_s)
    stamp = read(at.isoformat())
    assert at == stamp.at
    assert suspect == (stamp.quality == "SUSPECT") == ("clock_suspect" in stamp.flags)


def test_a_replayed_stamp_may_be_72_hours_older():
    old = (NOW - timedelta(days=4)).isoformat()
    assert read(old).quality == "SUSPECT"
    assert read(old, replayed=True).quality == "DEVICE"
    assert read(old, replayed=True, late_ok_s=60).quality == "SUSPECT"


def test_the_zone_of_bare_stamps_is_an_option():
    stamp = read_stamp("2026-03-14T01:45:12", received_at=NOW, options=Options(zone="Europe/Paris"))
    assert (utc(2026, 3, 14, 0, 45, 12), "ASSUMED_ZONE") == (stamp.at, stamp.quality)


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=90),
        st.text(alphabet="0123456789-:+.TtZz ,\u2212\n", max_size=40),
        st.from_regex(
            r"\A\d{4}-?\d{1,2}-?\d{1,2}[T ]?\d{0,2}:?\d{0,9}:?\d{0,9}[-+Z]?[0-9:]{0,8}\Z"
        ),
    )
)
def test_no_text_raises(text):
    stamp = read(text)
    assert text == stamp.raw
    assert (stamp.at is None) == (stamp.quality == "RECEIVED")
    assert stamp.at is None or stamp.at.tzinfo is UTC


@settings(max_examples=150, deadline=None)
@given(
    at=st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001 # the strategy adds the zone
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14))),
    ).filter(lambda at: not at.utcoffset().microseconds)
)
def test_every_iso_stamp_comes_back_to_the_microsecond(at):
    first = read(at.isoformat())
    assert at == first.at
    assert first.at == read(first.at.isoformat()).at
