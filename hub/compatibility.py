"""Why one schema can't read what another wrote: Avro's rules for `FULL` compatibility. Pure.

The registry has the last word; this names the field, works without a registry, and sees a break
between two versions of which neither is registered yet.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from schemas import Schema

__all__ = ["breaks", "first_break"]

_PROMOTIONS = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
    ("float", "double"), ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip
_Names = dict[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """What would break between readers and writers of two versions, either way; empty: nothing."""
    found = [
        f"a reader of the new version: {text}"
        for text in _reads(new, old, "", _named(new), _named(old))
    ]
    found += [
        f"a reader of a released version: {text}"
        for text in _reads(old, new, "", _named(old), _named(new))
    ]
    return found


def first_break(versions: list[Schema]) -> list[str]:
    """What breaks between any version and its successors; empty when all fit together."""
    for place, new in enumerate(versions):
        for old in reversed(versions[:place]):
            if found := breaks(old, new):
                return found
    return []


def _reads(reader: Any, writer: Any, path: str, readers: _Names, writers: _Names) -> Iterator[str]:
    reader, writer = _resolved(reader, readers), _resolved(writer, writers)
    if isinstance(writer, list):
        for branch in writer:
            yield from _reads(reader, branch, path, readers, writers)
        return
    if isinstance(reader, list):
        tried = [list(_reads(branch, writer, path, readers, writers)) for branch in reader]
        if all(tried):
            same = [
                texts
                for branch, texts in zip(reader, tried, strict=True)
                if _kind(_resolved(branch, readers)) == _kind(writer)
            ]
            yield from same[0] if same else [f"{path}: {_kind(writer)} is in no branch"]
        return
    if _kind(reader) != _kind(writer):
        if (_kind(writer), _kind(reader)) not in _PROMOTIONS:
            yield f"{path}: is {_kind(reader)}, was written as {_kind(writer)}"
        return
    yield from _same_kind(reader, writer, path, readers, writers)


def _same_kind(
    reader: Any, writer: Any, path: str, readers: _Names, writers: _Names
) -> Iterator[str]:
    kind = _kind(reader)
    if kind in ("record", "enum", "fixed") and reader["name"] != writer["name"]:
        yield f"{path}: is named {reader['name']}, was {writer['name']}"
    elif kind == "record":
        yield from _record(reader, writer, path, readers, writers)
    elif kind == "array":
        yield from _reads(reader["items"], writer["items"], f"{path}[]", readers, writers)
    elif kind == "enum":
        lost = sorted(set(writer["symbols"]) - set(reader["symbols"]))
        if lost and "default" not in reader:
            yield f"{path}: symbols {', '.join(lost)} are unknown and there is no default"
    elif kind == "fixed" and reader["size"] != writer["size"]:
        yield f"{path}: has {reader['size']} bytes, was written with {writer['size']}"


def _record(reader: Any, writer: Any, path: str, readers: _Names, writers: _Names) -> Iterator[str]:
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        where = f"{path}.{field['name']}" if path else field["name"]
        if field["name"] in written:
            yield from _reads(
                field["type"], written[field["name"]]["type"], where, readers, writers
            )
        elif "default" not in field:
            yield f"{where}: was not written and has no default"
    shared = [field["name"] for field in reader["fields"] if field["name"] in written]
    places = [list(written).index(name) for name in shared]
    if any(after < before for before, after in pairwise(places)):
        # Avro would resolve it; the hub's cutting at known places would not.
        yield f"{path or reader['name']}: the order of its fields changed"


def _kind(schema: Any) -> str:
    if isinstance(schema, list):
        return "union"
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _resolved(schema: Any, names: _Names) -> Any:
    return names.get(schema, schema) if isinstance(schema, str) else schema


def _named(schema: Any) -> _Names:
    """Every named type of a schema, by its short name and its full one."""
    found: _Names = {}

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, dict):
            if node.get("type") in ("record", "enum", "fixed"):
                found.setdefault(node["name"], node)
                if "namespace" in node:
                    found.setdefault(f"{node['namespace']}.{node['name']}", node)
            for each in ("items", "type"):
                if isinstance(node.get(each), dict | list):
                    walk(node[each])
            for field in node.get("fields", ()):
                walk(field)

    walk(schema)
    return found
