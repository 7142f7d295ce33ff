"""ONVIF scene descriptions: tracked objects, their boxes, plates and pictures.

A box's numbers become those of the screen, -1 to 1 with y upwards, by the `Transformation` of the
frame and of the object; an event has them from 0 to 1 with y downwards. Stamps without `Z` are UTC
by definition. Attributes of a face or a body are not read, and their pictures are dropped.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors._formats.coordinates import read_position
from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_number
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node
from hub.connector import Event, Options, Outcome, Position, Rejection

__all__ = ["Camera", "Seen", "frame_events", "object_events", "plate_event", "shows", "unit_box"]

_ZONED: Final = re.compile(r"(?:[Zz]|UTC|GMT|:\d\d(?:\.\d+)?\s*[+-]\s*\d{1,2}(?::?\d\d)*)\s*$")
_OVER: Final = 0.1  # by how much an object may stand out of the screen
_KMH: Final = 3.6  # of one metre a second
_PERSONS: Final = ("human", "face", "person", "body", "head", "pedestrian")
_VEHICLES: Final = ("vehic", "car", "bus", "truck", "van", "motor", "bike", "bicycle")
_TEXT_MAX: Final = 128
_TREE: Final = (
    ("Delete", ""),
    ("Rename", "object_renamed"),
    ("Split", "object_split"),
    ("Merge", "object_merged"),
)
"""Members of an `ObjectTree`, and the flag of the objects that end by them."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Who reports, and what its stamps are compared with."""

    name: str
    """The device, where the source or the transport tells it."""
    received_at: datetime
    options: Options
    replayed: bool = False
    with_token: bool = True
    """Whether a device's name goes on with the token of its video source."""

    def ref(self, token: str = "") -> str:
        """The device's name, the token, or both."""
        return "/".join(filter(None, (self.name, token if self.with_token else "")))

    def stamp(self, text: str, *, replayed: bool = False) -> Stamp:
        """A stamp that is UTC where it names no zone."""
        text = text.strip()
        spellings = (text,) if not text or _ZONED.search(text) else (f"{text}Z", text)
        stamps = (
            read_stamp(
                each,
                received_at=self.received_at,
                options=self.options,
                replayed=replayed or self.replayed,
            )
            for each in spellings
        )
        first = next(stamps)
        return first if first.at else next(stamps, first)


@dataclass(frozen=True, slots=True)
class Seen:
    """What every object of a frame shares."""

    device_ref: str
    stamp: Stamp
    rule: str
    producer: tuple[str, ...]
    """What numbers the objects: their ids are told apart by it alone."""
    replayed: bool = False
    state: str = "ONGOING"

    def common(self) -> dict[str, Any]:
        """Fields of each event."""
        unnamed = () if self.device_ref else ("device_unnamed",)
        return {
            "device_ref": self.device_ref,
            "observed_at": self.stamp.at,
            "time_quality": self.stamp.quality,
            "replayed": self.replayed,
            "quality_flags": (*self.stamp.flags, *unnamed),
            "severity": "INFO",
        }


_Step = tuple[float, float, float, float]
"""One transformation: scale of x and y, then what is added to them."""


def frame_events(frame: Node, camera: Camera, *producer: str) -> Iterator[Outcome]:
    """Every object of a frame, its plate, and the objects that end with it."""
    rule = frame.attr("Source") or "VideoAnalytics"
    stamp = camera.stamp(frame.attr("UtcTime"))
    seen = Seen(camera.ref(), stamp, rule, (*producer, frame.attr("Source")), camera.replayed)
    steps = _steps(frame)
    scene = frame.value("SceneImage")
    objects = frame.findall("Object")
    parents = {each.attr("ObjectId"): each for each in objects}
    for each in objects:
        parent = parents.get(each.attr("Parent")) if each.attr("Parent") else None
        yield from object_events(each, seen, steps=steps, parent=parent, scene=scene)
    tree = frame.find("ObjectTree")
    if tree is not None:
        yield from _ended(tree, seen)


