"""NVIDIA DeepStream and Metropolis: objects seen, whole frames and incidents, JSON over Kafka.

What a message is, its members say: an `object` (the full schema, one for each object of a chosen
frame; also a behaviour), `objects` (a frame: texts split by `|` in the minimal schema, objects in
that of Metropolis), or a `category` (an incident). A body is one message, a list, or a line each.

Traps handled:

- A fifth of the messages is older than the one before it: each is told by its own time.
- `UNK-M-0` and empty licences are no plates. A car is told in every frame, so only a licence that
  was read, and an entry or exit, is a passage.
- Objects are numbered by the tracker of one camera; 2^64 - 1 stands for one that is not tracked.
- A confidence of 0 or -0.1 is none. It is of the object, never of the plate.
- 0/0 and the positions of the vendor's example (30.33, -40.55) are none.
- A message that a broker of MQTT had kept is `replayed`.
- Boxes are corners in pixels; where all are below 1, nobody says what they are.
- Newer converters name the object by its label (`"Car": {…}`) and leave the event's type empty.
- An incident is sent again with a later `end` and its objects in any order: camera, category, begin
  and sorted objects are its subject, and its time is the latest it tells of.

Known from the vendor's converter, schemas and demo. Inferred: `info.license` of objects in the
schema of Metropolis; that `isComplete` ends an incident. Not read: Protocol Buffers, what is said
of persons and faces, speeds (no unit is told), places on a floor plan, paths of videos, the id of
an incident (its key is the above).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors._formats.coordinates import read_position
from connectors._formats.json import Path, an_object, parse_json, shown
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.mqtt import as_kept, was_kept
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Position

__all__ = ["Options", "connector", "parse"]

_BEFORE: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
# In one document `{` follows `[`, `,` or `:`; at the begin of a line after anything else, a message
# begins.
_LINES: Final = re.compile(rb"[^\s\[,:][ \t\r]*\n[ \t\r\n]*\{")
_FIX: Final = "let nvmsgconv send JSON (payload-type 0 or 1), or mirror the topics of JSON"
_OBJECTS_MAX: Final = 2_000
_UNTRACKED: Final = frozenset({"", "-1", "18446744073709551615"})
_UNKNOWN: Final = frozenset({"", "-", "UNK", "UNKNOWN", "NULL", "(NULL)"})
_EXAMPLES: Final = frozenset({(30.33, -40.55), (30.333, -40.555)})
_STATES: Final = {
    **dict.fromkeys(("", "moving", "stopped", "parked", "empty"), "ONGOING"),
    **dict.fromkeys(("entry", "exit"), "PULSE"),
}
_PASSAGES: Final = frozenset({"entry", "exit"})
_CORNERS: Final = (
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("leftX", "topY", "rightX", "bottomY"),
)
_VEHICLE: Final = ("type", "make", "model", "color", "license", "region", "confidence")
"""What the minimal schema says of a vehicle, in order; of anything else the last is known alone."""
_NO_CLASS: Final = frozenset(
    {"bbox", "bbox3d", "location", "coordinate", "pose", "gaze", "embedding", "info", "attribute",
     "lipActivity", "segmentation", "mask"}
)  # fmt: skip
"""Members of an object that are not its class."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the objects of a message share."""

    camera: str
    stamp: Stamp
    message_id: str = ""
    what: str = ""
    region: str = ""

    def common(self, native_id: str | None, flags: tuple[str, ...]) -> dict[str, Any]:
        """Fields of each event."""
        unnamed = () if self.camera else ("device_unnamed",)
        return {
            "device_ref": self.camera,
            "native_id": native_id or None,
            "observed_at": self.stamp.at,
            "time_quality": self.stamp.quality,
            "severity": "INFO",
            "quality_flags": (*self.stamp.flags, *unnamed, *flags),
        }


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """What each message tells; a bad one never hides its neighbours."""
    for path, message in _messages(payload.body):
        try:
            if isinstance(message, PayloadError):
                raise message
            told = _outcomes(an_object(message, path), path, payload, options)
            yield from as_kept(told, payload)
        except PayloadError as error:
            if not path:
                raise
            where = error.path or shown(path)
            yield Rejection.of(error, path=where)


