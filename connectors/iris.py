"""Samples of IRIS, the traffic management system of Minnesota: detectors and stations.

One `measurement` for each detector or station with a value, from the XML files `det_sample` and
`stat_sample` (also gzip) and from `station_sample`, the JSON of newer versions.

Traps handled:

- The XML has an internal DTD whose attribute defaults say UNKNOWN. It is read; UNKNOWN is no value.
  Entities and external DTDs are refused, as everywhere.
- `time_stamp` is Java's Date.toString(), `Thu Aug 20 10:00:00 CDT 2026`: month names and a zone's
  abbreviation. CST is America's; an abbreviation that is not known leaves the source's `zone`.
- A row without any value is a detector that did not answer: it gives no event.
- Speed is in miles an hour and becomes km/h; a speed without flow is none, 0 with flow is missing.
- Occupancy is in per cent; full occupancy without flow is a stuck detector (`detector_stuck`).
- The stamp stands for the end of the period.
- Sensors named as tests (`TEST…`) have the status TEST.

Known: the program that writes the files. Inferred: names of test sensors. Not read: `dms_message`,
which names messages without their texts, and incidents; both are refused as no samples.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from connectors._formats.inflate import pieces_of
from connectors._formats.json import a_text, an_object, parse_json
from connectors._formats.numbers import number
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import parse_xml
from hub.connector import Connector, Event, Nothing, Options, Outcome, Payload, Rejection
from hub.errors import PayloadError

__all__ = ["Options", "connector", "parse"]

_KMH_PER_MPH: Final = 1.609344
_FASTEST_MPH: Final = 150.0
_MOST_FLOW: Final = 50_000.0
_BYTES_MAX: Final = 16 * 1024 * 1024
_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_JAVA: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{2}:\d{2}:\d{2}) ([A-Z]{2,5}|GMT[+-]\d{2}:\d{2})"
    r" (\d{4})",
    re.ASCII,
)
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
_ZONES: Final = {
    "GMT": "Z", "UTC": "Z", "ICT": "+07:00",
    "AST": "-04:00", "ADT": "-03:00", "EST": "-05:00", "EDT": "-04:00",
    "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00",
}  # fmt: skip

_Row = tuple[str, str, str, str, str]
"""Sensor, flow, speed, occupancy as texts, and where they stand."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The samples of a file; a bad one never hides its neighbours."""
    body = b"".join(pieces_of(payload.body, max_bytes=_BYTES_MAX))
    if body.lstrip(_BEFORE_TEXT)[:1] == b"<":
        time, period, rows = _of_xml(body)
    else:
        time, period, rows = _of_json(body)
    stamp = read_stamp(iso_of_java(time), received_at=payload.received_at, options=options)
    none = True
    seen: set[str] = set()
    for row in rows:
        for outcome in _sample(row, stamp, number(period), seen):
            none = False
            yield outcome
    if none:
        yield Nothing(why="a file without a measured value")


def iso_of_java(text: str) -> str:
    """`Thu Aug 20 10:00:00 CDT 2026` as ISO 8601; another text as it is."""
    found = _JAVA.fullmatch(" ".join(text.split()))
    if found is None or found[1] not in _MONTHS:
        return text
    zone = found[4].removeprefix("GMT") if found[4][3:4] in {"+", "-"} else _ZONES.get(found[4], "")
    month = _MONTHS.index(found[1]) + 1
    return f"{found[5]}-{month:02}-{int(found[2]):02}T{found[3]}{zone}"


def _of_xml(body: bytes) -> tuple[str, str, list[_Row]]:
    root = parse_xml(body)
    if root.name != "traffic_sample":
        what = f"the root element is {root.name[:60]!r}, no traffic_sample"
        raise PayloadError(what, code="not-iris", path=root.name[:80])
    rows = [
        (
            node.attr("sensor"),
            node.attr("flow"),
            node.attr("speed"),
            node.attr("occ"),
            f"sample[{place}]",
        )
        for place, node in enumerate(root.findall("sample"))
    ]
    return root.attr("time_stamp"), root.attr("period"), rows


