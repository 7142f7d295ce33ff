"""The nouns that entities become: a measurement, an alert, a situation."""

from datetime import datetime
from typing import Any, Final

from connectors._formats.shapes import outlines_of, points_of, position_of
from connectors._formats.text import snake
from connectors.ngsi.entity import Entity
from connectors.ngsi.reading import Reading
from hub.connector import Area, Event, Lifecycle, Nothing, Outcome

__all__ = ["SITUATIONS", "read_alert", "read_measurement", "read_situation"]

SITUATIONS: Final = {
    "RoadAccident": "road.accident",
    "RoadEvent": "road.event",
    "RoadWork": "road.work",
    "RoadClosure": "road.closure",
    "TrafficEvent": "road.event",
    "CityWork": "road.work",
}
"""Types of situations and the kind of each."""

_ISSUED: Final = ("dateIssued", "dateCreated", "createdAt")
_BEGINS: Final = ("accidentDate", "validFrom", "startDate", "dateStart", "startDateTime")
_ENDS: Final = ("validTo", "endDate", "dateEnd", "dateFinished", "endDateTime")
_OVER: Final = frozenset({"solved", "archived", "closed", "finished"})
_DEVICE: Final = "urn:ngsi-ld:Device:"
_TO_KMH: Final = {"": 1.0, "KMH": 1.0, "MTS": 3.6, "HM": 1.609344}


def read_measurement(reading: Reading) -> Outcome:
    """Traffic flow at one place over one period."""
    entity, flags = reading.entity, reading.flags
    body: dict[str, Any] = {
        "speed_kmh": _speed(reading),
        "occupancy_ratio": _occupancy(reading),
        "vehicle_count": _whole(reading, "intensity", 10_000_000),
    }
    if reading.deleted() or all(value is None for value in body.values()):
        return Nothing(why="traffic flow without a measured value")
    if body["vehicle_count"] == 0 and body["occupancy_ratio"] == 1.0:
        body = dict.fromkeys(body)
        flags.append("detector_stuck")
    interval = entity.text("dateObserved").partition("/")
    begin = entity.text("dateObservedFrom") or (interval[0] if interval[2] else "")
    end = entity.text("dateObservedTo") or interval[2] or interval[0]
    stamp = reading.latest([end] if end else [*reading.changes()])
    started = reading.stamp(begin).at if begin else None
    period_s = None
    if stamp.at is not None and started is not None:
        period_s = (stamp.at - started).total_seconds()
        if not 0 < period_s <= 31 * 86_400:
            flags.append("period_invalid")
            period_s = None
    geometry = entity.geometry("location")
    points, more = points_of(geometry)
    flags.extend(more)
    kinds = [text for name in ("vehicleType", "vehicleSubType") if (text := entity.text(name))]
    return Event(
        noun="measurement",
        kind="traffic.flow",
        device_ref=entity.id,
        subject=(entity.id,),
        native_id=entity.id,
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        position=position_of(geometry) if points else None,
        body=body
        | {
            "site_ref": entity.text("refRoadSegment") or entity.id,
            "lane": _whole(reading, "laneId", 99),
            "vehicle_class": "/".join(kinds),
            "period_s": period_s,
        },
        quality_flags=reading.unique_flags(),
    )


def _number(reading: Reading, name: str) -> float | None:
    value = reading.entity.number(name)
    if value is None:
        if name in reading.entity:
            reading.flags.append(f"{snake(name)}_invalid")
        return None
    if value < 0:
        reading.flags.append("sentinel_dropped")
        return None
    return value


def _whole(reading: Reading, name: str, most: int) -> int | None:
    value = _number(reading, name)
    if value is None or (value.is_integer() and value <= most):
        return None if value is None else int(value)
    reading.flags.append(f"{snake(name)}_invalid")
    return None


def _speed(reading: Reading) -> float | None:
    speed = _number(reading, "averageVehicleSpeed")
    factor = _TO_KMH.get(reading.entity.unit("averageVehicleSpeed").upper())
    if speed is None or (factor is not None and speed * factor <= 400.0):
        return None if speed is None or factor is None else speed * factor
    reading.flags.append("unit_unknown" if factor is None else "average_vehicle_speed_invalid")
    return None


