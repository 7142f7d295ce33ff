"""Reading a topic from one end to the other, and writing registers: for tools, not for stages."""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from hub.config import KafkaConfig
from hub.errors import ConfigError, HubError
from hub.kafka.clients import check_reachable, producer, reader, translate, unwrap

__all__ = ["Record", "read", "write"]

_TIMEOUT_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """A committed record as it stands on a topic."""

    topic: str
    partition: int
    offset: int
    appended_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def read(
    kafka: KafkaConfig,
    topic: str,
    *,
    since: datetime | None = None,
    from_beginning: bool = True,
    follow: bool = False,
    timeout_s: float | None = None,
    suggest: Callable[[str, Iterable[str]], str] | None = None,
) -> Generator[Record, None, None]:
    """The committed records of all partitions, each partition in order.

    Ends at the end of the topic as it was found; with `follow` only after `timeout_s`, if ever.
    """
    topics = check_reachable(kafka)
    if topic not in topics:
        fix = suggest(topic, topics) if suggest else "run `hub topics apply`"
        raise ConfigError("there is no such topic", where=topic, fix=fix)
    client = reader(kafka)
    partitions = len(topics[topic].partitions)
    try:
        # Settled before this returns, so that a caller who writes afterwards sees what it wrote.
        client.assign(_start(client, topic, partitions, since, from_beginning))
    except KafkaException as exception:
        client.close()
        raise translate(unwrap(exception), doing=f"reading {topic}") from exception
    return _records(client, partitions, follow, timeout_s)


def _start(
    client: Consumer,
    topic: str,
    partitions: int,
    since: datetime | None,
    from_beginning: bool,  # noqa: FBT001 - private, called once
) -> list[TopicPartition]:
    if since is not None:
        at_ms = int(since.timestamp() * 1000)
        asked = [TopicPartition(topic, number, at_ms) for number in range(partitions)]
        found = client.offsets_for_times(asked, timeout=_TIMEOUT_S)
        return [
            TopicPartition(topic, each.partition, each.offset if each.offset >= 0 else OFFSET_END)
            for each in found
        ]
    # Asking for the ends also connects to the leaders; without it the first fetch waits 500 ms.
    places = []
    for number in range(partitions):
        place = TopicPartition(topic, number)
        first, end = client.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        places.append(TopicPartition(topic, number, first if from_beginning else end))
    return places


def _records(
    client: Consumer,
    partitions: int,
    follow: bool,  # noqa: FBT001 - private, called once
    timeout_s: float | None,
) -> Generator[Record, None, None]:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    ended: set[int] = set()
    try:
        while deadline is None or time.monotonic() < deadline:
            for message in client.consume(500, _POLL_S):
                error = message.error()
                if error is None:
                    yield _record(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    ended.add(message.partition() or 0)
                else:
                    raise translate(error, doing=f"reading {message.topic()}")
            if not follow and len(ended) == partitions:
                return
    finally:
        client.close()


def _record(message: Any) -> Record:
    _, milliseconds = message.timestamp()
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        appended_at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        key=message.key(),
        value=message.value(),
        headers=tuple((name, value or b"") for name, value in message.headers() or ()),
    )


def write(kafka: KafkaConfig, topic: str, records: Iterable[tuple[bytes, bytes | None]]) -> int:
    """Write keyed records and wait until all replicas have them; how many there were."""
    client = producer(kafka)
    failures: list[HubError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(translate(error, doing=f"writing to {topic}"))

    count = 0
    for key, value in records:
        while True:
            try:
                client.produce(topic, value, key, on_delivery=delivered)
            except BufferError:
                client.poll(0.1)
            else:
                break
        count += 1
    client.flush()
    if failures:
        raise failures[0]
    return count
