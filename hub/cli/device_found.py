"""`hub device unknown`: devices that the register lacks, as proposals; nothing is added."""

import argparse

from hub.cli.common import Commands, command, config_of, json_option, table, time_or_day_of

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
