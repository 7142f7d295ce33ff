"""The transaction loop: consume, handle, write, commit offsets with the output, or none of it.

What it guards against, beyond the plain protocol:

- A rollback does not rewind a consumer: every partition is sought back by hand.
- A broker accepts offsets of partitions a member no longer owns: records of partitions that are
  not ours are dropped, and a revoked partition is committed and forgotten before it is given up.
- A record that the cluster refuses would stop its partition for ever: after such a rollback the
  batch is halved until the culprit stands alone, and becomes a dead letter.
- Commit markers of the stage before take offsets too: an idle partition is committed up to its
  end, so that a lag of 0 means what it says.
- Records that retention removed before they were handled stop the stage: nobody skips them unsaid.
- A consumer that did not poll for a session may have lost its place: such a batch is rolled back.
- What a transaction has no time for is left to the next, however heavy records are (`Pace`).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from hub.config import KafkaConfig, StageConfig
from hub.engine.failpoint import passing
from hub.engine.lag import LagWatch
from hub.engine.pace import Pace
from hub.engine.task import Partition, Restored, Span, Task
from hub.errors import FencedError, InvariantError, UnavailableError
from hub.kafka.clients import consumer, translate, unwrap
from hub.kafka.transaction import TransactionAbortedError, TransactionalProducer

__all__ = ["Loop"]

_log = logging.getLogger("hub.engine")
_LINGER_S = 0.02
_IDLE_S = 0.2
_TIMEOUT_S = 30.0
# Of a session, or of a transaction's time, that handling records may take.
_SHARE = 0.25
# An input this long idle is committed up to its end.
_SETTLED_S = 0.5


class Loop:
    """Runs one task until `stop` is set; one instance per start, `run` once."""

    def __init__(
        self,
        task: Task,
        kafka: KafkaConfig,
        stage: StageConfig,
        *,
        slot: str,
        observe: Callable[[int, float], None] = lambda _records, _seconds: None,
        lagging: Callable[[str, int, float], None] = lambda _topic, _records, _seconds: None,
    ) -> None:
        self._task = task
        self._stage = stage
        self._observe = observe
        self._lag = LagWatch(lagging)
        self._producer = TransactionalProducer(
            kafka,
            f"hub-{task.stage}-{task.lane}-{slot}",
            timeout_ms=stage.transaction_timeout_ms,
        )
        self._consumer: Consumer = consumer(
            kafka,
            f"hub.{task.stage}.{task.lane}",
            **{
                "session.timeout.ms": stage.session_timeout_ms,
                "client.id": f"hub-{task.stage}-{task.lane}-{slot}",
                "enable.partition.eof": True,
                # Records that are gone must not be passed over in silence.
                "auto.offset.reset": "error",
            },
        )
        # Owned partitions with their committed offsets, and the ends seen behind the records.
        self._owned: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._spans: dict[Partition, Span] = {}
        self._records = 0
        self._began = 0.0
        self._polled = time.monotonic()
        self._paused = False
        self._broken = False
        self._idle_since = time.monotonic()
        # While a record that the cluster refuses is searched: how many records may hold it, how
        # many are tried at once, and where it stands once it has failed alone.
        self._suspects = 0
        self._pace = Pace(
            stage.poll_records,
            min(stage.session_timeout_ms, stage.transaction_timeout_ms) / 1000 * _SHARE,
        )
        self._limit = self._pace.batch
        # Where partitions stand of which records were read and are not handled yet.
        self._unhandled: dict[Partition, int] = {}
        self._culprits: dict[Partition, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Process until stopped; what was handled is committed on a clean stop."""
        try:
            self._producer.open()
            self._consumer.subscribe(
                list(self._task.topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not stop.is_set():
                self._turn()
            self._commit()
        except BaseException:
            # A batch that broke off half-way must never be committed, not even while closing.
            self._broken = True
            raise
        finally:
            # Closing gives partitions back at once; the next owner does not wait for a session.
            self._consumer.close()
            self._producer.close()

    def _turn(self) -> None:
        self._lag.tell(self._consumer, self._owned)
        ready = self._task.tick()
        if ready is self._paused:
            self._pause(not ready)
        messages = self._poll()
        if not messages and not self._spans and self._idle_since + _SETTLED_S < time.monotonic():
            self._reach_ends()
        try:
            if messages:
                self._idle_since = time.monotonic()
                self._lag.saw(messages[-1])
                self._handle(messages)
            due = (
                len(messages) < self._stage.poll_records
                or self._pace.spent
                or self._records >= self._stage.batch_records
                or (time.monotonic() - self._began) * 1000 >= self._stage.commit_interval_ms
            )
            if due:
                self._commit()
        except TransactionAbortedError as error:
            _log.warning("rolled back: %s", error)
            self._rewind(record_at_fault=error.record_at_fault)
        except UnavailableError:
            # The registry or a store is away: nothing is refused for that.
            self._producer.abort()
            self._rewind(record_at_fault=False)
            raise

    def _poll(self) -> list[Any]:
        """Whatever has arrived, waiting shortly for company; never another's records."""
        first: Any = self._consumer.poll(_LINGER_S if self._spans else _IDLE_S)
        self._polled = time.monotonic()
        if first is None:
            return []
        messages: list[Any] = [first]
        if self._limit > 1:
            messages += self._consumer.consume(self._limit - 1, _LINGER_S)
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                self._ends[Partition(message.topic(), message.partition())] = message.offset()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                raise InvariantError(
                    "the records from the committed offset on are gone: retention removed them, or "
                    "the topic was made anew",
                    where=f"{message.topic()}/{message.partition()}",
                    fix="see 'Records are gone' in ops/README.md",
                )
            else:
                raise translate(error, doing="reading")
        return good

    def _reach_ends(self) -> None:
        """Open a transaction that only moves idle partitions behind the last markers."""
        behind = {
            partition: Span(self._owned[partition], end)
            for partition, end in self._ends.items()
            if partition in self._owned and self._owned[partition] < end
        }
        self._ends.clear()
        if behind:
            self._producer.begin()
            self._spans = behind
            self._began = time.monotonic()

    def _handle(self, messages: list[Any]) -> None:
        """One batch, partition by partition, as far as the transaction's time goes."""
        if not self._spans:
            self._began = time.monotonic()
        groups: dict[tuple[str, int], list[Any]] = {}
        for message in messages:
            name = (message.topic(), message.partition())
            group = groups.get(name)
            if group is None:
                groups[name] = [message]
            else:
                group.append(message)
        ours = {
            partition: group
            for name, group in groups.items()
            if (partition := Partition(*name)) in self._owned
        }
        self._unhandled = {partition: group[0].offset() for partition, group in ours.items()}
        self._producer.begin()
        passing("before-produce")
        for partition, group in ours.items():
            self._in_slices(partition, group)
        for partition, offset in self._unhandled.items():
            # What is known of the partition's end stands behind records that are to come again.
            self._ends.pop(partition, None)
            self._seek(partition, offset)
        self._unhandled.clear()
        self._producer.poll()
        passing("after-produce")

    def _in_slices(self, partition: Partition, group: list[Any]) -> None:
        """Records of one partition, until the transaction has had its time."""
        begun = self._spans.get(partition)
        first = begun.from_ if begun else group[0].offset()
        at = 0
        while at < len(group) and not self._pace.spent:
            part = group[at : at + self._pace.slice]
            at += len(part)
            self._spans[partition] = Span(first, part[-1].offset() + 1)
            self._records += len(part)
            began = time.monotonic()
            self._one_or_all(partition, part)
            self._pace.took(len(part), time.monotonic() - began)
            self._unhandled[partition] = part[-1].offset() + 1
        if at == len(group):
            del self._unhandled[partition]

    def _one_or_all(self, partition: Partition, group: list[Any]) -> None:
        if self._culprits.get(partition) == group[0].offset():
            cause = "every transaction that held this record was refused by the cluster"
            self._task.refuse(group[0], cause, self._producer.produce)
            del self._culprits[partition]
            self._suspects, group = 0, group[1:]
        if group:
            self._task.handle(partition, group, self._producer.produce)

    def _commit(self) -> None:
        """Commit the open transaction: output, state, books and offsets together."""
        if not self._spans:
            return
        if (
            self._records > 1
            and (time.monotonic() - self._polled) * 1000 > self._stage.session_timeout_ms
        ):
            self._producer.abort()
            raise TransactionAbortedError("not polled for a session; the partitions may be gone")
        for partition, span in self._spans.items():
            # Consumed after the span's last record: nothing but markers stands between.
            if (end := self._ends.pop(partition, 0)) > span.to:
                self._spans[partition] = Span(span.from_, end)
        self._task.seal(self._spans, self._producer.produce)
        offsets = [
            TopicPartition(partition.topic, partition.number, span.to)
            for partition, span in self._spans.items()
        ]
        passing("before-commit")
        self._producer.commit(offsets, self._consumer.consumer_group_metadata())
        passing("after-commit")
        self._task.committed()
        self._observe(self._records, time.monotonic() - self._began)
        self._owned |= {name: span.to for name, span in self._spans.items()}
        self._spans = {}
        self._suspects = max(0, self._suspects - self._records)
        self._records = 0
        self._pace.ended()
        if not self._suspects and not self._culprits:
            self._limit = self._pace.batch

    def _rewind(self, *, record_at_fault: bool) -> None:
        """After a rollback: state, spans and the consumer's place are as before it."""
        self._task.rolled_back()
        self._pace.ended()
        self._limit = min(self._limit, self._pace.batch)
        unhandled, self._unhandled = self._unhandled, {}
        spans, self._spans = self._spans, {}
        records, self._records = self._records, 0
        self._ends.clear()
        # A cluster in trouble rolls good records back too: only its verdict on a record counts.
        if record_at_fault and records == 1:
            self._culprits = {partition: span.from_ for partition, span in spans.items()}
        elif record_at_fault:
            self._suspects = max(self._suspects, records)
            self._limit = max(1, min(records, self._limit) // 2)
        places = unhandled | {partition: span.from_ for partition, span in spans.items()}
        for partition, offset in places.items():
            if partition in self._owned:
                self._seek(partition, offset)

    def _seek(self, partition: Partition, offset: int) -> None:
        try:
            self._consumer.seek(TopicPartition(*partition, offset))
        except KafkaException as exception:
            # Without the right place every further record would be a loss: start over.
            raise FencedError(
                f"can't go back to offset {offset}: {unwrap(exception).str()}",
                where=f"{partition.topic}/{partition.number}",
            ) from exception

    def _pause(self, pause: bool) -> None:  # noqa: FBT001 - the two directions of one call
        owned = [TopicPartition(*partition) for partition in self._owned]
        if pause:
            _log.warning("%s/%s waits for its registers", self._task.stage, self._task.lane)
            self._consumer.pause(owned)
        else:
            self._consumer.resume(owned)
        self._paused = pause

    # Rebalances; exceptions raised here surface from the poll that served the callback.

    def _on_assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        # Committed offsets first: asked read_committed, the answer waits for a predecessor's
        # open transaction. State read before that would miss its last one.
        committed = self._committed(client, partitions)
        passing("in-restore")
        try:
            self._task.restore(
                Restored(partition, offset if offset >= 0 else None)
                for partition, offset in committed.items()
            )
        except InvariantError as error:
            if self._committed(client, partitions) == committed:
                raise
            # This worker stood still: another took the partitions over, and has gone on since.
            raise FencedError("others went on while state was read") from error
        passing("after-restore")
        client.incremental_assign(
            [
                TopicPartition(*partition, offset if offset >= 0 else OFFSET_BEGINNING)
                for partition, offset in committed.items()
            ]
        )
        self._owned |= {name: max(0, offset) for name, offset in committed.items()}
        if self._paused:
            client.pause([TopicPartition(*partition) for partition in committed])
        _log.info(
            "%s/%s: took over %d partitions", self._task.stage, self._task.lane, len(committed)
        )

    def _committed(
        self, client: Consumer, partitions: Iterable[TopicPartition]
    ) -> dict[Partition, int]:
        try:
            answers = client.committed(list(partitions), timeout=_TIMEOUT_S)
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="asking for committed offsets") from exception
        found = {}
        for answer in answers:
            if answer.error is not None:
                raise translate(answer.error, doing="asking for committed offsets")
            found[Partition(answer.topic, answer.partition)] = answer.offset
        return found

    def _on_revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        passing("in-revoke")
        leaving = {Partition(each.topic, each.partition) for each in partitions}
        if self._broken:
            return
        try:
            self._commit()
        except TransactionAbortedError:
            self._task.rolled_back()
            self._pace.ended()
            kept = {name: span for name, span in self._spans.items() if name not in leaving}
            self._spans, self._records = {}, 0
            self._ends.clear()
            for partition, span in kept.items():
                self._seek(partition, span.from_)
        self._drop(leaving)
        client.incremental_unassign(partitions)

    def _on_lost(self, _client: Consumer, partitions: list[TopicPartition]) -> None:
        raise FencedError(
            f"lost {len(partitions)} partitions: this worker did not answer for a session"
        )

    def _drop(self, leaving: set[Partition]) -> None:
        for partition in leaving:
            self._owned.pop(partition, None)
            self._ends.pop(partition, None)
            self._task.forget(partition)
