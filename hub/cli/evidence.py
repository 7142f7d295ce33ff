"""`hub evidence expire`: removes stored payloads and pictures that are past their class."""

import argparse
import time
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, group, json_option, table

if TYPE_CHECKING:
    from hub.config import Config
    from hub.erasure.expire import ExpiredDay

__all__ = ["add"]

_HOUR_S = 3600.0


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    evidence = group(
        commands,
        "evidence",
        help_="stored payloads and pictures",
        example="hub evidence expire --dry-run",
    )
    parser = command(
        evidence,
        "expire",
        _expire,
        help_="remove what is past its retention class",
        example="hub evidence expire --dry-run",
        description="Removes stored bodies and pictures whose last day of need is past, and what "
        "broken-off\nwrites have left. What a legal hold names stays. A deletion leaves a record "
        "in erasure.v1.\nRun it once a day, on one machine that reaches the evidence store.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would go; removes nothing"
    )
    parser.add_argument(
        "--every", type=_hours, metavar="HOURS", help="do it again and again, until it is stopped"
    )
    json_option(parser)


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24:
        raise argparse.ArgumentTypeError("give more than 0 and at most 24 hours")
    return hours


def _expire(arguments: argparse.Namespace) -> int:
    from hub.worker import stop_on_signals

    config = config_of(arguments)
    if arguments.every is None:
        _once(config, arguments)
        return 0
    with stop_on_signals() as stop:
        while True:
            started = time.monotonic()
            _once(config, arguments)
            if stop.wait(max(0.0, started + arguments.every * _HOUR_S - time.monotonic())):
                return 0


def _once(config: "Config", arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from hub.erasure.expire import expire, to_expire
    from hub.erasure.record import Journal
    from hub.evidence import EvidenceStore
    from hub.holds.area import HoldArea
    from hub.registry import Registry
    from hub.replay.writer import actor

    store, area = EvidenceStore.open(config.evidence()), HoldArea.of(config)
    swept = 0
    if arguments.dry_run:
        days = to_expire(config, store, area.stored())
    else:
        with closing(Registry(config.registry_url)) as registry, Journal(config, registry) as mine:
            days, swept = expire(config, store, area.stored, mine, run_by=actor())
    _print(days, swept, arguments)


def _print(days: "list[ExpiredDay]", swept: int, arguments: argparse.Namespace) -> None:
    from hub.render import json_line

    if arguments.json:
        for each in days:
            print(json_line(each.as_dict()), flush=True)
        return
    if days:
        heads = ("kind", "day", "objects", "bytes", "held")
        rows = [
            (
                each.past.kind,
                str(each.past.day),
                str(each.objects),
                str(each.size_bytes),
                str(each.held),
            )
            for each in days
        ]
        print(table([heads, *rows]))
    count, size = sum(each.objects for each in days), sum(each.size_bytes for each in days)
    if arguments.dry_run:
        print(f"{count} objects, {size} bytes are past their class; nothing was removed")
    else:
        left = f", {swept} left-overs" if swept else ""
        print(f"removed {count} objects, {size} bytes{left}", flush=True)
