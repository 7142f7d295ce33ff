"""Survision sensors that read plates (Micropak 3 and later): what they push, JSON.

A decision of an `anpr` message is a passage, also as the answer to a trigger (`triggerResult`) or
to a question (`getCurrentLog`); `infos` are the health of the sensor. Which sensor it is, its
header `Survision-Serial-Number` says, else the option `device`.

Traps handled:

- `@synchronized` "0": the clock is not set, so the time is suspect however likely it looks.
- All values are texts; times are milliseconds since 1970, reliabilities of a hundred.
- `@session` and `@id` count from 1 after each start: only with the time do they name a passage.
- A decision is sent again while the vehicle stands there, and for its trigger: as many reads.
- `new`, `end`, `noPlate` and `speed` of one passage come as messages of their own.
- A picture is a text, or an object around one; one character's reliability an object or a list.

Known from a recorded push, an integrator's code and a simulator of the device. Inferred: a plate
that is the front one is of a vehicle that approaches. Not read: the speed that comes after its
decision, plates of dangerous goods (`dgpr`), the plates and settings a sensor keeps, XML.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.messages import each_message
from connectors._formats.numbers import not_negative
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp, read_epoch
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError

__all__ = ["Options", "connector", "parse"]

_SERIAL: Final = "survision-serial-number"
_NO: Final = frozenset({"0", "false"})
_DIRECTIONS: Final = {"front": "APPROACHING", "rear": "DEPARTING"}
_OTHERS: Final = frozenset(
    {"answer", "config", "database", "date", "dgpr", "image", "ioState", "keepAlive", "traces",
     "triggerAnswer", "video", "xsd"}
)  # fmt: skip
"""Messages that tell of no passage."""


class Options(hub.Options):
    """What a site may say of a Survision source."""

    device: str = Field(
        default="",
        max_length=128,
        description="What the sensor is called (`device_ref`), where its pushes come without the "
        "header that tells its serial number",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The passage, or the health, that a message tells."""
    yield from each_message(
        payload.body, lambda message: _outcome(message, payload, options), what="messages"
    )


def _outcome(message: Mapping[str, Any], payload: Payload, options: Options) -> Outcome:
    for kind in ("anpr", "triggerResult"):
        told = message.get(kind)
        if isinstance(told, dict):
            if isinstance(told.get("decision"), dict):
                return _passage(told, told["decision"], payload, options)
            return Nothing(why=f"{kind} without a decision")
    sensor = the_object(the_object(message, "infos"), "sensor")
    if sensor:
        return _health(sensor, payload, options)
    other = next((name for name in message if name in _OTHERS or name == "infos"), "")
    if other:
        return Nothing(why=f"{other}: no passage")
    raise PayloadError(
        "neither a read nor another message of a sensor",
        code="no-event",
        path="anpr",
        fix="let the sensor push its anpr messages",
    )


def _device(payload: Payload, options: Options) -> str:
    return options.device or payload.meta.get(f"header.{_SERIAL}", "").strip()


def _passage(
    told: Mapping[str, Any], decision: Mapping[str, Any], payload: Payload, options: Options
) -> Event:
    stamp = _stamp(told, payload, options)
    confidence, score_flags = _ratio(the_number(decision, "@reliability"))
    plate, plate_flags = read_plate(
        the_text(decision, "@plate"),
        colour=the_text(decision, "@plateBackground"),
        confidence=confidence,
    )
    session, count = the_text(told, "@session"), the_text(told, "@id")
    native_id, withheld = without_plate(
        f"{session}/{count}" if session and count else "", plate["text"]
    )
    pictures, picture_flags = inline_pictures(
        ("scene", _inner(decision, name)) for name in ("jpeg", "contextJpeg")
    )
    device = _device(payload, options)
    unnamed = () if device else ("device_unnamed",)
    speed = the_object(told, "speed") or the_object(decision, "speed")
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device,
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(
            *stamp.flags, *unnamed, *score_flags, *plate_flags, *withheld, *picture_flags,
        ),
        restricted={"plate": plate},
        pictures=pictures,
        body={
            "direction": _DIRECTIONS.get(the_text(decision, "@direction").lower(), "UNKNOWN"),
            "speed_kmh": not_negative(the_number(speed, "@instantSpeed_km_h")),
            "country": _country(decision),
            "character_confidences": _characters(decision),
            "plate_box": a_box(
                [the_number(decision, name) for name in ("@x", "@y", "@width", "@height")], "PIXEL"
            ),
            "list_name": "database" if the_object(decision, "database") else "",
        },
    )  # fmt: skip


def _stamp(told: Mapping[str, Any], payload: Payload, options: Options) -> Stamp:
    """The time, which is suspect where the sensor says that its clock is not set."""
    milliseconds = the_number(told, "@date")
    stamp = read_epoch(
        milliseconds and milliseconds / 1000, received_at=payload.received_at, options=options
    )
    if stamp.at is None or the_text(told, "@synchronized").lower() not in _NO:
        return stamp
    return replace(stamp, quality="SUSPECT", flags=(*stamp.flags, "clock_unsynchronised"))


def _ratio(reliability: float | None) -> tuple[float | None, tuple[str, ...]]:
    """Of a hundred; 0 is none."""
    if not reliability:
        return None, ()
    known = 0 < reliability <= 100
    return (round(reliability / 100, 6), ()) if known else (None, ("confidence_out_of_scale",))


def _characters(decision: Mapping[str, Any]) -> list[float]:
    """Confidence of each character, in their order; none when one of them is not told."""
    told = the_object(decision, "reliabilityPerCharacter")
    several = the_items(told, "char") or [the_object(told, "char")]
    found: dict[float, float] = {}
    for each in several[:64]:
        place, value = (
            (the_number(each, name) if isinstance(each, dict) else None)
            for name in ("@index", "@reliability")
        )
        if place is None or value is None or not 0 <= value <= 100:
            return []
        found[place] = round(value / 100, 6)
    return [found[place] for place in sorted(found)]


def _country(decision: Mapping[str, Any]) -> str:
    names = (the_text(decision, name) for name in ("@context_isoAlpha2", "@context"))
    return next((name for name in names if name and name.lower() != "unknown"), "")


def _inner(told: Mapping[str, Any], name: str) -> str:
    """A text, or the one in the object that stands for it."""
    value = told.get(name)
    value = value.get("#text") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""


def _health(sensor: Mapping[str, Any], payload: Payload, options: Options) -> Event:
    status = the_text(sensor, "@status")
    device = _device(payload, options) or the_text(sensor, "@serial")
    return Event(
        noun="health",
        kind="device.health",
        device_ref=device,
        subject=(device, "device"),
        time_quality="RECEIVED",
        quality_flags=() if device else ("device_unnamed",),
        body={
            "state": "ONLINE" if status.upper() == "RUNNING" else "UNKNOWN",
            "component": "device",
            "detail": status,
            "firmware": the_text(sensor, "@firmwareVersion"),
        },
    )


connector = Connector(
    name="survision",
    title="Survision sensors that read plates, JSON push",
    parse=parse,
    emits=("plate_read", "health"),
    identity={
        "plate_read": ("restricted.plate.raw",),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
    headers=(_SERIAL,),
)
