"""Genetec AutoVu: plate reads as Security Center and Sharp cameras send them, JSON and XML.

Read are the webhook of Security Center, the JSON and XML of the camera's own HTTP extension
(`PlateRead`, `PlateAnalytics`) and the XML of its FTP template (`AutoVu`).

Traps handled:

- Dates follow the server's locale: 10/24/2024, 24/10/2024, 2024:10:24, 8:29:26 CH. Which of two
  small numbers is the day, the option `date_order` says; else the reading that is nearer to the
  time of receipt counts, with the flag `date_order_assumed`.
- UTC and local time are the same in the recorded push, whose picture proves that UTC is right:
  flag `utc_equals_local`, and the option `utc_is_local` for servers where it is wrong.
- All numbers are texts, decimals with a comma in some locales; "-" and "" stand for missing.
- A fixed camera without GPS is at 0/0, which is no position.
- A read may come again as a hit: the same `VehicleID`, another event.
- Cameras are all called `Lpr Camera`, so the unit's name goes before the camera's.
- Templates whose tags nobody filled (`#PLATE_READ#`).

Known from the vendor's guides and a recorded push. Inferred: stamps of the JSON of a camera, which
name no zone, are local. Not read: names of users, patrols, permits and lots, addresses, other
pictures than of the plate, the scene and the tyres.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import Field

import hub
from connectors._formats.coordinates import read_position
from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.messages import each_message
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.spelt import Order, as_iso
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Outcome, Payload, PayloadError
from hub.connector import Position

__all__ = ["Options", "connector", "parse"]

_BEFORE: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_MISSING: Final = frozenset({"", "-", "--", "n/a"})
_NO_ID: Final = "00000000-0000-0000-0000-000000000000"
_PLACEHOLDER: Final = re.compile(r"#[A-Z_]{2,40}#(?:\{[^{}]{0,80}\})?")
_SEPARATOR: Final = re.compile(r"\s*[-.:/]\s*")
_HIT: Final = frozenset({"yes", "true", "1"})
_ORDERS: Final[dict[str, tuple[Order, ...]]] = {
    "": ("mdy", "dmy"),
    "mdy": ("mdy", "dmy"),
    "dmy": ("dmy", "mdy"),
    "ymd": ("ymd",),
}
"""Orders of a date's numbers, by what is known of it; one that gives no day is passed over."""
_NAMES: Final = {
    "PlateRead": "Plate",
    "Id": "VehicleID",
    "Guid": "VehicleID",
    "LprCameraName": "CameraName",
    "SourceUrl": "SharpName",
    "SourceName": "SharpName",
    "UTCDate": "DateUtc",
    "UTCTime": "TimeUtc",
    "LocalDate": "DateLocal",
    "LocalTime": "TimeLocal",
    "LatitudeY": "Latitude",
    "LongitudeX": "Longitude",
}
"""What the camera's own messages call the members of Security Center's."""
_PICTURES: Final = {
    "PlateImage": "plate",
    "ContextImage": "scene",
    "OverviewImage": "scene",
    "TireImage": "vehicle",
}
"""Members that hold a picture, and what it shows; any other one may be of a person."""
_DIRECTIONS: Final = {"approaching": "APPROACHING", "moving away": "DEPARTING"}