def object_events(
    node: Node,
    seen: Seen,
    *,
    steps: tuple[_Step, ...] = (),
    parent: Node | None = None,
    scene: str = "",
) -> Iterator[Outcome]:
    """One tracked object and, where it has one, its plate."""
    id_ = node.attr("UUID") or node.attr("ObjectId")
    if not id_:
        yield Rejection(
            code="object-unnamed",
            message="an object without ObjectId and UUID can't be told from others",
            path=node.path,
        )
        return
    target, score = _class(node)
    box_node, own_steps = node.find("Appearance/Shape/BoundingBox"), _steps(node.find("Appearance"))
    box, box_flags = unit_box(box_node, (*own_steps, *steps))
    pictures, picture_flags = inline_pictures(
        ((shows(target), node.value("Appearance/Image")), ("scene", scene))
    )
    position, place_flags = _position(node)
    common = seen.common()
    flags = (*common["quality_flags"], *box_flags, *place_flags, *picture_flags)
    tracked = Event(
        noun="detection",
        kind="camera.tracked_object" + _behaviour(node),
        subject=("object", seen.device_ref, *seen.producer, id_),
        native_id=id_,
        position=position,
        pictures=pictures,
        body={
            "rule": seen.rule,
            "state": seen.state,
            "target": target,
            "score": score,
            "box": box,
        },
        **{**common, "quality_flags": flags},
    )
    info = node.find("Appearance/LicensePlateInfo")
    yield tracked
    if info is not None:
        yield _plate_of(node, info, tracked, parent)


def _plate_of(node: Node, info: Node, tracked: Event, parent: Node | None) -> Event:
    """The plate of an object: of a vehicle, or a plate whose parent the vehicle is."""
    is_plate = "plate" in str(tracked.body["target"]).lower()
    vehicle = parent if parent is not None and is_plate else node
    return plate_event(
        {
            "device_ref": tracked.device_ref,
            "observed_at": tracked.observed_at,
            "time_quality": tracked.time_quality,
            "replayed": tracked.replayed,
            "quality_flags": tracked.quality_flags,
            "severity": "INFO",
            "position": tracked.position,
            "pictures": tracked.pictures,
        },
        info,
        vehicle=vehicle.find("Appearance/VehicleInfo"),
        native_id=tracked.native_id or "",
        body={
            "direction": _direction(vehicle.find("Behaviour/Direction")),
            "speed_kmh": _kmh(vehicle.value("Behaviour/Speed")),
            "plate_box": tracked.body["box"] if is_plate else None,
        },
    )


def plate_event(
    common: dict[str, Any],
    info: Node | None,
    *,
    vehicle: Node | None,
    native_id: str,
    body: Mapping[str, Any],
    raw: str = "",
    confidence: float | None = None,
) -> Event:
    """A plate read of `LicensePlateInfo`, or of a plate and its confidence alone."""
    flags: tuple[str, ...] = ()
    number = info.find("PlateNumber") if info is not None else None
    if number is not None:
        raw = number.text
        likely = the_number(number.attributes, "Likelihood")
        confidence = confidence if likely is None else likely
    if confidence is not None and not 0 <= confidence <= 1:
        confidence, flags = None, ("confidence_out_of_scale",)
    plate, plate_flags = read_plate(raw, confidence=confidence)
    id_, id_flags = without_plate(native_id, plate["text"])
    country = [info.value(name) for name in ("CountryCode", "IssuingEntity")] if info else []
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        native_id=id_,
        restricted={"plate": plate},
        body={
            **body,
            "vehicle_type": vehicle.value("Type")[:_TEXT_MAX] if vehicle else "",
            "vehicle_make": vehicle.value("Brand")[:_TEXT_MAX] if vehicle else "",
            "country": "-".join(filter(None, country))[:_TEXT_MAX],
        },
        **{
            **common,
            "quality_flags": (*common["quality_flags"], *flags, *plate_flags, *id_flags),
        },
    )


