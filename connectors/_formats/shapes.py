"""GeoJSON geometries as points, outlines and one position; longitude first, unlike all else here.

Read are all types and collections of them, to any depth that makes sense; altitudes are left out.
Whatever is no geometry gives no point, and every point is checked as `coordinates` does.
"""

from collections.abc import Iterator
from typing import Any, Final

from connectors._formats.coordinates import read_degrees
from hub.connector import Position

__all__ = ["outlines_of", "points_of", "position_of"]

_POINTS_MAX: Final = 2_000
_DEPTH_MAX: Final = 8


def points_of(geometry: Any) -> tuple[list[dict[str, float]], tuple[str, ...]]:
    """All points in order, and quality flags."""
    points: list[dict[str, float]] = []
    flags: dict[str, None] = {}
    for lon, lat in _pairs(_coordinates(geometry)):
        if len(points) >= _POINTS_MAX:
            flags["points_cut"] = None
            break
        degrees, flag = read_degrees(lat, lon)
        if flag:
            flags[flag] = None
        if degrees is not None:
            points.append({"lat": degrees[0], "lon": degrees[1]})
    return points, tuple(flags)


def position_of(geometry: Any) -> Position | None:
    """The geometry's only point, or the first one that stands alone in a collection."""
    for kind, coordinates in _simple(geometry):
        if kind == "Point":
            for lon, lat in _pairs(coordinates):
                degrees, _ = read_degrees(lat, lon)
                if degrees is not None:
                    return Position(lat=degrees[0], lon=degrees[1])
    return None


def outlines_of(geometry: Any) -> list[str]:
    """The outer rings as CAP writes polygons: `lat,lon lat,lon …`."""
    outlines = []
    for kind, coordinates in _simple(geometry):
        polygons = coordinates if kind == "MultiPolygon" else [coordinates]
        if kind not in {"Polygon", "MultiPolygon"} or not isinstance(polygons, list):
            continue
        for rings in polygons:
            ring = list(_pairs(rings[0])) if isinstance(rings, list) and rings else []
            if 3 <= len(ring) <= _POINTS_MAX:
                outlines.append(" ".join(f"{lat},{lon}" for lon, lat in ring))
    return outlines


def _simple(geometry: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The geometries without their collections, as type and coordinates."""
    if not isinstance(geometry, dict) or depth > _DEPTH_MAX:
        return
    members = geometry.get("geometries")
    if isinstance(members, list):
        for member in members:
            yield from _simple(member, depth + 1)
    else:
        yield str(geometry.get("type", "")), geometry.get("coordinates")


def _coordinates(geometry: Any) -> list[Any]:
    return [coordinates for _, coordinates in _simple(geometry)]


def _pairs(value: Any, depth: int = 0) -> Iterator[tuple[float, float]]:
    """Every (lon, lat) in nested lists, in order."""
    if not isinstance(value, list) or depth > _DEPTH_MAX:
        return
    if len(value) >= 2 and type(value[0]) in {int, float} and type(value[1]) in {int, float}:
        yield _finite(value[0]), _finite(value[1])
        return
    for item in value:
        yield from _pairs(item, depth + 1)


def _finite(number: float) -> float:
    """A number that fits a float; what does not is no coordinate either way."""
    return float(number) if abs(number) < 1e9 else 1e9
