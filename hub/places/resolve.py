"""Which road, junction or position a text means at a time, by the dated register of places.

What is not certain stays ambiguous with all its candidates; areas decide between roads of one name
only where the register says which areas they are in. Pure: no clock, no file, no network.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from hub.areas.names import Key
from hub.areas.resolve import Areas
from hub.areas.tables import FOREVER_US
from hub.places.text import PlaceText, bare, parse

__all__ = [
    "JUNCTIONS",
    "ROADS",
    "Found",
    "Ids",
    "Location",
    "Locations",
    "Resolved",
    "keys_of",
    "names_of",
]

ROADS = frozenset({"ROAD", "MILESTONE_ROAD"})
JUNCTIONS = frozenset({"JUNCTION", "POSITION"})
_EVERY = ROADS | JUNCTIONS
_SAID = {"road": ROADS, "junction": JUNCTIONS, "": _EVERY}
_CACHED_MAX = 65_536
# A text of more names than this is no place; each way to join them is tried.
_NAMES_MAX = 8


class Found(StrEnum):
    """How sure an answer is."""

    EXACT = "exact"
    """By position, milestone or a name of the register."""
    ALIAS = "alias"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Location:
    """An entry of the register (`schemas/avro/location.avsc`), true for `from_us <= t < to_us`."""

    entry: Mapping[str, Any]
    from_us: int
    to_us: int

    @property
    def id(self) -> str:
        """The city's id of the place."""
        return str(self.entry["location_id"])

    def holds(self, at_us: int) -> bool:
        """Whether the entry is true at a time."""
        return self.from_us <= at_us < self.to_us


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a text means."""

    text: PlaceText
    candidates: tuple[Location, ...]
    """By id; one, unless `resolution` says otherwise."""
    method: str
    """`position`, `milestone`, `name` or `roads`, with `and area` where that decided."""
    resolution: Found
    notes: tuple[str, ...] = ()

    @property
    def one(self) -> Location | None:
        """The place, where it is certain."""
        sure = self.resolution in (Found.EXACT, Found.ALIAS)
        return self.candidates[0] if sure else None


class Ids(NamedTuple):
    """What an event's `place` tells of its road and junction; empty where it is not certain."""

    road: str = ""
    junction: str = ""
    position: str = ""
    notes: tuple[str, ...] = ()
    """Why one of them is empty though the device's entry names something."""


class _Name(NamedTuple):
    """A name of a place, as it is compared."""

    keys: tuple[Key, ...]
    location: Location
    is_alias: bool


@dataclass(slots=True)
class _Index:
    """Entries of all times by what they are looked up by."""

    names: dict[str, list[_Name]] = field(default_factory=dict)
    codes: dict[str, list[Location]] = field(default_factory=dict)
    by_id: dict[str, list[Location]] = field(default_factory=dict)
    by_road: dict[str, list[Location]] = field(default_factory=dict)
    """Junctions by the ids of their roads."""
    edges_us: list[int] = field(default_factory=list)


def names_of(entry: Mapping[str, Any]) -> Iterator[str]:
    """The names of an entry, its proper one first; a position may have none."""
    yield from filter(None, (entry["name"], *entry["aliases"]))


def keys_of(names: Iterable[str]) -> tuple[Key, ...]:
    """What the names of a place are compared by, whatever their order."""
    return tuple(sorted({bare(name) for name in names}))


