"""Measured and elaborated data of DATEX II: flow, speed, occupancy and travel times."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors._formats.numbers import integer, number
from connectors._formats.xml import Node
from connectors.datex2.location import read_location
from connectors.datex2.record import STATUS, Context
from hub.connector import Event, Nothing, Outcome, Rejection

__all__ = ["MEASURED_PARTS", "Measured", "Sites"]

MEASURED_PARTS: Final = frozenset(
    {"siteMeasurements", "elaboratedData", "measurementSiteRecord", "measurementSite"}
)
"""What documents of any length repeat, each on its own."""

_FIELDS: Final = {
    "vehicleFlow": ("vehicleFlowRate", "flow_veh_h", 50_000.0),
    "averageVehicleSpeed": ("speed", "speed_kmh", 300.0),
    "occupancy": ("percentage", "occupancy_ratio", 100.0),
    "travelTime": ("duration", "travel_time_s", 86_400.0),
}
"""Element of a basic value: where its number stands, the body's field, the most to believe."""
_WITHOUT_VEHICLES: Final = frozenset({"speed_kmh", "travel_time_s"})
_TIMES: Final = ("measurementOrCalculationTime", "measurementOrCalculationTime/timeValue")
_DEFAULT_TIMES: Final = (
    "measurementTimeDefault",
    "measurementTimeDefault/timeValue",
    "timeDefault",
)
_PERIODS: Final = ("measurementOrCalculationPeriod", "measurementOrCalculationTime/period")
_SITES_MAX: Final = 100_000


@dataclass(slots=True)
class _Value:
    """What one index of a site says at one time."""

    index: str
    repeat: int
    time: str
    body: dict[str, Any]
    flags: list[str]


_Folded = dict[tuple[str, bool, int], _Value]
_Meaning = tuple[int | None, str, float | None]


class Sites:
    """What the indices of measurement sites mean: lane, class of vehicles, period in seconds."""

    def __init__(self) -> None:
        self._sites: dict[tuple[str, str], dict[str, _Meaning]] = {}

    def add(self, site: Node) -> None:
        """Remember a site of a table; its version is part of its name."""
        if len(self._sites) < _SITES_MAX:
            meanings = {}
            for outer in site.findall("measurementSpecificCharacteristics"):
                inner = outer.find("measurementSpecificCharacteristics") or outer
                meanings[outer.attr("index")] = _meaning(inner)
            self._sites[site.attr("id"), site.attr("version")] = meanings

    def meaning(self, site: Node, index: str) -> _Meaning | None:
        """What an index of a site of exactly this version means; None where no table says it."""
        known = self._sites.get((site.attr("id"), site.attr("version")))
        return None if known is None else known.get(index)


def _meaning(node: Node) -> _Meaning:
    lane = node.value("specificLane") or node.value("specificLane/laneNumber")
    classes = [n.text for n in node.findall("specificVehicleCharacteristics/vehicleType")]
    for length in node.findall("specificVehicleCharacteristics/lengthCharacteristic"):
        operator = length.value("comparisonOperator")
        classes.append(f"{operator} {length.value('vehicleLength')} m")
    named = ",".join(name for name in classes if name and name != "anyVehicle")
    return integer(lane.removeprefix("lane")), named, number(node.value("period"))


