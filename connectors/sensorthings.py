"""Traffic lights and detectors of OGC SensorThings servers 1.0 and 1.1, as Hamburg publishes them.

Read are answers of datastreams or things with their observations expanded, lists of observations,
and single ones over MQTT. Signals give a `signal_state` for each head, the rest `measurement`.

Traps handled:

- Ids change when a server is rebuilt, so subject and device are named by the thing (`1337_1`),
  where it is expanded or told in the option `datastreams`; else by the datastream.
- An observation over MQTT says nothing of its datastream: the topic has the id, the option the
  rest.
- `phenomenonTime` may be an interval: its end is when it was observed, its length the period. It
  jitters by a second or two, which is left as it is.
- Observations come newest first and are given oldest first. Over QoS 1 one may come twice, under
  the same id.
- Signals are published on change alone, so silence is a state: the phase began at its observation.
- Codes are read by the words of the unit's definition (`0=dark,1=red`), else by Hamburg's list. 9
  is unknown and no value, as are negative counts.
- Whether green is protected, the codes do not say: it is given as permissive.

Counts are known by their layer (`Anzahl_Kfz_Zaehlfeld_5-Min`), speed and flow by their unit;
`detector_car` and `detector_bike` as per cent of occupancy, which is inferred. Each tells one
quantity, so that a detector is stuck, always occupied without a vehicle, is not seen. Other layers
(`signal_program`, `cycle_second`) and quantities are no events. No payload of Hamburg's is stored
publicly: shapes are from a server's documentation, and from programs that read or simulate it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

import hub
from connectors._formats.json import Path, an_object, parse_json, shown
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.shapes import position_of
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Position

__all__ = ["Options", "StreamOption", "connector", "parse"]

_STREAM: Final = re.compile(r"Datastreams\('?([^()'/]{1,80})'?\)")
_SIGNALS: Final = frozenset({"primary_signal", "secondary_signal", "auxiliary_signal"})
_DETECTORS: Final = {"detector_car": "", "detector_bike": "bicycle"}
_COUNT: Final = re.compile(r"Anzahl_([^\W_]+)_", re.IGNORECASE)
_CLASSES: Final = {"kfz": "", "fahrraeder": "bicycle"}
_WORDS: Final = re.compile(r"\s*(\d)\s*=\s*([a-z -]+?)\s*(?:,|$)")
_HAMBURG: Final = "0=dark,1=red,2=amber,3=green,4=red-amber,5=amber-flashing,6=green-flashing"
_PHASES: Final = {
    "dark": "DARK",
    "red": "STOP_AND_REMAIN",
    "amber": "PERMISSIVE_CLEARANCE",
    "green": "PERMISSIVE_MOVEMENT_ALLOWED",
    "red-amber": "PRE_MOVEMENT",
    "amber-flashing": "CAUTION_CONFLICTING_TRAFFIC",
    "green-flashing": "PERMISSIVE_CLEARANCE",
    "unknown": "UNKNOWN",
}
_UNITS: Final = {
    "km/h": ("speed_kmh", 1.0, 300.0),
    "m/s": ("speed_kmh", 3.6, 300.0),
    "veh/h": ("flow_veh_h", 1.0, 50_000.0),
    "kfz/h": ("flow_veh_h", 1.0, 50_000.0),
}
"""Of a unit's symbol: field, factor, and the most that is believed."""
_COUNT_MAX: Final = 100_000
_PERIOD_MAX_S: Final = 7 * 86_400
_DIGITS: Final = re.compile(r"(\d{1,3})\D*$")
_CROSSING: Final = re.compile(r"\d{1,5}", re.ASCII)
_OBSERVATION: Final = frozenset({"result", "phenomenonTime"})