class Options(hub.Options):
    """What a site may say of a Genetec source."""

    date_order: Literal["", "dmy", "mdy"] = Field(
        default="",
        description="Whether the server writes the day first (`dmy`) or the month (`mdy`); empty: "
        "not known, and the reading nearer to the time of receipt counts",
    )
    utc_is_local: bool = Field(
        default=False,
        description="Whether what the server calls UTC is the time of the source's zone",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage, or one for each entry of a list."""
    if payload.body.lstrip(_BEFORE)[:1] == b"<":
        yield _passage(_of_xml(parse_xml(payload.body)), payload, options)
        return
    yield from each_message(
        payload.body, lambda read: _passage(read, payload, options), what="reads"
    )


def _of_xml(root: Node) -> dict[str, Any]:
    """The document as the JSON it stands for."""
    analytics = [each.values() for each in root.findall("PlateAnalytics/PlateAnalytics")]
    return {child.name: child.text for child in root.children} | {"PlateAnalytics": analytics}


def _passage(read: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    told = {_NAMES.get(name, name): value for name, value in read.items()}
    if "Plate" not in told:
        raise PayloadError(
            "no read: the message has no plate, not even an empty one",
            code="missing-field",
            path="Plate",
            fix="let Security Center or the camera send license plate reads",
        )
    about = _attributes(told)
    stamp, time_flags = _stamp(told, payload, options)
    confidence, score_flags = _confidence(told, about)
    raw = the_text(told, "Plate")
    plate, plate_flags = read_plate("" if _is_tag(raw) else raw, confidence=confidence)
    id_ = _text(told, "VehicleID").lower()
    native_id, withheld = without_plate("" if id_ == _NO_ID else id_, plate["text"])
    position, place_flags = _position(told)
    pictures, picture_flags = inline_pictures(
        (_PICTURES.get(name, ""), value)
        for name, value in told.items()
        if name.endswith("Image") and isinstance(value, str) and not _is_tag(value)
    )
    device = _device(told)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device,
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        position=position,
        quality_flags=(
            *stamp.flags,
            *time_flags,
            *(() if device else ("device_unnamed",)),
            *(("template_unfilled",) if any(map(_is_tag, told.values())) else ()),
            *score_flags,
            *plate_flags,
            *withheld,
            *place_flags,
            *picture_flags,
        ),
        restricted={"plate": plate},
        pictures=pictures,
        body=_vehicle(told, about),
    )


def _vehicle(told: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the event."""
    return {
        "direction": _DIRECTIONS.get(_text(about, "relativemotion").lower(), "UNKNOWN"),
        "lane": the_integer(about, "lane"),
        "vehicle_type": _text(about, "vehicletype"),
        "vehicle_colour": _text(about, "vehiclecolor"),
        "vehicle_make": " ".join(
            filter(None, (_text(about, "vehiclemake"), _text(about, "vehiclemodel")))
        ),
        "country": _text(told, "State") or _text(about, "statename"),
        "list_name": "hit" if _text(told, "IsHit").lower() in _HIT else "",
    }


def _is_tag(value: Any) -> bool:
    """Whether the value is a tag of a template that nobody filled."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value) is not None


def _text(told: Mapping[str, Any], name: str) -> str:
    """A member as a text; '' for what stands for missing, and for a tag nobody filled."""
    text = the_text(told, name)
    return "" if text.lower() in _MISSING or _is_tag(text) else text


def _attributes(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was seen of the vehicle, by names in one spelling: attributes, analytics, tags."""
    analytics = [each for each in the_items(told, "PlateAnalytics") if isinstance(each, dict)]
    several = (
        ((name, value) for name, value in told.items() if len(name) < 40),
        the_object(told, "Attributes").items(),
        ((the_text(each, "Key"), each.get("Value")) for each in analytics),
    )
    return {
        name.replace(" ", "").lower(): value
        for each in several
        for name, value in each
        if isinstance(value, str | int | float)
    }


def _device(told: Mapping[str, Any]) -> str:
    unit, camera = _text(told, "SharpName"), _text(told, "CameraName")
    return camera if unit and camera.startswith(unit) else "/".join(filter(None, (unit, camera)))


def _confidence(
    told: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[float | None, tuple[str, ...]]:
    """Of a hundred; 0 is none."""
    score = _number(told, "ConfidenceScore")
    score = _number(about, "confidencescore") if score is None else score
    if not score:
        return None, ()
    known = 0 < score <= 100
    return (round(score / 100, 6), ()) if known else (None, ("confidence_out_of_scale",))


def _number(told: Mapping[str, Any], name: str) -> float | None:
    """A number, also with the comma of the server's locale."""
    text = _text(told, name)
    return the_number({name: text.replace(",", ".", 1)}, name)


def _position(told: Mapping[str, Any]) -> tuple[Position | None, tuple[str, ...]]:
    lat, lon = _number(told, "Latitude"), _number(told, "Longitude")
    if lat is None or lon is None or not (lat or lon):
        return None, ()
    return read_position(lat, lon)


def _stamp(
    told: Mapping[str, Any], payload: Payload, options: Options
) -> tuple[Stamp, tuple[str, ...]]:
    """When it was read, and what is doubtful of it beside the clock."""
    whole = _text(told, "Timestamp")
    if whole:
        return read_stamp(whole, received_at=payload.received_at, options=options), ()
    utc, local = ((_text(told, f"Date{of}"), _text(told, f"Time{of}")) for of in ("Utc", "Local"))
    if not any(utc):
        return _spelt(local, "", payload, options)
    if options.utc_is_local:
        return _spelt(utc, "", payload, options)
    stamp, flags = _spelt(utc, "Z", payload, options)
    if utc == local and stamp.at and stamp.at.astimezone(options.tzinfo).utcoffset():
        flags = (*flags, "utc_equals_local")
    return stamp, flags


def _spelt(
    words: tuple[str, str], zone: str, payload: Payload, options: Options
) -> tuple[Stamp, tuple[str, ...]]:
    """A date and a time of day in the server's spelling."""
    date = _SEPARATOR.sub("/", words[0])
    orders = _ORDERS["ymd" if date.find("/") == 4 else options.date_order]
    texts = dict.fromkeys(as_iso(f"{date} {words[1]}".strip(), order) for order in orders)
    stamps = [
        read_stamp(text and text + zone, received_at=payload.received_at, options=options)
        for text in texts
    ]
    readable = [(stamp, at) for stamp in stamps if (at := stamp.at) is not None]
    if not readable:
        return stamps[0], ()
    if options.date_order or len(readable) == 1:
        return readable[0][0], ()
    stamp, _ = min(readable, key=lambda each: abs(each[1] - payload.received_at))
    return stamp, ("date_order_assumed",)


connector = Connector(
    name="genetec",
    title="Genetec AutoVu, plate reads of Security Center and Sharp cameras (JSON, XML)",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw", "body.list_name")},
    options=Options,
)
