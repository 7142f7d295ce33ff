"""Copies a topic's bytes: what the client library can do at best, for the benchmark to compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TopicPartition, libversion

from hub.config import KafkaConfig
from hub.kafka.clients import consumer, producer
from hub.kafka.transaction import TransactionalProducer

__all__ = ["Copy", "library_version"]

_BATCH = 5_000
_TRANSACTION = 20_000  # as the stages do


@dataclass(frozen=True, slots=True)
class Copy:
    """What to copy, and who hears of it: `began` of each batch read, `done` of records written."""

    kafka: KafkaConfig
    source: str
    target: str
    count: int
    began: Callable[[int], None]
    done: Callable[[int], None]

    def plain(self) -> None:
        """Copy `count` records without transactions; the last word is said after a flush."""
        writer = producer(self.kafka, **{"linger.ms": 10})
        client = self._reader()
        left = self.count
        while left > 0:
            messages = client.consume(_BATCH, 0.05)
            if not messages:
                continue
            self.began(len(messages))
            for message in messages:
                while True:
                    try:
                        writer.produce(self.target, message.value(), message.key())
                    except BufferError:
                        writer.poll(0.05)
                    else:
                        break
            writer.poll(0)
            left -= len(messages)
        writer.flush()
        self.done(self.count)
        client.close()

    def in_transactions(self) -> None:
        """Copy `count` records in transactions with their offsets."""
        writer = TransactionalProducer(self.kafka, "bench-copy")
        writer.open()
        client = self._reader()
        left = self.count
        while left > 0:
            messages = client.consume(_TRANSACTION, 0.05)
            if not messages:
                continue
            self.began(len(messages))
            writer.begin()
            ends: dict[tuple[str, int], int] = {}
            for message in messages:
                writer.produce(self.target, message.value(), message.key())
                ends[message.topic(), message.partition()] = message.offset() + 1
            writer.commit(
                [TopicPartition(topic, number, end) for (topic, number), end in ends.items()],
                client.consumer_group_metadata(),
            )
            left -= len(messages)
        self.done(self.count)
        client.close()
        writer.close()

    def _reader(self) -> Any:
        client = consumer(self.kafka, f"bench.{self.target}", **{"session.timeout.ms": 6000})
        client.subscribe([self.source])
        return client


def library_version() -> str:
    """Version of librdkafka, the library inside confluent-kafka."""
    version: str = libversion()[0]
    return version
