"""SAE J2735 SPaT as the ODE's JSON, version 6: what a signal centre forwards of its cabinets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["JSON", "Movement", "spat_json"]

JSON = "application/json"
_STATUS = (
    "manualControlIsEnabled", "stopTimeIsActivated", "failureFlash", "preemptIsActive",
    "signalPriorityIsActive", "fixedTimeOperation", "trafficDependentOperation",
    "standbyOperation", "failureMode", "off", "recentMAPmessageUpdate",
    "recentChangeInMAPassignedLanesIDsUsed", "noValidMAPisAvailableAtThisTime",
    "noValidSPATisAvailableAtThisTime",
)  # fmt: skip
_FIXED_TIME = dict.fromkeys(_STATUS, False) | {"fixedTimeOperation": True}


@dataclass(frozen=True, slots=True)
class Movement:
    """What one signal group shows, since when and until when."""

    group: int
    state: str
    start: datetime
    end: datetime


def spat_json(
    *,
    region: int,
    intersection: int,
    revision: int,
    at: datetime,
    movements: Sequence[Movement],
    stream: str,
    serial: int,
) -> bytes:
    """One message about one intersection."""
    at = at.astimezone(UTC)
    year = at.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    state = {
        "name": None,
        "id": {"region": region, "id": intersection},
        "revision": revision,
        "status": _FIXED_TIME,
        "moy": int((at - year).total_seconds()) // 60,
        "timeStamp": at.second * 1000 + at.microsecond // 1000,
        "states": {"movementList": [_movement(movement) for movement in movements]},
    }
    document = {
        "metadata": {
            "recordType": "spatTx",
            "payloadType": "us.dot.its.jpo.ode.model.OdeSpatPayload",
            "serialId": {
                "streamId": stream,
                "bundleSize": 1,
                "bundleId": 0,
                "recordId": 0,
                "serialNumber": serial,
            },
            "odeReceivedAt": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "schemaVersion": 6,
            "spatSource": "V2X",
            "originIp": "10.20.0.1",
        },
        "payload": {
            "dataType": "us.dot.its.jpo.ode.plugin.j2735.J2735SPAT",
            "data": {
                "timeStamp": None,
                "name": None,
                "intersectionStateList": {"intersectionStatelist": [state]},
            },
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _movement(movement: Movement) -> dict[str, object]:
    timing = {
        "startTime": _mark(movement.start),
        "minEndTime": _mark(movement.end),
        "maxEndTime": _mark(movement.end),
        "likelyTime": _mark(movement.end),
        "confidence": None,
        "nextTime": None,
    }
    event = {"eventState": movement.state, "timing": timing, "speeds": None}
    return {
        "movementName": None,
        "signalGroup": movement.group,
        "state_time_speed": {"movementEventList": [event]},
        "maneuverAssistList": None,
    }


def _mark(at: datetime) -> int:
    """Tenths of a second in the hour of that instant, the unit of J2735."""
    at = at.astimezone(UTC)
    return (at.minute * 60 + at.second) * 10 + at.microsecond // 100_000
