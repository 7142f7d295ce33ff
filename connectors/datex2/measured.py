"""Measured and elaborated data of DATEX II: flow, speed, occupancy and travel times."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from connectors._formats.numbers import number
from connectors._formats.xml import Node
from connectors.datex2.location import read_location
from connectors.datex2.record import STATUS, Context
from connectors.datex2.sites import SITE_PARTS, Sites, vehicle_class
from hub.connector import Event, Nothing, Outcome, Position, Rejection

__all__ = ["MEASURED_PARTS", "VALUE_PARTS", "Measured"]

VALUE_PARTS: Final = ("siteMeasurements", "elaboratedData", "physicalQuantity")
MEASURED_PARTS: Final = frozenset({*VALUE_PARTS, *SITE_PARTS})
"""What documents of any length repeat, each on its own."""

_FIELDS: Final = {
    "vehicleFlow": ("vehicleFlowRate", "flow_veh_h", 50_000.0),
    "averageVehicleSpeed": ("speed", "speed_kmh", 300.0),
    "occupancy": ("percentage", "occupancy_ratio", 100.0),
    "travelTime": ("duration", "travel_time_s", 86_400.0),
}
"""Element of a basic value: where its number stands, the body's field, the most to believe."""
_MEASURES: Final = {
    "trafficFlow": "flow_veh_h",
    "trafficSpeed": "speed_kmh",
    "trafficConcentration": "occupancy_ratio",
    "travelTimeInformation": "travel_time_s",
}
_WITHOUT_VEHICLES: Final = frozenset({"speed_kmh", "travel_time_s"})
_QUANTITIES: Final = frozenset({"measuredValue", "physicalQuantity"})
_FAULTS: Final = frozenset(
    {"physicalQuantityFault", "measurementEquipmentFault", "elaboratedDataFault"}
)
_TRUE: Final = frozenset({"true", "1"})
_TYPES_MAX: Final = 20
_ALIKE_MAX: Final = 8


@dataclass(slots=True)
class _Value:
    """What one index of a site says at one time, of one class of vehicles."""

    kind: str
    index: str = ""
    time: str = ""
    period_s: float | None = None
    vehicle_class: str = ""
    numbers: dict[str, float | None] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)


class Measured:
    """Reads the parts of one publication of measured or elaborated data, or of a table of sites."""

    def __init__(self, context: Context, sites: Sites) -> None:
        self._context = context
        self._sites = sites
        publication = context.publication
        header = publication.value("headerInformation/informationStatus")
        self._status = STATUS.get(header, "UNKNOWN")
        self._flags = () if header in STATUS else ("information_status_unknown",)
        self._time = publication.value("timeDefault")
        self._period_s = number(publication.value("periodDefault"))
        self._forecast = publication.value("forecastDefault") in _TRUE
        self._unread: Counter[str] = Counter()
        self.count = 0

    def read(self, part: Node) -> Iterator[Outcome]:
        """The outcomes of one site or one elaborated value; a table's site gives none."""
        path = f"{part.name}[{self.count}]"
        self.count += 1
        if part.name == "siteMeasurements":
            yield from self._site(part, path)
        elif part.name in VALUE_PARTS:
            yield from self._elaborated(part, path)
        else:
            refused = self._sites.add(part, path)
            if refused is not None:
                yield refused

    def rest(self) -> Iterator[Nothing]:
        """What was left unread of the parts so far: values that say nothing of traffic."""
        if self._unread:
            told = ", ".join(f"{count} {name}" for name, count in sorted(self._unread.items()))
            yield Nothing(why=f"values that are not read: {told}")

    def _site(self, node: Node, path: str) -> Iterator[Outcome]:
        site = node.find("measurementSiteReference")
        ref = site.attr("id") or site.text if site is not None else ""
        if site is None or not ref:
            yield _missing(f"{path}/measurementSiteReference/@id", "the measurement site")
            return
        default = _time(node.find("measurementTimeDefault"))
        folded: dict[tuple[str, str, bool], list[_Value]] = {}
        for outer in node.children:
            if outer.name not in _QUANTITIES:
                continue
            for value in self._values(outer.find(outer.name) or outer):
                value.index = outer.attr("index")
                value.time = value.time or default
                _fold(folded, value)
        version = site.attr("version")
        position, meanings = self._sites.find(ref, version)
        for values in folded.values():
            for place, value in enumerate(values):
                yield self._measurement((ref, version), value, place, (position, meanings))

    def _values(self, node: Node) -> Iterator[_Value]:
        """The values of a quantity that are of traffic; the others are counted."""
        children = node.children
        faulty = any(child.name in _FAULTS for child in children)
        for basic in children:
            if basic.name != "basicData":
                continue
            value = _value(basic, faulty=faulty)
            if value.numbers:
                yield value
            elif len(self._unread) < _TYPES_MAX or value.kind in self._unread:
                self._unread[value.kind[:60] or "untyped"] += 1

    def _measurement(
        self,
        site: tuple[str, str],
        value: _Value,
        repeat: int,
        known: tuple[Position | None, dict[str, Any]],
    ) -> Event:
        ref, version = site
        position, meanings = known
        meaning = meanings.get(value.index)
        name = f"{value.index}#{repeat}" if repeat else value.index
        names = (name, value.vehicle_class) if value.vehicle_class else (name,)
        body: dict[str, Any] = {**value.numbers, "site_ref": ref}
        if not value.index:
            value.flags.append("index_missing")
        if repeat:
            value.flags.append("index_repeated")
        if meaning is None:
            value.flags.append("site_table_missing")
        else:
            if _MEASURES.get(meaning.measures, "") not in {"", *value.numbers}:
                value.flags.append("site_table_contradicts")
            body["lane"] = meaning.lane
            value.vehicle_class = value.vehicle_class or meaning.vehicle_class
            value.period_s = value.period_s or meaning.period_s
        return self._event(value, body, (ref, version, *names), position)

    def _elaborated(self, node: Node, path: str) -> Iterator[Outcome]:
        values = list(self._values(node))
        if not values:
            return
        owners = (node, *node.findall("basicData"))
        places = [place for owner in owners for place in owner.findall("pertinentLocation")]
        location = read_location(places[0], itself=True) if places else None
        codes = location.codes if location is not None else []
        ref = "/".join(code["code"] for code in codes if code["code"]) or node.attr("id")
        if not ref:
            yield _missing(f"{path}/basicData/pertinentLocation", "a coded place and an id")
            return
        told = node.value("forecast")
        forecast = told in _TRUE if told else self._forecast
        position = location.position if location is not None else None
        for value in values:
            value.flags.append("forecast" if forecast else "elaborated")
            value.time = value.time or self._time
            value.period_s = value.period_s or self._period_s
            names = filter(None, (value.vehicle_class, "forecast" if forecast else ""))
            body = {**value.numbers, "site_ref": ref}
            yield self._event(value, body, (ref, "", value.kind, *names), position)

    def _event(
        self,
        value: _Value,
        body: dict[str, Any],
        subject: tuple[str, ...],
        position: Position | None,
    ) -> Event:
        if body.get("flow_veh_h") == 0.0 and body.get("occupancy_ratio") == 1.0:
            body |= dict.fromkeys(value.numbers)
            value.flags.append("detector_stuck")
        stamp = self._context.stamp(value.time, is_recent=True)
        body["period_s"] = value.period_s
        body["vehicle_class"] = value.vehicle_class
        kind = "traffic.travel_time" if "travel_time_s" in body else "traffic.flow"
        return Event(
            noun="measurement",
            kind="traffic.forecast" if "forecast" in value.flags else kind,
            device_ref=subject[0],
            subject=subject,
            native_id="/".join((subject[0], *subject[2:])),
            native_version=subject[1] or None,
            observed_at=stamp.at,
            published_at=self._context.published_at,
            time_quality=stamp.quality,
            status=self._status,
            position=position,
            quality_flags=tuple(dict.fromkeys([*stamp.flags, *self._flags, *value.flags])),
            body=body,
        )


