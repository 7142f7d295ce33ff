"""`hub ledger`: the balance of every stage."""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, json_option, table, time_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.ledger import Balance

__all__ = ["add"]

_DEFAULT = timedelta(hours=1)


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "ledger",
        _ledger,
        help_="the balance of every stage, source and minute; exit 1 when it does not hold",
        example="hub ledger --since 2026-03-01T08:00:00Z",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--since", metavar="T", help="leave out what was received before (default: an hour ago)"
    )
    which.add_argument("--all", action="store_true", help="compare everything that is kept")
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=float,
        help="check again that often, one line each time, until it does not hold",
    )
    json_option(parser)


def _ledger(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    wanted = time_of(arguments.since, option="--since") if arguments.since else None
    if arguments.watch is not None and arguments.watch <= 0:
        raise ConfigError("not above 0", where="--watch", fix="give seconds, as in --watch 30")
    # Here and not above: what it imports takes longer than the help may.
    from hub.ledger import balance

    while True:
        since = wanted or (None if arguments.all else datetime.now(UTC) - _DEFAULT)
        result = balance(config, since=since)
        if arguments.watch is None or not result.holds:
            return _show(result, json=arguments.json)
        _tick(result, json=arguments.json)
        time.sleep(arguments.watch)


def _tick(result: "Balance", *, json: bool) -> None:
    """One line of a check that holds."""
    from hub.render import json_line, rfc3339

    now = rfc3339(datetime.now(UTC))
    if json:
        print(json_line({"at": now, "holds": True, **result.totals()}), flush=True)
        return
    sums = ", ".join(f"{stage} {sums.get('in', 0)} in" for stage, sums in result.totals().items())
    print(f"{now[:19]}Z the books balance: {sums}", flush=True)


def _show(result: "Balance", *, json: bool) -> int:
    from hub.render import json_line, rfc3339

    if json:
        for line in result.lines:
            print(json_line(line.as_dict()))
        end = {"holds": result.holds, "problems": result.problems, "notes": result.notes}
        print(json_line(end))
        return 0 if result.holds else 1
    rows = [
        (
            line.stage,
            line.source_id,
            line.noun,
            rfc3339(line.minute)[:16],
            str(line.taken),
            " ".join(f"{name} {count}" for name, count in sorted(line.outcomes.items())),
            ("open" if line.open else "") if line.holds else "✗",
        )
        for line in result.lines
    ]
    heads = ("stage", "source", "noun", "minute (UTC)", "in", "became", "")
    print(table([heads, *rows]))
    for note in result.notes:
        print(f"· {note}")
    for problem in result.problems:
        print(f"✗ {problem}")
    print("the books balance" if result.holds else f"{len(result.problems)} faults")
    return 0 if result.holds else 1
