"""PeMS: stuck loops, absent lanes, gzip that breaks off, and the bounds of inflating."""

import gzip
import random
from collections import Counter, deque
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.inflate import lines_of
from connectors.pems import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/pems"
SHARED = ROOT.parent / "shared/samples/traffic/pems_raw/d05_text_station_raw_2012_01_21.txt.gz"
AT = datetime(2026, 11, 20, 16, 15, tzinfo=UTC)


def outcomes(body, received_at=AT, **options):
    body = body if isinstance(body, bytes) else body.encode()
    return list(parse(Payload(body=body, received_at=received_at), Options(**options)))


def row(*lanes, time="11/20/2026 08:14:21", station="990001"):
    cells = [time, station, *(str(cell) for lane in lanes for cell in lane)]
    return ",".join(cells + [""] * (26 - len(cells))) + "\n"


def one(*lane):
    (event,) = outcomes(row(lane))
    return event


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_day_gives_a_measurement_for_each_lane_observed():
    # Counted in the file: 66,240 lanes with values, 11,428 of them `0,1,0`, 15,490 with vehicles
    # and a speed (two of these above 150 miles an hour), one with vehicles and a speed of 0.
    flags, speeds, stations = Counter(), 0, set()
    at = datetime(2012, 1, 22, 9, tzinfo=UTC)
    for event in parse(Payload(body=SHARED.read_bytes(), received_at=at), Options()):
        assert isinstance(event, Event)
        flags.update(event.quality_flags)
        speeds += event.body["speed_kmh"] is not None
        stations.add(event.device_ref)
        flags["all"] += 1
    assert dict(flags) == {
        "all": 66_240,
        "detector_stuck": 11_428,
        "speed_invalid": 2,
        "speed_missing": 1,
    }
    assert (speeds, len(stations)) == (15_488, 10)


def test_no_vehicle_and_always_occupied_is_a_stuck_loop():
    event = one(0, 1, 0)
    assert event.quality_flags == ("detector_stuck",)
    assert {event.body[n] for n in ("vehicle_count", "occupancy_ratio", "speed_kmh")} == {None}


@pytest.mark.parametrize(
    ("lane", "measured", "flags"),
    [
        ((3, ".0283", 24), (3, 0.0283, 38.624), ()),
        ((0, 0, 0), (0, 0.0, None), ()),
        ((0, ".3", 30), (0, 0.3, None), ()),
        ((4, ".1", 0), (4, 0.1, None), ("speed_missing",)),
        ((4, ".1", 240), (4, 0.1, None), ("speed_invalid",)),
        ((4, ".1", ""), (4, 0.1, None), ()),
        (("", 1, ""), (None, 1.0, None), ()),
        ((1.5, 2, 30), (None, None, None), ("flow_invalid", "occupancy_invalid")),
        ((-1, ".1", 30), (None, 0.1, None), ("flow_invalid",)),
    ],
)
def test_what_is_no_measurement_is_null(lane, measured, flags):
    event = one(*lane)
    names = ("vehicle_count", "occupancy_ratio", "speed_kmh")
    assert tuple(event.body[name] for name in names) == measured
    assert event.quality_flags == flags


def test_an_empty_lane_was_not_observed_and_gives_no_event():
    found = outcomes(row((1, ".1", 30), ("", "", ""), (2, ".1", 30)))
    assert [event.body["lane"] for event in found] == [1, 3]
    assert [event.subject for event in found] == [("990001", "1"), ("990001", "3")]
    assert outcomes(row()) == [Nothing(why="a station without an observed lane")]


def test_a_time_has_no_zone_and_its_month_stands_first():
    event = one(1, 0.1, 30)
    assert datetime(2026, 11, 20, 16, 14, 21, tzinfo=UTC) == event.observed_at
    assert event.time_quality == "ASSUMED_ZONE"
    (hanoi,) = outcomes(row((1, 0.1, 30)), zone="Asia/Ho_Chi_Minh")
    assert datetime(2026, 11, 20, 1, 14, 21, tzinfo=UTC) == hanoi.observed_at


def test_no_lane_is_dropped_for_its_clock():
    (event,) = outcomes(row((1, 0.1, 30), time="hôm nay"))
    assert (event.observed_at, event.quality_flags) == (None, ("time_unreadable",))


def test_a_days_archive_is_a_replay():
    assert not one(1, 0.1, 30).replayed
    (old,) = outcomes(row((1, 0.1, 30), time="11/20/2026 08:01:21"))
    assert old.replayed


@pytest.mark.parametrize(
    ("bad", "code", "path"),
    [
        ("11/20/2026 08:14:21,990001,1,.1,30", "wrong-columns", "row[1]"),
        (row((1, ".1", 30), station="x"), "wrong-type", "row[1]/station"),
        (row(("x", ".1", 30)), "wrong-type", "row[1]/lane[1]"),
    ],
)
def test_one_bad_row_or_lane_does_not_lose_its_neighbours(bad, code, path):
    good = row((1, ".1", 30))
    first, refused, last = outcomes(good + bad.rstrip("\n") + "\n" + good)
    assert (type(first), type(last)) == (Event, Event)
    assert (refused.code, refused.path) == (code, path)
    assert isinstance(refused, Rejection)


def test_gzip_and_text_with_either_line_end_and_a_mark_give_the_same():
    text = row((1, ".1", 30)) + row((2, ".1", 30), station="990002")
    plain = outcomes(text)
    assert plain == outcomes(text.replace("\n", "\r\n"))
    assert plain == outcomes(b"\xef\xbb\xbf" + text.encode())
    assert plain == outcomes(gzip.compress(text.encode()))
    assert plain == outcomes(gzip.compress(text[:50].encode()) + gzip.compress(text[50:].encode()))


def test_a_gzip_that_breaks_off_gives_the_rows_before_and_says_so():
    body = (OWN / "broken_off.txt.gz").read_bytes()
    found = parse(Payload(body=body, received_at=AT), Options())
    assert [type(outcome) for outcome in islice(found, 3)] == [Event] * 3
    with pytest.raises(PayloadError, match="breaks off"):
        list(found)


@pytest.mark.parametrize("body", ["<html>Đăng nhập</html>", '{"error": 1}'])
def test_a_page_instead_of_a_file_is_refused_as_such(body):
    with pytest.raises(PayloadError, match="a page"):
        outcomes(body)


def test_a_file_without_rows_is_nothing():
    assert outcomes("") == [Nothing(why="a file without rows")]


# The shared reader


@given(st.lists(st.binary(max_size=12).filter(lambda b: b"\n" not in b and b"\r" not in b)))
def test_lines_come_back_whether_inflated_or_not(lines):
    body = b"".join(line + b"\n" for line in lines)
    packed = gzip.compress(body)
    assert list(lines_of(packed)) == lines
    if not body.startswith(b"\x1f\x8b"):
        assert list(lines_of(body)) == lines


def test_a_bomb_is_given_up_at_its_bound():
    bomb = gzip.compress(b"1,2\n" * 4_000_000)
    with pytest.raises(PayloadError, match="inflated"):
        deque(lines_of(bomb, max_bytes=1_000_000), maxlen=1)


def test_a_line_without_an_end_is_given_up():
    with pytest.raises(PayloadError, match="a line"):
        list(lines_of(b"x" * 1_000_000))


def test_a_spoilt_gzip_is_a_payload_error():
    noise = random.Random(7).randbytes(20_000)
    packed = bytearray(gzip.compress(noise.hex().encode()))
    packed[9_000] ^= 0xFF
    with pytest.raises(PayloadError):
        list(lines_of(bytes(packed)))
