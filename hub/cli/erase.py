"""`hub erase`: deletes what is stored of an event or a subject."""

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, json_option, table
from hub.cli.explain import id_of, progress

if TYPE_CHECKING:
    from hub.erasure.plan import Plan

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "erase",
        _erase,
        help_="delete what is stored of an event or a subject; shows it unless --apply is given",
        example="hub erase 5b1f0c9e-… --by 'data protection' --reason 'request 2026/031' --apply",
        description="Deletes the stored payload and pictures at once, unless a hold or another "
        "event needs them.\nRecords on topics can't be deleted one by one: it says when each "
        "will have gone. What is under\na legal hold is refused. Leaves a record in erasure.v1.",
    )
    parser.add_argument("id", metavar="ID", help="event_id or subject_id")
    parser.add_argument("--by", metavar="WHO", required=True, help="who decided it")
    parser.add_argument(
        "--reason", metavar="TEXT", required=True, help="why, without personal data"
    )
    parser.add_argument("--apply", action="store_true", help="do it")
    json_option(parser)


def _erase(arguments: argparse.Namespace) -> int:
    id_ = id_of(arguments.id)
    from hub.erasure import request
    from hub.erasure.record import Journal, erased_events
    from hub.explain.logs import Logs
    from hub.holds.dossier import dossier
    from hub.holds.holding import held
    from hub.registry import Registry
    from hub.replay.writer import actor

    config = config_of(arguments)
    asked = request.Request(arguments.by, actor(), arguments.reason)
    erasure_id = ""
    with closing(Registry(config.registry_url)) as registry, Journal(config, registry) as journal:
        with closing(Logs(config, registry, progress)) as logs:
            found = dossier(logs, id_)
            plan = request.plan(
                config,
                logs,
                found,
                asked,
                holds=held(config, registry).values(),
                erased=erased_events(config, registry),
            )
        if arguments.apply:
            erasure_id = request.apply(config, journal, plan, asked)
    if arguments.json:
        _print_json(plan, erasure_id)
    else:
        print(_text(plan, erasure_id))
    return 0


def _print_json(plan: "Plan", erasure_id: str) -> None:
    from hub.render import json_line

    print(
        json_line(
            {
                "erasure_id": erasure_id or None,
                "asked_id": plan.asked,
                "event_ids": [each.hex() for each in plan.event_ids],
                "objects": [each.as_dict() for each in plan.objects],
                "records": [each.as_dict() for each in plan.records],
            }
        )
    )


def _text(plan: "Plan", erasure_id: str) -> str:
    """What goes, what stays and why, and until when; names and counts only."""
    from hub.identity import uuid_text

    word = "deleted" if erasure_id else "would be deleted"
    rows = [("event", uuid_text(each), "") for each in plan.event_ids]
    for each in plan.objects:
        told = word if each.outcome == "deleted" else each.outcome
        rows.append((each.kind, f"sha256:{each.name}", f"{told}: {each.why}" if each.why else told))
    for left in plan.records:
        gone = left.gone_by.strftime("gone by %Y-%m-%d %H:%M UTC") if left.gone_by else "kept"
        rows.append(("records", f"{left.topic} ({left.count})", gone))
    done = f"erased; {erasure_id} in erasure.v1 says so" if erasure_id else _DRY
    return f"{table(rows)}\n{done}"


_DRY = "nothing was deleted, --apply does it"
