"""What all of Dahua's ways in share: times that may be local, boxes on a grid, plates, violations.

Devices fill the field `UTC` honestly, or with the local time as if it were UTC; `RealUTC`, where
there is one, is right. `TimeZone` is a number of the vendor's own list, not of hours, and often
simply wrong: it is not read.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors._formats.members import the_number, the_text
from connectors._formats.numbers import number
from connectors._formats.pictures import a_box
from connectors._formats.times import Stamp, read_epoch, read_stamp
from connectors._formats.violations import COMMON_CODES, under_law
from hub.connector import Options

__all__ = [
    "ACTS",
    "CARS",
    "colour",
    "corners",
    "grid_box",
    "is_act",
    "known",
    "of_law",
    "ratio",
    "read_time",
]

ACTS: Final = {
    "TrafficRunRedLight": "red_light",
    "TrafficRetrograde": "wrong_way",
    "TrafficWrongRoute": "wrong_lane",
    "TrafficCrossLane": "lane_change",
    "TrafficParking": "stopping",
    "TrafficUTurn": "u_turn",
    "TrafficTurnLeft": "banned_turn",
    "TrafficTurnRight": "banned_turn",
    "TrafficOverSpeed": "speeding",
    "TrafficDriverCalling": "phone",
    "TrafficWithoutSafeBelt": "seat_belt",
    "TrafficNonMotorWithoutSafehat": "helmet",
    # Acts for which the hub has no word, or of which the code does not tell enough.
    "TrafficAssistantWithoutSafeBelt": "",
    "TrafficBacking": "",
    "TrafficDriverSmoking": "",
    "TrafficJamForbidInto": "",
    "TrafficNoPassing": "",
    "TrafficNonMotorHoldUmbrella": "",
    "TrafficNonMotorInMotorRoute": "",
    "TrafficNonMotorOverload": "",
    "TrafficOverLine": "",
    "TrafficOverStopLine": "",
    "TrafficOverYellowLine": "",
    "TrafficPassNotInOrder": "",
    "TrafficPedestrainPriority": "",
    "TrafficRestrictedPlate": "",
    "TrafficRunYellowLight": "",
    "TrafficThrow": "",
    "TrafficUnderSpeed": "",
    "TrafficVehicleInBusRoute": "",
    "TrafficVehicleInRoute": "",
    "TrafficYellowPlateInLane": "",
}
"""Event codes that are an act by themselves, and the hub's words for the acts."""
CARS: Final = frozenset({"car", "suv", "mpv", "bus", "largebus", "midbus", "truck", "midtruck",
                         "largetruck", "lighttruck", "van", "pickup", "taxi", "motor"})  # fmt: skip
"""Kinds of vehicle that article 6 of Decree 168/2024 is about."""
_WORDS: Final = {code.lower(): word for code, word in ACTS.items()}
# Whether the rider or a passenger was bareheaded is not told, and two provisions are for each.
_OF_SEVERAL: Final = frozenset({"helmet"})
_UNKNOWN: Final = frozenset({"unknown", "unknow", "unlicensed"})
_COLOUR: Final = re.compile(r"(?i)(white|yellow|blue|red|green|black)(?:bottom.*)?")
_TRUSTED: Final = frozenset({"DEVICE", "ASSUMED_ZONE"})
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


def known(text: str) -> str:
    """The text, unless it is one of the vendor's spellings of "not known"."""
    return "" if text.lower() in _UNKNOWN else text


def colour(text: str) -> str:
    """A plate's background: `Yellow`, or `YellowbottomBlackText`; else as given."""
    found = _COLOUR.fullmatch(text)
    return found[1] if found else text


def ratio(confidence: float | None, largest: int) -> float | None:
    """A confidence of 0 to `largest` as 0 to 1; 0 means that none is given."""
    if not confidence or not 0 < confidence <= largest:
        return None
    return round(confidence / largest, 4)


def grid_box(value: Any, scale: str = "GRID_8192") -> dict[str, Any] | None:
    """Left, top, right, bottom as an event's box; None for none, and for four zeros."""
    edges = _numbers(value, 4)
    if edges is None:
        return None
    left, top, right, bottom = edges
    return a_box([left, top, right - left, bottom - top], scale)


def corners(value: Any) -> list[dict[str, float]]:
    """The corners of a region or line on the grid; those that are none are left out."""
    found = [_numbers(each, 2) for each in value] if isinstance(value, list) else []
    return [
        {"x": place[0], "y": place[1]}
        for place in found
        if place and all(0 <= each <= 8192 for each in place)
    ]


def _numbers(value: Any, count: int) -> list[float] | None:
    """So many numbers, which XML and `key=value` lines give as texts."""
    if not isinstance(value, list) or len(value) != count:
        return None
    found = [
        number(each) if isinstance(each, str) else float(each)
        for each in value
        if isinstance(each, str) or (type(each) in {int, float} and abs(each) < 1e6)
    ]
    numbers = [each for each in found if each is not None and abs(each) < 1e6]
    return numbers if len(numbers) == count else None


def of_law(
    event_code: str,
    source_code: str,
    *,
    body: Mapping[str, Any],
    told: Mapping[str, Any],
    received_at: datetime,
    acts: Mapping[str, str],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the law calls an act, and flags.

    Sites give events codes of their own (`ViolationCode`), which may be national ones; else `acts`
    says what they mean, else the event's code, else the list that cameras come with. `body` is a
    read's, for the kind of vehicle and its speed; `told` has its plate and its time.
    """
    category = told["restricted"]["plate"]["category"]
    if category == "UNKNOWN" and str(body["vehicle_type"]).lower() in CARS:
        category = "CAR"
    by_code = acts.get(source_code) or _WORDS.get(event_code.lower())
    word = by_code or COMMON_CODES.get(source_code, "")
    trusted = told["observed_at"] and told["time_quality"] in _TRUSTED
    speed, limit = body["speed_kmh"], body["speed_limit_kmh"]
    of_several = word in _OF_SEVERAL
    law, flags = under_law(
        source_code,
        {} if of_several else {source_code: word},
        category=category,
        at=told["observed_at"] if trusted else received_at,
        over_kmh=speed - limit if speed and limit else None,
    )
    if of_several and not law["law_code"]:
        return {**law, "act_word": word}, ("law_code_open",)
    return law, flags


def is_act(event_code: str) -> bool:
    """Whether an event's code is an act by itself."""
    return event_code.lower() in _WORDS
