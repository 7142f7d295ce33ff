"""Signal phase and timing (SAE J2735 SPaT) as the US DOT ODE tools publish it.

One event per intersection. Read are the ODE's JSON (schema version 6, and 9 with a whole message
frame), its XER inside XML (version 8) and the GeoJSON converter's ProcessedSpat. What a document is
says `metadata.payloadType`, never the topic it came from. Traps handled:

- Times are tenths of a second in the current or next hour. They are placed around the time of the
  *message*, so 15 means 10:00:01.5 in a message of 09:59:58: an end from 10 minutes before the
  message to 50 after, a start from 50 minutes before to 10 after. The same mark gives the same
  instant in each repeat of a message. 36000 (more than an hour) and 36001 (unknown; 36110 and 36111
  since 2020) become null; marks beyond them become null with a flag.
- The minute of the year has no year and is often null: the ODE's time of receipt, else the hub's,
  gives what is missing.
- An unusable group is a rejection of its own; the event has the others.
- `region` is absent in one encoding and 0 in another for the same controller, so the subject and
  `device_ref` write an absent region as 0: `0/12111`. The body keeps null apart from 0.
- MAP messages are no state: a `Nothing` names intersections and revisions. Signed or undecoded
  bytes in hex are never half decoded: they are rejected as `opaque`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors._formats.j2735 import (
    controller_flags,
    instant_in_minute,
    instant_in_year,
    instant_of_mark,
    intersections_of_map,
    phase,
)
from connectors._formats.json import (
    Path,
    a_list,
    a_text,
    an_integer,
    an_object,
    parse_json,
    shown,
)
from connectors._formats.members import the_truth
from connectors._formats.text import snake
from connectors._formats.times import read_stamp
from connectors._formats.xml import as_values, parse_xml
from hub.connector import (
    Connector,
    Event,
    Nothing,
    Options,
    Outcome,
    Payload,
    Rejection,
    TimeQuality,
)
from hub.errors import PayloadError

__all__ = ["Options", "connector", "parse"]

_BACK: Final = {"startTime": timedelta(minutes=50)}
_BACK_OF_ENDS: Final = timedelta(minutes=10)
_AHEAD_OK: Final = timedelta(seconds=300)
_TRUSTED: Final = timedelta(hours=1)
_TIMES: Final = {
    "startTime": "start_at",
    "minEndTime": "min_end_at",
    "maxEndTime": "max_end_at",
    "likelyTime": "likely_at",
    "nextTime": "next_at",
}
_HEX: Final = re.compile(rb"\s*(?:[0-9A-Fa-f]{2}){8,}\s*")
_BEFORE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_XER_TEXTS: Final = frozenset({"status", "bytes", "asn1", "name", "movementName", "code"})
_XER_LISTS: Final = frozenset({"intersections", "states", "state-time-speed", "enabledLanes"})


@dataclass(slots=True)
class _Message:
    """A SPaT message, whatever it was wrapped in."""

    intersections: list[Any]
    path: Path
    moy: Any = None
    published_at: datetime | None = None
    flags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reading:
    """What the parts of one intersection need to be read."""

    payload: Payload
    options: Options
    message: _Message
    flags: list[str]
    at: datetime
    quality: TimeQuality = "DEVICE"


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One `signal_state` per intersection; a rejection for each part that is none."""
    message = _open(payload, options)
    if not isinstance(message, _Message):
        yield message
        return
    if not message.intersections:
        yield Nothing(why="a SPaT message without intersections")
    for place, item in enumerate(message.intersections):
        path = (*message.path, place) if message.path else ()
        reading = _Reading(payload, options, message, list(message.flags), payload.received_at)
        try:
            yield from _intersection(an_object(item, path), path, reading)
        except PayloadError as error:
            yield Rejection.of(error)


def _open(payload: Payload, options: Options) -> _Message | Rejection | Nothing:
    body = payload.body
    if _HEX.fullmatch(body):
        return _opaque(())
    document: Any
    if body.lstrip(_BEFORE_TEXT)[:1] == b"<":
        root = parse_xml(body)
        document = as_values(root, lists=_XER_LISTS, texts=_XER_TEXTS)
        if root.name != "OdeAsn1Data":
            document = {root.name: document}
    else:
        document = parse_json(body)
    document = an_object(document, ())
    if "metadata" not in document:
        return _bare(document, payload, options)
    metadata = an_object(document["metadata"], ("metadata",))
    content = an_object(document.get("payload"), ("payload",))
    message = _content(metadata, an_object(content.get("data"), ("payload", "data")))
    if isinstance(message, _Message):
        message.published_at = _stamp(metadata.get("odeReceivedAt"), payload, options)
    return message


