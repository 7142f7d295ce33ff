"""What IRIS, the traffic management system of Minnesota, publishes: samples, incidents, signs.

One `measurement` for each detector or station with a value, from the XML files `det_sample` and
`stat_sample` (also gzip) and from `station_sample`, the JSON of newer versions; one `situation` for
each row of `incident` (XML and JSON), and one `health` for each sign of `dms_message` (JSON).

Traps handled:

- The XML has an internal DTD whose attribute defaults say UNKNOWN. It is read; UNKNOWN is no value.
  Entities and external DTDs are refused, as everywhere.
- `time_stamp` is Java's Date.toString(), `Thu Aug 20 10:00:00 CDT 2026`: month names and a zone's
  abbreviation. CST is America's; an abbreviation that is not known leaves the source's `zone`.
- A row without any value is a detector that did not answer: it gives no event.
- Speed is in miles an hour and becomes km/h; a speed without flow is none, 0 with flow is missing.
- Occupancy is in per cent; full occupancy without flow is a stuck detector (`detector_stuck`).
- The stamp stands for the end of the period.
- Sensors, signs and incidents named as tests (`TEST…`) have the status TEST.
- An edited incident gets a new name and `replaces` the first one's, which stays the subject.
- Where an incident and the one it replaces stand side by side, the later one is taken.
- `cleared` ends an incident for five minutes; then it vanishes. An empty list is all clear.
- What was typed in as `detail` is told without contacts (`contact_masked`); texts of megabytes are
  cut to what a record has room for (`text_cut`).
- `dms_message` names a message without its text: what a sign shows is not told, `failed` is.

Known: the programs that write the files. Inferred: names of test sites. Not read: which camera and
which operator saw an incident, and who set a sign.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_position
from connectors._formats.fitting import fitted
from connectors._formats.inflate import pieces_of
from connectors._formats.json import a_text, an_object, parse_json, shown
from connectors._formats.members import the_text
from connectors._formats.numbers import number
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub.connector import (
    Connector,
    Event,
    Nothing,
    Options,
    Outcome,
    Payload,
    Rejection,
    Status,
)
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
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_ZONES: Final = {
    "GMT": "Z", "UTC": "Z", "ICT": "+07:00",
    "AST": "-04:00", "ADT": "-03:00", "EST": "-05:00", "EDT": "-04:00",
    "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00",
}  # fmt: skip

_INCIDENT: Final = (
    "name", "replaces", "event_type", "event_date", "detail", "lane_code", "road", "dir",
    "location", "lon", "lat", "impact", "cleared", "confirmed",
)  # fmt: skip
_KINDS: Final = {
    "crash": "accident",
    "stall": "vehicle_obstruction",
    "hazard": "hazard",
    "roadwork": "works",
}
_CONFIRMED: Final = {"true": "certain", "false": "probable"}
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LASTS_S: Final = 366 * 86_400
_TEXT_MAX: Final = 20_000

_Row = tuple[str, str, str, str, str]
"""Sensor, flow, speed, occupancy as texts, and where they stand."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The samples, incidents or signs of a file; a bad one never hides its neighbours."""
    body = b"".join(pieces_of(payload.body, max_bytes=_BYTES_MAX))
    found = False
    for outcome in _outcomes(body, payload, options):
        found = True
        yield outcome
    if not found:
        yield Nothing(why="a file without a measured value, an incident or a sign")


def _outcomes(body: bytes, payload: Payload, options: Options) -> Iterator[Outcome]:
    if body.lstrip(_BEFORE_TEXT)[:1] == b"<":
        root = parse_xml(body)
        if root.name == "active_incidents":
            rows = [{name: node.attr(name) for name in _INCIDENT} for node in root.children]
            at = _stamp(root.attr("time_stamp"), payload, options)
            yield from _rows(rows, payload, options, at)
        else:
            yield from _samples(*_of_xml(root), payload, options)
        return
    document = parse_json(body, records=[()])
    if isinstance(document, list):
        yield from _rows(document, payload, options, None)
    else:
        yield from _samples(*_of_json(document), payload, options)


def _samples(
    time: str, period: str, rows: list[_Row], payload: Payload, options: Options
) -> Iterator[Outcome]:
    stamp = _stamp(time, payload, options)
    seen: set[str] = set()
    for row in rows:
        yield from _sample(row, stamp, number(period), seen)


def _rows(
    rows: list[Any], payload: Payload, options: Options, published: Stamp | None
) -> Iterator[Outcome]:
    newest: dict[tuple[str, ...], Event] = {}
    for place, item in enumerate(rows):
        try:
            event = _of_row(an_object(item, (place,)), place, payload, options, published)
        except PayloadError as error:
            yield Rejection.of(error)
            continue
        known = newest.get(event.subject)
        if known is None or _began(event) >= _began(known):
            newest[event.subject] = event
    yield from newest.values()


