"""What a hold's copy consists of: a document that can be read without the hub. Pure.

Each part names objects by the SHA-256 of their bytes; the manifest's own stands in `hold.v1`.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from hub.render import rfc3339

__all__ = ["FORMAT", "Manifest", "Missing", "Part", "envelope", "parsed", "rendered"]

FORMAT = "hanoi-event-hub hold 1"
_HOW_TO_READ = (
    "Each object lies in objects/ under the SHA-256 of its bytes. A part of kind canonical, "
    "subscriber, dead_letter or raw is a Kafka record: `value` names its value as it was, `record` "
    "a JSON document with its topic, partition, offset, time, key and headers (in base64). Values "
    "are Avro: a zero byte, the schema's number in four bytes (big end first), then the record in "
    "Avro's binary encoding, by the schema that `schema` names; those of kind raw are bytes as the "
    "source sent them. Parts of kind body and picture are bytes as they were stored."
)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is held."""

    kind: str
    """`canonical`, `subscriber`, `raw`, `dead_letter`, `body` or `picture`."""
    value: str
    """SHA-256 of its bytes."""
    size_bytes: int
    place: str = ""
    """Topic, partition and offset of a record."""
    record: str = ""
    """SHA-256 of the document with the record's key and headers."""
    schema: str = ""
    """SHA-256 of the schema that the value was written with."""
    event_ids: tuple[str, ...] = ()

    def objects(self) -> Iterator[str]:
        """Every object it needs."""
        yield from (name for name in (self.value, self.record, self.schema) if name)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that belongs to it and was not there any more."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A hold: who asked for what, and what it consists of."""

    hold_id: str
    asked: str
    case: str
    by: str
    run_by: str
    reason: str
    until: str
    """A day, or "" when it is open."""
    added_at: str
    event_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    parts: tuple[Part, ...]
    missing: tuple[Missing, ...] = ()
    format: str = FORMAT
    how_to_read: str = field(default=_HOW_TO_READ)

    def objects(self) -> set[str]:
        """Every object of the copy."""
        return {name for part in self.parts for name in part.objects()}

    def stored(self) -> set[str]:
        """Names of the bodies and pictures that it holds, as the evidence store has them."""
        return {part.value for part in self.parts if part.kind in ("body", "picture")}

    def covers(self, ids: Collection[str]) -> bool:
        """Whether it holds one of these events or subjects."""
        return not {*self.event_ids, self.asked}.isdisjoint(ids)


def rendered(manifest: Manifest) -> bytes:
    """The manifest as JSON for people; the same manifest gives the same bytes."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True)
    return f"{text}\n".encode()


def parsed(data: bytes) -> Manifest:
    """The manifest of its bytes; `ValueError` for anything else."""
    document = json.loads(data)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not in the format {FORMAT!r}")
    try:
        lists: dict[str, Any] = {
            "event_ids": tuple(document.pop("event_ids")),
            "subject_ids": tuple(document.pop("subject_ids")),
            "missing": tuple(Missing(**each) for each in document.pop("missing")),
            "parts": tuple(
                Part(**{**each, "event_ids": tuple(each["event_ids"])})
                for each in document.pop("parts")
            ),
        }
        return Manifest(**document, **lists)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a part of it is missing or unknown: {error}") from error


def envelope(
    topic: str,
    partition: int,
    offset: int,
    *,
    appended_at: datetime,
    key: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    value: bytes | None,
) -> bytes:
    """Where a record stood, and what stood beside its value, as JSON."""
    document: Mapping[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "appended_at": rfc3339(appended_at),
        "key_base64": _base64(key),
        "headers": [{"name": name, "value_base64": _base64(each)} for name, each in headers],
        "value_sha256": None if value is None else hashlib.sha256(value).hexdigest(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