def _fold(folded: dict[tuple[str, str, bool], list[_Value]], value: _Value) -> None:
    """Put flow and speed of one index together, as long as neither time nor field contradicts."""
    key = (value.index, value.vehicle_class, "travel_time_s" in value.numbers)
    values = folded.setdefault(key, [])
    for known in values[-_ALIKE_MAX:]:
        if known.time == value.time and not known.numbers.keys() & value.numbers.keys():
            known.numbers |= value.numbers
            known.flags += value.flags
            known.period_s = known.period_s or value.period_s
            return
        if known == value:
            return
    values.append(value)


def _value(basic: Node, *, faulty: bool) -> _Value:
    """The numbers of a basic value, with null for what is none, and why."""
    value = _Value(basic.type_name)
    for child in basic.children:
        name = child.name
        if name in _FIELDS:
            value.numbers[_FIELDS[name][1]] = _number(child, value, faulty=faulty)
        elif name == "measurementOrCalculationTime":
            value.time = _time(child)
        elif name == "measurementOrCalculationPeriod":
            value.period_s = number(child.text)
        elif name == "forVehiclesWithCharacteristicsOf":
            value.vehicle_class = vehicle_class(child)
    return value


def _number(child: Node, value: _Value, *, faulty: bool) -> float | None:
    inner, target, most = _FIELDS[child.name]
    told = child.values()
    found = number(told.get(inner, ""))
    if faulty or told.get("dataError") in _TRUE:
        flag = "data_error"
    elif target in _WITHOUT_VEHICLES and child.attr("numberOfInputValuesUsed") == "0":
        flag = "no_vehicles"
    elif found is None or found == -1.0:
        flag = f"{target.partition('_')[0]}_missing"
    elif not 0.0 <= found <= most:
        flag = f"{target.partition('_')[0]}_invalid"
    else:
        return found / 100.0 if target == "occupancy_ratio" else found
    value.flags.append(flag)
    return None


def _time(node: Node | None) -> str:
    """A time as 2.x writes it, or inside elements as 3.x does; of a period its end."""
    if node is None:
        return ""
    return node.text or node.value("timeValue") or node.value("period/endOfPeriod")


def _missing(path: str, what: str) -> Rejection:
    return Rejection(
        code="missing-field",
        message=f"{what} is not named, so the values belong nowhere",
        path=path,
        fix="let the publisher name it, as the DATEX II schema demands",
    )
