"""`hub replay`."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, json_option, table, time_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.registry import Registry
    from hub.replay.compare import Comparison
    from hub.replay.live import Sending
    from hub.replay.span import Span

__all__ = ["add"]

_SHOWN = 20


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "replay",
        _replay,
        help_="run a range of raw payloads through the current connectors again",
        example="hub replay --source vms-ring-3 --from 2026-03-01T08:00:00+07:00 "
        "--to 2026-03-01T09:00:00+07:00 --name new-parser",
        description="Writes what the connectors find now to topics of its own, replay.NAME.*, and "
        "compares\nit with the canonical topics: `hub tail` shows both. With --live nothing is "
        "written\nbefore --apply is given; then the events that the canonical topics lack are "
        "sent, marked\nas replayed, and where one corrects another, as an update of it.",
    )
    parser.add_argument("--source", required=True, metavar="S", help="whose payloads")
    parser.add_argument(
        "--from", required=True, metavar="T", dest="since", help="appended since, RFC 3339"
    )
    parser.add_argument(
        "--to", required=True, metavar="T", dest="until", help="and before, RFC 3339"
    )
    parser.add_argument("--name", metavar="NAME", help="of the private lane (default: S and T)")
    parser.add_argument(
        "--continue", action="store_true", dest="go_on", help="go on with a lane that is there"
    )
    parser.add_argument("--live", action="store_true", help="show what subscribers lack")
    parser.add_argument("--apply", action="store_true", help="with --live: send it")
    json_option(parser)


def _replay(arguments: argparse.Namespace) -> int:
    from hub.registry import Registry
    from hub.replay.span import span_of

    _check(arguments)
    config = config_of(arguments)
    since = time_of(arguments.since, option="--from")
    until = time_of(arguments.until, option="--to")
    span = span_of(config, arguments.source, since, until)
    registry = Registry(config.registry_url)
    try:
        run = _live if arguments.live else _private
        run(arguments, config, registry, span)
    finally:
        registry.close()
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.live and (arguments.name or arguments.go_on):
        raise ConfigError(
            "a live replay has no lane of its own",
            where="--live",
            fix="leave --name and --continue out",
        )
    if arguments.apply and not arguments.live:
        raise ConfigError(
            "a private lane is written at once",
            where="--apply",
            fix="leave it out, or say --live --apply to send to the canonical topics",
        )


def _private(
    arguments: argparse.Namespace, config: "Config", registry: "Registry", span: "Span"
) -> None:
    from hub.replay.lane import Lane
    from hub.replay.span import shortfalls

    name = arguments.name or f"{span.source}-{span.since:%Y%m%dT%H%M%SZ}"
    lane = Lane(config, registry, name, span)
    comparison = lane.run(go_on=arguments.go_on)
    _sums(
        arguments,
        comparison,
        {
            "lane": name,
            "written": lane.written,
            "topics": sorted(lane.topics.values()),
            "expired": shortfalls(config, span),
        },
    )
    if not arguments.json:
        print(f"{lane.written} events written; look at them with")
        for topic in sorted(lane.topics.values()):
            print(f"  hub tail {topic} --from-beginning")


def _live(
    arguments: argparse.Namespace, config: "Config", registry: "Registry", span: "Span"
) -> None:
    from hub.replay.live import Live

    live = Live(config, registry, span)
    count = _shown(arguments, live.apply() if arguments.apply else live.dry_run())
    more = {"lacking": count, "sent": count if arguments.apply else 0, "waiting": live.waiting}
    _sums(arguments, live.comparison, more)
    if arguments.json:
        return
    if live.waiting:
        print(f"left out: {live.waiting} raw records that normalise is yet to read")
    done = "sent" if arguments.apply else "would be sent; nothing was written, --apply does it"
    print(f"{count} {done}")


def _shown(arguments: argparse.Namespace, sendings: "Iterable[Sending]") -> int:
    """Print each event by its ids; how many there were."""
    from hub.render import json_line

    count = 0
    for sending in sendings:
        count += 1
        if arguments.json:
            print(json_line(sending.as_dict()))
        elif count <= _SHOWN:
            print(sending.text())
        elif count == _SHOWN + 1:
            print("… (--json shows all)")
    return count


def _sums(arguments: argparse.Namespace, comparison: "Comparison", more: dict[str, Any]) -> None:
    """The comparison, by noun, and what was refused."""
    from hub.render import json_line

    totals = comparison.totals()
    if arguments.json:
        sums = {"payloads": comparison.payloads, "nouns": totals}
        print(json_line({"summary": {**sums, "refused": comparison.refused, **more}}))
        return
    heads = ("same", "new", "missing")
    rows = [[noun, *(str(sums[head]) for head in heads)] for noun, sums in totals.items()]
    print(f"{comparison.payloads} payloads")
    if rows:
        print(table([["event ids", *heads], *rows]))
    for text in more.get("expired", ()):
        print(text)
    for code, count in comparison.refused.most_common():
        print(f"refused: {count} {code}")
