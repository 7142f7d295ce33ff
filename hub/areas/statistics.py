"""Counts by the areas of one time, told in the areas of another, so that totals add up.

A commune that went whole into one ward gives it its whole count. The count of one that was split
stays with all the wards it went into, as one sum with a name of its own, unless the position of
what was counted decides: nothing is shared out by population, size or guess. So every total equals
the sum of its parts, and of each area it is known what it had at least and at most.

    >>> from hub.areas.resolve import Areas
    >>> rows = [Row(("00013",), 7), Row(("00070",), 5)]  # Quán Thánh; Hàng Trống, which was split
    >>> june = told_in(rows, Areas(), from_scheme="nso-2024", to_scheme="nso-2025-07")
    >>> for units, count in june.counts.items():
    ...     print(" or ".join(unit.full_name for unit in units), count)
    Phường Ba Đình 7
    Phường Hoàn Kiếm or Phường Cửa Nam 5
    >>> june.total
    12
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hub.areas.coordinates import check as check_position
from hub.areas.resolve import Areas, Point
from hub.areas.tables import Unit
from hub.cells import csv_lines, known, normalised, refused

__all__ = ["Row", "Tally", "of_events", "read", "told_in"]

_COLUMNS = ("code", "count", "name", "lon", "lat")
_REQUIRED = ("code", "count")


class Row(NamedTuple):
    """How much was counted where."""

    codes: tuple[str, ...]
    """The area; several where it was open which of them it was."""
    number: int
    point: Point | None = None
    """Where all of it was, if that is known; WGS 84."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by the units that each part of them may belong to."""

    scheme: str
    counts: Mapping[tuple[Unit, ...], int]
    """By one unit what is sure; by several what may be any one of theirs."""
    unknown: Mapping[str, int]
    """By codes that the list they were counted by does not have."""

    @property
    def total(self) -> int:
        """All that was counted."""
        return sum(self.counts.values()) + sum(self.unknown.values())

    @property
    def sure(self) -> int:
        """What belongs to one unit."""
        return sum(count for units, count in self.counts.items() if len(units) == 1)

    def of(self, unit: Unit) -> tuple[int, int]:
        """What a unit has at least, and at most."""
        mine = {units: count for units, count in self.counts.items() if unit in units}
        return mine.get((unit,), 0), sum(mine.values())

    def __add__(self, other: "Tally") -> "Tally":
        if self.scheme != other.scheme:
            raise ValueError(f"{self.scheme} and {other.scheme} have no areas in common")
        counts, unknown = Counter(self.counts), Counter(self.unknown)
        counts.update(other.counts)
        unknown.update(other.unknown)
        return Tally(self.scheme, _ordered(counts), unknown)


def told_in(rows: Iterable[Row], areas: Areas, *, from_scheme: str, to_scheme: str) -> Tally:
    """Counts by areas of one scheme in those of another; the sum stays the same.

    Positions decide only with boundaries (`areas.places`). `ConfigError` for an unknown scheme.
    """
    counts: Counter[tuple[Unit, ...]] = Counter()
    unknown: Counter[str] = Counter()
    for row in rows:
        units = areas.told_in(row.codes, row.point, from_scheme=from_scheme, to_scheme=to_scheme)
        if units:
            counts[units] += row.number
        else:
            unknown[";".join(row.codes)] += row.number
    return Tally(to_scheme, _ordered(counts), unknown)


def of_events(places: Iterable[Mapping[str, Any]], areas: Areas, *, to_scheme: str) -> Tally:
    """Events by the `place` they carry, in the areas of one scheme, whatever was in force then.

    An event counts once: under the area it happened in (`areas_then`) or all that may be meant, and
    its device's position decides as it did for the event, by the same boundaries.
    """
    found = Tally(to_scheme, {}, {})
    rows: dict[str, list[Row]] = {}
    for place in places:
        then = place.get("areas_then", ())
        schemes = {area["scheme"] for area in then}
        scheme = schemes.pop() if len(schemes) == 1 else ""
        at = place.get("position")
        point = (at["lon"], at["lat"]) if at else None
        rows.setdefault(scheme, []).append(Row(tuple(area["code"] for area in then), 1, point))
    for scheme, of in rows.items():
        if areas.register.index(scheme) < 0:
            unknown = Counter(":".join((scheme, ";".join(row.codes))) for row in of)
            found += Tally(to_scheme, {}, unknown)
        else:
            found += told_in(of, areas, from_scheme=scheme, to_scheme=to_scheme)
    return found


def read(text: str, where: str) -> list[Row]:
    """Rows from CSV: `code` (several separated by semicolons) and `count`, perhaps `lon`, `lat`.

    A column `name` is for people. `PayloadError` names line, column and mend.
    """
    return [
        _row(texts, f"{where} line {line}")
        for line, texts in csv_lines(normalised(text), where, _columns)
    ]


def _columns(cells: Sequence[str], where: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    for name in columns:
        known(name, _COLUMNS, "column", where)
    for name in _REQUIRED:
        if name not in columns:
            raise refused(f"there is no column {name!r}", where, "add it")
    if len(set(columns)) != len(columns):
        raise refused("a column is there twice", where, "remove one")
    if ("lon" in columns) != ("lat" in columns):
        raise refused("lon and lat belong together", where, "add the other one")
    return columns


def _row(texts: Mapping[str, str], place: str) -> Row:
    codes = tuple(sorted({code.strip() for code in texts["code"].split(";")}))
    for code in codes:
        if not (code.isascii() and code.isdecimal() and len(code) in (3, 5)):
            fix = "write all 5 digits (3 for a district); spreadsheets drop leading zeros"
            raise refused(f"{code!r} is no code", f"{place}, column code", fix)
    count = texts["count"]
    if not (count.isascii() and count.isdecimal()):
        fix = "write a whole number, not below 0"
        raise refused(f"{count!r} is no count", f"{place}, column count", fix)
    return Row(codes, int(count), _point(texts.get("lon", ""), texts.get("lat", ""), place))


def _point(lon: str, lat: str, place: str) -> Point | None:
    if not lon and not lat:
        return None
    try:
        seen = check_position(float(lon), float(lat))
    except ValueError as error:
        fix = "write degrees, 105.8522 and 21.0287, or leave both empty"
        raise refused(
            f"{lon!r}, {lat!r} is no position", f"{place}, columns lon, lat", fix
        ) from error
    if seen.lon is None or seen.lat is None:
        raise refused(seen.text, f"{place}, columns lon, lat", "write WGS 84 degrees")
    return seen.lon, seen.lat


def _ordered(counts: Mapping[tuple[Unit, ...], int]) -> dict[tuple[Unit, ...], int]:
    """What is sure first, by code; then what is open."""
    order = sorted(counts, key=lambda units: (len(units) > 1, [unit.code for unit in units]))
    return {units: counts[units] for units in order}
