"""What the last-state step needs of an event, read from its bytes."""

import hashlib
from collections.abc import Mapping
from typing import Any

from hub.codec import EVENT_ID, LIFECYCLE, SUBJECT_ID, TIME_QUALITY, Cut, HeadReader, micros
from streams.last_state import Report
from streams.plan import place_time

__all__ = ["report_of"]


def report_of(
    value: bytes, header: Mapping[str, Any], cut: Cut, reader: HeadReader, noun: str
) -> Report:
    """What the last-state step needs of an event."""
    version = header["native_version"] or ""
    chained = noun == "alert"
    body = reader.body(value, cut) if chained else {}
    return Report(
        event_id=value[EVENT_ID],
        subject=value[SUBJECT_ID],
        lifecycle=value[LIFECYCLE] >> 1,
        effective_us=place_time(header),
        version=int(version) if version.isdecimal() and len(version) < 19 else -1,
        digest=_digest(value, header, cut, body),
        chained=chained,
        references=tuple(each["subject_id"] for each in body.get("references", ())),
        received_us=micros(header["received_at"]),
    )


def _digest(value: bytes, header: Mapping[str, Any], cut: Cut, alert: Mapping[str, Any]) -> bytes:
    """Digest of what a state says: no times of the report, no ids, no remarks on quality."""
    position = header["position"] or {}
    # An alert says in its body when it was sent: sent again, it is the same state.
    said = repr({**alert, "sent_at": None}).encode() if alert else value[cut.end :]
    parts = [
        value[LIFECYCLE:TIME_QUALITY],
        header["kind"].encode(),
        repr((position.get("lat"), position.get("lon"))).encode(),
        value[cut.start : cut.end] + said,
    ]
    if header["areas_reported"]:
        parts.append(repr(header["areas_reported"]).encode())
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()
