"""What a configured source sends now: payloads from its raw topic, read beside the stages.

Nothing is written to Kafka and no group is joined, so that no stage hears of it.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.config import Config, SourceConfig
from hub.connector import Connector, Payload
from hub.defence import is_defence
from hub.discovery import connector
from hub.envelope import Canonical, raw_topic
from hub.errors import ConfigError, RecordError
from hub.evidence import EvidenceStore
from hub.kafka.records import read
from hub.parsing import RawRecord, payload_of
from hub.registry import Registry
from hub.render import rfc3339
from hub.tables import defence_of, near_topic
from hub.testing.masking import Masker
from hub.testing.samples import DryRun, Sample, decoded

__all__ = ["Kept", "keep", "live", "new_masker", "source_of"]

_SUFFIXES = {"json": "json", "xml": "xml", "csv": "csv", "text": "txt"}


@dataclass(frozen=True, slots=True)
class Kept:
    """One payload that was written as a sample, or why it was not."""

    file: Path | None
    counts: Mapping[str, int]
    why: str = ""


def source_of(config: Config, name: str) -> SourceConfig:
    """A source whose payloads may be looked at; `ConfigError` says why one may not."""
    source = config.source.get(name)
    if source is None:
        known = ", ".join(sorted(config.source)) or "none"
        raise ConfigError(f"hub.toml has no source {name!r}", where="SOURCE", fix=f"use: {known}")
    if is_defence(source.purpose):
        raise ConfigError(
            "nothing is taken from a source of defence", where=name, fix="name another source"
        )
    return source


def live(
    config: Config, name: str, *, from_beginning: bool, timeout_s: float | None
) -> Iterator[Payload]:
    """The source's payloads as they come, up to the time-out; what can't be fetched is left out."""
    source = source_of(config, name)
    registry = Registry(config.registry_url)
    try:
        if defence_of(config, registry).shares(name):
            raise ConfigError(
                "devices of defence are behind this source, so its payloads are not shown",
                where=name,
                fix="use hub connector try with a file that holds none of theirs",
            )
    finally:
        registry.close()
    topic = raw_topic(source.connector, source.lane or connector(source.connector).lane)
    evidence = EvidenceStore.open(config.evidence())
    records = read(
        config.kafka,
        topic,
        from_beginning=from_beginning,
        follow=True,
        timeout_s=timeout_s,
        suggest=near_topic,
    )
    with closing(records):
        for record in records:
            if dict(record.headers).get("source_id") != name.encode():
                continue
            raw = RawRecord(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value or b"",
                record.headers,
            )
            try:
                yield payload_of(raw, evidence)
            except RecordError:
                continue  # its body is erased or gone; normalise has made a dead letter of it


def keep(
    payload: Payload,
    *,
    connector: Connector,
    options: Mapping[str, Any],
    folder: Path,
    masker: Masker,
    recorded: str,
) -> Kept:
    """Write a payload as a sample, masked; nothing when a plate is still found in it."""
    sample = Sample(
        name=_name(payload),
        body=payload.body,
        content_type=payload.content_type,
        received_at=payload.received_at,
        source_id=payload.source_id,
        meta=payload.meta,
        options=options,
    )
    results = DryRun(connector, sample).results(payload)
    events = [decoded(each) for each in results if isinstance(each, Canonical)]
    read_plates = (event["restricted"]["plate"] or {} for event in events)
    plates = {plate.get(name) or "" for plate in read_plates for name in ("raw", "text")}
    masked = masker.body(payload.body, plates)
    if masked.left:
        return Kept(None, masked.counts, "a plate is still found in it after masking")
    file = folder / sample.name
    if file.exists():
        return Kept(None, masked.counts, f"{file} is there already")
    meta = {name: masker.text(text, plates) for name, text in payload.meta.items()}
    meta.pop("peer", None)  # an address says where a device stands
    sidecar = {
        "content_type": payload.content_type,
        "received_at": rfc3339(payload.received_at),
        "meta": meta,
        "options": dict(options),
        "recorded": recorded,
    }
    told = {name: value for name, value in sidecar.items() if value}
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(masked.body)
    beside = file.with_name(f"{file.name}.meta.json")
    beside.write_text(f"{json.dumps(told, ensure_ascii=False, indent=1)}\n", "utf-8")
    return Kept(file, masked.counts)


def new_masker() -> Masker:
    """A masker whose key nobody keeps."""
    return Masker(secrets.token_bytes(32))


def _name(payload: Payload) -> str:
    words = payload.content_type.partition(";")[0].lower()
    suffix = next((end for word, end in _SUFFIXES.items() if word in words), "bin")
    stamp = payload.received_at.strftime("%Y%m%dT%H%M%S")
    return f"{payload.source_id}-{stamp}-{payload.payload_id[-6:] or 'x'}.{suffix}"
