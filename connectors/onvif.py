"""ONVIF cameras: events and scene descriptions, by PullPoint, Notify, metadata stream or MQTT.

Reads the answer of `PullMessages` and a pushed `Notify` (SOAP); documents of the metadata stream
(RTSP), several end to end; and JSON over MQTT as Profile M has it, where the topic says what a
payload is: `Prefix/onvif-ej/Topic/&source…` (an event) or `Prefix/onvif-mj/…` (a frame). Also the
decoded form that bridges built on zeep pass on.

Traps handled: one meaning on many topics (`_formats.onvif_topics`); blanks inside topics, items in
any order, states as true, 1, ON or nothing; `Initialized` is the state at a subscription and
`replayed`, also on topics of occurrences; `Deleted`, and zero bytes over MQTT; retained payloads;
stamps without `Z`, which are UTC; minute 61; roots as the specification misspells them; boxes with
y upwards; objects that merge, split and get renamed; idle ones that vanish without an end; the
specification's own sample of JSON with a quote left open.

Known from the ONVIF specifications (25.12) and their examples, and from tests of libraries that
hold what cameras sent. Inferred: a vehicle whose direction is within 45 degrees of the camera's
axis approaches or departs. Not read: faces and bodies, who was recognised, access to buildings,
counts and sensors' readings, PTZ, sound of the scene; pictures that are only a URI.

A metadata stream names no camera, and names of video sources differ from topic to topic of one
camera: the options `device` and `device_ref` say what it is called.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from connectors._formats.elements import as_elements
from connectors._formats.json import parse_json
from connectors._formats.members import the_object, the_text
from connectors._formats.onvif_documents import (
    NOTIFICATIONS,
    CameraOptions,
    camera_of,
    records,
)
from connectors._formats.onvif_events import Notification, events, notification
from connectors._formats.onvif_scene import Camera, frame_events
from connectors._formats.onvif_topics import plain_topic
from connectors._formats.text import clean
from connectors._formats.xml import Node
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_MQTT: Final = re.compile(r"(?:^|/)onvif-([em])j/")
_OPEN_QUOTE: Final = re.compile(rb'("UtcTime"\s*:\s*"[0-9TZ:.+-]{10,40})(\s*"(?:Source|Data)")')


class Options(CameraOptions):
    """What a site may say of an ONVIF source."""


class _Topic(NamedTuple):
    """What the topic of an MQTT payload says."""

    prefix: str = ""
    form: str = ""
    """`e` for an event, `m` for metadata."""
    local: str = ""
    """Topic of the event, or what produced the metadata."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Every notification and object, in their order; a bad one spoils no other."""
    topic = _topic(payload.meta.get("mqtt_topic", ""))
    camera = camera_of(payload, options, topic.prefix)
    body = payload.body.strip(_BLANK)
    if not body and topic.form == "e":
        yield Nothing(why="a property was deleted (no bytes)")
    elif not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    elif body[:1] in (b"{", b"["):
        yield from _json(body, topic, camera)
    else:
        yield from _xml(payload.body, camera)


def _topic(text: str) -> _Topic:
    found = _MQTT.search(text)
    if found is None:
        return _Topic()
    local, _, _source = text[found.end() :].partition("/&")
    return _Topic(clean(text[: found.start()]), found[1], local)


def _xml(body: bytes, camera: Camera) -> Iterator[Outcome]:
    for record in records(body):
        if isinstance(record, Node):
            yield from _record(record, camera)
        else:
            yield record


def _record(node: Node, camera: Camera, *producer: str) -> Iterator[Outcome]:
    try:
        if node.name in NOTIFICATIONS:
            yield from events(notification(node), camera)
            return
        outcomes = list(frame_events(node, camera, *producer))
        yield from outcomes or [Nothing(why="a frame without objects")]
    except PayloadError as error:
        path = error.path or node.path
        yield Rejection.of(error, path=path)


