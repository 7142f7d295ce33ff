"""Vehicle detectors in Taiwan's traffic standard (TISV 2.0, TDX): VDLive as JSON or XML.

One `measurement` for each lane, and one for each class of vehicles counted in it (`S` small, `L`
large, `T` trailer truck, `M` motorcycle, as the source codes them). The subject is detector, link,
lane and class.

Traps handled:

- -99 (a fault) and -1 stand for missing, for each value by itself (`sentinel_dropped`); a lane
  without any value gives no event, a detector without any a `Nothing`.
- `Status` 0 is well, 1 a broken line, 2 out of service, 3 a fault; but detectors that say 1 go on
  measuring. Their values are kept, with the flag `device_status_1`.
- Three times: `DataCollectTime` of the detector, `SrcUpdateTime` of its authority and `UpdateTime`
  of the platform. The first is when it was measured (a detector may be days behind: SUSPECT), the
  second, else the third, when it was published.
- Ids hold Chinese letters and are kept as they are, composed.
- No vehicle and yet 100 per cent occupied is a stuck detector: all null, flag `detector_stuck`, and
  no event for its classes.
- Without a vehicle there is no speed; a speed of 0 with vehicles is a missing one.
- Detectors are joined to places by the device register: a live list names none, and holds
  detectors that no static list has.

Lists of detectors, cameras and whatever else the standard has are a `Nothing` that names them.
Known: the static lists of the freeway bureau, and VDLive from the interfaces of programs that read
it. Inferred: occupancy in per cent, as values above 1 show. Not read: the older `vd_value5.xml`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.numbers import number
from connectors._formats.text import clean
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import as_values, parse_xml
from hub.connector import Connector, Event, Nothing, Options, Outcome, Payload, Rejection

__all__ = ["Options", "connector", "parse"]

_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_LISTS: Final = frozenset({"VDLives", "LinkFlows", "Lanes", "Vehicles"})
_TEXTS: Final = frozenset({"VDID", "LinkID", "VehicleType"})
_MISSING: Final = frozenset({-99.0, -1.0})
_MEMBERS_MAX: Final = 64
_FASTEST_KMH: Final = 300.0


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The lanes of each detector; a bad detector never hides its neighbours."""
    if payload.body.lstrip(_BEFORE_TEXT)[:1] in {b"{", b"["}:
        document = parse_json(payload.body, records=[(), ("VDLives",)])
    else:
        document = as_values(parse_xml(payload.body), lists=_LISTS, texts=_TEXTS)
    if isinstance(document, list):
        document = {"VDLives": document}
    if not isinstance(document, dict) or not isinstance(document.get("VDLives"), list):
        yield _another(document)
        return
    if not document["VDLives"]:
        yield Nothing(why="a list without detectors")
    published = _text(document, "SrcUpdateTime") or _text(document, "UpdateTime")
    published_at = _stamp(published, payload, options).at
    for place, item in enumerate(document["VDLives"]):
        yield from _detector(item, f"VDLives[{place}]", published_at, payload, options)


def _another(document: Any) -> Outcome:
    lists = (
        [name for name, value in document.items() if isinstance(value, list | dict)]
        if isinstance(document, dict)
        else []
    )
    if lists and "UpdateTime" in document:
        return Nothing(why=f"a list of {lists[0][:40]}, no live detectors")
    return Rejection(
        code="not-tisv",
        message="no list VDLives in the document",
        path="VDLives",
        fix="ask for Live/VD; an answer without it is an error of the platform",
    )


@dataclass(frozen=True, slots=True)
class _Detector:
    """What the lanes of a detector have in common."""

    id: str
    stamp: Stamp
    published_at: datetime | None
    flags: tuple[str, ...]


def _detector(
    item: Any, path: str, published_at: datetime | None, payload: Payload, options: Options
) -> Iterator[Outcome]:
    if isinstance(item, Broken):
        yield Rejection.of(item.error(path))
        return
    id_ = _text(item, "VDID") if isinstance(item, dict) else ""
    if not id_:
        what = "a detector without VDID, or none at all"
        yield Rejection(code="missing-field", message=what, path=f"{path}/VDID")
        return
    stamp = _stamp(_text(item, "DataCollectTime"), payload, options)
    status = _text(item, "Status")
    doubtful = (f"device_status_{status}",) if status in {"1", "2", "3"} else ()
    detector = _Detector(id_, stamp, published_at, (*stamp.flags, *doubtful))
    none = True
    for link in _objects(item, "LinkFlows"):
        for lane in _objects(link, "Lanes"):
            for event in _lane(detector, _text(link, "LinkID"), lane):
                none = False
                yield event
    if none:
        yield Nothing(why="a detector without a measured value")