def _messages(body: bytes) -> Iterator[tuple[Path, Any]]:
    """Where each message stands, and the message, or why its line is none."""
    start = body.lstrip(_BEFORE)[:1]
    if start and start not in b"{[":
        raise PayloadError("no JSON", code="unknown-format", fix=_FIX)
    if start != b"{" or not _LINES.search(body):
        document = parse_json(body, records=[()])
        if not isinstance(document, list):
            yield (), document
            return
        for place, message in enumerate(document):
            yield (place,), message
        return
    for place, line in enumerate(filter(None, map(bytes.strip, body.splitlines()))):
        try:
            yield (place,), parse_json(line)
        except PayloadError as error:
            yield (place,), error


def _outcomes(
    message: dict[str, Any], path: Path, payload: Payload, options: Options
) -> Iterator[Outcome]:
    if isinstance(message.get("object"), dict):
        yield from _object(message, payload, options)
    elif "objects" in message:
        yield from _frame(message, path, payload, options)
    elif "category" in message or "objectIds" in message:
        yield _incident(message, path, payload, options)
    else:
        what = "neither an object nor a frame nor an incident"
        raise PayloadError(what, code="no-event", path=shown((*path, "object")), fix=_FIX)


def _stamp(
    message: Mapping[str, Any], names: tuple[str, ...], payload: Payload, options: Options
) -> Stamp:
    """The first of several times that is given."""
    raw = next(filter(None, (the_text(message, name) for name in names)), "")
    return read_stamp(
        raw, received_at=payload.received_at, options=options, replayed=was_kept(payload)
    )


def _camera(message: Mapping[str, Any]) -> str:
    return the_text(message, "sensorId") or the_text(the_object(message, "sensor"), "id")


def _object(message: dict[str, Any], payload: Payload, options: Options) -> Iterator[Event]:
    """One object of one frame; a behaviour tells of the object until its `end`."""
    place = the_object(message, "place")
    parts = (part for name, part in place.items() if isinstance(part, dict) and name != "location")
    seen = _Seen(
        _camera(message),
        _stamp(message, ("@timestamp", "end", "timestamp"), payload, options),
        the_text(message, "messageid"),
        the_text(the_object(message, "event"), "type"),
        next(filter(None, (the_text(part, "id") or the_text(part, "name") for part in parts)), ""),
    )
    yield from _events(message["object"], seen)


def _frame(
    frame: dict[str, Any], path: Path, payload: Payload, options: Options
) -> Iterator[Outcome]:
    objects = the_items(frame, "objects")
    if not objects:
        yield Nothing(why="a frame without objects")
    seen = _Seen(_camera(frame), _stamp(frame, ("@timestamp", "timestamp"), payload, options))
    for place, item in enumerate(objects[:_OBJECTS_MAX]):
        where = (*path, "objects", place)
        try:
            thing = _spelt_out(item, where) if isinstance(item, str) else an_object(item, where)
            yield from _events(thing, seen)
        except PayloadError as error:
            yield Rejection.of(error)
    if len(objects) > _OBJECTS_MAX:
        what = f"more than {_OBJECTS_MAX} objects in one frame"
        yield Rejection(code="too-many-objects", message=what, path=shown((*path, "objects")))


def _spelt_out(text: str, path: Path) -> dict[str, Any]:
    """`957|1834|150|1918|215|Vehicle|#|sedan|…|0.8` as the object it stands for."""
    id_, *fields = text.split("|")
    if len(fields) < 5 or any(the_number({"": each}, "") is None for each in fields[:4]):
        what = "an object begins with its id, four numbers of its box and its class"
        raise PayloadError(what, code="malformed-object", path=shown(path))
    label, about = fields[4], fields[6:] if fields[5:6] == ["#"] else []
    about = about[: about.index("#")] if "#" in about else about
    known = label.lower() == "vehicle" and len(about) == len(_VEHICLE)
    return {
        "id": id_,
        "type": label,
        "bbox": dict(zip(_CORNERS[1], fields[:4], strict=True)),
        "confidence": about[-1] if about else "",
        "info": dict(zip(_VEHICLE, about, strict=True)) if known else {},
    }


