"""`hub device unknown|discover`: what the register lacks, as proposals; nothing is added."""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime

from hub.cli.common import (
    Commands,
    command,
    config_of,
    json_option,
    name_of,
    table,
    time_or_day_of,
)
from hub.errors import ConfigError

__all__ = ["add"]


def add(devices: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands to the group `device`."""
    unknown = command(
        devices,
        "unknown",
        _unknown,
        help_="devices that events came from and the register does not know",
        example="hub device unknown --toml > proposed.toml",
        description="Their events are delivered all the same, with the resolution UNREGISTERED.\n"
        "--toml prints entries to look at, complete and give to `hub device import`.",
    )
    unknown.add_argument("--since", metavar="T", help="rows written since then; default: all kept")
    unknown.add_argument("--toml", action="store_true", help="suggested entries, as TOML")
    json_option(unknown)
    discover = command(
        devices,
        "discover",
        _discover,
        help_="ONVIF devices that answer in a network range",
        example="hub device discover 192.0.2.0/28 --toml > proposed.toml",
        description="Asks each address, twice at most, by WS-Discovery (UDP unicast).\n"
        "Nothing is added: --toml prints entries to look at and give to `hub device import`.",
    )
    discover.add_argument("range", metavar="RANGE", help="network or address, as 192.0.2.0/28")
    discover.add_argument("--port", type=int, default=3702, help="UDP port (default: 3702)")
    discover.add_argument(
        "--timeout", metavar="S", type=float, default=4, help="wait so long, twice (default: 4)"
    )
    discover.add_argument("--large", action="store_true", help="a range of more than a /20")
    discover.add_argument(
        "--source", metavar="ID", help="source that names devices by their addresses"
    )
    discover.add_argument("--toml", action="store_true", help="proposed entries, as TOML")
    json_option(discover)


def _unknown(arguments: argparse.Namespace) -> int:
    from hub.proposal import printable, toml_of
    from hub.register import TOPIC as DEVICES
    from hub.registry import Registry
    from hub.render import json_line, rfc3339
    from hub.tables import rows
    from hub.tables import table as held_table
    from hub.unknown import TOPIC, still_unknown

    config = config_of(arguments)
    since = time_or_day_of(arguments.since, option="--since") if arguments.since else None
    registry = Registry(config.registry_url)
    try:
        devices = held_table(config, registry, DEVICES).values()
        told = (row for _, row in rows(config, registry, TOPIC, since=since))
        found = still_unknown(told, devices)
    finally:
        registry.close()
    if arguments.toml:
        told_of = {name: (each.owner, each.purpose) for name, each in config.source.items()}
        nothing = ("", "")
        proposed = [
            (each.remark(), each.entry(*told_of.get(each.row["source_id"], nothing)))
            for each in found
        ]
        print(toml_of(proposed), end="")
        return 0
    lines = [("source", "device", "since (UTC)", "hours", "kind", "area", "known as")]
    for each in found:
        row = each.row
        if arguments.json:
            print(json_line({**row, "since": each.since, "hours": each.hours}))
        area, since_text = row["suggested"]["area_name"], rfc3339(each.since)[:16]
        texts = (row["source_id"], row["device_ref"], since_text, str(each.hours), row["kind"])
        lines.append((*(printable(text) for text in texts), area or "-", row["registered_as"]))
    if not arguments.json:
        print(table(lines) if found else "no unknown devices")
    return 0


def _discover(arguments: argparse.Namespace) -> int:
    from hub.probe import addresses_of, discover
    from hub.proposal import toml_of
    from hub.render import json_line

    if not 0 < arguments.port < 65_536 or not 0 < arguments.timeout <= 60:
        fix = "a port is 1 to 65535, a timeout at most 60 s"
        raise ConfigError("out of bounds", where="--port, --timeout", fix=fix)
    source = name_of(arguments.source, option="--source") if arguments.source else ""
    addresses = addresses_of(arguments.range, large=arguments.large)
    found = discover(addresses, port=arguments.port, timeout_s=arguments.timeout)
    now = datetime.now(UTC).replace(microsecond=0)
    if arguments.toml:
        print(toml_of((each.remark(), each.entry(now, source)) for each in found), end="")
        return 0
    lines = [("address", "name", "hardware", "location", "endpoint", "services")]
    for each in found:
        if arguments.json:
            print(json_line({**asdict(each), "suggested": each.entry(now, source)}))
        services = " ".join(each.services)
        lines.append(
            (each.address, each.name, each.hardware, each.location, each.endpoint, services)
        )
    if not arguments.json:
        print(table(lines) if found else f"nobody answers in {arguments.range}")
    return 0
