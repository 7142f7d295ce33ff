"""Which area is meant, and which area that was or is at another time.

An area is (scheme, code). What is not certain stays ambiguous with all its candidates; only a
position decides between the parts of a unit that was split, and only by imported boundaries
(`hub.areas.points`). Pure: no clock, no file; "now" is a time that is passed in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from hub.areas.names import Names, readings
from hub.areas.tables import Register, Scheme, Unit, shipped
from hub.errors import ConfigError, EnvironmentNotReadyError

__all__ = [
    "BY_DATE",
    "Answer",
    "Areas",
    "Mapped",
    "Places",
    "Point",
    "Resolution",
    "areas_at",
    "no_boundaries",
]

BY_DATE = "by-date"
"""A source's declaration that it writes the codes in force when the event happened."""

_CACHED_MAX = 65_536
Point = tuple[float, float]
"""Longitude and latitude, WGS 84 degrees."""


class Resolution(StrEnum):
    """How areas were found: symbols of the enum in `schemas/avro/appended.avsc`, surest first."""

    EXACT = "EXACT"
    WHOLE = "WHOLE"
    BY_POSITION = "BY_POSITION"
    AMBIGUOUS = "AMBIGUOUS"
    UNKNOWN = "UNKNOWN"


_ORDER = list(Resolution)


def _weakest(*found: Resolution) -> Resolution:
    return max(found, key=_ORDER.index)