class StreamOption(BaseModel):
    """What a datastream is, where its observations come alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str = Field(description="Layer: `primary_signal`, `detector_car`")
    thing: str = Field(default="", description="Name of its thing: `1337_1`")
    crossing: str = Field(default="", description="Crossing of a signal: `1337`")
    signal_group: str = Field(default="", description="Signal group of a signal: `K2`")
    unit: str = Field(default="", description="Symbol of its unit: `km/h`")


class Options(hub.Options):
    """What a site may say of a SensorThings server."""

    datastreams: dict[str, StreamOption] = Field(
        default_factory=dict,
        description="Layer, thing, signal group and unit by the id of a datastream, for "
        "observations that come without it, as over MQTT",
    )


@dataclass(slots=True)
class _Stream:
    """A datastream, from wherever it is known."""

    id: str
    layer: str
    thing: str = ""
    group: str = ""
    unit: str = ""
    definition: str = ""
    crossing: str = ""
    position: Position | None = None

    @property
    def device_ref(self) -> str:
        return self.thing or f"Datastreams({self.id})"


@dataclass(slots=True)
class _Reading:
    """What all entities of a payload share."""

    payload: Payload
    options: Options
    around: str = ""
    """Id of the datastream that the topic or the address names."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Observations that are no traffic, by layer."""
    found: bool = False


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each observation of traffic, oldest first within its datastream."""
    document = an_object(parse_json(payload.body, records=[("value",)]), ())
    _refuse_errors(document)
    listed = document.get("value")
    items = listed if isinstance(listed, list) else [document]
    reading = _Reading(payload, options, _around(document, payload))
    for place, item in enumerate(items):
        path: Path = ("value", place) if isinstance(listed, list) else ()
        try:
            yield from _entity(an_object(item, path), path, reading)
        except PayloadError as error:
            yield Rejection.of(error)
    if reading.skipped:
        layers = ", ".join(sorted(reading.skipped))[:200]
        yield Nothing(why=f"observations of layers that are not read: {layers}")
    elif not reading.found:
        yield Nothing(why="no observation")


def _refuse_errors(document: Mapping[str, Any]) -> None:
    if "value" not in document and (document.get("type") == "error" or "error" in document):
        raise PayloadError(
            f"the server answered with an error {the_text(document, 'code')[:20]}".rstrip(),
            code="service-error",
            path="code",
            fix="look at the request: server, filter and expansion",
        )


def _around(document: Mapping[str, Any], payload: Payload) -> str:
    """The datastream that a topic, a path or the link to the next page names."""
    texts = (payload.meta.get("mqtt_topic", ""), payload.meta.get("path", ""))
    for text in (*texts, the_text(document, "@iot.nextLink")):
        if found := _STREAM.search(text):
            return found[1]
    return ""


def _entity(item: Mapping[str, Any], path: Path, reading: _Reading) -> Iterator[Outcome]:
    """The observations of a thing, of a datastream, or one alone."""
    if _OBSERVATION & item.keys() and "Observations" not in item:
        reading.found = True
        yield from _observations([(item, path)], _alone(item, path, reading), reading)
    elif "Datastreams" in item:
        for place, stream in enumerate(the_items(item, "Datastreams")):
            if isinstance(stream, dict):
                where = (*path, "Datastreams", place)
                yield from _of_stream({**stream, "Thing": item}, where, reading)
    else:
        yield from _of_stream(item, path, reading)


def _of_stream(item: Mapping[str, Any], path: Path, reading: _Reading) -> Iterator[Outcome]:
    entries = the_items(item, "Observations")
    if entries:
        found = [
            (entry, (*path, "Observations", place))
            for place, entry in enumerate(entries)
            if isinstance(entry, dict)
        ]
        yield from _observations(found, _stream(item, reading), reading)


def _alone(item: Mapping[str, Any], path: Path, reading: _Reading) -> _Stream:
    """The datastream of an observation that comes without it around."""
    inside = the_object(item, "Datastream")
    if inside:
        return _stream(inside, reading)
    if reading.around in reading.options.datastreams:
        return _stream({"@iot.id": reading.around}, reading)
    raise PayloadError(
        "an observation of an unknown datastream",
        code="unknown-datastream",
        path=shown((*path, "Datastream")),
        fix="name it in the option `datastreams`, or ask with $expand=Datastream",
    )


def _stream(item: Mapping[str, Any], reading: _Reading) -> _Stream:
    id_ = the_text(item, "@iot.id") or the_text(item, "id") or reading.around
    told = reading.options.datastreams.get(id_)
    properties, thing = the_object(item, "properties"), the_object(item, "Thing")
    unit = the_object(item, "unitOfMeasurement")
    about = the_object(thing, "properties")
    return _Stream(
        id=id_,
        layer=the_text(properties, "layerName") or (told.layer if told else ""),
        thing=the_text(thing, "name") or (told.thing if told else ""),
        group=the_text(properties, "signalGroupID") or (told.signal_group if told else ""),
        unit=the_text(unit, "symbol") or (told.unit if told else ""),
        definition=the_text(unit, "definition"),
        crossing=the_text(about, "trafficLightsID")
        or the_text(about, "trafficLightsId")
        or (told.crossing if told else ""),
        position=position_of(item.get("observedArea")) or _located(thing),
    )


def _located(thing: Mapping[str, Any]) -> Position | None:
    for location in the_items(thing, "Locations"):
        shape = the_object(location, "location") if isinstance(location, dict) else {}
        if (position := position_of(shape.get("geometry", shape))) is not None:
            return position
    return None


def _observations(
    entries: Sequence[tuple[Mapping[str, Any], Path]], stream: _Stream, reading: _Reading
) -> Iterator[Outcome]:
    stamped = [(*_times(entry, reading), entry, path) for entry, path in entries]
    stamped.sort(key=lambda each: each[0].at or reading.payload.received_at)
    reader = _reader(stream)
    reading.found = True
    for stamp, period_s, entry, path in stamped:
        if reader is None:
            name = stream.layer or stream.unit or "without a layer"
            reading.skipped[name] = reading.skipped.get(name, 0) + 1
            continue
        value = the_number(entry, "result")
        if value is None:
            what = "a result that is no number"
            yield Rejection(code="bad-value", message=what, path=shown((*path, "result")))
        else:
            yield reader(value, stream, stamp, period_s)


def _times(entry: Mapping[str, Any], reading: _Reading) -> tuple[Stamp, float | None]:
    """The end of the interval, or the instant, and the interval's length."""
    begin, slash, end = the_text(entry, "phenomenonTime").partition("/")
    first, last = (_stamp(text, reading) for text in (begin, end if slash else begin))
    seconds = (last.at - first.at).total_seconds() if last.at and first.at else 0.0
    return last, seconds if 0 < seconds <= _PERIOD_MAX_S else None


