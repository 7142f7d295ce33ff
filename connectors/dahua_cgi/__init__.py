"""Dahua cameras and recorders: events as text, in a stream or one by one, and as RPC2 JSON.

Reads what `eventManager.cgi?action=attach` sends (`Code=X;action=Start;index=0;data={…}`, whole
multiparts or single parts), what `snapManager.cgi?action=attachFileProc` sends (`Events[0].Code=…`
line by line, then a picture), and `client.notifyEventStream` of RPC2.

Traps handled: `Content-Length` without a blank, wrong, 0 or absent; `--myboundary` and
`-- myboundary`; a whole `HTTP/1.1 200 OK` block in mid-stream; several events in one part; `;`, `=`
and event-like words inside the JSON; JSON that breaks off (the event stays, with the flag
`data_unreadable`); the word `Heartbeat`; `UTC` that is local (`_formats/dahua`); no time at all
(SMD, VideoMotion); a Stop that repeats its Start's time (the end is when it was received, and the
flag `end_time_received` says so); Confidence that is always 0.

Known from captured payloads, issue threads and manual text, none of it from a standard. Inferred:
confidence is of 255. `index` counts channels from 0 and stands in `device_ref` as given; a stream
is of one recorder, so the source's entry names it. `EventID` pairs Start and Stop, but begins anew
at a reboot: the Start's time stands beside it in `native_id`. Not read: riders and seats, which are
persons.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import hub
from connectors._formats.dahua import read_time
from connectors._formats.json import parse_json, scan_json
from connectors._formats.members import the_integer, the_text
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import is_picture, take_pictures
from connectors._formats.streams import MultipartStream
from connectors.dahua_cgi.events import outcomes
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

EVENTS_MAX = 1_000
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_HEAD = re.compile(
    r"Code=(?P<code>[\w.-]{1,64})\s*;\s*action=(?P<action>\w{1,16})\s*"
    r"(?:;\s*index=(?P<index>-?\d{1,9}))?\s*(?P<data>;\s*data=)?"
)
_LINE = re.compile(r"Events\[(?P<event>\d{1,3})\]\.(?P<path>[\w.\[\]-]{1,200})=(?P<value>.*)")
_STEP = re.compile(r"([\w-]+)|\[(\d{1,4})\]")
_CODE_MISSING = "no event: neither `Code=…;action=…` nor `Events[0].Code=…` nor an eventList"


class Options(hub.Options):
    """What a site may say of a Dahua source."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An event as sent: its code and action, the channel, and its data (None: unreadable)."""

    code: str
    action: str
    index: str
    data: Mapping[str, Any] | None


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Every event of the payload, in its order; broken data spoil no other event."""
    body = payload.body.strip(_BLANK)
    if not body:
        raise PayloadError("an empty body instead of an event", code="empty")
    count = 0
    for text, pictures in _texts(payload, body):
        kept, flags = take_pictures(pictures, {})
        for found in _events(text):
            count += 1
            if count > EVENTS_MAX:
                message = f"more than {EVENTS_MAX} events in one payload"
                yield Rejection(code="too-many-events", message=message)
                return
            if isinstance(found, Nothing):
                yield found
                continue
            for outcome in _outcomes(found, payload, options):
                if isinstance(outcome, Event) and (kept or flags):
                    all_flags = (*outcome.quality_flags, *flags)
                    yield replace(outcome, pictures=kept, quality_flags=all_flags)
                else:
                    yield outcome
    if not count:
        raise PayloadError(
            _CODE_MISSING,
            code="no-event",
            fix="attach to eventManager.cgi, snapManager.cgi or client.notifyEventStream",
        )


def _outcomes(found: _Found, payload: Payload, options: Options) -> Iterator[Outcome]:
    data = found.data if found.data is not None else {}
    stamp = read_time(data, received_at=payload.received_at, options=options)
    flags = stamp.flags
    if found.data is None:
        flags += ("data_unreadable",)
    if found.action == "Stop" and stamp.at is not None:
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
    yield from outcomes(found.code, found.action, data, common, payload.received_at)


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
    # `-- myboundary` is no delimiter by any rule.
    mended = re.sub(rb"(?m)^-- (?=\w)", b"--", body)
    for part in split(mended, payload.content_type):
        if is_picture(part):
            pictures.append(part)
            continue
        if text is not None:
            yield text, pictures
            pictures = []
        text = _decoded(part.data)
    yield text or "", pictures


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _events(text: str) -> Iterator[_Found | Nothing]:
    """The events of one text, however it is written."""
    start = text.lstrip()
    if start.startswith("{"):
        yield from _of_rpc(parse_json(start.encode()))
        return
    at, any_found = 0, False
    while head := _HEAD.search(text, at):
        any_found = True
        data, at = _data(text, head)
        yield _Found(head["code"], head["action"], head["index"] or "", data)
    if not any_found and (lines := _of_lines(text)):
        any_found = True
        yield from lines
    if not any_found and re.search(r"(?i)\bheartbeat\b", text):
        yield Nothing(why="heartbeat")


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


def _of_rpc(document: Any) -> Iterator[_Found | Nothing]:
    """The events of `client.notifyEventStream`, or one event alone."""
    params = document.get("params") if isinstance(document, dict) else None
    listed = params.get("eventList") if isinstance(params, dict) else None
    for each in listed if isinstance(listed, list) else [document]:
        if not isinstance(each, dict) or not the_text(each, "Code"):
            if isinstance(listed, list):
                yield Nothing(why="an entry of eventList without a code")
            continue
        data = each.get("Data")
        index = the_integer(each, "Index")
        yield _Found(
            the_text(each, "Code"),
            the_text(each, "Action") or "Pulse",
            "" if index is None else str(index),
            data if isinstance(data, dict) else each if data is None else None,
        )


def _of_lines(text: str) -> list[_Found]:
    """The events of `Events[0].Object.Text=…` lines."""
    events: dict[str, dict[str, Any]] = {}
    for line in text.splitlines()[:5_000]:
        if found := _LINE.match(line.strip()):
            _put(events.setdefault(found["event"], {}), found["path"], found["value"].strip())
    return [
        _Found(
            the_text(data, "Code"),
            the_text(data, "Action") or "Pulse",
            the_text(data, "Index") or the_text(data, "Channel"),
            data,
        )
        for data in events.values()
        if the_text(data, "Code")
    ]


def _put(tree: dict[str, Any], path: str, value: str) -> None:
    """Set `Object.BoundingBox[2]` in a tree; lists of numbers become lists."""
    steps = [name or int(place) for name, place in _STEP.findall(path)]
    node: Any = tree
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = _scalar(value) if after is None else ([] if isinstance(after, int) else {})
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


def _scalar(value: str) -> Any:
    if re.fullmatch(r"-?\d{1,15}", value):
        return int(value)
    return float(value) if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", value) else value


connector = Connector(
    name="dahua_cgi",
    title="Dahua cameras and recorders, eventManager and snapManager",
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
)
