"""`hub tail TOPIC`."""

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of, json_option

if TYPE_CHECKING:
    from hub.kafka.records import Record
    from hub.tables import Decoder

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "tail",
        _tail,
        help_="print the events of a topic as JSON lines",
        example="hub tail police.plate_read.v1 --where 'body.speed_kmh > 80' --limit 5",
        description="Committed records only. Of raw topics the headers and the size are shown.\n"
        "--where: path op value, joined by `and`; op is one of = != < <= > >= ~ (contains).",
    )
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument(
        "--from-beginning", action="store_true", help="all there is, then what comes"
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="end after N records")
    parser.add_argument("--where", metavar="EXPR", default="", help="only records that match")
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="end after S seconds; exit code 1 when --limit was not reached by then",
    )
    # The output is JSON anyway; taken so that scripts may say it to every command.
    json_option(parser)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def _tail(arguments: argparse.Namespace) -> int:
    from hub import filter as filter_
    from hub.kafka.records import read
    from hub.registry import Registry
    from hub.render import json_line
    from hub.tables import Decoder, near_topic

    where = filter_.parse(arguments.where) if arguments.where else filter_.Where()
    config = config_of(arguments)
    registry = Registry(config.registry_url)
    decoder = Decoder(registry)
    shown = 0
    try:
        records = read(
            config.kafka,
            arguments.topic,
            from_beginning=arguments.from_beginning,
            follow=True,
            timeout_s=arguments.timeout,
            suggest=near_topic,
        )
        with closing(records):
            for record in records:
                found = _shown(record, decoder)
                if not where.matches(found):
                    continue
                print(json_line(found), flush=True)
                shown += 1
                if shown == arguments.limit:
                    return 0
    except KeyboardInterrupt:
        return 0
    finally:
        registry.close()
    if arguments.limit is None:
        return 0
    print(f"hub: {shown} of {arguments.limit} after {arguments.timeout:g} s", file=sys.stderr)
    return 1


def _shown(record: "Record", decoder: "Decoder") -> Mapping[str, Any]:
    """The event; of a raw record its headers and size; of one that can't be read, why."""
    from hub.errors import RecordError

    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    if record.topic.startswith("raw."):
        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        size = len(record.value or b"")
        return {**place, "appended_at": record.appended_at, "headers": headers, "size_bytes": size}
    if record.value is None:
        return {**place, "key": (record.key or b"").decode("utf-8", "replace"), "deleted": True}
    try:
        return decoder.decode(record.value)
    except RecordError as error:
        return {**place, "unreadable": error.what}
