"""`hub doctor`."""

import argparse

from hub.cli.common import Commands, command, config_of, json_option
from hub.errors import HubError

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "doctor",
        _doctor,
        help_="what is not ready, and what to do",
        example="hub doctor",
        description="Exit code 3 when something is not ready.",
    )
    json_option(parser)


def _doctor(arguments: argparse.Namespace) -> int:
    from hub.doctor import Finding, examine
    from hub.render import json_line

    try:
        config = config_of(arguments)
    except HubError as error:
        findings = iter(
            [Finding("configuration", "wrong", error.what, f"{error.where}: {error.fix}")]
        )
    else:
        findings = examine(config)
    broken = False
    for each in findings:
        broken = broken or each.state == "wrong"
        if arguments.json:
            line = {"check": each.check, "state": each.state, "text": each.text, "fix": each.fix}
            print(json_line(line))
            continue
        sign = {"ok": "✓", "wrong": "✗", "note": "·"}[each.state]
        print(f"{sign} {each.check}: {each.text}", flush=True)
        if each.fix:
            print(f"    {each.fix}")
    return 3 if broken else 0
