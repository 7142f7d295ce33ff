"""What tells a near duplicate: the same vehicle or alarm, reported again by the same device. Pure.

The comparison itself is a step of process (`streams.merge`). Normalise sends what it needs in the
Kafka header `like`, so that process decodes nothing; keyed hashes, because it stands beside the
event and must not give the plate away.
"""

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hub.codec import micros
from hub.connector import Event
from hub.identity import make_id

__all__ = ["HEADER", "LIKENESS", "NO_SCORE", "Likeness", "Phase", "likeness"]

HEADER = "like"
LIKENESS = struct.Struct(">8s8sBBq")
NO_SCORE = 255
# Read for each other on plates; Vietnam's plates have no I, O or Q (Circular 79/2024/TT-BCA).
_FOLDED = str.maketrans("IOQ", "100")
# Shorter texts are no plates, and their ends would match too much.
_PLATE_MIN = 6
_UNUSABLE = ("SUSPECT", "RECEIVED")


class Phase:
    """Where a report stands in what it reports."""

    READING, BEGINS, GOES_ON, ENDS = range(4)


_PHASES = {"STARTED": Phase.BEGINS, "ONGOING": Phase.GOES_ON, "STOPPED": Phase.ENDS}


class Likeness(NamedTuple):
    """The header `like`."""

    whole: bytes
    """Equal for reports of one device that may be the same thing."""
    tail: bytes
    """Equals `whole` of a reading that lost its first character; zeros where that can't be."""
    score: int
    """Confidence in per cent, or `NO_SCORE`."""
    phase: int
    at_us: int
    """When it happened; when it was received where the source's time can't be trusted."""

    def pack(self) -> bytes:
        """The header's bytes."""
        return LIKENESS.pack(*self)


def likeness(event: Event, source_id: str, received_at: datetime, key: bytes) -> Likeness | None:
    """The likeness of a plate read or of an alarm that lasts; None for what is never merged."""
    about: tuple[str, ...] = (
        source_id,
        event.device_ref,
        event.noun,
        event.kind,
        event.status,
    )
    if event.replayed:
        # What is replayed raises no alarm, so the live report after it must not vanish in it.
        about += ("replayed",)
    observed = None if event.time_quality in _UNUSABLE else event.observed_at
    at_us = micros(observed or received_at)
    if not event.device_ref:
        # Without a device "the same camera" means nothing.
        return None
    if event.noun == "plate_read":
        plate: Mapping[str, Any] = event.restricted.get("plate") or {}
        text = str(plate.get("text") or "").translate(_FOLDED)
        if len(text) < _PLATE_MIN:
            return None
        whole = make_id(key, "like", *about, text)[:8]
        tail = make_id(key, "like", *about, text[1:])[:8]
        return Likeness(whole, tail, _percent(plate.get("confidence")), Phase.READING, at_us)
    if event.noun == "detection":
        body = event.body
        phase = _PHASES.get(str(body.get("state")))
        if phase is None:
            return None
        if phase == Phase.BEGINS and body.get("post_count") is None:
            # A source that does not count its posts says the same of the first and of the tenth.
            phase = Phase.GOES_ON
        names = (str(body.get(name) or "") for name in ("rule", "region", "target", "input_ref"))
        whole = make_id(key, "like", *about, *event.subject, *names)[:8]
        return Likeness(whole, bytes(8), _percent(body.get("score")), phase, at_us)
    return None


def _percent(ratio: Any) -> int:
    return NO_SCORE if ratio is None else max(0, min(100, round(float(ratio) * 100)))
