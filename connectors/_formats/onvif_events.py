"""ONVIF notifications as events, by whatever transport they came.

`PropertyOperation` says what a message is: `Initialized` tells the state at a subscription, so its
event is `replayed`, even on topics of occurrences, where some cameras send it too; `Deleted` ends
the condition and has no data. There is no event id: device, topic, items and time tell two apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_number
from connectors._formats.onvif_scene import Camera, Seen, object_events, plate_event, unit_box
from connectors._formats.onvif_topics import Meaning, classes, is_on, meaning, plain_topic
from connectors._formats.xml import Node
from hub.connector import Event, Nothing, Outcome, Severity
from hub.errors import PayloadError

__all__ = ["Notification", "events", "notification"]

_VIDEO: Final = frozenset(
    {"videosource", "videosourcetoken", "videosourceconfigurationtoken", "videosourceconfiguration",
     "source", "channel", "channelid", "device"}
)  # fmt: skip
_RULES: Final = frozenset({"rule", "rulename"})
_ANALYTICS: Final = frozenset(
    {"videoanalyticsconfigurationtoken", "videoanalyticsconfiguration", "analyticsconfiguration",
     "analyticsconfigurationtoken"}
)  # fmt: skip
_OBJECTS: Final = ("objectid", "objectids", "object_id")
_PLATES: Final = ("licenseplate", "platenumber", "licenseplatenumber", "plate")
_SEVERITY: Final[dict[str, Severity]] = {
    "ONLINE": "INFO",
    "DEGRADED": "MINOR",
    "OFFLINE": "MODERATE",
    "FAULT": "MODERATE",
}
_KMH: Final = 3.6  # of one metre a second
_TEXT_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Notification:
    """One message of a camera: items by name, topic without prefixes."""

    topic: str
    utc: str
    operation: str = ""
    """`initialized`, `changed`, `deleted`, or nothing."""
    source: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[str, Node] = field(default_factory=dict)
    """Data whose value is an element: `Object`, `LicensePlateInfo`."""
    region: str = ""
    """The rule's own name, where it stands in the topic."""


def notification(node: Node) -> Notification:
    """A `NotificationMessage`, whose order of items, blanks and spelling are free."""
    topic = plain_topic(node.value("Topic"))
    if not topic:
        raise PayloadError("a notification without a topic", code="topic-missing", path=node.path)
    message = node.find("Message/Message") or node.find("Message")
    if message is None:
        raise PayloadError("a notification without a message", code="no-message", path=node.path)
    data = message.find("Data")
    items = data.findall("ElementItem") if data else []
    return Notification(
        topic=topic,
        utc=message.attr("UtcTime"),
        operation=message.attr("PropertyOperation").lower(),
        source=_items(message.find("Source")),
        key=_items(message.find("Key")),
        data=_items(data),
        elements={item.attr("Name"): next(iter(item.children), item) for item in items},
    )


def events(note: Notification, camera: Camera) -> Iterator[Outcome]:
    """What a notification tells: mostly one event; nothing for readings and configuration."""
    about = meaning(note.topic, note.data)
    if about.noun == "nothing":
        yield Nothing(why=about.word)
        return
    replayed = note.operation == "initialized" or camera.replayed
    stamp = camera.stamp(note.utc, replayed=replayed)
    tracked = note.elements.get("Object")
    if about.noun == "object_track" and tracked is not None:
        state = "STOPPED" if is_on({"state": note.data.get("Final", "")}) else "ONGOING"
        token = _picked(note.source, _VIDEO)
        rule = _picked(note.source, _RULES)
        seen = Seen(camera.ref(token), stamp, note.topic, (token, rule), replayed, state)
        yield from object_events(tracked, seen)
        return
    common = _common(note, camera)
    common |= {
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "replayed": replayed,
        "quality_flags": (*stamp.flags, *common["quality_flags"]),
    }
    if about.noun == "plate_read" or _plate(note) is not None:
        yield _plate_read(note, common)
    elif about.noun == "health":
        yield _health(note, about, common)
    else:
        yield _detection(note, about, common)


def _common(note: Notification, camera: Camera) -> dict[str, Any]:
    device_ref = camera.ref(_picked(note.source, _VIDEO))
    return {"device_ref": device_ref, "quality_flags": () if device_ref else ("device_unnamed",)}


