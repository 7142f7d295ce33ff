"""Positions as sources report them, checked before they are believed.

Fields named latitude and longitude hold projected metres, swapped axes or zeros in real feeds. What
can't be degrees is dropped with a flag; what lies outside Hanoi is kept with a flag.
"""

import math
from typing import Final

from hub.connector import Position

__all__ = ["HANOI", "read_degrees", "read_position"]

HANOI: Final = (20.564756, 105.28695, 21.384203, 106.018302)
"""South, west, north, east of the city, in degrees."""


def read_degrees(lat: float | str, lon: float | str) -> tuple[tuple[float, float] | None, str]:
    """(lat, lon) or None, and a quality flag, empty when there is nothing to say."""
    try:
        north, east = float(lat), float(lon)
    except (TypeError, ValueError):
        return None, "coordinates_invalid"
    if _in_hanoi(north, east):
        return (north, east), ""
    if not (math.isfinite(north) and math.isfinite(east)) or (north == 0.0 and east == 0.0):
        return None, "coordinates_invalid"
    if abs(north) <= 90.0 and abs(east) <= 180.0:
        return (north, east), "outside_hanoi"
    return None, _not_degrees(north, east)


def read_position(
    lat: float | str, lon: float | str, *, accuracy_m: float | None = None
) -> tuple[Position | None, tuple[str, ...]]:
    """The reported position, if it can be one, and the quality flags."""
    degrees, flag = read_degrees(lat, lon)
    position = None
    if degrees is not None:
        position = Position(lat=degrees[0], lon=degrees[1], accuracy_m=accuracy_m)
    return position, (flag,) if flag else ()


def _not_degrees(north: float, east: float) -> str:
    if _in_hanoi(east, north):
        return "axes_swapped_suspect"
    metres = abs(north) > 1000.0 and abs(east) > 1000.0
    return "coordinates_projected" if metres else "coordinates_invalid"


def _in_hanoi(lat: float, lon: float) -> bool:
    south, west, north, east = HANOI
    return south <= lat <= north and west <= lon <= east
