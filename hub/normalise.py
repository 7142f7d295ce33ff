"""The normalise stage: raw payloads in, canonical events and dead letters out.

Runs each connector's pure `parse` inside the transaction that also holds the payload's offset. A
payload gives events, dead letters for what was refused in it, or nothing; it never stops another.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

import schemas
from hub.codec import MINUTE_US, EventCodec, RecordCodec, micros
from hub.config import Config
from hub.connector import Nothing, Payload, Rejection
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.dead_letter import Refused, dead_letter
from hub.discovery import connector, connector_names
from hub.engine.books import Books, Count
from hub.engine.task import Partition, Produce, Restored, Span
from hub.envelope import Canonical, Envelope, RawRef, raw_topic, received_of
from hub.errors import ConfigError, RecordError
from hub.evidence import EvidenceStore
from hub.ingest.limits import inflate
from hub.metrics import StageMetrics
from hub.schema_ids import SchemaIds

__all__ = ["Normalise"]

_log = logging.getLogger("hub.normalise")
_EVENT_MAX = 900_000  # leaves room for what process appends, below Kafka's limit of 1 MiB
_INFLATED_MAX = 64 * 2**20


class Normalise:
    """One lane of the normalise stage."""

    stage = "normalise"

    def __init__(
        self, config: Config, *, lane: str, slot: str, ids: SchemaIds, store: EvidenceStore
    ) -> None:
        self.lane = lane
        self.topics = [raw_topic(name, lane) for name in connector_names()]
        self._connector_of = {raw_topic(name, lane): name for name in connector_names()}
        self._config = config
        self._key = config.site_key()
        self._store = store
        self._codecs = {
            noun.name: EventCodec(schemas.built(noun.topic), ids.current(noun.topic))
            for noun in schemas.nouns().values()
        }
        self._letters = RecordCodec(schemas.built(DEAD_LETTERS), ids.current(DEAD_LETTERS))
        self._books = Books(
            stage=self.stage, lane=lane, slot=slot, schema_id=ids.current("ledger.v1")
        )
        self._metrics = {name: StageMetrics(self.stage, lane, name) for name in connector_names()}
        self._envelopes: dict[tuple[str, str], Envelope] = {}
        self._counts: dict[Partition, dict[tuple[str, str, int, str], int]] = {}
        self._dead: dict[tuple[str, str, str], int] = {}

    def tick(self) -> bool:
        """Nothing is followed; the input is always wanted."""
        return True

    def restore(self, partitions: Iterable[Restored]) -> None:
        """There is no state to restore: the offsets say all."""

    def forget(self, partition: Partition) -> None:
        """Another worker counts this partition now."""
        self._counts.pop(partition, None)

    def handle(self, partition: Partition, messages: Sequence[Any], produce: Produce) -> None:
        """Parse payloads of one raw partition, in their order."""
        for message in messages:
            self._one(partition, message, produce)

    def refuse(self, message: Any, cause: str, produce: Produce) -> None:
        """The cluster refuses what this payload gives: keep it as a dead letter."""
        refused = _refused(message, message.headers() or [], message.value() or b"")
        self._letter(refused, Rejection(code="refused-by-cluster", message=cause), produce)
        partition = Partition(message.topic(), message.partition())
        self._count(partition, refused, "", "refused")
        self._count(partition, refused, "", "dead")

    def seal(self, spans: Mapping[Partition, Span], produce: Produce) -> None:
        """Write the books."""
        self._books.write(spans, {name: self._rows(name) for name in spans}, produce)

    def committed(self) -> None:
        """Count what was written, and begin anew."""
        for partition, counts in self._counts.items():
            meters = self._metrics[self._connector_of[partition.topic]]
            for (source, noun, _, outcome), count in counts.items():
                if outcome == "found":
                    topic = schemas.nouns()[noun].topic
                    meters.records_out(count, topic=topic, source_id=source)
                elif outcome != "dead":
                    meters.records_in(count, topic=partition.topic, source_id=source)
                if outcome == "nothing":
                    meters.dropped(count, outcome, topic=partition.topic, source_id=source)
        for (name, code, source), count in self._dead.items():
            self._metrics[name].dead_letters(count, code, source_id=source)
        self.rolled_back()

    def rolled_back(self) -> None:
        """Nothing of the transaction counts."""
        self._counts.clear()
        self._dead.clear()

    def _one(self, partition: Partition, message: Any, produce: Produce) -> None:
        headers = message.headers() or []
        name = self._connector_of[partition.topic]
        refused = _refused(message, headers, b"", component=name)
        try:
            body = self._body(message, dict(headers))
            payload = _payload(refused, body, headers)
            results = self._envelope(name, payload.source_id).results(
                payload,
                RawRef(
                    refused.sha256 or hashlib.sha256(body).digest(),
                    partition.topic,
                    partition.number,
                    message.offset(),
                ),
            )
        except (RecordError, ConfigError) as error:
            code = getattr(error, "code", "bad-source")
            results = iter(
                [Rejection(code=code, message=error.what, path=error.where, fix=error.fix)]
            )
            body = message.value() or b""
        outcomes = set()
        for index, result in enumerate(results):
            written = self._write(result, index, refused, body, produce)
            outcomes.add(type(written))
            if isinstance(written, Canonical):
                self._count(partition, refused, written.noun, "found")
            elif isinstance(written, Rejection):
                self._count(partition, refused, "", "dead")
                letter = (name, written.code, refused.source_id)
                self._dead[letter] = self._dead.get(letter, 0) + 1
        self._count(partition, refused, "", _word(outcomes))

    def _write(
        self,
        result: Canonical | Rejection | Nothing,
        index: int,
        refused: Refused,
        body: bytes,
        produce: Produce,
    ) -> Canonical | Rejection | Nothing:
        """Write one outcome; what it became, for the books."""
        if isinstance(result, Canonical) and len(result.value) > _EVENT_MAX:
            result = Rejection(
                code="too-large",
                message=f"the event takes {len(result.value)} bytes, at most {_EVENT_MAX} fit",
                fix="let the source send smaller records",
            )
        if isinstance(result, Canonical):
            produce(result.topic, result.value, result.key, [("cut", result.cut.pack())])
        elif isinstance(result, Rejection):
            self._letter(_part(refused, index, body), result, produce)
        return result

    def _letter(self, refused: Refused, why: Rejection, produce: Produce) -> None:
        letter = dead_letter(
            self._key,
            refused,
            code=why.code,
            message=why.message,
            path=why.path,
            fix=why.fix,
            failed_at=datetime.now(UTC),
        )
        produce(DEAD_LETTERS, self._letters.encode(letter), refused.source_id.encode())

    def _body(self, message: Any, headers: Mapping[str, bytes]) -> bytes:
        """The payload's bytes: the value, or what the header `body` names in the evidence store."""
        reference = headers.get("body")
        body = self._store.get(_digest(reference)) if reference else message.value() or b""
        if _text(headers, "meta.header.content-encoding").lower() == "gzip":
            return _inflate(body)
        return body

    def _envelope(self, name: str, source_id: str) -> Envelope:
        """The envelope of a source, made once; `ConfigError` when its entry is wrong."""
        known = self._envelopes.get((name, source_id))
        if known is None:
            found = connector(name)
            source = self._config.source.get(source_id)
            try:
                options = found.options(**(source.connector_options() if source else {}))
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                raise ConfigError(
                    first["msg"],
                    where=f"source.{source_id}.options.{'.'.join(map(str, first['loc']))}",
                    fix="correct hub.toml, then replay the dead letters",
                ) from error
            known = self._envelopes[name, source_id] = Envelope(
                found,
                options,
                source_id,
                key=self._key,
                codecs=self._codecs,
                store=lambda data: bytes.fromhex(self._store.put(data)),
            )
        return known

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


