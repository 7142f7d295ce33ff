"""Dahua cameras that read plates: what ITSAPI posts to `/NotificationInfo/…`, 1.19 to 1.22.

Reads `TollgateInfo`, `TrafficJunction`, `ParkingInfo` and `AlarmInfo` by what the body holds, not
by the path: JSON, or the XML of some firmware with the same names; pictures in base64 inside it, or
as parts of a multipart beside it. `KeepAlive` and `DeviceInfo` are no events.

Traps handled: times are local without offset, and `TimeZone` is a number of the vendor's list; one
passage comes on two paths, a second apart (two reads, merged by the hub); `ParkingInfo` inside
`Picture`, beside it or around it, with a time and a device of its own; no plate is "", `--`,
`unlicensed`, `Unknown` or `IsExist` false; Cyrillic and Greek letters in plates; misspelt names
(`LanNo`, `Unknow`, `Pluse`); GB 2312 instead of UTF-8; boxes in pixels of `NormalPic`; several
pictures under one name; a picture cut short, or wrapped in lines; pictures whose names spell the
plate (names are not kept). `UploadNum` counts posts and `DefenceCode` differs: neither is an id.

Known from captured payloads, issue threads and integrators' notes of the vendor's specification,
not from a standard: a confidence is of 255, of `ParkingInfo` and `AlarmInfo` of 100, and 0 is none.
Inferred: `Obverse` comes nearer, `Reverse` departs. A channel that is not the first stands behind
the device's id. Types of alarms are passed on as their numbers. Not read: the number of people in a
car, spaces that become free, and crops of faces and seats, which are persons.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from connectors._formats.dahua import colour, grid_box, is_act, known, of_law, ratio
from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.numbers import measured
from connectors._formats.pictures import is_picture, take_pictures
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import read_stamp
from connectors._formats.violations import ActOptions, position_code
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Picture, Rejection

__all__ = ["Options", "connector", "parse"]

DOCUMENTS_MAX = 64
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_AROUND: Final = ("TollgateInfo", "TrafficJunction", "ParkingInfo")
_ROLES: Final = {"CutoutPic": "plate", "NormalPic": "scene", "VehiclePic": "vehicle",
                 "CombinPic": "scene"}  # fmt: skip
"""Members of `Picture` that hold some, and what they show; any other may be of a person."""
_ALIVE: Final = ("Active", "DeviceModel", "DeviceName", "DeviceType", "DeviceInfo", "Manufacturer")
_STATES: Final = {"Start": "STARTED", "Stop": "STOPPED", "Pulse": "PULSE", "Pluse": "PULSE"}
_WAYS: Final = {"Obverse": "APPROACHING", "Reverse": "DEPARTING"}
_KEPT: Final = frozenset({"history", "offline", "retransmission"})
Pictures = tuple[tuple[Picture, ...], tuple[str, ...]]


class Options(ActOptions):
    """What a site may say of a Dahua ITSAPI source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The passages and alarms of a body, in their order."""
    for place, (data, parts) in enumerate(_documents(payload)):
        if place == DOCUMENTS_MAX:
            message = f"more than {DOCUMENTS_MAX} documents in one payload"
            yield Rejection(code="too-many-documents", message=message, path=f"document[{place}]")
            return
        try:
            if isinstance(data, PayloadError):
                raise data
            if isinstance(data, Broken):
                raise data.error(f"document[{place}]")
            yield from _outcomes(data, parts, payload, options)
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection.of(error, path=path)


def _documents(payload: Payload) -> Iterator[tuple[Any, list[Part]]]:
    """The documents of a body as trees, or why one is none, each with the pictures after it."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    parts = [] if body[:1] in b"{[<" else split(body, payload.content_type)
    trees: list[Any] | None = None
    pictures: list[Part] = []
    for part in parts or [Part(body)]:
        if is_picture(part):
            pictures.append(part)
            continue
        if trees is not None:
            yield from ((tree, pictures) for tree in trees)
            pictures = []
        try:
            tree = _tree(part.data.strip(_BLANK))
        except PayloadError as error:
            tree = error
        trees = tree if isinstance(tree, list) else [tree]
    if trees is None:
        raise PayloadError("pictures without an event", code="no-event")
    yield from ((tree, pictures) for tree in trees)


def _tree(data: bytes) -> Any:
    if data.startswith(b"<"):
        return _of_node(parse_xml(data))
    try:
        return parse_json(data, records=[()])
    except PayloadError as error:
        if error.code != "encoding":
            raise
        return parse_json(data.decode("gb18030", "replace").encode(), records=[()])


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
    around = (the_object(data, name) for name in _AROUND)
    inner = next((each for each in around if "Picture" in each), data)
    picture = the_object(inner, "Picture")
    alarm = the_object(data, "AlarmInfo")
    if picture:
        yield from _passage(data, inner, _pictures(picture, parts), payload, options)
    elif alarm:
        yield from _alarm(data, alarm, payload, options)
    elif any(name in data for name in _ALIVE):
        yield Nothing(why="keep-alive or device information, not an event")
    elif "Code" in data:
        raise PayloadError(
            f"an event with a code, {the_text(data, 'Code')[:40]!r}, not of ITSAPI",
            code="other-format",
            path="Code",
            fix="give its source the connector dahua_cgi, which reads these",
        )
    else:
        raise PayloadError(
            "no event: the body has no Picture",
            code="picture-missing",
            path="Picture",
            fix="let the camera post TollgateInfo, TrafficJunction, ParkingInfo or AlarmInfo",
        )


# Passages


def _passage(
    data: Mapping[str, Any],
    inner: Mapping[str, Any],
    pictures: Pictures,
    payload: Payload,
    options: Options,
) -> Iterator[Event]:
    picture = the_object(inner, "Picture")
    seen, vehicle = the_object(picture, "Plate"), the_object(picture, "Vehicle")
    parking = the_object(picture, "ParkingInfo") or the_object(data, "ParkingInfo")
    snap = the_object(picture, "SnapInfo")
    snap = {**parking, **snap} if "Picture" not in parking else snap
    raw_time = the_text(snap, "AccurateTime") or the_text(snap, "SnapTime")
    stamp = read_stamp(raw_time, received_at=payload.received_at, options=options)
    parked = bool(parking) and "ParkingStallsNo" in snap
    plate, plate_flags = _plate(seen, 100 if parked else 255)
    device_ref = _device_ref(snap, seen, data)
    unnamed = () if device_ref else ("device_unnamed",)
    lane = the_integer(snap, "LanNo")
    common: dict[str, Any] = {
        "device_ref": device_ref,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        # `Realtime` or what set the camera off, else a copy that the camera had kept.
        "replayed": the_text(snap, "Source").lower() in _KEPT,
        "quality_flags": (*stamp.flags, *unnamed, *plate_flags, *pictures[1]),
        "pictures": pictures[0],
        "restricted": {"plate": plate},
    }
    body: dict[str, Any] = {
        "direction": _WAYS.get(the_text(snap, "Direction"), "UNKNOWN"),
        "lane": the_integer(snap, "LaneNo") if lane is None else lane,
        "speed_kmh": measured(the_number(vehicle, "Speed"), the_number(snap, "Speed")),
        "speed_limit_kmh": measured(the_number(vehicle, "UpperSpeedLimit")),
        "vehicle_type": known(the_text(vehicle, "VehicleType")),
        "vehicle_colour": known(the_text(vehicle, "VehicleColor")),
        "vehicle_make": known(the_text(vehicle, "VehicleSign")),
        "country": known(the_text(seen, "Region")),
        "plate_box": grid_box(seen.get("BoundingBox"), "PIXEL"),
        "list_name": next(
            (name for name in ("BlockUser", "AllowUser") if the_text(snap, name) == "true"), ""
        ),
    }
    yield Event(noun="plate_read", kind="vehicle.passage", severity="INFO", body=body, **common)
    told = next(filter(_names_an_act, (the_object(inner, "TrafficCar"), snap, inner)), None)
    if told is not None:
        yield _violation(told, snap, body, common, (payload.received_at, options.acts))


def _device_ref(snap: Mapping[str, Any], seen: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """The id that the camera was given; behind it the channel, unless that is the first."""
    named = the_text(snap, "DeviceID") or the_text(data, "DeviceID")
    channel = the_integer(seen, "Channel") or the_integer(snap, "Channel")
    return f"{named}/{channel}" if named and channel else named


def _plate(seen: Mapping[str, Any], largest: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    exists = the_text(seen, "IsExist").lower() != "false"
    return read_plate(
        known(the_text(seen, "PlateNumber")) if exists else "",
        colour=colour(the_text(seen, "PlateColor")),
        confidence=ratio(the_number(seen, "Confidence"), largest),
    )


# Pictures


def _pictures(picture: Mapping[str, Any], parts: list[Part]) -> Pictures:
    """Pictures inside the document and beside it; those that may show a person are dropped."""
    kept, flags = take_pictures(parts, {})
    found: list[Picture] = list(kept)
    for name, holder in picture.items():
        for content in _contents(holder):
            role = _ROLES.get(name, "")
            data, cut = _decoded(content) if role else (b"", False)
            taken, more = take_pictures([Part(data)], {}, otherwise=role)
            found += taken
            flags += (*more, "picture_truncated") if cut and taken else more
    return tuple(found), tuple(dict.fromkeys(flags))


def _contents(holder: Any) -> Iterator[str]:
    """The base64 of one picture, of two, or of a list of pictures."""
    for each in holder if isinstance(holder, list) else [holder]:
        if isinstance(each, dict):
            texts = (each.get("Content"), each.get("Content_2nd"))
            yield from (text for text in texts if isinstance(text, str) and text)


def _decoded(content: str) -> tuple[bytes, bool]:
    """The bytes, and whether some are lacking; none where it is no base64."""
    text = content.partition("base64,")[2] if content.startswith("data:") else content
    if any(map(str.isspace, text)):
        text = "".join(text.split())
    whole = len(text) % 4 == 0
    try:
        return base64.b64decode(text[: len(text) // 4 * 4], validate=True), not whole
    except (binascii.Error, ValueError):
        return b"", False


# Violations and alarms


def _names_an_act(holder: Mapping[str, Any]) -> bool:
    """Whether the camera says that something was wrong; a code of 0 is its word for nothing."""
    return the_text(holder, "ViolationCode") not in ("", "0") or is_act(_event_code(holder))


def _event_code(holder: Mapping[str, Any]) -> str:
    return the_text(holder, "Event") or the_text(holder, "Code")


def _violation(
    told: Mapping[str, Any],
    snap: Mapping[str, Any],
    read: Mapping[str, Any],
    common: Mapping[str, Any],
    law_of: tuple[datetime, Mapping[str, str]],
) -> Event:
    plate, event_code = common["restricted"]["plate"], _event_code(told)
    named = the_text(told, "ViolationCode")
    source_code = event_code if named in ("", "0") else named
    law, flags = of_law(
        event_code, source_code, body=read, told=common, received_at=law_of[0], acts=law_of[1]
    )
    words = the_text(told, "ViolationName") or the_text(told, "ViolationDesc") or event_code
    places = (the_text(snap, "RoadName"), the_text(snap, "SnapAddress"))
    body = {
        "act": without_plate(words, plate["text"])[0] or "",
        "source_code": source_code,
        **law,
        **{name: read[name] for name in ("lane", "direction", "speed_kmh", "speed_limit_kmh")},
        "position_code": next(filter(None, map(position_code, places)), ""),
        "vehicle_type": read["vehicle_type"],
    }
    all_flags = (*common["quality_flags"], *flags)
    fields = {**common, "quality_flags": all_flags}
    return Event(noun="violation", kind="vehicle.violation", body=body, **fields)


def _alarm(
    data: Mapping[str, Any], alarm: Mapping[str, Any], payload: Payload, options: Options
) -> Iterator[Event]:
    """An alarm of a parking space: an event for each plate in it, or one without."""
    stamp = read_stamp(the_text(alarm, "Time"), received_at=payload.received_at, options=options)
    device_ref = _device_ref(alarm, {}, data)
    number = the_text(alarm, "Type")
    listed = [each for each in the_items(alarm, "PlateInfoList") if isinstance(each, dict)]
    for seen in listed[:DOCUMENTS_MAX] or [{}]:
        plate, flags = _plate(seen, 100)
        yield Event(
            noun="detection",
            kind="camera.alarm",
            severity="INFO",
            device_ref=device_ref,
            observed_at=stamp.at,
            time_quality=stamp.quality,
            quality_flags=(*stamp.flags, *(() if device_ref else ("device_unnamed",))),
            body={
                "rule": f"AlarmInfo {number}".strip(),
                "state": _STATES.get(the_text(alarm, "State"), "UNKNOWN"),
                "region": the_text(alarm, "ParkingStallsNo"),
                "score": ratio(the_number(alarm, "Confidence"), 100),
            },
            restricted={} if flags else {"plate": plate},
        )


connector = Connector(
    name="dahua_itsapi",
    title="Dahua cameras that read plates, ITSAPI push",
    parse=parse,
    emits=("plate_read", "violation", "detection"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.lane"),
        "violation": ("restricted.plate.raw", "body.lane", "body.source_code"),
        "detection": ("restricted.plate.raw", "body.rule", "body.state", "body.region"),
    },
    options=Options,
)