def unit_box(
    node: Node | None, steps: tuple[_Step, ...] = ()
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """A `BoundingBox` from 0 to 1 with y downwards; as given, with a flag, where it can't be."""
    if node is None:
        return None, ()
    sides = [the_number(node.attributes, name) for name in ("left", "top", "right", "bottom")]
    if None in sides:
        return None, ("box_unreadable",)
    left, top, right, bottom = (side or 0.0 for side in sides)
    given = (left, top, right, bottom)
    for scale_x, scale_y, add_x, add_y in steps:
        left, right = left * scale_x + add_x, right * scale_x + add_x
        top, bottom = top * scale_y + add_y, bottom * scale_y + add_y
    x, y = (left + 1) / 2, (1 - top) / 2
    width, height = (right - left) / 2, (top - bottom) / 2
    found = a_box([round(each, 6) for each in (x, y, width, height)], "UNIT")
    fits = found is None or found["scale"] == "UNIT"
    if fits and min(left, bottom) >= -1 - _OVER and width >= 0 <= height:
        return found, ()
    left, top, right, bottom = given
    numbers = [min(left, right), min(top, bottom), abs(right - left), abs(top - bottom)]
    return a_box(numbers, "UNKNOWN"), ("box_scale_unknown",)


def _steps(node: Node | None) -> tuple[_Step, ...]:
    found = node.find("Transformation") if node is not None else None
    if found is None:
        return ()
    numbers = [
        the_number(part.attributes, axis) if (part := found.find(name)) else None
        for name in ("Scale", "Translate")
        for axis in ("x", "y")
    ]
    scale_x, scale_y, add_x, add_y = numbers
    return (
        (
            1.0 if scale_x is None else scale_x,
            1.0 if scale_y is None else scale_y,
            add_x or 0.0,
            add_y or 0.0,
        ),
    )


def _class(node: Node) -> tuple[str, float | None]:
    """The likeliest class of an object, and its likelihood where one is given."""
    told = [
        (each.text, the_number(each.attributes, "Likelihood"))
        for each in node.findall("Appearance/Class/Type")
    ]
    for path in ("ClassCandidate", "Extension/OtherTypes"):
        told += (
            (each.value("Type"), the_number({"": each.value("Likelihood")}, ""))
            for each in node.findall(f"Appearance/Class/{path}")
        )
    told = [(text[:_TEXT_MAX], score) for text, score in told if text]
    if not told:
        vehicle = node.find("Appearance/VehicleInfo/Type")
        told = [(vehicle.text, the_number(vehicle.attributes, "Likelihood"))] if vehicle else []
    text, score = max(
        told, key=lambda each: -1.0 if each[1] is None else each[1], default=("", None)
    )
    return text, score if score is not None and 0 <= score <= 1 else None


def shows(target: str) -> str:
    """What a picture of an object shows, by its class; '' where it may be a person."""
    name = target.lower()
    if any(word in name for word in _PERSONS):
        return "person"
    if "plate" in name:
        return "plate"
    return "vehicle" if any(word in name for word in _VEHICLES) else ""


def _behaviour(node: Node) -> str:
    """`.idle` and `.removed` are what the analytics think of it; neither ends the object."""
    behaviour = node.find("Behaviour")
    if behaviour is None:
        return ""
    told = ("Removed", "Idle")
    return next((f".{name.lower()}" for name in told if behaviour.find(name)), "")


def _ended(tree: Node, seen: Seen) -> Iterator[Outcome]:
    for name, flag in _TREE:
        for change in tree.findall(name):
            ends = [change] if name == "Delete" else change.findall("from")
            stay = {_id(each) for each in change.findall("to")}
            for id_ in dict.fromkeys(_id(each) for each in ends):
                if id_ and id_ not in stay:
                    yield _end(id_, flag, seen)


def _end(id_: str, flag: str, seen: Seen) -> Event:
    common = seen.common()
    flags = (*common["quality_flags"], *((flag,) if flag else ()))
    return Event(
        noun="detection",
        kind="camera.tracked_object",
        subject=("object", seen.device_ref, *seen.producer, id_),
        native_id=id_,
        body={"rule": seen.rule, "state": "STOPPED"},
        **{**common, "quality_flags": flags},
    )


def _id(node: Node) -> str:
    return node.attr("UUID") or node.attr("ObjectId")


def _position(node: Node) -> tuple[Position | None, tuple[str, ...]]:
    found = node.find("Appearance/GeoLocation")
    return read_position(found.attr("lat"), found.attr("lon")) if found else (None, ())


def _direction(node: Node | None) -> str:
    """By the yaw: 0 is to the right of the device, 90 away from it."""
    yaw = the_number(node.attributes, "yaw") if node is not None else None
    if yaw is None or not 45 < abs(yaw) < 135:
        return "UNKNOWN"
    return "DEPARTING" if yaw > 0 else "APPROACHING"


def _kmh(text: str) -> float | None:
    speed = the_number({"": text}, "")
    return round(speed * _KMH, 1) if speed is not None and speed >= 0 else None
