"""`hub topics plan|apply`."""

import argparse
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, group, json_option, table

if TYPE_CHECKING:
    from hub.topics import Change

__all__ = ["add"]

_SIGNS = {"create": "+", "grow": "+", "register": "+", "alter": "~", "refuse": "✗"}


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    topics = group(
        commands,
        "topics",
        help_="show or make topics, schemas and access rules as declared",
        example="hub topics plan",
    )
    shown = command(
        topics,
        "plan",
        _plan,
        help_="show what differs from the declaration; changes nothing",
        example="hub topics plan --acls",
    )
    shown.add_argument(
        "--acls",
        action="store_true",
        help="print each subscriber's rights, and the kafka-acls call for every principal instead",
    )
    json_option(shown)
    made = command(
        topics,
        "apply",
        _apply,
        help_="make topics and schemas as declared; all of it or, if anything is refused, nothing",
        example="hub topics apply",
    )
    json_option(made)


def _plan(arguments: argparse.Namespace) -> int:
    from hub import rights, topics
    from hub.access import access_rules
    from hub.registry import Registry

    config = config_of(arguments)
    if arguments.acls:
        print("\n".join([*rights.listed(), *access_rules(config)]))
        return 0
    registry = Registry(config.registry_url)
    try:
        changes = topics.plan(config, registry)
    finally:
        registry.close()
    _print(changes, as_json=arguments.json, done="everything is as declared")
    return 1 if any(change.action == "refuse" for change in changes) else 0


def _apply(arguments: argparse.Namespace) -> int:
    from hub import topics
    from hub.registry import Registry

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        changes = topics.apply(config, registry)
    finally:
        registry.close()
    _print(changes, as_json=arguments.json, done="nothing to do: everything is as declared")
    return 0


def _print(changes: "list[Change]", *, as_json: bool, done: str) -> None:
    from hub.render import json_line

    if as_json:
        for each in changes:
            print(json_line({"action": each.action, "name": each.name, "text": each.text}))
    elif changes:
        rows = [(_SIGNS[each.action], each.action, each.name, each.text) for each in changes]
        print(table(rows))
        for each in changes:
            if each.fix:
                print(f"\n{each.name}: {each.fix}")
    else:
        print(done)
