"""The register of places: from the city's CSV or TOML to `location.v1`, checked and compared.

One line of CSV or one table of TOML is one entry, with the fields of `schemas/avro/location.avsc`;
in CSV the lists `aliases`, `roads` and `areas` are separated by semicolons:

    [[location]]
    location_id = "ring-3"
    kind = "road"
    valid_from = 2025-07-01
    name = "Vành đai 3"
    aliases = ["Phạm Hùng", "Khuất Duy Tiến", "Nguyễn Xiển"]

A number of a camera position in a name ("A - B (VT87)") is the entry's `position_code`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import schemas
from hub.areas.coordinates import check as check_position
from hub.areas.names import Key
from hub.areas.tables import shipped
from hub.cells import (
    Diff,
    changes,
    csv_lines,
    empty,
    known,
    normalised,
    refused,
    text_of,
    toml_tables,
    value,
)
from hub.places.resolve import ROADS, keys_of, names_of
from hub.places.text import parse, position_code
from hub.render import rfc3339

__all__ = ["TOPIC", "check", "compare", "read", "record_key"]

TOPIC = "location.v1"
_REQUIRED = ("location_id", "valid_from", "kind")
_LISTS = ("aliases", "roads", "areas")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TEXT = {"name": "", "type": "string"}
_FOREVER = datetime.max.replace(tzinfo=UTC)
Entry = Mapping[str, Any]


def record_key(entry: Entry) -> bytes:
    """Key of an entry on `location.v1`."""
    return f"{entry['location_id']}@{rfc3339(entry['valid_from'])}".encode()


def read(text: str, where: str = "register") -> list[dict[str, Any]]:
    """The entries of a file, in its order; refuses what can't be true of an entry by itself.

    `where` names the file: what ends with .toml is read as TOML, anything else as CSV. Entries may
    name roads that the register has already: `check` needs all of them. `PayloadError` names line
    or table, column and what to do.
    """
    fields = {field["name"]: field for field in schemas.source("location")["fields"]}
    text = normalised(text)
    rows: Iterable[tuple[str, Mapping[str, Any]]]
    if where.endswith(".toml"):
        tables = enumerate(toml_tables(text, where, "location"), 1)
        rows = [
            (f"{where} location {number} ({table.get('location_id', '?')})", table)
            for number, table in tables
        ]
    else:
        lines = csv_lines(text, where, lambda cells, at: _columns(cells, fields, at))
        rows = ((f"{where} line {number}", texts) for number, texts in lines)
    found: dict[bytes, dict[str, Any]] = {}
    for place, row in rows:
        for name in row:
            known(name, fields, "key", place)
        entry = _entry(row, fields, place)
        if record_key(entry) in found:
            fix = "make one entry of them, or give one another valid_from"
            raise refused(f"{entry['location_id']} is there twice with one date", place, fix)
        found[record_key(entry)] = entry
    return list(found.values())


def _columns(cells: Sequence[str], fields: Iterable[str], where: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    for name in columns:
        known(name, fields, "column", where)
    for name in _REQUIRED:
        if name not in columns:
            raise refused(f"there is no column {name!r}", where, "add it")
    if len(set(columns)) != len(columns):
        raise refused("a column is there twice", where, "remove one")
    return columns


def _entry(row: Mapping[str, Any], fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, field in fields.items():
        given = row.get(name, "")
        try:
            entry[name] = _list(given) if name in _LISTS else _single(field, given)
        except ValueError as error:
            raise _cell(str(error), place, name, "correct the cell") from error
    _check_entry(entry, place)
    return entry


def _single(field: Mapping[str, Any], given: Any) -> Any:
    if isinstance(given, list | dict):
        raise ValueError("several values, and it holds one")  # noqa: TRY004 - of a cell
    if given == "":
        return empty(field)
    # Coordinates are looked at together, to say what else they may be: swapped, in metres.
    unlimited = {**field, "name": ""} if field["name"] in ("lat", "lon") else field
    return value(unlimited, text_of(given))


def _list(given: Any) -> list[str]:
    parts = given if isinstance(given, list) else str(given).split(";")
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("not a list of texts")
    texts = [value(_TEXT, part.strip()) for part in parts if part.strip()]
    return list(dict.fromkeys(texts))


def _check_entry(entry: dict[str, Any], place: str) -> None:
    """Refuse what can't be true of any place; fills in the position that a name tells."""
    kind = entry["kind"]
    if not _ID.fullmatch(entry["location_id"]):
        fix = "use 1 to 64 letters, digits, dots, dashes or underscores"
        raise _cell("no id", place, "location_id", fix)
    if kind == "UNKNOWN":
        fix = "say road, junction, position or milestone_road"
        raise _cell("empty, and it must be given", place, "kind", fix)
    if entry["valid_to"] is not None and entry["valid_to"] <= entry["valid_from"]:
        fix = "make it later than valid_from"
        raise _cell("the entry ends before it begins", place, "valid_to", fix)
    _check_names(entry, place)
    if kind in ROADS and (entry["roads"] or entry["position_code"]):
        fix = "leave roads and position_code empty, or make it a junction"
        raise refused("a road has no roads and no position", place, fix)
    if kind == "JUNCTION" and len(entry["roads"]) < 2:
        fix = "give the ids of two or more roads"
        raise _cell("a junction needs the roads that meet there", place, "roads", fix)
    if entry["junction"] and kind != "POSITION":
        raise _cell("only a position stands at a junction", place, "junction", "leave it empty")
    _check_where(entry, place)


