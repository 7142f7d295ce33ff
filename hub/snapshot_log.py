"""Snapshots across crashes: a compacted changelog, written with the events and read back.

Every change is written in the transaction that also holds the payload's offset. Who takes a raw
partition over has its committed offset first, so all that belongs to it stands in the log by then;
the markers that make it readable may come a moment later. So the end is noted with what is open
still, and reading begins once nothing is open before it.
"""

import time
from collections.abc import Mapping
from typing import Any

import schemas
from hub.codec import RecordCodec
from hub.config import KafkaConfig
from hub.engine.task import Partition, Produce
from hub.errors import UnavailableError
from hub.kafka.clients import reader
from hub.kafka.reading import ends, partitions_of, read_all
from hub.schema_ids import SchemaIds
from hub.snapshots import Snapshots

__all__ = ["SnapshotLog"]

_TOPIC = "state.normalise.snapshots.v1"
# Another worker's open transaction hides ours at most as long as the broker lets it stay open.
_PATIENCE_S = 40.0


class SnapshotLog:
    """Writes and restores what snapshots held, for one lane of normalise."""

    def __init__(self, kafka: KafkaConfig, ids: SchemaIds) -> None:
        self._kafka = kafka
        self._ids = ids
        self._codec = RecordCodec(schemas.built(_TOPIC), ids.current(_TOPIC))

    def write(self, partition: Partition, state: Snapshots, produce: Produce) -> None:
        """Write what the open transaction changed of one raw partition."""
        for (source_id, subject), fields in state.changes():
            name = f"{partition.topic}/{partition.number}/{source_id}/{subject.hex()}"
            value = None
            if fields is not None:
                base: dict[str, Any] = {
                    "topic": partition.topic,
                    "partition": partition.number,
                    "source_id": source_id,
                    "subject": subject,
                }
                value = self._codec.encode({**base, **fields})
            produce(_TOPIC, value, name.encode())

    def restore(self, states: Mapping[Partition, Snapshots]) -> None:
        """Bring raw partitions to what was committed; `UnavailableError` while that is hidden."""
        client = reader(self._kafka)
        try:
            numbers = partitions_of(client, _TOPIC)
        finally:
            client.close()
        self._wait_until_readable(numbers)
        kept: dict[bytes, Any] = {}
        for message in read_all(self._kafka, _TOPIC, numbers=numbers):
            if message.value() is None:
                kept.pop(message.key(), None)
            else:
                kept[message.key()] = message.value()
        for value in kept.values():
            record = self._ids.decode(_TOPIC, value)
            state = states.get(Partition(record["topic"], record["partition"]))
            if state is not None:
                state.restore(record["source_id"], record)

    def _wait_until_readable(self, numbers: list[int]) -> None:
        written = ends(self._kafka, _TOPIC, numbers, committed=False)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            readable = ends(self._kafka, _TOPIC, numbers)
            if all(readable[number] >= end for number, end in written.items()):
                return
            if time.monotonic() > deadline:
                raise UnavailableError("transactions before its end stay open", where=_TOPIC)
            time.sleep(0.1)
