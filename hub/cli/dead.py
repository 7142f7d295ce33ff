"""`hub dead list|show|replay`."""

import argparse
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, group, json_option, table, time_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.registry import Registry
    from hub.replay.letters import Selection

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
    _add_replay(dead)


def _add_replay(dead: "Commands[argparse.ArgumentParser]") -> None:
    parser = command(
        dead,
        "replay",
        _replay,
        help_="send again what can be read now; shows what would happen unless --apply is given",
        example="hub dead replay --code malformed --source vms-ring-3 --apply",
        description="Runs refused payloads through the connectors and steps as they are installed "
        "here.\nOnly the parts that were refused are sent, marked as replayed, each letter once.\n"
        "Mend the cause and restart the stages first. Exit code 1: some are refused still.",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="one letter, or several")
    parser.add_argument("--code", metavar="CODE", help="those refused for this cause")
    parser.add_argument("--source", metavar="SOURCE", help="those of this source")
    parser.add_argument("--stage", choices=("normalise", "process"), help="those of this stage")
    parser.add_argument("--component", metavar="NAME", help="those of this connector or step")
    parser.add_argument("--component-version", metavar="V", help="those of this version of it")
    parser.add_argument("--since", metavar="T", help="those since then, RFC 3339 with offset")
    parser.add_argument("--apply", action="store_true", help="send them")
    parser.add_argument("--again", action="store_true", help="also what was replayed before")
    json_option(parser)


@contextmanager
def _site(arguments: argparse.Namespace) -> "Iterator[tuple[Config, Registry]]":
    from hub.registry import Registry

    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        yield config, registry
    finally:
        registry.close()


def _list(arguments: argparse.Namespace) -> int:
    from hub.render import json_line
    from hub.replay.letters import replayed
    from hub.tables import rows

    since = time_of(arguments.since, option="--since") if arguments.since else None
    with _site(arguments) as (config, registry):
        done = replayed(config, registry)
        letters = (letter for _, letter in rows(config, registry, _TOPIC, since=since))
        groups = summary(letters, by=arguments.by, replayed=done.keys())
    if arguments.json:
        for each in groups:
            print(json_line(each))
    elif groups:
        heads = ("count", "replayed", "code", "source_id", "component", "newest", "example")
        rows_ = [[str(each[head]) for head in heads] for each in groups]
        print(table([heads, *rows_]))
        for line in paused(groups):
            print(line)
    else:
        print("no dead letters")
    return 0


def summary(
    letters: Iterable[Mapping[str, Any]], *, by: str | None, replayed: Collection[bytes] = ()
) -> list[dict[str, Any]]:
    """Counts, newest time and an example by cause, source and component; most frequent first.

    `replayed` are the ids of letters that were sent again.
    """
    from hub.render import plain, rfc3339

    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for letter in letters:
        component = f"{letter['component']} {letter['component_version']}".strip()
        key = (
            letter["code"] if by != "source" else "",
            letter["source_id"] if by != "cause" else "",
            component if by is None else "",
        )
        row = groups.setdefault(key, {"count": 0, "replayed": 0, "newest": ""})
        last = letter.get("last_index")  # letters of 0.1 have none
        parts = 1 if last is None else last - letter["index"] + 1
        row["count"] += parts
        row["replayed"] += parts if letter["dead_id"] in replayed else 0
        newest = rfc3339(letter["failed_at"])
        if newest >= row["newest"]:
            row.update(newest=newest, example=plain(letter["dead_id"], "dead_id"))
    found = [
        {"code": code, "source_id": source, "component": component, **row}
        for (code, source, component), row in groups.items()
    ]
    return sorted(found, key=lambda row: (-row["count"], row["code"], row["source_id"]))


def paused(groups: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is said of payloads that nobody has read, as their source was paused."""
    from hub.breaker import SET_ASIDE

    for each in groups:
        waiting = each["count"] - each["replayed"]
        if each["code"] == SET_ASIDE and waiting:
            source = each["source_id"]
            whose = f"{source} was paused" if source else "their sources were paused"
            how = f"--source {source}" if source else f"--code {SET_ASIDE}"
            yield (
                f"{waiting} were not read, as {whose}: mend what was refused, then `hub dead "
                f"replay {how} --apply`, before the raw topic lets go of them"
            )


def _show(arguments: argparse.Namespace) -> int:
    from hub.render import json_line, plain
    from hub.tables import rows

    wanted = arguments.id.lower()
    found: dict[str, dict[str, Any]] = {}
    with _site(arguments) as (config, registry):
        for _, letter in rows(config, registry, _TOPIC):
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


def _replay(arguments: argparse.Namespace) -> int:
    from hub.render import json_line
    from hub.replay import dead

    wanted = _selection(arguments)
    words: Counter[str] = Counter()
    with _site(arguments) as (config, registry):
        run = dead.apply if arguments.apply else dead.dry_run
        for verdict in run(config, registry, wanted, repeat=arguments.again):
            words[verdict.word] += 1
            print(json_line(verdict.as_dict()) if arguments.json else verdict.text(), flush=True)
    if not arguments.json:
        print(_told(words, sent=arguments.apply) if words else "no dead letters")
    return 1 if words["refused"] or words["expired"] or words["erased"] else 0


def _selection(arguments: argparse.Namespace) -> "Selection":
    from hub.replay.letters import Selection

    wanted = Selection(
        ids=arguments.ids,
        stage=arguments.stage,
        code=arguments.code,
        source=arguments.source,
        component=arguments.component,
        component_version=arguments.component_version,
        since=time_of(arguments.since, option="--since") if arguments.since else None,
    )
    if wanted.empty:
        raise ConfigError(
            "which dead letters is not said",
            where="hub dead replay",
            fix="name an id, or a group with --code, --source, --component …, or --since T",
        )
    return wanted


def _told(words: Mapping[str, int], *, sent: bool) -> str:
    """The sums, for people."""
    parts = [
        f"{words['event']} {'sent again' if sent else 'would be sent again'}",
        f"{words['nothing']} give no event any more",
        f"{words['refused']} refused still",
        f"{words['expired']} expired",
        f"{words['erased']} erased",
        f"{words['replayed']} replayed before",
    ]
    text = ", ".join(part for part in parts if not part.startswith("0 ") or "sent" in part)
    return text if sent else f"{text}; nothing was written, --apply does it"
