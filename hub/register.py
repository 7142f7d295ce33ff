"""The device register: from the city's CSV, TOML or JSON to `device.v1`, checked and compared.

In CSV, one line per name of a device: columns are the fields of `schemas/avro/device.avsc`, and
`source_id`, `device_ref` in place of its list of aliases. Lines with the same `device_id` and
`valid_from` are one entry. In TOML, one table per entry, with its names by source:

    [[device]]
    device_id = "cam-0001"
    valid_from = 2025-07-01
    aliases = { vms = "CAM 7", isapi = ["10.0.0.7", "channel 1"] }

JSON holds the same fields: a list of entries, or `{"devices": [...]}`; in .jsonl, an entry a line,
as `hub device list --json` prints them. `lanes` are a list, or numbers with spaces between them.
Times are RFC 3339 with an offset, or a date (its start in Hanoi).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import schemas
from hub.cells import Diff, changes, csv_lines, moment, normalised, text_of, toml_tables
from hub.cells import empty as _empty
from hub.cells import known as _known
from hub.cells import refused as _error
from hub.cells import value as _typed
from hub.config import Config
from hub.registry import Registry
from hub.render import rfc3339

__all__ = [
    "TOPIC",
    "Diff",
    "check",
    "compare",
    "entries",
    "moment",
    "publish",
    "read",
    "record_key",
]

TOPIC = "device.v1"
_ALIAS = ("source_id", "device_ref")
_REQUIRED = ("device_id", "valid_from")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LANES_MAX = 32
_FOREVER = datetime.max.replace(tzinfo=UTC)


def record_key(device: Mapping[str, Any]) -> bytes:
    """Key of an entry on `device.v1`."""
    return f"{device['device_id']}@{rfc3339(device['valid_from'])}".encode()


def read(text: str, where: str = "register") -> list[dict[str, Any]]:
    """The entries of a register, in the order of the file; refuses what contradicts.

    `where` names the file: .toml, .json and .jsonl are read as such, anything else as CSV.
    `PayloadError` names line or entry, column or key, and what to do.
    """
    text = normalised(text)
    if where.endswith(".toml"):
        found = entries(toml_tables(text, where, "device"), where)
    elif where.endswith((".json", ".jsonl")):
        found = entries(_from_json(text, where), where)
    else:
        found = _from_csv(text, where)
    check(found, where)
    return found


def _from_json(text: str, where: str) -> Any:
    try:
        if where.endswith(".jsonl"):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error(f"not JSON: {error}", where, "correct it") from error


def entries(document: Any, where: str, *, first: int = 1) -> list[dict[str, Any]]:
    """The entries of a list of objects, or of `{"devices": [...]}`; `first` numbers them.

    They are not held against each other yet: `check` does that.
    """
    tables = document.get("devices") if isinstance(document, dict) else document
    if not isinstance(tables, list):
        fix = 'write [...] or {"devices": [...]}'
        raise _error("it holds no list of entries", where, fix)
    fields = {field["name"]: field for field in schemas.source("device")["fields"]}
    seen: dict[bytes, int] = {}
    found = []
    for number, table in enumerate(tables, first):
        if not isinstance(table, dict):
            raise _error("it is no object", f"{where} device {number}", "write an entry's fields")
        place = f"{where} device {number} ({table.get('device_id', 'without device_id')})"
        for name in table.keys() - fields.keys():
            _known(name, fields, "key", place)
        texts = {name: _text(value, name, place) for name, value in table.items()}
        entry = _entry(texts, fields, place)
        entry["aliases"] = _aliases_of(table.get("aliases") or {}, place)
        if (same := seen.setdefault(record_key(entry), number)) != number:
            raise _error(f"device {same} is the same entry", place, "make one of them, or date it")
        found.append(entry)
    return found


def _text(value: Any, name: str, place: str) -> str:
    """A value of TOML or JSON as it would stand in a cell."""
    if value is None or name == "aliases":
        return ""
    if isinstance(value, list):
        return " ".join(_text(each, name, place) for each in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise _error("neither a text nor a number", f"{place}, {name}", "correct it")
    return normalised(text_of(value))


def _aliases_of(names: Any, place: str) -> list[dict[str, str]]:
    """Names by source, or as the schema has them: a list of `source_id` and `device_ref`."""
    if isinstance(names, list) and all(isinstance(each, dict) for each in names):
        pairs = [(each.get("source_id", ""), each.get("device_ref", "")) for each in names]
    elif isinstance(names, dict):
        pairs = [
            (source, ref)
            for source, refs in names.items()
            for ref in (refs if isinstance(refs, list) else [refs])
        ]
    else:
        fix = 'write aliases = { vms = "CAM 7" }'
        raise _error("aliases must be names by source", place, fix)
    for source, ref in pairs:
        if not isinstance(source, str) or not isinstance(ref, str):
            raise _error(f"{ref!r} is no text", f"{place}, aliases.{source}", "quote it")
    found = [_alias(source, normalised(ref.strip()), place) for source, ref in pairs]
    return [each for at, each in enumerate(found) if each not in found[:at]]


def _from_csv(text: str, where: str) -> list[dict[str, Any]]:
    fields = {field["name"]: field for field in schemas.source("device")["fields"]}
    lines = csv_lines(text, where, lambda cells, place: _columns(cells, set(fields), place))
    rows = [(line, _entry(texts, fields, f"{where} line {line}")) for line, texts in lines]
    return _merged(rows, where)


def _columns(cells: Sequence[str], fields: set[str], where: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    known = (fields - {"aliases"}) | set(_ALIAS)
    for name in columns:
        _known(name, known, "column", where)
    for name in _REQUIRED:
        if name not in columns:
            raise _error(f"there is no column {name!r}", where, "add it")
    if len(set(columns)) != len(columns):
        raise _error("a column is there twice", where, "remove one")
    if ("source_id" in columns) != ("device_ref" in columns):
        raise _error("source_id and device_ref belong together", where, "add the other one")
    return columns


def _merged(rows: Iterable[tuple[int, dict[str, Any]]], where: str) -> list[dict[str, Any]]:
    """Lines of one entry as one entry, with all its names."""
    entries: dict[tuple[str, datetime], tuple[int, dict[str, Any]]] = {}
    for line, row in rows:
        first, entry = entries.setdefault((row["device_id"], row["valid_from"]), (line, row))
        for name, value in row.items():
            if name != "aliases" and entry[name] != value:
                wrong = f"{value!r}, but {entry[name]!r} in line {first} for the same entry"
                raise _error(wrong, f"{where} line {line}, column {name}", "make them equal")
        entry["aliases"] += [each for each in row["aliases"] if each not in entry["aliases"]]
    return [entry for _, entry in entries.values()]


def _alias(source: str, ref: str, place: str) -> dict[str, str]:
    if not _NAME.fullmatch(source):
        raise _error("no name of a source", f"{place}, column source_id", "name the source")
    if not ref:
        fix = "write how the source names the device"
        raise _error("empty", f"{place}, column device_ref", fix)
    return {"source_id": source, "device_ref": ref}


def _entry(texts: Mapping[str, str], fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "aliases":
            source, ref = (texts.get(each, "") for each in _ALIAS)
            entry[name] = [_alias(source, ref, place)] if source or ref else []
            continue
        text = texts.get(name, "")
        try:
            entry[name] = _value(name, field, text)
        except ValueError as error:
            raise _error(str(error), f"{place}, column {name}", "correct the cell") from error
    if (entry["lat"] is None) != (entry["lon"] is None):
        raise _error("only one of lat and lon is given", place, "give both or none")
    lane, lanes = entry["lane"], entry["lanes"]
    if lane is not None and lanes and lane not in lanes:
        raise _error(f"lane {lane} is none of its lanes", place, "leave lane away")
    if len(lanes) == 1:
        entry["lane"] = lanes[0]
    if entry["valid_to"] is not None and entry["valid_to"] <= entry["valid_from"]:
        wrong = "the entry ends before it begins"
        raise _error(wrong, f"{place}, column valid_to", "make it later than valid_from")
    return entry


def _value(name: str, field: Mapping[str, Any], text: str) -> Any:
    if name == "lanes":
        return _lanes(text)
    if not text:
        return _empty(field)
    if name == "zone":
        _check_zone(text)
    return _typed(field, text)


def _lanes(text: str) -> list[int]:
    try:
        lanes = {int(each) for each in re.split(r"[\s,;]+", text) if each}
    except ValueError as error:
        raise ValueError(f"{text!r} are not whole numbers, as 1 2 3 are") from error
    if not lanes <= set(range(1, _LANES_MAX + 1)):
        raise ValueError(f"{text!r} are no lanes from 1 to {_LANES_MAX}")
    return sorted(lanes)


def _check_zone(text: str) -> None:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is no time zone, as Asia/Ho_Chi_Minh is") from error


def check(devices: Iterable[Mapping[str, Any]], where: str = "register") -> None:
    """Refuse two entries that would answer to the same name at the same time."""
    by_alias: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for device in devices:
        for alias in device["aliases"]:
            by_alias.setdefault((alias["source_id"], alias["device_ref"]), []).append(device)
    for (source_id, ref), found in by_alias.items():
        found.sort(key=lambda device: device["valid_from"])
        for before, after in pairwise(found):
            if after["valid_from"] < (before["valid_to"] or _FOREVER):
                raise _error(
                    f"{source_id}/{ref} is {before['device_id']} from "
                    f"{rfc3339(before['valid_from'])} and {after['device_id']} from "
                    f"{rfc3339(after['valid_from'])} at the same time",
                    where,
                    "give the earlier entry a valid_to",
                )


def compare(
    held: Mapping[bytes, Mapping[str, Any]],
    new: Sequence[dict[str, Any]],
    *,
    ends_at: datetime | None = None,
    end_most: bool = False,
) -> Diff:
    """What is new, what differs and in which fields; refuses what contradicts the rest.

    With `ends_at`, `new` is the complete register: entries that it does not have end then, or where
    the next entry of the same device begins. None is deleted. More than half of the devices in
    force end only with `end_most`: a register cut short looks just like that.
    """
    ended = _ended(held, new, ends_at, end_most=end_most) if ends_at else {}
    entries = {record_key(device): device for device in new}
    diff = changes(held, entries)
    check({**held, **ended, **entries}.values(), "register after the import")
    return replace(diff, ended=tuple(ended.values()))


def _ended(
    held: Mapping[bytes, Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    at: datetime,
    *,
    end_most: bool,
) -> dict[bytes, dict[str, Any]]:
    """The entries in force at a time that `new` does not have, ended."""
    there = {record_key(each) for each in new}
    starts: dict[str, list[datetime]] = {}
    for each in new:
        starts.setdefault(each["device_id"], []).append(each["valid_from"])
    in_force = {
        key: entry
        for key, entry in held.items()
        if entry["valid_from"] < at and (entry["valid_to"] is None or at < entry["valid_to"])
    }
    gone = sum(entry["device_id"] not in starts for entry in in_force.values())
    if 2 * gone > len(in_force) and not end_most:
        wrong = f"it lacks {gone} of the {len(in_force)} devices in force"
        fix = "import it without --complete, or with --end-most if they are really gone"
        raise _error(wrong, "complete register", fix)
    found = {}
    for key, entry in in_force.items():
        if key not in there:
            later = [
                each for each in starts.get(entry["device_id"], ()) if each > entry["valid_from"]
            ]
            found[key] = {**entry, "valid_to": min([at, *later])}
    return found


def publish(config: Config, registry: Registry, devices: Iterable[Mapping[str, Any]]) -> int:
    """Write entries to `device.v1` and wait for all replicas; how many."""
    # Reading a register needs no broker, so the client library is loaded only here.
    from hub import tables

    return tables.publish(config, registry, TOPIC, {record_key(each): each for each in devices})
