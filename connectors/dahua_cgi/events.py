"""What Dahua's event codes mean: the device's health, a passage and its violation, a detection."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from connectors._formats.dahua import ACTS, CARS, grid_box
from connectors._formats.members import the_integer, the_number, the_text
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.violations import position_code, under_law
from hub import Event, Outcome
from hub.connector import Severity

__all__ = ["outcomes"]

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
    "ntpadjusttime": ("clock", "ONLINE"),
}
"""Codes that tell of the device itself: (component, state while the alarm is on)."""
_SEVERITY: Final[dict[str, Severity]] = {
    "ONLINE": "INFO",
    "DEGRADED": "MINOR",
    "OFFLINE": "MODERATE",
    "FAULT": "MODERATE",
}
_STATES: Final = {"Start": "STARTED", "Stop": "STOPPED", "Pulse": "PULSE", "State": "ONGOING"}
_UNREAD: Final = ("unlicensed", "unknown")
_TRUSTED: Final = ("DEVICE", "ASSUMED_ZONE")
_CONFIDENCE_MAX = 255  # inferred: 160 is in the field
_ACTS = {code.lower(): word for code, word in ACTS.items()}


def outcomes(
    code: str, action: str, data: Mapping[str, Any], common: dict[str, Any], received_at: datetime
) -> Iterator[Outcome]:
    """What one event tells; `common` is its device, time and flags."""
    name = code.lower()
    if name in HEALTH:
        yield _health(code, action, data, common)
        return
    passage = name.startswith("traffic") and (
        isinstance(data.get("TrafficCar"), dict) or _plate_of(data) is not None
    )
    if not passage:
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
    act = _act(code, data)
    if act is not None:
        yield _violation(act, data, told, received_at)


def _health(code: str, action: str, data: Mapping[str, Any], common: dict[str, Any]) -> Event:
    component, trouble = HEALTH[code.lower()]
    state = "ONLINE" if action == "Stop" else trouble
    # Who lost a session, and from where, is an operator's matter: neither is repeated here.
    modified, before = the_text(data, "ModifiedTime"), the_text(data, "BeforeModifyTime")
    detail = f"{code} from {before} to {modified}" if modified and before else code
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], component),
        severity=_SEVERITY[state],
        body={"state": state, "component": component, "detail": detail},
        **common,
    )


def _detection(code: str, action: str, data: Mapping[str, Any], common: dict[str, Any]) -> Event:
    seen = _object(data)
    rect = seen.get("BoundingBox", seen.get("Rect"))
    region = data.get("DetectRegion") or data.get("DetectLine")
    corners = [
        {"x": float(each[0]), "y": float(each[1])}
        for each in (region if isinstance(region, list) else [])
        if isinstance(each, list)
        and len(each) == 2
        and all(type(place) in {int, float} and 0 <= place <= 8192 for place in each)
    ]
    return Event(
        noun="detection",
        kind="camera." + re.sub(r"[^a-z0-9_.-]", "_", code.lower()),
        severity="INFO",
        body={
            "rule": code,
            "state": _STATES.get(action, "UNKNOWN"),
            "target": the_text(seen, "ObjectType")
            or ("Vehicle" if "VehicleID" in seen else "Human" if "HumanID" in seen else ""),
            "region": _region(data),
            "score": _score(the_number(seen, "Confidence")),
            "box": grid_box(rect),
            "polygon": corners,
            "polygon_scale": "GRID_8192" if corners else "UNKNOWN",
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


def _score(confidence: float | None) -> float | None:
    """0 means that none is given."""
    if not confidence or not 0 < confidence <= _CONFIDENCE_MAX:
        return None
    return round(confidence / _CONFIDENCE_MAX, 4)


# Vehicles


def _plate_of(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object that is a plate, or holds one."""
    seen = data.get("Object")
    if isinstance(seen, dict) and the_text(seen, "ObjectType") == "Plate":
        return seen
    for name in ("Plate", "NonMotor", "Vehicle"):
        holder = data.get(name)
        if isinstance(holder, dict):
            inner = holder.get("Plate") if name != "Plate" else holder
            if isinstance(inner, dict):
                return inner
    return None


