"""Axis cameras: events, object analytics and the License Plate Verifier, however they are sent.

Reads documents of the metadata stream (RTSP), as ONVIF has them; JSON of the event websocket
(`events:notify`) and of the camera's MQTT client; scenes and consolidated tracks over MQTT
(`com.axis.analytics_scene_description`, `com.axis.consolidated_track`, both beta); and the License
Plate Verifier (FF LPR): its push as JSON or multipart, its `ALPV` events, answers of its search.

Traps handled: prefixes of topics that differ by transport (`tnsaxis:`, `axis:`); profiles named
`Camera1ProfileANY` and `ScenarioANY`, which repeat each profile's own event (option `profiles`);
"0" and "1" as states, picked by name among several items; `Initialized` states; a serial number in
the payload, the topic or nowhere; scenes with y downwards where ONVIF's points upwards; every
number of a plate as a text; `datetime` without offset beside a true `capture_timestamp`; `TS` and
`MOD_TS` hours apart in a search; the same plate in four encodings.

One car is `new`, `update` and `lost`: its reads share a subject, and their lifecycle says which.
Which of them a camera sends is its setting, so all are read, or the last alone (option `reads`).

Known from Axis' documents of VAPIX and of the verifier, and from messages that a library's tests
hold. Not read: `in` and `out`, which are directions somebody has set and not
relative to the camera; descriptions of lists, which may name persons; clothes; pictures that are
only a URI on the camera; PTZ, sound and readings, as in `onvif`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import Field

from connectors._formats.axis_plates import plate_of_event, plate_of_push, searched
from connectors._formats.axis_scene import scene, track
from connectors._formats.json import parse_json
from connectors._formats.members import the_object, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.onvif_documents import (
    NOTIFICATIONS,
    CameraOptions,
    camera_of,
    records,
)
from connectors._formats.onvif_events import Notification, events, notification
from connectors._formats.onvif_scene import Camera, frame_events
from connectors._formats.onvif_topics import plain_topic
from connectors._formats.pictures import is_picture
from connectors._formats.spelt import iso_of_ms
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_APPS: Final = "CameraApplicationPlatform/"
_INSTANCE: Final = re.compile(r"(?:Camera|Device)(\d+)((?:Profile|Scenario)\w+)", re.ASCII)
_SERIAL: Final = re.compile(r"(?:^|/)([0-9A-Fa-f]{12})(?:/|$)")
_NAMESPACES: Final = frozenset({"onvif", "axis"})
_SEARCH: Final = re.compile(rb"(?:<\?xml[^>]{0,200}\?>\s*)?<events[\s/>]")


class Options(CameraOptions):
    """What a site may say of an Axis source."""

    profiles: Literal["each", "any"] = Field(
        default="each",
        description="Which of two repeats is read: the event of `each` profile or scenario, or "
        "that of `any` of them (`Camera1ProfileANY`), for sites that subscribe to it alone",
    )

    reads: Literal["all", "lost"] = Field(
        default="all",
        description="Which reads of a car are events: `all`, or only the last (`lost`), the best "
        "where the cameras are set to send it",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Every event, object and plate, in their order; a bad one spoils no other."""
    topic = payload.meta.get("mqtt_topic", "")
    body = payload.body.strip(_BLANK)
    if not body and "/event/" in topic:
        yield Nothing(why="a property was deleted (no bytes)")
    elif not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    elif body[:1] in (b"{", b"["):
        yield from _json(parse_json(body), (), topic, payload, options)
    elif body.startswith(b"--") or "multipart/" in payload.content_type.lower():
        yield from _multipart(payload, options)
    elif _SEARCH.match(body):
        yield from searched(parse_xml(body), camera_of(payload, options, ""))
    else:
        yield from _xml(payload, options)


def _xml(payload: Payload, options: Options) -> Iterator[Outcome]:
    camera = camera_of(payload, options, "")
    for record in records(payload.body):
        if not isinstance(record, Node):
            yield record
            continue
        try:
            if record.name in NOTIFICATIONS:
                yield from _events(notification(record), camera, options)
            else:
                objects = list(frame_events(record, camera))
                yield from objects or [Nothing(why="a frame without objects")]
        except PayloadError as error:
            path = error.path or record.path
            yield Rejection.of(error, path=path)


