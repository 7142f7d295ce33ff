"""Reading outside consumer groups: a changelog up to a point, a register as it changes."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from hub.config import KafkaConfig
from hub.errors import EnvironmentNotReadyError
from hub.kafka.clients import admin, consumer, reader, translate, unwrap

__all__ = [
    "Follower",
    "Place",
    "Tail",
    "ends",
    "group_offsets",
    "offsets_at",
    "partitions_of",
    "read_all",
    "read_between",
]

_log = logging.getLogger("hub.kafka.reading")
_TIMEOUT_S = 15.0
_BATCH = 5_000
_WAIT_S = 0.05


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


def partitions_of(client: Consumer, topic: str) -> list[int]:
    """Partition numbers of a topic; `EnvironmentNotReadyError` when there is none."""
    try:
        found = client.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    except KafkaException as exception:
        raise translate(unwrap(exception), doing=f"looking up {topic}") from exception
    if found.error is not None or not found.partitions:
        raise EnvironmentNotReadyError("no such topic", where=topic, fix="run `hub topics apply`")
    return sorted(found.partitions)


def ends(
    kafka: KafkaConfig, topic: str, numbers: Sequence[int], *, committed: bool = True
) -> dict[int, int]:
    """End offset of each partition; the last stable one for readers of committed records."""
    isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    request = {TopicPartition(topic, number): OffsetSpec.latest() for number in numbers}
    # The client must outlive its futures: dropped, they never resolve.
    client = admin(kafka)
    answers = client.list_offsets(request, isolation_level=isolation)
    found = {}
    for partition, future in answers.items():
        try:
            found[partition.partition] = future.result(timeout=_TIMEOUT_S).offset
        except KafkaException as exception:
            raise translate(
                unwrap(exception), doing=f"looking up the end of {topic}"
            ) from exception
    return found


def offsets_at(client: Consumer, topic: str, numbers: Sequence[int], at_ms: int) -> dict[int, int]:
    """First offset of each partition appended at or after a time; -1 when there is none."""
    try:
        answers = client.offsets_for_times(
            [TopicPartition(topic, number, at_ms) for number in numbers], timeout=_TIMEOUT_S
        )
    except KafkaException as exception:
        raise translate(unwrap(exception), doing=f"looking up times of {topic}") from exception
    return {answer.partition: answer.offset for answer in answers}


def group_offsets(
    kafka: KafkaConfig, group: str, topic: str, numbers: Sequence[int]
) -> dict[int, int]:
    """Committed offset of a group in each partition; 0 where it has none."""
    client = consumer(kafka, group)
    try:
        answers = client.committed(
            [TopicPartition(topic, number) for number in numbers], timeout=_TIMEOUT_S
        )
    except KafkaException as exception:
        raise translate(unwrap(exception), doing=f"looking up offsets of {group}") from exception
    finally:
        client.close()
    return {answer.partition: max(0, answer.offset) for answer in answers}


def read_all(
    kafka: KafkaConfig,
    topic: str,
    *,
    numbers: Sequence[int] | None = None,
    start: dict[int, int] | None = None,
) -> Iterator[Any]:
    """Committed records from `start` (or the beginning) to the end as it is now."""
    client = reader(kafka)
    try:
        numbers = partitions_of(client, topic) if numbers is None else numbers
        until, begin = ends(kafka, topic, numbers), start or {}
        yield from read_between(
            client,
            {Place(topic, number): begin.get(number, OFFSET_BEGINNING) for number in numbers},
            {Place(topic, number): until[number] for number in numbers},
            silence_s=_TIMEOUT_S,
        )
    finally:
        client.close()


def read_between(
    client: Consumer,
    starts: Mapping[Place, int],
    ends: Mapping[Place, int],
    *,
    silence_s: float,
) -> Iterator[Any]:
    """Committed records from start up to end, each partition in its order and each record once.

    Assigns the client, and unassigns what is read. When a broker dies under it, a client may tell
    an end that a new leader has not yet moved on, or begin the partition anew: neither is
    believed. `EnvironmentNotReadyError` when nothing comes for so many seconds.
    """
    next_ = {place: start for place, start in starts.items() if max(0, start) < ends[place]}
    client.assign([TopicPartition(*place, offset) for place, offset in sorted(next_.items())])
    deadline = time.monotonic() + silence_s
    while next_:
        message: Any
        for message in client.consume(_BATCH, _WAIT_S):
            error, offset = message.error(), message.offset()
            # The end of what is decided, behind the markers; more of it may come.
            ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001
            if error is not None and not ended:
                raise translate(error, doing=f"reading {message.topic()}")
            place = Place(message.topic(), message.partition())
            if place not in next_ or offset < next_[place]:
                continue
            if not ended and offset < ends[place]:
                yield message
            deadline = time.monotonic() + silence_s
            # What ends a stretch may be a marker: anything behind it ends it too.
            next_[place] = offset if ended else offset + 1
            if next_[place] >= ends[place]:
                del next_[place]
                client.incremental_unassign([TopicPartition(*place)])
        if time.monotonic() > deadline:
            raise EnvironmentNotReadyError(
                f"nothing was read for {silence_s:.0f} s",
                where=", ".join(sorted({topic for topic, _ in next_})),
                fix="check that the brokers run and that no transaction hangs",
            )


class Follower:
    """Follows a small compacted topic from its beginning, for as long as the process lives.

    `apply(message)` sees every record in order; `poll` never waits. `behind_s` is how long ago the
    end was last seen.
    """

    def __init__(self, kafka: KafkaConfig, topic: str, apply: Callable[[Any], None]) -> None:
        self._client = reader(kafka, **{"fetch.wait.max.ms": 500})
        self._apply = apply
        self._topic = topic
        self._waiting = set(partitions_of(self._client, topic))
        self._client.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for number in self._waiting]
        )
        self._seen = float("-inf")
        self._checked = float("-inf")
        self._in_doubt = False

    def catch_up(self) -> None:
        """Read what is there now; called once at the start."""
        deadline = time.monotonic() + _TIMEOUT_S
        while self._waiting:
            self._take(0.2)
            if time.monotonic() > deadline:
                raise EnvironmentNotReadyError(
                    "no answer while reading", where=self._topic, fix="check that the brokers run"
                )

    def poll(self) -> None:
        """Apply what has arrived."""
        self._take(0)

    def behind_s(self) -> float:
        """Seconds since the topic was last known to be read to its end."""
        now = time.monotonic()
        if now - self._checked > 5:
            # An end of partition is only told once; a broker that answers shows we are there.
            self._checked = now
            try:
                if self._in_doubt:
                    # A client that was told of no leader while brokers went believes that for
                    # minutes, and asks nobody (librdkafka 2.16).
                    self._client.list_topics(self._topic, timeout=2)
                    self._in_doubt = False
                for number, position in self._positions().items():
                    high = self._client.get_watermark_offsets(
                        TopicPartition(self._topic, number), timeout=2
                    )[1]
                    if position < high:
                        return now - self._seen
                self._seen = now
            except KafkaException as exception:
                self._in_doubt = True
                _log.info("%s: %s", self._topic, unwrap(exception).str())
        return now - self._seen

    def close(self) -> None:
        """Stop following."""
        self._client.close()

    def _positions(self) -> dict[int, int]:
        places = self._client.position(self._client.assignment())
        return {place.partition: max(0, place.offset) for place in places}

    def _take(self, wait_s: float) -> None:
        for message in self._client.consume(_BATCH, wait_s):
            error = message.error()
            if error is None:
                self._apply(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                self._waiting.discard(message.partition())
                self._seen = time.monotonic()
            else:
                raise translate(error, doing=f"following {self._topic}")


class Tail:
    """Reads several topics from their beginning, on and on, outside any group."""

    def __init__(self, kafka: KafkaConfig, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._client = reader(kafka)
        self._numbers = {topic: partitions_of(self._client, topic) for topic in topics}
        self._next: dict[tuple[str, int], int] = {}
        self._client.assign(
            [
                TopicPartition(topic, number, OFFSET_BEGINNING)
                for topic, numbers in self._numbers.items()
                for number in numbers
            ]
        )

    def take(self, wait_s: float) -> Iterator[Any]:
        """Records that have arrived."""
        message: Any
        for message in self._client.consume(_BATCH, wait_s):
            error = message.error()
            if error is None:
                yield message
                self._next[message.topic(), message.partition()] = message.offset() + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                # The end of what is committed, behind the markers of transactions.
                self._next[message.topic(), message.partition()] = message.offset()
            else:
                raise translate(error, doing="reading")

    def reach_end(self, timeout_s: float) -> bool:
        """Wait, while another thread takes, until the ends as they are now were read."""
        until = {
            (topic, number): end
            for topic, numbers in self._numbers.items()
            for number, end in ends(self._kafka, topic, numbers).items()
        }
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if all(end == 0 or self._next.get(place, 0) >= end for place, end in until.items()):
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """Stop reading."""
        self._client.close()