def _events(thing: Mapping[str, Any], seen: _Seen) -> Iterator[Event]:
    """An object in front of a camera, and its passage where it is one."""
    label, about = _class(thing)
    plate, unread = read_plate(the_text(about, "license"))
    position, flags = _position(thing)
    score, score_flags = _score(about, thing)
    id_ = the_text(thing, "id")
    tracked = id_ not in _UNTRACKED
    native_id, withheld = without_plate(seen.message_id or (id_ if tracked else ""), plate["text"])
    common = seen.common(native_id, (*flags, *withheld))
    what = snake(seen.what)
    yield Event(
        noun="detection",
        kind="camera.tracked_object" if what in ("", "moving") else f"camera.{what}"[:120],
        subject=("object", seen.camera, id_) if tracked else (),
        position=position,
        body={
            "rule": seen.what or "tracked_object",
            "state": _STATES.get(what, "UNKNOWN"),
            "target": label,
            "region": seen.region,
            "score": score,
            "box": _box(thing),
        },
        **{**common, "quality_flags": (*common["quality_flags"], *score_flags)},
    )
    if plate["text"] or (what in _PASSAGES and "license" in about):
        yield Event(
            noun="plate_read",
            kind="vehicle.passage",
            position=position,
            restricted={"plate": plate},
            body={
                "vehicle_type": _word(about, "type"),
                "vehicle_colour": _word(about, "color"),
                "vehicle_make": " ".join(
                    filter(None, (_word(about, "make"), _word(about, "model")))
                ),
                "country": _word(about, "licenseState") or _word(about, "region"),
            },
            **{**common, "quality_flags": (*common["quality_flags"], *unread)},
        )


def _class(thing: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What the object is, and what is said of it: a member of that name, or `info`."""
    label = the_text(thing, "type") or the_text(thing, "label")
    if label:
        return label, the_object(thing, "info")
    for name, member in thing.items():
        if isinstance(member, dict) and name not in _NO_CLASS:
            return clean(name), member
    return "", {}


def _word(about: Mapping[str, Any], name: str) -> str:
    text = the_text(about, name)
    return "" if text.upper() in _UNKNOWN else text


def _score(
    about: Mapping[str, Any], thing: Mapping[str, Any]
) -> tuple[float | None, tuple[str, ...]]:
    score = the_number(about, "confidence")
    score = the_number(thing, "confidence") if score is None else score
    if score is None or score <= 0:
        return None, ()
    return (score, ()) if score <= 1 else (None, ("confidence_out_of_scale",))


def _position(thing: Mapping[str, Any]) -> tuple[Position | None, tuple[str, ...]]:
    place = the_object(thing, "location")
    lat, lon = the_number(place, "lat"), the_number(place, "lon")
    if lat is None or lon is None or not (lat or lon) or (lat, lon) in _EXAMPLES:
        return None, ()
    return read_position(lat, lon)


def _box(thing: Mapping[str, Any]) -> dict[str, Any] | None:
    """Two corners, in the spelling of either schema."""
    told = the_object(thing, "bbox")
    names = _CORNERS[0] if _CORNERS[0][0] in told else _CORNERS[1]
    left, top, right, bottom = (the_number(told, name) for name in names)
    if left is None or top is None or right is None or bottom is None:
        return None
    if right <= left or bottom <= top:
        return None
    scale = "PIXEL" if max(right, bottom) > 1 else "UNKNOWN"
    return a_box([left, top, round(right - left, 6), round(bottom - top, 6)], scale)


def _incident(incident: dict[str, Any], path: Path, payload: Payload, options: Options) -> Event:
    category = the_text(incident, "category")
    if not category:
        what = "an incident that does not say of which category it is"
        raise PayloadError(what, code="missing-field", path=shown((*path, "category")))
    ids = (the_text({"": id_}, "") for id_ in the_items(incident, "objectIds")[:_OBJECTS_MAX])
    seen = _Seen(_camera(incident), _stamp(incident, ("end", "timestamp"), payload, options))
    complete = the_text(the_object(incident, "info"), "isComplete").lower() == "true"
    return Event(
        noun="detection",
        kind=f"camera.{snake(category) or 'incident'}"[:120],
        subject=("incident", seen.camera, category, the_text(incident, "timestamp"), *sorted(ids)),
        body={
            "rule": category,
            "state": "STOPPED" if complete else "ONGOING",
            "region": the_text(the_object(incident, "place"), "name"),
        },
        **{**seen.common(None, ()), "severity": "UNKNOWN"},
    )


connector = Connector(
    name="deepstream",
    title="NVIDIA DeepStream and Metropolis: objects, frames and incidents (JSON)",
    parse=parse,
    emits=("detection", "plate_read"),
    identity={
        "detection": ("body.rule", "body.state", "body.target", "body.region", "body.box"),
        "plate_read": ("restricted.plate.raw",),
    },
    transports=("kafka", "mqtt", "http_push", "drop_folder"),
)