def _began(event: Event) -> datetime:
    return event.observed_at or _EARLIEST


def _of_row(
    row: dict[str, Any], place: int, payload: Payload, options: Options, published: Stamp | None
) -> Event:
    """An incident or a sign, told apart by the members that only they have."""
    name = the_text(row, "name")
    if not name:
        path = shown((place, "name"))
        raise PayloadError("a row without a name", code="missing-field", path=path)
    if "event_date" in row:
        return _incident(name, row, payload, options, published)
    if "msg_current" in row:
        return _sign(name, row)
    what = "a row that is neither an incident nor a sign"
    raise PayloadError(what, code="not-iris", path=shown((place,)))


def _incident(
    name: str, row: Mapping[str, Any], payload: Payload, options: Options, published: Stamp | None
) -> Event:
    ref = the_text(row, "replaces") or name
    record_type = the_text(row, "event_type") or the_text(row, "description")
    began = _stamp(the_text(row, "event_date"), payload, options, late_ok_s=_LASTS_S)
    position, doubts = read_position(the_text(row, "lat"), the_text(row, "lon"))
    location = the_text(row, "location")
    lane = the_text(row, "lane_code") or the_text(row, "lane_type")
    confirmed = the_text(row, "confirmed").lower()
    told, flags = the_text(row, "detail"), list(doubts)
    detail, masked = without_contacts(told[:_TEXT_MAX])
    flags.extend(["text_cut"] if len(told) > _TEXT_MAX else [])
    flags.extend(["contact_masked"] if masked else [])
    body = {
        "situation_ref": ref,
        "record_ref": name,
        "record_type": record_type,
        "detail": detail,
        "valid_from": began.at,
        "probability": _CONFIRMED.get(confirmed, ""),
        "texts": [{"text": location, "role": "location"}] if location else [],
        "road": the_text(row, "road"),
        "direction": the_text(row, "dir") or the_text(row, "direction"),
        "lanes": [lane] if lane else [],
        "impact": the_text(row, "impact"),
    }
    body = fitted(body, flags, whole=("situation_ref", "record_ref"))
    return Event(
        noun="situation",
        kind=f"road.{_KINDS.get(snake(record_type).removeprefix('incident_'), 'incident')}",
        subject=(ref,),
        native_id=ref,
        native_version=name,
        observed_at=began.at,
        published_at=published.at if published is not None else None,
        time_quality=began.quality,
        lifecycle="ENDED" if the_text(row, "cleared").lower() == "true" else "UNKNOWN",
        status=_status(name),
        position=position,
        quality_flags=tuple(dict.fromkeys([*began.flags, *flags])),
        body=body,
    )


def _sign(name: str, row: Mapping[str, Any]) -> Event:
    failed = the_text(row, "failed").lower()
    return Event(
        noun="health",
        kind="device.health",
        device_ref=name,
        subject=(name, "device"),
        time_quality="RECEIVED",
        status=_status(name),
        body={
            "state": {"true": "FAULT", "false": "ONLINE"}.get(failed, "UNKNOWN"),
            "component": "device",
            "detail": the_text(row, "msg_current"),
        },
    )


def _status(name: str) -> Status:
    return "TEST" if name.upper().startswith("TEST") else "LIVE"


def _stamp(text: str, payload: Payload, options: Options, *, late_ok_s: int = 0) -> Stamp:
    return read_stamp(
        iso_of_java(text),
        received_at=payload.received_at,
        options=options,
        replayed=late_ok_s > 0,
        late_ok_s=late_ok_s,
    )


def iso_of_java(text: str) -> str:
    """`Thu Aug 20 10:00:00 CDT 2026` as ISO 8601; another text as it is."""
    found = _JAVA.fullmatch(" ".join(text.split()))
    if found is None or found[1] not in _MONTHS:
        return text
    zone = found[4].removeprefix("GMT") if found[4][3:4] in {"+", "-"} else _ZONES.get(found[4], "")
    month = _MONTHS.index(found[1]) + 1
    return f"{found[5]}-{month:02}-{int(found[2]):02}T{found[3]}{zone}"


def _of_xml(root: Node) -> tuple[str, str, list[_Row]]:
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


def _of_json(value: Any) -> tuple[str, str, list[_Row]]:
    document = an_object(value, ())
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
        status=_status(sensor),
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
    title="Vehicle detectors, incidents and signs, IRIS (det_sample, station_sample, incident)",
    parse=parse,
    emits=("measurement", "situation", "health"),
    identity={
        "measurement": ("body.flow_veh_h", "body.speed_kmh", "body.occupancy_ratio"),
        "situation": (
            "body.record_type",
            "body.detail",
            "body.probability",
            "body.road",
            "body.direction",
            "body.lanes",
            "body.impact",
        ),
        "health": ("body.state", "body.detail"),
    },
    transports=("http_poll", "http_push", "drop_folder"),
)
