"""What all of Dahua's ways in share: times that may be local, boxes on a grid, plates, violations.

Devices fill the field `UTC` honestly, or with the local time as if it were UTC; `RealUTC`, where
there is one, is right. `TimeZone` is a number of the vendor's own list, not of hours, and often
simply wrong: it is not read.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors._formats.members import the_number, the_text
from connectors._formats.pictures import a_box
from connectors._formats.times import Stamp, read_epoch, read_stamp
from hub.connector import Options

__all__ = ["ACTS", "CARS", "grid_box", "read_time"]

ACTS: Final = {
    "TrafficRunRedLight": "red_light",
    "TrafficRetrograde": "wrong_way",
    "TrafficWrongRoute": "wrong_lane",
    "TrafficOverLine": "lane_change",
    "TrafficCrossLane": "lane_change",
    "TrafficParking": "stopping",
    "TrafficUTurn": "u_turn",
    "TrafficTurnLeft": "banned_turn",
    "TrafficTurnRight": "banned_turn",
    "TrafficOverSpeed": "speeding",
    "TrafficDriverCalling": "phone",
    "TrafficWithoutSafeBelt": "seat_belt",
}
"""Event codes that are an act by themselves, and the hub's words for the acts."""
CARS: Final = frozenset({"car", "suv", "mpv", "bus", "largebus", "midbus", "truck", "midtruck",
                         "largetruck", "lighttruck", "van", "pickup", "taxi", "motor"})  # fmt: skip
"""Kinds of vehicle that article 6 of Decree 168/2024 is about."""
_CLOSE = timedelta(seconds=2)


def read_time(data: Mapping[str, Any], *, received_at: datetime, options: Options) -> Stamp:
    """The time of an event: `RealUTC`, else `UTC` with `UTCMS`, else `LocaleTime`.

    A `UTC` that reads as the local time of a place elsewhere is taken back by the source's zone,
    with the flag `utc_is_local`.
    """
    local = the_text(data, "LocaleTime")
    real, utc = the_number(data, "RealUTC"), the_number(data, "UTC")
    seconds = real or utc
    if not seconds:
        return read_stamp(local, received_at=received_at, options=options)
    if not real and _is_local(seconds, local, options):
        wall = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=options.tzinfo)
        found = read_epoch(
            wall.timestamp() + _fraction(data), received_at=received_at, options=options
        )
        return replace(found, flags=("utc_is_local", *found.flags))
    return read_epoch(seconds + _fraction(data), received_at=received_at, options=options)


def _fraction(data: Mapping[str, Any]) -> float:
    milliseconds = the_number(data, "UTCMS") or 0.0
    return milliseconds / 1000 if 0 <= milliseconds < 1000 else 0.0


def _is_local(seconds: float, local: str, options: Options) -> bool:
    """Whether the number, read as UTC, shows the same clock as the local time beside it."""
    try:
        shown = datetime.fromisoformat(local.strip()).replace(tzinfo=UTC)
        read = datetime.fromtimestamp(seconds, UTC)
        offset = options.tzinfo.utcoffset(shown.replace(tzinfo=None))
    except (ValueError, OverflowError, OSError):
        return False
    return abs(read - shown) < _CLOSE and bool(offset)


def grid_box(value: Any, scale: str = "GRID_8192") -> dict[str, Any] | None:
    """Left, top, right, bottom as an event's box; None for none, and for four zeros."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    corners = [float(each) for each in value if type(each) in {int, float} and abs(each) < 1e6]
    if len(corners) != 4:
        return None
    left, top, right, bottom = corners
    return a_box([left, top, right - left, bottom - top], scale)
