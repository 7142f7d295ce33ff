"""`hub connector record`, and `hub connector try --live`: what a configured source sends now."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, config_of

if TYPE_CHECKING:
    from hub.config import Config
    from hub.connector import Connector, Payload
    from hub.testing import DryRun

__all__ = ["add_record", "identity_wrong", "live_options", "show", "try_live"]

_CANT_KNOW = (
    "It can't know persons named in prose, plates in a spelling that the connector did not read, "
    "pictures of other formats than JPEG and PNG, or what is compressed or encrypted: look at each "
    "file before you keep it."
)


def add_record(connectors: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        connectors,
        "record",
        _record,
        help_="keep payloads of a configured source as samples, with personal data masked",
        example="hub connector record loops-giai-phong --limit 5 --recorded 'LD-4 firmware 2.1'",
        description="Reads the source's raw topic and writes nothing to Kafka. Plates become\n"
        "invented ones of the same shape, pictures small grey ones; what fields named after\n"
        f"persons hold, phone numbers and mail addresses are masked.\n{_CANT_KNOW}",
    )
    parser.add_argument("source", metavar="SOURCE", help="a source of hub.toml")
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder (default: samples)")
    parser.add_argument(
        "--recorded", default="", metavar="TEXT", help="the device and its firmware"
    )
    live_options(parser, limit=5)


def live_options(parser: argparse.ArgumentParser, *, limit: int | None = None) -> None:
    """Options of what reads a source's payloads as they come."""
    told = f"default: {limit}" if limit else "default: until Ctrl-C"
    parser.add_argument(
        "--limit", type=int, default=limit, metavar="N", help=f"end after N payloads ({told})"
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds")
    parser.add_argument(
        "--from-beginning", action="store_true", help="also what the raw topic still holds"
    )


def try_live(arguments: argparse.Namespace, connector: "Connector", given: dict[str, Any]) -> int:
    """Print what a connector makes of the source's payloads as they come."""
    from hub.discovery import options_of
    from hub.recording import live, source_of
    from hub.testing import DryRun, Sample

    config = config_of(arguments)
    entry = source_of(config, arguments.live)
    own = entry.connector == connector.name
    said = entry.connector_options() if own else {"zone": entry.zone}
    options = {**said, **given}
    options_of(connector, options, where=f"source.{arguments.live}.options")
    sample = Sample(name="", body=b"", source_id=arguments.live, options=options)
    dry = DryRun(connector, sample, key=_key_of(config))
    wrong, count = identity_wrong(connector), 0
    payloads = live(
        config,
        arguments.live,
        from_beginning=arguments.from_beginning,
        timeout_s=arguments.timeout,
    )
    try:
        for payload in payloads:
            wrong |= show(connector, dry, payload, payload.payload_id)
            count += 1
            if count == arguments.limit:
                break
    except KeyboardInterrupt:
        pass
    if not count:
        print(f"hub: nothing came from {arguments.live}", file=sys.stderr)
    return 1 if wrong or not count else 0


def _key_of(config: "Config") -> bytes:
    """The site's own key, so that ids are those delivered; without it a test key, which is said."""
    from hub.config import TEST_ID_KEY

    if config.id_key.get_secret_value():
        return config.site_key()
    text = "ids are of a test key, not those delivered; with HUB_ID_KEY_FILE they are the site's"
    print(f"hub: {text}", file=sys.stderr)
    return TEST_ID_KEY


def identity_wrong(connector: "Connector") -> bool:
    """Whether its identity names what its nouns do not have; says which."""
    from hub.testing import misspelt_identity

    found = list(misspelt_identity(connector))
    for text in found:
        print(f"hub: {connector.name}: {text}", file=sys.stderr)
    return bool(found)


def show(connector: "Connector", dry: "DryRun", payload: "Payload", name: str) -> bool:
    """Print what a connector makes of a payload, and what its author must know; whether it must."""
    from hub.render import json_line
    from hub.testing import hints, lines

    rejected = False
    for line in lines(name, dry.results(payload)):
        rejected = rejected or "rejected" in line
        print(json_line(line), flush=True)
    told = hints(connector, payload, dry.options)
    for text in told:
        print(f"hub: {name}: {text}", file=sys.stderr)
    return rejected or bool(told)


def _record(arguments: argparse.Namespace) -> int:
    from hub.discovery import connector
    from hub.recording import keep, live, new_masker, source_of

    config = config_of(arguments)
    entry = source_of(config, arguments.source)
    masker, counts, written = new_masker(), Counter[str](), 0
    payloads = live(
        config,
        arguments.source,
        from_beginning=arguments.from_beginning,
        timeout_s=arguments.timeout,
    )
    try:
        for payload in payloads:
            kept = keep(
                payload,
                connector=connector(entry.connector),
                options=entry.connector_options(),
                folder=arguments.into or Path("samples"),
                masker=masker,
                recorded=arguments.recorded,
            )
            if kept.file is None:
                print(f"hub: not kept: {kept.why}", file=sys.stderr)
                continue
            print(kept.file)
            counts.update(kept.counts)
            written += 1
            if written == arguments.limit:
                break
    except KeyboardInterrupt:
        pass
    masked = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
    print(f"masked: {masked}. {_CANT_KNOW}", file=sys.stderr)
    return 0 if written else 1
