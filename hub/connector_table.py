"""The connectors of this repository as Markdown: the generated parts of `connectors/README.md`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from hub.connector import Connector, Options
from hub.errors import ConfigError
from hub.testing.tiers import evidence_of, samples_folder

__all__ = ["example_entry", "of_this_package", "options_shown", "put", "ways_in", "with_parts"]

_MARKED = r"(<!-- connectors:{0} -->\n).*?(<!-- /connectors:{0} -->)"
_WAYS = {
    "http_push": "push",
    "http_poll": "poll",
    "http_stream": "stream",
    "drop_folder": "drop folder",
    "mqtt": "MQTT",
    "onvif_pullpoint": "PullPoint",
    "rsmp_tcp": "TCP",
    "kafka": "Kafka",
}


def of_this_package(connectors: Iterable[Connector]) -> list[Connector]:
    """Those of `connectors/`; entry points of other packages are left out."""
    return [each for each in connectors if each.parse.__module__.startswith("connectors.")]


def options_shown(connector: Connector) -> list[dict[str, Any]]:
    """Name, default and meaning of each option."""
    return [
        {
            "name": name,
            "default": None
            if field.is_required()
            else field.get_default(call_default_factory=True),
            "text": field.description or "",
        }
        for name, field in connector.options.model_fields.items()
    ]


def ways_in(connector: Connector) -> tuple[str, ...]:
    """Kinds of transport its payloads come by; also a stream, where it splits one."""
    kinds = connector.transports
    splits = connector.split is not None and "http_stream" not in kinds
    return (*kinds, "http_stream") if splits else kinds


def example_entry(connector: Connector) -> str:
    """A source's entry for `hub.toml` that this connector reads."""
    name = f"my-{connector.name.replace('_', '-')}"
    entry: dict[str, Any] = {"connector": connector.name, "owner": "csgt", "purpose": "traffic"}
    if connector.transports and "http_push" not in connector.transports:
        entry["transport"] = {"kind": connector.transports[0]}
    if connector.example_options:
        entry["options"] = dict(connector.example_options)
    return tomli_w.dumps({"source": {name: entry}}).replace("[source]\n", "")


def with_parts(text: str, connectors: Iterable[Connector], *, where: str) -> str:
    """The document with its generated parts as they are now; `ConfigError`: one has no place."""
    found = sorted(connectors, key=lambda each: each.name)
    parts = {"table": "\n".join(_table(found)), "each": "\n".join(_each(found))}
    for name, part in parts.items():
        text, places = re.subn(
            _MARKED.format(name),
            lambda match, part=part: f"{match[1]}{part}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if places != 1:
            raise ConfigError(
                f"{places} places for the part {name!r} instead of one",
                where=where,
                fix=f"put <!-- connectors:{name} --> and <!-- /connectors:{name} --> on lines of "
                "their own",
            )
    return text


def put(file: Path, connectors: Iterable[Connector]) -> bool:
    """Write the generated parts of a document; whether anything changed."""
    try:
        before = file.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            f"can't read it: {error.strerror}", where=str(file), fix="name connectors/README.md"
        ) from error
    after = with_parts(before, connectors, where=str(file))
    if after != before:
        file.write_text(after, "utf-8")
    return after != before


def _table(connectors: list[Connector]) -> Iterator[str]:
    yield "| name | system and versions | ways in | nouns | lane | options of its own | tier |"
    yield "|---|---|---|---|---|---|---|"
    for each in connectors:
        own = [f"`{option['name']}`" for option in _own_options(each)]
        nouns = ", ".join(f"`{noun}`" for noun in each.emits) or "as declared"
        ways = ", ".join(_WAYS.get(kind, kind) for kind in ways_in(each))
        tier = evidence_of(each, samples_folder(each)).tier
        options = ", ".join(own) or "none"
        title = each.title.replace("|", "\\|")
        yield f"| `{each.name}` | {title} | {ways} | {nouns} | {each.lane} | {options} | {tier} |"


def _each(connectors: list[Connector]) -> Iterator[str]:
    for place, each in enumerate(connectors):
        if place:
            yield ""
        yield f"### {each.name}"
        yield ""
        yield f"{each.title[0].upper()}{each.title[1:].rstrip('.')}."
        options = _own_options(each)
        if options:
            yield ""
            for option in options:
                text = " ".join(option["text"].split()).rstrip(".")
                yield f"- `{option['name']}` ({_default(option['default'])}): {text}."
        yield ""
        yield "```toml"
        yield example_entry(each).strip()
        yield "```"


def _own_options(connector: Connector) -> list[dict[str, Any]]:
    shared = set(Options.model_fields)
    return [option for option in options_shown(connector) if option["name"] not in shared]


def _default(value: Any) -> str:
    if value is None or value == "" or (isinstance(value, Mapping | list | tuple) and not value):
        return "not set"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