class Measured:
    """Reads the parts of one publication of measured or elaborated data."""

    def __init__(self, context: Context, sites: Sites) -> None:
        self._context = context
        self._sites = sites
        header = context.publication.value("headerInformation/informationStatus")
        self._status = STATUS.get(header, "UNKNOWN")
        self._flags = () if header in STATUS else ("information_status_unknown",)
        self._default = _first(context.publication, _DEFAULT_TIMES)
        self.count = 0

    def read(self, part: Node) -> Iterator[Outcome]:
        """The outcomes of one site or one elaborated value."""
        place = self.count
        self.count += 1
        if part.name == "siteMeasurements":
            yield from self._site(part, f"siteMeasurements[{place}]")
        elif part.name == "elaboratedData":
            yield self._elaborated(part, f"elaboratedData[{place}]")
        else:
            self._sites.add(part)

    def _site(self, node: Node, path: str) -> Iterator[Outcome]:
        site = node.find("measurementSiteReference")
        site_ref = site.attr("id") or site.text if site is not None else ""
        if site is None or not site_ref:
            yield _missing(f"{path}/measurementSiteReference/@id", "the measurement site")
            return
        default = _first(node, _DEFAULT_TIMES) or self._default
        folded: _Folded = {}
        for outer in [*node.findall("measuredValue"), *node.findall("physicalQuantity")]:
            inner = outer.find("measuredValue") or outer.find("physicalQuantity") or outer
            faulty = inner.find("physicalQuantityFault") is not None
            for basic in inner.findall("basicData"):
                values, flags = _values(basic, faulty=faulty)
                if not values:
                    what = f"a value of type {basic.type_name[:60] or 'unknown'}: not of traffic"
                    yield Nothing(why=what)
                    continue
                values["period_s"] = _period(basic)
                time = _first(basic, _TIMES) or default
                _fold(folded, _Value(outer.attr("index"), 0, time, values, flags))
        for value in folded.values():
            yield self._measurement(site, site_ref, value)

    def _measurement(self, site: Node, site_ref: str, value: _Value) -> Event:
        meaning = self._sites.meaning(site, value.index)
        flags = [] if meaning else ["site_table_missing"]
        lane, vehicle_class, period_s = meaning or (None, "", None)
        if value.repeat:
            flags.append("index_repeated")
        body = value.body | {"site_ref": site_ref, "lane": lane, "vehicle_class": vehicle_class}
        body["period_s"] = period_s if body["period_s"] is None else body["period_s"]
        name = f"{value.index}#{value.repeat}" if value.repeat else value.index
        version = site.attr("version")
        subject = (site_ref, name)
        return self._event(subject, value.time, body, [*value.flags, *flags], version=version)

    def _elaborated(self, node: Node, path: str) -> Outcome:
        basic = node.find("basicData") or node.find("physicalQuantity/basicData")
        if basic is None:
            return _missing(f"{path}/basicData", "a value")
        values, flags = _values(basic)
        if not values:
            return Nothing(why=f"elaborated data of type {basic.type_name[:60]}: not of traffic")
        places = basic.findall("pertinentLocation") or node.findall("pertinentLocation")
        codes = [code for place in places for code in read_location(place, itself=True).codes]
        ref = "/".join(code["code"] for code in codes if code["code"]) or node.attr("id")
        if not ref:
            return _missing(f"{path}/basicData/pertinentLocation", "a coded place and an id")
        body = values | {"site_ref": ref, "period_s": _period(basic)}
        time = _first(basic, _TIMES) or self._default
        return self._event((ref, basic.type_name), time, body, [*flags, "elaborated"], version="")

    def _event(
        self,
        subject: tuple[str, str],
        time: str,
        body: dict[str, Any],
        flags: list[str],
        *,
        version: str,
    ) -> Event:
        stamp = self._context.stamp(time)
        kind = "traffic.travel_time" if "travel_time_s" in body else "traffic.flow"
        return Event(
            noun="measurement",
            kind=kind,
            device_ref=subject[0],
            subject=subject,
            native_id="/".join(subject),
            native_version=version or None,
            observed_at=stamp.at,
            published_at=self._context.published_at,
            time_quality=stamp.quality,
            status=self._status,
            quality_flags=tuple(dict.fromkeys([*stamp.flags, *self._flags, *flags])),
            body=body,
        )


def _fold(folded: _Folded, value: _Value) -> None:
    """Put flow and speed of one index together, as long as neither time nor field contradicts."""
    travel = "travel_time_s" in value.body
    while known := folded.get((value.index, travel, value.repeat)):
        if known.time == value.time and not (known.body.keys() & value.body.keys()) - {"period_s"}:
            value.body["period_s"] = value.body["period_s"] or known.body["period_s"]
            known.body |= value.body
            known.flags.extend(value.flags)
            return
        value.repeat += 1
    folded[value.index, travel, value.repeat] = value


def _values(basic: Node, *, faulty: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The numbers of a basic value, with null for what is none, and why."""
    values: dict[str, Any] = {}
    flags: list[str] = []
    for child in basic.children:
        found = _FIELDS.get(child.name)
        if found is None:
            continue
        inner, field, most = found
        values[field] = None
        value = number(child.value(inner))
        if faulty or child.value("dataError") in {"true", "1"}:
            flags.append("data_error")
        elif field in _WITHOUT_VEHICLES and child.attr("numberOfInputValuesUsed") == "0":
            flags.append("no_vehicles")
        elif value is None or value == -1.0:
            flags.append(f"{field.split('_')[0]}_missing")
        elif not 0.0 <= value <= most:
            flags.append(f"{field.split('_')[0]}_invalid")
        else:
            values[field] = value / 100.0 if field == "occupancy_ratio" else value
    return values, flags


def _period(basic: Node) -> float | None:
    text = _first(basic, _PERIODS)
    return number(text) if text else None


def _first(node: Node, paths: tuple[str, ...]) -> str:
    for path in paths:
        text = node.value(path)
        if text:
            return text
    return ""


def _missing(path: str, what: str) -> Rejection:
    return Rejection(
        code="missing-field",
        message=f"{what} is not named, so the values belong nowhere",
        path=path,
        fix="let the publisher name it, as the DATEX II schema demands",
    )
