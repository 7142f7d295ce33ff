"""What the author of a connector is told beside its outcomes; no stage pays for it.

Avro leaves out the fields that a schema lacks, and an identity path that leads nowhere is null: so
a misspelt name gives an event that is sound, and poorer than was meant.
"""

import linecache
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from sys import modules
from traceback import walk_tb
from typing import Any

import schemas
from hub.connector import Connector, Event, Inner, Payload
from hub.errors import PayloadError

__all__ = ["hints", "misspelt", "misspelt_identity", "raised_in"]

_PARTS = ("restricted", "body")
_INNER_MAX = 3  # payloads inside payloads, as the envelope reads them
# The source's own name of a message; the envelope makes `subject_id` of it.
_OF_CONNECTORS = {"subject_id": "subject"}


def hints(connector: Connector, payload: Payload, options: Any) -> list[str]:
    """What is misspelt in the events of a payload, and where a parser failed; each once."""
    return list(dict.fromkeys(_hints(connector, payload, options, _INNER_MAX)))


def _hints(connector: Connector, payload: Payload, options: Any, depth: int) -> Iterator[str]:
    try:
        for outcome in connector.parse(payload, options):
            if isinstance(outcome, Event):
                yield from misspelt(outcome)
            elif isinstance(outcome, Inner) and depth:
                yield from _hints(outcome.connector, outcome.payload, outcome.options, depth - 1)
    except PayloadError:
        return  # a refusal says itself what is wrong
    except Exception as error:  # noqa: BLE001 - a parser's defect, of which the outcome tells less
        if where := raised_in(connector, error):
            yield where


def misspelt(event: Event) -> Iterator[str]:
    """The names in an event's body and `restricted` that its noun has no field for."""
    if event.noun in schemas.nouns():
        for part in _PARTS:
            yield from _unknown(getattr(event, part), _types(event.noun)[part], part, event.noun)


def misspelt_identity(connector: Connector) -> Iterator[str]:
    """The identity paths of a connector that lead to no field."""
    for noun, paths in connector.identity.items():
        if noun in schemas.nouns():
            for path in paths:
                yield from (f"identity of {noun}: {why}" for why in _leads_nowhere(noun, path))


def raised_in(connector: Connector, error: BaseException) -> str:
    """The kind of an error and the connector's own line that led to it, never the data in it."""
    module = modules.get(connector.parse.__module__)
    own = Path(getattr(module, "__file__", None) or "")
    last = None
    for frame, line in walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file == own or (own.name == "__init__.py" and own.parent in file.parents):
            last = (file, line, frame.f_code.co_name)
    if last is None:
        return ""
    file, line, function = last
    text = linecache.getline(str(file), line).strip()
    return f"{type(error).__name__} at {file.name}:{line}, in {function}: {text}"


def _unknown(value: Any, type_: Any, path: str, noun: str) -> Iterator[str]:
    schema = _resolved(type_, noun)
    if isinstance(value, Mapping) and schema.get("type") == "record":
        fields = {_OF_CONNECTORS.get(each["name"], each["name"]): each for each in schema["fields"]}
        for name in value:
            if name not in fields:
                yield _no_field(f"{path}.{name}", schema, fields)
            else:
                yield from _unknown(value[name], fields[name]["type"], f"{path}.{name}", noun)
    elif isinstance(value, list | tuple) and schema.get("type") == "array":
        parts = (_unknown(each, schema["items"], f"{path}[]", noun) for each in value)
        yield from dict.fromkeys(chain.from_iterable(parts))


def _leads_nowhere(noun: str, path: str) -> Iterator[str]:
    part, *names = path.split(".")
    if part not in _PARTS:
        yield f"{path}: begin with {' or '.join(_PARTS)}"
        return
    schema, walked = _resolved(_types(noun)[part], noun), part
    for name in names:
        if schema.get("type") != "record":
            yield f"{path}: {walked} has no fields by name; name it as a whole"
            return
        fields = {each["name"]: each for each in schema["fields"]}
        walked = f"{walked}.{name}"
        if name not in fields:
            yield _no_field(walked, schema, fields)
            return
        schema = _resolved(fields[name]["type"], noun)


def _no_field(path: str, schema: schemas.Schema, fields: Iterable[str]) -> str:
    return f"{path}: no field of {schema['name']}; use {', '.join(sorted(fields))}"


@cache
def _types(noun: str) -> Mapping[str, Any]:
    """The parts of a noun's event, by name."""
    event = schemas.built(schemas.nouns()[noun].topic)
    return {field["name"]: field["type"] for field in event["fields"]}


@cache
def _named(noun: str) -> Mapping[str, schemas.Schema]:
    """The types that the schema of a noun's event names; later mentions only refer to them."""
    found: dict[str, schemas.Schema] = {}
    waiting: list[Any] = list(_types(noun).values())
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if "name" in each:
                found[each["name"]] = each
            waiting += [field["type"] for field in each.get("fields", ())]
            waiting += [each[key] for key in ("items", "values", "type") if key in each]
    return found


def _resolved(type_: Any, noun: str) -> schemas.Schema:
    """The type behind null and names; a plain one as an object too."""
    if isinstance(type_, list):
        (type_,) = [each for each in type_ if each != "null"]
    if isinstance(type_, str):
        return _named(noun).get(type_.rpartition(".")[2], {"type": type_})
    return dict(type_)
