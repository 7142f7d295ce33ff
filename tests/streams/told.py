"""States made by hand, and what the operators are told of them."""

import random
from datetime import UTC, datetime

import steps
from steps import Arrival, Steps

import schemas
from hub.codec import RecordCodec

HEARD = datetime(2026, 11, 20, 1, tzinfo=UTC)


def event(noun: str, body: dict[str, object], at: datetime = HEARD, **other: object):
    head = {
        "event_id": random.randbytes(16),
        "subject_id": b"one thing's id..",
        "status": "LIVE",
        "time_quality": "DEVICE",
        "received_at": at,
        "observed_at": at,
        "source_id": "vov",
        "kind": "road.flooding",
        "origin": {"sha256": bytes(32)},
        **other,
    }
    value, cut = steps.codec(noun).encode(head, {}, body)
    return steps.Canonical(noun, schemas.nouns()[noun].topic, b"vov/1", value, cut)


def delivered(hub: Steps, noun: str, *arrivals: Arrival) -> list[dict[str, object]]:
    """What the operators get of these records."""
    codec = RecordCodec(schemas.built(f"ops.{noun}.v1"), 0)
    taken = hub.take(noun, *arrivals)
    assert not hub.refused
    return [codec.decode(value) for topic, value, _ in taken if topic.startswith("ops.")]
