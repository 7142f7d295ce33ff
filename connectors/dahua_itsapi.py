"""Dahua cameras that read plates: what ITSAPI posts to `/NotificationInfo/…`, 1.19 to 1.22.

Reads `TollgateInfo`, `TrafficJunction` and `ParkingInfo` by what the body holds, not by the path:
JSON, or the XML of some firmware with the same names; pictures in base64 inside it, or as parts of
a multipart beside it. `KeepAlive` and `DeviceInfo` are no events.

Traps handled: times are local without offset, and `TimeZone` is a number of the vendor's list; one
passage comes on two paths, a second apart (two reads, merged by the hub); no plate is "", `--`,
`unlicensed`, `Unknown` or `IsExist` false; Cyrillic and Greek letters in plates; misspelt names
(`LanNo`, `Unknow`); boxes in pixels of `NormalPic`; a picture cut short; pictures whose names spell
the plate (names are not kept).

Known from captured payloads and issue threads, not from a standard. A confidence is not believed:
both 96 and 204 are in the field, and nothing tells their scale. Not read: the number of people in a
car, and crops of faces and seats, which are persons.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import hub
from connectors._formats.dahua import ACTS, CARS, grid_box
from connectors._formats.json import parse_json
from connectors._formats.members import the_integer, the_number, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import is_picture, take_pictures
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.violations import position_code, under_law
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Picture, Rejection

__all__ = ["Options", "connector", "parse"]

DOCUMENTS_MAX = 64
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_UNREAD: Final = ("unlicensed", "unknown", "unknow")
_ROLES: Final = {"CutoutPic": "plate", "NormalPic": "scene", "VehiclePic": "vehicle"}
"""Members of `Picture` that hold one, and what it shows; any other picture may be of a person."""
_WORDS = {code.lower(): word for code, word in ACTS.items()}
_TRUSTED = ("DEVICE", "ASSUMED_ZONE")
Pictures = tuple[tuple[Picture, ...], tuple[str, ...]]


class Options(hub.Options):
    """What a site may say of a Dahua ITSAPI source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The passages of a body, in their order."""
    documents, parts = _documents(payload)
    for place, data in enumerate(documents):
        try:
            if isinstance(data, PayloadError):
                raise data
            yield from _outcomes(data, parts, payload, options)
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection(code=error.code, message=error.what, path=path, fix=error.fix)


def _documents(payload: Payload) -> tuple[list[Any], list[Part]]:
    """The documents of a body as trees, or why one is none, and the pictures beside them."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    if body[:1] in b"{[<":
        return [_tree(body)], []
    documents: list[Any] = []
    pictures: list[Part] = []
    for part in split(body, payload.content_type):
        if is_picture(part):
            pictures.append(part)
            continue
        try:
            documents.append(_tree(part.data.strip(_BLANK)))
        except PayloadError as error:
            documents.append(error)
    if not documents:
        raise PayloadError("a body without an event", code="no-event")
    return documents[:DOCUMENTS_MAX], pictures


def _tree(data: bytes) -> Any:
    if data.startswith(b"<"):
        return _of_node(parse_xml(data))
    return parse_json(data)


def _of_node(node: Node) -> Any:
    """XML as the JSON it stands for: texts, objects, and lists of what stands more than once."""
    children = node.children
    if not children:
        return node.text
    found: dict[str, Any] = {}
    for child in children:
        value = _of_node(child)
        if child.name not in found:
            found[child.name] = value
        elif isinstance(found[child.name], list):
            found[child.name].append(value)
        else:
            found[child.name] = [found[child.name], value]
    return found


def _outcomes(
    data: Any, parts: list[Part], payload: Payload, options: Options
) -> Iterator[Outcome]:
    if not isinstance(data, dict):
        raise PayloadError("expected an object", code="wrong-type")
    inner = _child(data, "ParkingInfo") or _child(data, "TollgateInfo") or data
    picture = _child(inner, "Picture")
    if picture is None:
        if "Active" in data or "DeviceID" in data or "DeviceInfo" in data:
            yield Nothing(why="keep-alive or device information, not an event")
            return
        raise PayloadError(
            "no event: the body has no Picture",
            code="picture-missing",
            path="Picture",
            fix="let the camera post TollgateInfo, TrafficJunction or ParkingInfo",
        )
    yield from _passage(inner, picture, _pictures(picture, parts), payload, options)


def _child(data: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found = data.get(name)
    return found if isinstance(found, dict) else None


def _passage(
    data: Mapping[str, Any],
    picture: Mapping[str, Any],
    pictures: Pictures,
    payload: Payload,
    options: Options,
) -> Iterator[Event]:
    snap, seen = _child(picture, "SnapInfo") or {}, _child(picture, "Plate") or {}
    vehicle = _child(picture, "Vehicle") or {}
    stamp = _stamp(snap, payload, options)
    plate, flags = _plate(seen)
    device_ref = the_text(snap, "DeviceID") or the_text(data, "DeviceID")
    unnamed = () if device_ref else ("device_unnamed",)
    lane = the_integer(snap, "LanNo")
    common: dict[str, Any] = {
        "device_ref": device_ref,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        # `Realtime`, else a copy that the camera had kept.
        "replayed": the_text(snap, "Source").lower() in {"history", "offline", "retransmission"},
        "quality_flags": (*stamp.flags, *unnamed, *flags, *pictures[1]),
        "pictures": pictures[0],
        "restricted": {"plate": plate},
    }
    body: dict[str, Any] = {
        "lane": the_integer(snap, "LaneNo") if lane is None else lane,
        "speed_kmh": the_number(vehicle, "Speed") or the_number(snap, "Speed") or None,
        "speed_limit_kmh": the_number(vehicle, "UpperSpeedLimit") or None,
        "vehicle_type": _known(the_text(vehicle, "VehicleType")),
        "vehicle_colour": _known(the_text(vehicle, "VehicleColor")),
        "vehicle_make": _known(the_text(vehicle, "VehicleSign")),
        "country": _known(the_text(seen, "Region")),
        "plate_box": grid_box(_numbers(seen.get("BoundingBox")), "PIXEL"),
    }
    yield Event(noun="plate_read", kind="vehicle.passage", severity="INFO", body=body, **common)
    act = _act(data, picture)
    if act is not None:
        yield _violation(act, snap, body, common, payload.received_at)


def _stamp(snap: Mapping[str, Any], payload: Payload, options: Options) -> Stamp:
    raw = the_text(snap, "AccurateTime") or the_text(snap, "SnapTime")
    return read_stamp(raw, received_at=payload.received_at, options=options)


def _plate(seen: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    raw = _known(the_text(seen, "PlateNumber"))
    read = the_text(seen, "IsExist").lower() != "false"
    return read_plate(raw if read else "", colour=the_text(seen, "PlateColor"))


def _known(text: str) -> str:
    return "" if text.lower() in _UNREAD else text


def _numbers(value: Any) -> Any:
    """Four numbers, which XML gives as texts."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return [the_number({"": each}, "") for each in value]
    return value


# Pictures


def _pictures(picture: Mapping[str, Any], parts: list[Part]) -> Pictures:
    """Pictures inside the document and beside it; those that may show a person are dropped."""
    kept, flags = take_pictures(parts, {})
    found: list[Picture] = list(kept)
    for name, holder in picture.items():
        content = holder.get("Content") if isinstance(holder, dict) else None
        if not isinstance(content, str) or not content:
            continue
        role = _ROLES.get(name)
        if role is None:
            flags += ("person_picture_dropped",)
            continue
        try:
            data = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            flags += ("picture_unreadable",)
            continue
        named = Part(data, {"content-disposition": f'form-data; name="{role}"'})
        taken, more = take_pictures([named], {role: role}, otherwise=role)
        found += taken
        flags += more
    return tuple(found), tuple(dict.fromkeys(flags))


# Violations


def _act(data: Mapping[str, Any], picture: Mapping[str, Any]) -> tuple[str, str] | None:
    """The act that the camera names: its words, and the code they stand under."""
    for holder in (_child(data, "TrafficCar"), _child(picture, "SnapInfo"), data):
        if holder is None:
            continue
        code = the_text(holder, "ViolationCode")
        words = the_text(holder, "ViolationName")
        if code not in ("", "0"):
            return words, code
        event = the_text(holder, "Event") or the_text(holder, "Code")
        if event.lower() in _WORDS:
            return words or event, event
    return None


def _violation(
    act: tuple[str, str],
    snap: Mapping[str, Any],
    read: Mapping[str, Any],
    common: Mapping[str, Any],
    received_at: datetime,
) -> Event:
    words, source_code = act
    plate = common["restricted"]["plate"]
    speed, limit = read["speed_kmh"], read["speed_limit_kmh"]
    known = _WORDS.get(source_code.lower())
    trusted = common["observed_at"] and common["time_quality"] in _TRUSTED
    cars = read["vehicle_type"].lower() in CARS and plate["category"] == "UNKNOWN"
    law, flags = under_law(
        source_code,
        {source_code: known} if known else {},
        category="CAR" if cars else plate["category"],
        at=common["observed_at"] if trusted else received_at,
        over_kmh=speed - limit if speed and limit else None,
    )
    body = {
        "act": without_plate(words, plate["text"])[0] or "",
        "source_code": source_code,
        **law,
        "lane": read["lane"],
        "speed_kmh": speed,
        "speed_limit_kmh": limit,
        "position_code": position_code(the_text(snap, "RoadName")),
        "vehicle_type": read["vehicle_type"],
    }
    told = {**common, "quality_flags": (*common["quality_flags"], *flags)}
    return Event(noun="violation", kind="vehicle.violation", body=body, **told)


connector = Connector(
    name="dahua_itsapi",
    title="Dahua cameras that read plates, ITSAPI push",
    parse=parse,
    emits=("plate_read", "violation"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.lane"),
        "violation": ("restricted.plate.raw", "body.lane", "body.source_code"),
    },
    options=Options,
)
