"""`hub ledger`: the balance of every stage."""

import argparse

from hub.cli.common import Commands, command, config_of, json_option, table, time_of

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "ledger",
        _ledger,
        help_="the balance of every stage, source and minute; exit 1 when it does not hold",
        example="hub ledger --since 2026-03-01T08:00:00Z",
    )
    parser.add_argument("--since", metavar="T", help="leave out what was received before")
    json_option(parser)


def _ledger(arguments: argparse.Namespace) -> int:
    from hub.ledger import balance
    from hub.render import json_line, rfc3339

    config = config_of(arguments)
    since = time_of(arguments.since, option="--since") if arguments.since else None
    result = balance(config, since=since)
    if arguments.json:
        for line in result.lines:
            print(json_line(line.as_dict()))
        print(json_line({"holds": result.holds, "problems": result.problems}))
        return 0 if result.holds else 1
    rows = [
        (
            line.stage,
            line.source_id,
            rfc3339(line.minute)[:16],
            str(line.taken),
            " ".join(f"{name} {count}" for name, count in sorted(line.outcomes.items())),
            "" if line.taken == line.accounted else "✗",
        )
        for line in result.lines
    ]
    print(table([("stage", "source", "minute (UTC)", "in", "became", ""), *rows]))
    for problem in result.problems:
        print(f"✗ {problem}")
    print("the books balance" if result.holds else f"{len(result.problems)} faults")
    return 0 if result.holds else 1
