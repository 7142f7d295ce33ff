"""`hub explain`: where an event went, and why."""

import argparse
import re
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, time_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.explain import Explanation

__all__ = ["add", "digest_of", "id_of"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "explain",
        _explain,
        help_="where an event went, and why: every step, run again",
        example="hub explain 5b1f0c9e-… --around 2026-03-01T08:15:00+07:00",
        description="An event, all events of a subject, a dead letter, or (--payload) everything "
        "a payload gave,\nreconstructed from the topics alone. Personal data is never shown.\n"
        "Exit code 1 when it is not found, or when a step differs from what the topics hold.",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="event_id, subject_id or dead_id")
    parser.add_argument("--payload", metavar="SHA256", help="the payload with this digest")
    parser.add_argument(
        "--around",
        metavar="T",
        help="RFC 3339 with offset: look only at what arrived an hour before to an hour after it "
        "(default: everything that is kept)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _explain(arguments: argparse.Namespace) -> int:
    if (arguments.id is None) == (arguments.payload is None):
        raise ConfigError(
            "exactly one of ID and --payload is needed",
            where="hub explain",
            fix="give an event_id as `hub tail` shows it, or --payload with a SHA-256",
        )
    id_ = None if arguments.id is None else id_of(arguments.id)
    sha256 = None if arguments.payload is None else digest_of(arguments.payload)
    around = time_of(arguments.around, option="--around") if arguments.around else None

    from hub.explain import Explainer
    from hub.registry import Registry

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    with closing(registry), closing(Explainer(config, registry, progress)) as explainer:
        told = explainer.id(id_, around) if id_ else explainer.payload(sha256 or b"", around)
    _print(told, as_json=arguments.json)
    return 0 if told.consistent else 1


def progress(line: str) -> None:
    """Say how far a long search has come, apart from the answer."""
    print(f"hub: {line}", file=sys.stderr, flush=True)


def _print(told: "Explanation", *, as_json: bool) -> None:
    if as_json:
        from hub.explain.model import as_object
        from hub.render import json_line

        print(json_line(as_object(told)))
        return
    from hub.explain.text import text

    print(text(told))


def id_of(text: str) -> bytes:
    """An id as UUID, with or without dashes."""
    return _hex(text.replace("-", ""), 32, text, "ID", "an id is a UUID, 32 hex digits")


def digest_of(text: str) -> bytes:
    """A SHA-256 in hex; `sha256:` in front is allowed."""
    digits = text.removeprefix("sha256:")
    return _hex(digits, 64, text, "--payload", "a SHA-256 is 64 hex digits")


def _hex(digits: str, length: int, text: Any, where: str, fix: str) -> bytes:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", digits):
        raise ConfigError(f"{text!r} is none", where=where, fix=fix)
    return bytes.fromhex(digits)
