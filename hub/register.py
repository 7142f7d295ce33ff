"""The device register: from the city's CSV or TOML to `device.v1`, checked, compared and written.

In CSV, one line per name of a device: columns are the fields of `schemas/avro/device.avsc`, and
`source_id`, `device_ref` in place of its list of aliases. Lines with the same `device_id` and
`valid_from` are one entry. In TOML, one table per entry, with its names by source:

    [[device]]
    device_id = "cam-0001"
    valid_from = 2025-07-01
    aliases = { vms = "CAM 7", isapi = ["10.0.0.7", "channel 1"] }

Times are RFC 3339 with an offset, or a date (its start in Hanoi).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import schemas
from hub.cells import csv_lines, moment, normalised, toml_tables
from hub.cells import empty as _empty
from hub.cells import known as _known
from hub.cells import refused as _error
from hub.cells import text_of as _text
from hub.cells import value as _value
from hub.config import Config
from hub.registry import Registry
from hub.render import rfc3339

__all__ = ["TOPIC", "Diff", "check", "compare", "moment", "publish", "read", "record_key"]

TOPIC = "device.v1"
_ALIAS = ("source_id", "device_ref")
_REQUIRED = ("device_id", "valid_from")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FOREVER = datetime.max.replace(tzinfo=UTC)


def record_key(device: Mapping[str, Any]) -> bytes:
    """Key of an entry on `device.v1`."""
    return f"{device['device_id']}@{rfc3339(device['valid_from'])}".encode()


def read(text: str, where: str = "register") -> list[dict[str, Any]]:
    """The entries of a register, in the order of the file; refuses what contradicts.

    `where` names the file: what ends with .toml is read as TOML, anything else as CSV.
    `PayloadError` names line or table, column or key, and what to do.
    """
    text = normalised(text)
    found = _from_toml(text, where) if where.endswith(".toml") else _from_csv(text, where)
    check(found, where)
    return found


def _from_toml(text: str, where: str) -> list[dict[str, Any]]:
    fields = {field["name"]: field for field in schemas.source("device")["fields"]}
    seen: dict[bytes, int] = {}
    found = []
    for number, table in enumerate(toml_tables(text, where, "device"), 1):
        place = f"{where} device {number} ({table.get('device_id', 'without device_id')})"
        names = table.pop("aliases", {})
        for name in table:
            _known(name, set(fields) - {"aliases"}, "key", place)
        entry = _entry({name: _text(value) for name, value in table.items()}, fields, place)
        entry["aliases"] = _aliases_by_source(names, place)
        if (first := seen.setdefault(record_key(entry), number)) != number:
            raise _error(f"device {first} is the same entry", place, "make one of them, or date it")
        found.append(entry)
    return found


def _aliases_by_source(names: Any, place: str) -> list[dict[str, str]]:
    if not isinstance(names, dict):
        fix = 'write aliases = { vms = "CAM 7" }'
        raise _error("aliases must be names by source", place, fix)
    found = []
    for source, refs in names.items():
        for ref in refs if isinstance(refs, list) else [refs]:
            if not isinstance(ref, str):
                raise _error(f"{ref!r} is no text", f"{place}, aliases.{source}", "quote it")
            found += _aliases({"source_id": source, "device_ref": ref.strip()}, place)
    return found


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


def _aliases(texts: Mapping[str, str], place: str) -> list[dict[str, str]]:
    alias = {name: texts.get(name, "") for name in _ALIAS}
    if not any(alias.values()):
        return []
    if not _NAME.fullmatch(alias["source_id"]):
        raise _error("no name of a source", f"{place}, column source_id", "name the source")
    if not alias["device_ref"]:
        fix = "write how the source names the device"
        raise _error("empty", f"{place}, column device_ref", fix)
    return [alias]


def _entry(texts: Mapping[str, str], fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "aliases":
            entry[name] = _aliases(texts, place)
            continue
        text = texts.get(name, "")
        try:
            entry[name] = _value(field, text) if text else _empty(field)
        except ValueError as error:
            raise _error(str(error), f"{place}, column {name}", "correct the cell") from error
    if (entry["lat"] is None) != (entry["lon"] is None):
        raise _error("only one of lat and lon is given", place, "give both or none")
    if entry["valid_to"] is not None and entry["valid_to"] <= entry["valid_from"]:
        wrong = "the entry ends before it begins"
        raise _error(wrong, f"{place}, column valid_to", "make it later than valid_from")
    return entry


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


@dataclass(frozen=True, slots=True)
class Diff:
    """What an import would do to the entries that are there."""

    added: tuple[dict[str, Any], ...]
    changed: tuple[tuple[dict[str, Any], tuple[str, ...]], ...]
    """New entries with the names of the fields that differ."""
    unchanged: int


def compare(held: Mapping[bytes, Mapping[str, Any]], new: Iterable[dict[str, Any]]) -> Diff:
    """What is new, what differs and in which fields; refuses what contradicts the rest."""
    added, changed, unchanged = [], [], 0
    merged: dict[bytes, Mapping[str, Any]] = dict(held)
    for device in new:
        key = record_key(device)
        before, merged[key] = held.get(key), device
        if before is None:
            added.append(device)
        elif names := tuple(name for name in device if device[name] != before.get(name)):
            changed.append((device, names))
        else:
            unchanged += 1
    check(merged.values(), "register after the import")
    return Diff(tuple(added), tuple(changed), unchanged)


def publish(config: Config, registry: Registry, devices: Iterable[Mapping[str, Any]]) -> int:
    """Write entries to `device.v1` and wait for all replicas; how many."""
    # Reading a register needs no broker, so the client library is loaded only here.
    from hub import tables

    return tables.publish(config, registry, TOPIC, {record_key(each): each for each in devices})
