"""`hub place import|list|resolve`."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub.cli.common import (
    Commands,
    command,
    config_of,
    decoded_text,
    group,
    json_option,
    read_input,
    table,
    time_or_day_of,
)

if TYPE_CHECKING:
    from hub.places.resolve import Location, Locations, Resolved

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    places = group(
        commands,
        "place",
        help_="roads, junctions and camera positions by date",
        example='hub place resolve "Giải Phóng - Đại Cồ Việt (VT12)"',
    )
    imported = command(
        places,
        "import",
        _import,
        help_="compare a CSV or TOML file with the register, then write what differs",
        example="hub place import places.toml --dry-run",
        description="Columns or keys: the fields of schemas/avro/location.avsc; in TOML,\n"
        "[[location]] tables; in CSV, the lists aliases, roads and areas separated by semicolons.\n"
        "Entries that the file does not name stay.",
    )
    imported.add_argument(
        "file", metavar="FILE", help="register, .csv or .toml; - for CSV on standard input"
    )
    imported.add_argument("--dry-run", action="store_true", help="only show the difference")
    json_option(imported)
    listed = command(
        places, "list", _list, help_="the entries of the register", example="hub place list"
    )
    json_option(listed)
    resolved = command(
        places,
        "resolve",
        _resolve,
        help_="the road, junction or position that a text means",
        example='hub place resolve "Km1716+005, Quốc lộ 1A" --at 2025-06-30',
        description="Order, dash, spelling and `Đường` or `Ngã tư` do not matter.\n"
        "Exit code 1 when there is no such place.",
    )
    resolved.add_argument("text", metavar="TEXT", help="as people and devices write it")
    resolved.add_argument(
        "--at", metavar="DATE", help="when it was: a date (its start in Hanoi) or RFC 3339 time"
    )
    resolved.add_argument(
        "--file", metavar="FILE", help="ask a file, .csv or .toml, in place of the register"
    )
    json_option(resolved)


def _import(arguments: argparse.Namespace) -> int:
    from hub import tables
    from hub.places import register
    from hub.registry import Registry
    from hub.render import json_line

    config = config_of(arguments)
    new = register.read(decoded_text(read_input(arguments.file), arguments.file), arguments.file)
    registry = Registry(config.registry_url)
    try:
        diff = register.compare(tables.table(config, registry, register.TOPIC), new)
        for entry in diff.added:
            line = {"change": "added", "location_id": entry["location_id"], "location": entry}
            print(json_line(line) if arguments.json else f"+ {_named(entry)}")
        for entry, names in diff.changed:
            line = {"change": "changed", "fields": names, "location": entry}
            print(json_line(line) if arguments.json else f"~ {_named(entry)}: {', '.join(names)}")
        if not arguments.dry_run:
            records = {register.record_key(entry): entry for entry in diff.written()}
            tables.publish(config, registry, register.TOPIC, records)
    finally:
        registry.close()
    if not arguments.json:
        counts = f"{len(diff.added)} added, {len(diff.changed)} changed, {diff.unchanged} unchanged"
        print(f"{counts}{' (nothing was written)' if arguments.dry_run else ''}")
    return 0


def _named(entry: Mapping[str, Any]) -> str:
    from hub.places.register import record_key

    return f"{record_key(entry).decode()} {entry['kind'].lower()} {entry['name']}".rstrip()


def _held(arguments: argparse.Namespace) -> Mapping[bytes, dict[str, Any]]:
    """The entries on `location.v1`."""
    from hub.places.register import TOPIC
    from hub.registry import Registry
    from hub.tables import table as held_table

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        return held_table(config, registry, TOPIC)
    finally:
        registry.close()


def _list(arguments: argparse.Namespace) -> int:
    from hub.render import json_line, rfc3339

    lines = [("place", "from (UTC)", "until", "kind", "position", "roads", "names")]
    for entry in sorted(
        _held(arguments).values(), key=lambda each: (each["location_id"], each["valid_from"])
    ):
        if arguments.json:
            print(json_line(entry))
        lines.append(
            (
                entry["location_id"],
                rfc3339(entry["valid_from"])[:16],
                rfc3339(entry["valid_to"])[:16] if entry["valid_to"] else "-",
                entry["kind"].lower(),
                entry["position_code"] or "-",
                ", ".join(entry["roads"]) or "-",
                "; ".join((entry["name"], *entry["aliases"])),
            )
        )
    if not arguments.json:
        print(table(lines))
    return 0


def _resolve(arguments: argparse.Namespace) -> int:
    from hub.codec import micros

    at = datetime.now(UTC) if arguments.at is None else time_or_day_of(arguments.at, option="--at")
    answer = _register(arguments).resolve(arguments.text, micros(at))
    _print(answer, as_json=arguments.json)
    return 0 if answer.candidates else 1


def _register(arguments: argparse.Namespace) -> "Locations":
    """The register that is asked: of the site, or of a file that must be whole."""
    from hub.areas.tables import FOREVER_US
    from hub.codec import micros
    from hub.places import register
    from hub.places.resolve import Locations

    if arguments.file is None:
        held = _held(arguments)
    else:
        text = decoded_text(read_input(arguments.file), arguments.file)
        entries = register.read(text, arguments.file)
        register.check(entries, arguments.file)
        held = {register.record_key(entry): entry for entry in entries}
    locations = Locations()
    for key, entry in held.items():
        until = entry["valid_to"]
        to_us = FOREVER_US if until is None else micros(until)
        locations.put(key, entry, micros(entry["valid_from"]), to_us)
    return locations


def _print(answer: "Resolved", *, as_json: bool) -> None:
    from hub.render import json_line

    text = answer.text
    if as_json:
        print(
            json_line(
                {
                    "candidates": [_as_object(each) for each in answer.candidates],
                    "method": answer.method,
                    "resolution": answer.resolution.value,
                    "text": {
                        "raw": text.raw,
                        "canonical": text.canonical,
                        "names": list(text.names),
                        "positions": list(text.codes),
                        "km": text.milestone.km if text.milestone else None,
                        "m": text.milestone.m if text.milestone else None,
                        "areas": list(text.areas),
                    },
                    "notes": list(answer.notes),
                }
            )
        )
        return
    print(f"{answer.resolution}{f' (by {answer.method})' if answer.method else ''}")
    print(table([_row(each) for each in answer.candidates]) or "no place")
    if text.milestone is not None:
        print(f"kilometre {text.milestone.km}, {text.milestone.m} m")
    print(f"read as: {text.canonical or 'nothing'}")
    for note in answer.notes:
        print(f"note: {note}")


def _row(location: "Location") -> tuple[str, ...]:
    entry = location.entry
    what = (entry["position_code"], f"at {entry['junction']}" if entry["junction"] else "")
    return entry["kind"].lower(), location.id, entry["name"], " ".join(filter(None, what))


def _as_object(location: "Location") -> dict[str, Any]:
    entry = location.entry
    names = ("location_id", "kind", "name", "position_code", "junction", "roads", "areas")
    return {**{name: entry[name] for name in names}, "lat": entry["lat"], "lon": entry["lon"]}
