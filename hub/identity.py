"""Ids of events, subjects and dead letters: keyed, so that an id gives nothing away.

An unkeyed hash of a plate read can be reversed by trying all plates (1.3 s on one core), so every
id is HMAC-SHA-256 under the site's key, cut to 128 bits and printed as a UUID of version 8
(RFC 9562, section 5.8).
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

import schemas
from hub.connector import Connector, Event

__all__ = ["Identity", "make_id", "record_key", "uuid_text"]


# An event takes two to four ids. Lengths are looked up and the key is taken up once, which is less
# than half the time of a digest made at one stroke.
_LENGTHS = tuple(length.to_bytes(4, "big") for length in range(256))


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def make_id(key: bytes, *parts: str) -> bytes:
    """16 bytes of a version 8 UUID; parts are length-prefixed, so none can run into the next."""
    said: list[bytes] = []
    for part in parts:
        data = part.encode()
        length = len(data)
        said += (_LENGTHS[length] if length < 256 else length.to_bytes(4, "big"), data)
    keyed = _keyed(key).copy()
    keyed.update(b"".join(said))
    digest = bytearray(keyed.digest()[:16])
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    return bytes(digest)


def uuid_text(id_: bytes) -> str:
    """The usual form, `xxxxxxxx-xxxx-8xxx-…`."""
    return str(UUID(bytes=id_))


@lru_cache(maxsize=16_384)
def record_key(source_id: str, ref: str | None) -> bytes:
    """Key of a canonical record: `source_id/ref`, both percent-encoded, or the source alone."""
    source = quote(source_id, safe="")
    return (source if ref is None else f"{source}/{quote(ref, safe='')}").encode()


class Identity:
    """Makes the ids of one source's events."""

    def __init__(self, key: bytes, connector: Connector, source_id: str) -> None:
        self._key = key
        self._connector = connector
        self._source_id = source_id
        self._paths = {
            noun: tuple(path.split(".") for path in paths)
            for noun, paths in connector.identity.items()
        }

    def subject(self, noun: str, subject: tuple[str, ...]) -> bytes:
        """Id of the thing reported, from the source's own names for it."""
        return make_id(self._key, "subject", self._source_id, noun, *subject)

    def event(self, event: Event, *, payload_id: str, index: int) -> bytes:
        """Id of the event: what the source said, never when or how often it arrived."""
        version = event.native_version or _text(event.version_at)
        parts = [
            "event",
            self._source_id,
            event.device_ref,
            event.noun,
            event.native_id or "",
            version,
            _text(event.observed_at),
            event.kind,
            event.lifecycle,
            *event.subject,
            self._content(event),
        ]
        if event.noun in _states():
            parts.append(_standing(event))
        if not event.native_id and event.observed_at is None:
            # Neither id nor time: the payload is all that tells two reports apart.
            parts += [payload_id, str(index)]
        return make_id(self._key, *parts)

    def _content(self, event: Event) -> str:
        tree = {"body": event.body, "restricted": event.restricted}
        return _digestible([_at(tree, path) for path in self._paths[event.noun]])


@cache
def _states() -> frozenset[str]:
    return frozenset(name for name, noun in schemas.nouns().items() if noun.family == "state")


def _standing(event: Event) -> str:
    """What a state says outside its body: a change of it alone is an update too."""
    position = event.position
    return _digestible(
        [
            event.severity,
            event.status,
            position and [position.lat, position.lon],
            [[area.scheme, area.code, area.name] for area in event.areas_reported],
        ]
    )


def _digestible(values: list[Any]) -> str:
    return json.dumps(
        values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain
    )


def _at(tree: Mapping[str, Any], path: list[str]) -> Any:
    value: Any = tree
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _text(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no identity can be made of a {type(value).__name__}")
