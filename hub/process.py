"""The process stage: canonical events in, subscribers' events out.

Joins the pure steps of `streams` with Kafka: their state is restored and written in the
transaction, the registers of devices and places and the routing rules are followed live, refused
records become dead letters, and devices that no register knows are told to the operators.
"""

import importlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import unquote

import schemas
from hub.areas.site import of_site
from hub.codec import VARIABLE, RecordCodec, read_long, received_minute
from hub.config import Config
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.dead_letter import Refused, dead_letter
from hub.engine.books import Books, Count
from hub.engine.state import Changelog
from hub.engine.task import Partition, Produce, Restored, Span
from hub.errors import RecordError
from hub.kafka.reading import Follower
from hub.metrics import StageMetrics
from hub.registers import Decode, applied
from hub.schema_ids import SchemaIds, Versions
from hub.unknown import TOPIC as UNKNOWN_DEVICES
from hub.unknown import record_key

__all__ = ["Process"]

_log = logging.getLogger("hub.process")
_DEVICES, _ROUTES, _PLACES = "device.v1", "route.v1", "location.v1"
# A rule starts at least 60 s ahead; a worker that has not seen the rules for this long waits.
_RULES_MAX_AGE_S = 30.0
# How often the registers are looked at: a change of rules takes a minute to begin anyway.
_FOLLOW_S = 0.2


