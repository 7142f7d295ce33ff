"""What the topics of a cluster hold, read with nothing of the hub's: any subscriber could do it."""

import io
import json
import struct
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import fastavro
import httpx
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

__all__ = ["Decoder", "LiveReader", "Place", "offset_commits", "read", "topics_of"]

PATIENCE_S = 120.0
OFFSETS = "__consumer_offsets"
_PASSING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
}


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


def consumer(bootstrap: str, **settings: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests.faults",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # A reader that jumps would hide what it is here to see.
            "auto.offset.reset": "error",
            "reconnect.backoff.max.ms": 500,
            **settings,
        }
    )


def topics_of(bootstrap: str) -> list[str]:
    """Every topic of the cluster, its own left out."""
    client = consumer(bootstrap)
    try:
        return sorted(name for name in client.list_topics(timeout=30).topics if name[:2] != "__")
    finally:
        client.close()


def read(bootstrap: str, topics: Iterable[str]) -> Iterator[Any]:
    """Every committed record up to the ends as they are found, each partition in its order."""
    client = consumer(bootstrap)
    try:
        listed = client.list_topics(timeout=30).topics
        places = {Place(name, number) for name in topics for number in listed[name].partitions}
        client.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
        deadline = time.monotonic() + PATIENCE_S
        while places:
            for message in client.consume(2000, 0.2):
                error = message.error()
                if error is None:
                    deadline = time.monotonic() + PATIENCE_S
                    if (message.topic(), message.partition()) in places:
                        yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    places.discard(Place(message.topic(), message.partition()))
                elif error.code() not in _PASSING:
                    raise KafkaException(error)
            assert time.monotonic() < deadline, f"no end of {sorted(places)[:5]}"
    finally:
        client.close()


def offset_commits(bootstrap: str) -> dict[tuple[str, str, int], list[int]]:
    """Committed offsets by group, topic and partition, in the order they were committed.

    Read where the brokers keep them, so that offsets of a rolled back transaction are not there.
    """
    found = defaultdict(list)
    for message in read(bootstrap, [OFFSETS]):
        key, value = message.key(), message.value()
        (version,) = struct.unpack_from(">h", key)
        if version > 1 or value is None:
            continue  # members of a group, or an offset that was forgotten
        group, at = _text(key, 2)
        topic, at = _text(key, at)
        (number,) = struct.unpack_from(">i", key, at)
        found[group, topic, number].append(struct.unpack_from(">q", value, 2)[0])
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


class Decoder:
    """Decodes with the schema the record names, as the registry gives it, and to the last byte."""

    def __init__(self, registry_url: str) -> None:
        self._url = registry_url
        self._schemas: dict[int, Any] = {}

    def __call__(self, value: bytes) -> dict[str, Any]:
        assert value[0] == 0, "no framing"
        data = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(data, self._schema(value[1:5]))
        assert data.tell() == len(value) - 5, "bytes after the record"
        return record

    def _schema(self, id_: bytes) -> Any:
        number = int.from_bytes(id_, "big")
        if number not in self._schemas:
            answer = httpx.get(f"{self._url}/schemas/ids/{number}", trust_env=False, timeout=30)
            text = answer.raise_for_status().json()["schema"]
            self._schemas[number] = fastavro.parse_schema(json.loads(text))
        return self._schemas[number]


class LiveReader:
    """Reads committed records while they are written, and keeps what it was shown, in short.

    `problem` compares it with what a later reader finds: two readers must agree on every record.
    """

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self.seen: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        self._bootstrap = bootstrap
        self._topics = list(topics)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="live reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; raises what it died of."""
        self._stop.set()
        self._thread.join(30)
        if self._error is not None:
            raise self._error

    def problem(self, later: dict[Place, list[tuple[int, int]]]) -> str:
        """How the two readers differ; empty when they do not."""
        for place in sorted(later.keys() | self.seen.keys()):
            mine, other = self.seen[place], later.get(place, [])
            if mine != other:
                at = next((i for i, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b),
                          min(len(mine), len(other)))  # fmt: skip
                return (
                    f"{place.topic}/{place.number}: live {len(mine)} records, later {len(other)}; "
                    f"first difference at {(mine + other)[at][0] if mine + other else 0}: "
                    f"{mine[at : at + 2]} and {other[at : at + 2]}"
                )
        return ""

    def wait_for(self, later: dict[Place, list[tuple[int, int]]]) -> str:
        """Give it time to catch up with what a later reader found; the difference that stays."""
        deadline = time.monotonic() + 30
        while (told := self.problem(later)) and time.monotonic() < deadline:
            if self._error is not None:
                raise self._error
            time.sleep(0.2)
        return told

    def _run(self) -> None:
        client = consumer(self._bootstrap)
        try:
            listed = client.list_topics(timeout=60).topics
            client.assign(
                [
                    TopicPartition(name, number, OFFSET_BEGINNING)
                    for name in self._topics
                    for number in listed[name].partitions
                ]
            )
            while not self._stop.is_set():
                for message in client.consume(2000, 0.2):
                    error = message.error()
                    if error is None:
                        place = Place(message.topic(), message.partition())
                        self.seen[place].append(digest(message))
                    elif error.code() not in _PASSING | {KafkaError._PARTITION_EOF}:
                        raise KafkaException(error)  # noqa: TRY301 - told by `stop`
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            self._error = error
        finally:
            client.close()


def digest(message: Any) -> tuple[int, int]:
    """Offset of a record, and what tells it from any other at that place."""
    return message.offset(), zlib.crc32(message.value() or b"", zlib.crc32(message.key() or b""))
