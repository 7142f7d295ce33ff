"""Milestone XProtect: analytics events, the XML that goes to its Event Server.

The hub stands where the Event Server does, or gets a copy. Traps handled: a byte order mark before
the declaration; an id of zeros only is none; templates whose placeholders nobody replaced
(`$timestamp$`); a camera is named by its GUID where there is one, else by its address, with a
channel behind a comma; times with an offset.

Source: the vendor's sample and documentation; that a plate is an object's value is inferred. Not
read: rules and snapshots in the message, object polygons; events that the server sends out
(websocket, REST), which are of another form.
"""

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import combining, normalize

from connectors._formats.plates import read_plate
from connectors._formats.text import snake
from connectors._formats.times import read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Options, Outcome, Payload, PayloadError

__all__ = ["Options", "connector", "parse"]

_NO_ID: Final = "00000000-0000-0000-0000-000000000000"
_PLACEHOLDER: Final = re.compile(r"\$\w+\$")
_PLATES: Final = frozenset({"lpr", "licenseplate", "license plate", "plate"})


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The event of one message."""
    root = parse_xml(payload.body)
    head = root.find("EventHeader")
    if root.name != "AnalyticsEvent" or head is None:
        raise PayloadError(
            f"no analytics event: the document is a {root.name}",
            code="no-event",
            path=root.path,
            fix="send AnalyticsEvent documents",
        )
    yield _event(root, head, payload, options)


def _event(root: Node, head: Node, payload: Payload, options: Options) -> Event:
    message = head.value("Message")
    if not message:
        what = "an analytics event without the name of its message"
        raise PayloadError(what, code="missing-field", path="EventHeader/Message")
    raw = head.value("Timestamp")
    unfilled = bool(_PLACEHOLDER.fullmatch(raw))
    stamp = read_stamp("" if unfilled else raw, received_at=payload.received_at, options=options)
    native_id = head.value("ID").lower()
    flags = (*stamp.flags, *(("template_unfilled",) if unfilled else ()))
    guid = head.value("Source/FQID/ObjectId").lower()
    camera = guid or re.sub(r"\s*,\s*", "/", head.value("Source/Name"))
    common = {
        "device_ref": camera,
        "native_id": native_id if native_id not in ("", _NO_ID) else None,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "severity": "INFO",
    }
    kind = head.value("Type")
    objects = root.findall("ObjectList/Object")
    plate = next((each.value("Value") for each in objects if each.value("Value")), "")
    if kind.lower() in _PLATES and plate:
        read, unread = read_plate(plate)
        return Event(
            noun="plate_read",
            kind="vehicle.passage",
            restricted={"plate": read},
            body={"vehicle_type": objects[0].value("Type")},
            **common,  # type: ignore[arg-type] # one dictionary for both nouns
            quality_flags=(*flags, *unread),
        )
    return Event(
        noun="detection",
        kind=f"camera.{snake(_plain(message)) or 'event'}"[:120],
        body={
            "rule": message,
            "state": "PULSE",
            "target": objects[0].value("Name") if objects else "",
            "region": root.value("Location"),
        },
        **common,  # type: ignore[arg-type] # as above
        quality_flags=flags,
    )


def _plain(text: str) -> str:
    """A text without marks over and under its letters, for a kind in ASCII."""
    apart = normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in apart if not combining(letter))


connector = Connector(
    name="milestone",
    title="Milestone XProtect, analytics events (XML)",
    parse=parse,
    emits=("detection", "plate_read"),
    identity={
        "detection": ("body.rule", "body.region", "body.target"),
        "plate_read": ("restricted.plate.raw",),
    },
)
