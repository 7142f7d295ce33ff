"""`hub route load|list`."""

import argparse
from datetime import UTC, datetime

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
    routes = group(commands, "route", help_="the routing rules", example="hub route list")
    loaded = command(
        routes,
        "load",
        _load,
        help_="check rules and write what differs",
        example="hub route load rules.toml",
        description="Rules must begin 60 s ahead, so that every worker knows them in time.\n"
        "A rule that the file does not name stays: end it with valid_to.",
    )
    loaded.add_argument(
        "file", nargs="?", metavar="FILE", help="rules (default: the configured or shipped ones)"
    )
    loaded.add_argument(
        "--now", action="store_true", help="also rules that hold already: for a first load"
    )
    loaded.add_argument("--dry-run", action="store_true", help="only check and show")
    listed = command(routes, "list", _list, help_="the rules in force", example="hub route list")
    listed.add_argument("--all", action="store_true", help="also past and future ones")
    json_option(listed)


def _load(arguments: argparse.Namespace) -> int:
    from hub import routes
    from hub.registry import Registry
    from hub.tables import table as held_table

    config = config_of(arguments)
    file = arguments.file or str(config.routes or routes.SHIPPED)
    new = routes.read_toml(decoded_text(read_input(file), file), file)
    registry = Registry(config.registry_url)
    try:
        held = held_table(config, registry, routes.TOPIC)
        different = [route for route in new if held.get(routes.record_key(route)) != route]
        if not arguments.now:
            routes.check_ahead(held, new, datetime.now(UTC))
        for route in different:
            sign = "~" if routes.record_key(route) in held else "+"
            print(f"{sign} {routes.record_key(route).decode()}: {route['text']}")
        if not arguments.dry_run:
            routes.publish(config, registry, different)
    finally:
        registry.close()
    written = "would be written" if arguments.dry_run else "written"
    print(f"{len(different)} {written}, {len(new) - len(different)} unchanged")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from hub.registry import Registry
    from hub.render import json_line, rfc3339
    from hub.routes import TOPIC
    from hub.tables import table as held_table

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        held = held_table(config, registry, TOPIC)
    finally:
        registry.close()
    now = datetime.now(UTC)
    lines = [("rule", "from (UTC)", "until", "nouns", "to", "text")]
    for key in sorted(held):
        route = held[key]
        ends = route["valid_to"]
        if not arguments.all and (route["valid_from"] > now or (ends and ends <= now)):
            continue
        if arguments.json:
            print(json_line(route))
        target = "(dropped)" if route["drop"] else route["subscriber"]
        nouns = ", ".join(route["nouns"]) or "all"
        until = rfc3339(ends)[:16] if ends else "-"
        start = rfc3339(route["valid_from"])[:16]
        lines.append((route["rule_id"], start, until, nouns, target, route["text"]))
    if not arguments.json:
        print(table(lines))
    return 0
