"""Clients with the settings the hub relies on, and their errors in the hub's words."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from hub.config import KafkaConfig
from hub.errors import ConfigError, EnvironmentNotReadyError, FencedError, HubError
from hub.errors import UnavailableError as Unavailable

__all__ = ["admin", "consumer", "producer", "producer_settings", "reader", "translate"]

_log = logging.getLogger("hub.kafka")

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - the library's public name for it
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001
}
_MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}


def translate(error: KafkaError, *, doing: str) -> HubError:
    """What a Kafka error means for the caller."""
    code, text = error.code(), f"{doing}: {error.str()}"
    if code in _FENCED:
        return FencedError(text, fix="check that no other process runs with the same slot")
    if code in _DENIED:
        return ConfigError(text, fix="grant what `hub topics plan --acls` prints")
    if code in _MISSING:
        return EnvironmentNotReadyError(text, fix="run `hub topics apply`")
    if error.fatal():
        return FencedError(text, fix="the process starts again with a new producer")
    return Unavailable(text, fix="check that the brokers run and can be reached")


def _base(kafka: KafkaConfig) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap,
        "logger": _log,
        # A broker that restarts is asked again soon, not after ten seconds.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        **kafka.client,
    }


def consumer(kafka: KafkaConfig, group: str, **settings: Any) -> Consumer:
    """A member of a consumer group that commits by hand and sees committed records only."""
    return Consumer(
        {
            **_base(kafka),
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "heartbeat.interval.ms": 1000,
            "fetch.wait.max.ms": 20,
            # The default of 1000 ms throttles a reader that catches up by a factor of ten.
            "fetch.queue.backoff.ms": 5,
            **settings,
        }
    )


def reader(kafka: KafkaConfig, **settings: Any) -> Consumer:
    """A consumer outside any group, for assigned partitions: state, tails, ledgers."""
    return consumer(
        kafka,
        "hub.reader",
        **{"enable.partition.eof": True, "allow.auto.create.topics": False, **settings},
    )


def producer_settings(kafka: KafkaConfig, **settings: Any) -> dict[str, Any]:
    """Settings of every producer of the hub."""
    return {
        **_base(kafka),
        "acks": "all",
        "enable.idempotence": True,
        # The same partition for the same key as the Java clients choose.
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "socket.timeout.ms": 3000,
        "queue.buffering.max.messages": 200_000,
        **settings,
    }


def producer(kafka: KafkaConfig, **settings: Any) -> Producer:
    """An idempotent producer without transactions, for registers and tools."""
    return Producer(producer_settings(kafka, **settings))


def admin(kafka: KafkaConfig) -> AdminClient:
    """A client for topics and offsets."""
    return AdminClient(_base(kafka))


def unwrap(exception: KafkaException) -> KafkaError:
    """The error inside the exception."""
    error: KafkaError = exception.args[0]
    return error


def check_reachable(kafka: KafkaConfig, *, timeout_s: float = 5) -> Mapping[str, Any]:
    """Topics of the cluster by name; `EnvironmentNotReadyError` when no broker answers."""
    try:
        topics: Mapping[str, Any] = admin(kafka).list_topics(timeout=timeout_s).topics
    except KafkaException as exception:
        raise EnvironmentNotReadyError(
            f"no broker answers: {unwrap(exception).str()}",
            where=kafka.bootstrap,
            fix="start the cluster (`hub up`), or correct kafka.bootstrap",
        ) from exception
    return topics
