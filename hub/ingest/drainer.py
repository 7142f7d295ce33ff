"""Moves one lane's log to Kafka, in order and exactly once.

Each transaction holds some records and the log's mark: the number of the last of them. After any
doubt, a crash, a lost connection or a commit of unknown outcome, the drainer takes its
transactional id anew, which ends what was open, and goes on after the mark that Kafka then has.
While Kafka is away the log goes on accepting, until it is full.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from confluent_kafka import KafkaException

from hub.config import KafkaConfig
from hub.errors import FencedError, HubError, InvariantError
from hub.ingest.log import IngestLog, Position
from hub.ingest.mark import MARK_TOPIC, Marks, require_topics
from hub.ingest.records import late_body, unpack
from hub.ingest.status import Status
from hub.kafka.clients import translate, unwrap
from hub.kafka.transaction import TransactionalProducer
from hub.metrics import StageMetrics

__all__ = ["Drainer"]

_log = logging.getLogger("hub.ingest.drainer")

_RECORDS = 1_000
_BYTES = 4 * 2**20
# A moment to gather more: the urgent lane takes none, the bulk lane stays far below 100 ms.
_GATHER_S = {"urgent": 0.0, "bulk": 0.02}
_IDLE_S = 0.5
_BACKOFF_S = (0.2, 10.0)
# Of its own: the process's generator is for those who seed it.
_CHANCE = random.SystemRandom()
# A coordinator that gives a transaction up fences like another process does; see `_fenced`.
_FENCES_MOST = 3
_FENCES_WITHIN_S = 60.0


class SlotTakenError(FencedError):
    """Another process writes under this slot."""


class Drainer:
    """One thread for one lane; `fatal` hears of an error after which the process must end."""

    def __init__(
        self,
        kafka: KafkaConfig,
        log: IngestLog,
        *,
        slot: str,
        lane: str,
        topics: set[str],
        mark_schema_id: Callable[[], int],
        status: Status,
        committed: Callable[[str, int], None],
        fatal: Callable[[HubError], None],
        keep_body: Callable[[str], object],
    ) -> None:
        self._kafka = kafka
        self._log = log
        self._slot = slot
        self._lane = lane
        self._topics = topics
        self._mark_schema_id = mark_schema_id
        self._status = status
        self._committed = committed
        self._fatal = fatal
        self._keep_body = keep_body
        self._metrics = StageMetrics("ingest", lane, "drainer")
        self._mark: int | None = None
        self._attempted: int | None = None
        self._known = False
        self._connected = False
        self._fences: list[float] = []
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"drainer-{lane}", daemon=True)

    def start(self) -> None:
        """Begin to move."""
        self._thread.start()

    def stop(self, *, within_s: float) -> bool:
        """Move what is possible in that time, then end; whether the thread ended."""
        self._deadline = time.monotonic() + within_s
        self._stop.set()
        if self._thread.ident is not None:
            # Without Kafka nothing can be moved, and its calls end by their time-outs only.
            self._thread.join(within_s + 1.0 if self._connected else 0.1)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                self._translated_session()
                return
            except HubError as error:
                if self._is_fatal(error):
                    self._status.kafka(self._lane, "stopped")
                    _log.critical("ingest must stop: lane=%s %s", self._lane, error)
                    self._fatal(error)
                    return
                self._metrics.error(error)
                self._status.kafka(self._lane, error.what)
                failures = 0 if self._known and self._moved_since() else failures + 1
                pause = min(_BACKOFF_S[1], _BACKOFF_S[0] * 2 ** min(failures, 8))
                pause *= _CHANCE.uniform(0.5, 1.0)  # spreads the slots
                _log.warning("lane=%s again in %.1f s: %s", self._lane, pause, error)
                self._stop.wait(pause)
                if self._stop.is_set():
                    return
            except Exception as error:  # noqa: BLE001 - a thread that ends unheard would lose the lane
                _log.exception("the drainer failed: lane=%s", self._lane)
                self._fatal(
                    InvariantError(
                        f"the drainer failed with {type(error).__name__}", where="ingest"
                    )
                )
                return

    def _translated_session(self) -> None:
        try:
            self._session()
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="moving the log") from exception

    def _session(self) -> None:
        """Own the transactional id until something goes wrong or the process stops."""
        require_topics(self._kafka, self._topics)
        marks = Marks(self._slot, self._lane, self._schema_id())
        producer = TransactionalProducer(self._kafka, f"hub-ingest-{self._lane}-{self._slot}")
        self._session_moved = 0
        try:
            producer.open()
            position = self._resume(marks.read(self._kafka))
            self._status.kafka(self._lane, "reachable")
            self._connected = True
            while not self._stopping():
                if not self._log.wait(position, _IDLE_S):
                    if self._stop.is_set():
                        return
                    self._metrics.lag(0, 0)
                    producer.poll()
                    continue
                self._gather()
                position = self._move(producer, marks, position)
        finally:
            self._connected = False
            try:
                producer.close()
            except KafkaException as exception:
                # A fenced client can't even be flushed; the error that ended the session counts.
                _log.info("lane=%s: %s", self._lane, unwrap(exception).str())

    def _gather(self) -> None:
        if (pause := _GATHER_S[self._lane]) and self._log.backlog() < _RECORDS:
            self._stop.wait(pause)

    def _move(self, producer: TransactionalProducer, marks: Marks, position: Position) -> Position:
        """One transaction, and the position after it.

        Any error ends the session: the next one goes on after the mark, wherever that stands.
        """
        started = time.monotonic()
        entries, after = self._log.read(position, max_records=_RECORDS, max_bytes=_BYTES)
        if not entries:
            return after
        counts: Counter[tuple[str, str]] = Counter()
        last = entries[-1][0]
        producer.begin()
        for _, entry in entries:
            record = unpack(entry)
            if not record.value and (body := late_body(record, time.time())):
                self._keep_body(body)
            producer.produce(record.topic, record.value, record.key, list(record.headers))
            counts[record.topic, record.headers[0][1].decode()] += 1
        self._attempted = last
        producer.produce(MARK_TOPIC, marks.encode(last), marks.key)
        producer.commit()
        self._done(last)
        for (topic, source_id), count in counts.items():
            self._metrics.records_out(count, topic=topic, source_id=source_id)
        self._metrics.batch_seconds(time.monotonic() - started)
        return after

    def _done(self, last: int) -> None:
        self._mark = last
        self._session_moved += 1
        self._log.release(last)
        self._committed(self._lane, last)

    def _moved_since(self) -> bool:
        moved, self._session_moved = self._session_moved > 0, 0
        return moved

    def _schema_id(self) -> int:
        try:
            id_ = self._mark_schema_id()
        except HubError as error:
            self._status.registry(error.what)
            raise
        self._status.registry("reachable")
        return id_

    def _resume(self, mark: int | None) -> Position:
        """Where to go on after the mark that Kafka has, having checked that it is this log's."""
        if self._known:
            if mark not in {self._mark, self._attempted}:
                raise SlotTakenError(
                    "another process moved a log under this slot",
                    where=self._slot,
                    fix="give each process a slot of its own (--slot, HUB_SLOT)",
                )
        elif mark is not None:
            self._check_first(mark)
        self._known = True
        if mark is None:
            return self._log.start()
        if self._mark != mark:
            # Also a commit whose outcome was not known: it was done.
            self._done(mark)
        return self._log.after(mark)

    def _check_first(self, mark: int) -> None:
        """A mark that is not this log's own must not hide a single record of it."""
        oldest = self._log.oldest()
        foreign = oldest is not None and oldest <= mark and not self._log.covers(mark)
        if mark >= self._log.base or foreign:
            raise InvariantError(
                f"Kafka's mark {mark} is not of this log: another folder or a wrong clock wrote it",
                where=f"slot {self._slot}, lane {self._lane}",
                fix="check the clock, then rename the log's folder to a slot never used and start "
                "with that slot; no payload is lost",
            )

    def _is_fatal(self, error: HubError) -> bool:
        """Whether to leave: yes when the logs contradict each other or the slot is taken.

        A missing topic or registry also says STOP to its caller, but here the log goes on taking
        payloads while the operator mends it.
        """
        if isinstance(error, InvariantError):
            return True
        if isinstance(error, FencedError):
            # The coordinator also fences who was away too long. Taking the id anew shows which it
            # was: whoever else owns the slot leaves another mark, or fences again and again.
            now = time.monotonic()
            self._fences = [at for at in self._fences if now - at < _FENCES_WITHIN_S] + [now]
            return isinstance(error, SlotTakenError) or len(self._fences) >= _FENCES_MOST
        return False

    def _stopping(self) -> bool:
        return self._stop.is_set() and time.monotonic() > self._deadline
