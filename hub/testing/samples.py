"""Recorded payloads, what stands for their transport, and dry runs over them."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import schemas
from hub.codec import EventCodec, RecordCodec
from hub.config import TEST_ID_KEY
from hub.connector import Connector, Payload, Rejection
from hub.discovery import options_of
from hub.envelope import Canonical, Envelope, RawRef, Result
from hub.errors import ConfigError
from hub.render import json_line, plain

__all__ = [
    "DryRun",
    "Sample",
    "content_type_of",
    "decoded",
    "dry_run",
    "encoded_again",
    "lines",
    "payloads_per_s",
    "samples_in",
    "sidecar_of",
    "update_expected",
]

_RECEIVED_AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
_SIDECAR = {"content_type", "received_at", "source_id", "meta", "options", "personal", "recorded"}
_BESIDE = (".meta.json", ".expected.jsonl", ".toml")  # a mapping stands beside its samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A recorded payload and what stands for its transport and configuration."""

    name: str
    body: bytes
    content_type: str = ""
    received_at: datetime = _RECEIVED_AT
    source_id: str = "sample"
    meta: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    personal: tuple[str, ...] = ()
    """What of it is a person's and may stand in `restricted` only, beside the plates in it."""
    recorded: str = ""
    """The device and firmware it was recorded from; empty when people wrote it."""

    def payload(self, body: bytes | None = None, content_type: str | None = None) -> Payload:
        """The payload; with other bytes or another type, a spoilt one."""
        bytes_ = self.body if body is None else body
        return Payload(
            body=bytes_,
            content_type=self.content_type if content_type is None else content_type,
            received_at=self.received_at,
            source_id=self.source_id,
            # Equal bytes get equal ids, so that two dry runs can be compared.
            payload_id=f"dry-run-{hashlib.sha256(bytes_).hexdigest()[:32]}",
            transport="dry-run",
            meta=self.meta,
        )


def content_type_of(name: str, body: bytes) -> str:
    """The media type of a file, as its transport would have said it."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"--"):
        boundary = start.splitlines()[0][2:].decode("ascii", "replace").strip()
        return f"multipart/form-data; boundary={boundary}"
    if name.endswith(".xml") or start.startswith(b"<"):
        return "application/xml"
    if name.endswith(".json") or start[:1] in (b"{", b"["):
        return "application/json"
    return "application/octet-stream"


class DryRun:
    """What normalise would write of payloads with a sample's options; writes nothing."""

    def __init__(
        self,
        connector: Connector,
        sample: Sample,
        options: Mapping[str, Any] | None = None,
        *,
        key: bytes = TEST_ID_KEY,
    ) -> None:
        given = sample.options if options is None else options
        self.options = options_of(connector, given, where=f"options of {sample.name}")
        nouns = schemas.nouns()
        codecs: dict[str, EventCodec] = {
            noun: _codec(noun) for noun in connector.may_emit if noun in nouns
        }
        self._envelope = Envelope(connector, self.options, sample.source_id, key=key, codecs=codecs)

    def results(self, payload: Payload) -> Iterator[Result]:
        """Every outcome of one payload."""
        yield from self._envelope.results(payload, RawRef(hashlib.sha256(payload.body).digest()))


def payloads_per_s(connector: Connector, sample: Sample, *, for_s: float = 0.05) -> float:
    """How many such payloads one core parses and encodes in a second, by its CPU time."""
    run, payload = DryRun(connector, sample), sample.payload()
    count, began = 0, time.process_time()
    while (spent := time.process_time() - began) < for_s:
        for _ in run.results(payload):
            pass
        count += 1
    return count / spent


def dry_run(
    connector: Connector, sample: Sample, payload: Payload | None = None
) -> Iterator[Result]:
    """Every outcome of a payload, as normalise would write it; writes nothing."""
    yield from DryRun(connector, sample).results(payload or sample.payload())


@cache
def _codec(noun: str) -> EventCodec:
    return EventCodec(schemas.built(schemas.nouns()[noun].topic), 0)