def _lane(detector: _Detector, link: str, lane: dict[str, Any]) -> Iterator[Event]:
    """The lane as a whole, then each class of vehicles in it."""
    classes = []
    for vehicle in _objects(lane, "Vehicles"):
        flags: list[str] = []
        count = _count(vehicle, flags)
        speed = _speed(vehicle, count, flags)
        if count is not None or speed is not None:
            classes.append((_text(vehicle, "VehicleType"), count, speed, flags))
    flags = []
    count = _count(lane, flags)
    if count is None and classes and len(classes) == len(_objects(lane, "Vehicles")):
        counts = [each for _, each, _, _ in classes if each is not None]
        count = sum(counts) if len(counts) == len(classes) else None
    speed, occupancy = _speed(lane, count, flags), _occupancy(lane, flags)
    stuck = count == 0 and occupancy == 1.0
    if stuck:
        count, speed, occupancy, classes = None, None, None, []
        flags.append("detector_stuck")
    number_of_lane = _integer(lane, "LaneID")
    if stuck or count is not None or speed is not None or occupancy is not None:
        body = {"vehicle_count": count, "speed_kmh": speed, "occupancy_ratio": occupancy}
        yield _event(detector, link, number_of_lane, "", body=body, flags=flags)
    for name, count_of_class, speed_of_class, more in classes:
        body = {"vehicle_count": count_of_class, "speed_kmh": speed_of_class}
        yield _event(detector, link, number_of_lane, name, body=body, flags=more)


def _event(
    detector: _Detector,
    link: str,
    lane: int | None,
    vehicle_class: str,
    *,
    body: dict[str, Any],
    flags: list[str],
) -> Event:
    return Event(
        noun="measurement",
        kind="traffic.flow",
        device_ref=detector.id,
        subject=(detector.id, link, "" if lane is None else str(lane), vehicle_class),
        observed_at=detector.stamp.at,
        published_at=detector.published_at,
        time_quality=detector.stamp.quality,
        quality_flags=tuple(dict.fromkeys((*detector.flags, *flags))),
        body=body | {"site_ref": link or detector.id, "lane": lane, "vehicle_class": vehicle_class},
    )


# Values: a missing one is None, a wrong one None with a flag


def _stamp(text: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(text, received_at=payload.received_at, options=options)


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return clean(str(value))


def _objects(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = members.get(name)
    several = value[:_MEMBERS_MAX] if isinstance(value, list) else []
    return [each for each in several if isinstance(each, dict)]


def _number(members: dict[str, Any], name: str, most: float, flags: list[str]) -> float | None:
    value = members.get(name)
    if isinstance(value, str):
        value = number(value)
        if value is None:
            flags.append(f"{name.lower()}_invalid")
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value in _MISSING:
        flags.append("sentinel_dropped")
        return None
    if not 0 <= value <= most:
        flags.append(f"{name.lower()}_invalid")
        return None
    return float(value)


def _integer(members: dict[str, Any], name: str) -> int | None:
    value = _number(members, name, 99, [])
    return int(value) if value is not None and value.is_integer() else None


def _count(members: dict[str, Any], flags: list[str]) -> int | None:
    volume = _number(members, "Volume", 100_000, flags)
    if volume is None or volume.is_integer():
        return None if volume is None else int(volume)
    flags.append("volume_invalid")
    return None


def _speed(members: dict[str, Any], count: int | None, flags: list[str]) -> float | None:
    speed = _number(members, "Speed", _FASTEST_KMH, flags)
    if speed is None or count == 0:
        return None
    if speed == 0.0:
        flags.append("speed_missing")
        return None
    return speed


def _occupancy(members: dict[str, Any], flags: list[str]) -> float | None:
    occupancy = _number(members, "Occupancy", 100.0, flags)
    return None if occupancy is None else round(occupancy / 100.0, 6)


connector = Connector(
    name="taiwan_tisv",
    title="Vehicle detectors, Taiwan's TISV 2.0 and TDX: VDLive (JSON, XML)",
    parse=parse,
    emits=("measurement",),
    identity={
        "measurement": (
            "body.site_ref",
            "body.lane",
            "body.vehicle_class",
            "body.vehicle_count",
            "body.speed_kmh",
            "body.occupancy_ratio",
        )
    },
    transports=("http_poll", "http_push", "drop_folder"),
)
