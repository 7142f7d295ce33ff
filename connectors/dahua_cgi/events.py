"""What Dahua's event codes mean: the device's health, a passage and its violation, a detection."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors._formats.dahua import colour, corners, grid_box, is_act, known, of_law, ratio
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.numbers import measured
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import read_stamp
from connectors._formats.violations import position_code
from hub import Event, Options
from hub.connector import Severity

__all__ = ["OF_PERSONS", "Found", "events_of"]

HEALTH: Final = {
    "videoloss": ("video", "OFFLINE"),
    "videoblind": ("video", "DEGRADED"),
    "videoabnormaldetection": ("video", "DEGRADED"),
    "videounfocus": ("video", "DEGRADED"),
    "scenechange": ("video", "DEGRADED"),
    "storagefailure": ("storage", "FAULT"),
    "storagenotexist": ("storage", "FAULT"),
    "storagelowspace": ("storage", "DEGRADED"),
    "rtspsessiondisconnect": ("network", "DEGRADED"),
    "netabort": ("network", "OFFLINE"),
    "ipconflict": ("network", "DEGRADED"),
    "macconflict": ("network", "DEGRADED"),
    "timechange": ("clock", "DEGRADED"),
    "ntpadjusttime": ("clock", "DEGRADED"),
}
"""Codes that tell of the device itself: (component, state while the alarm is on)."""
OF_PERSONS: Final = re.compile("face|human|person|portrait|pedestrain|accesscontrol", re.IGNORECASE)
"""Codes of events whose pictures show a person, whatever they are of."""
_SEVERITY: Final[dict[str, Severity]] = {
    "ONLINE": "INFO",
    "DEGRADED": "MINOR",
    "OFFLINE": "MODERATE",
    "FAULT": "MODERATE",
}
_STATES: Final = {"Start": "STARTED", "Stop": "STOPPED", "Pulse": "PULSE", "State": "ONGOING"}
_WAYS: Final = {"Approach": "APPROACHING", "Leave": "DEPARTING"}
_LIGHTS: Final = {1: "green", 2: "red", 3: "yellow"}
_MOTORBIKES: Final = frozenset({"motorcycle", "lightmotorcycle", "motorbike", "twowheelmotor"})
_CONFIDENCE_MAX = 255  # inferred: 160 is in the field
_STEP_OK_S = 5
_RED_MAX_S = 600


@dataclass(frozen=True, slots=True)
class Found:
    """An event as sent: its code and action, the channel, and its data (None: unreadable)."""

    code: str
    action: str
    index: str
    data: Mapping[str, Any] | None


def events_of(
    found: Found, common: dict[str, Any], now: datetime, acts: Mapping[str, str]
) -> Iterator[Event]:
    """What one event tells.

    `common` is its device, time and flags; `now` the time of receipt; `acts` what a site's own
    codes of acts mean.
    """
    code, action, data = found.code, found.action, found.data or {}
    name = code.lower()
    if name in HEALTH:
        yield _health(code, action, data, common)
        return
    vehicle = "TrafficCar" in data or _plate_of(data) or is_act(code)
    if not (vehicle and name.startswith("traffic")) or action == "Stop":
        yield _detection(code, action, data, common)
        return
    plate, flags = _read(data)
    body = _vehicle(data)
    told = {
        **common,
        "restricted": {"plate": plate},
        "quality_flags": (*common["quality_flags"], *flags),
    }
    yield Event(noun="plate_read", kind="vehicle.passage", severity="INFO", body=body, **told)
    if _names_an_act(code, data):
        yield _violation(code, data, body, told, (now, acts))


# The device and its clock


def _health(code: str, action: str, data: Mapping[str, Any], common: dict[str, Any]) -> Event:
    component, trouble = HEALTH[code.lower()]
    over = action == "Stop" or (component == "clock" and _clock_was_right(data))
    state = "ONLINE" if over else trouble
    # Who lost a session, and from where, is an operator's matter: neither is repeated here.
    before, after = _clocks(data)
    detail = f"{code} from {before} to {after}" if before and after else code
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], component),
        severity=_SEVERITY[state],
        body={"state": state, "component": component, "detail": detail},
        **common,
    )


def _clocks(data: Mapping[str, Any]) -> tuple[str, str]:
    """What the clock showed before it was set, and after."""
    before = the_text(data, "BeforeModifyTime") or the_text(data, "Before")
    return before, the_text(data, "ModifiedTime") or the_text(data, "LocaleTime")


def _clock_was_right(data: Mapping[str, Any]) -> bool:
    """Whether setting the clock moved it by seconds only: if not, its earlier stamps were wrong."""
    if the_text(data, "result") == "false":
        return False
    utc = Options(zone="UTC")
    long_ago = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    before, after = (
        read_stamp(text, received_at=long_ago, options=utc).at for text in _clocks(data)
    )
    if before is None or after is None:
        return the_text(data, "result") == "true"
    return abs((after - before).total_seconds()) <= _STEP_OK_S


# What analytics saw


def _detection(code: str, action: str, data: Mapping[str, Any], common: dict[str, Any]) -> Event:
    seen = _object(data)
    region = corners(data.get("DetectRegion") or data.get("DetectLine"))
    # `HumamID` is how some firmware spells it.
    human = "HumanID" in seen or "HumamID" in seen
    return Event(
        noun="detection",
        kind="camera." + re.sub(r"[^a-z0-9_.-]", "_", code.lower())[:64],
        severity="INFO",
        body={
            "rule": code,
            "state": _STATES.get(action, "UNKNOWN"),
            "target": the_text(seen, "ObjectType")
            or ("Vehicle" if "VehicleID" in seen else "Human" if human else ""),
            "region": _region(data),
            "score": ratio(the_number(seen, "Confidence"), _CONFIDENCE_MAX),
            "box": grid_box(seen.get("BoundingBox", seen.get("Rect"))),
            "polygon": region,
            "polygon_scale": "GRID_8192" if region else "UNKNOWN",
        },
        **common,
    )


def _region(data: Mapping[str, Any]) -> str:
    """The rule's name, else its region's, else its number (spelt two ways, with two meanings)."""
    names = data.get("RegionName")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    rule = the_integer(data, "RuleID")
    return the_text(data, "Name") or first or ("" if rule is None else str(rule))


def _object(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object of an event: `Object`, the first of `Objects`, or `object` of SMD."""
    for name in ("Object", "Objects", "object", "Vehicle", "NonMotor"):
        found = data.get(name)
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict):
            return found
    return {}


