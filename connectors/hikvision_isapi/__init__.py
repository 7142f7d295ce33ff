"""Hikvision cameras and recorders: plate reads, alarms and health over ISAPI.

Three ways in, one parser: the endless multipart of `alertStream` and `subscribeEvent`; the push of
a camera to a listening host (one XML or JSON document, or a multipart with pictures); the answer of
the plates poll (`/ISAPI/Traffic/channels/N/vehicleDetect/plates`).

Facts are from captured payloads, maintainers' issue threads and ISAPI manual text, not from a
standard. Names are compared without namespace (eight are in the field) and misspelt tags
(`vehileModel`, `palteTypeByGAT`) are the contract. The scale of `plateRect` is not declared, so it
is not guessed. Inferred: `forward` approaches the camera, `reverse` departs. Pictures of drivers,
faces and people at doors are dropped here. A passage the camera calls illegal is a plate read and,
beside it, a violation: a candidate (`passages`).

Traps handled: heartbeats of three shapes (`device`); alarms posted once a second, whose
`activePostCount` is neither an id nor a sequence and of some NVRs never begins anew; local times,
one-digit and lost offsets, wrong years; a stamp that its picture's time contradicts (flag
`times_disagree`, the stamp stands); history and backlog; a recorder as a whole beside its channels;
an `eventDescription` that is not closed, as the manual prints it (flag `xml_repaired`); a plate
whose letter or province stands apart. What is not told apart: a clock that is wrong by less than
`clock_tolerance_s`. Not read: boxes of vehicles and persons, makes by number, GA/T codes of plates.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import Field

from connectors._formats.coordinates import read_position
from connectors._formats.documents import Document, read_body
from connectors._formats.multipart import Part
from connectors._formats.numbers import integer, number
from connectors._formats.pictures import take_pictures
from connectors._formats.plates import read_plate
from connectors._formats.streams import MultipartStream
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.violations import ActOptions
from connectors._formats.xml import Node, parse_xml
from connectors.hikvision_isapi.device import HEALTH, device_ref, health, is_heartbeat
from connectors.hikvision_isapi.passages import DIRECTIONS, YES, box, passages, plate_read
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Position, Rejection

DOCUMENTS_MAX = 256
ALERT = "EventNotificationAlert"


class Options(ActOptions):
    """What a site may say of a Hikvision source."""

    device_ref: Literal["mac", "ip", "channel"] = Field(
        default="mac",
        description="What names the device, before `/` and the channel: `mac` (else the serial "
        "number, else the address), `ip` (else mac, else serial), or the `channel` alone",
    )
    device: str = Field(
        default="",
        max_length=128,
        description="What the camera is called (`device_ref`) whose plates are polled: the answer "
        "to the poll does not say",
    )
    backlog_s: int = Field(
        default=0,
        ge=0,
        description="Events older than this many seconds on arrival are backlog: marked as "
        "replayed. 0: none is, for a slow clock would make backlog of all that its camera sees",
    )


# Event types that only wrap another one: where the real type stands.
WRAPPERS: Final = {
    "duration": "DurationList/Duration/relationEvent",
    "aid": "AID/illegalTrafficEvent",
}
# Alarms whose pictures show a person, whatever they are called: faces, bodies, people at doors.
_OF_PERSONS = re.compile(r"face|human|person|people|pedestrian|accesscontrol|idcard", re.IGNORECASE)
# The manual prints it so, and firmware has copied the manual.
_UNCLOSED = re.compile(rb"<((?:[\w.-]{1,32}:)?eventDescription)>([^<>]{0,4096})(?:<\1>|(?=<[^/]))")
_DISAGREE_S = 60


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Every event of the payload, in its order; a bad document spoils no other one."""
    for place, (document, pictures) in enumerate(
        read_body(payload.body, payload.content_type, roots=READERS, default=ALERT)
    ):
        if place == DOCUMENTS_MAX:
            message = f"more than {DOCUMENTS_MAX} documents in one payload"
            yield Rejection(code="too-many-documents", message=message, path=f"document[{place}]")
            return
        try:
            if isinstance(document, PayloadError):
                raise document
            root, flags = _tree(document)
            outcomes = READERS.get(root.name, _unknown)(root, payload, options)
            yield from _with_pictures(outcomes, pictures, root, flags)
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection.of(error, path=path)


def _tree(document: Document) -> tuple[Node, tuple[str, ...]]:
    """The document's root, and a flag where the one fault that is known had to be mended."""
    if isinstance(document, Node):
        return document, ()
    try:
        return parse_xml(document), ()
    except PayloadError as error:
        mended = _UNCLOSED.sub(rb"<\1>\2</\1>", document)
        if error.code != "malformed" or mended == document:
            raise
        return parse_xml(mended), ("xml_repaired",)


