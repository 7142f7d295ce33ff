"""The contract: Avro schemas and topics, as data.

`avro/` holds what people write; `built/` the self-contained schema of every topic, composed by
`schemas.generate`; `released/<n>/` what was ever released. `topics.toml` declares the topics,
`views.toml` who reads them, and by which rights.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from schemas.rights import PSEUDONYM, Right, rights_of

__all__ = [
    "HERE",
    "MergeSpec",
    "NounSpec",
    "ObjectSpec",
    "OwnTopic",
    "RetentionClass",
    "Right",
    "Schema",
    "SubscriberSpec",
    "built",
    "nouns",
    "objects",
    "own_topics",
    "released",
    "released_in",
    "releases",
    "restricted_fields",
    "retention",
    "source",
    "subscriber_topic",
    "subscribers",
    "topic_classes",
]

HERE = Path(__file__).parent
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MergeSpec:
    """Which reports of one device are near duplicates."""

    gap_s: float
    """Reports of one thing are no further apart, by the time they tell of."""
    span_s: float
    """A thing that goes on is reported anew after this long."""
    better: float
    """A reading this much surer than the best before is delivered, as an update."""


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long what is of one class is kept, and on what ground."""

    name: str
    holds: str
    ground: str
    days: int | None = None
    """None: until people end it, or for ever."""
    least: int = 0
    most: int = 0
    """Bounds of the days that a site may set."""


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """A kind of object in the evidence store."""

    name: str
    retention: str
    spare_days: int
    """Kept so much longer, as what refers to it may be."""
    meaning: str


@dataclass(frozen=True, slots=True)
class NounSpec:
    """One kind of event: its canonical topic and how repeats are told."""

    name: str
    topic: str
    record: str
    family: Literal["occurrence", "state"]
    lane: Literal["bulk", "urgent"]
    meaning: str
    key: str
    window_s: int = 0
    merge: MergeSpec | None = None
    keep_alive_s: int = 3_600
    """Of a state that is told again without a change, a report passes this often."""
    ttl_h: Mapping[str, float] = field(default_factory=dict)
    """Hours that a thing is assumed to go on whose source tells no end, by how its kind begins."""


@dataclass(frozen=True, slots=True)
class SubscriberSpec:
    """Who reads `<id>.<noun>.v1`, and by which rights."""

    id: str
    title: str
    retention: str
    nouns: tuple[str, ...]
    rights: tuple[Right, ...]
    """Of all dates, by id and start."""


@dataclass(frozen=True, slots=True)
class OwnTopic:
    """A topic of the hub itself."""

    name: str
    schema: str
    partitions: int | Literal["canonical"]
    key: str
    meaning: str
    retention: str
    cleanup: Literal["delete", "compact", "compact,delete"] = "delete"
    segment_minutes: int | None = None
    personal_data: bool = False
    readers: str = "the hub's stages and tools"
    """Who would break with its schema."""


@cache
def _declared(name: str) -> dict[str, Any]:
    with (HERE / name).open("rb") as file:
        return tomllib.load(file)


@cache
def retention() -> Mapping[str, RetentionClass]:
    """Every retention class by name, with the days of a site that sets none."""
    return {
        name: RetentionClass(name=name, **fields)
        for name, fields in _declared("topics.toml")["retention"].items()
    }


@cache
def objects() -> Mapping[str, ObjectSpec]:
    """Every kind of stored object by name."""
    return {
        name: ObjectSpec(name=name, **fields)
        for name, fields in _declared("topics.toml")["objects"].items()
    }


@cache
def nouns() -> Mapping[str, NounSpec]:
    """Every noun by name, in the order of the declaration."""
    declared = _declared("topics.toml")
    key = declared["classes"]["canonical"]["key"]
    return {
        name: NounSpec(
            name=name,
            **{
                "key": key,
                **fields,
                "merge": MergeSpec(**fields["merge"]) if "merge" in fields else None,
            },
        )
        for name, fields in declared["nouns"].items()
    }


@cache
def subscribers() -> Mapping[str, SubscriberSpec]:
    """Every subscriber by id; `ValueError` names a right that can't be one."""
    given = {*(f"restricted.{name}" for name in restricted_fields()), PSEUDONYM}
    return {
        name: SubscriberSpec(
            id=name,
            title=fields["title"],
            retention=fields["retention"],
            nouns=tuple(fields["nouns"]),
            rights=rights_of(name, fields.get("right", ()), nouns=fields["nouns"], fields=given),
        )
        for name, fields in _declared("views.toml").items()
    }


@cache
def own_topics() -> Mapping[str, OwnTopic]:
    """The hub's own topics by name."""
    return {
        name: OwnTopic(name=name, **fields)
        for name, fields in _declared("topics.toml")["own"].items()
    }


def topic_classes() -> Mapping[str, Mapping[str, Any]]:
    """Settings shared by the raw, canonical and subscriber topics."""
    classes: Mapping[str, Mapping[str, Any]] = _declared("topics.toml")["classes"]
    return classes


def subscriber_topic(subscriber: str, noun: str) -> str:
    """The topic a subscriber reads a noun from."""
    return f"{subscriber}.{noun}.v1"


@cache
def source(name: str) -> Any:
    """A schema as people write it: `avro/<name>.avsc` (a record, or a list of records)."""
    return json.loads((HERE / "avro" / f"{name}.avsc").read_text("utf-8"))


@cache
def restricted_fields() -> tuple[str, ...]:
    """Names of the fields of `restricted`, in their order, which is contract."""
    return tuple(field["name"] for field in source("restricted")["fields"])


@cache
def built(topic: str) -> Schema:
    """The current self-contained schema of a topic's values."""
    schema: Schema = json.loads((HERE / "built" / f"{topic}.avsc").read_text("utf-8"))
    return schema


def releases() -> list[int]:
    """Numbers of the releases whose schemas are kept, oldest first."""
    if not (HERE / "released").exists():
        return []
    return sorted(int(path.name) for path in (HERE / "released").glob("*") if path.is_dir())


def released_in(number: int, topic: str) -> Schema | None:
    """The schema of a topic in one release, or None when it had none."""
    path = HERE / "released" / str(number) / f"{topic}.avsc"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def released(topic: str) -> list[Schema]:
    """Every schema ever released for a topic, oldest first, each once."""
    found: list[Schema] = []
    for number in releases():
        schema = released_in(number, topic)
        if schema is not None and schema not in found:
            found.append(schema)
    return found
