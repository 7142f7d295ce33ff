"""`hub dead list|show`."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hub.cli.common import Commands, command, config_of, group, json_option, table, time_of
from hub.errors import ConfigError

__all__ = ["add"]

_TOPIC = "dead_letter.v1"
_SHOWN_BYTES = 64 * 2**10
_HEX_BYTES = 512


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    dead = group(
        commands, "dead", help_="what was refused, why, and its bytes", example="hub dead list"
    )
    listed = command(
        dead,
        "list",
        _list,
        help_="dead letters by cause and source",
        example="hub dead list --since 2026-03-01T00:00:00+07:00 --by source",
    )
    listed.add_argument("--since", metavar="T", help="RFC 3339 with offset (default: all kept)")
    listed.add_argument("--by", choices=("cause", "source"), help="group by this alone")
    json_option(listed)
    shown = command(
        dead,
        "show",
        _show,
        help_="one dead letter, with its bytes and how to mend it",
        example="hub dead show 5b1f0c9e-…",
    )
    shown.add_argument("id", metavar="ID", help="its id, or the beginning of it")
    json_option(shown)


def _letters(arguments: argparse.Namespace, since: str | None) -> Iterator[dict[str, Any]]:
    from hub.registry import Registry
    from hub.tables import rows

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    at = time_of(since, option="--since") if since else None
    try:
        for _, letter in rows(config, registry, _TOPIC, since=at):
            yield letter
    finally:
        registry.close()


def _list(arguments: argparse.Namespace) -> int:
    from hub.render import json_line

    groups = summary(_letters(arguments, arguments.since), by=arguments.by)
    if arguments.json:
        for each in groups:
            print(json_line(each))
    elif groups:
        heads = ("count", "code", "source_id", "component", "newest", "example")
        rows = [[str(each[head]) for head in heads] for each in groups]
        print(table([heads, *rows]))
    else:
        print("no dead letters")
    return 0


def summary(letters: Iterable[Mapping[str, Any]], *, by: str | None) -> list[dict[str, Any]]:
    """Counts, newest time and an example by cause, source and component; most frequent first."""
    from hub.render import plain, rfc3339

    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for letter in letters:
        component = f"{letter['component']} {letter['component_version']}".strip()
        key = (
            letter["code"] if by != "source" else "",
            letter["source_id"] if by != "cause" else "",
            component if by is None else "",
        )
        row = groups.setdefault(key, {"count": 0, "newest": ""})
        row["count"] += 1
        newest = rfc3339(letter["failed_at"])
        if newest >= row["newest"]:
            row.update(newest=newest, example=plain(letter["dead_id"], "dead_id"))
    found = [
        {"code": code, "source_id": source, "component": component, **row}
        for (code, source, component), row in groups.items()
    ]
    return sorted(found, key=lambda row: (-row["count"], row["code"], row["source_id"]))


def _show(arguments: argparse.Namespace) -> int:
    from hub.render import json_line, plain

    wanted = arguments.id.lower()
    found: dict[str, dict[str, Any]] = {}
    for letter in _letters(arguments, None):
        id_ = str(plain(letter["dead_id"], "dead_id"))
        if id_.startswith(wanted):
            found[id_] = letter
    if len(found) != 1:
        what = f"{len(found)} dead letters begin so" if found else "there is no such dead letter"
        raise ConfigError(what, where=arguments.id, fix="take an id from `hub dead list`")
    letter = next(iter(found.values()))
    if arguments.json:
        print(json_line(letter))
    else:
        print(report(letter))
    return 0


def report(letter: Mapping[str, Any]) -> str:
    """Everything a dead letter says, for people."""
    from hub.render import plain

    shown = plain(letter)
    names = [name for name in letter if name not in ("body", "record_headers", "truncated", "fix")]
    lines = [f"{name}: {shown[name]}" for name in names if letter[name] not in ("", None, b"")]
    lines += [
        f"header {each['name']}: {printable(each['value'])}" for each in letter["record_headers"]
    ]
    lines.append(f"fix: {letter['fix'] or '(none is known; the cause is above)'}")
    if letter["truncated"]:
        lines.append("body: cut; the whole stands at topic and offset")
    if letter["body"]:
        lines += ["", printable(letter["body"])]
    return "\n".join(lines)


def printable(data: bytes) -> str:
    """Bytes as text when they are printable UTF-8, else the head of a hex dump."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    # A terminal must not obey what a source sent.
    if text and all(letter.isprintable() or letter in "\n\t\r" for letter in text):
        more = f"\n… {len(data)} bytes in all" if len(text) > _SHOWN_BYTES else ""
        return text[:_SHOWN_BYTES].replace("\r", "") + more
    lines = []
    for at in range(0, min(len(data), _HEX_BYTES), 16):
        chunk = data[at : at + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in chunk)
        lines.append(f"{at:08x}  {chunk.hex(' '):<47}  {letters}")
    if len(data) > _HEX_BYTES:
        lines.append(f"… {len(data)} bytes in all")
    return "\n".join(lines)
