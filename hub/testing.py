"""The test kit for connectors: dry runs, and the conformance every connector keeps.

    from hub.testing import check_connector
    assert check_connector(connector, Path("tests/samples/my_device")) == []

A sample is a recorded payload. Beside `<file>` may stand `<file>.meta.json` (what the transport
and the configuration would say: `content_type`, `received_at`, `meta`, `options`, `source_id`)
and stands `<file>.expected.jsonl`, the lines that `hub connector try` prints.
"""

import hashlib
import json
import random
import sys
from collections import Counter
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
from hub.errors import ConfigError, PayloadError, RecordError
from hub.render import json_line, plain

__all__ = [
    "Problem",
    "Sample",
    "check_connector",
    "content_type_of",
    "dry_run",
    "lines",
    "options_of",
    "samples_in",
    "update_expected",
]

_RECEIVED_AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
_SIDECAR = {"content_type", "received_at", "source_id", "meta", "options"}
_BESIDE = (".meta.json", ".expected.jsonl", ".toml")  # a mapping stands beside its samples
_CUT_STEP, _CUTS_MAX, _FLIPS = 64, 256, 64
_DEFECTS = ("parser-defect", "schema-mismatch", "undeclared-noun")


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


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule of conformance that a connector breaks."""

    sample: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.sample}: {self.rule}: {self.text}"


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


def dry_run(
    connector: Connector, sample: Sample, payload: Payload | None = None
) -> Iterator[Result]:
    """Every outcome of a payload, as normalise would write it; writes nothing."""
    body = payload or sample.payload()
    options = options_of(connector, sample.options, where=f"options of {sample.name}")
    codecs: dict[str, EventCodec] = {
        noun: _codec(noun) for noun in connector.may_emit if noun in schemas.nouns()
    }
    envelope = Envelope(connector, options, sample.source_id, key=TEST_ID_KEY, codecs=codecs)
    yield from envelope.results(body, RawRef(hashlib.sha256(body.body).digest()))


@cache
def _codec(noun: str) -> EventCodec:
    return EventCodec(schemas.built(schemas.nouns()[noun].topic), 0)


@cache
def _reader(topic: str) -> RecordCodec:
    return RecordCodec(schemas.built(topic), 0)


def decoded(result: Canonical) -> dict[str, Any]:
    """The event of a canonical record, with every field of its schema."""
    return _reader(result.topic).decode(result.value)


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
    body = path.read_bytes()
    beside = path.with_name(f"{path.name}.meta.json")
    try:
        said = json.loads(beside.read_text("utf-8")) if beside.exists() else {}
        at = said.get("received_at")
        received_at = datetime.fromisoformat(at) if at else _RECEIVED_AT
        unknown = sorted(set(said) - _SIDECAR)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"not as a sidecar must be: {error}",
            where=str(beside),
            fix=f"write an object with {', '.join(sorted(_SIDECAR))}",
        ) from error
    if unknown or received_at.tzinfo is None:
        what = f"unknown key {unknown[0]!r}" if unknown else "received_at has no offset"
        raise ConfigError(what, where=str(beside), fix=f"use {', '.join(sorted(_SIDECAR))}")
    return Sample(
        name=path.name,
        body=body,
        content_type=said.get("content_type") or content_type_of(path.name, body),
        received_at=received_at,
        source_id=said.get("source_id", "sample"),
        meta=said.get("meta", {}),
        options={**options, **said.get("options", {})},
    )


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


def check_connector(
    connector: Connector, samples: Path, options: Mapping[str, Any] | None = None
) -> list[Problem]:
    """Every rule of conformance on every sample of a folder; empty when all hold."""
    found = list(_of_the_module(connector))
    for sample in samples_in(samples, options):
        found += _as_expected(connector, sample, samples)
        found += _sound(connector, sample)
        found += _hostile(connector, sample)
    return found


def _of_the_module(connector: Connector) -> Iterator[Problem]:
    module = sys.modules.get(connector.parse.__module__)
    if module is not None and not (module.__doc__ or "").strip():
        yield Problem("-", "documented", f"module {module.__name__} has no docstring")
    for name, field_ in connector.options.model_fields.items():
        if not field_.description:
            yield Problem("-", "documented", f"option {name} has no description")
    for noun in connector.emits:
        if noun not in schemas.nouns():
            yield Problem("-", "declared", f"{noun!r} is no noun of schemas/topics.toml")


def _as_expected(connector: Connector, sample: Sample, folder: Path) -> Iterator[Problem]:
    path = folder / f"{sample.name}.expected.jsonl"
    if not path.exists():
        yield Problem(sample.name, "expected", f"{path.name} is missing; make it with --update")
        return
    wanted = path.read_text("utf-8").splitlines()
    got = [json_line(line) for line in lines(sample.name, dry_run(connector, sample))]
    for number, (want, have) in enumerate(zip(wanted, got, strict=False), 1):
        if want != have:
            where = _difference(json.loads(want), json.loads(have))
            yield Problem(sample.name, "expected", f"line {number}: {where}")
    if len(wanted) != len(got):
        yield Problem(sample.name, "expected", f"{len(wanted)} outcomes, there are {len(got)}")


def _difference(want: Any, have: Any, path: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(want, dict) and isinstance(have, dict):
        for key in [*want, *(key for key in have if key not in want)]:
            if want.get(key) != have.get(key) or (key in want) != (key in have):
                return _difference(want.get(key), have.get(key), f"{path}/{key}")
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for place, (left, right) in enumerate(zip(want, have, strict=True)):
            if left != right:
                return _difference(left, right, f"{path}[{place}]")
    return f"{path or '/'}: expected {json_line(want)[:200]}, got {json_line(have)[:200]}"


def _sound(connector: Connector, sample: Sample) -> Iterator[Problem]:
    """Repeatable, declared, encodable, and no two events with one id."""
    results = list(dry_run(connector, sample))
    if results != list(dry_run(connector, sample)):
        yield Problem(sample.name, "repeatable", "two runs over the same bytes differ")
    for place, result in enumerate(results):
        if isinstance(result, Rejection) and result.code in _DEFECTS:
            yield Problem(sample.name, "sound", f"outcome {place}: {result.code}: {result.message}")
    events = [result for result in results if isinstance(result, Canonical)]
    ids = Counter(json_line(decoded(event)["header"]["event_id"]) for event in events)
    for id_, count in ids.items():
        if count > 1:
            text = f"{count} events have the id {id_}: add what tells them apart to `identity`"
            yield Problem(sample.name, "unique ids", text)
    for event in events:
        yield from _round_trip(sample, event)


def _round_trip(sample: Sample, event: Canonical) -> Iterator[Problem]:
    try:
        record = decoded(event)
        again = _reader(event.topic).encode(record)
    except (RecordError, ValueError, TypeError) as error:
        yield Problem(sample.name, "round trip", f"{event.topic}: {error}")
        return
    if again != event.value:
        yield Problem(sample.name, "round trip", f"{event.topic}: other bytes after decoding")


def _hostile(connector: Connector, sample: Sample) -> Iterator[Problem]:
    """Spoilt payloads give outcomes or `PayloadError`, and nothing else."""
    options = options_of(connector, sample.options, where=f"options of {sample.name}")
    reported: set[str] = set()
    for what, payload in _spoilt(sample):
        try:
            for result in connector.parse(payload, options):
                del result
        except PayloadError:
            continue
        except Exception as error:  # noqa: BLE001 - any other exception is what is looked for
            rule = f"{type(error).__name__}: {error}"[:200]
        else:
            wrong = [
                result
                for result in dry_run(connector, sample, payload)
                if isinstance(result, Rejection) and result.code in _DEFECTS
            ]
            if not wrong:
                continue
            rule = f"{wrong[0].code}: {wrong[0].message}"[:200]
        if rule not in reported:
            reported.add(rule)
            yield Problem(sample.name, "hostile input", f"{what}: {rule}")


def _spoilt(sample: Sample) -> Iterator[tuple[str, Payload]]:
    body = sample.body
    yield "an empty body", sample.payload(b"")
    for wrong in ("", "text/plain", "application/octet-stream", "multipart/form-data"):
        yield f"content type {wrong!r}", sample.payload(content_type=wrong)
    step = max(_CUT_STEP, len(body) // _CUTS_MAX)
    for end in range(step, len(body), step):
        yield f"cut after {end} bytes", sample.payload(body[:end])
    chance = random.Random(sample.name)  # noqa: S311 - repeatable on purpose
    for _ in range(_FLIPS if body else 0):
        at, bit = chance.randrange(len(body)), chance.randrange(8)
        flipped = bytearray(body)
        flipped[at] ^= 1 << bit
        yield f"bit {bit} of byte {at} flipped", sample.payload(bytes(flipped))
