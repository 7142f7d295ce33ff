"""A transactional producer that keeps what the Kafka protocol alone does not promise.

librdkafka has no client part of KIP-890: a commit that was delayed on the wire can end a *later*
transaction of the same producer epoch. So a producer whose commit was slow, or whose connections
broke, is made anew under the same transactional id before the next transaction: that raises the
epoch, and whatever still travels is refused.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from hub.config import KafkaConfig
from hub.errors import FencedError, HubError, RecordError, UnavailableError
from hub.kafka.clients import producer_settings, translate, unwrap
from hub.kafka.watchdog import Watchdog

__all__ = ["Headers", "TransactionAbortedError", "TransactionalProducer"]

_log = logging.getLogger("hub.kafka.transaction")
_client_log = logging.getLogger("hub.kafka")

Headers = list[tuple[str, str | bytes | None]]
_CALL_TIMEOUT_S = 5.0
_TAKE_OVER_S = 30.0
# How long a call may outlast its own limit. Adding offsets forgets its own when the group's
# coordinator goes away in the middle (librdkafka issues 5456 and 5511), beginning has none.
_OVERDUE_S = 5.0
# A call that keeps failing this long is given up, with its producer: a client can stay stuck on
# a coordinator that went away (seen after a broker's restart), a new one is not.
_GIVE_UP_S = 10.0
# A commit slower than this may still be on its way when the next transaction begins.
_SLOW_COMMIT_S = 1.0
# Records below this size are far from too large, and handed over this many at a time.
_SMALL = 100_000
_GATHERED_MAX = 1_000


# Errors that a record causes by itself: the cluster will refuse it again.
_RECORD_AT_FAULT = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.POLICY_VIOLATION,
    KafkaError.RECORD_LIST_TOO_LARGE,
}


class TransactionAbortedError(UnavailableError):
    """The transaction was rolled back; the caller rewinds its input and tries again.

    `record_at_fault` tells that one of its records would make every transaction fail.
    """

    def __init__(self, what: str, *, where: str = "", record_at_fault: bool = False) -> None:
        super().__init__(what, where=where)
        self.record_at_fault = record_at_fault


class TransactionalProducer:
    """One transactional id: `open`, then `begin`, `produce`…, `commit` or `abort`, again.

    `commit` and `produce` raise `TransactionAbortedError` after having rolled back, and
    `FencedError` when another process owns the id or the coordinator gave the transaction up;
    the instance is dead then.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        transactional_id: str,
        *,
        timeout_ms: int = 10_000,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = producer_settings(
            kafka,
            **{
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_ms,
                # A commit sends what waits at once, so waiting costs no time; but the broker
                # should work while the next records are made (measured: 5 to 10 ms are best).
                "linger.ms": 10,
                # Failures surface at the commit; successes are nobody's concern.
                "delivery.report.only.error": True,
                "statistics.interval.ms": 1000,
                "stats_cb": self._note_statistics,
                "logger": _Listening(self._note_break),
                **(settings or {}),
            },
        )
        self._id = transactional_id
        self._producer: Producer | None = None
        self._watchdog = Watchdog(transactional_id)
        self._open = False
        self._gathered: dict[str, list[dict[str, Any]]] = {}
        self._disturbances = 0
        self.reopened = 0
        self.committed = 0

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._open

    def open(self) -> None:
        """Take over the id: fences its former holder and ends what that left open."""
        self._disturbances = 0
        self._producer = Producer(self._settings)
        self._call(
            lambda client: client.init_transactions(_TAKE_OVER_S),
            "taking over the slot",
            limit_s=_TAKE_OVER_S,
        )

    def begin(self) -> None:
        """Start a transaction, unless one is open."""
        if not self._open:
            # A connection that broke under the last commit is told here, before the next begins.
            self._client().poll(0)
            if self._disturbances:
                self._reopen("a connection broke or a request timed out")
            self._call(lambda client: client.begin_transaction(), "beginning a transaction")
            self._open = True

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int = -1,
    ) -> None:
        """Queue a record of the open transaction; waits while the queue is full.

        Small records are gathered and handed over many at a time, which costs a third less. The
        order within a topic is kept. `RecordError` when the record is too large.
        """
        gathered = self._gathered.get(topic)
        if headers is None and partition < 0 and key and value and len(value) < _SMALL:
            if gathered is None:
                gathered = self._gathered[topic] = []
            gathered.append({"value": value, "key": key})
            if len(gathered) >= _GATHERED_MAX:
                self._hand_over(topic)
            return
        if gathered:
            self._hand_over(topic)
        client = self._client()
        while True:
            try:
                client.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                client.poll(0.05)
            except KafkaException as exception:
                error = unwrap(exception)
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    # Refused here, before anything was queued: the transaction is sound.
                    raise RecordError(
                        f"{len(value or b'')} bytes are more than a record may have",
                        code="too-large",
                        where=topic,
                    ) from exception
                self._fail(error, f"writing to {topic}")
            else:
                return

    def _hand_over(self, topic: str) -> None:
        """Queue what was gathered for a topic, in its order."""
        messages = self._gathered.pop(topic, [])
        client = self._client()
        while messages:
            try:
                if client.produce_batch(topic, messages) == len(messages):
                    return
            except KafkaException as exception:
                self._fail(unwrap(exception), f"writing to {topic}")
            refused = [message for message in messages if "_error" in message]
            error = refused[0].pop("_error")
            # What came after the first refusal must not be queued before it: order is kept.
            if error.code() != KafkaError._QUEUE_FULL or len(refused) < _tail(messages, refused[0]):  # noqa: SLF001
                self._roll_back(error, f"writing to {topic}")
            for message in refused[1:]:
                del message["_error"]
            messages = refused
            client.poll(0.05)

    def poll(self) -> None:
        """Hand over what was gathered; serve delivery reports and statistics."""
        self._hand_over_all()
        self._client().poll(0)

    def _hand_over_all(self) -> None:
        for topic in list(self._gathered):
            self._hand_over(topic)

    def commit(
        self, offsets: Sequence[TopicPartition] = (), group_metadata: object | None = None
    ) -> None:
        """Commit the open transaction, with the input's offsets when they are given."""
        started = time.monotonic()
        self._hand_over_all()
        self._client().poll(0)
        if self._disturbances and offsets:
            # Adding offsets may never return on such a connection; begin makes a new producer.
            self.abort()
            raise TransactionAbortedError("a connection broke", where=self._id)
        if offsets:
            self._call(
                lambda client: client.send_offsets_to_transaction(
                    list(offsets), group_metadata, _CALL_TIMEOUT_S
                ),
                "adding offsets",
            )
        self._call(lambda client: client.commit_transaction(_CALL_TIMEOUT_S), "committing")
        self._open = False
        self.committed += 1
        if time.monotonic() - started > _SLOW_COMMIT_S:
            self._reopen("a commit was slow")

    def abort(self) -> None:
        """Roll the open transaction back."""
        self._gathered.clear()
        if self._open:
            self._open = False
            self._call(lambda client: client.abort_transaction(_CALL_TIMEOUT_S), "rolling back")

    def close(self) -> None:
        """Roll back what is open and let go of the connection."""
        if self._producer is not None:
            try:
                self.abort()
            except HubError as error:
                # The next holder of the id ends the transaction; nothing of it is visible.
                _log.info("left an open transaction to the next start: %s", error)
            _let_go(self._producer, 1.0)
            self._producer = None
        self._watchdog.close()

    def _client(self) -> Producer:
        if self._producer is None:
            raise FencedError("the producer is closed", where=self._id)
        return self._producer

    def _reopen(self, why: str) -> None:
        _log.warning("%s: %s; taking a new epoch", self._id, why)
        old, self._producer = self._client(), None
        _let_go(old, 5.0)
        self.open()
        self.reopened += 1

    def _call(
        self, call: Callable[[Producer], Any], doing: str, *, limit_s: float = _CALL_TIMEOUT_S
    ) -> None:
        """Run a transactional call; a retriable failure repeats the same call.

        Ends the process when the library never comes back from it.
        """
        deadline = time.monotonic() + _GIVE_UP_S
        while True:
            try:
                with self._watchdog.watch(doing, limit_s + _OVERDUE_S):
                    call(self._client())
            except KafkaException as exception:
                error = unwrap(exception)
                if error.retriable() and time.monotonic() < deadline:
                    _log.info("%s: %s; again", doing, error.str())
                    continue
                self._fail(error, doing)
            else:
                return

    def _fail(self, error: KafkaError, doing: str) -> None:
        """Roll back where that is possible, and say what the caller must do."""
        if error.txn_requires_abort() and self._open:
            self._roll_back(error, doing)
        translated = translate(error, doing=doing)
        # Nothing more can be said about this transaction. The next holder of the id ends it, and
        # what it holds is read again from the committed offsets, whichever they turn out to be.
        self._open = False
        raise translated

    def _roll_back(self, error: KafkaError, doing: str) -> None:
        self.abort()
        raise TransactionAbortedError(
            f"{doing}: {error.str()}",
            where=self._id,
            record_at_fault=error.code() in _RECORD_AT_FAULT,
        )

    def _note_break(self) -> None:
        """First net of the epoch rule: a request whose connection broke may still arrive."""
        self._disturbances += 1

    def _note_statistics(self, text: str) -> None:
        """Second net of the epoch rule: a request may be delayed without any slow call."""
        brokers = json.loads(text).get("brokers", {}).values()
        # The idle close of a connection by the broker counts too: a new epoch is cheap. The
        # coordinator is a broker without a number; only addresses to start from do not count.
        told = sum(
            broker.get("req_timeouts", 0) + broker.get("disconnects", 0)
            for broker in brokers
            if broker.get("source") != "configured"
        )
        self._disturbances = max(self._disturbances, told)


class _Listening:
    """The client's log, passed on; it tells broken connections and requests that timed out.

    Nothing else does so in time: the error callback is not called for a connection that breaks and
    comes back (librdkafka 2.16), and statistics come once a second, while the request is sent again
    after a tenth. The log line is queued before that, and `begin` reads the queue.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def log(self, level: int, text: str, facility: str, client: str, told: str) -> None:
        """Called by the library in `poll`, with its own facility (`FAIL`, `REQTMOUT`, …)."""
        # A broker that is down is asked again and again, and carries no request of ours.
        if facility in ("FAIL", "REQTMOUT") and "Connect to" not in told:
            self._heard()
        _client_log.log(level, text, facility, client, told)


def _tail(messages: list[dict[str, Any]], first: dict[str, Any]) -> int:
    """How many records stand from this one to the end."""
    return len(messages) - next(at for at, each in enumerate(messages) if each is first)


def _let_go(client: Producer, timeout_s: float) -> None:
    """Drop a client for good; a fatal one refuses even that, which changes nothing."""
    try:
        client.purge()
        client.flush(timeout_s)
    except KafkaException as exception:
        _log.info("dropped a client: %s", unwrap(exception).str())
