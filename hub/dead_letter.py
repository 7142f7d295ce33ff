"""Dead letters: what was refused, why, and where its bytes are. Pure.

A dead letter is as restricted as what it holds. Its id is made from where the record stands and
what is wrong with it, so the same refusal, met again in a replay, is the same letter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.identity import make_id

__all__ = ["BODY_MAX", "TOPIC", "Refused", "dead_letter"]

TOPIC = "dead_letter.v1"
BODY_MAX = 256 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The record that was refused, or the part of it."""

    stage: str
    topic: str
    partition: int
    offset: int
    value: bytes
    headers: Iterable[tuple[str, bytes]] = ()
    index: int | None = None
    last_index: int | None = None
    """Of a run of refused parts, the last one's place."""
    source_id: str = ""
    component: str = ""
    component_version: str = ""
    payload_id: str = ""
    received_at: datetime | None = None
    content_type: str = ""
    sha256: bytes = b""
    body_ref: str = ""
    bare: bool = False
    """Leave its bytes where they are: nobody may read them here, or other letters hold them."""


def dead_letter(
    key: bytes,
    refused: Refused,
    *,
    code: str,
    message: str,
    path: str = "",
    fix: str = "",
    failed_at: datetime,
) -> Mapping[str, Any]:
    """The record `DeadLetter`."""
    place = (refused.topic, str(refused.partition), str(refused.offset), str(refused.index))
    return {
        "dead_id": make_id(key, "dead", refused.stage, *place, code, path),
        "stage": refused.stage,
        "code": code,
        "message": message,
        "path": path,
        "fix": fix,
        "source_id": refused.source_id,
        "component": refused.component,
        "component_version": refused.component_version,
        "topic": refused.topic,
        "partition": refused.partition,
        "offset": refused.offset,
        "index": refused.index,
        "last_index": refused.last_index,
        "payload_id": refused.payload_id,
        "received_at": refused.received_at,
        "failed_at": failed_at,
        "content_type": refused.content_type,
        "sha256": refused.sha256,
        "body": b"" if refused.bare else refused.value[:BODY_MAX],
        "truncated": refused.bare or len(refused.value) > BODY_MAX,
        "body_ref": refused.body_ref,
        "record_headers": [
            {"name": name, "value": value or b""}
            for name, value in refused.headers
            if not refused.bare or not name.startswith("meta.")
        ],
    }
