"""What the commands share: parsers with examples, configuration, times, near names."""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hub.config import Config, load
from hub.errors import ConfigError

__all__ = [
    "Commands",
    "command",
    "config_of",
    "config_path",
    "decoded_text",
    "group",
    "json_option",
    "name_of",
    "near",
    "pairs",
    "read_input",
    "table",
    "time_of",
    "time_or_day_of",
]

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it
Run = Callable[[argparse.Namespace], int]


def command(
    commands: "Commands[argparse.ArgumentParser]",
    name: str,
    run: Run,
    *,
    help_: str,
    example: str,
    description: str = "",
) -> argparse.ArgumentParser:
    """A command that runs `run`; its help ends with an example."""
    parser = commands.add_parser(
        name,
        help=help_,
        description=description or f"{help_[0].upper()}{help_[1:]}.",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Also after the command; without a default, so that it never hides the one before it.
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="configuration")
    parser.set_defaults(run=run)
    return parser


def group(
    commands: "Commands[argparse.ArgumentParser]", name: str, *, help_: str, example: str
) -> "Commands[argparse.ArgumentParser]":
    """A command with commands of its own."""
    parser = commands.add_parser(
        name,
        help=help_,
        description=f"{help_[0].upper()}{help_[1:]}.",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser.add_subparsers(metavar="COMMAND", dest=f"{name}_command", required=True)


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add `--json` to a command that prints data."""
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def config_path(arguments: argparse.Namespace) -> Path | None:
    """The configuration file: --config, else HUB_CONFIG, else ./hub.toml when there is one."""
    named = getattr(arguments, "config", None) or os.environ.get("HUB_CONFIG")
    if named:
        return Path(named)
    here = Path("hub.toml")
    return here if here.exists() else None


def config_of(arguments: argparse.Namespace) -> Config:
    """The configuration in that file, or the defaults."""
    return load(config_path(arguments))


def time_of(text: str, *, option: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC; `ConfigError` names the option."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigError(
            f"{text!r} is no time with an offset",
            where=option,
            fix="write it as 2026-03-01T08:15:00+07:00",
        )
    return at.astimezone(UTC)


def time_or_day_of(text: str, *, option: str) -> datetime:
    """As `time_of`, or a date at its start in Hanoi: for what is decreed by the day."""
    from hub.register import moment

    try:
        return moment(text)
    except ValueError as error:
        fix = "write 2026-03-01, or 2026-03-01T08:15:00+07:00"
        raise ConfigError(str(error), where=option, fix=fix) from error


def name_of(text: str, *, option: str) -> str:
    """A name of a source as the configuration allows it."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ConfigError(
            f"{text!r} is no name of a source",
            where=option,
            fix="use 1 to 64 letters, digits, dots, dashes or underscores",
        )
    return text


def pairs(texts: Iterable[str], *, option: str) -> dict[str, str]:
    """`key=value` options as a dictionary."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{text!r} is not key=value", where=option, fix="write key=value")
        found[key] = value
    return found


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for `-`."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"can't read it: {error.strerror}", where=name, fix="name an existing file, or -"
        ) from error


def decoded_text(data: bytes, where: str) -> str:
    """The text of a file that must be UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8 at byte {error.start}", where=where, fix="save it as UTF-8"
        ) from error


def near(name: str, known: Iterable[str], *, fallback: str) -> str:
    """How to mend a wrong name: what is like it, else the fallback."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else fallback


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns; the last column is left as it is."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