def _content(metadata: dict[str, Any], data: dict[str, Any]) -> _Message | Rejection | Nothing:
    """The message under `payload.data`, told apart by the payload type."""
    path: Path = ("payload", "data")
    named = a_text(metadata.get("payloadType"), ("metadata", "payloadType")).rpartition(".")[2]
    if "code" in data and "message" in data:
        what = f"the decoder failed: {str(data['code'])[:60]}: {str(data['message'])[:200]}"
        return Rejection(code="decode-failed", message=what, path="payload/data/code")
    if "bytes" in data:
        return _opaque((*path, "bytes"))
    if "intersectionStateList" in data:
        states, path = data["intersectionStateList"], (*path, "intersectionStateList")
        if isinstance(states, dict):
            path = (*path, "intersectionStatelist")
            states = states.get("intersectionStatelist")
        message = _Message(a_list(states, path), path, data.get("timeStamp"))
        if named not in {"OdeSpatPayload", ""}:
            message.flags.append("payload_type_unknown")
        return message
    if named in {"OdeMessageFramePayload", "OdeAsn1Payload"}:
        return _frame(data, path)
    if named == "OdeMapPayload":
        return _map(data)
    if named.startswith("Ode"):
        return Nothing(why=f"an {named}, no SPaT")
    return Rejection(
        code="unknown-payload-type",
        message=f"no SPaT and no known payload type: {named[:60]!r}",
        path="metadata/payloadType",
    )


def _frame(data: dict[str, Any], path: Path) -> _Message | Nothing:
    """The SPaT of a J2735 message frame (XER or its JSON twin)."""
    if isinstance(data.get("MessageFrame"), dict):
        data, path = data["MessageFrame"], (*path, "MessageFrame")
    number = an_integer(data.get("messageId"), (*path, "messageId"), 0, 32767)
    if number == 18:
        return _map(data)
    if number != 19:
        return Nothing(why=f"J2735 message {number}, no SPaT")
    path = (*path, "value")
    value = an_object(data.get("value"), path)
    if "SPAT" in value:
        path = (*path, "SPAT")
        value = an_object(value["SPAT"], path)
    path = (*path, "intersections")
    return _Message(a_list(value.get("intersections"), path), path, value.get("timeStamp"))


def _map(message: dict[str, Any]) -> Nothing:
    names = ", ".join(intersections_of_map(message)) or "nameless intersections"
    return Nothing(why=f"a MAP message of {names}: geometry, not a state")


def _bare(
    document: dict[str, Any], payload: Payload, options: Options
) -> _Message | Rejection | Nothing:
    """A document without the ODE's metadata: a ProcessedSpat, or a naked message frame."""
    if "mapFeatureCollection" in document:
        return _map(document)
    if "messageId" in document or "MessageFrame" in document:
        return _frame(document, ())
    if document.get("messageType", "SPAT") != "SPAT" or "intersectionId" not in document:
        return Rejection(
            code="unknown-payload-type",
            message="neither ODE metadata nor a ProcessedSpat",
            path="metadata" if "messageType" not in document else "messageType",
        )
    flags = ["cti4501_nonconformant"] if the_truth(document, "cti4501Conformant") is False else []
    remarks = document.get("validationMessages")
    for remark in remarks if isinstance(remarks, list) else ():
        where = str(remark.get("jsonPath", "")) if isinstance(remark, dict) else ""
        flags.append(f"source_invalid_{snake(where.rpartition('.')[2])[:40]}")
    message = _Message([document], (), flags=flags)
    message.published_at = _stamp(document.get("odeReceivedAt"), payload, options)
    return message


def _intersection(item: dict[str, Any], path: Path, reading: _Reading) -> Iterator[Outcome]:
    region, number = _ids(item, path)
    flags = reading.flags
    _set_clock(item, reading)
    revision = item.get("revision")
    if revision is not None and (type(revision) is not int or not 0 <= revision <= 127):
        revision = None
        flags.append("revision_invalid")
    groups, rejections = _groups(item, path, reading)
    yield from rejections
    if not groups:
        return
    flags.extend(["groups_rejected"] if rejections else [])
    controller_status, known = controller_flags(item.get("status"))
    flags.extend([] if known else ["controller_status_unknown"])
    device_ref = f"{region or 0}/{number}"
    yield Event(
        noun="signal_state",
        kind="signal.phase",
        device_ref=device_ref,
        subject=(device_ref,),
        native_id=device_ref,
        native_version=None if revision is None else str(revision),
        observed_at=reading.at,
        published_at=reading.message.published_at,
        time_quality=reading.quality,
        quality_flags=tuple(dict.fromkeys(flags)),
        body={
            "intersection_name": a_text(item.get("name"), (*path, "name")),
            "region": region,
            "intersection": number,
            "revision": revision,
            "controller_status": controller_status,
            "groups": groups,
        },
    )


def _ids(item: dict[str, Any], path: Path) -> tuple[int | None, int]:
    """Region, None when absent, and number of an intersection."""
    ids, name = item, "intersectionId"
    if name not in item:
        path, name = (*path, "id"), "id"
        ids = item["id"] if isinstance(item.get("id"), dict) else item
    region = ids.get("region")
    if region is not None and region != -1:
        an_integer(region, (*path, "region"), 0, 65_535)
    number = an_integer(ids.get(name), (*path, name), 0, 65_535)
    return None if region == -1 else region, number