def _read(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The plate: of `TrafficCar`, else of the plate's object."""
    car = data.get("TrafficCar")
    car = car if isinstance(car, dict) else {}
    seen = _plate_of(data) or {}
    raw = the_text(car, "PlateNumber") or the_text(seen, "Text") or the_text(seen, "PlateNumber")
    two_wheels = isinstance(data.get("NonMotor"), dict)
    return read_plate(
        _known(raw),
        category="MOTORBIKE" if two_wheels and _is_motorbike(data["NonMotor"]) else "UNKNOWN",
        colour=the_text(car, "PlateColor") or the_text(seen, "PlateColor"),
        confidence=_score(the_number(seen, "Confidence")),
    )


def _is_motorbike(seen: Mapping[str, Any]) -> bool:
    return the_text(seen, "Category").lower() in {"motorcycle", "motorbike", "twowheelmotor"}


def _vehicle(data: Mapping[str, Any]) -> dict[str, Any]:
    car = data.get("TrafficCar")
    car = car if isinstance(car, dict) else {}
    seen = _object({"Vehicle": data.get("Vehicle"), "NonMotor": data.get("NonMotor")})
    if not seen and the_text(_object(data), "ObjectType") == "Vehicle":
        seen = _object(data)
    plate = _plate_of(data) or {}
    limit = the_number(car, "UpperSpeedLimit")
    country = the_text(car, "Country") or the_text(plate, "Country")
    return {
        "direction": {"Approach": "APPROACHING", "Leave": "DEPARTING"}.get(
            the_text(car, "MovingDirection") or the_text(data, "MovingDirection"), "UNKNOWN"
        ),
        "lane": the_integer(car, "Lane") if "Lane" in car else the_integer(data, "Lane"),
        "speed_kmh": the_number(car, "Speed") or the_number(data, "Speed") or None,
        "speed_limit_kmh": limit or None,
        "vehicle_type": the_text(seen, "Category") or the_text(car, "VehicleType"),
        "vehicle_colour": the_text(car, "VehicleColor") or the_text(seen, "Color"),
        "vehicle_make": the_text(car, "VehicleSign") or _known(the_text(seen, "Text")),
        "country": country,
        "plate_box": grid_box(plate.get("BoundingBox")),
    }


def _known(text: str) -> str:
    return "" if text.lower() in _UNREAD else text


def _act(code: str, data: Mapping[str, Any]) -> tuple[str, str] | None:
    """The act that the device names: its words, and the code they stand under."""
    car = data.get("TrafficCar")
    car = car if isinstance(car, dict) else {}
    named = the_text(car, "ViolationCode")
    words = the_text(car, "ViolationName") or the_text(car, "ViolationDesc")
    if named not in ("", "0"):
        return words or code, named
    return (words or code, code) if code.lower() in _ACTS else None


def _violation(
    act: tuple[str, str], data: Mapping[str, Any], told: dict[str, Any], received_at: datetime
) -> Event:
    words, source_code = act
    vehicle = _vehicle(data)
    plate = told["restricted"]["plate"]
    speed, limit = vehicle["speed_kmh"], vehicle["speed_limit_kmh"]
    at = told["observed_at"] if told["time_quality"] in _TRUSTED else None
    category = plate["category"]
    if category == "UNKNOWN" and vehicle["vehicle_type"].lower() in CARS:
        category = "CAR"
    law, flags = under_law(
        source_code,
        {source_code: _ACTS[source_code.lower()]} if source_code.lower() in _ACTS else {},
        category=category,
        at=at or received_at,
        over_kmh=speed - limit if speed and limit else None,
    )
    body = {
        "act": without_plate(words, plate["text"])[0] or "",
        "source_code": source_code,
        **law,
        "lane": vehicle["lane"],
        "direction": vehicle["direction"],
        "speed_kmh": speed,
        "speed_limit_kmh": limit,
        "position_code": position_code(the_text(data, "Name")),
        "vehicle_type": vehicle["vehicle_type"],
    }
    all_flags = (*told["quality_flags"], *flags)
    return Event(
        noun="violation",
        kind="vehicle.violation",
        body=body,
        **{**told, "quality_flags": all_flags},
    )
