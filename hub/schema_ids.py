"""Ids of the schemas a stage writes and meets, from the registry, asked once."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import schemas
from hub.codec import Cut, EventCodec, HeadReader, RecordCodec, frame, schema_id
from hub.compatibility import breaks
from hub.errors import EnvironmentNotReadyError, RecordError
from hub.registry import Registry
from schemas.lint import lint

__all__ = ["SchemaIds", "Versions", "unsound"]

# What schemas of the hub are made of; lint looks into these alone.
_KINDS = {"record", "enum", "fixed", "array", "long", "int", "bytes", "string"}
# Twice what lint allows, as a union counts here too.
_DEPTH_MAX = 32


class SchemaIds:
    """Id of the current schema of each topic."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._codecs: dict[str, tuple[int | None, RecordCodec]] = {}
        self._writers: dict[tuple[str, int], schemas.Schema] = {}

    def current(self, topic: str) -> int:
        """Id of a topic's current schema; says to run `hub topics apply` when there is none."""
        return self.of(topic, schemas.built(topic))

    def of(self, topic: str, schema: schemas.Schema) -> int:
        """Id of one version of a topic's schema."""
        found = self._registry.id_of(f"{topic}-value", schema)
        if found is None:
            raise EnvironmentNotReadyError(
                "its schema is not registered", where=topic, fix="run `hub topics apply`"
            )
        return found

    def decode(self, topic: str, value: bytes) -> dict[str, Any]:
        """A record as the topic's current schema has it, whatever release of the hub wrote it.

        Raises `RecordError` for a schema that none of them can have.
        """
        if topic not in self._codecs:
            schema = schemas.built(topic)
            self._codecs[topic] = (
                self._registry.id_of(f"{topic}-value", schema),
                RecordCodec(schema, 0),
            )
        current, codec = self._codecs[topic]
        id_ = schema_id(value)
        if id_ == current:
            return codec.decode(value)
        if (topic, id_) not in self._writers:
            self._writers[topic, id_] = _other_version(self._registry, topic, id_)
        return codec.decode(value, self._writers[topic, id_])


class Versions:
    """Pairs every released version of a canonical schema with the subscriber schemas built from it.

    A record is spliced only within such a pair; any other is decoded and written anew.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ids = SchemaIds(registry)
        self._learnt: set[str] = set()
        self._frames: dict[tuple[bytes, str], Mapping[str, bytes]] = {}
        self._readers: dict[tuple[bytes, str], HeadReader] = {}
        self._successors: dict[tuple[int, str], schemas.Schema] = {}
        self._codec = cache(self._make_codec)

    def frames(self, prefix: bytes, noun: str) -> Mapping[str, bytes] | None:
        """Prefix of each subscriber's schema for a writer's prefix; None when it is no version.

        Raises `UnavailableError` while the registry is away and the answer is not yet known.
        """
        if noun not in self._learnt:
            self._learn(noun)
            self._learnt.add(noun)
        # Unknown prefixes are not kept: a hostile writer has four thousand million of them.
        return self._frames.get((prefix, noun))

    def reader(self, prefix: bytes, noun: str) -> HeadReader:
        """Reads records of a version that `frames` knows."""
        return self._readers[prefix, noun]

    def recode(self, value: bytes, noun: str) -> tuple[bytes, Cut]:
        """A record of an unknown version, written anew with the current schema.

        Unknown is right only while normalise runs a newer release than process. Raises
        `RecordError` for any other schema, before a byte of the record is decoded with it, and
        `UnavailableError` while the registry is away.
        """
        topic = schemas.nouns()[noun].topic
        writer = self._successor(schema_id(value), noun)
        record = RecordCodec(schemas.built(topic), 0).decode(value, writer)
        return self._codec(topic).encode(record["header"], record["restricted"], record["body"])

    def _successor(self, id_: int, noun: str) -> schemas.Schema:
        """The schema of an id, if it can be a later release's schema of the noun."""
        name = (id_, noun)
        if name not in self._successors:
            topic = schemas.nouns()[noun].topic
            self._successors[name] = _other_version(self._registry, topic, id_)
        return self._successors[name]

    def _learn(self, noun: str) -> None:
        """Pair the current and every released version of a noun."""
        topic = schemas.nouns()[noun].topic
        readers = {
            subscriber.id: schemas.subscriber_topic(subscriber.id, noun)
            for subscriber in schemas.subscribers().values()
            if noun in subscriber.nouns
        }
        current = {each: schemas.built(each) for each in readers.values()}
        versions = [(schemas.built(topic), current)]
        for number in schemas.releases():
            canonical = schemas.released_in(number, topic)
            then = {each: schemas.released_in(number, each) for each in readers.values()}
            complete = {
                each: schema
                for each, schema in then.items()
                if schema is not None and _spliced(schema) == _spliced(current[each])
            }
            if canonical is not None and len(complete) == len(readers):
                versions.append((canonical, complete))
        for canonical, of_topic in versions:
            writer = frame(self._ids.of(topic, canonical))
            self._readers.setdefault((writer, noun), HeadReader(canonical))
            self._frames.setdefault(
                (writer, noun),
                {
                    subscriber: frame(self._ids.of(each, of_topic[each]))
                    for subscriber, each in readers.items()
                },
            )

    def _make_codec(self, topic: str) -> EventCodec:
        return EventCodec(schemas.built(topic), self._ids.current(topic))