def _multipart(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The push of the verifier: a JSON part and the pictures beside it."""
    pictures: list[Part] = []
    found: list[bytes] = []
    for part in split(payload.body, payload.content_type):
        if is_picture(part):
            pictures.append(part)
        elif part.data.strip(_BLANK):
            found.append(part.data.strip(_BLANK))
    if not found:
        raise PayloadError(
            "no event in the body",
            code="no-event",
            path="event",
            fix="send the field `event` as JSON, with pictures beside it",
        )
    for data in found:
        yield from _json(parse_json(data), pictures, "", payload, options)


def _json(
    document: Any, pictures: list[Part] | tuple[()], topic: str, payload: Payload, options: Options
) -> Iterator[Outcome]:
    if not isinstance(document, dict):
        raise PayloadError("a JSON event must be an object", code="wrong-type")
    if "plateUTF8" in document or "plateText" in document:
        yield _chosen(plate_of_push(document, pictures, camera_of(payload, options, "")), options)
    elif isinstance(document.get("frame"), dict):
        yield from scene(document["frame"], camera_of(payload, options, _named(topic)))
    elif "observations" in document or "start_time" in document:
        yield from track(document, camera_of(payload, options, _named(topic)))
    elif isinstance(document.get("ALPV"), dict) or isinstance(document.get("identify"), dict):
        yield Nothing(why="heartbeat of the license plate verifier")
    elif "method" in document:
        yield from _websocket(document, payload, options)
    else:
        yield from _message(document, topic, payload, options)


def _websocket(
    document: Mapping[str, Any], payload: Payload, options: Options
) -> Iterator[Outcome]:
    error = the_object(document, "error")
    if error:
        raise PayloadError(
            f"the camera refused a request ({the_text(error, 'code')[:20]})",
            code="device-error",
            path="error",
            fix="check the session's token and the filter of events",
        )
    found = the_object(the_object(document, "params"), "notification")
    if found:
        yield from _message(found, "", payload, options)
    else:
        yield Nothing(why=f"answer to {the_text(document, 'method')[:40]}, not an event")


def _message(
    document: Mapping[str, Any], topic: str, payload: Payload, options: Options
) -> Iterator[Outcome]:
    """An event as the websocket and the MQTT client have it."""
    message = document.get("message")
    name = plain_topic(the_text(document, "topic")) or _topic_of(topic)
    if not isinstance(message, dict) or not name:
        raise PayloadError(
            "no event: it has neither a message with a topic, nor a plate, a frame or a track",
            code="no-event",
            path="topic" if isinstance(message, dict) else "message",
            fix="let the camera publish topics with their events, or send one of the above",
        )
    told = the_text(document, "serial") or _serial(topic) or topic.partition("/event/")[0]
    stamp = document.get("timestamp")
    note = Notification(
        topic=name,
        utc=iso_of_ms(stamp) or (stamp if isinstance(stamp, str) else ""),
        operation=the_text(message, "propertyOperation").lower(),
        source=_items(message, "source"),
        key=_items(message, "key"),
        data=_items(message, "data"),
    )
    yield from _events(note, camera_of(payload, options, told), options)


def _events(note: Notification, camera: Camera, options: Options) -> Iterator[Outcome]:
    """A notification, with what Axis writes into its topic taken out of it."""
    last = note.topic.rpartition("/")[2]
    if last.startswith("ALPV.") and "text" in note.data:
        yield _chosen(plate_of_event(note, camera), options)
        return
    instance = _INSTANCE.fullmatch(last) if note.topic.startswith(_APPS) else None
    if instance is None:
        yield from events(note, camera)
    elif instance[2].endswith("ANY") == (options.profiles == "each"):
        yield Nothing(why="a repeat of what each profile, or any of them, tells")
    else:
        known = any(name.lower() in {"device", "channel"} for name in note.source)
        source = note.source if known else {**note.source, "device": instance[1]}
        topic = note.topic.removesuffix(f"/{last}")
        yield from events(replace(note, topic=topic, source=source, region=instance[2]), camera)


def _chosen(event: Event, options: Options) -> Outcome:
    if options.reads == "lost" and event.lifecycle in {"NEW", "UPDATED"}:
        return Nothing(why="a read of a car that is told again when it is lost")
    return event


def _named(topic: str) -> str:
    """What names the camera of analytics: a serial number in the topic, else the topic itself."""
    return _serial(topic) or topic


def _serial(topic: str) -> str:
    found = _SERIAL.search(topic)
    return found[1].upper() if found else ""


def _topic_of(topic: str) -> str:
    """`axis/SERIAL/event/tns:onvif/Device/tns:axis/Sensor/PIR` as `Device/Sensor/PIR`."""
    _, event, local = topic.partition("/event/")
    steps = plain_topic(local.partition("/$")[0]).split("/") if event else []
    return "/".join(step for step in steps if step not in _NAMESPACES)


def _items(message: Mapping[str, Any], name: str) -> dict[str, str]:
    part = the_object(message, name)
    return {key: the_text(part, key) for key, value in part.items() if not _nested(value)}


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list)


connector = Connector(
    name="axis",
    title="Axis cameras: events, object analytics and License Plate Verifier",
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
        "plate_read": ("restricted.plate.raw",),
        "health": ("body.component", "body.state"),
    },
    options=Options,
    transports=("http_push", "mqtt", "drop_folder"),
)
