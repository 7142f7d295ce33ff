"""The command line: `hub COMMAND …`.

A command is a module of this package with `add(commands)`; it is imported when it is called, so
that `hub --help` needs no Kafka client. `COMMANDS` is the list of them.
"""

import argparse
import difflib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from hub import __version__
from hub.errors import (
    ConfigError,
    EnvironmentNotReadyError,
    FencedError,
    HubError,
    UnavailableError,
)

if TYPE_CHECKING:
    from hub.cli.common import Commands

__all__ = ["COMMANDS", "Command", "exit_code", "main"]

_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class Command(NamedTuple):
    """A command, the module that defines it and its line in the help."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("demo", "demo", "a whole city on this machine: stack, simulator, every stage"),
    Command("up", "stack", "start the embedded stack and all stages"),
    Command("down", "stack", "stop them"),
    Command("run", "run", "run stages in production: ingest, normalise, process"),
    Command("reload", "reload", "take changed sources without a restart"),
    Command("topics", "topics", "show or make topics, schemas and access rules as declared"),
    Command("connector", "connector", "list, try and test connectors"),
    Command("push", "push", "send payloads through the real ingest"),
    Command("tail", "tail", "print the events of a topic"),
    Command("explain", "explain", "where an event went, and why: every step, run again"),
    Command("dead", "dead", "what was refused, why, and its bytes"),
    Command("replay", "replay", "run raw payloads through the current connectors again"),
    Command("ledger", "ledger", "the balance of every stage"),
    Command("device", "device", "the device register"),
    Command("area", "area", "administrative areas by date"),
    Command("place", "place", "roads, junctions and camera positions by date"),
    Command("plate", "plate", "what a licence plate says, and what it leaves open"),
    Command("violation", "violation", "codes of violations, candidates and people's decisions"),
    Command("route", "route", "the routing rules"),
    Command("evidence", "evidence", "stored payloads and pictures: what is past its class"),
    Command("hold", "hold", "legal holds: events and pictures copied aside for a case"),
    Command("erase", "erase", "delete what is stored of an event or a subject"),
    Command("bench", "bench", "measure the stages on this machine"),
    Command("doctor", "doctor", "what is not ready, and what to do"),
)
_EPILOG = """\
exit codes: 0 done, 1 the data has problems, 2 wrong use or configuration,
3 the environment is not ready

example: hub demo --seconds 60
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code of the process."""
    words = list(sys.argv[1:] if argv is None else argv)
    # A client's own log (one line a failed connection) would bury the error; `run` turns it on.
    logging.getLogger("hub").addHandler(logging.NullHandler())
    try:
        arguments = _parser(words).parse_args(words)
        run: Callable[[argparse.Namespace], int] = arguments.run
        code = run(arguments)
        sys.stdout.flush()
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`) has had enough. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:
        # argparse ends the process by itself after --help, --version and wrong use.
        return stop.code if isinstance(stop.code, int) else 2
    return code


def exit_code(error: HubError) -> int:
    """2 wrong use or configuration, 3 the environment, 1 the data."""
    if isinstance(error, ConfigError):
        return 2
    if isinstance(error, EnvironmentNotReadyError | UnavailableError | FencedError):
        return 3
    return 1


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the options of the command that is called."""
    parser = argparse.ArgumentParser(
        prog="hub",
        description="Hanoi's event hub: cameras, signals and alerts in, exactly once out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hub {__version__}")
    parser.add_argument(
        "--config", metavar="FILE", help="configuration (default: HUB_CONFIG, else hub.toml here)"
    )
    commands: Commands[argparse.ArgumentParser] = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    called = _called(words)
    for command in COMMANDS:
        if command.name == called:
            import_module(f"hub.cli.{command.module}").add(commands)
    for command in COMMANDS:
        if command.name not in commands.choices:
            commands.add_parser(command.name, help=command.help)
    if called is not None and called not in commands.choices:
        near = difflib.get_close_matches(called, list(commands.choices), n=3, cutoff=0.5)
        raise ConfigError(
            f"no command is named {called!r}",
            fix=f"did you mean `hub {'` or `hub '.join(near)}`?" if near else "see `hub --help`",
        )
    return parser


def _called(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor an option's value."""
    rest = iter(words)
    for word in rest:
        if word == "--config":
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None
