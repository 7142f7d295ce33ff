"""`hub device import|list`, with `unknown|discover` from their own module."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    time_or_day_of,
)
from hub.errors import ConfigError

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
        help_="compare a file, or an API's answer, with the register, then write what differs",
        example="hub device import devices.csv --dry-run",
        description="Columns: source_id, device_ref and the fields of schemas/avro/device.avsc;\n"
        "one line per name of a device; in TOML, [[device]] tables; in JSON, a list of objects.\n"
        "An asset system answers a URL with that JSON, page by page; its token comes from\n"
        "--token-file or HUB_DEVICE_API_TOKEN. What is not named stays, but for --complete.",
    )
    imported.add_argument(
        "file",
        metavar="FILE|URL",
        help="register: .csv, .toml, .json, .jsonl, - for CSV on stdin, or https://…",
    )
    imported.add_argument(
        "--complete",
        action="store_true",
        help="it is the whole register: what it does not have ends; nothing is deleted",
    )
    imported.add_argument(
        "--end", metavar="T", help="when that ends, a time or a day (default: now)"
    )
    imported.add_argument(
        "--end-most", action="store_true", help="also when it lacks most of what is in force"
    )
    imported.add_argument("--token-file", metavar="FILE", help="bearer token for the URL")
    imported.add_argument("--ca", metavar="FILE", help="certificates that the URL's host may have")
    imported.add_argument(
        "--timeout", metavar="S", type=float, default=30, help="for each answer (default: 30)"
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
    from hub.render import json_line, rfc3339
    from hub.tables import table as held_table

    config = config_of(arguments)
    ends_at = _end_of(arguments)
    new = _read(arguments)
    registry = Registry(config.registry_url)
    try:
        held = held_table(config, registry, register.TOPIC)
        diff = register.compare(held, new, ends_at=ends_at, end_most=arguments.end_most)
        for device in diff.added:
            line = {"change": "added", "device_id": device["device_id"], "device": device}
            print(json_line(line) if arguments.json else f"+ {_named(device)}")
        for device, names in diff.changed:
            line = {"change": "changed", "fields": names, "device": device}
            print(json_line(line) if arguments.json else f"~ {_named(device)}: {', '.join(names)}")
        for device in diff.ended:
            line = {"change": "ended", "device_id": device["device_id"], "device": device}
            until = rfc3339(device["valid_to"])
            print(json_line(line) if arguments.json else f"- {_named(device)}: ends {until}")
        if not arguments.dry_run:
            register.publish(config, registry, diff.written())
    finally:
        registry.close()
    if not arguments.json:
        counts = f"{len(diff.added)} added, {len(diff.changed)} changed, {diff.unchanged} unchanged"
        counts += f", {len(diff.ended)} ended" if arguments.complete else ""
        print(f"{counts}{' (nothing was written)' if arguments.dry_run else ''}")
    return 0


def _end_of(arguments: argparse.Namespace) -> datetime | None:
    """When what a complete register does not have ends; None for one that is not complete."""
    if not arguments.complete:
        if arguments.end or arguments.end_most:
            fix = "add --complete, or leave them out"
            raise ConfigError("--end and --end-most need --complete", where="--end", fix=fix)
        return None
    if arguments.end:
        return time_or_day_of(arguments.end, option="--end")
    return datetime.now(UTC).replace(microsecond=0)


def _read(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The entries of the file, or of the API."""
    from hub import register
    from hub.register_api import Api, is_url

    if not is_url(arguments.file):
        text = decoded_text(read_input(arguments.file), arguments.file)
        return register.read(text, arguments.file)
    token = os.environ.get("HUB_DEVICE_API_TOKEN", "")
    if arguments.token_file:
        token = decoded_text(read_input(arguments.token_file), arguments.token_file)
    if arguments.timeout <= 0:
        raise ConfigError("no time to wait", where="--timeout", fix="give seconds above 0")
    ca = Path(arguments.ca) if arguments.ca else None
    return Api(arguments.file, token.strip(), ca, arguments.timeout).read()


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