def _groups(
    item: dict[str, Any], path: Path, reading: _Reading
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    states, path = _members(item, ("states",), "movementList", path)
    groups: dict[int, dict[str, Any]] = {}
    rejections: list[Rejection] = []
    for place, state in enumerate(states):
        where = (*path, place)
        try:
            group = _group(an_object(state, where), where, reading)
        except PayloadError as error:
            rejections.append(Rejection.of(error))
            continue
        if groups.setdefault(group["signal_group"], group) is not group:
            what = f"signal group {group['signal_group']} stands twice; the first is taken"
            where = (*where, "signalGroup")
            rejections.append(Rejection(code="duplicate-group", message=what, path=shown(where)))
    return [groups[number] for number in sorted(groups)], rejections


def _group(state: dict[str, Any], path: Path, reading: _Reading) -> dict[str, Any]:
    """One signal group; its first movement event is the present one."""
    number = an_integer(state.get("signalGroup"), (*path, "signalGroup"), 0, 255)
    name = a_text(state.get("movementName"), (*path, "movementName"))
    names = ("state_time_speed", "stateTimeSpeed", "state-time-speed")
    events, path = _members(state, names, "movementEventList", path)
    event = an_object(events[0], (*path, 0))
    shows = phase(event.get("eventState"))
    reading.flags.extend([] if shows else ["phase_unknown"])
    group = {"signal_group": number, "name": name, "state": shows or "UNKNOWN"}
    timing = event.get("timing")
    return group | _times(timing, reading) if isinstance(timing, dict) else group


def _members(
    item: dict[str, Any], names: tuple[str, ...], inner: str, path: Path
) -> tuple[list[Any], Path]:
    """A list that some encodings wrap in an object; it must have members."""
    name = next((name for name in names if name in item), names[0])
    members, path = item.get(name), (*path, name)
    if isinstance(members, dict):
        members, path = members.get(inner), (*path, inner)
    if members == []:
        raise PayloadError("an empty list", code="missing-field", path=shown(path))
    return a_list(members, path), path


def _times(timing: dict[str, Any], reading: _Reading) -> dict[str, Any]:
    """The absolute times of a movement event, and how sure the likely one is."""
    times: dict[str, Any] = {}
    for name, target in _TIMES.items():
        mark = timing.get(name)
        if mark is None:
            continue
        if type(mark) is int and mark < 1_000_000:
            at, legal = instant_of_mark(mark, reading.at, _BACK.get(name, _BACK_OF_ENDS))
        else:
            at = _stamp(mark, reading.payload, reading.options)
            legal = at is not None
        if at is not None:
            times[target] = at
        if not legal:
            reading.flags.append("time_mark_out_of_range")
    confidence = timing.get("confidence")
    if type(confidence) is int and 0 <= confidence <= 15:
        times["confidence"] = confidence
    elif confidence is not None:
        reading.flags.append("confidence_invalid")
    return times


def _set_clock(item: dict[str, Any], reading: _Reading) -> None:
    """When the message was made: minute of the year and milliseconds, completed by the receipt."""
    payload, options, message = reading.payload, reading.options, reading.message
    reference = message.published_at or payload.received_at
    if "utcTimeStamp" in item:
        at = _stamp(item["utcTimeStamp"], payload, options)
    else:
        ms = item.get("timeStamp")
        if type(ms) is not int or not 0 <= ms <= 60_999:
            reading.flags.extend([] if ms in (None, 65_535) else ["message_time_invalid"])
            ms = None
        at = instant_in_year(item.get("moy"), ms or 0, reference)
        if at is None:
            # The minute of the whole message is 0 in the field while nobody sets it.
            at = instant_in_year(message.moy, ms or 0, reference)
            at = at if at is not None and abs(at - reference) < _TRUSTED else None
        if at is None:
            reading.quality = "RECEIVED"
            at = instant_in_minute(ms, reference)
    if at is None:
        reading.quality, at = "RECEIVED", reference
    reading.at = at
    late = payload.received_at - at
    if not -_AHEAD_OK <= late <= timedelta(seconds=options.clock_tolerance_s):
        reading.quality = "SUSPECT"
        reading.flags.append("clock_suspect")


def _stamp(value: Any, payload: Payload, options: Options) -> datetime | None:
    """An absolute time: RFC 3339, or milliseconds since 1970."""
    if type(value) is int and 0 < value < 10**14:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)
    if not isinstance(value, str):
        return None
    at = read_stamp(value, received_at=payload.received_at, options=options).at
    return at if at is not None and 2000 <= at.year < 2200 else None


def _opaque(path: Path) -> Rejection:
    return Rejection(
        code="opaque",
        path=shown(path),
        message="signed or undecoded bytes in hex; the hub never half decodes them",
        fix="let the ODE decode the message (ASN.1 decoder module) before it is sent to the hub",
    )


connector = Connector(
    name="spat",
    title="Signal states, SAE J2735 SPaT: ODE JSON (schema 6, 9), XER (schema 8), ProcessedSpat",
    parse=parse,
    emits=("signal_state",),
    identity={"signal_state": ("body.revision", "body.controller_status", "body.groups")},
    transports=("kafka", "http_push", "drop_folder"),
)
