"""GA/T 1400 platforms: vehicles that passed, as they push lists of objects (VIID, JSON).

Reads `MotorVehicleListObject` and `NonMotorVehicleListObject`, alone or inside subscription
notices. Faces, persons and things are no business of the hub: lists of them are no events.

Traps handled: times are local, fourteen digits without an offset, and mostly empty; a picture may
be cut off (the event stays); a plate begins with a Han character; all values may be texts, also
empty ones; keep-alive messages and registrations come too; a vehicle without a plate says so
(`HasPlate` 0).

Source: GA/T 1400.3-2017 as far as public texts and captured pushes show it. Kinds of pictures are
by its table of codes: those of drivers, passengers, faces and persons are dropped. Codes of
classes and brands stay codes.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.json import Path, an_object, parse_json, shown
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.multipart import Part
from connectors._formats.numbers import measured
from connectors._formats.pictures import take_pictures
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import read_stamp
from hub import (
    Connector,
    Event,
    Nothing,
    Options,
    Outcome,
    Payload,
    PayloadError,
    Picture,
    Rejection,
)

__all__ = ["Options", "connector", "parse"]

_LISTS: Final = {"MotorVehicle": "UNKNOWN", "NonMotorVehicle": "MOTORBIKE"}
"""Kinds of object that are vehicles, and the category of their plates."""
_OTHERS: Final = ("KeepaliveObject", "RegisterObject", "UnRegisterObject", "ResponseStatusObject",
                  "SystemTimeObject")  # fmt: skip
_COLOURS: Final = {"1": "BLACK", "2": "WHITE", "4": "RED", "5": "BLUE", "6": "YELLOW", "9": "GREEN"}
_ROLES: Final = {
    "01": "vehicle", "02": "plate", "03": "plate", "06": "vehicle", "07": "scene", "08": "scene",
    "09": "vehicle", "14": "scene",
}  # fmt: skip
"""Codes of pictures that may be kept; all others show persons, or nobody says what."""
_RECORDS: Final = [
    path
    for kind in _LISTS
    for path in (
        (f"{kind}ListObject", f"{kind}Object"),
        (
            "SubscribeNotificationListObject",
            "SubscribeNotificationObject",
            None,
            f"{kind}ObjectList",
            f"{kind}Object",
        ),
    )
]
_OBJECTS_MAX: Final = 2_000


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage for each vehicle."""
    document = an_object(parse_json(payload.body, records=_RECORDS), ())
    count = 0
    for path, category, vehicle in _vehicles(document):
        count += 1
        if count > _OBJECTS_MAX:
            what = f"more than {_OBJECTS_MAX} vehicles in one payload"
            yield Rejection(code="too-many-vehicles", message=what)
            return
        try:
            yield _passage(an_object(vehicle, path), path, category, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)
    if count:
        return
    told = next((name for name in document if name.endswith("Object")), "")
    if told in _OTHERS or told.endswith("ListObject"):
        yield Nothing(why=f"{told}: no vehicle")
        return
    raise PayloadError(
        "no list of GA/T 1400",
        code="no-event",
        path="MotorVehicleListObject",
        fix="subscribe to motor vehicles",
    )


def _vehicles(document: Mapping[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Where each vehicle stands, the category of its kind, and the vehicle."""
    for kind, category in _LISTS.items():
        holder = the_object(document, f"{kind}ListObject")
        for place, each in enumerate(the_items(holder, f"{kind}Object")):
            yield (f"{kind}ListObject", f"{kind}Object", place), category, each
    notices = the_object(document, "SubscribeNotificationListObject")
    for number, notice in enumerate(the_items(notices, "SubscribeNotificationObject")):
        if not isinstance(notice, dict):
            continue
        for kind, category in _LISTS.items():
            holder = the_object(notice, f"{kind}ObjectList")
            for place, each in enumerate(the_items(holder, f"{kind}Object")):
                path = ("SubscribeNotificationObject", number, f"{kind}Object", place)
                yield path, category, each


def _passage(
    vehicle: Mapping[str, Any], path: Path, category: str, payload: Payload, options: Options
) -> Event:
    times = (the_text(vehicle, name) for name in ("PassTime", "AppearTime", "MarkTime"))
    raw_time = next(filter(None, times), "")
    stamp = read_stamp(raw_time, received_at=payload.received_at, options=options)
    id_ = the_text(vehicle, "MotorVehicleID") or the_text(vehicle, "NonMotorVehicleID")
    device = the_text(vehicle, "DeviceID") or the_text(vehicle, "TollgateID")
    if not id_ and not device and stamp.at is None:
        what = "a vehicle without id, device and time"
        raise PayloadError(what, code="missing-field", path=shown(path))
    has_plate = the_text(vehicle, "HasPlate") not in ("0", "false")
    reliability = the_number(vehicle, "PlateReliability")
    known = reliability is not None and 0 < reliability <= 100
    plate, flags = read_plate(
        the_text(vehicle, "PlateNo") if has_plate else "",
        category=category,
        colour=_COLOURS.get(the_text(vehicle, "PlateColor"), ""),
        confidence=reliability / 100 if known and reliability else None,
    )
    native_id, withheld = without_plate(id_, plate["text"])
    pictures, picture_flags = _pictures(vehicle)
    unnamed = () if device else ("device_unnamed",)
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=device,
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *flags, *withheld, *picture_flags),
        restricted={"plate": plate},
        pictures=pictures,
        body={
            "lane": the_integer(vehicle, "LaneNo"),
            "speed_kmh": measured(the_number(vehicle, "Speed")),
            "vehicle_type": the_text(vehicle, "VehicleClass"),
            "vehicle_colour": the_text(vehicle, "VehicleColor"),
            "vehicle_make": the_text(vehicle, "VehicleBrand"),
        },
    )


def _pictures(vehicle: Mapping[str, Any]) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    found: list[Picture] = []
    flags: list[str] = []
    images = the_items(the_object(vehicle, "SubImageList"), "SubImageInfoObject")
    for image in images[:64]:
        content = the_text(image, "Data") if isinstance(image, dict) else ""
        if not content:
            continue
        role = _ROLES.get(the_text(image, "Type").zfill(2))
        if role is None:
            flags.append("person_picture_dropped")
            continue
        try:
            data = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            flags.append("picture_unreadable")
            continue
        part = Part(data, {"content-disposition": f'form-data; name="{role}"'})
        taken, more = take_pictures([part], {role: role}, otherwise=role)
        found += taken
        flags += more
    return tuple(found), tuple(dict.fromkeys(flags))


connector = Connector(
    name="gat1400",
    title="GA/T 1400 platforms, vehicles that passed (VIID, JSON)",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw", "body.lane")},
)
