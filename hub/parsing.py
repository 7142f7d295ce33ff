"""From a raw record to its outcomes: the one way that normalise, replays and explanations take.

The body comes from the record or from the evidence store and is inflated; the headers that ingest
wrote become the payload; the source's connector reads it. Whatever is wrong with a record is an
outcome too, so a parser never stops at one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import schemas
from hub.codec import EventCodec
from hub.config import Config
from hub.connector import Payload, Rejection
from hub.dead_letter import Refused
from hub.defence import Defence, is_defence
from hub.discovery import connector, connector_names
from hub.envelope import (
    Canonical,
    Envelope,
    RawRef,
    Result,
    Withheld,
    hash_only,
    received_of,
)
from hub.errors import ConfigError, RecordError
from hub.evidence import EvidenceStore
from hub.ingest.limits import inflate
from hub.raw_topics import connector_topics
from hub.reloading import source_options
from hub.replayed import INDEXES, TOO_MANY_PARTS, Indexes, only
from hub.schema_ids import SchemaIds
from hub.snapshots import SNAPSHOT

__all__ = [
    "EVENT_MAX",
    "PARTS_MAX",
    "Parsed",
    "Parser",
    "RawRecord",
    "described",
    "event_codecs",
    "payload_of",
]

EVENT_MAX = 900_000  # leaves room for what process appends, below Kafka's limit of 1 MiB
PARTS_MAX = 1_000_000
_INFLATED_MAX = 64 * 2**20


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record of a raw topic, wherever it was read from."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]

    @classmethod
    def of(cls, message: Any) -> "RawRecord":
        """A message of the Kafka client."""
        return cls(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value() or b"",
            message.headers() or (),
        )


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a raw record says of itself, its bytes as the connector saw them, and its outcomes.

    `outcomes` is lazy and can be read once: the place in the payload with each result, None when
    the payload as a whole was refused.
    """

    record: Refused
    body: bytes
    outcomes: Iterator[tuple[int | None, Result]]

    def refused(self, index: int | None, *, bare: bool = False) -> Refused:
        """The same record for a dead letter, with its bytes where they are not kept elsewhere.

        With `bare` the letter says only where they are.
        """
        value = b"" if bare or self.record.body_ref else self.body
        return replace(self.record, index=index, value=value, bare=bare or self.record.bare)


class Parser:
    """Reads raw records of every source of a site.

    `evidence` is read for bodies that are kept there; pictures are written to it only with
    `keep_pictures`, which dry runs and private lanes leave off. What is of `defence` becomes no
    event, and no dead letter of a feed that is shared with it holds any bytes.
    """

    def __init__(
        self,
        config: Config,
        *,
        codecs: Mapping[str, EventCodec],
        evidence: EvidenceStore,
        keep_pictures: bool,
        defence: Defence,
    ) -> None:
        self._config = config
        self._key = config.site_key()
        self._codecs = codecs
        self._evidence = evidence
        self._defence = defence
        self._keep = self._stored if keep_pictures else hash_only
        self._connector_of = {
            topic: name for name in connector_names() for topic in connector_topics(name)
        }
        self._envelopes: dict[tuple[str, str], Envelope] = {}

    def connector_of(self, topic: str) -> str:
        """Name of the connector whose payloads stand on a raw topic."""
        return self._connector_of[topic]

    def knows(self, topic: str) -> bool:
        """Whether there is a connector for a raw topic."""
        return topic in self._connector_of

    def take(self, config: Config) -> None:
        """Go by another configuration's sources; for wrong options `ConfigError` and no change."""
        for source_id, source in config.source.items():
            if source != self._config.source.get(source_id):
                source_options(connector(source.connector), source_id, source)
        self._config = self._config.model_copy(update={"source": config.source})
        self._envelopes.clear()

    def parse(self, raw: RawRecord) -> Parsed:
        """Read one record; `UnavailableError` only when the evidence store does not answer."""
        name = self._connector_of[raw.topic]
        record = described(raw, component=name)
        record = replace(record, bare=self.shares(record.source_id))
        source = self._config.source.get(record.source_id)
        if source is not None and is_defence(source.purpose):
            # It came before its entry said so, or past ingest.
            return Parsed(record, b"", iter([(None, Withheld())]))
        try:
            wanted = _let_through(raw)
            body = _body_of(raw, self._evidence)
            payload = _payload(record, body, raw)
            reference = RawRef(
                record.sha256 or hashlib.sha256(body).digest(),
                raw.topic,
                raw.partition,
                raw.offset,
            )
            results = self._envelope(name, payload.source_id).results(payload, reference)
        except (RecordError, ConfigError) as error:
            code = getattr(error, "code", "bad-source")
            why = Rejection(code=code, message=error.what, path=error.where, fix=error.fix)
            return Parsed(record, raw.value, iter([(None, why)]))
        if any(label == SNAPSHOT for label, _ in raw.headers):
            results = map(_listed, results)
        outcomes = _placed(_bounded(map(_fitting, results)))
        return Parsed(record, body, outcomes if wanted is None else only(outcomes, wanted))

    def shares(self, source_id: str) -> bool:
        """Whether a source has devices of defence: then no dead letter holds its bytes."""
        return self._defence.shares(source_id)

    def _stored(self, data: bytes) -> bytes:
        return bytes.fromhex(self._evidence.put(data, "picture"))

    def _envelope(self, name: str, source_id: str) -> Envelope:
        """The envelope of a source, made once; `ConfigError` when its entry is wrong."""
        known = self._envelopes.get((name, source_id))
        if known is None:
            found = connector(name)
            options = source_options(found, source_id, self._config.source.get(source_id))
            known = self._envelopes[name, source_id] = Envelope(
                found,
                options,
                source_id,
                key=self._key,
                codecs=self._codecs,
                store=self._keep,
                defence=self._defence,
            )
        return known


