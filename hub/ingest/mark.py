"""The mark of an ingest log: how far it was moved, kept in Kafka beside what was moved.

It is one compacted record for each slot and lane, written in the same transaction as the payloads,
so that a restarted drainer knows to the record where to go on.
"""

import time
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

import schemas
from hub.codec import RecordCodec
from hub.config import KafkaConfig
from hub.errors import EnvironmentNotReadyError, UnavailableError
from hub.kafka.clients import admin, reader, translate, unwrap

__all__ = ["MARK_TOPIC", "Marks", "require_topics"]

MARK_TOPIC = "ingest_mark.v1"
_TIMEOUT_S = 10.0
# Another slot's open transaction hides later marks until the broker ends it.
_CATCH_UP_S = 30.0


class Marks:
    """Reads and encodes the marks of one slot and lane."""

    def __init__(self, slot: str, lane: str, schema_id: int) -> None:
        self.name = f"{slot}/{lane}"
        self.key = self.name.encode()
        self._writer = RecordCodec(schemas.source("ingest_mark"), schema_id)

    def encode(self, sequence: int) -> bytes:
        """The value of a mark."""
        return self._writer.encode(
            {"slot": self.name, "sequence": sequence, "written_at": datetime.now(UTC)}
        )

    def read(self, kafka: KafkaConfig) -> int | None:
        """Sequence number of the last committed mark; None when there is none.

        Reads up to the true end of the topic, not to the last stable offset: a mark behind
        another slot's open transaction would be missed, and its payloads sent again.
        """
        end = _true_end(kafka)
        consumer = reader(kafka)
        try:
            consumer.assign([TopicPartition(MARK_TOPIC, 0, 0)])
            value = self._last_value(consumer, end)
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="reading the ingest mark") from exception
        finally:
            consumer.close()
        if value is None:
            return None
        sequence: int = self._writer.decode(value)["sequence"]
        return sequence

    def _last_value(self, consumer: Consumer, end: int) -> bytes | None:
        value: bytes | None = None
        deadline = time.monotonic() + _CATCH_UP_S
        reached = 0
        while reached < end:
            if time.monotonic() > deadline:
                raise UnavailableError(
                    "the ingest marks can't be read up to their end",
                    where=MARK_TOPIC,
                    fix="another slot's transaction is open; it ends by its time-out",
                )
            for message in consumer.consume(1_000, 0.2):
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    reached = offset + 1
                    if message.key() == self.key:
                        value = message.value()
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    # Counts past the control records at the end, which are never delivered.
                    reached = max(reached, offset)
                else:
                    raise translate(error, doing="reading the ingest mark")
        return value


def _true_end(kafka: KafkaConfig) -> int:
    consumer = reader(kafka, **{"isolation.level": "read_uncommitted"})
    try:
        watermarks = consumer.get_watermark_offsets(
            TopicPartition(MARK_TOPIC, 0), timeout=_TIMEOUT_S
        )
    except KafkaException as exception:
        raise translate(unwrap(exception), doing="finding the end of the marks") from exception
    finally:
        consumer.close()
    if watermarks is None:
        raise UnavailableError("the end of the ingest marks is not known in time", where=MARK_TOPIC)
    end: int = watermarks[1]
    return end


def require_topics(kafka: KafkaConfig, topics: set[str]) -> None:
    """Refuse to go on while a topic is missing, or while Kafka is away."""
    try:
        found: dict[str, Any] = admin(kafka).list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as exception:
        raise translate(unwrap(exception), doing="asking for the topics") from exception
    missing = sorted({MARK_TOPIC, *topics} - set(found))
    if missing:
        raise EnvironmentNotReadyError(
            f"missing topics: {', '.join(missing)}",
            where=kafka.bootstrap,
            fix="run `hub topics apply`",
        )
