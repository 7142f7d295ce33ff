"""ONVIF cameras: events by PullPoint or Notify, metadata streams, and Profile M over MQTT.

Reads SOAP answers (`PullMessagesResponse`), `Notify`, single `NotificationMessage`s, documents of
`MetadataStream` one after the other, and JSON whose MQTT topic says what it is
(`Prefix/onvif-ej/Topic/&source…`, `Prefix/onvif-mj/VideoAnalytics/profile/module`).

Traps handled: no id of an event (time, topic and items are its key, in any order of items and
attributes); blanks inside topics; `PropertyOperation` Initialized is the state at a subscription
and not new (`replayed`, on event topics as well), and so is a retained MQTT message; Deleted has
no data; zero bytes over MQTT are a deleted property; states as true and false, 1 and 0, ON and
OFF, and nothing; one meaning under many topics (`events.MEANINGS`), unknown ones passed on under
their own name; `UtcTime` without Z is UTC; minute 61; `MetaDataStream` and `NotficationMessage` as
the specification itself spells them; boxes after their transformation, from -1 to 1 and upwards.

Source: ONVIF Core and Analytics specifications, and messages of Tapo, Reolink and Hikvision
cameras. The camera is named by its video source within the source's entry, over MQTT by the
topic's prefix. Not read: faces, bodies, clothes and pictures of objects, which are persons; sensor
data.
"""

from collections.abc import Iterator
from typing import Any, Final

import hub
from connectors._formats.documents import documents
from connectors._formats.json import parse_json
from connectors._formats.notices import MESSAGES, Notice
from connectors._formats.xml import Node, parse_xml
from connectors.onvif.events import event
from connectors.onvif.metadata import frames, tree
from hub import Connector, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_BLANK: Final = b"\xef\xbb\xbf \t\r\n\0"
_ROOTS: Final = frozenset(
    {"Envelope", "Notify", "PullMessagesResponse", "NotificationMessage", "NotficationMessage",
     "MetadataStream", "MetaDataStream"}
)  # fmt: skip
_EVENTS, _FRAMES = "/onvif-ej/", "/onvif-mj/"
_DOCUMENTS_MAX: Final = 256


class Options(hub.Options):
    """What a site may say of an ONVIF source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The events of a payload, in their order; a bad document hides no other one."""
    topic = payload.meta.get("mqtt_topic", "")
    body = payload.body.strip(_BLANK)
    if topic and not body.startswith(b"<"):
        yield from _of_mqtt(body, topic, payload, options)
        return
    if not body:
        raise PayloadError("an empty body instead of events", code="empty")
    if body[:1] in b"{[":
        raise PayloadError(
            "JSON without its topic, which says what it is",
            code="topic-missing",
            path="mqtt_topic",
            fix="take it over MQTT, or give the topic in meta.mqtt_topic",
        )
    for place, document in enumerate(documents(body)):
        if place == _DOCUMENTS_MAX:
            what = f"more than {_DOCUMENTS_MAX} documents in one payload"
            yield Rejection(code="too-many-documents", message=what)
            return
        try:
            yield from _of_document(parse_xml(document), payload, options)
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection(code=error.code, message=error.what, path=path, fix=error.fix)


def _of_document(root: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    if root.name.lower() == "metadatastream":
        notices = [each for name in MESSAGES for each in root.descendants(name)]
        analytics = [tree(each) for each in root.findall("VideoAnalytics")]
        yield from _notices(notices, payload, options)
        if analytics:
            yield from frames(analytics, "", payload, options)
        if not notices and not analytics:
            yield Nothing(why="metadata without events or frames")
        return
    notices = [each for name in MESSAGES for each in root.descendants(name)]
    if not notices and root.name in _ROOTS:
        fault = root.find("Body/Fault")
        why = "a fault of the camera, not an event" if fault else "an answer without events"
        yield Nothing(why=why)
        return
    if not notices:
        raise PayloadError(
            f"no ONVIF: the document is a {root.name}",
            code="not-onvif",
            path=root.path,
            fix="send PullMessagesResponse, Notify or MetadataStream",
        )
    yield from _notices(notices, payload, options)


def _notices(nodes: list[Node], payload: Payload, options: Options) -> Iterator[Outcome]:
    for node in nodes:
        try:
            yield event(Notice.of_xml(node), "", payload, options)
        except PayloadError as error:
            yield Rejection(
                code=error.code, message=error.what, path=error.path or node.path, fix=error.fix
            )


def _of_mqtt(body: bytes, topic: str, payload: Payload, options: Options) -> Iterator[Outcome]:
    if _EVENTS in topic:
        prefix, _, rest = topic.partition(_EVENTS)
        data: Any = parse_json(body) if body else None
        yield event(Notice.of_json(data, rest), prefix, payload, options)
    elif _FRAMES in topic:
        if body:
            yield from frames([parse_json(body)], topic.partition(_FRAMES)[0], payload, options)
        else:
            yield Nothing(why="metadata that were taken back")
    else:
        raise PayloadError(
            "a topic of something else",
            code="unknown-topic",
            path="mqtt_topic",
            fix="subscribe to PREFIX/onvif-ej/# and PREFIX/onvif-mj/#",
        )


connector = Connector(
    name="onvif",
    title="ONVIF cameras: PullPoint and Notify, metadata streams, Profile M over MQTT",
    parse=parse,
    emits=("detection", "plate_read", "health"),
    identity={
        "detection": (
            "body.rule",
            "body.state",
            "body.region",
            "body.target",
            "body.input_ref",
            "body.box",
        ),
        "plate_read": ("restricted.plate.raw", "body.plate_box"),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
    transports=("http_push", "mqtt", "drop_folder"),
)
