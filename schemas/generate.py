"""Builds everything that derives from the `.avsc` files people write; `--check` only compares.

python -m schemas.generate           writes built/, models.py and README.md
python -m schemas.generate --check   exits 1 when a committed file differs
python -m schemas.generate --release N   keeps the built schemas as released/N
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemas
from schemas.catalogue import catalogue
from schemas.lint import lint
from schemas.models_source import models_source

__all__ = ["build", "main"]


def build() -> dict[str, schemas.Schema]:
    """The self-contained schema of every topic with Avro values, by topic."""
    found: dict[str, schemas.Schema] = {}
    for noun in schemas.nouns().values():
        found[noun.topic] = _event(noun.record, noun.name, namespace="hanoi.hub", appended=False)
    for subscriber in schemas.subscribers().values():
        for name in subscriber.nouns:
            found[schemas.subscriber_topic(subscriber.id, name)] = _event(
                schemas.nouns()[name].record,
                name,
                namespace=f"hanoi.hub.{subscriber.id}",
                appended=True,
            )
    for topic in schemas.own_topics().values():
        found[topic.name] = schemas.source(topic.schema)
    return found


def _event(record: str, noun: str, *, namespace: str, appended: bool) -> schemas.Schema:
    """`{header, restricted, body}`; a subscriber's has `place`, `routing` … `hub` after them."""
    body = schemas.source(noun)
    fields: list[dict[str, Any]] = [
        {
            "name": "header",
            "type": schemas.source("header"),
            "doc": "What every event says of itself.",
        },
        {
            "name": "restricted",
            "type": schemas.source("restricted"),
            "doc": "Personal data, for those whose view allows it.",
            "default": {},
        },
        {"name": "body", "type": body, "doc": body["doc"], "default": {}},
    ]
    if appended:
        place, routing, view, hub = schemas.source("appended")
        fields += [
            {"name": "place", "type": place, "doc": place["doc"], "default": {}},
            {"name": "routing", "type": routing, "doc": routing["doc"], "default": {}},
            {"name": "view", "type": view, "doc": view["doc"], "default": {}},
            {
                "name": "reports",
                "type": "int",
                "doc": "How many reports of its source this event stands for: near duplicates are "
                "merged into the first, and counted in its updates. A state that was told again "
                "without a change counts in the report that passes once in a while.",
                "default": 1,
            },
            {
                "name": "assumed_end_at",
                "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
                "doc": "When to take a situation or alert as over if no more is said of it (UTC), "
                "as its source tells no end. Null where the source tells one, or sends all there "
                "is and so tells it by leaving it out, and for what is over or merely happened.",
                "default": None,
            },
            {"name": "hub", "type": hub, "doc": hub["doc"], "default": {}},
        ]
    return {
        "type": "record",
        "name": record,
        "namespace": namespace,
        "doc": schemas.nouns()[noun].meaning,
        "fields": fields,
    }


def _dump(schema: schemas.Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _files(everything: dict[str, schemas.Schema]) -> Iterator[tuple[Path, str]]:
    for topic, schema in everything.items():
        yield schemas.HERE / "built" / f"{topic}.avsc", _dump(schema)
    yield schemas.HERE / "models.py", models_source()
    yield schemas.HERE / "README.md", catalogue(everything)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; 1 when something differs or breaks a rule."""
    everything = build()
    problems = [f"{topic}: {text}" for topic, schema in everything.items() for text in lint(schema)]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    if arguments[:1] == ["--release"]:
        folder = schemas.HERE / "released" / arguments[1]
        folder.mkdir(parents=True)
        for topic, schema in everything.items():
            (folder / f"{topic}.avsc").write_text(_dump(schema), "utf-8")
        return 0
    check = arguments[:1] == ["--check"]
    stale = set()
    for path, text in _files(everything):
        if not path.exists() or path.read_text("utf-8") != text:
            stale.add(path.relative_to(schemas.HERE).as_posix())
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, "utf-8")
    expected = {path for path, _ in _files(everything)}
    for path in (schemas.HERE / "built").glob("*.avsc"):
        if path not in expected:
            stale.add(path.relative_to(schemas.HERE).as_posix())
            if not check:
                path.unlink()
    if check and stale:
        print("not up to date; run `python -m schemas.generate`:", *sorted(stale), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
