"""`hub route load|diff|test|explain|list`."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

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
from hub.cli.route_event import fill_from_event
from hub.errors import ConfigError

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
    differ = command(
        routes,
        "diff",
        _diff,
        help_="what a file of rules would change, field by field, and what is doubtful in it",
        example="hub route diff rules.toml",
    )
    differ.add_argument("file", nargs="?", metavar="FILE", help="as for `load`")
    tested = command(
        routes,
        "test",
        _test,
        help_="who gets an event with these facts",
        example="hub route test --noun plate_read --owner police --expect police,htmoc",
        description="The facts are those of an event in a file, as `hub tail` prints it, or\n"
        "options; an option wins. With --expect, exit code 1 when it is somebody else.",
    )
    _facts(tested)
    tested.add_argument("--expect", metavar="NAMES", help="subscribers, separated by commas")
    explained = command(
        routes,
        "explain",
        _explain,
        help_="why an event with these facts goes where it goes, rule by rule",
        example="hub route explain --noun detection --kind crowd.density",
    )
    _facts(explained)
    listed = command(routes, "list", _list, help_="the rules in force", example="hub route list")
    listed.add_argument("--all", action="store_true", help="also past and future ones")
    json_option(listed)


def _facts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", nargs="?", metavar="EVENT.json", help="one event; - for stdin")
    parser.add_argument("--noun", help="of the event")
    parser.add_argument("--kind", help="of the event, as in its header")
    parser.add_argument("--severity", help="of the event (default: UNKNOWN)")
    parser.add_argument("--status", help="of the event: LIVE (default), TEST, EXERCISE, …")
    parser.add_argument("--owner", help="agency that owns the device")
    parser.add_argument("--purpose", help="what the device is for")
    parser.add_argument("--area", help="the device's, as nso-2025-07:00008")
    parser.add_argument("--district", help="the device's until June 2025")
    parser.add_argument("--junction", help="the device's, as `Road A - Road B`")
    parser.add_argument("--at", help="when the hub wrote the canonical record (default: now)")
    parser.add_argument("--happened", help="when it happened (default: the same)")
    parser.add_argument("--file", help="rules to ask in place of those in force")
    json_option(parser)


def _load(arguments: argparse.Namespace) -> int:
    from hub import register, routes
    from hub.registry import Registry
    from hub.tables import table as held_table

    config = config_of(arguments)
    new = _read(arguments.file or str(config.routes or routes.SHIPPED))
    registry = Registry(config.registry_url)
    try:
        held = held_table(config, registry, routes.TOPIC)
        devices = held_table(config, registry, register.TOPIC).values()
        different = [route for route in new if held.get(routes.record_key(route)) != route]
        if not arguments.now:
            routes.check_ahead(held, new, datetime.now(UTC))
        _show_doubts(_together(held, new), devices, refuse=True)
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


def _read(file: str) -> list[dict[str, Any]]:
    from hub import routes

    return routes.read_toml(decoded_text(read_input(file), file), file)


def _held(arguments: argparse.Namespace, topic: str = "") -> Mapping[bytes, dict[str, Any]]:
    """The rules on `route.v1`, or the entries of another register."""
    from hub import routes
    from hub.registry import Registry
    from hub.tables import table as held_table

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        return held_table(config, registry, topic or routes.TOPIC)
    finally:
        registry.close()


def _together(
    held: Mapping[bytes, dict[str, Any]], new: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rules as they are once the new ones are loaded."""
    from hub import routes

    return list((dict(held) | {routes.record_key(route): route for route in new}).values())


def _show_doubts(
    known: Sequence[dict[str, Any]], devices: Iterable[dict[str, Any]], *, refuse: bool
) -> None:
    """Print what is doubtful in a set of rules; `PayloadError` for what must not be loaded."""
    from hub.errors import PayloadError
    from hub.route_checks import doubts

    for doubt in doubts(known, datetime.now(UTC), devices):
        if doubt.wrong and refuse:
            fix = "`hub route diff` shows the whole set"
            raise PayloadError(doubt.text, code="route", path=f"rule {doubt.rule!r}", fix=fix)
        print(f"{'✗' if doubt.wrong else '?'} {doubt.rule}: {doubt.text}")


