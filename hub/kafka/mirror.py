"""Reading a topic of another cluster, whose offsets move only when its reader says so."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from hub.config import KafkaConfig
from hub.errors import ConfigError, UnavailableError
from hub.kafka.clients import consumer, translate, unwrap

__all__ = ["Mirror", "Mirrored"]

_SESSION_MS = 30_000
# Fetched ahead, by one reader; the default of 64 MiB is too much for many of them.
_QUEUED_KB = 8 * 1024
_AWAY = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - its public name
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL,  # noqa: SLF001
}


class Mirrored(NamedTuple):
    """One record as its topic has it."""

    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, Any]]


class Mirror:
    """One consumer of one topic; its calls block, and are made by one thread at a time."""

    def __init__(
        self, bootstrap: str, topic: str, group: str, *, start: str, client: Mapping[str, Any]
    ) -> None:
        self._error: KafkaError | None = None
        settings = KafkaConfig(bootstrap=bootstrap, client=dict(client))
        try:
            self._consumer: Consumer = consumer(
                settings,
                group,
                **{
                    "auto.offset.reset": start,
                    "session.timeout.ms": _SESSION_MS,
                    "queued.max.messages.kbytes": _QUEUED_KB,
                    "allow.auto.create.topics": False,
                    "enable.partition.eof": False,
                    # A line for each try would bury the one for the outage.
                    "log_level": 0,
                    "error_cb": self._met,
                },
            )
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigError(
                f"librdkafka refuses a setting: {_words(error)}", fix="correct `client`"
            ) from error
        self._topic = topic
        self._consumer.subscribe([topic])

    def read(self, most: int, within_s: float) -> list[Mirrored]:
        """Records as they come; `UnavailableError` when the cluster does not answer."""
        found: list[Mirrored] = []
        for message in self._consumer.consume(most, within_s):
            error = message.error()
            if error is not None:
                if found:
                    break  # it is met again
                self._raise(error)
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            headers: Any = message.headers() or ()
            found.append(Mirrored(partition, offset, message.value(), headers))
        if self._error is not None and not found:
            self._raise(self._error)
        return found

    def reached(self) -> bool:
        """Whether the cluster has given this reader partitions."""
        return bool(self._consumer.assignment())

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Go on after these offsets, by partition, whatever happens."""
        places = [TopicPartition(self._topic, p, offset + 1) for p, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as exception:
            self._raise(unwrap(exception))

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _met(self, error: KafkaError) -> None:
        """Errors that no call reports: the client would go on trying in silence."""
        if error.fatal() or error.code() in _AWAY:
            self._error = error

    def _raise(self, error: KafkaError) -> None:
        found = translate(error, doing="mirroring")
        # Nothing of this hub's own is missing or fenced: what is wrong there is an outage here.
        raise UnavailableError(found.what) from KafkaException(error)


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return unwrap(error).str()
    return type(error).__name__
