"""Plates of Axis' License Plate Verifier (FF LPR): pushed, as an event, or searched for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors._formats.coordinates import read_position
from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.multipart import Part
from connectors._formats.onvif_events import Notification
from connectors._formats.onvif_scene import Camera
from connectors._formats.pictures import a_box, take_pictures
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.spelt import iso_of_ms
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node
from hub.connector import Event, Lifecycle, Nothing, Outcome, Rejection

__all__ = ["plate_of_event", "plate_of_push", "searched"]

_LIFECYCLES: Final[dict[str, Lifecycle]] = {"new": "NEW", "update": "UPDATED", "lost": "ENDED"}
_ROLES: Final = {"plate": "plate", "vehicle": "vehicle", "lp": "plate"}
_APART_S: Final = 60
_SEARCHED_MAX: Final = 10_000


def plate_of_push(data: Mapping[str, Any], parts: Sequence[Part], camera: Camera) -> Event:
    """A read as the verifier pushes it; every number is a text."""
    spellings = ("plateUTF8", "plateUnicode", "plateText", "plateASCII")
    info, vehicle = the_object(data, "camera_info"), the_object(data, "vehicle_info")
    geotag = the_object(data, "geotag")
    position, flags = (
        read_position(the_number(geotag, "lat") or 0.0, the_number(geotag, "lon") or 0.0)
        if geotag
        else (None, ())
    )
    kind = _ROLES.get(the_text(data, "imageType").lower(), "scene")
    named = {name: _shown(name) for part in parts for name in part.names}
    beside, beside_flags = take_pictures(parts, named, otherwise=kind)
    inside, inside_flags = inline_pictures(
        (_ROLES.get(the_text(each, "ImageType").lower(), kind), the_text(each, "BinaryImage"))
        for each in the_items(data, "ImageArray") or the_items(data, "imageArray")
        if isinstance(each, dict)
    )
    serial = the_text(info, "SerialNumber") or the_text(info, "MACAddress")
    event = _plate(
        next((text for name in spellings if (text := the_text(data, name))), ""),
        confidence=the_number(data, "plateConfidence"),
        stamp=_stamp(data, camera),
        camera=replace(
            camera, name=camera.name or _serial(serial) or the_text(data, "sensorProviderID")
        ),
        car=(the_text(data, "carID"), the_text(data, "carState")),
        body={
            "vehicle_type": the_text(vehicle, "type"),
            "vehicle_colour": the_text(vehicle, "color"),
            "country": _country(the_text(data, "plateCountry"), the_text(data, "plateRegionCode")),
            "list_name": the_text(data, "plateList"),
            "plate_box": _pixels(the_items(data, "plateCoordinates")),
        },
    )
    return replace(
        event,
        position=position,
        pictures=(*beside, *inside),
        quality_flags=(*event.quality_flags, *flags, *beside_flags, *inside_flags),
    )


def plate_of_event(note: Notification, camera: Camera) -> Event:
    """A read as an event of the camera: `ALPV.AllPlates`, `New`, `Update` or `Lost`."""
    data = note.data
    stamp = _stamp(data, camera)
    if stamp.at is None:
        stamp = camera.stamp(note.utc)
    box = [the_number(data, name) for name in ("left", "top", "width", "height")]
    pictures, flags = inline_pictures([("plate", data.get("lpImage", ""))])
    event = _plate(
        data.get("text", ""),
        confidence=the_number(data, "confidence"),
        stamp=stamp,
        camera=replace(camera, name=camera.name or _serial(data.get("MACAddress", ""))),
        car=(data.get("carID", ""), data.get("carState", "")),
        body={
            "vehicle_type": data.get("vehicleType", ""),
            "vehicle_colour": data.get("vehicleColor", ""),
            "country": _country(data.get("country", ""), data.get("regionCode", "")),
            "list_name": data.get("listName", ""),
            "plate_box": a_box(box, "PIXEL"),
        },
    )
    return replace(event, pictures=pictures, quality_flags=(*event.quality_flags, *flags))


def searched(root: Node, camera: Camera) -> Iterator[Outcome]:
    """The answer of `search.cgi`: reads of the past, with two times that may differ by hours."""
    found = root.findall("event")
    if not found:
        yield Nothing(why="the search brought no plate")
    for each in found[:_SEARCHED_MAX]:
        stamp = camera.stamp(iso_of_ms(_whole(each.value("TS"))), replayed=True)
        labelled = camera.stamp(each.value("MOD_TS"), replayed=True)
        if stamp.at is None:
            stamp = replace(labelled, flags=(*stamp.flags, *labelled.flags))
        elif labelled.at and abs((stamp.at - labelled.at).total_seconds()) > _APART_S:
            stamp = replace(stamp, quality="SUSPECT", flags=(*stamp.flags, "times_disagree"))
        if not each.value("LPR") and stamp.at is None:
            message = "a read without plate and time"
            yield Rejection(code="plate-empty", message=message, path=f"{each.path}/LPR")
            continue
        event = _plate(
            each.value("LPR"),
            confidence=None,
            stamp=stamp,
            camera=camera,
            car=(each.value("CAR_ID"), ""),
            body={"country": each.value("COUNTRY")},
        )
        yield replace(event, replayed=True)
    if len(found) > _SEARCHED_MAX:
        message = f"more than {_SEARCHED_MAX} reads in one answer"
        yield Rejection(code="too-many-records", message=message, fix="search a shorter time")


def _plate(
    raw: str,
    *,
    confidence: float | None,
    stamp: Stamp,
    camera: Camera,
    car: tuple[str, str],
    body: Mapping[str, Any],
) -> Event:
    flags: tuple[str, ...] = ()
    if confidence is not None and not 0 <= confidence <= 1:
        confidence, flags = None, ("confidence_out_of_scale",)
    plate, plate_flags = read_plate(raw, confidence=confidence)
    car_id, state = car
    native_id, id_flags = without_plate(car_id if stamp.at else "", plate["text"])
    device_ref = camera.ref()
    unnamed = () if device_ref else ("device_unnamed",)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device_ref,
        subject=("car", device_ref, native_id) if native_id else (),
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle=_LIFECYCLES.get(state.lower(), "UNKNOWN"),
        replayed=camera.replayed,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *flags, *plate_flags, *id_flags),
        body=body,
        restricted={"plate": plate},
    )


def _stamp(data: Mapping[str, Any], camera: Camera) -> Stamp:
    """`capture_timestamp` is UTC; `datetime` is the camera's local time."""
    ms, ns = (_whole(the_text(data, name)) for name in ("capture_timestamp", "capture_ts"))
    stamp = camera.stamp(iso_of_ms(ms or (ns or 0) // 1_000_000))
    local = the_text(data, "datetime") or the_text(data, "Datetime")
    if stamp.at is not None or not local:
        return stamp
    return read_stamp(
        local,
        received_at=camera.received_at,
        options=camera.options,
        replayed=camera.replayed,
    )


def _whole(text: str) -> int | None:
    """A whole number that 32 bits would not hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _shown(name: str) -> str:
    """What a picture shows, by the mark in its file's name: `…lp_…`, `…roi_…`."""
    return "plate" if "lp_" in name else "scene" if "roi_" in name else ""


def _pixels(numbers: list[Any]) -> dict[str, Any] | None:
    """Left, top, width, height in pixels of the whole frame, whose size is not told."""
    sides = [the_number({"": each}, "") for each in numbers]
    return a_box(sides, "PIXEL") if len(sides) == 4 else None


def _serial(text: str) -> str:
    return text.replace(":", "").replace("-", "").upper()


def _country(code: str, region: str) -> str:
    return "-".join(filter(None, (code, region)))
