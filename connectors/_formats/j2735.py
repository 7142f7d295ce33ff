"""Values of SAE J2735 messages that several encodings share: phases, controller flags, times.

A time mark (`TimeMark`) is tenths of a second in the current or next hour, so it means an instant
only together with the time of its message; a message's own time is a minute of the year without
the year, and milliseconds without the minute.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = [
    "controller_flags",
    "instant_in_minute",
    "instant_in_year",
    "instant_of_mark",
    "intersections_of_map",
    "phase",
]

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_NO_MARK: Final = frozenset({36_000, 36_001, 36_110, 36_111})
_NAMED_MAX: Final = 8
_NOT_LETTER: Final = re.compile(r"[^a-z]")
_BITS: Final = re.compile(r"[01]{8,16}")
_PHASES: Final = (
    "UNAVAILABLE",
    "DARK",
    "STOP_THEN_PROCEED",
    "STOP_AND_REMAIN",
    "PRE_MOVEMENT",
    "PERMISSIVE_MOVEMENT_ALLOWED",
    "PROTECTED_MOVEMENT_ALLOWED",
    "PERMISSIVE_CLEARANCE",
    "PROTECTED_CLEARANCE",
    "CAUTION_CONFLICTING_TRAFFIC",
)
_PHASE_OF: Final = {name.replace("_", "").lower(): name for name in _PHASES}
_FLAGS: Final = (
    "manual_control_is_enabled",
    "stop_time_is_activated",
    "failure_flash",
    "preempt_is_active",
    "signal_priority_is_active",
    "fixed_time_operation",
    "traffic_dependent_operation",
    "standby_operation",
    "failure_mode",
    "off",
    "recent_map_message_update",
    "recent_change_in_map_assigned_lanes_ids_used",
    "no_valid_map_is_available_at_this_time",
    "no_valid_spat_is_available_at_this_time",
)
_FLAG_OF: Final = {name.replace("_", ""): name for name in _FLAGS}


def phase(value: Any) -> str | None:
    """The movement phase state by number or by name in any spelling; None for another value."""
    if type(value) is int:
        return _PHASES[value] if 0 <= value < len(_PHASES) else None
    return _PHASE_OF.get(_flat(value))


def controller_flags(value: Any) -> tuple[list[str], bool]:
    """The flags set in an object of booleans, 16 bits or names; and whether all were known."""
    if isinstance(value, str) and _BITS.fullmatch(value):
        return [name for name, bit in zip(_FLAGS, value, strict=False) if bit == "1"], True
    if isinstance(value, dict):
        value = [name for name, is_set in value.items() if is_set is True]
    names = value if isinstance(value, list) else [] if value is None else [value]
    found = {_FLAG_OF.get(_flat(name)) for name in names}
    return [name for name in _FLAGS if name in found], None not in found


def instant_of_mark(
    mark: int, message_at: datetime, back: timedelta
) -> tuple[datetime | None, bool]:
    """The instant a mark means, from `back` before the message to an hour later; is it legal?

    None with True stands for a mark that says "unknown" or "more than an hour".
    """
    if not 0 <= mark < 36_000:
        return None, mark in _NO_MARK
    hour = message_at.replace(minute=0, second=0, microsecond=0)
    at = hour + timedelta(milliseconds=100 * mark)
    earliest = message_at - back
    if at < earliest:
        return at + _HOUR, True
    return (at - _HOUR if at >= earliest + _HOUR else at), True


def instant_in_year(moy: Any, ms: int, reference: datetime) -> datetime | None:
    """The instant nearest to the reference with this minute of the year."""
    if type(moy) is not int or not 0 <= moy <= 527_039:
        return None
    after = timedelta(minutes=moy, milliseconds=ms)
    years = (reference.year - 1, reference.year, reference.year + 1)
    instants = [datetime(year, 1, 1, tzinfo=UTC) + after for year in years if 1 <= year < 9998]
    return min(instants, key=lambda at: abs(at - reference), default=None)


def instant_in_minute(ms: int | None, reference: datetime) -> datetime:
    """The instant nearest to the reference with these milliseconds in its minute."""
    if ms is None:
        return reference
    at = reference.replace(second=0, microsecond=0) + timedelta(milliseconds=ms)
    off = (at - reference) / _MINUTE
    return at - timedelta(minutes=round(off))


def intersections_of_map(message: Any) -> list[str]:
    """`0/12110 (revision 1)` for each intersection of a MAP message, however it is wrapped."""
    for name in ("value", "MapData"):
        if isinstance(message, dict) and isinstance(message.get(name), dict):
            message = message[name]
    if not isinstance(message, dict):
        return []
    items = message.get("intersections", [message.get("properties")])
    if isinstance(items, dict):
        items = items.get("intersectionGeometry")
    named = (_named(item) for item in items[:_NAMED_MAX]) if isinstance(items, list) else ()
    return [name for name in named if name]


def _named(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    ids = item["id"] if isinstance(item.get("id"), dict) else item
    number, region = ids.get("intersectionId", ids.get("id")), ids.get("region")
    if type(number) is not int:
        return ""
    name = f"{region if type(region) is int and region > 0 else 0}/{number}"
    revision = item.get("revision")
    return f"{name} (revision {revision})" if type(revision) is int else name


def _flat(value: Any) -> str:
    return _NOT_LETTER.sub("", str(value).lower())