def _occupancy(reading: Reading) -> float | None:
    occupancy = _number(reading, "occupancy")
    if occupancy is None or occupancy <= 1.0:
        return occupancy
    reading.flags.append("occupancy_scale_unknown")
    return None


def read_alert(reading: Reading) -> Event:
    """An alert with one information block for each language of its description."""
    entity = reading.entity
    stamp = reading.latest([entity.text(*_ISSUED), *reading.changes()])
    issued, expires = reading.at(*_ISSUED), reading.at("validTo")
    geometry = entity.geometry("location")
    points, more = points_of(geometry)
    reading.flags.extend(more)
    category = entity.text("category") or ("weather" if entity.type == "WeatherAlert" else "")
    event, name, source = entity.text("subCategory"), _area_name(entity), entity.text("alertSource")
    area = {"description": name, "polygons": outlines_of(geometry)}
    block = {
        "categories": [category] if category else [],
        "event": event,
        "severity": entity.text("severity"),
        "effective_at": reading.at("validFrom"),
        "expires_at": expires,
        "areas": [area] if name or area["polygons"] else [],
    }
    texts = reading.texts("description", "") or [{"language": "", "text": ""}]
    return Event(
        noun="alert",
        kind=".".join(["alert", *(word for text in (category, event) if (word := snake(text)))]),
        device_ref=source if source.startswith(_DEVICE) else "",
        subject=(entity.id,),
        native_id=entity.id,
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle=_lifecycle(reading, expires, "EXPIRED"),
        severity=reading.severity(),
        position=position_of(geometry) if points else None,
        areas_reported=(Area(scheme="", code="", name=name),) if name else (),
        body={
            "identifier": entity.id,
            "sent_at": issued,
            "infos": [
                block | {"language": text["language"], "description": text["text"]}
                for text in texts
            ],
            "references": [],
        },
        quality_flags=reading.unique_flags(),
    )


def _lifecycle(reading: Reading, ends: datetime | None, past: Lifecycle) -> Lifecycle:
    if reading.deleted():
        return "CANCELLED"
    return past if ends is not None and ends < reading.payload.received_at else "UNKNOWN"


def _area_name(entity: Entity) -> str:
    address = entity.value("address")
    if not isinstance(address, dict):
        return ""
    names = ("streetAddress", "addressLocality", "addressRegion")
    return ", ".join(text for name in names if isinstance(text := address.get(name), str) and text)


def read_situation(reading: Reading) -> Event:
    """An accident or works on a road."""
    entity, flags = reading.entity, reading.flags
    begins, ends = reading.at(*_BEGINS), reading.at(*_ENDS)
    changes = [text for text in (*reading.changes(), entity.text(*_ISSUED)) if text]
    # Works may begin next week: that is no version of what is told today.
    stamp = reading.latest(changes or [entity.text(*_BEGINS)])
    geometry = entity.geometry("location")
    points, more = points_of(geometry)
    flags.extend(more)
    status = entity.text("status")
    lifecycle = _lifecycle(reading, ends, "ENDED")
    if lifecycle == "UNKNOWN" and status.lower() in _OVER:
        lifecycle = "ENDED"
    provider = entity.text("dataProvider")
    return Event(
        noun="situation",
        kind=SITUATIONS[entity.type],
        subject=(entity.id,),
        native_id=entity.id,
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle=lifecycle,
        severity=reading.severity(),
        position=position_of(geometry) if points else None,
        body={
            "situation_ref": entity.id,
            "record_ref": entity.text("localId") or entity.id,
            "record_type": entity.type,
            "detail": entity.text("accidentType", "eventType", "workType", "subCategory"),
            "valid_from": begins,
            "valid_to": ends,
            "validity_status": status,
            "texts": reading.texts("description", "description"),
            "road": entity.text("roadName", "refRoadSegment", "refRoad") or reading.street(),
            "points": points,
            "source_name": "" if "@" in provider else provider,
        },
        quality_flags=reading.unique_flags(),
    )