def _json(body: bytes, topic: _Topic, camera: Camera) -> Iterator[Outcome]:
    document, mended = _document(body)
    if "Frame" in document:
        for frame in as_elements("MetadataStream", {"Frame": document["Frame"]}).children:
            yield from _record(frame, camera, topic.local)
    elif topic.form == "m" or "SensorData" in document:
        yield Nothing(why=f"metadata without frames: {topic.local.partition('/')[0][:40]}")
    elif isinstance(document.get("Message"), dict):
        yield from events(_decoded(document), camera)
    elif "UtcTime" in document or isinstance(document.get("Data"), dict):
        for outcome in events(_event(document, topic), camera):
            yield _flagged(outcome, "json_repaired") if mended else outcome
    else:
        raise PayloadError(
            "no event: it has neither UtcTime, Frame nor Message",
            code="no-event",
            path="UtcTime",
            fix="subscribe to PREFIX/onvif-ej/# and PREFIX/onvif-mj/#",
        )


def _document(body: bytes) -> tuple[dict[str, Any], bool]:
    """The object in a payload, and whether a quote had to be closed to read it."""
    mended = False
    try:
        value = parse_json(body)
    except PayloadError as error:
        repaired = _OPEN_QUOTE.sub(rb'\1",\2', body, count=1)
        if error.code != "malformed" or repaired == body:
            raise
        value, mended = parse_json(repaired), True
    if not isinstance(value, dict):
        raise PayloadError("a JSON event must be an object", code="wrong-type")
    return value, mended


def _event(document: Mapping[str, Any], topic: _Topic) -> Notification:
    """A message over MQTT, or one that a bridge has given its topic."""
    name = plain_topic(topic.local or the_text(document, "Topic"))
    if not name:
        raise PayloadError(
            "an event without a topic",
            code="topic-missing",
            path="mqtt_topic",
            fix="take the payload over MQTT, or give the topic in meta.mqtt_topic",
        )
    data = the_object(document, "Data")
    return Notification(
        topic=name,
        utc=the_text(document, "UtcTime"),
        operation=the_text(document, "PropertyOperation").lower(),
        source=_simple(the_object(document, "Source")),
        key=_simple(the_object(document, "Key")),
        data=_simple(data),
        elements=_elements(data),
    )


def _decoded(document: Mapping[str, Any]) -> Notification:
    """A message as zeep decodes it: texts and elements stand in `_value_1`."""
    topic = the_object(document, "Topic")
    message = the_object(document, "Message")
    message = the_object(message, "_value_1") or message
    name = plain_topic(the_text(topic, "_value_1") or the_text(document, "Topic"))
    if not name:
        raise PayloadError("an event without a topic", code="topic-missing", path="Topic")
    source, key, data = (_listed(message.get(part)) for part in ("Source", "Key", "Data"))
    return Notification(
        topic=name,
        utc=the_text(message, "UtcTime"),
        operation=the_text(message, "PropertyOperation").lower(),
        source=source,
        key=key,
        data=data,
    )


def _simple(items: Mapping[str, Any]) -> dict[str, str]:
    return {name: the_text(items, name) for name, value in items.items() if _is_plain(value)}


def _elements(items: Mapping[str, Any]) -> dict[str, Node]:
    return {name: as_elements(name, value) for name, value in items.items() if not _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _listed(part: Any) -> dict[str, str]:
    items = part.get("SimpleItem") if isinstance(part, dict) else None
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {the_text(item, "Name"): the_text(item, "Value") for item in found}


def _flagged(outcome: Outcome, flag: str) -> Outcome:
    if isinstance(outcome, Event):
        return replace(outcome, quality_flags=(*outcome.quality_flags, flag))
    return outcome


connector = Connector(
    name="onvif",
    title="ONVIF cameras: events and tracked objects (SOAP, metadata stream, Profile M JSON)",
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
    transports=("onvif_pullpoint", "http_push", "mqtt", "drop_folder"),
)
