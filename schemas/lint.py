"""Rules every schema keeps, because a reader's life depends on them.

Recursive types let a producer with write access crash readers (fastavro 1.13 dies on 20,000 nested
levels), items of zero bytes let six bytes claim fifty million of them, and a field without a
default can't be removed later. Every field says what it means.
"""

from collections.abc import Iterator
from typing import Any

__all__ = ["lint"]

_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_DEPTH_MAX = 16
# Fields whose absence no default can stand for: identities and coordinates.
_NO_DEFAULT = {
    "header", "origin", "event_id", "subject_id", "source_id", "sha256", "lat", "lon", "x", "y",
    "width", "height", "signal_group", "id", "field", "right", "name", "rule_id", "device_id",
    "location_id", "device_ref", "valid_from", "subscriber", "dead_id", "erasure_id", "hold_id",
    "slot", "sequence", "written_at", "stage", "topic", "partition", "from_offset", "to_offset",
    "next_offset", "start_ms", "ids", "minute", "failed_at", "received_at", "hour", "suggested",
    "review_id", "decided_at",
}  # fmt: skip


def lint(schema: Any) -> Iterator[str]:
    """What is wrong with a self-contained schema, as sentences; nothing when it is sound."""
    yield from _walk(schema, path="", inside=(), known={}, depth=0, namespace="")


def _walk(
    schema: Any,
    *,
    path: str,
    inside: tuple[str, ...],
    known: dict[str, Any],
    depth: int,
    namespace: str,
) -> Iterator[str]:
    if depth > _DEPTH_MAX:
        yield f"{path}: deeper than {_DEPTH_MAX} levels"
        return
    if isinstance(schema, list):
        for branch in schema:
            yield from _walk(
                branch, path=path, inside=inside, known=known, depth=depth, namespace=namespace
            )
        return
    if isinstance(schema, str):
        yield from _named_reference(schema, path, inside, known, namespace)
        return
    kind = schema["type"]
    if kind in ("record", "enum", "fixed"):
        namespace = schema.get("namespace", namespace)
        full = f"{namespace}.{schema['name']}"
        if full in known and known[full] != schema:
            yield f"{path}: {full} is defined twice, differently"
        known[full] = schema
        if "doc" not in schema:
            yield f"{path}: {full} has no doc"
    if kind == "enum" and (schema["symbols"][0] != "UNKNOWN" or schema.get("default") != "UNKNOWN"):
        yield f"{path}: {schema['name']} must begin with UNKNOWN and default to it"
    elif kind == "array":
        if _can_be_empty(schema["items"], known, namespace):
            yield f"{path}: items of zero bytes"
        yield from _walk(
            schema["items"],
            path=f"{path}[]",
            inside=inside,
            known=known,
            depth=depth + 1,
            namespace=namespace,
        )
    elif kind == "record":
        yield from _record(
            schema,
            path=path,
            inside=(*inside, full),
            known=known,
            depth=depth + 1,
            namespace=namespace,
        )


def _record(
    schema: Any,
    *,
    path: str,
    inside: tuple[str, ...],
    known: dict[str, Any],
    depth: int,
    namespace: str,
) -> Iterator[str]:
    for field in schema["fields"]:
        where = f"{path}.{field['name']}" if path else field["name"]
        if not field.get("doc"):
            yield f"{where}: no doc"
        if "default" not in field and field["name"] not in _NO_DEFAULT:
            yield f"{where}: no default"
        yield from _bad_default(field, where, known, namespace)
        yield from _walk(
            field["type"],
            path=where,
            inside=inside,
            known=known,
            depth=depth,
            namespace=namespace,
        )


def _bad_default(
    field: dict[str, Any], path: str, known: dict[str, Any], namespace: str
) -> Iterator[str]:
    """Java refuses a record's default that leaves out a field which has none itself."""
    type_ = field["type"]
    if isinstance(type_, str):
        type_ = known.get(type_ if "." in type_ else f"{namespace}.{type_}", type_)
    if isinstance(type_, dict) and type_["type"] == "record" and "default" in field:
        for inner in type_["fields"]:
            if "default" not in inner and inner["name"] not in field["default"]:
                yield f"{path}: its default gives no {inner['name']}, which has none"


def _named_reference(
    name: str, path: str, inside: tuple[str, ...], known: dict[str, Any], namespace: str
) -> Iterator[str]:
    if name in _PRIMITIVES:
        return
    full = name if "." in name else f"{namespace}.{name}"
    if full in inside:
        yield f"{path}: {full} contains itself"
    elif full not in known:
        yield f"{path}: {full} is not defined before it is used"


def _can_be_empty(items: Any, known: dict[str, Any], namespace: str) -> bool:
    """Whether an array item may take no bytes at all."""
    if items == "null":
        return True
    if isinstance(items, str):
        items = known.get(f"{namespace}.{items}", items)
    if isinstance(items, dict):
        if items["type"] == "fixed":
            return bool(items["size"] == 0)
        if items["type"] == "record":
            return all(_can_be_empty(field["type"], known, namespace) for field in items["fields"])
    return False