def _of_json(body: bytes) -> tuple[str, str, list[_Row]]:
    document = an_object(parse_json(body), ())
    if "samples" not in document:
        raise PayloadError("an object without samples", code="not-iris", path="samples")
    rows = []
    for sensor, values in an_object(document["samples"], ("samples",)).items():
        path = f"samples/{sensor[:40]}"
        told = values if isinstance(values, list) else [{}]
        flow, speed = [*map(_shown, told), "", ""][:2]
        rows.append((sensor, flow, speed, "", path))
    time = a_text(document.get("time_stamp"), ("time_stamp",))
    return time, _shown(document.get("period")), rows


def _shown(value: Any) -> str:
    """A number's digits, empty for null; for anything else a text that is no number."""
    if value is None:
        return ""
    return str(value) if type(value) in {int, float} else "?"


def _sample(row: _Row, stamp: Stamp, period_s: float | None, seen: set[str]) -> Iterator[Outcome]:
    sensor, *texts, path = row
    if not sensor:
        what = "a sample without its sensor: it can't be said where it was measured"
        yield Rejection(code="missing-field", message=what, path=f"{path}/sensor")
        return
    if sensor in seen:
        what = "the sensor stands twice; the first sample is taken"
        yield Rejection(code="duplicate-sensor", message=what, path=path)
        return
    seen.add(sensor)
    told = ["" if text.strip().upper() == "UNKNOWN" else text.strip() for text in texts]
    values = [number(text) if text else None for text in told]
    if any(text and value is None for text, value in zip(told, values, strict=True)):
        what = "a flow, speed or occupancy that is no number"
        yield Rejection(code="wrong-type", message=what, path=path)
        return
    if any(value is not None and value != -1.0 for value in values):
        yield _event(sensor, values, stamp, period_s)


def _event(sensor: str, values: list[float | None], stamp: Stamp, period_s: float | None) -> Event:
    flow, speed, occupancy, flags = _measured(*values)
    return Event(
        noun="measurement",
        kind="traffic.flow",
        device_ref=sensor,
        subject=(sensor,),
        observed_at=stamp.at,
        time_quality=stamp.quality,
        status="TEST" if sensor.upper().startswith("TEST") else "LIVE",
        quality_flags=(*stamp.flags, *flags),
        body={
            "site_ref": sensor,
            "flow_veh_h": flow,
            "speed_kmh": None if speed is None else round(speed * _KMH_PER_MPH, 3),
            "occupancy_ratio": None if occupancy is None else round(occupancy / 100.0, 6),
            "period_s": period_s,
        },
    )


def _measured(
    flow: float | None, speed: float | None, occupancy: float | None
) -> tuple[float | None, float | None, float | None, list[str]]:
    """Flow, speed, occupancy and flags, with all that is no measurement taken out."""
    flags: list[str] = []
    if not flow and occupancy is not None and occupancy >= 100.0:
        return None, None, None, ["detector_stuck"]
    limits = ((flow, "flow", _MOST_FLOW), (speed, "speed", _FASTEST_MPH), (occupancy, "occ", 100.0))
    kept = []
    for value, name, most in limits:
        good = value is not None and 0.0 <= value <= most
        if not good and value not in {None, -1.0}:
            flags.append(f"{name}_invalid")
        kept.append(value if good else None)
    flow, speed, occupancy = kept
    if speed == 0.0 and flow:
        flags.append("speed_missing")
    if speed == 0.0 or flow == 0.0:
        speed = None
    return flow, speed, occupancy, flags


connector = Connector(
    name="iris",
    title="Vehicle detectors, IRIS det_sample, stat_sample (XML, gzip), station_sample (JSON)",
    parse=parse,
    emits=("measurement",),
    identity={"measurement": ("body.flow_veh_h", "body.speed_kmh", "body.occupancy_ratio")},
    transports=("http_poll", "http_push", "drop_folder"),
)
