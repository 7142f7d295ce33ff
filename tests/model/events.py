"""Canonical records to feed the stage with, made from small numbers."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from hub_in_memory import IDS

import schemas
from hub.codec import EventCodec, micros
from hub.likeness import HEADER, Likeness, Phase

START = datetime(2026, 6, 1, 8, tzinfo=UTC)


class Record(NamedTuple):
    """What is written to a canonical topic."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@cache
def plate_read(number: int) -> Record:
    """A read of one of six vehicles by one of three cameras; some are near duplicates."""
    device, vehicle = number % 3, number % 6
    at = START + timedelta(seconds=number)
    likeness = Likeness(
        bytes([device, vehicle] * 4), bytes(8), 40 + number % 50, Phase.READING, micros(at)
    )
    plate = {"raw": f"29A1234{vehicle}", "text": f"29A1234{vehicle}"}
    restricted = {"plate": plate, "pictures": None, "persons": None}
    header = _header(b"plate", number, number, device, at)
    return _record("plate_read", header, restricted, {}, [(HEADER, likeness.pack())])


@cache
def signal_state(number: int) -> Record:
    """A state of one of three intersections, which are in one of two states."""
    device = number % 3
    at = START + timedelta(seconds=number)
    header = _header(b"signal", number, device, device, at)
    restricted = {"plate": None, "pictures": None, "persons": None}
    body = {"intersection_name": f"state {number % 2}"}
    return _record("signal_state", header, restricted, body, [])


def poison(number: int) -> Record:
    """Bytes that are no event, where a plate read should be."""
    whole = plate_read(number)
    return Record(whole.topic, whole.key, b"\0\0\0\0\7 no event", [])


def _header(kind: bytes, event: int, subject: int, device: int, at: datetime) -> dict[str, Any]:
    return {
        "event_id": kind.ljust(8) + event.to_bytes(8, "big"),
        "subject_id": kind.ljust(8) + subject.to_bytes(8, "big"),
        "lifecycle": "UNKNOWN",
        "status": "LIVE",
        "time_quality": "DEVICE",
        "received_at": at,
        "observed_at": at,
        "source_id": "model",
        "device_ref": f"device-{device}",
        "kind": "vehicle.passage",
        "origin": {"sha256": bytes(32)},
    }


def _record(
    noun: str,
    header: dict[str, Any],
    restricted: dict[str, Any],
    body: dict[str, Any],
    headers: list[tuple[str, bytes]],
) -> Record:
    topic = schemas.nouns()[noun].topic
    codec = EventCodec(schemas.built(topic), IDS.current(topic))
    value, cut = codec.encode(header, restricted, body)
    key = f"{header['source_id']}/{header['device_ref']}".encode()
    return Record(topic, key, value, [("cut", cut.pack()), *headers])