def _word(outcomes: set[type]) -> str:
    """What the books say of a payload: with events, only refused, or nothing."""
    if Canonical in outcomes:
        return "events"
    return "refused" if Rejection in outcomes else "nothing"


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return (headers.get(name) or b"").decode("utf-8", "replace")


def _digest(reference: bytes) -> str:
    return reference.decode("ascii", "replace").removeprefix("sha256:")


def _refused(
    message: Any, pairs: list[tuple[str, bytes]], value: bytes, component: str = ""
) -> Refused:
    """What is known of a raw record, for its dead letter."""
    headers = dict(pairs)
    try:
        sha256 = bytes.fromhex(_text(headers, "sha256"))
    except ValueError:
        sha256 = b""
    return Refused(
        stage="normalise",
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        value=value,
        headers=pairs,
        source_id=_text(headers, "source_id"),
        component=component,
        component_version=connector(component).version if component else "",
        payload_id=_text(headers, "payload_id"),
        received_at=received_of(headers),
        content_type=_text(headers, "content_type"),
        sha256=sha256,
        body_ref=_text(headers, "body"),
    )


def _part(refused: Refused, index: int, body: bytes) -> Refused:
    """The same record, with its bytes where they are not kept elsewhere."""
    return replace(refused, index=index, value=b"" if refused.body_ref else body)


def _payload(refused: Refused, body: bytes, pairs: list[tuple[str, bytes]]) -> Payload:
    """The payload a parser sees; `RecordError` when ingest's headers are missing."""
    if not refused.source_id or refused.received_at is None:
        raise RecordError(
            "the raw record lacks the headers source_id or received_at",
            code="bad-raw-record",
            fix="only ingest writes to raw topics",
        )
    headers = dict(pairs)
    return Payload(
        body=body,
        content_type=refused.content_type,
        received_at=refused.received_at,
        source_id=refused.source_id,
        payload_id=refused.payload_id,
        transport=_text(headers, "transport"),
        meta={
            name.removeprefix("meta."): _text(headers, name)
            for name in headers
            if name.startswith("meta.")
        },
    )


def _inflate(body: bytes) -> bytes:
    """A gzip body, inflated up to a bound."""
    try:
        return inflate(body, _INFLATED_MAX)
    except ValueError as error:
        raise RecordError(f"not usable as gzip: {error}", code="bad-encoding") from error
