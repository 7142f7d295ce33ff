"""A vehicle that passed: the plate read and, where the camera calls it illegal, a violation.

`illegalInfo` names the act by a code of the camera's own dictionary. A site may have taught it
national codes, which are taken as they are; else the option `acts` says what the codes mean, and
two of the list that a camera comes with are known here. With `hasMoreData` the same passage comes
again with its pictures: that one is the candidate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors._formats.numbers import integer, measured, number, percent
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.violations import COMMON_CODES, position_code, under_law
from connectors._formats.xml import Node
from hub import Event, PayloadError

__all__ = ["DIRECTIONS", "YES", "box", "passages", "plate_read"]

DIRECTIONS = {"forward": "APPROACHING", "reverse": "DEPARTING"}
YES = frozenset({"yes", "true", "1"})
UUID_MIN = 16  # characters: shorter ones are masks such as `x`, not ids
CARS = frozenset(
    {"vehicle", "motorvehicle", "smallcar", "minicar", "suvmpv", "coupe", "hatchback", "saloon",
     "largebus", "mediumbus", "minibus", "bus", "truck", "minitruck", "lighttruck",
     "mediumheavytruck", "van", "buggy", "pickuptruck", "containertruck", "slagtruck",
     "oiltanktruck", "concretemixer"}
)  # fmt: skip
"""Kinds of vehicle that article 6 of Decree 168/2024 is about."""
_PICTURE = "pictureInfoList/pictureInfo"
_ILLEGAL = ("Code", "Name", "Description")
_TRUSTED = frozenset({"DEVICE", "ASSUMED_ZONE"})


@dataclass(frozen=True, slots=True)
class _Seen:
    """What both events of a passage say."""

    node: Node
    anpr: Node
    common: dict[str, Any]
    plate: dict[str, Any]
    reported_id: str
    flags: tuple[str, ...]


def passages(
    node: Node, common: dict[str, Any], acts: Mapping[str, str], received_at: datetime
) -> Iterator[Event]:
    """A vehicle passed a camera that reads plates, read or not."""
    anpr = node.find("ANPR")
    if anpr is None:
        raise PayloadError("a plate read without its data", code="anpr-missing", path="ANPR")
    seen = _seen(node, anpr, common)
    illegal = _illegal(anpr)
    incomplete = anpr.value("hasMoreData").lower() in YES
    flags = seen.flags
    if illegal:
        flags += ("violation_reported", *(("evidence_follows",) if incomplete else ()))
    yield plate_read(common, _read_body(node, anpr), seen.plate, seen.reported_id, flags)
    if illegal and not incomplete:
        yield _violation(seen, acts, received_at)


def _illegal(anpr: Node) -> bool:
    """Whether the camera names an act; a code of 0 is its word for none."""
    named = anpr.value("illegalInfo/illegalCode") or anpr.value("illegalInfo/illegalName")
    return named not in ("", "0")


def _seen(node: Node, anpr: Node, common: dict[str, Any]) -> _Seen:
    two_wheels = anpr.value("twoWheelVehicle").lower() in YES
    plate, flags = read_plate(
        anpr.value("licensePlate"),
        category="MOTORBIKE" if two_wheels else "UNKNOWN",
        colour=anpr.value("plateColor"),
        confidence=percent(anpr.value("confidenceLevel")) or None,  # 0: the camera gives none
    )
    uuid = node.value("UUID")
    if uuid and len(uuid) < UUID_MIN:
        uuid, flags = "", (*flags, "native_id_too_short")
    if anpr.value("category"):
        flags += ("plate_category_apart",)
    if anpr.value("tailandStateID").strip("0"):
        flags += ("plate_province_apart",)
    return _Seen(node, anpr, common, plate, uuid, flags)


def _read_body(node: Node, anpr: Node) -> dict[str, Any]:
    scores = [percent(text) for text in anpr.value("plateCharBelieve").split(",")]
    rects = anpr.findall(f"{_PICTURE}/plateRect")
    size = node.find("detectionBackgroundImageResolution")
    make = anpr.value("vehicleInfo/vehicleLogoRecog")
    return {
        "direction": DIRECTIONS.get(anpr.value("direction").lower(), "UNKNOWN"),
        "lane": integer(anpr.value("line")),
        "speed_kmh": measured(number(anpr.value("vehicleInfo/speed"))),
        "speed_limit_kmh": measured(number(anpr.value("speedLimit"))),
        "vehicle_type": _known(anpr.value("vehicleType")),
        "vehicle_colour": _known(anpr.value("vehicleInfo/color")),
        "vehicle_make": "" if make == "0" else make,
        "country": anpr.value("country"),
        "character_confidences": [] if None in scores else scores,
        "plate_box": box(rects[-1] if rects else anpr.find("plateRect"), "UNKNOWN", size),
        "list_name": anpr.value("vehicleListName"),
    }


def plate_read(
    common: dict[str, Any],
    body: dict[str, Any],
    plate: dict[str, Any],
    reported_id: str,
    flags: tuple[str, ...],
) -> Event:
    """The event of a plate that was read, or of a vehicle without one."""
    told = _told(common, plate, reported_id, flags)
    return Event(noun="plate_read", kind="vehicle.passage", severity="INFO", body=body, **told)


def _violation(seen: _Seen, acts: Mapping[str, str], received_at: datetime) -> Event:
    """The candidate beside a plate read: what the camera says, and what the law calls it."""
    anpr, common = seen.anpr, seen.common
    illegal = {part: anpr.value(f"illegalInfo/illegal{part}") for part in _ILLEGAL}
    speed, limit = (
        measured(number(anpr.value(name))) for name in ("vehicleInfo/speed", "speedLimit")
    )
    trusted = common["observed_at"] and common["time_quality"] in _TRUSTED
    law, law_flags = under_law(
        illegal["Code"],
        {**COMMON_CODES, **acts},
        category=_category(anpr, seen.plate),
        at=common["observed_at"] if trusted else received_at,
        over_kmh=speed - limit if speed and limit else None,
    )
    reds = [number(info.value("redLightTime")) for info in anpr.findall(_PICTURE)]
    red_s = next((seconds for seconds in reds if seconds), None)
    lasted_ms = number(anpr.value("dwIllegalTime"))
    body = {
        "act": without_plate(illegal["Name"] or illegal["Description"], seen.plate["text"])[0]
        or "",
        "source_code": illegal["Code"],
        **law,
        "lane": integer(anpr.value("line")),
        "direction": DIRECTIONS.get(anpr.value("direction").lower(), "UNKNOWN"),
        "speed_kmh": speed,
        "speed_limit_kmh": limit,
        "signal_state": "red" if red_s else "",
        "red_elapsed_s": red_s,
        "duration_s": lasted_ms / 1000 if lasted_ms else None,
        "position_code": position_code(seen.node.value("channelName")),
        "vehicle_type": _known(anpr.value("vehicleType")),
    }
    told = _told(common, seen.plate, seen.reported_id, (*seen.flags, *law_flags))
    return Event(noun="violation", kind="vehicle.violation", body=body, **told)


def _known(text: str) -> str:
    return "" if text.lower() == "unknown" else text


def _category(anpr: Node, plate: Mapping[str, Any]) -> str:
    cars = anpr.value("vehicleType").lower() in CARS
    return "CAR" if cars and plate["category"] == "UNKNOWN" else str(plate["category"])


def _told(
    common: dict[str, Any], plate: dict[str, Any], reported_id: str, flags: tuple[str, ...]
) -> dict[str, Any]:
    """Fields of an event that has a plate; the plate stands in none but `restricted`."""
    native_id, id_flags = without_plate(reported_id, plate["text"])
    all_flags = (*common.get("quality_flags", ()), *flags, *id_flags)
    return {
        **common,
        "native_id": native_id,
        "restricted": {"plate": plate},
        "quality_flags": tuple(dict.fromkeys(all_flags)),
    }


def box(rect: Node | None, scale: str, size: Node | None = None) -> dict[str, Any] | None:
    """A rectangle of the camera as an event's box; None where there is none."""
    if rect is None:
        return None
    names = ("X", "Y", "width", "height")
    numbers = [number(rect.value(name) or rect.value(name.lower())) for name in names]
    sides = [integer(size.value(name)) if size else None for name in ("width", "height")]
    return a_box(numbers, scale, sides)
