"""Ids of the schemas a stage writes and meets, from the registry, asked once."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import schemas
from hub.codec import Cut, EventCodec, HeadReader, RecordCodec, frame, schema_id
from hub.errors import EnvironmentNotReadyError, RecordError
from hub.registry import Registry

__all__ = ["SchemaIds", "Versions"]


class SchemaIds:
    """Id of the current schema of each topic."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

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


class Versions:
    """Pairs every released version of a canonical schema with the subscriber schemas built from it.

    A record is spliced only within such a pair; any other is decoded and written anew.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ids = SchemaIds(registry)
        self._frames: dict[tuple[bytes, str], Mapping[str, bytes] | None] = {}
        self._readers: dict[tuple[bytes, str], HeadReader] = {}
        self._codec = cache(self._make_codec)

    def frames(self, prefix: bytes, noun: str) -> Mapping[str, bytes] | None:
        """Prefix of each subscriber's schema for a writer's prefix; None when it is no version.

        Raises `UnavailableError` while the registry is away and the answer is not yet known.
        """
        name = (prefix, noun)
        if name not in self._frames:
            self._learn(noun)
            self._frames.setdefault(name, None)
        return self._frames[name]

    def reader(self, prefix: bytes, noun: str) -> HeadReader:
        """Reads records of a version that `frames` knows."""
        return self._readers[prefix, noun]

    def recode(self, value: bytes, noun: str) -> tuple[bytes, Cut]:
        """A record of an unknown version, written anew with the current schema."""
        writer = self._registry.schema(schema_id(value))
        if writer is None:
            raise RecordError(
                f"the registry knows no schema {schema_id(value)}", code="unknown-schema"
            )
        topic = schemas.nouns()[noun].topic
        if writer.get("name") != schemas.nouns()[noun].record:
            raise RecordError(f"written with a schema of {writer.get('name')}", code="wrong-schema")
        record = RecordCodec(schemas.built(topic), 0).decode(value, writer)
        return self._codec(topic).encode(record["header"], record["restricted"], record["body"])

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


def _spliced(schema: schemas.Schema) -> list[Any]:
    """The parts that process writes itself, or that give these their types: all but the body."""
    return [field for field in schema["fields"] if field["name"] != "body"]
