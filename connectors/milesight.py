"""Milesight cameras that read plates: the JSON they post, and the last reads that a poll gets.

Traps handled: "-" stands for what is missing (also in `confidence`, `speed` and `direction`); the
key `Vehicle Brand` has a blank; all values are texts; times are local without an offset; pictures
are in base64 inside the message; the region is guessed by the camera and often wrong, so it is
carried in its words and decides nothing; a camera is named by its title alone; the answer of
`get.lpr.lastdata` is text, `plate_0=…` line by line, names no camera and repeats what an earlier
poll got (the same read, the same id).

Known from a recorded push, a library's test of the poll, and the vendor's guide. The list a plate
is on (`White`, `Black`, `Visitor`) is the camera's own. Inferred: direction 1 and 2 of the poll are
the push's `Approach` and `Away`. Not read: the messages of counting, parking and violations, and
the binary ones over TCP.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.inline import inline_pictures
from connectors._formats.json import an_object, parse_json
from connectors._formats.members import the_integer, the_number, the_text
from connectors._formats.numbers import not_negative
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate
from connectors._formats.text import clean
from connectors._formats.times import read_stamp
from hub import Connector, Event, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_MISSING: Final = frozenset({"-", "--", "n/a"})
_PICTURES: Final = {"plate_image": "plate", "vehicle_image": "vehicle", "full_image": "scene"}
"""Members that hold a picture, and what it shows; any other one may be of a person."""
_DIRECTIONS: Final = {
    "approach": "APPROACHING",
    "away": "DEPARTING",
    "1": "APPROACHING",
    "2": "DEPARTING",
}
_BLANK: Final = b"\xef\xbb\xbf \t\r\n\0"
_LINE: Final = re.compile(r"([A-Za-z_]{1,40})_(\d{1,4})\s*=(.*)", re.ASCII)
_POLLED: Final = {
    "roi_id": "detection_region",
    "plate_left": "coordinate_x1",
    "plate_top": "coordinate_y1",
    "plate_right": "coordinate_x2",
    "plate_bottom": "coordinate_y2",
}
"""Names of the poll that are other ones in the push."""
_READS_MAX: Final = 1_000


class Options(hub.Options):
    """What a site may say of a Milesight source."""

    device: str = Field(
        default="",
        max_length=128,
        description="What the camera is called (`device_ref`): a push says its title, which may be "
        "that of many, and the answer to a poll says nothing",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage, or one for each entry of a list."""
    body = payload.body.strip(_BLANK)
    if body and body[:1] not in (b"{", b"["):
        yield from _polled(body, payload, options)
        return
    document = parse_json(payload.body, records=[()])
    for place, each in enumerate(document if isinstance(document, list) else [document]):
        try:
            yield _passage(an_object(each, (place,)), payload, options)
        except PayloadError as error:
            path = error.path or f"[{place}]"
            yield Rejection.of(error, path=path)


def _polled(body: bytes, payload: Payload, options: Options) -> Iterator[Outcome]:
    """The answer of the poll: lines with the number of their read in the name."""
    reads: dict[str, dict[str, str]] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is not None:
            name = found[1].lower()
            reads.setdefault(found[2], {})[_POLLED.get(name, name)] = clean(found[3])
    if not reads:
        raise PayloadError(
            "neither JSON nor the lines of a poll",
            code="unknown-format",
            fix="let the camera post JSON, or poll get.lpr.lastdata",
        )
    for place, (number, told) in enumerate(reads.items()):
        if place == _READS_MAX:
            message = f"more than {_READS_MAX} reads in one answer"
            yield Rejection(code="too-many-records", message=message, path=f"plate_{number}")
            return
        try:
            yield _passage(told, payload, options)
        except PayloadError as error:
            path = f"{error.path}_{number}"
            yield Rejection.of(error, path=path)


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
    unscaled = ("confidence_out_of_scale",) if score is not None and not 0 <= score <= 1 else ()
    plate, flags = read_plate(
        the_text(told, "plate"),
        colour=_text(told, "plate_color"),
        confidence=None if unscaled else score,
    )
    pictures, picture_flags = inline_pictures(
        (_PICTURES.get(name, ""), value)
        for name, value in told.items()
        if name.endswith("_image") and isinstance(value, str) and value.lower() not in _MISSING
    )
    device = options.device or _text(told, "device")
    unnamed = () if device else ("device_unnamed",)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *unscaled, *flags, *picture_flags),
        restricted={"plate": plate},
        pictures=pictures,
        body={
            "direction": _DIRECTIONS.get(_text(told, "direction").lower(), "UNKNOWN"),
            "lane": the_integer(told, "detection_region"),
            "speed_kmh": not_negative(the_number(told, "speed")),
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


connector = Connector(
    name="milesight",
    title="Milesight cameras that read plates, JSON push or poll",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw", "body.lane")},
    options=Options,
    transports=("http_push", "drop_folder", "http_poll"),
)
