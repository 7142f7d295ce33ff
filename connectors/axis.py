"""Axis cameras: events from RTSP metadata, websocket and MQTT, finished tracks, and plates.

Reads the XML of ONVIF notifications, JSON of `events:notify` and of the camera's MQTT client,
tracks of the analytics (`consolidated_track`), and the pushes of the FF LPR application.

Traps handled: topics begin with `tns1:` and `tnsaxis:` by RTSP and websocket, with `onvif:` and
`axis:` by MQTT; camera and profile stand in the topic's end alone; `Camera1ProfileANY` and
`…ScenarioANY` repeat each profile (left out unless `any_profile`); `active` is "0" or "1"; the
state at a subscription (`Initialized`) is not new; the first document of a stream is empty; a
serial number is in the payload only where that is switched on, else in the MQTT topic; boxes of
tracks go downwards, unlike ONVIF's; the application says of one vehicle new, update and lost (lost
is the passage); its `datetime` is local without an offset and `capture_timestamp` right; its
numbers are texts; one plate in four encodings (UTF-8 is read).

Known from Axis' own client library and fixtures, and a push of the application. Inferred: `in` and
`out` of the application say nothing of approaching. Not read: clothes and pictures of persons,
URIs of pictures, whose names spell the plate. RTP packets are the transport's.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.coordinates import read_position
from connectors._formats.documents import documents
from connectors._formats.json import parse_json
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.notices import MESSAGES, Notice, is_true, utc
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_epoch, read_stamp
from connectors._formats.xml import parse_xml
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_BLANK: Final = b"\xef\xbb\xbf \t\r\n\0"
_DOCUMENTS_MAX: Final = 256
_HEALTH: Final = {
    "globalscenechange": ("video", "DEGRADED"),
    "tampering": ("video", "DEGRADED"),
    "storagefailure": ("storage", "FAULT"),
    "disruption": ("storage", "FAULT"),
    "fan": ("device", "DEGRADED"),
    "ptzerror": ("device", "FAULT"),
}
"""Steps of topics that tell of the device itself: (component, state while it lasts)."""
_KINDS: Final = {
    "vmd": "motion",
    "objectanalytics": "objects",
    "fenceguard": "fence",
    "motionguard": "motion",
    "loiteringguard": "loitering",
    "crosslinedetection": "line_crossed",
    "pir": "motion",
    "port": "input",
    "digitalinput": "input",
    "io": "input",
}
_PLACE: Final = re.compile(r"(?:Camera|Device)(\d+)(?:Profile|Scenario)(\w+)", re.IGNORECASE)
_SERIAL: Final = re.compile(r"\b[0-9A-Fa-f]{12}\b")
_PERSONS: Final = frozenset({"human", "person", "face", "head"})


class Options(hub.Options):
    """What a site may say of an Axis source."""

    any_profile: bool = Field(
        default=False,
        description="Whether `…ProfileANY` and `…ScenarioANY` are read: only where the single "
        "profiles are not subscribed to, which they repeat",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The events of a payload, in their order; a bad document hides no other one."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of events", code="empty")
    if body[:1] in b"{[":
        document = parse_json(body)
        if not isinstance(document, dict):
            raise PayloadError("expected an object", code="wrong-type")
        yield _of_json(document, payload, options)
        return
    for place, each in enumerate(documents(body)):
        if place == _DOCUMENTS_MAX:
            what = f"more than {_DOCUMENTS_MAX} documents in one payload"
            yield Rejection(code="too-many-documents", message=what)
            return
        try:
            yield from _of_xml(each, payload, options)
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection(code=error.code, message=error.what, path=path, fix=error.fix)


def _of_xml(document: bytes, payload: Payload, options: Options) -> Iterator[Outcome]:
    root = parse_xml(document)
    notices = [each for name in MESSAGES for each in root.descendants(name)]
    if not notices and root.name.lower() != "metadatastream":
        raise PayloadError(
            f"no event of a camera: the document is a {root.name}",
            code="not-axis",
            path=root.path,
            fix="send the metadata stream's documents",
        )
    if not notices:
        yield Nothing(why="metadata without events")
    for node in notices:
        try:
            notice = Notice.of_xml(node)
            stamp = _stamp(utc(notice.utc), payload, options)
            yield _event(notice, "", stamp, options)
        except PayloadError as error:
            yield Rejection(
                code=error.code, message=error.what, path=error.path or node.path, fix=error.fix
            )


def _of_json(document: Mapping[str, Any], payload: Payload, options: Options) -> Outcome:
    told = the_object(the_object(document, "params"), "notification") or document
    if isinstance(told.get("message"), dict) and the_text(told, "topic"):
        return _notified(told, payload, options)
    if "carState" in document or "plateUTF8" in document:
        return _passage(document, payload, options)
    if the_text(document, "id") and ("classes" in document or "observations" in document):
        return _track(document, payload, options)
    if "params" in document or "apiVersion" in document:
        return Nothing(why="an answer of the interface, not an event")
    raise PayloadError(
        "no event: neither a notification nor a track nor a plate",
        code="no-event",
        path="message",
        fix="publish events, consolidated tracks or the application's reads",
    )


def _notified(told: Mapping[str, Any], payload: Payload, options: Options) -> Outcome:
    raw = told.get("timestamp")
    if type(raw) is int:
        stamp = read_epoch(raw / 1000, received_at=payload.received_at, options=options)
    else:
        stamp = _stamp(utc(the_text(told, "timestamp")), payload, options)
    serial = the_text(told, "serial") or _serial(payload.meta.get("mqtt_topic", ""))
    notice = Notice.of_json(told["message"], the_text(told, "topic"))
    retained = is_true(payload.meta.get("mqtt_retained", ""))
    return _event(notice, serial, stamp, options, retained=retained)


def _serial(topic: str) -> str:
    """What names a camera in an MQTT topic: its serial number, else the topic's first step."""
    found = _SERIAL.search(topic)
    return found[0].upper() if found else clean(topic.partition("/")[0])