def _check_names(entry: dict[str, Any], place: str) -> None:
    texts = {name: parse(name) for name in names_of(entry)}
    if not entry["name"] and entry["kind"] != "POSITION":
        raise _cell("empty, and it must be given", place, "name", "write the name")
    for name, text in texts.items():
        if not text.names or text.milestone is not None:
            column = "name" if name == entry["name"] else "aliases"
            fix = 'write a name, as "Giải Phóng" or "Giải Phóng - Đại Cồ Việt (VT87)"'
            raise _cell(f"{name!r} names no road and no junction", place, column, fix)
    told = {code for text in texts.values() for code in text.codes}
    given = entry["position_code"]
    if given and (code := position_code(given)) is None:
        raise _cell(f"{given!r} is no position", place, "position_code", "write it as VT87")
    codes = told | ({code} if given and code else set())
    if len(codes) > 1:
        fix = "give each position an entry of its own, and the junction none"
        raise _cell(f"several positions: {', '.join(sorted(codes))}", place, "position_code", fix)
    entry["position_code"] = next(iter(codes), "")
    if entry["kind"] == "POSITION" and not codes:
        raise _cell("a position needs its number", place, "position_code", "write it as VT87")


def _check_where(entry: Entry, place: str) -> None:
    lon, lat = entry["lon"], entry["lat"]
    if (lon is None) != (lat is None):
        raise refused("only one of lat and lon is given", place, "give both or none")
    if lon is not None and (seen := check_position(lon, lat)).flag:
        fix = "give WGS 84 degrees of a place in Hanoi"
        raise refused(f"lon, lat: {seen.text}", place, fix)
    for area in entry["areas"]:
        scheme, _, code = area.partition(":")
        if shipped().unit(scheme, code) is None:
            fix = "write scheme:code of a unit, nso-2025-07:00004 (hub area resolve finds it)"
            raise _cell(f"{area!r} is no area", place, "areas", fix)


def check(entries: Iterable[Entry], where: str = "register") -> None:
    """Refuse entries that contradict each other at some time, and ids that lead nowhere."""
    by_id: dict[str, list[Entry]] = {}
    by_code: dict[str, list[Entry]] = {}
    by_name: dict[tuple[str, tuple[Key, ...]], list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry["location_id"], []).append(entry)
        if entry["position_code"]:
            by_code.setdefault(entry["position_code"], []).append(entry)
        # Positions of one junction share its name and are told apart by their numbers.
        if (kind := "ROAD" if entry["kind"] in ROADS else entry["kind"]) != "POSITION":
            for keys in {keys_of(parse(name).names) for name in names_of(entry)}:
                by_name.setdefault((kind, keys), []).append(entry)
    for id_, same in by_id.items():
        _alone(f"the id {id_}", same, where, "give the earlier one a valid_to")
    for code, same in by_code.items():
        _alone(f"the position {code}", same, where, "correct one of them")
    for (_, keys), same in by_name.items():
        fix = "change one name, give the earlier entry a valid_to, or give both their areas"
        _alone(f"the name {_written(keys, same[0])!r}", same, where, fix, apart=_apart)
    for same in by_id.values():
        for entry in same:
            _check_links(entry, by_id, where)


def compare(held: Mapping[bytes, Entry], new: Iterable[dict[str, Any]]) -> Diff:
    """What is new, what differs and in which fields; refuses what contradicts the rest."""
    entries = {record_key(entry): entry for entry in new}
    diff = changes(held, entries)
    check({**held, **entries}.values(), "register after the import")
    return diff


def _check_links(entry: Entry, by_id: Mapping[str, Sequence[Entry]], where: str) -> None:
    """Refuse ids that for some of the entry's time belong to nothing of the right kind."""
    links = [("roads", "road", ROADS, id_) for id_ in entry["roads"]]
    if entry["junction"]:
        links.append(("junction", "junction", frozenset({"JUNCTION"}), entry["junction"]))
    for column, what, kinds, id_ in links:
        at, end = entry["valid_from"], _end(entry)
        there = (each for each in by_id.get(id_, ()) if each["kind"] in kinds)
        for each in sorted(there, key=lambda each: each["valid_from"]):
            if each["valid_from"] <= at < _end(each):
                at = _end(each)
        if at < end:
            raise refused(
                f"there is no {what} {id_!r} on {rfc3339(at)}",
                f"{where}, {entry['location_id']}, {column}",
                f"enter the {what} for that time too, or correct the id",
            )


def _alone(
    what: str,
    entries: Sequence[Entry],
    where: str,
    fix: str,
    *,
    apart: Callable[[Entry, Entry], bool] = lambda _one, _other: False,
) -> None:
    """Refuse two entries with something in common at one time, unless they are `apart`."""
    ordered = sorted(entries, key=lambda each: each["valid_from"])
    for one, other in combinations(ordered, 2):
        if other["valid_from"] < _end(one) and not apart(one, other):
            names = [
                f"{each['location_id']} from {rfc3339(each['valid_from'])}" for each in (one, other)
            ]
            raise refused(f"{what} is {' and '.join(names)} at the same time", where, fix)


def _apart(one: Entry, other: Entry) -> bool:
    """Whether both say where they are, and not in one area: so they may share a name."""
    areas = set(one["areas"]), set(other["areas"])
    return all(areas) and not areas[0] & areas[1]


def _written(keys: tuple[Key, ...], entry: Entry) -> str:
    """How an entry writes the name that has these keys."""
    return next(name for name in names_of(entry) if keys_of(parse(name).names) == keys)


def _end(entry: Entry) -> datetime:
    return entry["valid_to"] or _FOREVER


def _cell(what: str, place: str, column: str, fix: str) -> Exception:
    return refused(what, f"{place}, column {column}", fix)