# Vehicles


def _plate_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that is a plate, or holds one; empty for none."""
    seen = the_object(data, "Object")
    if the_text(seen, "ObjectType") == "Plate":
        return seen
    inside = (the_object(the_object(data, name), "Plate") for name in ("NonMotor", "Vehicle"))
    return the_object(data, "Plate") or next(filter(None, inside), {})


def _read(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The plate: of `TrafficCar`, else of the plate's object, else of the front."""
    car, seen, front = (
        the_object(data, "TrafficCar"),
        _plate_of(data),
        the_object(data, "PlateInfo"),
    )
    raw = (
        the_text(car, "PlateNumber")
        or the_text(seen, "Text")
        or the_text(seen, "PlateNumber")
        or the_text(front, "FrontPlateNumber")
    )
    two_wheels = the_text(the_object(data, "NonMotor"), "Category").lower() in _MOTORBIKES
    return read_plate(
        known(raw),
        category="MOTORBIKE" if two_wheels else "UNKNOWN",
        colour=colour(the_text(car, "PlateColor") or the_text(seen, "PlateColor")),
        confidence=ratio(the_number(seen, "Confidence"), _CONFIDENCE_MAX),
    )


def _vehicle(data: Mapping[str, Any]) -> dict[str, Any]:
    car, plate = the_object(data, "TrafficCar"), _plate_of(data)
    seen = the_object(data, "Vehicle") or the_object(data, "NonMotor")
    if not seen and the_text(_object(data), "ObjectType") == "Vehicle":
        seen = _object(data)
    way = next((each for each in the_items(car, "DrivingDirection") if isinstance(each, str)), "")
    lane = the_integer(car, "Lane")
    return {
        "direction": _WAYS.get(way or the_text(car, "MovingDirection"), "UNKNOWN"),
        "lane": the_integer(data, "Lane") if lane is None else lane,
        "speed_kmh": measured(the_number(car, "Speed"), the_number(data, "Speed")),
        "speed_limit_kmh": measured(the_number(car, "UpperSpeedLimit")),
        "vehicle_type": known(the_text(seen, "Category")) or known(the_text(car, "VehicleType")),
        "vehicle_colour": known(the_text(car, "VehicleColor")) or known(the_text(seen, "Color")),
        "vehicle_make": known(the_text(car, "VehicleSign")) or known(the_text(seen, "Text")),
        "country": known(the_text(car, "Country")) or known(the_text(plate, "Country")),
        "plate_box": grid_box(plate.get("BoundingBox")),
    }


