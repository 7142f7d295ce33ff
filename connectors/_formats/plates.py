"""Plates as cameras spell them: as an event keeps them, and out of the ids of their source.

What separators, scripts and words for "no plate" become is `hub.plates`' matter.
"""

from typing import Any

from hub.plates import normal as plates

__all__ = ["normalise", "read_plate", "without_plate"]

_COLOURS = frozenset({"WHITE", "YELLOW", "BLUE", "RED", "GREEN", "BLACK"})

_TELLING = 4  # characters; fewer stand in any id by chance


def normalise(raw: str) -> str:
    """The plate's letters and digits, `Đ` as `D`; '' when the source says it read none."""
    return plates.normalise(raw).norm


def read_plate(
    raw: str, *, category: str = "UNKNOWN", colour: str = "", confidence: float | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An event's `restricted.plate`, and the flag `plate_unread` when the camera read none.

    A confidence of 0 beside an unread plate is no confidence.
    """
    text = normalise(raw)
    plate = {
        "raw": raw,
        "text": text,
        "category": category,
        "colour": colour.upper() if colour.upper() in _COLOURS else "UNKNOWN",
        "confidence": confidence if text else confidence or None,
    }
    return plate, () if text else ("plate_unread",)


def without_plate(reported_id: str, plate: str) -> tuple[str | None, tuple[str, ...]]:
    """A source's own id, unless it spells the plate: then None, and a flag."""
    if len(plate) >= _TELLING and plate in normalise(reported_id):
        return None, ("native_id_withheld",)
    return reported_id or None, ()
