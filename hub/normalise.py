"""The normalise stage: raw payloads in, canonical events and dead letters out.

Runs each connector's pure `parse` inside the transaction that also holds the payload's offset. A
payload gives events, dead letters for what was refused in it, or nothing; it never stops another.
The device register is followed for what is of defence: of that nothing is written but a count.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import schemas
from hub.codec import MINUTE_US, EventCodec, RecordCodec, from_micros, micros
from hub.config import Config
from hub.connector import Rejection
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.dead_letter import Refused, dead_letter
from hub.defence import Defence
from hub.engine.books import Books, Count
from hub.engine.task import Partition, Produce, Restored, Span
from hub.envelope import Canonical, InnerRejection, Withheld, raw_topic
from hub.errors import ConfigError, EnvironmentNotReadyError, UnavailableError
from hub.evidence import EvidenceStore
from hub.kafka.admin import Cluster
from hub.kafka.reading import Follower
from hub.metrics import StageMetrics
from hub.parsing import Parsed, Parser, RawRecord, described, event_codecs
from hub.pauses import Pauses
from hub.raw_topics import connector_topics
from hub.refusals import WITH_BYTES_MAX, in_runs
from hub.registers import applied
from hub.reloading import Reload
from hub.replayed import INDEXES
from hub.schema_ids import SchemaIds
from hub.snapshot_log import SnapshotLog
from hub.snapshots import Gone, Page, Reading, Snapshots, vanished

__all__ = ["Normalise", "refused_by"]

_DEVICES = "device.v1"
# While the register has not been seen for this long, nothing is parsed.
_REGISTER_MAX_AGE_S = 30.0
_FOLLOW_S = 0.2


class Normalise:
    """One lane of the normalise stage, for payloads of the `connectors` that are in use."""

    stage = "normalise"

    def __init__(
        self,
        config: Config,
        *,
        lane: str,
        slot: str,
        ids: SchemaIds,
        store: EvidenceStore,
        connectors: Sequence[str],
        reload: Reload | None = None,
    ) -> None:
        self.lane = lane
        if not connectors:
            raise ConfigError(
                "no source is there, so nothing is to be normalised",
                where="source",
                fix="add a [source.NAME] to hub.toml, and run `hub topics apply`",
            )
        self.topics = [raw_topic(name, lane) for name in connectors]
        self._key = config.site_key()
        self._reload = reload
        defence = Defence()
        self._ids = ids
        self._codecs: Mapping[str, EventCodec] = event_codecs(ids)
        self._parser = Parser(
            config,
            codecs=self._codecs,
            evidence=store,
            keep_pictures=True,
            defence=defence,
        )
        self._letters = RecordCodec(schemas.built(DEAD_LETTERS), ids.current(DEAD_LETTERS))
        self._books = Books(
            stage=self.stage, lane=lane, slot=slot, schema_id=ids.current("ledger.v1")
        )
        self._metrics = {name: StageMetrics(self.stage, lane, name) for name in connectors}
        self._snapshot_log = SnapshotLog(config.kafka, ids)
        self._snapshots: dict[Partition, Snapshots] = {}
        self._pauses = Pauses(config, StageMetrics(self.stage, lane))
        self._counts: dict[Partition, dict[tuple[str, str, int, str], int]] = {}
        self._dead: dict[tuple[str, str, str], int] = {}
        self._unproven: list[tuple[str, str, str]] = []
        decode = partial(ids.decode, _DEVICES)
        self._follower = Follower(config.kafka, _DEVICES, applied(decode, defence))
        self._follower.catch_up()
        self._followed, self._ready = float("-inf"), False
        self._unread: list[str] = []

    def tick(self) -> bool:
        """Apply changes of the register and of sources; wait while the register can't be read."""
        if self._reload is not None:
            self._reload.poll(self._take)
            if self._unread:
                raise UnavailableError(f"starting over, to read also {', '.join(self._unread)}")
        now = time.monotonic()
        if now - self._followed > _FOLLOW_S:
            self._followed = now
            self._follower.poll()
            self._ready = self._follower.behind_s() < _REGISTER_MAX_AGE_S
        return self._ready

    def _take(self, config: Config) -> None:
        """Go by other sources; what is of a connector in no use before needs another subscription.

        Raises `ConfigError` for wrong options, and `EnvironmentNotReadyError` for a connector whose
        raw topics are not made: nothing has changed then.
        """
        fresh = [name for name in config.connectors() if name not in self._metrics]
        wanted = [topic for name in fresh for topic in connector_topics(name)]
        there = Cluster(config.kafka).topic_names() if wanted else set()
        if missing := [topic for topic in wanted if topic not in there]:
            raise EnvironmentNotReadyError(
                f"no such topic: {', '.join(missing)}",
                where="source",
                fix="run `hub topics apply`, then `hub reload`",
            )
        self._parser.take(config)
        self._pauses.take(config)
        self._unread = fresh

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def restore(self, partitions: Iterable[Restored]) -> None:
        """Take over what snapshots held; of all other sources the offsets say all."""
        fresh = {each.partition: Snapshots(self._key) for each in partitions}
        self._snapshot_log.restore(fresh)
        self._snapshots |= fresh

    def forget(self, partition: Partition) -> None:
        """Another worker counts this partition now."""
        self._counts.pop(partition, None)
        self._snapshots.pop(partition, None)
        self._pauses.forget(partition)

    def handle(self, partition: Partition, messages: Sequence[Any], produce: Produce) -> None:
        """Parse payloads of one raw partition, in their order."""
        for message in messages:
            self._one(partition, RawRecord.of(message), produce)

    def refuse(self, message: Any, cause: str, produce: Produce) -> None:
        """The cluster refuses what this payload gives: keep it as a dead letter."""
        raw = RawRecord.of(message)
        refused = described(raw)
        bare = self._parser.shares(refused.source_id)
        refused = replace(refused, value=raw.value, bare=bare)
        self._letter(refused, Rejection(code="refused-by-cluster", message=cause), produce)
        partition = Partition(message.topic(), message.partition())
        self._count(partition, refused, "", "refused")
        self._count(partition, refused, "", "dead")

    def seal(self, spans: Mapping[Partition, Span], produce: Produce) -> None:
        """Write what snapshots held, and the books."""
        for partition, state in self._snapshots.items():
            self._snapshot_log.write(partition, state, produce)
        self._books.write(spans, {name: self._rows(name) for name in spans}, produce)

    def committed(self) -> None:
        """Count what was written, and begin anew."""
        for partition, counts in self._counts.items():
            meters = self._metrics[self._parser.connector_of(partition.topic)]
            for (source, noun, _, outcome), count in counts.items():
                if outcome == "found":
                    topic = schemas.nouns()[noun].topic
                    meters.records_out(count, topic=topic, source_id=source)
                elif outcome not in {"dead", "withheld"}:
                    meters.records_in(count, topic=partition.topic, source_id=source)
                if outcome in {"nothing", "withheld"}:
                    meters.dropped(count, outcome, topic=partition.topic, source_id=source)
        for (name, code, source), count in self._dead.items():
            if name not in self._metrics:  # a connector that payloads are handed on to
                self._metrics[name] = StageMetrics(self.stage, self.lane, name)
            self._metrics[name].dead_letters(count, code, source_id=source)
        for topic, why, source in self._unproven:
            meters = self._metrics[self._parser.connector_of(topic)]
            meters.snapshot_unproven(why, source_id=source)
        for state in self._snapshots.values():
            state.commit()
        self._pauses.committed()
        self._begin()

    def rolled_back(self) -> None:
        """Nothing of the transaction counts."""
        for state in self._snapshots.values():
            state.rollback()
        self._pauses.rolled_back()
        self._begin()

    def _begin(self) -> None:
        self._counts.clear()
        self._dead.clear()
        self._unproven.clear()

    def _one(self, partition: Partition, raw: RawRecord, produce: Produce) -> None:
        if self._pauses.sets_aside(raw):
            self._set_aside(partition, raw, produce)
            return
        parsed = self._parser.parse(raw)
        reading = self._reading(partition, parsed, raw)
        outcomes, places, letters = set(), 0, 0
        # All of it is read before anything is written: a transaction's time runs from its first
        # record on, and a large payload may take as long to read as that lasts.
        for part in list(in_runs(self._pauses.watched(parsed))):
            result = part.result
            outcomes.add(type(result))
            places += part.size
            if isinstance(result, Canonical):
                if reading is not None:
                    result = reading.see(result)
                produce(result.topic, result.value, result.key, result.headers)
                self._count(partition, parsed.record, result.noun, "found")
            elif isinstance(result, Rejection):
                if reading is not None:
                    reading.refused()
                letters += 1
                refused = parsed.refused(part.place, bare=letters > WITH_BYTES_MAX)
                self._letter(replace(refused, last_index=part.last), result, produce)
                self._count(partition, parsed.record, "", "dead")
                by = refused_by(parsed.record, result).component
                letter = (by, result.code, parsed.record.source_id)
                self._dead[letter] = self._dead.get(letter, 0) + 1
            elif isinstance(result, Withheld):
                self._count(partition, parsed.record, "", "withheld")
            elif reading is not None:
                reading.nothing(result)
        for place, gone in enumerate(reading.end() if reading else (), start=places):
            outcomes.add(Canonical)
            self._vanished(gone, parsed, raw, place, produce)
            self._count(partition, parsed.record, gone.noun, "found")
        if reading is not None and reading.unproven:
            self._unproven.append((raw.topic, reading.unproven, parsed.record.source_id))
        self._count(partition, parsed.record, "", _word(outcomes))

    def _reading(self, partition: Partition, parsed: Parsed, raw: RawRecord) -> Reading | None:
        """Of a page of a full snapshot; not of one that a replay sent again in part."""
        headers = dict(raw.headers)
        page = Page.of(headers)
        if page is None or INDEXES in headers:
            return None
        state = self._snapshots.get(partition)
        if state is None:
            state = self._snapshots[partition] = Snapshots(self._key)
        return state.reading(parsed.record.source_id, page)

    def _vanished(
        self, gone: Gone, parsed: Parsed, raw: RawRecord, place: int, produce: Produce
    ) -> None:
        """Write the event of what the payload, a snapshot's last page, shows to be gone."""
        topic, record = schemas.nouns()[gone.noun].topic, parsed.record
        last = self._ids.decode(topic, gone.event)
        origin = last["header"]["origin"] | {
            "topic": raw.topic,
            "partition": raw.partition,
            "offset": raw.offset,
            "index": place,
            "sha256": record.sha256 or hashlib.sha256(parsed.body).digest(),
        }
        at = record.received_at or from_micros(0)
        header = vanished(gone, last["header"], at=at, origin=origin)
        value, cut = self._codecs[gone.noun].encode(header, {}, last["body"])
        event = Canonical(gone.noun, topic, gone.key, value, cut)
        produce(topic, event.value, event.key, event.headers)

    def _set_aside(self, partition: Partition, raw: RawRecord, produce: Produce) -> None:
        """Keep a payload whose source is paused: a dead letter says where it stands."""
        aside = replace(described(raw, self._parser.connector_of(raw.topic)), bare=True)
        why = self._pauses.why(aside.source_id)
        self._letter(aside, why, produce)
        self._count(partition, aside, "", "refused")
        self._count(partition, aside, "", "dead")
        letter = (aside.component, why.code, aside.source_id)
        self._dead[letter] = self._dead.get(letter, 0) + 1

    def _letter(self, refused: Refused, why: Rejection, produce: Produce) -> None:
        letter = dead_letter(
            self._key,
            refused_by(refused, why),
            code=why.code,
            message=why.message,
            path=why.path,
            fix=why.fix,
            failed_at=datetime.now(UTC),
        )
        produce(DEAD_LETTERS, self._letters.encode(letter), refused.source_id.encode())

    def _count(self, partition: Partition, refused: Refused, noun: str, outcome: str) -> None:
        received = refused.received_at
        minute = micros(received) // MINUTE_US * MINUTE_US if received else 0
        counts = self._counts.setdefault(partition, {})
        name = (refused.source_id, noun, minute, outcome)
        counts[name] = counts.get(name, 0) + 1

    def _rows(self, partition: Partition) -> list[Count]:
        return [
            (source, noun, minute, outcome, count, 0)
            for (source, noun, minute, outcome), count in self._counts.get(partition, {}).items()
        ]


def refused_by(record: Refused, why: Rejection) -> Refused:
    """The record with the connector that refused it: that of its topic, or one inside."""
    if not isinstance(why, InnerRejection):
        return record
    return replace(record, component=why.component, component_version=why.component_version)


def _word(outcomes: set[type]) -> str:
    """What the books say of a payload: with events, only refused, or nothing."""
    if Canonical in outcomes:
        return "events"
    return "refused" if Rejection in outcomes else "nothing"