@dataclass(slots=True)
class Locations:
    """The register of places. `revision` grows with every change."""

    revision: int = 0
    areas: Areas = field(default_factory=Areas)
    _by_key: dict[bytes, Location] = field(default_factory=dict)
    _index: _Index | None = None
    _told: dict[Any, Ids] = field(default_factory=dict)

    def put(self, key: bytes, entry: Mapping[str, Any] | None, from_us: int, to_us: int) -> None:
        """Set (or with None, remove) the entry stored under a record key."""
        if entry is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = Location(entry, from_us, to_us)
        self.revision += 1
        self._index = None
        self._told.clear()

    def __len__(self) -> int:
        return len(self._by_key)

    def span(self, at_us: int) -> tuple[int, int]:
        """Times around `at_us` between which every answer stays the same."""
        edges = self._indexed().edges_us
        after = bisect_right(edges, at_us)
        low = edges[after - 1] if after else -FOREVER_US
        return low, edges[after] if after < len(edges) else FOREVER_US

    def ids(self, road: str, junction: str, area: tuple[str, str], at_us: int) -> Ids:
        """What the texts of a device's entry mean at a time; cached.

        `area` is the scheme and code that the entry names. Without a register of places only the
        position that the texts themselves name is known.
        """
        if not road and not junction:
            return Ids()
        name = (road, junction, area, self.span(at_us))
        found = self._told.get(name)
        if found is None:
            if len(self._told) >= _CACHED_MAX:
                self._told.clear()
            found = self._told[name] = self._ids(road, junction, area, at_us)
        return found

    def _ids(self, road: str, junction: str, area: tuple[str, str], at_us: int) -> Ids:
        at = self.resolve(junction, at_us, kinds=JUNCTIONS, area=area)
        on = self.resolve(road, at_us, kinds=ROADS, area=area)
        road_id = junction_id = position = ""
        for one in filter(None, (on.one, at.one)):
            entry = one.entry
            if entry["kind"] in ROADS:
                road_id = one.id
                continue
            junction_id = one.id if entry["kind"] == "JUNCTION" else entry["junction"]
            position = entry["position_code"]
            if len(entry["roads"]) == 1:
                road_id = road_id or entry["roads"][0]
        if len(codes := {*at.text.codes, *on.text.codes}) == 1:
            position = codes.pop()
        notes = (
            f"{what} {text!r} is {_told(answer)}"
            for what, text, answer in (("road", road, on), ("junction", junction, at))
            if text and answer.one is None and self._by_key
        )
        return Ids(road_id, junction_id, position, tuple(notes))

    def resolve(
        self,
        text: str,
        at_us: int,
        *,
        kinds: frozenset[str] | None = None,
        area: tuple[str, str] = ("", ""),
    ) -> Resolved:
        """The place that a text means at a time.

        `kinds` limits what it may be; without it the text's own words do (`Ngã tư`, `Đường`, two
        names), unless no such place has the name. `area` (scheme, code) helps as the areas in the
        text do: where several places share a name, those in the area are meant.
        """
        place = parse(text)
        stands = [
            each
            for code in place.codes
            for each in self._indexed().codes.get(code, ())
            if each.holds(at_us)
        ]
        # Several positions of one junction: its names say which one.
        if stands and (len(place.codes) == 1 or not place.names):
            return self._at_position(place, stands, at_us)
        wanted = kinds or _SAID[place.says]
        rows, method = self._by_names(place, wanted, at_us)
        if not rows and kinds is None:
            rows, method = self._by_names(place, _EVERY, at_us)
        rows = _without_positions(rows)
        if len({row.location for row in rows}) > 1:
            rows, decided = self._in_area(rows, place, area, at_us)
            method += decided
        known = {each.entry["position_code"] for each in stands}
        return _resolved(place, rows, method, _unknown(set(place.codes) - known))

    def _at_position(self, place: PlaceText, stands: Sequence[Location], at_us: int) -> Resolved:
        """By the number of the position, if the names do not speak against it."""
        also = {row.location for row in self._by_names(place, _EVERY, at_us)[0]}
        agree = [each for each in stands if also & {each, *self._beside(each)}]
        if not also:
            # No junction has these names; a road among them may still lie somewhere else.
            beside = {each for stand in stands for each in self._beside(stand)}
            also = self._roads_named(place, at_us) - beside if beside else set()
        notes = []
        if also and not agree:
            notes = ["the position stands elsewhere than the names say"]
            agree = [*stands, *also]
        elif place.names and not agree:
            notes = _unknown([" - ".join(place.names)])
        rows = [_Name((), each, is_alias=False) for each in agree or stands]
        return _resolved(place, rows, "position", notes)

    def _beside(self, position: Location) -> Iterator[Location]:
        """The junction and the roads of a position, of all times."""
        by_id = self._indexed().by_id
        for id_ in (position.entry["junction"], *position.entry["roads"]):
            yield from by_id.get(id_, ())

    def _roads_named(self, place: PlaceText, at_us: int) -> set[Location]:
        each_alone = (self._called(keys_of([name]), ROADS, at_us) for name in place.names)
        return {row.location for rows in each_alone for row in rows}

    def _by_names(
        self, place: PlaceText, kinds: frozenset[str], at_us: int
    ) -> tuple[list[_Name], str]:
        keys = keys_of(place.names)
        if not keys or len(keys) > _NAMES_MAX:
            return [], ""
        if place.milestone is not None:
            return self._called(keys, kinds & ROADS, at_us), "milestone"
        if rows := self._called(keys, kinds, at_us):
            return rows, "name"
        if "JUNCTION" in kinds and len(keys) > 1:
            return self._crossing(place, at_us), "roads"
        return [], ""

    def _called(self, keys: tuple[Key, ...], kinds: frozenset[str], at_us: int) -> list[_Name]:
        """Names equal to these, or, where none is, with more diacritics than these have."""
        letters = "|".join(key.letters for key in keys)
        there = [
            row
            for row in self._indexed().names.get(letters, ())
            if row.location.entry["kind"] in kinds and row.location.holds(at_us)
        ]
        return [row for row in there if row.keys == keys] or [
            row
            for row in there
            if all(mine.may_be(its) for mine, its in zip(keys, row.keys, strict=True))
        ]

    def _crossing(self, place: PlaceText, at_us: int) -> list[_Name]:
        """Junctions of the roads that the names are, each name one road or joined with the next."""
        found: dict[Location, _Name] = {}
        for groups in _joined(place.names):
            ids = [_ids_of(self._called(keys_of(group), ROADS, at_us)) for group in groups]
            for junction in self._junctions_on(ids[0], at_us) if all(ids) else ():
                on = [set(of) & set(junction.entry["roads"]) for of in ids]
                if all(on) and len(set().union(*on)) > 1:
                    sure = all(
                        any(not of[id_] for id_ in here) for of, here in zip(ids, on, strict=True)
                    )
                    found.setdefault(junction, _Name((), junction, is_alias=not sure))
        return list(found.values())

    def _junctions_on(self, roads: Iterable[str], at_us: int) -> Iterator[Location]:
        by_road = self._indexed().by_road
        return (each for id_ in roads for each in by_road.get(id_, ()) if each.holds(at_us))

    def _in_area(
        self, rows: list[_Name], place: PlaceText, area: tuple[str, str], at_us: int
    ) -> tuple[list[_Name], str]:
        """Of several places those in the areas named; all of them when that tells nothing."""
        meant: set[str] = set()
        for text in place.areas:
            answer = self.areas.resolve(name=text, at_us=at_us)
            units = (*answer.meant, *answer.then.units, *answer.now.units)
            meant |= {f"{unit.scheme}:{unit.code}" for unit in units}
        if not meant and area[1]:
            mapped = self.areas.at(*area, at_us)
            meant = {f"{unit.scheme}:{unit.code}" for each in mapped for unit in each.units}
        there = [row for row in rows if meant & set(row.location.entry["areas"])]
        return (there, " and area") if there and len(there) < len(rows) else (rows, "")

    def _indexed(self) -> _Index:
        if self._index is None:
            # Areas help to decide, so an answer may change with them too.
            self._index = _indexed(self._by_key.values(), self.areas.register.edges_us)
        return self._index


