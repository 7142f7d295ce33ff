"""Dahua cameras and recorders: events as text, in a stream or one by one, and as RPC2 JSON.

Reads what `eventManager.cgi?action=attach` sends (`Code=X;action=Start;index=0;data={…}`, whole
multiparts or single parts), what `snapManager.cgi?action=attachFileProc` sends
(`Events[0].EventBaseInfo.Code=…` line by line, then pictures), `client.notifyEventStream` of RPC2,
and its events alone or in a list, as cameras post them.

Traps handled: `Content-Length` without a blank, wrong, 0 or absent; `--myboundary` and
`-- myboundary`; a whole `HTTP/1.1 200 OK` block in mid-stream; several events in one part; `;`, `=`
and event-like words inside the JSON; JSON that breaks off (the event stays, with the flag
`data_unreadable`); the word `Heartbeat`; `UTC` that is local (`_formats/dahua`); no time at all
(SMD, VideoMotion); a Stop that repeats its Start's time (the end is when it was received, and the
flag `end_time_received` says so), but not of HumanTrait, which sends nothing else; Confidence that
is always 0; GB 18030 instead of UTF-8; digits that are a plate, not a number; names misspelt.

Known from captured payloads, issue threads and manual text, none of it from a standard. Inferred:
confidence is of 255; `Approach` comes nearer, `Leave` departs. `index` counts channels from 0 and
stands in `device_ref` as given; a stream is of one recorder, so the source's entry names it.
`EventID` pairs Start and Stop, but begins anew at a reboot: the Start's time stands beside it in
`native_id`. One act may be several events of a group, each with its picture: each is a candidate,
all with the group as `native_id`. Not read: riders, seats and faces, which are persons; pictures
beside events of persons are dropped; counts of traffic.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from connectors._formats.dahua import read_time
from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json, scan_json
from connectors._formats.members import the_integer, the_object, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import is_picture, take_pictures
from connectors._formats.streams import MultipartStream
from connectors._formats.violations import ActOptions
from connectors.dahua_cgi.events import OF_PERSONS, Found, events_of
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

EVENTS_MAX = 1_000
_LINES_MAX = 5_000
_RECORDS = ((), ("params", "eventList"))
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_HEAD = re.compile(
    r"Code=(?P<code>[\w.-]{1,64})\s*;\s*action=(?P<action>\w{1,16})\s*"
    r"(?:;\s*index=(?P<index>-?\d{1,9}))?\s*(?P<data>;\s*data=)?"
)
_LINE = re.compile(
    r"(?:Return)?Events\[(?P<event>\d{1,3})\]\.(?P<path>[\w.\[\]-]{1,200})=(?P<value>.*)"
)
_STEP = re.compile(r"([\w-]+)|\[(\d{1,4})\]")
_CODE_MISSING = "no event: neither `Code=…;action=…` nor `Events[0].…Code=…` nor an eventList"
_ONLY_STOPS = frozenset({"humantrait"})  # its one event ends; its time is its own


class Options(ActOptions):
    """What a site may say of a Dahua source."""


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Every event of the payload, in its order; broken data spoil no other event."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    count = 0
    for place, (text, pictures) in enumerate(_texts(payload, body)):
        try:
            found_here = _events(text)
        except PayloadError as error:
            path = error.path or f"part[{place}]"
            found_here = [Rejection.of(error, path=path)]
        kept, flags = take_pictures(pictures, {}, otherwise=_shown(found_here))
        for found in found_here:
            count += 1
            if count > EVENTS_MAX:
                message = f"more than {EVENTS_MAX} events in one payload"
                yield Rejection(code="too-many-events", message=message)
                return
            if not isinstance(found, Found):
                yield found
                continue
            for event in _read(found, payload, options):
                all_flags = (*event.quality_flags, *flags)
                yield replace(event, pictures=kept, quality_flags=all_flags)
    if not count:
        raise PayloadError(
            _CODE_MISSING,
            code="no-event",
            fix="attach to eventManager.cgi, snapManager.cgi or client.notifyEventStream",
        )


def _shown(events: "list[Found | Nothing | Rejection]") -> str:
    """What an unnamed picture beside these events shows; '' is a person, and is dropped."""
    codes = (each.code for each in events if isinstance(each, Found))
    return "" if any(map(OF_PERSONS.search, codes)) else "scene"


def _read(found: Found, payload: Payload, options: Options) -> Iterator[Event]:
    data = found.data if found.data is not None else {}
    stamp = read_time(data, received_at=payload.received_at, options=options)
    flags = stamp.flags
    if found.data is None:
        flags += ("data_unreadable",)
    repeats = found.action == "Stop" and found.code.lower() not in _ONLY_STOPS
    if repeats and stamp.at is not None:
        # It repeats the time of its Start.
        flags += ("end_time_received",)
        stamp = replace(stamp, at=None, quality="RECEIVED")
    common = {
        "device_ref": found.index,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "native_id": _native_id(data),
        "quality_flags": flags,
    }
    yield from events_of(found, common, payload.received_at, options.acts)


def _native_id(data: Mapping[str, Any]) -> str | None:
    """What pairs a Start with its Stop, and tells it from those before a reboot."""
    number, began = the_integer(data, "EventID"), the_text(data, "UTC")
    return None if number is None or not began else f"{number}/{began}.{the_text(data, 'UTCMS')}"


# Texts with events


def _texts(payload: Payload, body: bytes) -> Iterator[tuple[str, list[Part]]]:
    """The texts of a body, each with the pictures that follow it."""
    if body[:1] in b"{[" or not (body.startswith(b"--") or b"\n--" in body):
        yield _decoded(body), []
        return
    text: str | None = None
    pictures: list[Part] = []
    for part in split(body, payload.content_type) or [Part(body)]:
        if is_picture(part):
            pictures.append(part)
            continue
        if text is not None:
            yield text, pictures
            pictures = []
        text = _decoded(part.data)
    yield text or "", pictures


def _decoded(data: bytes) -> str:
    """UTF-8, unless most of it is none; what was cut at its end is still UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            with suppress(UnicodeDecodeError):
                return data.decode("gb18030")
    return data.decode("utf-8", "replace")


