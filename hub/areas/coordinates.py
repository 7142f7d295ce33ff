"""Coordinates as people and devices hand them in, looked at before they are believed.

`check` says what a pair of numbers can be. It converts only what is declared: Hanoi's cadastre and
road drawings use VN-2000 in the 3-degree zone of 105 degrees (EPSG:5897), and its degrees look like
WGS 84 while being 224 m off, so only a declaration tells them apart.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from hub.errors import ConfigError

__all__ = ["DECLARED", "HANOI", "Checked", "check"]

HANOI: Final = (105.28695, 20.564756, 106.018302, 21.384203)
"""West, south, east, north of the city in degrees (WGS 84)."""

# Parameters of the EPSG registry: VN-2000 to WGS 84, coordinate frame rotation, about 1 m.
_TO_WGS84 = (
    "+step +proj=push +v_3 +step +proj=cart +ellps=WGS84 "
    "+step +proj=helmert +x=-191.90441429 +y=-39.30318279 +z=-111.45032835 "
    "+rx=-0.00928836 +ry=0.01975479 +rz=-0.00427372 +s=0.252906278 +convention=coordinate_frame "
    "+step +inv +proj=cart +ellps=WGS84 +step +proj=pop +v_3 "
    "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
)
_METRIC = {
    "EPSG:5897": "+proj=tmerc +lat_0=0 +lon_0=105 +k=0.9999 +x_0=500000 +y_0=0 +ellps=WGS84",
    "EPSG:9210": "+proj=tmerc +lat_0=0 +lon_0=105.75 +k=0.9999 +x_0=500000 +y_0=0 +ellps=WGS84",
    "EPSG:3405": "+proj=utm +zone=48 +ellps=WGS84",
}
_STEPS = {system: f"+step +inv {text}" for system, text in _METRIC.items()} | {
    "EPSG:4756": "+step +proj=unitconvert +xy_in=deg +xy_out=rad"
}
# A position this near is believed to be beside the city; a wrong zone or scale is further off.
_BESIDE_DEGREES = 0.02
_ROUNDING_DEGREES = 1e-8  # a millimetre, more than a conversion forth and back
_SCALED = {"degrees-e6": 1e6, "degrees-e7": 1e7}

DECLARED: Final = ("EPSG:4326", *_STEPS, *_SCALED)
"""What a source may declare: WGS 84; VN-2000 in the zones of 105 and 105.75 degrees, in UTM zone
48N and in degrees; WGS 84 in millionths and in ten-millionths of a degree."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a pair of numbers is."""

    lon: float | None
    lat: float | None
    """WGS 84 degrees as given or as declared; None where they can't be right."""
    flag: str
    """Empty, `outside_hanoi`, `axes_swapped_suspect`, `coordinates_scaled`,
    `coordinates_projected` or `coordinates_invalid`."""
    text: str
    """What is wrong and what to declare, in words; empty when nothing is."""
    suspects: tuple[str, ...] = ()
    """What the numbers would be right as: values for `declared`."""


def check(x: float, y: float, declared: str | None = None) -> Checked:
    """What `x` (longitude or easting) and `y` (latitude or northing) are.

    Without a declaration they are WGS 84 degrees or flagged. Raises `ConfigError` for a
    declaration that is not in `DECLARED`.
    """
    if declared is not None and declared not in DECLARED:
        raise ConfigError(
            f"{declared!r} is no coordinate system that can be declared",
            where="coordinates",
            fix=f"use one of {', '.join(DECLARED)}",
        )
    if not (math.isfinite(x) and math.isfinite(y)) or (x == 0 and y == 0):
        return Checked(None, None, "coordinates_invalid", f"{x}, {y} is no position")
    system = declared or "EPSG:4326"
    lon, lat = _degrees(system, x, y)
    if _in_hanoi(lon, lat):
        return Checked(lon, lat, "", "")
    return _doubted(system, x, y, lon, lat)


def _doubted(system: str, x: float, y: float, lon: float, lat: float) -> Checked:
    """What else the numbers may be, when as `system` they are not in Hanoi."""
    beside = Checked(lon, lat, "outside_hanoi", f"{lon:.6f}, {lat:.6f} is outside Hanoi")
    if _in_hanoi(lon, lat, margin=_BESIDE_DEGREES):
        return beside
    if _in_hanoi(*_degrees(system, y, x)):
        text = f"{x}, {y} is in Hanoi with its axes swapped: give longitude or easting first"
        return Checked(None, None, "axes_swapped_suspect", text, (system,))
    for flag, systems in (("coordinates_scaled", _SCALED), ("coordinates_projected", _METRIC)):
        straight = [each for each in systems if _in_hanoi(*_degrees(each, x, y))]
        swapped = [each for each in systems if _in_hanoi(*_degrees(each, y, x))]
        if suspects := tuple(straight or swapped):
            axes = "" if straight else " with its axes swapped"
            text = f"{x}, {y} is in Hanoi as {' or '.join(suspects)}{axes}: declare it"
            return Checked(None, None, flag, text, suspects)
    if math.isfinite(lon) and abs(lon) <= 180 and abs(lat) <= 90:
        return beside
    metres = abs(x) > 1000 and abs(y) > 1000
    flag = "coordinates_projected" if metres else "coordinates_invalid"
    return Checked(None, None, flag, f"{x}, {y} are no degrees, and nothing known in Hanoi")


def _degrees(system: str, x: float, y: float) -> tuple[float, float]:
    if system in _SCALED:
        return x / _SCALED[system], y / _SCALED[system]
    return _transformer(system)(x, y) if system in _STEPS else (x, y)


@cache
def _transformer(system: str) -> Callable[[float, float], tuple[float, float]]:
    """To WGS 84 degrees by named parameters, so that no grid, network or guess is involved."""
    from pyproj import Transformer

    pipeline = Transformer.from_pipeline(f"+proj=pipeline {_STEPS[system]} {_TO_WGS84}")

    def to_degrees(x: float, y: float) -> tuple[float, float]:
        lon, lat = pipeline.transform(x, y)
        return float(lon), float(lat)

    return to_degrees


def _in_hanoi(lon: float, lat: float, *, margin: float = _ROUNDING_DEGREES) -> bool:
    west, south, east, north = HANOI
    return west - margin <= lon <= east + margin and south - margin <= lat <= north + margin
