"""One raw record: what ingest knows of a payload, as it goes through the log to Kafka."""

import hashlib
import os
import struct
import time
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = [
    "RawRecord",
    "file_payload_id",
    "late_body",
    "message_payload_id",
    "new_payload_id",
    "offset_payload_id",
    "pack",
    "page_payload_id",
    "timestamp",
    "unpack",
]

_COUNT = struct.Struct("<H")
_LENGTH = struct.Struct("<I")
# Half a day: a body is kept a day longer than its record would be, had that been written at once.
_LATE_S = 43_200


class RawRecord(NamedTuple):
    """A record of a raw topic."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def pack(record: RawRecord) -> bytes:
    """The record as one entry of the log."""
    parts = [record.topic.encode(), record.key, record.value]
    for name, value in record.headers:
        parts += (name.encode(), value)
    out = [_COUNT.pack(len(parts))]
    for part in parts:
        out += (_LENGTH.pack(len(part)), part)
    return b"".join(out)


def unpack(data: bytes) -> RawRecord:
    """The record of an entry; entries are checked by the log, so this never meets damage."""
    (count,) = _COUNT.unpack_from(data)
    parts: list[bytes] = []
    at = _COUNT.size
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        parts.append(data[at : at + length])
        at += length
    topic, key, value, *rest = parts
    names = [name.decode() for name in rest[::2]]
    return RawRecord(topic.decode(), key, value, list(zip(names, rest[1::2], strict=True)))


def late_body(record: RawRecord, now: float) -> str | None:
    """The name of a stored body whose record comes so late that the body must be kept anew.

    `now` is in seconds since 1970. A topic keeps a record from its own time on.
    """
    headers = dict(record.headers)
    body, received = headers.get("body"), headers.get("received_at")
    if body is None or received is None:
        return None
    age_s = now - datetime.fromisoformat(received.decode()).timestamp()
    return body.decode() if age_s > _LATE_S else None


def new_payload_id() -> str:
    """A new UUID of version 7 (RFC 9562): the time in milliseconds and 74 random bits."""
    bits = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return _uuid(bits, version=7)


def file_payload_id(source_id: str, name: str, modified_ns: int, sha256: str) -> str:
    """The id of a dropped file: the same file gives the same id, however often it is read."""
    return _named(source_id, name, str(modified_ns), sha256)


def page_payload_id(source_id: str, number: int, page: str, sha256: str) -> str:
    """The id of a page got after `number` others: got again, as after a crash, it is the same."""
    return _named("page", source_id, str(number), page, sha256)


def _named(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode())
    return _uuid(int.from_bytes(digest.digest()[:16], "big"), version=8)


def offset_payload_id(source_id: str, topic: str, partition: int, offset: int) -> str:
    """The id of a mirrored record: read again, it is the same."""
    return _named("offset", source_id, topic, str(partition), str(offset), "")


def message_payload_id(source_id: str, message_id: str, sha256: str) -> str:
    """The id of a message that names itself: sent again, it is the same."""
    return _named("message", source_id, message_id, sha256, "")


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _uuid(bits: int, *, version: int) -> str:
    bits &= ~(0xF << 76 | 0x3 << 62)
    text = f"{bits | version << 76 | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