def _diff(arguments: argparse.Namespace) -> int:
    from hub import register, routes
    from hub.route_checks import changes

    config = config_of(arguments)
    new = _read(arguments.file or str(config.routes or routes.SHIPPED))
    held = _held(arguments)
    different = 0
    for route in new:
        key = routes.record_key(route)
        if held.get(key) == route:
            continue
        different += 1
        print(f"{'~' if key in held else '+'} {key.decode()}")
        for line in changes(held.get(key), route):
            print(f"    {line}")
    named = {routes.record_key(route) for route in new}
    for key in sorted(set(held) - named):
        print(f"= {key.decode()} stays: the file does not name it")
    devices = _held(arguments, register.TOPIC).values()
    _show_doubts(_together(held, new), devices, refuse=False)
    print(f"{different} differ, {len(new) - different} unchanged")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    from hub.rights import in_force

    choice, _, _ = _choose(arguments)
    found = sorted(
        target.subscriber
        for target in choice.targets
        if in_force(target.subscriber, arguments.noun, _time(arguments, "at"))
    )
    wanted = None
    if arguments.expect is not None:
        wanted = sorted(filter(None, arguments.expect.split(",")))
    _print_targets(arguments, choice)
    if wanted is None or wanted == found:
        return 0
    if not arguments.json:
        print(f"✗ expected {', '.join(wanted) or 'nobody'}")
    return 1


def _explain(arguments: argparse.Namespace) -> int:
    from hub.codec import micros
    from hub.explain.reasons import chooses, mismatch
    from hub.render import json_line

    choice, facts, known = _choose(arguments)
    at_us = micros(_time(arguments, "at"))
    for rule in known:
        holds = chooses(rule, facts, at_us)
        reason = "" if holds else mismatch(rule, facts, at_us)
        to = "drops it" if rule.record["drop"] else f"sends it to {rule.record['subscriber']}"
        if arguments.json:
            line = {"rule": rule.record["rule_id"], "valid_from": rule.record["valid_from"]}
            print(json_line({**line, "matches": holds, "reason": reason}))
        elif holds:
            print(f"✓ {rule.named()} {to}: {rule.record['text']}")
        else:
            print(f"· {reason}")
    _print_targets(arguments, choice, explained=True)
    return 0


def _print_targets(arguments: argparse.Namespace, choice: Any, *, explained: bool = False) -> None:
    from hub.render import json_line
    from hub.rights import as_dict, in_force, told

    for target in choice.targets:
        rules = [id_ for id_, _ in target.rules]
        rights = in_force(target.subscriber, arguments.noun, _time(arguments, "at"))
        if arguments.json:
            line = {"subscriber": target.subscriber, "rules": rules}
            line |= {"recipients": list(target.recipients), "rights": list(map(as_dict, rights))}
            print(json_line(line))
            continue
        recipients = f", for {', '.join(target.recipients)}" if target.recipients else ""
        print(f"→ {target.subscriber} by {', '.join(rules)}{recipients}")
        for right in rights if explained else ():
            print(f"    right {told(right)}")
        if not rights:
            print(f"    ✗ not delivered: no right gives it {arguments.noun} then")
    if not choice.targets and not arguments.json:
        print("→ nobody")


def _time(arguments: argparse.Namespace, option: str) -> datetime:
    """The time that an option gives, else that of `--at`, else now."""
    for name in (option, "at"):
        if text := getattr(arguments, name):
            return time_or_day_of(text, option=f"--{name}")
    return datetime.now(UTC)


def _choose(arguments: argparse.Namespace) -> tuple[Any, Any, list[Any]]:
    """What the rules choose for the facts on the command line, the facts, and all rules."""
    from hub.codec import micros
    from hub.explain.reasons import choice_of, facts_from, rules_of

    given = _read(arguments.file) if arguments.file else list(_held(arguments).values())
    if arguments.event:
        # With rules from a file nothing else is asked, so that it works without a cluster.
        fill_from_event(arguments, None if arguments.file else partial(_device, arguments))
    if not arguments.noun:
        fix = "give --noun plate_read, or an event with its topic"
        raise ConfigError("which kind of event it is was not said", where="--noun", fix=fix)
    at = _time(arguments, "at")
    facts = facts_from(
        noun=arguments.noun,
        kind=arguments.kind or "",
        severity=arguments.severity or "UNKNOWN",
        status=arguments.status or "LIVE",
        device={
            "owner_agency": arguments.owner or "",
            "purpose": arguments.purpose or "",
            "area": arguments.area or "",
            "legacy_district": arguments.district or "",
            "junction": arguments.junction or "",
        },
        happened=_time(arguments, "happened"),
        appended=at,
    )
    known = rules_of(given)
    return choice_of(known, facts, micros(at)), facts, known


def _device(
    arguments: argparse.Namespace, source_id: str, device_ref: str, happened: str
) -> Mapping[str, Any] | None:
    """What the register says of a device at a time."""
    from hub import register

    at = time_or_day_of(happened, option="the event's time")
    for entry in _held(arguments, register.TOPIC).values():
        ends = entry["valid_to"]
        if entry["valid_from"] <= at and (ends is None or at < ends):
            for alias in entry["aliases"]:
                if (alias["source_id"], alias["device_ref"]) == (source_id, device_ref):
                    return entry
    return None


def _list(arguments: argparse.Namespace) -> int:
    from hub.render import json_line, rfc3339

    held = _held(arguments)
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
