"""`hub connector list|new|try|record|test`."""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.common import (
    Commands,
    command,
    group,
    json_option,
    name_of,
    pairs,
    read_input,
    table,
    time_of,
)
from hub.cli.connector_record import add_record, identity_wrong, live_options, show, try_live
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.connector import Connector
    from hub.testing import Sample

__all__ = ["add"]

_OF_SIDECAR = ("content_type", "received_at", "source_id", "meta", "options")


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    connectors = group(
        commands,
        "connector",
        help_="list, begin, try, record and test connectors",
        example="hub connector try cap alert.xml",
    )
    listed = command(
        connectors,
        "list",
        _list,
        help_="the connectors of this hub, with their quality tiers",
        example="hub connector list --json",
    )
    listed.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the generated parts of this document"
    )
    json_option(listed)
    _add_new(connectors)
    _add_try(connectors)
    add_record(connectors)
    _add_test(connectors)


def _add_test(connectors: "Commands[argparse.ArgumentParser]") -> None:
    tested = command(
        connectors,
        "test",
        _test,
        help_="run the conformance kit over a connector's recorded payloads",
        example="hub connector test cap --samples tests/samples/cap",
    )
    tested.add_argument("name", metavar="NAME", help="connector, or its module: a .py file")
    tested.add_argument(
        "--samples", type=Path, metavar="DIR", help="payloads (default: tests/samples/NAME)"
    )
    _set_option(tested, "an option of the source for all samples; their own go before")
    tested.add_argument(
        "--update", action="store_true", help="write the expected outcomes as they are now"
    )
    json_option(tested)


def _add_new(connectors: "Commands[argparse.ArgumentParser]") -> None:
    made = command(
        connectors,
        "new",
        _new,
        help_="make a module, a payload, its expected outcomes and a test, green at once",
        example="hub connector new vendor_device --folder vendor-device",
        description="In a checkout of the hub it becomes one of its connectors; with --folder, a\n"
        "package of its own. Nothing is written when a file is there already.",
    )
    made.add_argument("name", metavar="NAME", help="small letters, digits and underscores")
    made.add_argument("--folder", type=Path, metavar="DIR", help="of a package of its own")
    made.add_argument("--title", default="", metavar="TEXT", help="the system and its versions")


def _add_try(connectors: "Commands[argparse.ArgumentParser]") -> None:
    tried = command(
        connectors,
        "try",
        _try,
        help_="print what a connector makes of payloads; writes nothing",
        example="hub connector try hikvision_isapi event.xml --set zone=Asia/Bangkok",
        description="One JSON line an outcome: an event, a rejection, or nothing and why.\n"
        "What FILE.meta.json beside a payload says of its transport and source is used; options\n"
        "of the command go before. Exit code 1 when anything was rejected, or the connector gives\n"
        "a field or an identity that its noun does not have.",
    )
    tried.add_argument("name", metavar="NAME", help="connector, or its module: a .py file")
    tried.add_argument("files", nargs="*", metavar="FILE", help="payload; - for standard input")
    tried.add_argument(
        "--live", metavar="SOURCE", help="what this source of hub.toml sends, instead of files"
    )
    live_options(tried)
    tried.add_argument("--content-type", metavar="CT", help="default: of the sidecar, else guessed")
    tried.add_argument(
        "--received-at",
        metavar="T",
        help="RFC 3339 with offset; default: of the sidecar, else now",
    )
    tried.add_argument(
        "--source-id", metavar="ID", help="default: of the sidecar, else dry-run; not for --live"
    )
    tried.add_argument(
        "--meta",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the transport knows: mqtt_topic, path, header.<name>",
    )
    _set_option(tried, "an option of the source: zone=Asia/Bangkok")
    # The output is JSON anyway; taken so that scripts may say it to every command.
    json_option(tried)


def _set_option(parser: argparse.ArgumentParser, help_: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], dest="options", metavar="KEY=VALUE", help=help_
    )


def _list(arguments: argparse.Namespace) -> int:
    from hub.connector_table import example_entry, of_this_package, options_shown, put, ways_in
    from hub.discovery import connectors
    from hub.render import json_line
    from hub.testing import evidence_of, samples_folder

    found = connectors()
    if arguments.markdown is not None:
        changed = put(arguments.markdown, of_this_package(found.values()))
        print(f"{arguments.markdown}: {'written' if changed else 'is as it must be'}")
        return 0
    rows = [("name", "tier", "lane", "emits", "title", "module")]
    for each in found.values():
        module = each.parse.__module__
        evidence = evidence_of(each, samples_folder(each))
        if arguments.json:
            print(
                json_line(
                    {
                        "name": each.name,
                        "title": each.title,
                        "version": each.version,
                        "tier": evidence.tier,
                        "samples": evidence.samples,
                        "lacks": evidence.lacks,
                        "lane": each.lane,
                        "transports": ways_in(each),
                        "emits": each.emits,
                        "options": options_shown(each),
                        "example": example_entry(each),
                        "module": module,
                    }
                )
            )
        emits = ", ".join(each.emits) or "as declared"
        rows.append((each.name, evidence.tier, each.lane, emits, each.title, module))
    if not arguments.json:
        print(table(rows))
        print("\noptions:")
        for each in found.values():
            for option in options_shown(each):
                print(f"  {each.name}: {option['name']} = {option['default']!r}: {option['text']}")
    return 0