@cache
def _reader(topic: str) -> RecordCodec:
    return RecordCodec(schemas.built(topic), 0)


def decoded(result: Canonical) -> dict[str, Any]:
    """The event of a canonical record, with every field of its schema."""
    return _reader(result.topic).decode(result.value)


def encoded_again(result: Canonical) -> bytes:
    """The record's bytes after decoding; the same, when nothing was lost."""
    return _reader(result.topic).encode(decoded(result))


def lines(name: str, results: Iterator[Result]) -> Iterator[dict[str, Any]]:
    """Outcomes as `hub connector try` prints them, one object each."""
    for result in results:
        if isinstance(result, Canonical):
            yield {"payload": name, "topic": result.topic, "event": plain(decoded(result))}
        elif isinstance(result, Rejection):
            yield {
                "payload": name,
                "rejected": {
                    "code": result.code,
                    "message": result.message,
                    "path": result.path,
                    "fix": result.fix,
                },
            }
        else:
            yield {"payload": name, "nothing": result.why}


def samples_in(folder: Path, options: Mapping[str, Any] | None = None) -> list[Sample]:
    """The samples of a folder, by name; `ConfigError` when there is none or a sidecar is wrong.

    `options` are the source's for all of them; what a sidecar says goes before.
    """
    paths = [
        path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if path.is_file()
        and not path.name.startswith((".", "SOURCES", "README"))
        and not path.name.endswith(_BESIDE)
    ]
    if not paths:
        raise ConfigError(
            "no recorded payload is there",
            where=str(folder),
            fix="put one in, or name another folder with --samples",
        )
    return [_sample(path, options or {}) for path in paths]


def _sample(path: Path, options: Mapping[str, Any]) -> Sample:
    body, said = path.read_bytes(), sidecar_of(path)
    return Sample(
        name=path.name,
        body=body,
        content_type=said.get("content_type") or content_type_of(path.name, body),
        received_at=said.get("received_at", _RECEIVED_AT),
        source_id=said.get("source_id", "sample"),
        meta=said.get("meta", {}),
        options={**options, **said.get("options", {})},
        personal=tuple(said.get("personal", ())),
        recorded=said.get("recorded", ""),
    )


def sidecar_of(path: Path) -> dict[str, Any]:
    """What stands beside a payload, empty when nothing does; `ConfigError` when it is wrong."""
    beside = path.with_name(f"{path.name}.meta.json")
    try:
        said = json.loads(beside.read_text("utf-8")) if beside.exists() else {}
        unknown = sorted(set(said) - _SIDECAR)
        at = said.pop("received_at", None)
        if at:
            said["received_at"] = datetime.fromisoformat(at)
        if "options" in said:
            said["options"] = _beside(path.parent, said["options"])
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"not as a sidecar must be: {error}",
            where=str(beside),
            fix=f"write an object with {', '.join(sorted(_SIDECAR))}",
        ) from error
    if unknown or (at and said["received_at"].tzinfo is None):
        what = f"unknown key {unknown[0]!r}" if unknown else "received_at has no offset"
        raise ConfigError(what, where=str(beside), fix=f"use {', '.join(sorted(_SIDECAR))}")
    return said


def _beside(folder: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """A sidecar's options; a file that stands beside it, such as a mapping, by its whole path."""
    return {
        name: str(folder / value)
        if isinstance(value, str) and value.endswith(".toml") and (folder / value).is_file()
        else value
        for name, value in options.items()
    }


def update_expected(
    connector: Connector, folder: Path, options: Mapping[str, Any] | None = None
) -> int:
    """Write the expected outcomes of every sample as they are now; how many files changed."""
    changed = 0
    for sample in samples_in(folder, options):
        text = "".join(
            f"{json_line(line)}\n" for line in lines(sample.name, dry_run(connector, sample))
        )
        path = folder / f"{sample.name}.expected.jsonl"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed += 1
    return changed
