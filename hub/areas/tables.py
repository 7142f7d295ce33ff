"""The dated register of areas: schemes, units and what became of them, as tables of data.

A decree that changes units is a new scheme: one more line in `schemes.csv`, its units in
`units.csv`, and in `successions.csv` one line for each unit before it and each unit it went into.
Nothing in the code knows how many schemes there are.

Facts: codes and names from the lists of the National Statistics Office (526 communes in 30
districts until 30 June 2025; 126 units since, Resolution 1656/NQ-UBTVQH15 with the codes of
Decision 19/2025/QD-TTg), successions from its conversion sheet. Every one of the 126 codes was
another territory's before, so a code means nothing without its scheme.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.errors import ConfigError

__all__ = ["FOREVER_US", "KINDS", "Register", "Scheme", "Unit", "read", "shipped"]

FOREVER_US = 2**62
KINDS = {"phường": 5, "xã": 5, "thị trấn": 5, "quận": 3, "huyện": 3, "thị xã": 3}
"""Kinds of unit and the length of their codes."""

_HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
_DATA = Path(__file__).parent / "data"
_SCHEMES = ("scheme", "valid_from", "valid_to", "source")
_UNITS = ("scheme", "code", "name", "kind", "district")
_SUCCESSIONS = ("from_scheme", "from_code", "to_scheme", "to_code", "extent", "remark")


@dataclass(frozen=True, slots=True)
class Scheme:
    """A list of units that was in force for `from_us <= t < to_us` (microseconds, UTC).

    The oldest scheme answers for all time before it: nothing older is on record.
    """

    name: str
    from_us: int
    to_us: int
    source: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a scheme: five digits for a commune, three for a district."""

    scheme: str
    code: str
    name: str
    """Without its kind, NFC, as the National Statistics Office spells it."""
    kind: str
    district: str
    """Code of the district it belonged to; empty where there are none."""

    @property
    def is_district(self) -> bool:
        """Whether it is a unit of the middle tier, which ended on 30 June 2025."""
        return KINDS[self.kind] == 3

    @property
    def full_name(self) -> str:
        """`Phường Hoàn Kiếm`."""
        return f"{self.kind.capitalize()} {self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """The schemes, oldest first, their units and the successions between neighbours."""

    schemes: tuple[Scheme, ...]
    _units: Mapping[str, Mapping[str, Unit]]
    _after: Mapping[Unit, tuple[Unit, ...]]
    _before: Mapping[Unit, tuple[Unit, ...]]
    _members: Mapping[Unit, tuple[Unit, ...]]

    def unit(self, scheme: str, code: str) -> Unit | None:
        """The unit with a code, or None."""
        return self._units.get(scheme, {}).get(code)

    def units(self, scheme: str) -> tuple[Unit, ...]:
        """Every unit of a scheme, districts too, by code; none for an unknown scheme."""
        return tuple(self._units.get(scheme, {}).values())

    def communes(self, scheme: str) -> tuple[Unit, ...]:
        """The units of the lower tier, by code."""
        return tuple(unit for unit in self.units(scheme) if not unit.is_district)

    def members(self, district: Unit) -> tuple[Unit, ...]:
        """The communes of a district, by code."""
        return self._members.get(district, ())

    def at(self, at_us: int) -> Scheme:
        """The scheme in force at a time; the oldest for any time before it."""
        return next(each for each in reversed(self.schemes) if each.from_us <= at_us)

    def index(self, scheme: str) -> int:
        """Place of a scheme in the order of time; -1 when it is unknown."""
        return next((i for i, each in enumerate(self.schemes) if each.name == scheme), -1)

    @property
    def newest(self) -> Scheme:
        """The scheme with no end."""
        return self.schemes[-1]

    @property
    def edges_us(self) -> tuple[int, ...]:
        """When one scheme follows another (microseconds, UTC)."""
        return tuple(each.from_us for each in self.schemes[1:])

    def successors(self, unit: Unit) -> tuple[Unit, ...]:
        """Every unit of the next scheme that took any of it; one means it went whole."""
        return self._step(unit, self._after)

    def predecessors(self, unit: Unit) -> tuple[Unit, ...]:
        """Every commune of the scheme before that gave any of it; one means it all lay there."""
        return self._step(unit, self._before)

    def _step(self, unit: Unit, way: Mapping[Unit, tuple[Unit, ...]]) -> tuple[Unit, ...]:
        if not unit.is_district:
            return way.get(unit, ())
        found = {each for member in self.members(unit) for each in way.get(member, ())}
        return tuple(sorted(found, key=lambda each: each.code))


@cache
def shipped() -> Register:
    """The register of this release."""
    return read(_DATA)


def read(folder: Path) -> Register:
    """A register from its three tables; `ConfigError` names file and line of what contradicts."""
    schemes = _schemes(folder / "schemes.csv")
    units = _units(folder / "units.csv", [each.name for each in schemes])
    after: dict[Unit, list[Unit]] = {}
    before: dict[Unit, list[Unit]] = {}
    whole: dict[Unit, list[bool]] = {}
    path = folder / "successions.csv"
    follows = {a.name: b.name for a, b in pairwise(schemes)}
    for where, row in _rows(path, _SUCCESSIONS):
        old = units.get(row["from_scheme"], {}).get(row["from_code"])
        new = units.get(row["to_scheme"], {}).get(row["to_code"])
        if old is None or new is None or follows.get(old.scheme) != new.scheme:
            raise _error("not from a unit to one of the next scheme", where)
        if row["extent"] not in ("whole", "part"):
            raise _error(f"the extent {row['extent']!r} is neither whole nor part", where)
        if new in after.setdefault(old, []):
            raise _error("this succession is there twice", where)
        after[old].append(new)
        before.setdefault(new, []).append(old)
        whole.setdefault(old, []).append(row["extent"] == "whole")
    _complete(schemes, units, whole, set(before), str(path))
    return Register(schemes, units, _sorted(after), _sorted(before), _members(units))


def _schemes(path: Path) -> tuple[Scheme, ...]:
    found = []
    for where, row in _rows(path, _SCHEMES):
        start = _midnight_us(row["valid_from"], where) if row["valid_from"] else -FOREVER_US
        end = _midnight_us(row["valid_to"], where) if row["valid_to"] else FOREVER_US
        if start >= end:
            raise _error("the scheme ends before it begins", where)
        found.append(Scheme(row["scheme"], start, end, row["source"]))
    found.sort(key=lambda each: each.from_us)
    if not found or found[0].from_us != -FOREVER_US or found[-1].to_us != FOREVER_US:
        raise _error("the first scheme must have no start and the last no end", str(path))
    for earlier, later in pairwise(found):
        if earlier.to_us != later.from_us:
            what = f"{later.name} does not begin when {earlier.name} ends"
            raise _error(what, str(path))
    if len({each.name for each in found}) != len(found):
        raise _error("a scheme is there twice", str(path))
    return tuple(found)


def _units(path: Path, schemes: Iterable[str]) -> dict[str, dict[str, Unit]]:
    units: dict[str, dict[str, Unit]] = {scheme: {} for scheme in schemes}
    places: dict[Unit, str] = {}
    for where, row in _rows(path, _UNITS):
        unit = Unit(**row)
        if unit.scheme not in units:
            raise _error(f"no such scheme: {unit.scheme!r}", where)
        if unit.kind not in KINDS or not re.fullmatch(rf"[0-9]{{{KINDS[unit.kind]}}}", unit.code):
            raise _error(f"{unit.kind} {unit.code!r}: wrong kind, or code of wrong length", where)
        if unit.code in units[unit.scheme]:
            raise _error(f"code {unit.code} is there twice in {unit.scheme}", where)
        if not unit.name:
            raise _error("a unit without a name", where)
        units[unit.scheme][unit.code] = unit
        places[unit] = where
    for unit, where in places.items():
        if unit.district and unit.district not in units[unit.scheme]:
            raise _error(f"no such district: {unit.district}", where)
    return {scheme: dict(sorted(of.items())) for scheme, of in units.items()}


def _complete(
    schemes: Iterable[Scheme],
    units: Mapping[str, Mapping[str, Unit]],
    whole: Mapping[Unit, list[bool]],
    reached: set[Unit],
    where: str,
) -> None:
    """Nothing vanishes, nothing comes from nowhere, and a part has its other part."""
    for earlier, later in pairwise(schemes):
        for unit in units[earlier.name].values():
            if unit.is_district:
                continue
            extents = whole.get(unit, [])
            if extents != [True] and (len(extents) < 2 or any(extents)):
                what = f"{unit.scheme} {unit.code} needs one whole successor, or several parts"
                raise _error(what, where)
        for unit in units[later.name].values():
            if not unit.is_district and unit not in reached:
                raise _error(f"{unit.scheme} {unit.code} has no predecessor", where)


def _members(units: Mapping[str, Mapping[str, Unit]]) -> dict[Unit, tuple[Unit, ...]]:
    found: dict[Unit, list[Unit]] = {}
    for of in units.values():
        for unit in of.values():
            if unit.district:
                found.setdefault(of[unit.district], []).append(unit)
    return _sorted(found)


def _sorted(found: Mapping[Unit, list[Unit]]) -> dict[Unit, tuple[Unit, ...]]:
    return {key: tuple(sorted(of, key=lambda each: each.code)) for key, of in found.items()}


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(f"can't read it: {error}", str(path)) from error
    reader = csv.reader(unicodedata.normalize("NFC", text).splitlines())
    if tuple(next(reader, ())) != columns:
        raise _error(f"its first line is not {','.join(columns)}", str(path))
    for cells in reader:
        where = f"{path} line {reader.line_num}"
        if len(cells) != len(columns):
            raise _error(f"{len(cells)} cells, there are {len(columns)} columns", where)
        yield where, dict(zip(columns, cells, strict=True))


def _midnight_us(text: str, where: str) -> int:
    """The start of a day in Hanoi, in microseconds, UTC."""
    try:
        start = datetime.combine(date.fromisoformat(text), time(), _HANOI)
    except ValueError as error:
        raise _error(f"{text!r} is no date", where) from error
    return int(start.astimezone(UTC).timestamp()) * 1_000_000


def _error(what: str, where: str) -> ConfigError:
    return ConfigError(what, where=where, fix="correct the table")
