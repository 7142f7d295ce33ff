"""Boundaries as an operator hands them in: a GeoJSON file, compared with the register.

One feature for each unit of one scheme, its code in a property, a Polygon or MultiPolygon in
WGS 84 degrees, longitude first (RFC 7946). Nothing is mended here: a polygon that is wrong would
put events into the wrong ward without anyone seeing it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely  # type: ignore[import-untyped] # publishes no type information

from hub.areas.coordinates import HANOI
from hub.areas.coordinates import check as check_position
from hub.areas.points import TOLERANCE_M, Boundaries, build, metres
from hub.areas.tables import Register
from hub.errors import ConfigError, PayloadError

__all__ = ["Checked", "Problem", "check"]

# The city's box is rounded from another simplification of the same boundaries.
_BOX_MARGIN_DEGREES = 0.01


@dataclass(frozen=True, slots=True)
class Problem:
    """Why boundaries can't be used."""

    kind: str
    """`feature`, `code`, `double`, `geometry`, `invalid`, `outside`, `missing` or `overlap`."""
    codes: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file holds; `boundaries` only where nothing is wrong."""

    scheme: str
    found: int
    wanted: int
    area_km2: float
    problems: tuple[Problem, ...]
    boundaries: Boundaries | None


def check(
    body: bytes, register: Register, scheme: str, *, code_property: str = "code", where: str = ""
) -> Checked:
    """The boundaries of a scheme's communes, or all that is wrong with them.

    Raises `PayloadError` for what is no GeoJSON feature collection, `ConfigError` for a scheme
    that is not in the register.
    """
    if register.index(scheme) < 0:
        names = ", ".join(each.name for each in register.schemes)
        raise ConfigError(
            f"no scheme is named {scheme!r}", where="area scheme", fix=f"use one of {names}"
        )
    wanted = {unit.code: unit.name for unit in register.communes(scheme)}
    shapes: dict[str, Any] = {}
    problems: list[Problem] = []
    for number, feature in enumerate(_features(body, where), 1):
        code, shape, problem = _feature(feature, number, code_property, wanted)
        if problem is None and code in shapes:
            problem = Problem("double", (code,), f"feature {number}: {code} is there twice")
        if problem is None:
            shapes[code] = shape
        else:
            problems.append(problem)
    named = {code for problem in problems for code in problem.codes} | set(shapes)
    problems += [
        Problem("missing", (code,), f"{code} {name} is missing")
        for code, name in wanted.items()
        if code not in named
    ]
    problems += _overlaps(shapes)
    codes, polygons = sorted(shapes), [shapes[code] for code in sorted(shapes)]
    area = float(shapely.area(metres(np.array(polygons, dtype=object))).sum()) if shapes else 0.0
    digest = hashlib.sha256(body).hexdigest()
    index = None if problems else build(scheme, codes, polygons, digest)
    return Checked(scheme, len(shapes), len(wanted), area / 1e6, tuple(problems), index)


def _features(body: bytes, where: str) -> list[Any]:
    try:
        collection = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused(f"not JSON: {error}", where) from error
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or not features:
        raise _refused("no GeoJSON feature collection with features", where)
    return features


def _refused(what: str, where: str) -> PayloadError:
    return PayloadError(
        what, code="boundaries", path=where, fix="export the units as a GeoJSON FeatureCollection"
    )


def _feature(
    feature: Any, number: int, code_property: str, wanted: Mapping[str, str]
) -> tuple[str, Any, Problem | None]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    code = properties.get(code_property) if isinstance(properties, dict) else None
    if not isinstance(code, str):
        has = ", ".join(sorted(map(str, properties))) if isinstance(properties, dict) else "none"
        text = f"feature {number}: no text in property {code_property!r} (properties: {has})"
        return "", None, Problem("feature", (), text)
    if code not in wanted:
        text = f"feature {number}: {code!r} is no commune of this scheme"
        return code, None, Problem("code", (code,), text)
    try:
        shape = shapely.from_geojson(json.dumps(feature.get("geometry")))
    except (shapely.errors.GEOSException, ValueError) as error:
        return code, None, Problem("geometry", (code,), f"{code}: not GeoJSON: {error}")
    if shape is None or shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        kind = "nothing" if shape is None else shape.geom_type
        return code, None, Problem("geometry", (code,), f"{code}: {kind}, not a filled polygon")
    if not shapely.is_valid(shape):
        text = f"{code}: invalid polygon: {shapely.is_valid_reason(shape)}"
        return code, None, Problem("invalid", (code,), text)
    if not _near_hanoi(shape):
        centre = shapely.get_coordinates(shape).mean(axis=0)
        seen = check_position(float(centre[0]), float(centre[1]))
        text = seen.text or "part of it is far outside Hanoi"
        return code, None, Problem("outside", (code,), f"{code}: {text}")
    return code, shape, None


def _near_hanoi(shape: Any) -> bool:
    west, south, east, north = shapely.bounds(shape).tolist()
    margin = _BOX_MARGIN_DEGREES
    return bool(
        west >= HANOI[0] - margin
        and south >= HANOI[1] - margin
        and east <= HANOI[2] + margin
        and north <= HANOI[3] + margin
    )


def _overlaps(shapes: Mapping[str, Any]) -> Iterator[Problem]:
    """Pairs that share more than a hairline of `TOLERANCE_M`; less is decided by the lower code."""
    codes = sorted(shapes)
    flat = metres(np.array([shapes[code] for code in codes], dtype=object))
    one, other = shapely.STRtree(flat).query(flat, predicate="intersects")
    pairs = [(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True) if a < b]
    for a, b in pairs:
        common = shapely.intersection(flat[a], flat[b])
        if not shapely.is_empty(shapely.buffer(common, -TOLERANCE_M / 2)):
            text = f"{codes[a]} and {codes[b]} overlap by {shapely.area(common):.0f} m2"
            yield Problem("overlap", (codes[a], codes[b]), text)
