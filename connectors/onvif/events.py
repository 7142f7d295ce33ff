"""Notifications: what a topic means, and the state that its items tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors._formats.json import an_object
from connectors._formats.members import the_object, the_text
from connectors._formats.numbers import number
from connectors._formats.plates import read_plate
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node
from hub import Event, Options, Payload, PayloadError
from hub.connector import Severity

__all__ = ["HEALTH", "MEANINGS", "Notice", "event", "utc"]

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
_ON: Final = frozenset({"true", "1", "on", "active"})
_OFF: Final = frozenset({"false", "0", "off", "inactive", ""})
_SOURCES: Final = (
    "VideoSource", "VideoSourceConfigurationToken", "VideoSourceToken", "Source", "Channel",
    "VideoSourceConfiguration",
)  # fmt: skip
_INPUTS: Final = ("InputToken", "RelayToken", "DigitalInput", "port", "Token")
_TARGETS: Final = ("ClassTypes", "ObjectType", "Class")
_PLATES: Final = ("PlateNumber", "LicensePlate", "Plate")
_ZONED: Final = re.compile(r"(?:[Zz]|[+-]\d{1,2}:?\d{0,2})\s*$")
_ITEMS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification: its topic without prefixes, and its items by name."""

    topic: str
    utc: str = ""
    operation: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_xml(cls, node: Node) -> "Notice":
        """From a NotificationMessage; a second Message stands within the first."""
        message = node.find("Message/Message") or node.find("Message")
        topic = "".join(node.value("Topic").split())
        if message is None or not topic:
            missing = "Topic" if message is not None else "Message"
            raise PayloadError(
                f"a notification without its {missing}",
                code="missing-field",
                path=f"{node.path}/{missing}",
            )
        return cls(
            _plain(topic),
            message.attr("UtcTime"),
            message.attr("PropertyOperation"),
            *(_of_items(message.find(name)) for name in ("Source", "Key", "Data")),
        )

    @classmethod
    def of_json(cls, document: Any, topic: str) -> "Notice":
        """From MQTT: the topic ends with the values of the source; None is a deleted property."""
        steps = topic.split("/")
        cut = next((at for at, step in enumerate(steps) if step.startswith("&")), len(steps))
        values = [clean(step.removeprefix("&")) for step in steps[cut:]]
        named = {f"value{at}": value for at, value in enumerate(values) if value}
        plain = cls(_plain("/".join(steps[:cut])), operation="Deleted", source=named)
        if document is None:
            return plain
        data = an_object(document, ())
        parts = [_of_members(the_object(data, name)) for name in ("Source", "Key", "Data")]
        return replace(
            plain,
            utc=the_text(data, "UtcTime"),
            operation=the_text(data, "PropertyOperation"),
            source=parts[0] or named,
            key=parts[1],
            data=parts[2],
        )


def _plain(topic: str) -> str:
    """A topic without the prefixes of its steps: `tns1:Device/Trigger/tnshik:AlarmIn`."""
    return "/".join(step.rpartition(":")[2] for step in clean(topic).split("/") if step)[:200]


def _of_items(node: Node | None) -> dict[str, str]:
    items = node.findall("SimpleItem")[:_ITEMS_MAX] if node is not None else []
    return {item.attr("Name"): item.attr("Value") for item in items if item.attr("Name")}


def _of_members(members: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in list(members)[:_ITEMS_MAX]:
        value = members[name]
        found[name] = value if isinstance(value, str) else the_text(members, name)
    return found


def utc(raw: str) -> str:
    """A stamp that is UTC by definition, with its Z."""
    text = raw.strip()
    return text if not text or _ZONED.search(text) else f"{text}Z"


def event(notice: Notice, prefix: str, payload: Payload, options: Options) -> Event:
    """The event of a notification; `prefix` names the camera over MQTT."""
    name = "/".join(notice.topic.lower().split("/")[-2:])
    replayed = notice.operation == "Initialized" or _is_true(payload.meta.get("mqtt_retained", ""))
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


def _is_true(text: str) -> bool:
    return text.strip().lower() in _ON


def _state(notice: Notice) -> str:
    """Whether a condition begins or ends; an event without a state is a pulse."""
    if notice.operation == "Deleted":
        return "STOPPED"
    words = [value.strip().lower() for name, value in notice.data.items() if name != "ObjectId"]
    if any(word in _ON for word in words):
        return "STARTED"
    return "STOPPED" if words and all(word in _OFF for word in words) else "PULSE"


def _health(notice: Notice, known: tuple[str, str], common: dict[str, Any]) -> Event:
    component, trouble = known
    state = {"STARTED": trouble, "STOPPED": "ONLINE"}.get(_state(notice), trouble)
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
            "state": _state(notice),
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
