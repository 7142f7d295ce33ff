"""What ONVIF topics mean, and what the items beside them say: tables, as every vendor has its own.

The same line is crossed on `LineDetector/Crossed`, `CellMotionDetector/LineCross` (Tapo) and
`tnsajax:LineDetector/Crossing`. Topics are compared without prefixes, as these differ by transport
(`tns1:`, `onvif:`, none over MQTT); what no table knows keeps its own name.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from connectors._formats.text import clean, snake

__all__ = ["Meaning", "classes", "is_on", "meaning", "plain_topic"]

_TOPIC_MAX = 256
_TEXT_MAX = 128


class Meaning(NamedTuple):
    """What a topic is about."""

    noun: Literal["detection", "health", "plate_read", "object_track", "nothing"]
    word: str = ""
    """Kind of a detection, component of a device, or why there is no event."""
    trouble: Literal["DEGRADED", "OFFLINE", "FAULT"] = "DEGRADED"
    """State of the component while the condition holds."""


_ALARMS: Final = {
    "line_crossed": (
        "linedetector/crossed", "linedetector/crossing", "linecross", "linecrossdetector",
        "linecrossing", "fenceguard", "islinecross",
    ),
    "object_inside": (
        "fielddetector/objectsinside", "intrusion", "intrusiondetector", "isintrusion",
    ),
    "motion": (
        "motion", "motionalarm", "motiondetection", "motiondetector", "motionguard", "vmd", "vmd3",
        "videomotiondetection", "ismotion",
    ),
    "loitering": ("loiteringdetector", "objectisloitering", "loiteringguard", "loitering"),
    "object_abandoned": ("objectabandoned",),
    "object_removed": ("objectremoved",),
    "object_detected": ("objectdetection/object", "objectanalytics"),
    "person_detected": ("peopledetect", "peopledetector", "people", "humanshapedetect", "ispeople"),
    "vehicle_detected": ("vehicledetect", "vehicledetector", "isvehicle"),
    "animal_detected": ("dogcatdetect", "petdetect", "ispet"),
    "face_detected": ("facedetect", "recognition/face"),
    "package_detected": ("myruledetector/package",),
    "visitor": ("myruledetector/visitor",),
    "presence": ("sensor/pir",),
    "input": (
        "digitalinput", "trigger/alarmin", "alarmin", "io/port", "io/supervisedport",
        "io/virtualinput",
    ),
    "relay": ("trigger/relay", "io/outputport"),
    "plate_listed": ("alpv.allow_list", "alpv.block_list", "alpv.custom_list"),
    "plate_unlisted": ("alpv.notinlist",),
    "plate_in_view": (
        "alpv.plateinview", "alpv.platein", "alpv.plateout", "alpv.roi1", "alpv.roi2",
    ),
    "sound": ("detectedsound", "audiodetector", "audioclassification", "triggerlevel"),
}  # fmt: skip
_TROUBLES: Final[dict[str, Meaning]] = {
    "signalloss": Meaning("health", "video", "OFFLINE"),
    "videoloss": Meaning("health", "video", "OFFLINE"),
    "globalscenechange": Meaning("health", "video"),
    "imagetoodark": Meaning("health", "video"),
    "imagetoobright": Meaning("health", "video"),
    "imagetooblurry": Meaning("health", "video"),
    "tamperdetector": Meaning("health", "video"),
    "tampering": Meaning("health", "video"),
    "tamper": Meaning("health", "video"),
    "istamper": Meaning("health", "video"),
    "storagefailure": Meaning("health", "storage", "FAULT"),
    "storage/disruption": Meaning("health", "storage", "FAULT"),
    "storage/alert": Meaning("health", "storage"),
    "network/lost": Meaning("health", "network", "OFFLINE"),
    "network/addressconflict": Meaning("health", "network"),
    "hardwarefailure": Meaning("health", "device"),
    "casing/open": Meaning("health", "device"),
}
_QUIET: Final = {
    "countaggregation": "a count, which is no event of its own",
    "storage/recording": "whether it records, which is no trouble",
    "monitoring": "a reading of the device",
    "eventbuffer": "the begin of a recorded stream",
    "ptzcontroller": "a movement of the camera",
    "configuration": "a change of its configuration",
    "media": "a change of its configuration",
    "recordingconfig": "a change of its recording",
    "recordinghistory": "a change of its recording",
    "lightcontrol": "a light of the camera",
    "daynightvision": "its day and night mode",
    "livestreamaccessed": "somebody watches",
    "accesscontrol": "access to a building, which names persons",
    "accesspoint": "access to a building, which names persons",
    "credential": "access to a building, which names persons",
    "door": "access to a building, which names persons",
    "userconfiguration": "a change of its users",
}
_TABLE: Final[dict[str, Meaning]] = {
    **{name: Meaning("detection", word) for word, names in _ALARMS.items() for name in names},
    **_TROUBLES,
    **{name: Meaning("nothing", why) for name, why in _QUIET.items()},
    "recognition/licenseplate": Meaning("plate_read"),
    "objecttrack/aggregation": Meaning("object_track"),
}
_SMART: Final = frozenset({"tpsmartevent"})
"""Topics whose data items say what happened: `IsVehicle`, `IsLineCross` (Tapo)."""

_ON: Final = frozenset({"1", "true", "on", "active", "high", "yes"})
_OFF: Final = frozenset({"0", "false", "off", "inactive", "low", "no", "idle", ""})
_STATES: Final = (
    "active", "state", "logicalstate", "isinside", "ismotion", "failed", "critical", "detected",
    "disruption", "alert", "lost", "open", "triggered", "tampering", "status", "value",
)  # fmt: skip
_CLASSES: Final = ("classtypes", "classtype", "objecttype", "objectclass", "class")


def plain_topic(text: str) -> str:
    """`tns1:Device/ tnsaxis:IO/Port ` as `Device/IO/Port`."""
    steps = clean("".join(text.split()))[:_TOPIC_MAX].split("/")
    return "/".join(step.rpartition(":")[2] for step in steps if step)


@lru_cache(maxsize=4096)
def _of_topic(topic: str) -> Meaning:
    names = [name.lower() for name in topic.split("/")]
    for end in range(len(names), 0, -1):
        found = _TABLE.get("/".join(names[max(0, end - 2) : end])) or _TABLE.get(names[end - 1])
        if found:
            return found
    word = "_".join(snake(name) for name in topic.split("/")[-2:])
    return Meaning("detection", word[:64].strip("_") or "event")


def meaning(topic: str, data: Mapping[str, str]) -> Meaning:
    """What a plain topic is about; a few only tell it together with their data."""
    if topic.rpartition("/")[2].lower() in _SMART:
        known = (_TABLE.get(name.lower()) for name, value in data.items() if _word(value) in _ON)
        return next(filter(None, known), _of_topic(topic))
    return _of_topic(topic)


def is_on(data: Mapping[str, str]) -> bool | None:
    """Whether the data say that the condition holds; None when they do not tell."""
    values = {name.lower(): value for name, value in data.items()}
    named = (name for name in _STATES if name in values)
    others = (
        name for name, value in values.items()
        if name.startswith("is") or _word(value) in {"true", "false"}
    )  # fmt: skip
    told = next((values[name] for name in (*named, *others)), None)
    if told is None:
        listed = next((values[name] for name in _CLASSES if name in values), None)
        return None if listed is None else bool(listed.split())
    word = _word(told)
    return True if word in _ON else False if word in _OFF else None


def classes(data: Mapping[str, str]) -> str:
    """The classes of what was detected, in the source's words, parted by commas."""
    values = {name.lower(): value for name, value in data.items()}
    told = next((values[name] for name in _CLASSES if values.get(name)), "")
    return ",".join(told.replace(",", " ").split())[:_TEXT_MAX]


def _word(value: str) -> str:
    return value.strip().lower()