def _with_pictures(
    outcomes: Iterable[Outcome], parts: list[Part], root: Node, flags: tuple[str, ...]
) -> Iterator[Outcome]:
    """The outcomes, their events with the pictures that came along, and with the flags."""
    if not parts and not flags:
        yield from outcomes
        return
    types = {
        info.value(name): info.value("type")
        for info in root.findall("ANPR/pictureInfoList/pictureInfo")
        for name in ("fileName", "pId")
    }
    told = root.value("eventType") + root.value(WRAPPERS["duration"])
    otherwise = "" if _OF_PERSONS.search(told) else "scene"
    pictures, picture_flags = take_pictures(parts, types, otherwise=otherwise)
    for outcome in outcomes:
        if isinstance(outcome, Event):
            all_flags = (*outcome.quality_flags, *flags, *picture_flags)
            yield replace(outcome, pictures=pictures, quality_flags=all_flags)
        else:
            yield outcome


def _alert(node: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    """One alarm: a heartbeat, a plate read, a state of health or a detection."""
    outer = node.value("eventType") or ("ANPR" if node.find("ANPR") else "")
    if not outer:
        raise PayloadError(
            "the alarm names no type", code="event-type-missing", path=f"{node.path}/eventType"
        )
    wrapped = WRAPPERS.get(outer.lower())
    inner = [found.text for found in node.findall(wrapped) if found.text] if wrapped else []
    for kind in dict.fromkeys(inner or [outer]):
        name = kind.lower()
        if is_heartbeat(node, name):
            yield Nothing(why=f"heartbeat ({name}, {node.value('eventState').lower()})")
        elif name in HEALTH:
            yield health(node, kind, _common(node, payload, options))
        elif name == "anpr" or node.find("ANPR/licensePlate"):
            common = _common(node, payload, options)
            yield from passages(node, common, options.acts, payload.received_at)
        else:
            yield from _detections(node, kind, _common(node, payload, options))


def _common(node: Node, payload: Payload, options: Options) -> dict[str, Any]:
    """What every event of an alarm says: device, time, place, live or replayed."""
    replayed = node.value("isDataRetransmission").lower() in YES or "1" in (
        node.value("alarmDataType"),
        node.value("ANPR/alarmDataType"),
    )
    stamp = _stamp(node, payload, options, replayed=replayed)
    named = device_ref(node, options.device_ref)
    position, position_flags = _position(node)
    unnamed = () if named else ("device_unnamed",)
    return {
        "device_ref": named,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "replayed": replayed or _is_backlog(stamp, payload, options),
        "position": position,
        "quality_flags": (*stamp.flags, *unnamed, *position_flags),
    }


def _is_backlog(stamp: Stamp, payload: Payload, options: Options) -> bool:
    if stamp.at is None or not options.backlog_s:
        return False
    return (payload.received_at - stamp.at).total_seconds() > options.backlog_s


def _stamp(node: Node, payload: Payload, options: Options, *, replayed: bool) -> Stamp:
    """`dateTime`, with the milliseconds of the picture's local time when both name one second."""
    received_at = payload.received_at
    raw = node.value("dateTime")
    picture = node.value("ANPR/pictureInfoList/pictureInfo/absTime")
    stamp = read_stamp(raw, received_at=received_at, options=options, replayed=replayed)
    if stamp.at is None and picture:
        other = read_stamp(picture, received_at=received_at, options=options, replayed=replayed)
        return replace(other, flags=(*stamp.flags, *other.flags))
    if stamp.at is None or not picture:
        return stamp
    same_second = re.sub(r"\D", "", raw)[:14] == picture[:14] and len(picture) == 17
    if same_second and not stamp.at.microsecond and picture.isdecimal():
        return replace(stamp, at=stamp.at.replace(microsecond=int(picture[14:]) * 1_000))
    shown = read_stamp(picture, received_at=received_at, options=options).at
    near = shown is None or abs((shown - stamp.at).total_seconds()) <= _DISAGREE_S
    # A camera that writes UTC with the offset of its zone shows another hour in the picture; one
    # whose zone is not the source's shows the stamp's.
    if near or re.sub(r"\D", "", raw)[:10] == picture[:10]:
        return stamp
    return replace(stamp, flags=(*stamp.flags, "times_disagree"))


def _position(node: Node) -> tuple[Position | None, tuple[str, ...]]:
    """Degrees, minutes and seconds as a position, or a flag; neither where none are given."""
    gps = node.find("DeviceGPSInfo")
    if gps is None:
        return None, ()
    found = []
    for name, signs in (("Latitude", {"N": 1, "S": -1}), ("Longitude", {"E": 1, "W": -1})):
        sign = signs.get(gps.value(f"{name.lower()}Type").upper(), 0)
        units = (number(gps.value(f"{name}/{unit}", "0")) for unit in ("degree", "minute", "sec"))
        degree, minute, second = (unit or 0.0 for unit in units)
        found.append(sign * (degree + minute / 60 + second / 3600))
    return read_position(found[0], found[1])


def _detections(node: Node, kind: str, common: dict[str, Any]) -> Iterator[Event]:
    """An event for each region of the alarm, or one where it names none."""
    count = integer(node.value("activePostCount")) or None  # 0: the device does not count
    running = "ONGOING" if count and count > 1 else "STARTED"
    states = {"active": running, "inactive": "STOPPED"}
    state = states.get(node.value("eventState").lower(), "UNKNOWN")
    for region in node.findall("DetectionRegionList/DetectionRegionEntry") or [node]:
        corners = [
            (number(corner.value("positionX")), number(corner.value("positionY")))
            for corner in region.findall("RegionCoordinatesList/RegionCoordinates")
        ]
        polygon = [{"x": x, "y": y} for x, y in corners if x is not None and y is not None]
        permille = polygon and all(0 <= v <= 1000 for corner in polygon for v in corner.values())
        yield Event(
            noun="detection",
            kind="camera." + re.sub(r"[^a-z0-9_.-]", "_", kind.lower())[:64],
            severity="INFO",
            body={
                "rule": kind,
                "state": state,
                "target": region.value("detectionTarget") or node.value("detectionTarget"),
                "region": region.value("regionID"),
                "post_count": count,
                "box": box(region.find("TargetRect"), "UNIT"),
                "polygon": polygon,
                "polygon_scale": "PERMILLE" if permille else "UNKNOWN",
                "input_ref": node.value("inputIOPortID") or node.value("dynInputIOPortID"),
            },
            **common,
        )


def _plates(node: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    """The answer of the poll: the plates read since the time asked for."""
    plates = node.findall("Plate")
    if not plates:
        yield Nothing(why="the poll brought no new plate")
    for found in plates:
        if not found.children:
            yield Rejection(
                code="plate-empty", message="a plate without data", path=f"{found.path}/plateNumber"
            )
            continue
        stamp = read_stamp(
            found.value("captureTime"), received_at=payload.received_at, options=options
        )
        plate, flags = read_plate(found.value("plateNumber"), colour=found.value("plateColor"))
        common = {
            "device_ref": options.device,
            "observed_at": stamp.at,
            "time_quality": stamp.quality,
        }
        body = {
            "direction": DIRECTIONS.get(found.value("direction").lower(), "UNKNOWN"),
            "lane": integer(found.value("laneNo")),
            "country": found.value("country"),
        }
        flags = (*stamp.flags, *(() if options.device else ("device_unnamed",)), *flags)
        yield plate_read(common, body, plate, found.value("picName"), flags)


def cursor(body: bytes) -> str:
    """The newest picture's name, by which the plates poll goes on.

    It begins with the time and has 17 to 25 digits, so it is compared as a text; the order of the
    plates is not.
    """
    root = parse_xml(body)
    names = (plate.value("picName") for plate in root.findall("Plate"))
    return max((name for name in names if name.isascii() and name.isdigit()), default="")


def _nothing(why: str) -> Callable[[Node, Payload, Options], Iterable[Outcome]]:
    return lambda _node, _payload, _options: (Nothing(why=why),)


def _unknown(node: Node, _payload: Payload, _options: Options) -> Iterable[Outcome]:
    raise PayloadError(
        f"no event: the document is a {node.name}",
        code="unknown-document",
        path=node.path,
        fix=f"send {ALERT} documents, or the answer of the plates poll",
    )


READERS: Final[dict[str, Callable[[Node, Payload, Options], Iterable[Outcome]]]] = {
    ALERT: _alert,
    "Plates": _plates,
    "HttpHostNotificationList": _nothing("configuration, not an event"),
    "HttpHostNotification": _nothing("configuration, not an event"),
    "SubscribeEventResponse": _nothing("answer to the subscription, not an event"),
}

connector = Connector(
    name="hikvision_isapi",
    title="Hikvision cameras and recorders, ISAPI: documents or multipart, XML or JSON",
    parse=parse,
    emits=("plate_read", "detection", "violation", "health"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.lane", "body.direction"),
        "detection": ("body.rule", "body.state", "body.region", "body.target", "body.input_ref"),
        "violation": (
            "restricted.plate.raw",
            "body.lane",
            "body.direction",
            "body.source_code",
            "body.act",
        ),
        "health": ("body.component", "body.state"),
    },
    options=Options,
    split=MultipartStream,
    cursor=cursor,
    transports=("http_push", "http_stream", "http_poll", "drop_folder"),
)