def _new(arguments: argparse.Namespace) -> int:
    from hub.scaffold import scaffold

    here = Path.cwd()
    made = scaffold(arguments.name, arguments.folder, title=arguments.title, here=here)
    for path in made.files:
        print(path.relative_to(here) if path.is_relative_to(here) else path)
    shown = made.module.relative_to(here) if made.module.is_relative_to(here) else made.module
    samples = made.samples.relative_to(here) if made.samples.is_relative_to(here) else made.samples
    name = shown if arguments.folder else arguments.name
    print(f"\nnext: hub connector try {name} {samples / 'first.json'}", file=sys.stderr)
    return 0


def _try(arguments: argparse.Namespace) -> int:
    from hub.discovery import named
    from hub.testing import DryRun

    found = named(arguments.name)
    if arguments.source_id is not None:
        name_of(arguments.source_id, option="--source-id")
    options = _typed(found, pairs(arguments.options, option="--set"))
    if bool(arguments.files) == bool(arguments.live):
        raise ConfigError(
            "payloads come from files or from a source",
            where="hub connector try",
            fix="name files, or --live SOURCE",
        )
    if arguments.live:
        return try_live(arguments, found, options)
    # Read all first: a missing file or a wrong option is wrong use, not half an answer.
    samples = [_sample(name, arguments, options) for name in arguments.files]
    runs = [(sample, DryRun(found, sample)) for sample in samples]
    wrong = identity_wrong(found)
    for sample, dry in runs:
        wrong |= show(found, dry, sample.payload(), sample.name)
    return 1 if wrong else 0


def _sample(name: str, arguments: argparse.Namespace, options: Mapping[str, Any]) -> "Sample":
    from hub.testing import Sample, content_type_of, sidecar_of

    body = read_input(name)
    said = sidecar_of(Path(name)) if name != "-" else {}
    used = [key for key in _OF_SIDECAR if said.get(key)]
    if used:
        text = f"{name}: {', '.join(used)} as {Path(name).name}.meta.json says"
        print(f"hub: {text}; options of this command go before", file=sys.stderr)
    return Sample(
        name=name,
        body=body,
        content_type=(
            arguments.content_type or said.get("content_type") or content_type_of(name, body)
        ),
        received_at=(
            time_of(arguments.received_at, option="--received-at")
            if arguments.received_at
            else said.get("received_at") or datetime.now(UTC)
        ),
        source_id=arguments.source_id or said.get("source_id") or "dry-run",
        meta={**said.get("meta", {}), **pairs(arguments.meta, option="--meta")},
        options={**said.get("options", {}), **options},
    )


def _typed(connector: "Connector", values: Mapping[str, str]) -> dict[str, Any]:
    """Texts as they are, except where an option is a list or an object: those as JSON."""
    typed: dict[str, Any] = {}
    for key, text in values.items():
        field = connector.options.model_fields.get(key)
        typed[key] = text
        if field is not None and field.annotation is not str and text[:1] in ("[", "{"):
            try:
                typed[key] = json.loads(text)
            except ValueError:
                continue  # the option's own check says what it wants
    return typed


def _test(arguments: argparse.Namespace) -> int:
    from hub.discovery import named
    from hub.render import json_line
    from hub.testing import (
        check_connector,
        dry_run,
        evidence_of,
        lines,
        payloads_per_s,
        samples_in,
        update_expected,
    )

    found = named(arguments.name)
    folder = arguments.samples or Path("tests") / "samples" / found.name
    given = _typed(found, pairs(arguments.options, option="--set"))
    samples = samples_in(folder, given)
    if arguments.update:
        changed = update_expected(found, folder, given)
        print(f"{changed} of {len(samples)} expected files written", file=sys.stderr)
    problems = check_connector(found, folder, given)
    broken = {problem.sample for problem in problems}
    rows: list[tuple[str, ...]] = [
        ("sample", "events", "rejected", "nothing", "payloads/s", "result")
    ]
    for sample in samples:
        outcomes = list(lines(sample.name, dry_run(found, sample)))
        counts = [
            sum(word in line for line in outcomes) for word in ("event", "rejected", "nothing")
        ]
        result = "✗" if sample.name in broken else "✓"
        speed = f"{payloads_per_s(found, sample):,.0f}"
        rows.append((sample.name, *(str(count) for count in counts), speed, result))
    if arguments.json:
        for each in problems:
            print(json_line({"sample": each.sample, "rule": each.rule, "text": each.text}))
    else:
        print(table(rows))
        for problem in problems:
            print(f"✗ {problem}")
        evidence = evidence_of(found, folder)
        if not problems:
            print(
                f"tier: {evidence.tier}", *(f"lacks {each}" for each in evidence.lacks), sep="\n  "
            )
    return 1 if problems else 0