class Process:
    """One lane of the process stage."""

    stage = "process"

    def __init__(
        self, config: Config, *, lane: str, slot: str, ids: SchemaIds, versions: Versions
    ) -> None:
        self.lane = lane
        self.topics = [noun.topic for noun in schemas.nouns().values() if noun.lane == lane]
        # Found by name: the engine does not depend on what it runs.
        steps = importlib.import_module("streams.process")
        place = importlib.import_module("streams.place")
        route = importlib.import_module("streams.route")
        self._register = place.DeviceRegister(areas=of_site(config.data))
        self._rules = route.RuleBook()
        self._key = config.site_key()
        self._steps = steps.Process(
            lane=lane,
            slot=slot,
            key=self._key,
            register=self._register,
            rules=self._rules,
            frames=versions.frames,
            recode=versions.recode,
            reader=versions.reader,
            nouns=config.nouns(),
        )
        self._letters = RecordCodec(schemas.built(DEAD_LETTERS), ids.current(DEAD_LETTERS))
        self._unknown = RecordCodec(schemas.built(UNKNOWN_DEVICES), ids.current(UNKNOWN_DEVICES))
        self._books = Books(
            stage=self.stage, lane=lane, slot=slot, schema_id=ids.current("ledger.v1")
        )
        self._changelog = Changelog(config.kafka, ids)
        self._metrics = StageMetrics(self.stage, lane)
        self._age = {topic: self._metrics.event_age_observer(topic) for topic in self.topics}
        self._dead: dict[str, int] = {}
        self._followed, self._ready = float("-inf"), False
        self._followers = [
            self._follow(config, topic, partial(ids.decode, topic), target)
            for topic, target in (
                (_DEVICES, self._register),
                (_ROUTES, self._rules),
                (_PLACES, self._register.locations),
            )
        ]
        _log.info("%d devices, %d rules", len(self._register), len(self._rules))

    def tick(self) -> bool:
        """Apply changes of register and rules; wait while the rules can't be read."""
        now = time.monotonic()
        if now - self._followed > _FOLLOW_S:
            self._followed = now
            for follower in self._followers:
                follower.poll()
            self._ready = self._followers[1].behind_s() < _RULES_MAX_AGE_S
        return self._ready

    def close(self) -> None:
        """Stop following."""
        for follower in self._followers:
            follower.close()

    def restore(self, partitions: Iterable[Restored]) -> None:
        """Open partitions with the state they had at their committed offsets."""
        wanted = list(partitions)
        states = {each.partition: self._steps.open(*each.partition) for each in wanted}
        self._changelog.restore(wanted, states)

    def forget(self, partition: Partition) -> None:
        """Another worker has the partition's state now."""
        self._steps.close(*partition)

    def handle(self, partition: Partition, messages: Sequence[Any], produce: Produce) -> None:
        """Decide on records of one canonical partition."""
        now_us = time.time_ns() // 1000
        self._steps.handle(
            partition.topic,
            partition.number,
            messages,
            now_us=now_us,
            emit=produce,
            refuse=partial(self._refuse, partition, produce),
            unknown=lambda row: produce(
                UNKNOWN_DEVICES, self._unknown.encode(row), record_key(row)
            ),
        )
        self._observe_age(partition, messages[-1], now_us)

    def refuse(self, message: Any, cause: str, produce: Produce) -> None:
        """The cluster refuses what this record gives: keep it as a dead letter."""
        partition = Partition(message.topic(), message.partition())
        self._refuse(partition, produce, message, RecordError(cause, code="refused-by-cluster"))

    def seal(self, spans: Mapping[Partition, Span], produce: Produce) -> None:
        """Write what changed in state, and the books."""
        counts: dict[Partition, list[Count]] = {}
        for partition, span in spans.items():
            state = self._steps.state(*partition)
            self._changelog.write(partition, state, span.to, produce)
            counts[partition] = [
                (source, state.noun.name, minute, outcome, count, produced)
                for (source, minute, outcome), (count, produced) in state.tally.counts.items()
            ]
        self._books.write(spans, counts, produce)
        self._sealed = counts

    def committed(self) -> None:
        """State and books are part of the log; count them."""
        for partition, counts in self._sealed.items():
            for source, _, _, outcome, count, produced in counts:
                names = {"topic": partition.topic, "source_id": source}
                self._metrics.records_in(count, **names)
                if outcome == "delivered":
                    self._metrics.records_out(produced, **names)
                elif outcome != "dead":
                    self._metrics.dropped(count, outcome, **names)
        for code, count in self._dead.items():
            self._metrics.dead_letters(count, code)
        self._dead.clear()
        self._steps.commit()

    def rolled_back(self) -> None:
        """State is as it was before the transaction."""
        self._dead.clear()
        self._steps.rollback()

    _sealed: Mapping[Partition, Sequence[Count]] = {}

    def _refuse(
        self, partition: Partition, produce: Produce, message: Any, error: RecordError
    ) -> None:
        value = message.value() or b""
        # As the ledger reads it, whatever the bytes are.
        source = unquote((message.key() or b"").split(b"/")[0].decode("utf-8", "replace"))
        letter = dead_letter(
            self._key,
            Refused(
                stage=self.stage,
                topic=partition.topic,
                partition=partition.number,
                offset=message.offset(),
                value=value,
                headers=message.headers() or [],
                source_id=source,
                component="process",
            ),
            code=error.code,
            message=error.what,
            fix=error.fix,
            failed_at=datetime.now(UTC),
        )
        produce(DEAD_LETTERS, self._letters.encode(letter), source.encode())
        self._steps.state(*partition).tally.add(source, received_minute(value), "dead")
        self._dead[error.code] = self._dead.get(error.code, 0) + 1

    def _observe_age(self, partition: Partition, message: Any, now_us: int) -> None:
        """The age of one event of a batch: all of them would cost more than they tell."""
        value = message.value() or b""
        try:
            at_us, at = read_long(value, VARIABLE)
            if value[at]:
                at_us = read_long(value, at + 1)[0]
        except (IndexError, ValueError):
            # No event: it became a dead letter.
            return
        self._age[partition.topic](max(0.0, (now_us - at_us) / 1e6))

    def _follow(self, config: Config, topic: str, decode: Decode, target: Any) -> Follower:
        """Follow a register into `target`; each record has valid_from and maybe valid_to."""
        follower = Follower(config.kafka, topic, applied(decode, target))
        follower.catch_up()
        return follower
