"""Frigate, from 0.9 on: objects it tracks, reviews, plates and its own state, over MQTT or by poll.

What a payload is, its topic says (`frigate/events`, `/reviews`, `/tracked_object_update`,
`/available`, `/<camera>/status/<role>`), else what it holds; the topic's first part is the site's
own. A list is the answer of `GET /api/events`, the way to fill a gap: its events are `replayed`.

Traps handled: one id through many messages (`new`, `update` for hours, `end`); a missing `new`; an
`end` without `end_time`; schemas without `sub_label`, `snapshot` or `recognized_license_plate`; a
review that becomes an alert later, and its `genai` message after the end, which begins nothing
again; updates without camera or time; a plate that is read better with every update (only a changed
one is a new read); false positives; messages that the broker had kept (`replayed`).

Known from the project's documents and recorded messages. Not read: `sub_label`, descriptions and
faces, which may name a person; thumbnails. Documents' samples hold comments; the wire does not, so
they are refused as no JSON.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import hub
from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.members import the_items, the_number, the_object, the_text, the_truth
from connectors._formats.mqtt import as_kept, was_kept
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.text import clean
from connectors._formats.times import Stamp, read_epoch
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Severity

__all__ = ["Options", "connector", "parse"]

_STATES: Final = {"new": "STARTED", "update": "ONGOING", "end": "STOPPED"}
_SEVERITY: Final[dict[str, Severity]] = {"alert": "MINOR", "detection": "INFO"}
_HEALTH: Final = {"online": "ONLINE", "offline": "OFFLINE", "disabled": "DEGRADED"}
_STATUS = re.compile(r"(?:^|/)([^/]{1,120})/status/([^/]{1,60})$")
_EVENTS_MAX = 5_000


class Options(hub.Options):
    """What a site may say of a Frigate source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The events of a message, or of each entry of a list."""
    yield from as_kept(_outcomes(payload, options), payload)


def _outcomes(payload: Payload, options: Options) -> Iterator[Outcome]:
    body = payload.body.strip(b"\xef\xbb\xbf \t\r\n\0")
    topic = payload.meta.get("mqtt_topic", "")
    if body[:1] not in (b"{", b"["):
        yield _plain(body, topic)
        return
    document = parse_json(body, records=[()])
    if isinstance(document, dict):
        yield from _message(document, topic, payload, options)
        return
    if not document:
        yield Nothing(why="the poll brought no event")
    for place, each in enumerate(document[:_EVENTS_MAX]):
        if isinstance(each, dict) and the_text(each, "id"):
            state = "STARTED" if each.get("end_time") is None else "STOPPED"
            yield _tracked(each, state, payload, options, replayed=True)
        elif isinstance(each, Broken):
            yield Rejection.of(each.error(f"[{place}]"))
        else:
            message = "expected an event with an id"
            yield Rejection(code="wrong-type", message=message, path=f"[{place}]")
    if len(document) > _EVENTS_MAX:
        message = f"more than {_EVENTS_MAX} events in one payload"
        yield Rejection(code="too-many-events", message=message, fix="ask for fewer at once")


def _plain(body: bytes, topic: str) -> Outcome:
    """Words that are no JSON: what is online, else counts, commands and pictures."""
    word = body[:16].decode("utf-8", "replace").lower()
    status = _STATUS.search(topic)
    if word in _HEALTH and (status or topic.endswith("/available")):
        camera = clean(status[1]) if status else ""
        component = "video" if status else "device"
        role = f" ({clean(status[2])})" if status else ""
        return Event(
            noun="health",
            kind="device.health",
            device_ref=camera,
            subject=(camera, f"{component}{role}"),
            time_quality="RECEIVED",
            severity="INFO" if word == "online" else "MODERATE",
            body={"state": _HEALTH[word], "component": component, "detail": f"{word}{role}"},
        )
    if not topic:
        raise PayloadError(
            "no JSON, and no topic that says what it is",
            code="malformed",
            path="mqtt_topic",
            fix="take the payload over MQTT, or give the topic in meta.mqtt_topic",
        )
    return Nothing(why="a count, a command or a picture, not an event")


def _message(
    document: Mapping[str, Any], topic: str, payload: Payload, options: Options
) -> Iterator[Outcome]:
    kind = the_text(document, "type")
    after = document.get("after")
    if isinstance(after, dict):
        if topic.endswith("/reviews") or "severity" in after:
            yield _review(after, kind, payload, options)
        else:
            yield from _event(document, after, kind, payload, options)
    elif kind == "lpr":
        yield _plate(document, document, payload, options)
    elif kind in {"description", "face", "classification"} or topic.endswith(
        ("/tracked_object_update", "/stats", "/camera_activity")
    ):
        yield Nothing(why=f"{kind or 'statistics'}: no event of its own")
    else:
        raise PayloadError(
            "no event: neither `after` nor a type that is known",
            code="no-event",
            path="after",
            fix="subscribe to frigate/events, frigate/reviews and frigate/tracked_object_update",
        )


def _event(
    document: Mapping[str, Any],
    after: Mapping[str, Any],
    kind: str,
    payload: Payload,
    options: Options,
) -> Iterator[Outcome]:
    if not the_text(after, "id"):
        raise PayloadError("an object without an id", code="missing-field", path="after/id")
    if the_truth(after, "false_positive"):
        yield Nothing(why="a false positive, as Frigate says")
        return
    yield _tracked(after, _STATES.get(kind, "UNKNOWN"), payload, options)
    before = the_object(document, "before")
    text = the_text(after, "recognized_license_plate")
    if text and (kind == "new" or _reading(before) != _reading(after)):
        yield _plate(after, {"plate": text, **after}, payload, options)


def _reading(data: Mapping[str, Any]) -> tuple[str, float | None]:
    return (
        the_text(data, "recognized_license_plate"),
        the_number(data, "recognized_license_plate_score"),
    )


def _tracked(
    data: Mapping[str, Any],
    state: str,
    payload: Payload,
    options: Options,
    *,
    replayed: bool = False,
) -> Event:
    """An object in front of a camera: it begins, goes on or is gone."""
    end, seen = the_number(data, "end_time"), the_number(data, "frame_time")
    began = the_number(data, "start_time")
    seconds = (end or seen or began) if state == "STOPPED" else (seen or began)
    stamp = _stamp(seconds, payload, options, replayed=replayed)
    score = the_number(data, "score")
    if score is None:
        score = the_number(data, "top_score") or the_number(the_object(data, "data"), "top_score")
    zones = the_items(data, "current_zones") or the_items(data, "zones")
    id_ = the_text(data, "id")
    return Event(
        noun="detection",
        kind="camera.tracked_object",
        subject=(id_,),
        native_id=id_,
        replayed=replayed,
        severity="INFO",
        **_common(data, stamp),
        body={
            "rule": "tracked_object",
            "state": state,
            "target": the_text(data, "label"),
            "region": ",".join(clean(zone) for zone in zones[:16] if isinstance(zone, str)),
            "score": score if score is not None and 0 <= score <= 1 else None,
            "box": _box(data),
        },
    )


def _review(after: Mapping[str, Any], kind: str, payload: Payload, options: Options) -> Outcome:
    """What Frigate asks people to look at; it may become an alert before it ends."""
    id_ = the_text(after, "id")
    if not id_:
        raise PayloadError("a review without an id", code="missing-field", path="after/id")
    if kind not in _STATES:
        return Nothing(why=f"a review's {kind[:32] or 'message'}, which begins nothing again")
    severity = the_text(after, "severity")
    seconds = the_number(after, "end_time") if kind == "end" else None
    stamp = _stamp(seconds or the_number(after, "start_time"), payload, options)
    data = the_object(after, "data")
    return Event(
        noun="detection",
        kind="camera.review",
        subject=("review", id_),
        native_id=id_,
        severity=_SEVERITY.get(severity, "UNKNOWN"),
        **_common(after, stamp),
        body={
            "rule": severity,
            "state": _STATES[kind],
            "target": _words(the_items(data, "objects")),
            "region": _words(the_items(data, "zones")),
        },
    )


def _plate(
    data: Mapping[str, Any], read: Mapping[str, Any], payload: Payload, options: Options
) -> Event:
    """A plate that was read, or read better than before."""
    seconds = (
        the_number(read, "timestamp")
        or the_number(read, "frame_time")
        or the_number(read, "start_time")
    )
    stamp = _stamp(seconds, payload, options)
    score = the_number(read, "recognized_license_plate_score")
    score = the_number(read, "score") if score is None and "timestamp" in read else score
    plate, flags = read_plate(
        the_text(read, "plate"),
        confidence=score if score is not None and 0 <= score <= 1 else None,
    )
    id_, id_flags = without_plate(the_text(data, "id"), plate["text"])
    common = _common(data, stamp)
    common["quality_flags"] += (*flags, *id_flags)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        native_id=id_,
        severity="INFO",
        restricted={"plate": plate},
        body={"vehicle_type": the_text(data, "label")},
        **common,
    )


def _common(data: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    camera = the_text(data, "camera")
    return {
        "device_ref": camera,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "quality_flags": (*stamp.flags, *(() if camera else ("device_unnamed",))),
    }


def _stamp(
    seconds: float | None, payload: Payload, options: Options, *, replayed: bool = False
) -> Stamp:
    return read_epoch(
        seconds,
        received_at=payload.received_at,
        options=options,
        replayed=replayed or was_kept(payload),
    )


def _box(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Left, top, right, bottom in pixels of the stream that detects; its size is not told."""
    box = the_items(data, "box")
    corners = [the_number({"": each}, "") for each in box]
    if len(corners) != 4 or None in corners:
        return None
    left, top, right, bottom = (each or 0.0 for each in corners)
    return a_box([left, top, right - left, bottom - top], "PIXEL")


def _words(values: list[Any]) -> str:
    return ",".join(clean(each) for each in values[:16] if isinstance(each, str))


connector = Connector(
    name="frigate",
    title="Frigate: tracked objects, reviews, plates and availability, over MQTT or by poll",
    parse=parse,
    emits=("detection", "plate_read", "health"),
    identity={
        "detection": ("body.rule", "body.state"),
        "plate_read": ("restricted.plate.raw",),
        "health": ("body.component", "body.state"),
    },
    options=Options,
    transports=("mqtt", "http_push", "http_poll", "drop_folder"),
)
