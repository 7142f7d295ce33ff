"""Decoded records as JSON: times as RFC 3339 UTC, ids as UUIDs, digests in hex."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

__all__ = ["json_line", "plain", "rfc3339"]


def rfc3339(at: datetime) -> str:
    """`2026-03-01T08:15:00.250000Z`, always UTC and in microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(value: Any, name: str = "") -> Any:
    """A JSON-able copy of a decoded record."""
    if isinstance(value, Mapping):
        return {key: plain(each, key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, name) for each in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes):
        return str(UUID(bytes=value)) if name.endswith("_id") and len(value) == 16 else value.hex()
    return value


def json_line(value: Any) -> str:
    """One line of JSON; Vietnamese stays readable."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
