"""`hub device import|list`, with `unknown` from its own module."""

import argparse

from hub.cli import device_found
from hub.cli.common import (
    Commands,
    command,
    config_of,
    decoded_text,
    group,
    json_option,
    read_input,
    table,
)

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    devices = group(
        commands, "device", help_="the device register", example="hub device import devices.csv"
    )
    imported = command(
        devices,
        "import",
        _import,
        help_="compare a CSV, TOML or JSON file with the register, then write what differs",
        example="hub device import devices.csv --dry-run",
        description="Columns: source_id, device_ref and the fields of schemas/avro/device.avsc;\n"
        "one line per name of a device; in TOML, [[device]] tables; in JSON, a list of objects.\n"
        "Entries that the file does not name stay.",
    )
    imported.add_argument(
        "file", metavar="FILE", help="register: .csv, .toml, .json, .jsonl; - for CSV on stdin"
    )
    imported.add_argument("--dry-run", action="store_true", help="only show the difference")
    json_option(imported)
    listed = command(
        devices, "list", _list, help_="the entries of the register", example="hub device list"
    )
    json_option(listed)
    device_found.add(devices)


def _import(arguments: argparse.Namespace) -> int:
    from hub import register
    from hub.registry import Registry
    from hub.render import json_line
    from hub.tables import table as held_table

    config = config_of(arguments)
    new = register.read(decoded_text(read_input(arguments.file), arguments.file), arguments.file)
    registry = Registry(config.registry_url)
    try:
        diff = register.compare(held_table(config, registry, register.TOPIC), new)
        for device in diff.added:
            line = {"change": "added", "device_id": device["device_id"], "device": device}
            print(json_line(line) if arguments.json else f"+ {_named(device)}")
        for device, names in diff.changed:
            line = {"change": "changed", "fields": names, "device": device}
            print(json_line(line) if arguments.json else f"~ {_named(device)}: {', '.join(names)}")
        if not arguments.dry_run:
            register.publish(
                config, registry, [*diff.added, *(device for device, _ in diff.changed)]
            )
    finally:
        registry.close()
    if not arguments.json:
        counts = f"{len(diff.added)} added, {len(diff.changed)} changed, {diff.unchanged} unchanged"
        print(f"{counts}{' (nothing was written)' if arguments.dry_run else ''}")
    return 0


def _named(device: "dict[str, object]") -> str:
    from hub.register import record_key

    return f"{record_key(device).decode()} {device['name']}".rstrip()


def _list(arguments: argparse.Namespace) -> int:
    from hub.register import TOPIC
    from hub.registry import Registry
    from hub.render import json_line, rfc3339
    from hub.tables import table as held_table

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        held = held_table(config, registry, TOPIC)
    finally:
        registry.close()
    lines = [("device", "from (UTC)", "until", "state", "owner", "names", "name")]
    for device in sorted(held.values(), key=lambda each: (each["device_id"], each["valid_from"])):
        if arguments.json:
            print(json_line(device))
        names = ", ".join(f"{each['source_id']}/{each['device_ref']}" for each in device["aliases"])
        until = rfc3339(device["valid_to"])[:16] if device["valid_to"] else "-"
        start = rfc3339(device["valid_from"])[:16]
        owner = device["owner_agency"]
        lines.append(
            (device["device_id"], start, until, device["state"], owner, names, device["name"])
        )
    if not arguments.json:
        print(table(lines))
    return 0