def _stamp(raw: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(raw, received_at=payload.received_at, options=options)


def _event(
    notice: Notice, serial: str, stamp: Stamp, options: Options, *, retained: bool = False
) -> Outcome:
    place = _PLACE.search(notice.topic)
    if place is not None and place[2].upper() == "ANY" and not options.any_profile:
        return Nothing(why="a repetition of what each profile tells (ANY)")
    data = {name.lower(): value for name, value in notice.data.items()}
    camera = (
        place[1] if place else notice.source.get("channel", notice.source.get("video_source", ""))
    )
    replayed = retained or notice.operation == "Initialized"
    common: dict[str, Any] = {
        "device_ref": "/".join(filter(None, (serial, camera))),
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "replayed": replayed,
        "quality_flags": stamp.flags,
    }
    steps = [step.lower() for step in notice.topic.split("/")]
    known = next((_HEALTH[step] for step in steps if step in _HEALTH), None)
    if known is not None:
        component, trouble = known
        state = "ONLINE" if notice.state == "STOPPED" else trouble
        return Event(
            noun="health",
            kind="device.health",
            subject=(common["device_ref"], component, notice.topic),
            severity="INFO" if state == "ONLINE" else "MINOR",
            body={"state": state, "component": component, "detail": notice.topic},
            **common,
        )
    word = next((_KINDS[step] for step in steps if step in _KINDS), "")
    meaning = word or snake(notice.topic.rpartition("/")[2]) or "event"
    return Event(
        noun="detection",
        kind=f"camera.{meaning}"[:120],
        severity="INFO",
        body={
            "rule": notice.topic,
            "state": notice.state,
            "target": data.get("classtypes", data.get("objecttype", "")),
            "region": place[2] if place else "",
            "input_ref": notice.source.get("port", notice.source.get("sensor", "")),
        },
        **common,
    )


def _track(document: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    """One message for an object that is gone: its kind, its last box, when it came and went."""
    began = _stamp(the_text(document, "start_time"), payload, options)
    ended = _stamp(the_text(document, "end_time"), payload, options)
    stamp = ended if ended.at else began
    classes = [each for each in the_items(document, "classes") if isinstance(each, dict)]
    best = max(classes, key=lambda each: the_number(each, "score") or 0.0, default={})
    seen = [each for each in the_items(document, "observations") if isinstance(each, dict)]
    id_ = the_text(document, "id")
    score = the_number(best, "score")
    pictured = bool(the_object(document, "image"))
    person = the_text(best, "type").lower() in _PERSONS
    return Event(
        noun="detection",
        kind="camera.tracked_object",
        device_ref=_serial(payload.meta.get("mqtt_topic", "")),
        subject=(id_,),
        native_id=id_,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *(("person_picture_dropped",) if pictured and person else ())),
        body={
            "rule": "consolidated_track",
            "state": "STOPPED",
            "target": the_text(best, "type"),
            "score": score if score is not None and 0 <= score <= 1 else None,
            "box": _box(the_object(seen[-1], "bounding_box")) if seen else None,
        },
    )


def _box(corners: Mapping[str, Any]) -> dict[str, Any] | None:
    """A box of 0 to 1, downwards."""
    left, top, right, bottom = (
        the_number(corners, name) for name in ("left", "top", "right", "bottom")
    )
    if left is None or top is None or right is None or bottom is None:
        return None
    return a_box([left, top, round(right - left, 6), round(bottom - top, 6)], "UNIT")


def _passage(document: Mapping[str, Any], payload: Payload, options: Options) -> Outcome:
    """A vehicle that is out of sight, with the best reading of its plate."""
    if the_text(document, "carState").lower() not in ("lost", ""):
        return Nothing(why="a reading that goes on: the vehicle is told when it is lost")
    milliseconds = the_number(document, "capture_timestamp")
    stamp = (
        read_epoch(milliseconds / 1000, received_at=payload.received_at, options=options)
        if milliseconds
        else _stamp(the_text(document, "datetime"), payload, options)
    )
    score = the_number(document, "plateConfidence")
    plate, flags = read_plate(
        the_text(document, "plateUTF8") or the_text(document, "plateText"),
        confidence=score if score is not None and 0 <= score <= 1 else None,
    )
    place = the_object(document, "geotag")
    position, more = (
        read_position(place["lat"], place["lon"]) if {"lat", "lon"} <= set(place) else (None, ())
    )
    camera = the_object(document, "camera_info")
    native_id, withheld = without_plate(the_text(document, "carID"), plate["text"])
    numbers = [the_number({"": each}, "") for each in the_items(document, "plateCoordinates")]
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=the_text(camera, "SerialNumber") or _serial(payload.meta.get("mqtt_topic", "")),
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        position=position,
        quality_flags=(*stamp.flags, *flags, *more, *withheld),
        restricted={"plate": plate},
        body={
            "lane": the_integer(document, "roiID"),
            "country": the_text(document, "plateCountry"),
            "plate_box": a_box(numbers, "PIXEL") if len(numbers) == 4 else None,
        },
    )


connector = Connector(
    name="axis",
    title="Axis cameras: events, tracks and the FF LPR application (XML, JSON)",
    parse=parse,
    emits=("detection", "plate_read", "health"),
    identity={
        "detection": (
            "body.rule",
            "body.state",
            "body.region",
            "body.target",
            "body.input_ref",
        ),
        "plate_read": ("restricted.plate.raw", "body.lane"),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
    transports=("mqtt", "http_push", "drop_folder"),
)
