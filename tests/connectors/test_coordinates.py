"""Positions: believed, flagged or dropped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.coordinates import HANOI, read_degrees, read_position
from connectors._formats.shapes import points_of, position_of
from hub.connector import Position


@pytest.mark.parametrize(
    ("lat", "lon", "degrees", "flag"),
    [
        (21.0285, 105.8542, (21.0285, 105.8542), ""),
        ("21.0285", " 105.8542 ", (21.0285, 105.8542), ""),
        (10.7769, 106.7009, (10.7769, 106.7009), "outside_hanoi"),
        (105.8542, 21.0285, None, "axes_swapped_suspect"),
        (2324871.4, 587431.9, None, "coordinates_projected"),
        (6719914.0, 544004.0, None, "coordinates_projected"),
        (0, 0.0, None, "coordinates_invalid"),
        (91, 105.8, None, "coordinates_invalid"),
        (21.0, 181, None, "coordinates_invalid"),
        ("nan", "105.8", None, "coordinates_invalid"),
        ("inf", "inf", None, "coordinates_invalid"),
        ("", "", None, "coordinates_invalid"),
        ("21,03", "105,85", None, "coordinates_invalid"),
        (None, None, None, "coordinates_invalid"),
    ],
)
def test_a_pair_is_checked_before_it_is_believed(lat, lon, degrees, flag):
    assert read_degrees(lat, lon) == (degrees, flag)


@pytest.mark.parametrize(
    ("north", "east"),
    [(6719914.0, 544004.0), (286_500, 407_000), (2_324_871.4, 587_431.9)],
    ids=["ETRS-TM35FIN", "OSGB36", "VN-2000"],
)
def test_projected_metres_in_fields_named_latitude_are_no_degrees(north, east):
    assert read_degrees(north, east) == read_degrees(east, north) == (None, "coordinates_projected")


def test_the_third_number_of_a_position_is_its_height_and_moves_no_point():
    line = {"type": "LineString", "coordinates": [[105.85, 21.03, 12.0], [105.86, 21.04, -1]]}
    points = [{"lat": 21.03, "lon": 105.85}, {"lat": 21.04, "lon": 105.86}]
    assert points_of(line) == (points, ())
    assert position_of({"type": "Point", "coordinates": [105.85, 21.03, 12.0]}) == Position(
        lat=21.03, lon=105.85
    )


@pytest.mark.parametrize("geometry", [None, {}, {"type": "Point", "coordinates": None}])
def test_a_null_geometry_is_no_place_and_no_fault(geometry):
    assert (points_of(geometry), position_of(geometry)) == (([], ()), None)


def test_a_position_carries_its_accuracy():
    expected = Position(lat=21.0, lon=105.8, accuracy_m=1500.0)
    assert read_position(21.0, 105.8, accuracy_m=1500.0) == (expected, ())
    assert read_position("x", "y") == (None, ("coordinates_invalid",))


@given(st.floats(HANOI[0], HANOI[2]), st.floats(HANOI[1], HANOI[3]))
@settings(max_examples=50, deadline=None)
def test_hanoi_is_taken_as_it_is_and_never_silently_turned(lat, lon):
    assert read_degrees(lat, lon) == ((lat, lon), "")
    assert read_degrees(lon, lat) == (None, "axes_swapped_suspect")


@given(st.floats() | st.text(max_size=9), st.floats() | st.text(max_size=9))
@settings(max_examples=100, deadline=None)
def test_whatever_is_kept_is_on_the_earth(lat, lon):
    degrees, flag = read_degrees(lat, lon)
    assert degrees is None or (abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180)
    assert degrees is not None or flag
