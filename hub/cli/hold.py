"""`hub hold add|list|show|verify|release`."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, group, json_option, near, table, time_of
from hub.cli.explain import id_of, progress
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.holds.holding import Held
    from hub.holds.manifest import Manifest
    from hub.registry import Registry

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    hold = group(
        commands,
        "hold",
        help_="legal holds: events and pictures copied aside for a case",
        example="hub hold list",
    )
    added = command(
        hold,
        "add",
        _add,
        help_="copy an event, its payload and its pictures aside",
        example="hub hold add 5b1f0c9e-… --case 2026/HS-117 --by 'Đội 4' --reason 'witness asked'",
        description="Copies every record of an event, or of all events of a subject, with its "
        "payload, pictures\nand schemas to the hold area, and leaves a record in hold.v1. What has "
        "expired already is\nnamed. After later events of the subject it makes a second hold.",
    )
    added.add_argument("id", metavar="ID", help="event_id or subject_id")
    added.add_argument("--case", metavar="REF", required=True, help="the case, by its reference")
    added.add_argument("--by", metavar="WHO", required=True, help="who decided it")
    added.add_argument("--reason", metavar="TEXT", required=True, help="why, without personal data")
    added.add_argument(
        "--until", metavar="DAY", help="meant to last up to this day (default: open)"
    )
    added.add_argument(
        "--around", metavar="T", help="RFC 3339: look only an hour before to an hour after it"
    )
    json_option(added)
    listed = command(hold, "list", _list, help_="every hold", example="hub hold list --all")
    listed.add_argument("--all", action="store_true", help="also those that were released")
    json_option(listed)
    shown = command(
        hold, "show", _show, help_="what a hold consists of", example="hub hold show 5b1f0c9e-…"
    )
    shown.add_argument("id", metavar="HOLD_ID")
    json_option(shown)
    verified = command(
        hold,
        "verify",
        _verify,
        help_="hash every part of every hold again; exit code 1 when one is damaged",
        example="hub hold verify",
    )
    verified.add_argument("ids", metavar="HOLD_ID", nargs="*", help="default: all")
    json_option(verified)
    _add_release(hold)


def _add_release(hold: "Commands[argparse.ArgumentParser]") -> None:
    released = command(
        hold,
        "release",
        _release,
        help_="end a hold and remove its copy; only shows it unless --apply is given",
        example="hub hold release 5b1f0c9e-… --by 'Đội 4' --reason 'case closed' --apply",
    )
    released.add_argument("id", metavar="HOLD_ID")
    released.add_argument("--by", metavar="WHO", required=True, help="who decided it")
    released.add_argument("--reason", metavar="TEXT", required=True, help="why")
    released.add_argument("--apply", action="store_true", help="do it")


@contextmanager
def _site(arguments: argparse.Namespace) -> "Iterator[tuple[Config, Registry]]":
    from hub.registry import Registry

    config = config_of(arguments)
    with closing(Registry(config.registry_url)) as registry:
        yield config, registry


def _add(arguments: argparse.Namespace) -> int:
    id_ = id_of(arguments.id)
    until = _day(arguments.until) if arguments.until else ""
    from hub.erasure.record import Journal
    from hub.explain.logs import Logs
    from hub.holds import holding
    from hub.holds.dossier import around, dossier
    from hub.render import json_line
    from hub.replay.writer import actor

    span = around(time_of(arguments.around, option="--around") if arguments.around else None)
    wanted = holding.Wanted(arguments.case, arguments.by, actor(), arguments.reason, until)
    with _site(arguments) as (config, registry), Journal(config, registry) as journal:
        with closing(Logs(config, registry, progress)) as logs:
            found = dossier(logs, id_, span)
        done = holding.add(config, registry, journal, found, wanted)
    if arguments.json:
        print(json_line(_as_dict(done.manifest)))
        return 0
    print("it is held already" if done.before else "held")
    print(_text(done.manifest))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from hub.holds.area import HoldArea
    from hub.holds.holding import held
    from hub.render import json_line, rfc3339

    with _site(arguments) as (config, registry):
        holds, area = held(config, registry), HoldArea.of(config)
        whole, unfinished = set(area.ids()), area.unfinished()
    shown = [each for each in holds.values() if arguments.all or each.released_at is None]
    shown_rows = [
        {
            "hold_id": each.hold_id,
            "state": _state(each, whole, unfinished),
            "case": each.case,
            "by": each.by,
            "added_at": rfc3339(each.added_at),
            "until": each.until,
            "asked": each.asked,
        }
        for each in shown
    ]
    shown_rows += [
        {
            "hold_id": each,
            "state": "broken off",
            "case": "",
            "by": "",
            "added_at": "",
            "until": "",
            "asked": "",
        }
        for each in unfinished
        if each not in holds
    ]
    if arguments.json:
        for row in shown_rows:
            print(json_line(row))
    elif shown_rows:
        print(table([list(shown_rows[0]), *(list(row.values()) for row in shown_rows)]))
    else:
        print("no holds")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from hub.holds.area import HoldArea
    from hub.render import json_line

    with _site(arguments) as (config, registry):
        hold, area = _known(config, registry, arguments.id), HoldArea.of(config)
        if hold.hold_id not in area.ids():
            ended = "it was released" if hold.released_at else "its copy is not there"
            raise ConfigError(ended, where=hold.hold_id, fix="see `hub hold list --all`")
        manifest, _ = area.manifest(hold.hold_id)
    print(json_line(_as_dict(manifest)) if arguments.json else _text(manifest))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from hub.holds.area import HoldArea
    from hub.holds.holding import held, verify
    from hub.render import json_line

    damaged = False
    with _site(arguments) as (config, registry):
        area = HoldArea.of(config)
        if arguments.ids:
            holds = [_known(config, registry, each) for each in arguments.ids]
        else:
            holds = list(held(config, registry).values())
        for hold in holds:
            if hold.released_at is not None:
                continue
            whole, problems = verify(area, hold)
            damaged |= bool(problems)
            if arguments.json:
                row = {"hold_id": hold.hold_id, "objects": whole, "problems": problems}
                print(json_line(row), flush=True)
            else:
                print(f"{hold.hold_id}  case {hold.case}: {whole} objects are whole", flush=True)
                for each in problems:
                    print(f"  ✗ {each}")
    return 1 if damaged else 0


def _release(arguments: argparse.Namespace) -> int:
    from hub.erasure.record import Journal
    from hub.holds import holding
    from hub.holds.area import HoldArea
    from hub.replay.writer import actor

    with _site(arguments) as (config, registry):
        area = HoldArea.of(config)
        if arguments.id in area.unfinished() and arguments.id not in holding.held(config, registry):
            if arguments.apply:
                area.remove(arguments.id)
            print("removed what a broken-off addition left" if arguments.apply else _DRY)
            return 0
        hold = _known(config, registry, arguments.id)
        if not arguments.apply:
            print(f"hold {hold.hold_id} for case {hold.case}, added by {hold.by}")
            print(_DRY)
            return 0
        with Journal(config, registry) as journal:
            holding.release(
                area, journal, hold, by=arguments.by, run_by=actor(), reason=arguments.reason
            )
    print(f"released; the copy of {hold.hold_id} is removed")
    return 0


_DRY = "its copy would be removed; nothing was changed, --apply does it"


def _known(config: "Config", registry: "Registry", wanted: str) -> "Held":
    """The hold with this id, or with an id that begins so."""
    from hub.holds.holding import held

    holds = held(config, registry)
    found = [hold for hold_id, hold in holds.items() if hold_id.startswith(wanted.lower())]
    if len(found) != 1:
        what = f"{len(found)} holds begin so" if found else "there is no such hold"
        fix = near(wanted, holds, fallback="take an id from `hub hold list --all`")
        raise ConfigError(what, where=wanted, fix=fix)
    return found[0]


def _state(hold: "Held", whole: set[str], unfinished: list[str]) -> str:
    from hub.plates.tables import hanoi_day

    if hold.released_at is not None:
        left = hold.hold_id in whole or hold.hold_id in unfinished
        return "released, not removed yet" if left else "released"
    if hold.hold_id not in whole:
        return "NOT COPIED"
    return (
        "past its day"
        if hold.until and hold.until < hanoi_day(datetime.now(UTC)).isoformat()
        else "held"
    )


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no day", where="--until", fix="write it as 2027-03-31"
        ) from error


def _as_dict(manifest: "Manifest") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(manifest)


def _text(manifest: "Manifest") -> str:
    """What a hold consists of, for people; names and sizes only."""
    lines = [
        ("hold", manifest.hold_id),
        ("case", manifest.case),
        ("by", f"{manifest.by} ({manifest.run_by}), {manifest.added_at}"),
        ("reason", manifest.reason),
        ("until", manifest.until or "open"),
        ("asked", manifest.asked),
    ]
    lines += [("event", each) for each in manifest.event_ids]
    lines += [
        (part.kind, f"{part.place or 'sha256:' + part.value}, {part.size_bytes} bytes")
        for part in manifest.parts
    ]
    lines += [("missing", f"{each.what}: {each.why}") for each in manifest.missing]
    return table(lines)
