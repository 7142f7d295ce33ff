"""Milesight cameras that read plates: the JSON they post, one vehicle a message.

Traps handled: "-" stands for what is missing (also in `confidence`, `speed` and `direction`); the
key `Vehicle Brand` has a blank; all values are texts; times are local without an offset; pictures
are in base64 inside the message; the region is guessed by the camera and often wrong, so it is
carried in its words and decides nothing; a camera is named by its title alone.

Known from a recorded push and the vendor's guide. The list a plate is on (`White`, `Black`,
`Visitor`) is the camera's own.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.json import an_object, parse_json
from connectors._formats.members import the_integer, the_number, the_text
from connectors._formats.multipart import Part
from connectors._formats.pictures import a_box, take_pictures
from connectors._formats.plates import read_plate
from connectors._formats.times import read_stamp
from hub import Connector, Event, Options, Outcome, Payload, PayloadError, Picture, Rejection

__all__ = ["Options", "connector", "parse"]

_MISSING: Final = frozenset({"-", "--", "n/a"})
_PICTURES: Final = {"plate_image": "plate", "vehicle_image": "vehicle", "full_image": "scene"}
"""Members that hold a picture, and what it shows; any other one may be of a person."""
_DIRECTIONS: Final = {"approach": "APPROACHING", "away": "DEPARTING"}


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage, or one for each entry of a list."""
    document = parse_json(payload.body)
    for place, each in enumerate(document if isinstance(document, list) else [document]):
        try:
            yield _passage(an_object(each, (place,)), payload, options)
        except PayloadError as error:
            path = error.path or f"[{place}]"
            yield Rejection(code=error.code, message=error.what, path=path, fix=error.fix)


def _passage(told: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    if "plate" not in told:
        raise PayloadError(
            "no vehicle: the message has no plate",
            code="missing-field",
            path="plate",
            fix="let the camera post its recognitions",
        )
    stamp = read_stamp(
        _text(told, "time_msec") or _text(told, "time"),
        received_at=payload.received_at,
        options=options,
    )
    score = the_number(told, "confidence")
    plate, flags = read_plate(
        _text(told, "plate"),
        colour=_text(told, "plate_color"),
        confidence=score if score is not None and 0 <= score <= 1 else None,
    )
    pictures, picture_flags = _pictures(told)
    device = _text(told, "device")
    unnamed = () if device else ("device_unnamed",)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *flags, *picture_flags),
        restricted={"plate": plate},
        pictures=pictures,
        body={
            "direction": _DIRECTIONS.get(_text(told, "direction").lower(), "UNKNOWN"),
            "lane": the_integer(told, "detection_region"),
            "speed_kmh": the_number(told, "speed"),
            "vehicle_type": _text(told, "vehicle_type"),
            "vehicle_colour": _text(told, "vehicle_color"),
            "vehicle_make": _text(told, "Vehicle Brand") or _text(told, "vehicle_brand"),
            "country": _text(told, "region"),
            "plate_box": _box(told),
            "list_name": _text(told, "type"),
        },
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    text = the_text(told, name)
    return "" if text.lower() in _MISSING else text


def _box(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Two corners in pixels of a picture whose size is told."""
    left, top, right, bottom = (
        the_number(told, f"coordinate_{name}") for name in ("x1", "y1", "x2", "y2")
    )
    if left is None or top is None or right is None or bottom is None:
        return None
    size = (the_integer(told, "resolution_width"), the_integer(told, "resolution_height"))
    return a_box([left, top, right - left, bottom - top], "PIXEL", size)


def _pictures(told: Mapping[str, Any]) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    found: list[Picture] = []
    flags: list[str] = []
    for name, value in told.items():
        if not name.endswith("_image") or not isinstance(value, str) or len(value) < 8:
            continue
        role = _PICTURES.get(name)
        if role is None:
            flags.append("person_picture_dropped")
            continue
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            flags.append("picture_unreadable")
            continue
        part = Part(data, {"content-disposition": f'form-data; name="{role}"'})
        taken, more = take_pictures([part], {role: role}, otherwise=role)
        found += taken
        flags += more
    return tuple(found), tuple(dict.fromkeys(flags))


connector = Connector(
    name="milesight",
    title="Milesight cameras that read plates, JSON push",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw", "body.lane")},
    options=Options,
)
