"""In which areas an event lies, in every list of units: what rules compare.

The city's units changed in July 2025, and people still speak of those before. So an event is looked
up in each list, by the register's own entry where it is of that list, else by what became of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from hub.areas.resolve import Areas, Point

__all__ = ["Candidates", "wards_of", "within"]

Candidates = tuple[frozenset[str], ...]
"""One list's answer: the event lies in one of these, each with all its names (`scheme:code`), that
of its district too. More than one where a unit was split and no position decides."""

_CACHED_MAX = 65_536
_Units = tuple[tuple[str, str], ...]


def within(
    device: Mapping[str, Any], place: Mapping[str, Any], areas: Areas
) -> tuple[Candidates, ...]:
    """Where an event lies; `device` is its entry in the register, `place` what was found for it."""
    lat, lon = device.get("lat"), device.get("lon")
    return _within(
        areas,
        (device.get("area_scheme", ""), device.get("area_code", "")),
        None if lat is None or lon is None else (lon, lat),
        device.get("legacy_district", ""),
        _units(place.get("areas_then", ())),
        _units(place.get("areas_now", ())),
    )


def wards_of(place: Mapping[str, Any]) -> tuple[str, ...]:
    """The wards or communes of now, all that come into question; else what is known instead."""
    units = place.get("areas_now") or place.get("areas_then") or ()
    return tuple(f"{scheme}:{code}" for scheme, code in _units(units))


def _units(reported: Iterable[Mapping[str, str]]) -> _Units:
    return tuple((each["scheme"], each["code"]) for each in reported)


@lru_cache(maxsize=_CACHED_MAX)
def _within(  # noqa: PLR0917 - the key of a cache
    areas: Areas,
    own: tuple[str, str],
    point: Point | None,
    district: str,
    then: _Units,
    now: _Units,
) -> tuple[Candidates, ...]:
    lists = {units[0][0]: units for units in (now, then) if units}
    known = own if areas.register.index(own[0]) >= 0 else _only(then) or _only(now) or own
    for scheme in areas.register.schemes:
        if scheme.name not in lists:
            there = areas.at(*known, scheme.from_us, point, now_us=scheme.from_us)[0]
            lists[scheme.name] = tuple((unit.scheme, unit.code) for unit in there.units)
    named = [
        tuple(frozenset(_names(areas, *unit)) for unit in units)
        for units in lists.values()
        if units
    ]
    if not district:
        return tuple(named)
    districts = _districts(areas, district)
    whole = frozenset[str]().union(*districts)
    # What the register says of the district decides between the candidates of its list.
    named = [tuple(one for one in each if one & whole) or each for each in named]
    return (*named, districts) if districts else tuple(named)


@lru_cache(maxsize=1024)
def _districts(areas: Areas, text: str) -> Candidates:
    """The districts that a name or code may mean."""
    meant = areas.resolve(district=text).meant
    return tuple(frozenset((f"{unit.scheme}:{unit.code}",)) for unit in meant)


def _only(units: _Units) -> tuple[str, str] | None:
    return units[0] if len(units) == 1 else None


def _names(areas: Areas, scheme: str, code: str) -> Iterator[str]:
    yield f"{scheme}:{code}"
    unit = areas.register.unit(scheme, code)
    if unit is not None and unit.district:
        yield f"{scheme}:{unit.district}"
