"""What a pair of numbers can be, and what only a declaration may make of it."""

import math
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from hub.areas.coordinates import DECLARED, HANOI, check
from hub.errors import ConfigError

LON, LAT = 105.8522, 21.0287
EAST, NORTH = 588383.929, 2326366.344
WEST_OF, SOUTH_OF, EAST_OF, NORTH_OF = HANOI
LONS, LATS = st.floats(WEST_OF, EAST_OF), st.floats(SOUTH_OF, NORTH_OF)


def apart_m(one, other):
    return Geod(ellps="WGS84").inv(*one, *other)[2]


@cache
def to_system(system):
    return Transformer.from_crs("EPSG:4326", system, always_xy=True)


def as_system(system, lon, lat):
    return to_system(system).transform(lon, lat)


def test_degrees_in_hanoi_are_taken_as_they_are():
    seen = check(LON, LAT)
    assert (seen.lon, seen.lat, seen.flag, seen.text) == (LON, LAT, "", "")


def test_vn_2000_of_the_city_s_zone_is_converted_to_a_metre():
    seen = check(EAST, NORTH, "EPSG:5897")
    assert seen.flag == ""
    assert apart_m((seen.lon, seen.lat), (LON, LAT)) < 0.01


@pytest.mark.parametrize("system", ["EPSG:5897", "EPSG:9210", "EPSG:3405", "EPSG:4756"])
@settings(deadline=None)
@given(lon=LONS, lat=LATS)
def test_the_named_parameters_are_those_of_the_registry(system, lon, lat):
    seen = check(*as_system(system, lon, lat), system)
    assert seen.lon is not None, seen.text
    assert apart_m((seen.lon, seen.lat), (lon, lat)) < 0.01


@pytest.mark.parametrize(
    ("x", "y", "flag", "suspect"),
    [
        (LAT, LON, "axes_swapped_suspect", "EPSG:4326"),
        (105852200, 21028700, "coordinates_scaled", "degrees-e6"),
        (1058522000, 210287000, "coordinates_scaled", "degrees-e7"),
        (21028700, 105852200, "coordinates_scaled", "degrees-e6"),
        (EAST, NORTH, "coordinates_projected", "EPSG:5897"),
        (NORTH, EAST, "coordinates_projected", "EPSG:5897"),
        (510426.932, 2326134.256, "coordinates_projected", "EPSG:9210"),
        (588357.411, 2325668.364, "coordinates_projected", "EPSG:3405"),
    ],
)
def test_what_is_not_declared_is_flagged_with_what_to_declare_and_never_converted(
    x, y, flag, suspect
):
    seen = check(x, y)
    assert (seen.lon, seen.lat, seen.flag) == (None, None, flag)
    assert suspect in seen.suspects
    assert "Hanoi" in seen.text


def test_swapped_axes_of_projected_metres_are_told():
    assert "axes swapped" in check(NORTH, EAST).text
    assert check(NORTH, EAST, "EPSG:5897").flag == "axes_swapped_suspect"


@pytest.mark.parametrize(
    ("x", "y", "flag", "kept"),
    [
        (106.7, 10.78, "outside_hanoi", True),
        (105.2, 21.0, "outside_hanoi", True),
        (105.28, 21.0, "outside_hanoi", True),
        (0.0, 0.0, "coordinates_invalid", False),
        (math.nan, 21.0, "coordinates_invalid", False),
        (105.8, math.inf, "coordinates_invalid", False),
        (200.0, 95.0, "coordinates_invalid", False),
        (700000.0, 1000000.0, "coordinates_projected", False),
    ],
)
def test_what_is_not_in_hanoi(x, y, flag, kept):
    seen = check(x, y)
    assert seen.flag == flag
    assert (seen.lon is not None) == kept
    assert seen.text


def test_the_wrong_zone_is_outside_hanoi_and_the_wrong_datum_is_not_to_be_seen():
    wrong_zone = check(EAST, NORTH, "EPSG:9210")
    assert wrong_zone.flag == "coordinates_projected"
    assert "EPSG:5897" in wrong_zone.suspects
    vn_2000 = as_system("EPSG:4756", LON, LAT)
    undeclared = check(*vn_2000)
    assert undeclared.flag == ""
    assert 200 < apart_m((undeclared.lon, undeclared.lat), (LON, LAT)) < 250
    declared = check(*vn_2000, "EPSG:4756")
    assert apart_m((declared.lon, declared.lat), (LON, LAT)) < 0.01


def test_scaled_degrees_are_converted_when_declared():
    for scale, system in ((1e6, "degrees-e6"), (1e7, "degrees-e7")):
        seen = check(LON * scale, LAT * scale, system)
        assert (seen.lon, seen.lat) == pytest.approx((LON, LAT))


def test_a_declaration_must_be_one_that_is_known():
    with pytest.raises(ConfigError, match="EPSG:3857") as caught:
        check(LON, LAT, "EPSG:3857")
    assert all(system in caught.value.fix for system in DECLARED)


@settings(deadline=None)
@given(x=st.floats(), y=st.floats(), declared=st.sampled_from([None, *DECLARED]))
def test_any_numbers_are_a_position_in_hanoi_or_flagged(x, y, declared):
    seen = check(x, y, declared)
    in_box = (
        seen.lon is not None and WEST_OF <= seen.lon <= EAST_OF and SOUTH_OF <= seen.lat <= NORTH_OF
    )
    assert in_box == (seen.flag == "")
    assert bool(seen.text) == bool(seen.flag)


@settings(deadline=None)
@given(lon=LONS, lat=LATS)
def test_nothing_undeclared_is_ever_changed(lon, lat):
    seen = check(lon, lat)
    assert (seen.lon, seen.lat) == (lon, lat)
    for system in ("EPSG:5897", "EPSG:9210", "EPSG:3405"):
        assert check(*as_system(system, lon, lat)).lon is None


def test_conversion_opens_no_socket(monkeypatch):
    from hub.areas.coordinates import _transformer

    def refuse(*_):
        raise AssertionError("a conversion wants the network")

    _transformer.cache_clear()
    monkeypatch.setattr("socket.socket.connect", refuse)
    assert check(EAST, NORTH, "EPSG:5897").flag == ""
    assert "pyproj" in sys.modules
