"""Events on roads as Open511 servers publish them: JSON, the XML of the standard, DriveBC's own.

One `situation` for each event; its subject is the id (`jurisdiction/ID`), equal for its updates and
its end.

Traps handled:

- `updated` may stay while the content changes, and lies in the year 2083 in a visible feed: the
  content is part of an event's id, and such a time is SUSPECT, so that it orders nothing.
- Schedules are `start/end`, with an open end, sometimes without a zone, or lists of recurring ones
  (which say nothing of now and are not read).
- `ARCHIVED` ends an event; one that is gone has vanished, which the hub tells, not the parser.
- Several roads: the first gives road and direction, all stand in texts with the role `road`.
- GeoJSON has the longitude first, the GML of the XML the latitude.
- Contacts in prose are masked.

Source: Open511 1.0; DriveBC's application layout is read as far as it has the same members. Not
read: detours, attachments, links, `+` members, who made an event.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_items, the_object, the_text, the_truth
from connectors._formats.shapes import points_of, position_of
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Area, Severity

__all__ = ["Options", "connector", "parse"]

_BLANK: Final = b"\xef\xbb\xbf \t\r\n\0"
_LISTS: Final = frozenset(
    {"roads", "areas", "event_subtypes", "intervals", "restrictions", "impacted_systems"}
)
"""Elements of the XML whose children are a list."""
_SEVERITY: Final[dict[str, Severity]] = {
    "MINOR": "MINOR",
    "MODERATE": "MODERATE",
    "MAJOR": "SEVERE",
}
_ROADS_MAX: Final = 50
_TEXT_MAX: Final = 8_000
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each event."""
    body = payload.body.strip(_BLANK)
    document = (
        _of_xml(parse_xml(body))
        if body.startswith(b"<")
        else parse_json(body, records=[("events",)])
    )
    if isinstance(document, dict) and "events" not in document and the_text(document, "id"):
        document = {"events": [document]}
    events = a_list(an_object(document, ()).get("events"), ("events",))
    if not events:
        yield Nothing(why="a feed without events: all clear")
    for place, event in enumerate(events):
        path: Path = ("events", place)
        try:
            yield _event(an_object(event, path), path, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _event(event: Mapping[str, Any], path: Path, payload: Payload, options: Options) -> Event:
    id_ = the_text(event, "id")
    if not id_:
        what = "an event without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    stamp = _stamp(the_text(event, "updated") or the_text(event, "last_updated"), payload, options)
    shape = event.get("geography") or event.get("location")
    points, flags = points_of(shape)
    begins, ends = _span(event, payload, options)
    roads = [each for each in the_items(event, "roads")[:_ROADS_MAX] if isinstance(each, dict)]
    kind = the_text(event, "event_type")
    texts, masked = _texts(event, roads)
    first = roads[0] if roads else {}
    details = the_items(event, "event_subtypes") or [event.get("event_sub_type")]
    found = (*stamp.flags, *flags, *(("contact_masked",) if masked else ()))
    return Event(
        noun="situation",
        kind=f"road.{snake(kind) or 'event'}",
        subject=(id_,),
        native_id=id_,
        version_at=stamp.at if stamp.quality != "SUSPECT" else None,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle="ENDED" if the_text(event, "status").upper() == "ARCHIVED" else "UNKNOWN",
        severity=_SEVERITY.get(the_text(event, "severity").upper(), "UNKNOWN"),
        position=position_of(shape) if points else None,
        areas_reported=_areas(event),
        quality_flags=tuple(dict.fromkeys(found)),
        body={
            "situation_ref": id_,
            "record_ref": id_,
            "record_type": kind,
            "detail": ", ".join(each for each in details if isinstance(each, str)),
            "valid_from": begins,
            "valid_to": ends,
            "texts": texts,
            "probability": the_text(event, "certainty"),
            "road": the_text(first, "name")
            or the_text(event, "route_at")
            or the_text(event, "route_display"),
            "direction": the_text(first, "direction") or the_text(event, "direction"),
            "lanes": _lanes(roads),
            "impact": the_text(first, "state") or ("closed" if the_truth(event, "closed") else ""),
            "points": points,
        },
    )


def _stamp(raw: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(
        raw,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


def _span(
    event: Mapping[str, Any], payload: Payload, options: Options
) -> tuple[datetime | None, datetime | None]:
    """From the first interval's start to the last one's end; None where it is open."""
    intervals = [
        each.partition("/")
        for each in the_items(the_object(event, "schedule"), "intervals")
        if isinstance(each, str)
    ]
    if not intervals:
        return None, None
    begins = [_stamp(begin, payload, options).at for begin, _, _ in intervals]
    ends = [_stamp(end, payload, options).at for _, _, end in intervals]
    known = [each for each in begins if each is not None]
    closed = [each for each in ends if each is not None]
    return min(known, default=None), max(closed) if len(closed) == len(ends) else None


def _texts(event: Mapping[str, Any], roads: list[Any]) -> tuple[list[dict[str, str]], bool]:
    told = [(name, the_text(event, name)) for name in ("headline", "description")]
    for road in roads:
        parts = (the_text(road, name) for name in ("name", "from", "to", "direction", "state"))
        told.append(("road", ", ".join(filter(None, parts))))
    own = (the_text(event, name) for name in ("route_at", "route_from", "route_to"))
    told.append(("road", ", ".join(filter(None, own))))
    texts, masked = [], False
    for role, raw in told:
        text, found = without_contacts(raw[:_TEXT_MAX])
        masked = masked or found
        if text:
            texts.append({"language": "", "text": text, "role": role})
    return texts, masked


def _lanes(roads: list[Any]) -> list[str]:
    """`Kim Mã: 2 closed`, for each road that counts its lanes."""
    return [
        ": ".join(filter(None, (the_text(road, "name"), f"{count} {state}")))
        for road in roads
        for state in ("open", "closed")
        if (count := the_text(road, f"lanes_{state}"))
    ]


def _areas(event: Mapping[str, Any]) -> tuple[Area, ...]:
    areas = [each for each in the_items(event, "areas")[:_ROADS_MAX] if isinstance(each, dict)]
    return tuple(
        Area(scheme="open511", code=the_text(each, "id"), name=the_text(each, "name"))
        for each in areas
        if the_text(each, "id") or the_text(each, "name")
    )


# XML


def _of_xml(root: Node) -> dict[str, Any]:
    """The XML of the standard as its JSON twin."""
    if root.name == "event":
        return {"events": [_members(root)]}
    events = root.find("events")
    if root.name != "open511" or events is None:
        raise PayloadError(
            f"no Open511: the document is a {root.name}",
            code="not-open511",
            path=root.path,
            fix="ask the server for /events",
        )
    return {"events": [_members(each) for each in events.children if each.name == "event"]}


def _members(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in node.children:
        if child.name == "geography":
            found["geography"] = _geometry(child)
        elif child.name in _LISTS:
            found[child.name] = [
                _members(each) if each.children else each.text for each in child.children
            ]
        else:
            found[child.name] = _members(child) if child.children else child.text
    return found


def _geometry(node: Node) -> dict[str, Any] | None:
    """A GML point or line, whose latitude comes first, as GeoJSON."""
    for shape in node.children:
        numbers = [_degrees(word) for pos in (*shape.findall("pos"), *shape.findall("posList"))
                   for word in pos.text.split()]  # fmt: skip
        pairs = [[lon, lat] for lat, lon in zip(numbers[::2], numbers[1::2], strict=False)]
        if pairs:
            point = len(pairs) == 1
            return {
                "type": "Point" if point else "LineString",
                "coordinates": pairs[0] if point else pairs,
            }
    return None


def _degrees(word: str) -> float:
    try:
        return float(word) if len(word) < 40 else 1e9
    except ValueError:
        return 1e9  # no degrees: the check of coordinates says so


connector = Connector(
    name="open511",
    title="Events on roads, Open511 (JSON, XML) and DriveBC",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.texts",
            "body.probability",
            "body.road",
            "body.direction",
            "body.lanes",
            "body.impact",
            "body.points",
        )
    },
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