def _indexed(locations: Iterable[Location], edges_us: Iterable[int]) -> _Index:
    index = _Index()
    edges = set(edges_us)
    for each in locations:
        entry = each.entry
        edges |= {each.from_us, each.to_us}
        index.by_id.setdefault(each.id, []).append(each)
        for name in names_of(entry):
            keys = keys_of(parse(name).names)
            row = _Name(keys, each, name != entry["name"])
            index.names.setdefault("|".join(key.letters for key in keys), []).append(row)
        if entry["position_code"]:
            index.codes.setdefault(entry["position_code"], []).append(each)
        for road in entry["roads"] if entry["kind"] == "JUNCTION" else ():
            index.by_road.setdefault(road, []).append(each)
    index.edges_us = sorted(edges)
    return index


def _ids_of(rows: Iterable[_Name]) -> dict[str, bool]:
    """Ids of places, and whether only an alias leads to them."""
    found: dict[str, bool] = {}
    for row in rows:
        found[row.location.id] = row.is_alias and found.get(row.location.id, True)
    return found


def _without_positions(rows: list[_Name]) -> list[_Name]:
    """Without the positions of a junction that is there itself: a number would have named them."""
    junctions = {row.location.id for row in rows if row.location.entry["kind"] == "JUNCTION"}
    return [row for row in rows if row.location.entry["junction"] not in junctions]


def _unknown(names: Iterable[str]) -> list[str]:
    return [f"the register knows no {name} then" for name in sorted(names)]


def _joined(names: Sequence[str]) -> Iterator[list[Sequence[str]]]:
    """The ways to read names with dashes: each one a road, or some joined with the next."""
    gaps = range(1, len(names))
    for count in range(len(names) - 1, 0, -1):
        for cuts in combinations(gaps, count):
            edges = (0, *cuts, len(names))
            yield [names[a:b] for a, b in pairwise(edges)]


def _resolved(
    place: PlaceText, rows: Iterable[_Name], method: str, notes: Iterable[str]
) -> Resolved:
    by_location: dict[Location, bool] = {}
    for row in rows:
        by_location[row.location] = row.is_alias and by_location.get(row.location, True)
    found = tuple(sorted(by_location, key=lambda each: (each.id, each.from_us)))
    if not found:
        return Resolved(place, (), "", Found.UNKNOWN, tuple(notes))
    if len(found) > 1:
        return Resolved(place, found, method, Found.AMBIGUOUS, tuple(notes))
    sure = Found.ALIAS if by_location[found[0]] else Found.EXACT
    return Resolved(place, found, method, sure, tuple(notes))


def _told(answer: Resolved) -> str:
    if not answer.candidates:
        return "not in the register of places then"
    return f"ambiguous: {', '.join(each.id for each in answer.candidates)}"