def _detection(note: Notification, about: Meaning, common: dict[str, Any]) -> Event:
    state = _state(note)
    object_id = _object(note)
    pictures, flags = inline_pictures(
        (name, node.text) for name, node in note.elements.items() if "Image" in name
    )
    is_property = bool(note.operation) or state != "PULSE"
    deleted = ("property_deleted",) if note.operation == "deleted" else ()
    return Event(
        noun="detection",
        kind=f"camera.{about.word}",
        subject=(common["device_ref"], *_property(note)) if is_property else (),
        # Without a time an object's number alone would make all its alarms one.
        native_id=object_id if object_id and common["observed_at"] else None,
        severity="INFO",
        pictures=pictures,
        body={
            "rule": note.topic,
            "state": state,
            "target": classes(note.data) or classes(note.source),
            "region": _picked(note.source, _RULES) or note.region,
            "score": _score(note),
            "input_ref": _inputs(note),
        },
        **{**common, "quality_flags": (*common["quality_flags"], *deleted, *flags)},
    )


def _state(note: Notification) -> str:
    if note.operation == "deleted":
        return "STOPPED"
    holds = is_on(note.data)
    if holds is None:
        return "PULSE"
    if not holds:
        return "STOPPED"
    return "ONGOING" if note.operation == "initialized" else "STARTED"


def _health(note: Notification, about: Meaning, common: dict[str, Any]) -> Outcome:
    holds = is_on(note.data)
    if note.operation == "deleted" or holds is None:
        return Nothing(why="a condition of the device that is no longer told")
    state = about.trouble if holds else "ONLINE"
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], about.word, *_property(note)),
        severity=_SEVERITY[state],
        body={"state": state, "component": about.word, "detail": note.topic},
        **common,
    )


def _plate_read(note: Notification, common: dict[str, Any]) -> Event:
    """`RuleEngine/Recognition/LicensePlate`, or an item that holds a plate alone."""
    elements = note.elements
    box, flags = unit_box(elements.get("BoundingBox"))
    pictures, picture_flags = inline_pictures(
        (
            "vehicle" if name.startswith("Vehicle") else "plate" if name == "Image" else name,
            node.text,
        )
        for name, node in elements.items()
        if "Image" in name
    )
    speed = the_number(note.data, "Speed")
    return plate_event(
        {
            **common,
            "severity": "INFO",
            "pictures": pictures,
            "quality_flags": (*common["quality_flags"], *flags, *picture_flags),
        },
        elements.get("LicensePlateInfo"),
        vehicle=elements.get("VehicleInfo"),
        native_id=_object(note) if common["observed_at"] else "",
        body={
            "speed_kmh": round(speed * _KMH, 1) if speed is not None and speed >= 0 else None,
            "list_name": note.data.get("Label", "")[:_TEXT_MAX],
            "plate_box": box,
        },
        raw=_plate(note) or "",
        confidence=the_number(note.data, "Likelihood"),
    )


def _plate(note: Notification) -> str | None:
    values = {name.lower(): value for name, value in note.data.items()}
    return next((values[name] for name in _PLATES if name in values), None)


def _property(note: Notification) -> tuple[str, ...]:
    """What the state is of: the topic and all that names its source and key, in a fixed order."""
    items = (*sorted(note.source.items()), *sorted(note.key.items()))
    return (note.topic, *(f"{name}={value}" for name, value in items), note.region)


def _object(note: Notification) -> str:
    for items in (note.key, note.data):
        values = {name.lower(): value for name, value in items.items()}
        told = next((values[name] for name in _OBJECTS if values.get(name)), "")
        if told:
            return told[:_TEXT_MAX]
    found = note.elements.get("ObjectId")
    return found.attr("ObjectId") if found else ""


def _score(note: Notification) -> float | None:
    told = (the_number(note.data, name) for name in ("Likelihood", "Confidence", "Score"))
    score = next((each for each in told if each is not None), None)
    return score if score is not None and 0 <= score <= 1 else None


def _picked(items: Mapping[str, str], names: frozenset[str]) -> str:
    return next((value for name, value in items.items() if name.lower() in names and value), "")


def _inputs(note: Notification) -> str:
    """Values of the source that are neither camera nor rule: an input, a relay, a sensor."""
    named = _VIDEO | _RULES | _ANALYTICS
    told = (value for name, value in sorted(note.source.items()) if name.lower() not in named)
    return ",".join(filter(None, told))[:_TEXT_MAX]


def _items(node: Node | None) -> dict[str, str]:
    if node is None:
        return {}
    return {item.attr("Name"): item.attr("Value") for item in node.findall("SimpleItem")}