# Violations


def _names_an_act(code: str, data: Mapping[str, Any]) -> bool:
    """Whether the device says that something was wrong; a code of 0 is its word for nothing."""
    named = the_text(the_object(data, "TrafficCar"), "ViolationCode")
    return is_act(code) or named not in ("", "0")


def _violation(
    code: str,
    data: Mapping[str, Any],
    read: Mapping[str, Any],
    told: dict[str, Any],
    law_of: tuple[datetime, Mapping[str, str]],
) -> Event:
    car = the_object(data, "TrafficCar")
    named = the_text(car, "ViolationCode")
    source_code = code if named in ("", "0") else named
    words = the_text(car, "ViolationName") or the_text(car, "ViolationDesc") or code
    plate = told["restricted"]["plate"]
    law, flags = of_law(
        code, source_code, body=read, told=told, received_at=law_of[0], acts=law_of[1]
    )
    places = (the_text(data, "Name"), the_text(car, "DeviceAddress"), the_text(car, "MachineName"))
    body = {
        "act": without_plate(words, plate["text"])[0] or "",
        "source_code": source_code,
        **law,
        **{name: read[name] for name in ("lane", "direction", "speed_kmh", "speed_limit_kmh")},
        "signal_state": _LIGHTS.get(the_integer(data, "LightState") or 0, ""),
        "red_elapsed_s": _red_s(data),
        "position_code": next(filter(None, map(position_code, places)), ""),
        "vehicle_type": read["vehicle_type"],
    }
    return Event(
        noun="violation",
        kind="vehicle.violation",
        body=body,
        **{**told, **_of_group(data), "quality_flags": (*told["quality_flags"], *flags)},
    )


def _red_s(data: Mapping[str, Any]) -> float | None:
    """Seconds since the signal turned red; both stamps are of one clock, right or wrong."""
    red, utc = the_number(data, "RedLightUTC"), the_number(data, "UTC")
    if not red or not utc or not 0 <= utc - red <= _RED_MAX_S:
        return None
    milliseconds = (the_number(data, name) or 0.0 for name in ("UTCMS", "RedLightUTCMS"))
    own, of_red = milliseconds
    return round(max(0.0, utc - red + (own - of_red) / 1000), 3)


def _of_group(data: Mapping[str, Any]) -> dict[str, Any]:
    """One act is several pictures, each with an event of its own: its id is the group's."""
    group, count = the_integer(data, "GroupID"), the_integer(data, "CountInGroup")
    if not group or not count or count < 2:
        return {}
    return {"native_id": str(group), "native_version": f"{the_text(data, 'IndexInGroup')}/{count}"}
