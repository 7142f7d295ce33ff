"""State of process across crashes: changelogs written with the output, read back to the offset.

Two changelogs, both partitioned as the canonical topics: new event ids, packed per transaction
(`state.process.ids.v1`, kept for a time), and last states, one record a subject
(`state.process.keyed.v1`, compacted). Each transaction also writes how far it brought an input
partition; a worker that takes a partition over reads until that mark equals the committed offset.
The mark is the self-check: smaller means that another worker's transaction still hides it, larger
that state and offsets contradict each other.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import schemas
from hub.codec import RecordCodec, schema_id
from hub.config import KafkaConfig
from hub.engine.failpoint import passing
from hub.engine.task import Partition, Produce, Restored
from hub.errors import InvariantError
from hub.kafka.clients import reader
from hub.kafka.reading import offsets_at, read_all
from hub.schema_ids import SchemaIds

__all__ = ["Changelog", "PartitionState"]

_log = logging.getLogger("hub.engine.state")
_IDS, _KEYED = "state.process.ids.v1", "state.process.keyed.v1"
# Another worker's open transaction hides ours at most as long as the broker lets it stay open.
_PATIENCE_S = 40.0


class PartitionState(Protocol):
    """What is kept for one input partition."""

    noun: schemas.NounSpec
    window: Any
    states: Any
    merger: Any


class Changelog:
    """Writes and restores the state of input partitions."""

    def __init__(self, kafka: KafkaConfig, ids: SchemaIds) -> None:
        self._kafka = kafka
        self._schema_ids = ids
        self._ids = RecordCodec(schemas.built(_IDS), ids.current(_IDS))
        self._keyed = RecordCodec(schemas.built(_KEYED), ids.current(_KEYED))

    def write(
        self, partition: Partition, state: PartitionState, next_offset: int, produce: Produce
    ) -> None:
        """Write what the open transaction changed, and how far it comes."""
        base = {
            "topic": partition.topic,
            "partition": partition.number,
            "next_offset": next_offset,
        }
        name = f"{partition.topic}/{partition.number}".encode()
        if state.noun.family == "occurrence":
            buckets = [{"start_ms": start, "ids": ids} for start, ids in state.window.changes()]
            things = b"" if state.merger is None else state.merger.changes()
            value = self._ids.encode({**base, "buckets": buckets, "things": things})
            produce(_IDS, value, name, None, partition.number)
            return
        for subject, packed in state.states.changes():
            value = self._keyed.encode({**base, "subject": subject, "value": packed})
            key = b"%b/%b" % (name, subject.hex().encode())
            produce(_KEYED, value, key, None, partition.number)
        passing("before-mark")
        mark = self._keyed.encode({**base, "subject": b"", "value": b""})
        produce(_KEYED, mark, name, None, partition.number)

    def restore(
        self, wanted: Iterable[Restored], states: Mapping[Partition, PartitionState]
    ) -> None:
        """Bring each partition's state to exactly its committed offset."""
        by_log: dict[tuple[str, int], dict[Partition, int | None]] = {}
        for partition, committed in ((each.partition, each.committed) for each in wanted):
            log = _IDS if states[partition].noun.family == "occurrence" else _KEYED
            by_log.setdefault((log, partition.number), {})[partition] = committed
        for (log, number), partitions in by_log.items():
            self._restore_log(log, number, partitions, states)

    def _restore_log(
        self,
        log: str,
        number: int,
        partitions: dict[Partition, int | None],
        states: Mapping[Partition, PartitionState],
    ) -> None:
        """Read one changelog partition until it holds every committed offset."""
        reached: dict[Partition, int] = {}
        next_read = self._beginning(log, number, partitions, states)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            for message in read_all(self._kafka, log, numbers=[number], start=next_read):
                next_read[number] = message.offset() + 1
                self._apply(log, message.value(), states, reached, partitions)
            missing = {
                partition
                for partition, committed in partitions.items()
                if committed is not None and reached.get(partition, -1) < committed
            }
            if not missing or self._all_expired(log, missing, partitions, states, reached):
                break
            if time.monotonic() > deadline:
                told = ", ".join(
                    f"{each.topic}/{each.number}: state to {reached.get(each, 'nowhere')}, "
                    f"group at {partitions[each]}"
                    for each in sorted(missing)
                )
                raise InvariantError(
                    f"the changelog ends before the committed offsets ({told})",
                    where=f"{log}/{number}",
                    fix="see 'State is missing' in ops/README.md",
                )
            time.sleep(0.2)
        for partition, committed in partitions.items():
            mark = reached.get(partition)
            if mark is not None and mark != committed:
                raise InvariantError(
                    f"state of {partition.topic}/{partition.number} stands at {mark}, "
                    f"the group at {committed}",
                    where=f"{log}/{number}",
                    fix="offsets were reset: see 'State is missing' in ops/README.md",
                )

    def _beginning(
        self,
        log: str,
        number: int,
        partitions: Mapping[Partition, int | None],
        states: Mapping[Partition, PartitionState],
    ) -> dict[int, int]:
        """Where to start reading: ids older than two windows can't matter."""
        if log == _KEYED:
            return {}
        window_s = max(states[partition].noun.window_s for partition in partitions)
        client = reader(self._kafka)
        try:
            since_ms = int((time.time() - 2 * window_s) * 1000)
            offset = offsets_at(client, log, [number], since_ms)[number]
        finally:
            client.close()
        return {number: offset} if offset >= 0 else {}

    def _apply(
        self,
        log: str,
        value: bytes,
        states: Mapping[Partition, PartitionState],
        reached: dict[Partition, int],
        partitions: Mapping[Partition, int | None],
    ) -> None:
        record = self._decode(log, value)
        partition = Partition(record["topic"], record["partition"])
        if partition not in partitions:
            return
        if log == _IDS:
            states[partition].window.restore(
                (bucket["start_ms"], bucket["ids"]) for bucket in record["buckets"]
            )
            if record["things"]:
                states[partition].merger.restore(record["things"])
            reached[partition] = record["next_offset"]
        elif record["subject"]:
            states[partition].states.restore(record["subject"], record["value"])
        else:
            reached[partition] = record["next_offset"]

    def _decode(self, log: str, value: bytes) -> dict[str, Any]:
        """A record of the changelog, be it of an earlier release."""
        codec = self._ids if log == _IDS else self._keyed
        id_ = schema_id(value)
        if id_ == self._schema_ids.current(log):
            return codec.decode(value)
        for schema in schemas.released(log):
            if self._schema_ids.of(log, schema) == id_:
                return codec.decode(value, schema)
        raise InvariantError(
            f"a record of the unknown schema {id_}",
            where=log,
            fix="only the hub may write here; see 'State is missing' in ops/README.md",
        )

    def _all_expired(
        self,
        log: str,
        missing: set[Partition],
        partitions: Mapping[Partition, int | None],
        states: Mapping[Partition, PartitionState],
        reached: Mapping[Partition, int],
    ) -> bool:
        """Whether ids are only missing because nothing arrived for longer than the window.

        The changelog of ids is kept for three windows; a partition idle for longer has an empty
        window, and no mark. Last states are kept for ever, so there a mark is never missing.
        """
        if log == _KEYED or any(partition in reached for partition in missing):
            return False
        client = reader(self._kafka)
        try:
            for partition in missing:
                since_ms = int((time.time() - states[partition].noun.window_s) * 1000)
                first = offsets_at(client, partition.topic, [partition.number], since_ms)
                committed = partitions[partition]
                if committed is None or 0 <= first[partition.number] < committed:
                    return False
        finally:
            client.close()
        _log.info("%s: nothing within the window; the state is empty", sorted(missing))
        return True