class Places(Protocol):
    """Boundaries by scheme; `hub.areas.points.Imported` is one."""

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes whose boundaries are there."""

    def locate(self, scheme: str, point: Point) -> str | None:
        """Code of the unit a point lies in, or None outside all."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Units of one scheme, and how they were found."""

    scheme: str
    units: tuple[Unit, ...]
    resolution: Resolution


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for, then and now."""

    meant: tuple[Unit, ...]
    """The units that the code, name or position may mean, in their own schemes."""
    method: str
    """`code`, `name`, `name and district`, `district` or `point`."""
    then: Mapped
    """In the scheme in force at the time (without one: in today's)."""
    now: Mapped
    """In today's scheme, or the one asked for."""
    notes: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[Unit, ...]:
        """The units at the time; where it is open which was meant, those that may be."""
        open_ = len(self.meant) > 1 and self.resolution is Resolution.AMBIGUOUS
        return self.meant if open_ else self.then.units

    @property
    def resolution(self) -> Resolution:
        """How `candidates` were found."""
        return self.then.resolution


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Resolves areas by a register and, where they are imported, boundaries."""

    register: Register = field(default_factory=shipped)
    places: Places | None = None
    _names: dict[tuple[str, bool], Names] = field(default_factory=dict)
    _cached: dict[Any, tuple[Mapped, Mapped]] = field(default_factory=dict)

    def resolve(
        self,
        *,
        code: str = "",
        name: str = "",
        district: str = "",
        point: Point | None = None,
        scheme: str = "",
        declared: str = "",
        at_us: int | None = None,
        now_us: int | None = None,
        to_scheme: str = "",
    ) -> Answer:
        """The area that a code, a name (in a district), a district or a point means.

        `scheme` is that of the code or name (for a point alone: of `then`), `declared` what its
        source says in general: a scheme, or `BY_DATE`. A bare code or name is read in the scheme in
        force at `at_us`; without a time every scheme may be meant. `then` is at `at_us`, `now` at
        `now_us` (the newest scheme without one) or in `to_scheme`. Raises `ConfigError` for a
        scheme that is not in the register, `EnvironmentNotReadyError` for a point alone without
        boundaries.
        """
        for each in (scheme, to_scheme, declared if declared != BY_DATE else ""):
            self._known(each)
        target = self.register.at(now_us) if now_us is not None else self.register.newest
        to = to_scheme or target.name
        then = to if at_us is None else self.register.at(at_us).name
        chosen = scheme or (then if declared == BY_DATE and at_us is not None else declared)
        chosen = "" if chosen == BY_DATE else chosen
        if code:
            method = "code"
            meant = self._by_code(code, chosen, then if at_us is not None else "")
        elif name:
            method = "name and district" if district else "name"
            meant = (
                self._in_district(name, district, chosen)
                if district
                else self._by_name(name, chosen, then if at_us is not None else "")
            )
        elif district:
            method = "district"
            meant = self._districts(district, chosen)
        elif point is not None:
            return self._by_point(point, scheme or then, to)
        else:
            raise ConfigError("nothing to resolve", where="area", fix="give a code, name or point")
        mapped = self._map(meant, then, point), self._map(meant, to, point)
        notes = (*_about(meant, mapped[0]), *self._against(mapped[1], point))
        return Answer(meant, method, *mapped, notes)

    def at(
        self,
        scheme: str,
        code: str,
        at_us: int,
        point: Point | None = None,
        *,
        now_us: int | None = None,
    ) -> tuple[Mapped, Mapped]:
        """Units then and now of the area that an event or a register entry names; cached.

        A bare code is ambiguous where several schemes have it: the time alone does not tell which
        list its source uses. An unknown code, or none, leaves the position.
        """
        register = self.register
        target = register.at(now_us) if now_us is not None else register.newest
        then = register.at(at_us)
        key = (scheme, code, then.name, target.name, point)
        found = self._cached.get(key)
        if found is None:
            if len(self._cached) >= _CACHED_MAX:
                self._cached.clear()
            found = self._cached[key] = self._at(scheme, code, then, target, point)
        return found

    def told_in(
        self,
        codes: Iterable[str],
        point: Point | None = None,
        *,
        from_scheme: str,
        to_scheme: str,
    ) -> tuple[Unit, ...]:
        """What the units with these codes in one scheme are in another, by code.

        Several where it is open; none when a code is not in the scheme. Raises `ConfigError` for a
        scheme that is not in the register.
        """
        for each in (from_scheme, to_scheme):
            self._known(each)
        units = [self.register.unit(from_scheme, code) for code in codes]
        known = [unit for unit in units if unit is not None]
        return self._map(known, to_scheme, point).units if len(known) == len(units) else ()

    def _at(
        self, scheme: str, code: str, then: Scheme, now: Scheme, point: Point | None
    ) -> tuple[Mapped, Mapped]:
        meant = self._by_code(code, then.name if scheme == BY_DATE else scheme, "")
        if not meant and point is not None and self.places and self.places.schemes:
            answer = self._by_point(point, then.name, now.name)
            return answer.then, answer.now
        return self._map(meant, then.name, point), self._map(meant, now.name, point)

    def _known(self, scheme: str) -> None:
        if scheme and self.register.index(scheme) < 0:
            names = ", ".join(each.name for each in self.register.schemes)
            raise ConfigError(
                f"no scheme is named {scheme!r}", where="area scheme", fix=f"use one of {names}"
            )

    def _by_code(self, code: str, scheme: str, in_force: str) -> tuple[Unit, ...]:
        """The unit of a code in the scheme given; else in the one in force; else in any."""
        for name in (scheme, in_force):
            if name and ((unit := self.register.unit(name, code)) or name == scheme):
                return _one(unit)
        every = (self.register.unit(each.name, code) for each in self.register.schemes)
        return tuple(unit for unit in every if unit is not None)

    def _by_name(self, name: str, scheme: str, in_force: str) -> tuple[Unit, ...]:
        """Communes of a name; districts where it says so, or where no commune has it."""
        every = [each.name for each in self.register.schemes]
        for schemes in ([scheme] if scheme else [in_force] if in_force else [], every):
            communes = self._named(name, schemes, districts=False)
            districts = self._named(name, schemes, districts=True)
            kinds = {kind for kind, _ in readings(name)}
            said = tuple(unit for unit in districts if unit.kind in kinds)
            if (found := said or communes or districts) or scheme:
                return found
        return ()

    def _in_district(self, name: str, district: str, scheme: str) -> tuple[Unit, ...]:
        """Communes of a name in a district; else units of the name that took some of it.

        Who names the district speaks of the time when there were districts, whatever the date.
        """
        whole = self._districts(district, "")
        schemes = [scheme] if scheme else [each.name for each in self.register.schemes]
        named = self._named(name, schemes, districts=False)
        of = {unit for each in whole for unit in self.register.members(each)}
        if members := tuple(unit for unit in named if unit in of):
            return members
        after = {
            unit for each in whole for to in schemes for unit in self._map((each,), to, None).units
        }
        return tuple(unit for unit in named if unit in after)

    def _districts(self, text: str, scheme: str) -> tuple[Unit, ...]:
        schemes = [scheme] if scheme else [each.name for each in self.register.schemes]
        units = (self.register.unit(each, text.strip()) for each in schemes)
        by_code = tuple(unit for unit in units if unit is not None and unit.is_district)
        return by_code or self._named(text, schemes, districts=True)

    def _named(self, text: str, schemes: Iterable[str], *, districts: bool) -> tuple[Unit, ...]:
        return tuple(
            unit for each in schemes for unit in self._index(each, districts=districts).find(text)
        )

    def _index(self, scheme: str, *, districts: bool) -> Names:
        key = (scheme, districts)
        if key not in self._names:
            units = self.register.units(scheme)
            self._names[key] = Names(unit for unit in units if unit.is_district is districts)
        return self._names[key]

    def _by_point(self, point: Point, then: str, to: str) -> Answer:
        places = self.places
        if places is None or not places.schemes:
            raise no_boundaries()
        # Boundaries of the time itself decide before those of another time.
        order = sorted(places.schemes, key=lambda each: (each != then, each != to, each))
        located = ((scheme, places.locate(scheme, point)) for scheme in order)
        found = next(((scheme, code) for scheme, code in located if code), None)
        meant = _one(self.register.unit(*found)) if found else ()
        if not meant:
            nothing = (Mapped(then, (), Resolution.UNKNOWN), Mapped(to, (), Resolution.UNKNOWN))
            return Answer((), "point", *nothing, ("the point lies in no unit",))
        mapped = [self._map(meant, scheme, point) for scheme in (then, to)]
        sure = [
            Mapped(each.scheme, each.units, _weakest(each.resolution, Resolution.BY_POSITION))
            for each in mapped
        ]
        return Answer(meant, "point", sure[0], sure[1])

    def _map(self, units: Iterable[Unit], to: str, point: Point | None) -> Mapped:
        """What units are in a scheme, by the successions on the way and the point."""
        ways = [self._map_one(unit, to, point) for unit in units]
        found = {unit: None for way in ways for unit in way.units}
        if not found:
            return Mapped(to, (), Resolution.UNKNOWN)
        weakest = _weakest(*(way.resolution for way in ways))
        mapped = tuple(sorted(found, key=lambda unit: unit.code))
        if len(mapped) > 1:
            return self._narrowed(mapped, to, point)
        return Mapped(to, mapped, weakest)

    def _map_one(self, unit: Unit, to: str, point: Point | None) -> Mapped:
        here, there = self.register.index(unit.scheme), self.register.index(to)
        mapped = Mapped(unit.scheme, (unit,), Resolution.EXACT)
        step = self.register.successors if here < there else self.register.predecessors
        towards = 1 if here < there else -1
        for index in range(here + towards, there + towards, towards) if here != there else ():
            scheme = self.register.schemes[index].name
            found = {each: None for of in mapped.units for each in step(of)}
            units = tuple(sorted(found, key=lambda each: each.code))
            if len(units) == 1:
                # All parts went into one: which of them it was no longer matters.
                sure = mapped.resolution is not Resolution.BY_POSITION
                how = Resolution.WHOLE if sure else Resolution.BY_POSITION
                mapped = Mapped(scheme, units, how)
            else:
                mapped = self._narrowed(units, scheme, point)
        return mapped

    def _narrowed(self, units: tuple[Unit, ...], scheme: str, point: Point | None) -> Mapped:
        """Of several units the one the point lies in; all of them when that tells nothing."""
        if point is not None and self.places and scheme in self.places.schemes:
            code = self.places.locate(scheme, point)
            at = tuple(unit for unit in units if unit.code == code)
            if at:
                return Mapped(scheme, at, Resolution.BY_POSITION)
        return Mapped(scheme, units, Resolution.AMBIGUOUS if units else Resolution.UNKNOWN)

    def _against(self, mapped: Mapped, point: Point | None) -> Iterator[str]:
        """What the position says against the areas found."""
        if point is None:
            return
        if not self.places or mapped.scheme not in self.places.schemes:
            yield f"the point decides nothing: no boundaries of {mapped.scheme} are imported"
            return
        code = self.places.locate(mapped.scheme, point)
        unit = self.register.unit(mapped.scheme, code) if code else None
        if unit not in mapped.units:
            lies = f"in {unit.code} {unit.full_name}" if unit else "in no unit"
            yield f"the point lies {lies} of {mapped.scheme}, not where the area is"


def no_boundaries() -> EnvironmentNotReadyError:
    """What a point is answered with before any boundaries are imported."""
    return EnvironmentNotReadyError(
        "no boundaries are imported, so no point can be looked up",
        where="area point",
        fix="import the polygons of the units once: hub area import FILE.geojson",
    )


def _one(unit: Unit | None) -> tuple[Unit, ...]:
    return () if unit is None else (unit,)


def _about(meant: tuple[Unit, ...], then: Mapped) -> Iterator[str]:
    """What makes it open which unit is meant."""
    schemes = sorted({unit.scheme for unit in meant})
    if not meant:
        yield "no unit has this code or name there"
    elif len(meant) > 1 and then.resolution is Resolution.AMBIGUOUS:
        if len(schemes) > 1:
            yield f"it is in several schemes ({', '.join(schemes)}): name one, or a time"
        else:
            yield "several units have this name: name the district"


@cache
def _shipped() -> Areas:
    return Areas()


def areas_at(
    scheme: str,
    code: str,
    at_us: int,
    point: Point | None = None,
    *,
    now_us: int | None = None,
    areas: Areas | None = None,
) -> tuple[list[Mapping[str, str]], list[Mapping[str, str]], str]:
    """What an event's `place` says: areas then, areas now (`ReportedArea`), the enum's symbol.

    The symbol is that of the weaker of the two: AMBIGUOUS when either has several candidates.
    `areas` carries the site's boundaries; without it a point decides nothing.
    """
    then, now = (areas or _shipped()).at(scheme, code, at_us, point, now_us=now_us)
    resolution = _weakest(then.resolution, now.resolution)
    return _reported(then), _reported(now), resolution.value


def _reported(mapped: Mapped) -> list[Mapping[str, str]]:
    return [{"scheme": each.scheme, "code": each.code, "name": each.name} for each in mapped.units]