def _events(text: str) -> list[Found | Nothing | Rejection]:
    """The events of one text, however it is written."""
    start = text.lstrip()
    if start.startswith(("{", "[")):
        return list(_of_json(parse_json(start.encode(), records=_RECORDS)))
    found: list[Found | Nothing | Rejection] = []
    at = 0
    while len(found) <= EVENTS_MAX and (head := _HEAD.search(text, at)):
        data, at = _data(text, head)
        found.append(Found(head["code"], head["action"], head["index"] or "", data))
    found = found or list(_of_lines(text))
    if not found and re.search(r"(?i)\bheartbeat\b", text):
        return [Nothing(why="heartbeat")]
    return found


def _data(text: str, head: re.Match[str]) -> tuple[Mapping[str, Any] | None, int]:
    """The JSON behind an event's head, None where it can't be read, and where it ends."""
    if not head["data"]:
        return {}, head.end()
    begin = head.end()
    while begin < len(text) and text[begin].isspace():
        begin += 1
    try:
        data, end = scan_json(text, begin)
    except PayloadError:
        return None, head.end()
    return (data if isinstance(data, dict) else None), end


def _of_json(document: Any) -> Iterator[Found | Rejection]:
    """The events of `client.notifyEventStream`, a list of events, or one event alone."""
    path = ""
    if isinstance(document, dict):
        listed = the_object(document, "params").get("eventList")
        path = "params/eventList" if isinstance(listed, list) else ""
        document = listed if path else [document] if the_text(document, "Code") else []
    for place, each in enumerate(document):
        if isinstance(each, Broken):
            yield Rejection.of(each.error(f"{path}[{place}]"))
            continue
        if not isinstance(each, dict) or not the_text(each, "Code"):
            yield _without_code(f"{path}[{place}]/Code")
            continue
        data = each.get("Data")
        index = the_integer(each, "Index")
        yield Found(
            the_text(each, "Code"),
            the_text(each, "Action") or "Pulse",
            "" if index is None else str(index),
            data if isinstance(data, dict) else each if data is None else None,
        )


def _of_lines(text: str) -> Iterator[Found | Rejection]:
    """The events of `Events[0].Object.Text=…` lines."""
    events: dict[str, dict[str, Any]] = {}
    lines = text.splitlines()
    for line in lines[:_LINES_MAX]:
        if found := _LINE.match(line.strip()):
            _put(events.setdefault(found["event"], {}), found["path"], found["value"].strip())
    for number, each in events.items():
        base, data = the_object(each, "EventBaseInfo"), the_object(each, "Data")
        code = the_text(base, "Code") or the_text(each, "Code")
        action = the_text(base, "Action") or the_text(each, "Action") or "Pulse"
        indexes = (the_text(base, "Index"), the_text(each, "Index"), the_text(each, "Channel"))
        if code:
            yield Found(code, action, next(filter(None, indexes), ""), {**each, **data})
        else:
            yield _without_code(f"Events[{number}].EventBaseInfo.Code")
    if len(lines) > _LINES_MAX:
        yield Rejection(
            code="too-many-lines", message=f"{len(lines)} lines of an event, {_LINES_MAX} are read"
        )


def _without_code(path: str) -> Rejection:
    return Rejection(
        code="event-code-missing",
        message="the event names no code",
        path=path,
        fix="let the device send its events whole, each with its Code",
    )


def _put(tree: dict[str, Any], path: str, value: str) -> None:
    """Set `Object.BoundingBox[2]` in a tree; lists of numbers become lists."""
    steps = [name or int(place) for name, place in _STEP.findall(path)]
    node: Any = tree
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = value if after is None else ([] if isinstance(after, int) else {})
        if isinstance(node, list):
            if not isinstance(step, int) or step > len(node):
                return
            if step == len(node):
                node.append(fresh)
            node = node[step]
        elif isinstance(node, dict):
            node = node.setdefault(str(step), fresh)
        else:
            return


connector = Connector(
    name="dahua_cgi",
    title="Dahua cameras and recorders: eventManager, snapManager and RPC2 events",
    parse=parse,
    emits=("plate_read", "detection", "violation", "health"),
    identity={
        "plate_read": ("restricted.plate.raw", "body.lane"),
        "detection": ("body.rule", "body.state", "body.region", "body.target"),
        "violation": ("restricted.plate.raw", "body.lane", "body.source_code"),
        "health": ("body.component", "body.state", "body.detail"),
    },
    options=Options,
    split=MultipartStream,
    transports=("http_stream", "http_push", "drop_folder"),
)
