"""Plate Recognizer: webhooks of Stream, answers of Snapshot, and what ParkPow passes on.

Reads JSON, a form with a field `json`, and a multipart with the fields `json` and `upload` (the
picture). One event for each result; a result without a plate is a passage without a reading.

Traps handled: the plate is in lower case; no id of an event (camera, time and plate are its key);
retries much later (a hook that was down is called again: the same bytes give the same ids);
`timestamp` is UTC and believed before `timestamp_local`; `direction` is a text, a number of degrees
or empty; `score` is of the reading, `dscore` of the detection; vehicles of type `Unknown`; several
candidates (only the first is the reading).

Known from the vendor's repositories and their fixtures. Inferred: degrees of `direction` are of the
picture, so they say nothing of approaching. Not read: `source_url`, which may hold a password.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import hub
from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json, shown
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import a_box, is_picture, take_pictures
from connectors._formats.plates import read_plate
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Picture, Rejection

__all__ = ["Options", "connector", "parse"]

_FORM = b"json="
_RECORDS: Final = ((), ("results",), ("data", "results"))
_UNREAD: Final = frozenset({"unknown", "invalid", "generic"})
_BLANK = b"\xef\xbb\xbf \t\r\n\0"


class Options(hub.Options):
    """What a site may say of a Plate Recognizer source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One event for each result, in their order."""
    document, parts = _document(payload)
    pictures, flags = take_pictures(parts, {}, otherwise="vehicle")
    for place, each in enumerate(document if isinstance(document, list) else [document]):
        if isinstance(each, Broken):
            yield Rejection.of(each.error(shown((place,))))
            continue
        if not isinstance(each, dict):
            yield _refused("expected an object", "wrong-type", (place,))
            continue
        yield from _recognition(each, (pictures, flags), payload, options)


def _document(payload: Payload) -> tuple[Any, list[Part]]:
    """The JSON of a body and the pictures beside it, in whichever of the three ways it came."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of a recognition", code="empty")
    if body[:1] in b"{[":
        return parse_json(body, records=_RECORDS), []
    if body.startswith(_FORM) or "urlencoded" in payload.content_type.lower():
        return parse_json(_field(body), records=_RECORDS), []
    pictures, found = [], None
    for part in split(body, payload.content_type):
        if is_picture(part):
            pictures.append(part)
        elif found is None and part.data.lstrip(_BLANK)[:1] in (b"{", b"["):
            found = part.data
    if found is None:
        raise PayloadError(
            "no recognition in the body",
            code="no-event",
            path="json",
            fix="send JSON, a form with the field `json`, or a multipart with `json` and `upload`",
        )
    return parse_json(found, records=_RECORDS), pictures


def _field(body: bytes) -> bytes:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=50, keep_blank_values=True)
    except ValueError as error:
        raise PayloadError(f"no form: {error}", code="malformed") from error
    if not fields.get("json"):
        raise PayloadError("a form without the field `json`", code="no-event", path="json")
    return fields["json"][0].encode()


def _recognition(
    document: Mapping[str, Any],
    beside: tuple[tuple[Picture, ...], tuple[str, ...]],
    payload: Payload,
    options: Options,
) -> Iterator[Outcome]:
    data = the_object(document, "data") or document
    event = the_text(the_object(document, "hook"), "event")
    if event not in ("", "recognition"):
        yield Nothing(why=f"a hook of {event[:32]}, not of a recognition")
        return
    if not isinstance(data.get("results"), list):
        yield _refused("no list of results", "missing-field", ("results",))
        return
    if not data["results"]:
        yield Nothing(why="nothing was recognised")
    stamp = _stamp(data, payload, options)
    camera = the_text(data, "camera_id")
    for place, result in enumerate(data["results"]):
        if isinstance(result, Broken):
            yield Rejection.of(result.error(shown(("results", place))))
            continue
        if not isinstance(result, dict):
            yield _refused("expected an object", "wrong-type", ("results", place))
            continue
        plate, flags = _plate(result)
        unnamed = () if camera else ("device_unnamed",)
        yield Event(
            noun="plate_read",
            kind="vehicle.passage",
            severity="INFO",
            device_ref=camera,
            observed_at=stamp.at,
            time_quality=stamp.quality,
            quality_flags=(*stamp.flags, *unnamed, *flags, *beside[1]),
            pictures=beside[0],
            restricted={"plate": plate},
            body=_body(result, data),
        )


def _stamp(data: Mapping[str, Any], payload: Payload, options: Options) -> Stamp:
    raw = the_text(data, "timestamp") or the_text(data, "timestamp_local")
    return read_stamp(raw, received_at=payload.received_at, options=options)


def _plate(result: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    value = result.get("plate")
    score = the_number(result, "score")
    if isinstance(value, dict):
        # Newer versions describe the plate: its text is the first of its candidates.
        props = the_items(the_object(value, "props"), "plate")
        first = props[0] if props and isinstance(props[0], dict) else {}
        score = the_number(first, "score")
        value = the_text(first, "value")
    raw = value if isinstance(value, str) else ""
    score = score if score is not None and 0 <= score <= 1 else None
    return read_plate(raw, confidence=score)


def _body(result: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    vehicle, box = the_object(result, "vehicle"), the_object(result, "box")
    corners = [the_number(box, name) for name in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = corners
    sized = None
    if left is not None and top is not None and right is not None and bottom is not None:
        size = (the_integer(data, "image_width"), the_integer(data, "image_height"))
        sized = a_box([left, top, right - left, bottom - top], "PIXEL", size)
    return {
        "vehicle_type": _known(the_text(vehicle, "type")),
        "vehicle_colour": _best(result, "color", "color"),
        "vehicle_make": _best(result, "model_make", "make"),
        "country": the_text(the_object(result, "region"), "code"),
        "plate_box": sized,
    }


def _best(result: Mapping[str, Any], name: str, member: str) -> str:
    """The first of a list of guesses, which is the best."""
    guesses = the_items(result, name)
    first = guesses[0] if guesses and isinstance(guesses[0], dict) else {}
    return _known(the_text(first, member))


def _known(text: str) -> str:
    return "" if text.lower() in _UNREAD else text


def _refused(what: str, code: str, path: tuple[str | int, ...]) -> Rejection:
    return Rejection(code=code, message=what, path=shown(path))


connector = Connector(
    name="plate_recognizer",
    title="Plate Recognizer Stream and Snapshot, webhooks",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw", "body.plate_box")},
    options=Options,
)
