"""A payload becomes a raw record: what all transports have in common.

Bytes are kept as received. A large body, and every multipart body, goes whole to the evidence
store before anything is acknowledged; its raw record is then empty and the header `body` names it.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import NamedTuple

from hub.config import Config, SourceConfig
from hub.connector import Connector
from hub.defence import is_defence
from hub.discovery import connector as find_connector
from hub.envelope import raw_topic
from hub.errors import ConfigError
from hub.evidence import EvidenceStore
from hub.identity import record_key
from hub.ingest.at_hand import AtHand
from hub.ingest.log import IngestLog
from hub.ingest.records import RawRecord, timestamp
from hub.metrics import StageMetrics

__all__ = ["LANES", "Arrival", "Intake", "Snapshot", "Source", "header_text"]

_log = logging.getLogger("hub.ingest.intake")

LANES = ("urgent", "bulk")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER_MOST = 1_024
_SHARD_MOST = 256


class Source:
    """One configured source, with what follows from its connector."""

    def __init__(self, source_id: str, config: SourceConfig) -> None:
        self.id = source_id
        self.config = config
        self.connector: Connector = _connector(source_id, config.connector)
        self.lane: str = config.lane or self.connector.lane
        self.topic = raw_topic(config.connector, self.lane)
        self.refused = is_defence(config.purpose)
        """Nothing is taken from it."""
        self.metrics = StageMetrics("ingest", self.lane, config.transport.kind)
        possible = config.transport.shards
        if config.shard and not config.shard.startswith(possible):
            raise ConfigError(
                f"a {config.transport.kind} payload has no {config.shard!r} to shard by",
                where=f"source.{source_id}.shard",
                fix=f"use {' or '.join(possible)}, or leave it out" if possible else "leave it out",
            )

        if config.shard and config.snapshot:
            raise ConfigError(
                "the pages of a snapshot would come to different partitions, out of their order",
                where=f"source.{source_id}.shard",
                fix="leave out shard or snapshot",
            )

    @property
    def shard_header(self) -> str:
        """Name of the request header that is its shard, in lower case."""
        kind, _, name = self.config.shard.partition(":")
        return name.lower() if kind == "header" else ""

    def shard(self, meta: Mapping[str, str], body: bytes) -> str | None:
        """What spreads this source over partitions; None when nothing does."""
        if self.config.shard:
            found = meta.get(self.config.shard.replace("header:", "header.").lower(), "")
        elif self.connector.shard is not None and not self.config.snapshot:
            found = self._own_shard(self.connector, body)
        else:
            return None
        if len(found) > _SHARD_MOST:
            found = hashlib.sha256(found.encode()).hexdigest()
        return found or None

    def _own_shard(self, connector: Connector, body: bytes) -> str:
        assert connector.shard is not None
        try:
            return connector.shard(body)
        except Exception as error:  # noqa: BLE001 - any body is accepted, whatever a connector does
            # Without a shard the payload is still taken: normalise will say what is wrong with it.
            self.metrics.error("shard-" + type(error).__name__)
            _log.warning(
                "no shard for a payload: source=%s connector=%s error=%s",
                self.id,
                connector.name,
                type(error).__name__,
            )
            return ""


def _connector(source_id: str, name: str) -> Connector:
    try:
        return find_connector(name)
    except ConfigError as error:
        where = f"source.{source_id}.connector"
        raise ConfigError(error.what, where=where, fix=error.fix) from error


class Snapshot(NamedTuple):
    """Which page of which snapshot a payload is; `complete` says that all pages are there."""

    id: str
    page: int
    complete: bool


class Arrival(NamedTuple):
    """One payload and what its transport knows of it."""

    body: bytes
    content_type: str
    meta: dict[str, str]
    payload_id: str
    received_at: float
    """Seconds since 1970."""
    snapshot: Snapshot | None = None
    """None: the payload is a whole snapshot, where its source sends snapshots."""


class Intake:
    """Makes raw records and says which log they belong to."""

    def __init__(
        self, config: Config, logs: Mapping[str, IngestLog], evidence: EvidenceStore
    ) -> None:
        self.sources = {id_: Source(id_, source) for id_, source in config.source.items()}
        self.logs = logs
        self.evidence = evidence
        self.at_hand = AtHand(set(logs.values()))
        # A record must always fit a log with little room, however large inline_bytes is.
        smallest = config.ingest.log_max_bytes // 8
        self._inline_bytes = min(config.ingest.inline_bytes, smallest)

    def belongs_in_evidence(self, size: int, content_type: str) -> bool:
        """Whether a body is stored in the evidence store instead of the raw record."""
        return size > self._inline_bytes or content_type.lower().lstrip().startswith("multipart/")

    def record(self, source: Source, arrival: Arrival, *, stored: str | None) -> RawRecord:
        """The raw record; `stored` is the body's name in the evidence store."""
        digest = stored or hashlib.sha256(arrival.body).hexdigest()
        headers = [
            ("source_id", source.id.encode()),
            ("payload_id", arrival.payload_id.encode()),
            ("received_at", timestamp(arrival.received_at).encode()),
            ("content_type", header_text(arrival.content_type).encode()),
            ("sha256", digest.encode()),
            ("transport", source.config.transport.kind.encode()),
        ]
        for name, text in arrival.meta.items():
            headers.append((f"meta.{name}", header_text(text).encode()))
        if source.config.snapshot:
            part = arrival.snapshot or Snapshot(arrival.payload_id, 1, complete=True)
            complete = b"true" if part.complete else b"false"
            headers += [("snapshot", part.id.encode()), ("page", b"%d" % part.page)]
            headers.append(("complete", complete))
        if stored is not None:
            headers.append(("body", f"sha256:{stored}".encode()))
        return RawRecord(
            source.topic,
            record_key(source.id, source.shard(arrival.meta, arrival.body)),
            arrival.body if stored is None else b"",
            headers,
        )

    def log(self, source: Source) -> IngestLog:
        """The log of the source's lane."""
        return self.logs[source.lane]

    def count(self, source: Source, arrival: Arrival) -> None:
        """Count a payload that is durable now."""
        source.metrics.records_in(1, topic=source.topic, source_id=source.id)
        source.metrics.source_heard(source.id, arrival.received_at)


def header_text(text: str) -> str:
    """What a transport said, fit for a record header: bounded, valid and on one line."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _CONTROL.sub(" ", clean)[:_HEADER_MOST]