def _stamp(text: str, reading: _Reading) -> Stamp:
    payload, options = reading.payload, reading.options
    return read_stamp(text, received_at=payload.received_at, options=options)


_Reader = Callable[[float, _Stream, Stamp, float | None], Event]


def _reader(stream: _Stream) -> _Reader | None:
    """What reads the results of a datastream; None where they are no traffic."""
    if stream.layer in _SIGNALS:
        return _signal
    if stream.layer in _DETECTORS or _COUNT.match(stream.layer):
        return _measurement
    return _measurement if stream.unit.lower() in _UNITS else None


def _common(stream: _Stream, stamp: Stamp, flags: tuple[str, ...]) -> dict[str, Any]:
    return {
        "device_ref": stream.device_ref,
        "native_id": stream.id or None,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "position": stream.position,
        "quality_flags": (*stamp.flags, *flags),
    }


def _signal(value: float, stream: _Stream, stamp: Stamp, _period_s: float | None) -> Event:
    words = dict(_WORDS.findall((stream.definition or _HAMBURG).lower()))
    if not words.keys() & set("0123456"):
        words = dict(_WORDS.findall(_HAMBURG))
    code = str(int(value)) if value.is_integer() else ""
    phase = _PHASES.get(words.get(code, "unknown").replace(" ", "-"), "UNKNOWN")
    number = _DIGITS.search(stream.group) or _DIGITS.search(stream.thing)
    crossing = stream.crossing
    flags = (
        *(("phase_unknown",) if phase == "UNKNOWN" else ()),
        *(() if number else ("signal_group_missing",)),
    )
    return Event(
        noun="signal_state",
        kind="signal.phase",
        subject=(stream.device_ref, stream.layer),
        body={
            "intersection_name": crossing or stream.thing,
            "intersection": int(crossing) if _CROSSING.fullmatch(crossing) else 0,
            "groups": [
                {
                    "signal_group": int(number[1]) if number else 0,
                    "name": stream.group,
                    "state": phase,
                    "start_at": stamp.at,
                }
            ],
        },
        **_common(stream, stamp, flags),
    )


def _measurement(value: float, stream: _Stream, stamp: Stamp, period_s: float | None) -> Event:
    count = _COUNT.match(stream.layer)
    if count:
        name, factor, most = "vehicle_count", 1.0, float(_COUNT_MAX)
        class_ = _CLASSES.get(count[1].lower(), count[1].lower())
    elif stream.layer in _DETECTORS:
        name, factor, most = "occupancy_ratio", 0.01, 1.0
        class_ = _DETECTORS[stream.layer]
    else:
        name, factor, most = _UNITS[stream.unit.lower()]
        class_ = ""
    known = 0 <= value * factor <= most and (not count or value.is_integer())
    body: dict[str, Any] = {
        "site_ref": stream.device_ref,
        "vehicle_class": class_,
        "period_s": period_s,
    }
    if known:
        body[name] = int(value) if count else round(value * factor, 6)
    return Event(
        noun="measurement",
        kind="traffic.flow",
        # A thing may have several of one layer, for its lanes, so the id must tell them apart.
        subject=(stream.device_ref, stream.layer or stream.unit, stream.id),
        body=body,
        **_common(stream, stamp, () if known else (f"{name}_invalid",)),
    )


connector = Connector(
    name="sensorthings",
    title="Traffic lights and detectors, OGC SensorThings 1.0 and 1.1 (Hamburg's layers)",
    parse=parse,
    emits=("signal_state", "measurement"),
    identity={
        "signal_state": ("body.groups",),
        "measurement": (
            "body.vehicle_class",
            "body.vehicle_count",
            "body.occupancy_ratio",
            "body.speed_kmh",
            "body.flow_veh_h",
            "body.period_s",
        ),
    },
    options=Options,
    transports=("http_poll", "mqtt", "http_push", "drop_folder"),
    example_options={
        "datastreams": {"51": {"layer": "primary_signal", "thing": "1337_1", "crossing": "1337"}}
    },
)
