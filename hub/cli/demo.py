"""`hub demo`: a whole city on this machine."""

import argparse
import json
import logging
import tempfile
from pathlib import Path

from hub.cli.common import Commands, command
from hub.errors import ConfigError

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "demo",
        _demo,
        help_="a whole city on this machine: stack, simulator, every stage",
        example="hub demo --seconds 30 --json",
        description=(
            "Starts the embedded stack and all stages, lets a simulated Hanoi speak its devices' "
            "formats and shows what arrives. Ctrl-C ends it. With --seconds it ends by itself and "
            "checks every event against what was sent: exit 1 when one is missing, double or "
            "astray."
        ),
    )
    parser.add_argument("--seconds", type=int, metavar="N", help="simulated seconds, then check")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="X", help="simulated seconds a second"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which city")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep everything there")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _demo(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from hub.demo.run import Settings, run
    from hub.worker import stop_on_signals

    if arguments.seconds is not None and arguments.seconds < 1:
        raise ConfigError("at least 1 simulated second", where="--seconds", fix="give a number")
    if arguments.speed <= 0:
        raise ConfigError("must be above 0", where="--speed", fix="give a number such as 1")
    if arguments.json and arguments.seconds is None:
        raise ConfigError("--json needs an end", where="--json", fix="add --seconds N")
    logging.basicConfig(level=logging.ERROR)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder, stop_on_signals() as stop:
        settings = Settings(
            data=arguments.data or Path(folder),
            seconds=arguments.seconds,
            speed=arguments.speed,
            seed=arguments.seed,
            live=console.is_terminal and not arguments.json,
        )
        outcome = run(settings, console, stop)
    if outcome is None:
        console.print("stopped")
        return 0
    if arguments.json:
        print(json.dumps(outcome.as_dict(settings), ensure_ascii=False, indent=1))
    else:
        print("\n".join(outcome.report.lines()))
        print("\n".join(f"✗ {problem}" for problem in outcome.books.problems))
        print("the ledger balances" if outcome.books.holds else "the ledger does not balance")
    return 0 if outcome.ok else 1
