"""Notifications: what a topic means, and the state that its items tell."""

from typing import Any, Final

from connectors._formats.notices import Notice, is_true, utc
from connectors._formats.numbers import number
from connectors._formats.plates import read_plate
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from hub import Event, Options, Payload
from hub.connector import Severity

__all__ = ["HEALTH", "MEANINGS", "event", "stamp_of"]

MEANINGS: Final = {
    "linedetector/crossed": "line_crossed",
    "cellmotiondetector/linecross": "line_crossed",
    "tpsmarteventdetector/linecross": "line_crossed",
    "fielddetector/objectsinside": "objects_inside",
    "cellmotiondetector/intrusion": "objects_inside",
    "cellmotiondetector/motion": "motion",
    "motionregiondetector/motion": "motion",
    "videosource/motionalarm": "motion",
    "cellmotiondetector/people": "person",
    "myruledetector/peopledetect": "person",
    "myruledetector/vehicledetect": "vehicle",
    "tpsmarteventdetector/tpsmartevent": "smart_event",
    "loiteringdetector/objectisloitering": "loitering",
    "trigger/digitalinput": "input",
    "trigger/alarmin": "input",
    "trigger/relay": "relay",
    "audiosource/detectedsound": "sound",
    "audioanalytics/audio": "sound",
}
"""The last two steps of a topic, without prefixes and cases, and what they mean."""
HEALTH: Final = {
    "videosource/signalloss": ("video", "OFFLINE"),
    "videosource/videoloss": ("video", "OFFLINE"),
    "videosource/imagetooblurry": ("video", "DEGRADED"),
    "videosource/imagetoodark": ("video", "DEGRADED"),
    "videosource/imagetoobright": ("video", "DEGRADED"),
    "videosource/globalscenechange": ("video", "DEGRADED"),
    "tamperdetector/tamper": ("video", "DEGRADED"),
    "hardwarefailure/storagefailure": ("storage", "FAULT"),
    "hardwarefailure/fanfailure": ("device", "DEGRADED"),
    "hardwarefailure/powersupplyfailure": ("device", "FAULT"),
    "hardwarefailure/temperaturecritical": ("device", "DEGRADED"),
    "recordingconfig/recordingfailure": ("storage", "FAULT"),
}
"""Topics that tell of the device itself: (component, state while the alarm is on)."""
_SEVERITY: Final[dict[str, Severity]] = {
    "ONLINE": "INFO", "DEGRADED": "MINOR", "OFFLINE": "MODERATE", "FAULT": "MODERATE",
    "UNKNOWN": "UNKNOWN",
}  # fmt: skip
_SOURCES: Final = (
    "VideoSource", "VideoSourceConfigurationToken", "VideoSourceToken", "Source", "Channel",
    "VideoSourceConfiguration",
)  # fmt: skip
_INPUTS: Final = ("InputToken", "RelayToken", "DigitalInput", "port", "Token")
_TARGETS: Final = ("ClassTypes", "ObjectType", "Class")
_PLATES: Final = ("PlateNumber", "LicensePlate", "Plate")


def event(notice: Notice, prefix: str, payload: Payload, options: Options) -> Event:
    """The event of a notification; `prefix` names the camera over MQTT."""
    name = "/".join(notice.topic.lower().split("/")[-2:])
    replayed = notice.operation == "Initialized" or is_true(payload.meta.get("mqtt_retained", ""))
    stamp = read_stamp(
        utc(notice.utc), received_at=payload.received_at, options=options, replayed=replayed
    )
    common = {
        "device_ref": _device(notice, prefix),
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "replayed": replayed,
        "quality_flags": stamp.flags,
    }
    plate = next((notice.data[each] for each in _PLATES if each in notice.data), None)
    if plate is not None:
        return _plate(notice, plate, common)
    known = HEALTH.get(name) or HEALTH.get("/".join(notice.topic.lower().split("/")[-3:-1]))
    if known is not None:
        return _health(notice, known, common)
    return _detection(notice, name, common)


def _device(notice: Notice, prefix: str) -> str:
    source = next((notice.source[each] for each in _SOURCES if notice.source.get(each)), "")
    if not source and "value0" in notice.source:
        source = notice.source["value0"]
    return "/".join(filter(None, (clean(prefix), source)))


def _health(notice: Notice, known: tuple[str, str], common: dict[str, Any]) -> Event:
    component, trouble = known
    state = {"STARTED": trouble, "STOPPED": "ONLINE"}.get(notice.state, trouble)
    if notice.operation == "Deleted":
        state = "UNKNOWN"
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], component, notice.topic),
        severity=_SEVERITY[state],
        body={"state": state, "component": component, "detail": notice.topic},
        **common,
    )


def _detection(notice: Notice, name: str, common: dict[str, Any]) -> Event:
    object_id = notice.key.get("ObjectId") or notice.data.get("ObjectId") or ""
    target = next(
        (
            notice.data[each]
            for each in ("ClassTypes", "ObjectType", "Class")
            if each in notice.data
        ),
        "",
    )
    meaning = MEANINGS.get(name) or ".".join(filter(None, map(snake, notice.topic.split("/")[-2:])))
    return Event(
        noun="detection",
        kind=f"camera.{meaning or 'event'}"[:120],
        # 0 stands for no object.
        native_id=object_id if object_id.strip("0") else None,
        severity="INFO",
        body={
            "rule": notice.topic,
            "state": notice.state,
            "target": target,
            "region": notice.source.get("Rule", ""),
            "input_ref": next(
                (notice.source[each] for each in _INPUTS if notice.source.get(each)), ""
            ),
        },
        **common,
    )


def _plate(notice: Notice, raw: str, common: dict[str, Any]) -> Event:
    score = number(notice.data.get("Likelihood", ""))
    plate, flags = read_plate(raw, confidence=score if score is not None and score <= 1 else None)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        severity="INFO",
        restricted={"plate": plate},
        body={
            "vehicle_type": notice.data.get("VehicleType", ""),
            "country": notice.data.get("CountryCode", ""),
        },
        **{**common, "quality_flags": (*common["quality_flags"], *flags)},
    )


def stamp_of(raw: str, payload: Payload, options: Options) -> Stamp:
    """A stamp of metadata."""
    return read_stamp(utc(raw), received_at=payload.received_at, options=options)