def payload_of(raw: RawRecord, evidence: EvidenceStore) -> Payload:
    """What a connector sees of a raw record; `RecordError` when that can't be had."""
    return _payload(described(raw), _body_of(raw, evidence), raw)


def event_codecs(ids: SchemaIds) -> dict[str, EventCodec]:
    """The codec of every noun, with the registered id of its canonical topic's schema."""
    return {
        noun.name: EventCodec(schemas.built(noun.topic), ids.current(noun.topic))
        for noun in schemas.nouns().values()
    }


def described(raw: RawRecord, component: str = "") -> Refused:
    """What is known of a raw record, for its dead letter; without its bytes."""
    headers = dict(raw.headers)
    try:
        sha256 = bytes.fromhex(_text(headers, "sha256"))
    except ValueError:
        sha256 = b""
    return Refused(
        stage="normalise",
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        value=b"",
        headers=[(name, value or b"") for name, value in raw.headers],
        source_id=_text(headers, "source_id"),
        component=component,
        component_version=connector(component).version if component else "",
        payload_id=_text(headers, "payload_id"),
        received_at=received_of(headers),
        content_type=_text(headers, "content_type"),
        sha256=sha256,
        body_ref=_text(headers, "body"),
    )


def _placed(results: Iterable[Result]) -> Iterator[tuple[int | None, Result]]:
    """Results with their places; a refusal that stands alone is one of the whole payload."""
    rest = iter(results)
    first = next(rest)
    second = next(rest, None) if isinstance(first, Rejection) else None
    if isinstance(first, Rejection) and second is None:
        yield None, first
        return
    yield 0, first
    start = 1
    if second is not None:
        yield 1, second
        start = 2
    yield from enumerate(rest, start)


def _fitting(result: Result) -> Result:
    """A refusal in place of an event that no record can hold."""
    if isinstance(result, Canonical) and len(result.value) > EVENT_MAX:
        return Rejection(
            code="too-large",
            message=f"the event takes {len(result.value)} bytes, at most {EVENT_MAX} fit",
            fix="let the source send smaller records",
        )
    return result


def _bounded(results: Iterable[Result]) -> Iterator[Result]:
    """As many results as a stage can handle before its group takes it for dead."""
    rest = iter(results)
    yield from islice(rest, PARTS_MAX)
    if next(rest, None) is not None:
        yield Rejection(
            code=TOO_MANY_PARTS,
            message=f"of a payload {PARTS_MAX} parts are read, and it has more",
            fix="let the source send smaller payloads",
        )


def _listed(result: Result) -> Result:
    """The result, marked as one of a full snapshot where it is an event."""
    return replace(result, listed=True) if isinstance(result, Canonical) else result


def _let_through(raw: RawRecord) -> Indexes | None:
    """The places a replayed payload is for; None for one that is new."""
    headers = dict(raw.headers)
    return Indexes.parse(_text(headers, INDEXES)) if INDEXES in headers else None


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    return (headers.get(name) or b"").decode("utf-8", "replace")


def _body_of(raw: RawRecord, evidence: EvidenceStore) -> bytes:
    """The payload's bytes: the value, or what the header `body` names in the evidence store."""
    headers = dict(raw.headers)
    reference = headers.get("body")
    body = evidence.get(_digest(reference)) if reference else raw.value
    if _text(headers, "meta.header.content-encoding").lower() == "gzip":
        return _inflate(body)
    return body


def _digest(reference: bytes) -> str:
    return reference.decode("ascii", "replace").removeprefix("sha256:")


def _payload(record: Refused, body: bytes, raw: RawRecord) -> Payload:
    """The payload a connector sees; `RecordError` when ingest's headers are missing."""
    if not record.source_id or record.received_at is None:
        raise RecordError(
            "the raw record lacks the headers source_id or received_at",
            code="bad-raw-record",
            fix="only ingest writes to raw topics",
        )
    headers = dict(raw.headers)
    return Payload(
        body=body,
        content_type=record.content_type,
        received_at=record.received_at,
        source_id=record.source_id,
        payload_id=record.payload_id,
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