def _other_version(registry: Registry, topic: str, id_: int) -> schemas.Schema:
    """The schema of an id, if it can be another release's schema of the topic.

    Whoever can write to a topic can name any schema of the registry, and one made for that
    kills or stalls its decoder: recursive types, items of zero bytes. So it must be registered
    under the topic's own subject, keep the rules that every release keeps, and fit the current
    version both ways.
    """
    current = schemas.built(topic)
    try:
        writer: Any = registry.schema(id_)
    except (ValueError, RecursionError) as error:
        raise _foreign(id_, "no Avro schema") from error
    if writer is None:
        raise RecordError(f"the registry knows no schema {id_}", code="unknown-schema")
    if not isinstance(writer, dict) or writer.get("name") != current["name"]:
        raise _foreign(id_, f"not a schema of {topic}")
    if (fault := unsound(writer, current)) is not None:
        raise _foreign(id_, fault)
    if registry.id_of(f"{topic}-value", writer) != id_:
        raise _foreign(id_, f"not registered for {topic}")
    try:
        parsed: Any = RecordCodec(writer).schema
    except Exception as error:  # whatever the library raises: somebody else's schema
        raise _foreign(id_, f"not readable ({type(error).__name__})") from error
    found: schemas.Schema = parsed
    return found


def _spliced(schema: schemas.Schema) -> list[Any]:
    """The parts that process writes itself, or that give these their types: all but the body."""
    return [field for field in schema["fields"] if field["name"] != "body"]


def unsound(writer: schemas.Schema, current: schemas.Schema | None = None) -> str | None:
    """Why no release of the hub can have made a schema, as `current`'s successor; None if one can.

    Nothing may be decoded with an unsound one: it can end or stall the process that does.
    """
    try:
        reasons = [*_unusual(writer, 0), *lint(writer)]
        # Only then: comparing a recursive schema would not end.
        if not reasons and current is not None:
            reasons = breaks(current, writer)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        return f"malformed ({type(error).__name__})"
    return reasons[0] if reasons else None


def _unusual(schema: Any, depth: int) -> Iterator[str]:
    """Types that no schema of the hub uses, so that nothing hides behind them from the rules."""
    if depth > _DEPTH_MAX:
        yield f"deeper than {_DEPTH_MAX} levels"
    elif isinstance(schema, list):
        for branch in schema:
            yield from _unusual(branch, depth + 1)
    elif isinstance(schema, dict):
        kind = schema.get("type")
        if not isinstance(kind, str) or kind not in _KINDS:
            yield f"a type of its own: {str(kind)[:40]}"
        for field in schema.get("fields", ()):
            yield from _unusual(field["type"], depth + 1)
        if "items" in schema:
            yield from _unusual(schema["items"], depth + 1)
    elif not isinstance(schema, str):
        yield "no type"


def _foreign(id_: int, why: str) -> RecordError:
    return RecordError(
        f"written with schema {id_}, which is none of this hub's: {why[:200]}",
        code="wrong-schema",
        fix="find out who writes to the topic; after an upgrade of the hub, upgrade process too",
    )
