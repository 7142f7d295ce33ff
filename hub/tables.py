"""Topics read to their end and decoded, and registers written: devices, rules, dead letters."""

import difflib
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import schemas
from hub.codec import RecordCodec, micros, schema_id
from hub.config import Config
from hub.defence import Defence
from hub.errors import RecordError
from hub.kafka.records import Record, read, write
from hub.registry import Registry
from hub.schema_ids import SchemaIds, unsound

__all__ = ["Decoder", "defence_of", "entries", "near_topic", "publish", "rows", "table"]

_FOREVER_US = 2**62


class Decoder:
    """Decodes framed values by the schema their writer registered."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._codecs: dict[int, RecordCodec] = {}

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """The record; `RecordError` when it is none or its schema is unknown."""
        id_ = schema_id(value)
        if id_ not in self._codecs:
            schema = self._registry.schema(id_)
            if schema is None:
                raise RecordError(f"the registry knows no schema {id_}", code="unknown-schema")
            if (fault := unsound(schema)) is not None:
                raise RecordError(
                    f"schema {id_} is none of this hub's: {fault}", code="wrong-schema"
                )
            self._codecs[id_] = RecordCodec(schema, id_)
        assert value is not None  # schema_id has refused it
        return self._codecs[id_].decode(value)


def rows(
    config: Config, registry: Registry, topic: str, *, since: datetime | None = None
) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Every record of a topic, decoded, up to its end; tombstones are left out."""
    decoder = Decoder(registry)
    records: Generator[Record, None, None] = read(
        config.kafka, topic, since=since, suggest=near_topic
    )
    for record in records:
        if record.value is not None:
            yield record, decoder.decode(record.value)


def table(config: Config, registry: Registry, topic: str) -> Mapping[bytes, dict[str, Any]]:
    """The last value of every key of a compacted topic, as its current schema has it."""
    ids = SchemaIds(registry)
    found: dict[bytes, dict[str, Any]] = {}
    for record in read(config.kafka, topic, suggest=near_topic):
        if record.key is None:
            continue
        if record.value is None:
            found.pop(record.key, None)
        else:
            found[record.key] = ids.decode(topic, record.value)
    return found


def entries(
    config: Config, registry: Registry, topic: str
) -> Iterator[tuple[bytes, dict[str, Any], int, int]]:
    """Entries of a dated register by key, each with when it holds, in µs: `from <= t < to`."""
    for key, entry in table(config, registry, topic).items():
        until = entry["valid_to"]
        to_us = _FOREVER_US if until is None else micros(until)
        yield key, entry, micros(entry["valid_from"]), to_us


def defence_of(config: Config, registry: Registry) -> Defence:
    """The devices of defence, as the register is now."""
    found = Defence()
    for entry in entries(config, registry, "device.v1"):
        found.put(*entry)
    return found


def publish(
    config: Config, registry: Registry, topic: str, records: Mapping[bytes, Mapping[str, Any]]
) -> int:
    """Write entries of a register by key, and wait for all replicas; how many."""
    codec = RecordCodec(schemas.built(topic), SchemaIds(registry).current(topic))
    return write(config.kafka, topic, [(key, codec.encode(each)) for key, each in records.items()])


def near_topic(name: str, topics: Iterable[str]) -> str:
    """How to mend a wrong topic's name."""
    near = difflib.get_close_matches(name, list(topics), n=2, cutoff=0.7)
    known = f"did you mean {' or '.join(near)}?" if near else "see `hub topics plan` for the names"
    return f"{known} If it is declared but not made yet, run `hub topics apply`"
