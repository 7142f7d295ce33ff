"""Road events of a traffic centre, the events feed of MassDOT's ITMS (XML).

One `situation` for each event, planned or not; its subject is the event's name, which is all the
id it has (an element `Id` or `ID` counts before it).

Traps handled:

- No stamp has a zone: all are read in the zone of the source.
- A name may stand twice: the newest `UpdatedAt` counts. Where that is equal and the events are not,
  the second one is refused, not taken for the first.
- `TERMINATED` ends an event. An end that has passed ends one that is not `ACTIVE`; works that
  overrun are flagged `end_passed`. A feed without events is all clear; one that lacks the list is
  refused, as it may be cut.
- `UpdatedAt` may stay while the event changes: all that is told enters its id.
- A place is a point, a range with waypoints, or areas by name; 0/0 is none.
- Which of `X` and `O` is a closed lane, the schema says both ways: `LanesAffected` stays as it is.
- A series of up to twenty occurrences is one event, with a text for each.
- The `ID` of a weather warning is that of the warning, not of the event.
- Names of visits and funerals are of persons: they stand nowhere (`name_withheld`). Tests are told
  in names alone (`test_suspected`), and contacts in names are masked.

Known from the feed's schema and a document made of it; no recorded one was at hand. Inferred: that
`Id` would be an event's own. A drill on a road (`TRAINING/DRILL`) closes it for real: it is LIVE.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_degrees
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Area, Lifecycle, Position

__all__ = ["Options", "connector", "parse"]

_EVENTS: Final = frozenset({"PlannedEvent", "UnplannedEvent"})
_KINDS: Final = {
    "construction_maintenance": "works",
    "special_event": "public_event",
    "crash": "accident",
    "disabled_motor_vehicle": "vehicle_obstruction",
    "roadway_obstruction": "obstruction",
    "roadway_damage": "damage",
    "general_roadway_traffic": "incident",
    "roadway_traffic": "incident",
    "local_weather_event": "weather",
    "advisory_watch_warning": "weather",
    "acts_of_nature": "weather",
}
_IMPACTS: Final = ("HasSpeedRestriction", "IsWithinWorkZone", "IsBoreClosureRequired")
_OF_PERSONS: Final = frozenset({"VIP_VISIT", "FUNERAL_PROCESSION"})
_YES: Final = frozenset({"true", "1"})
_TEST: Final = re.compile(r"\b(?:test|drill|exercise|diễn tập|thử nghiệm)\b", re.IGNORECASE)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years
_POINTS_MAX: Final = 2_000
_OCCURRENCES_MAX: Final = 100
_AREAS_MAX: Final = 500


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The newest of each event; a rejection for each that is none."""
    root = parse_xml(payload.body)
    listed = root.find("Events")
    if root.name != "EventsFeed" or listed is None:
        raise PayloadError(
            f"no feed of events: the document is a {root.name[:60]}",
            code="not-massdot" if root.name != "EventsFeed" else "missing-field",
            path="Events" if root.name == "EventsFeed" else root.name[:80],
            fix="poll the events feed, and take only whole answers",
        )
    published = _stamp(root.value("UpdateTimestamp"), payload, options).at
    newest: dict[tuple[str, ...], Event] = {}
    nodes = [node for node in listed.children if node.name in _EVENTS]
    for node in nodes:
        try:
            event = _event(node, published, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)
            continue
        before = newest.setdefault(event.subject, event)
        if _version(event) > _version(before):
            newest[event.subject] = event
        elif event != before and _version(event) == _version(before):
            what = "another event of the same name and time; the first one is taken"
            yield Rejection(code="duplicate-name", message=what, path=f"{node.path}/Name")
    yield from newest.values()
    if not nodes:
        yield Nothing(why="a feed without events: all clear", published_at=published)


def _version(event: Event) -> datetime:
    return event.version_at or _EARLIEST


def _stamp(raw: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(
        raw,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


def _event(node: Node, published: datetime | None, payload: Payload, options: Options) -> Event:
    about = node.find("CategorySpecific") or node.find("TypeSpecific")
    id_, ref, name, flags = _named(node, about)
    version = _stamp(node.value("UpdatedAt"), payload, options)
    ends = _stamp(node.value("EndDate"), payload, options).at
    lifecycle, end_flags = _lifecycle(node, ends, published or payload.received_at)
    word = node.attr("type") or (about.attr("type") if about else "") or node.attr("category")
    points, place_flags = _points(node)
    told = _places(node)
    return Event(
        noun="situation",
        kind=f"road.{_KINDS.get(snake(word), snake(word)) or 'event'}"[:120],
        subject=(id_,),
        native_id=ref or None,
        version_at=version.at,
        observed_at=version.at,
        published_at=published,
        time_quality=version.quality,
        lifecycle=lifecycle,
        position=Position(lat=points[0]["lat"], lon=points[0]["lon"]) if points else None,
        areas_reported=tuple(
            Area(scheme="", code="", name=text) for text in dict.fromkeys(_areas(node)) if text
        ),
        quality_flags=(*version.flags, *end_flags, *flags, *place_flags),
        body={
            "situation_ref": ref,
            "record_ref": ref,
            "record_type": word,
            "detail": _detail(about),
            "valid_from": _stamp(node.value("StartDate"), payload, options).at,
            "valid_to": ends,
            "validity_status": node.value("Status").lower(),
            "probability": "certain" if node.value("ConfirmedAt") else "",
            "texts": _texts(node, name, told),
            "road": told[0] if told else "",
            "direction": clean(node.value("LaneInfo/Direction")),
            "lanes": [lanes] if (lanes := clean(node.value("LaneInfo/LanesAffected"))) else [],
            "impact": _impact(about),
            "points": points,
        },
    )


def _named(node: Node, about: Node | None) -> tuple[str, str, str, tuple[str, ...]]:
    """The event's id, what may be shown of it, its name where that is no person's, and flags."""
    name, masked = without_contacts(clean(node.value("Name")))
    own = clean(node.value("Id") or node.value("ID"))
    if not (own or name):
        what = "an event without a name, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=f"{node.path}/Name")
    if about is not None and about.attr("subtype").upper() in _OF_PERSONS:
        return own or name, own, "", ("name_withheld",)
    told = (("contact_masked", masked), ("test_suspected", bool(_TEST.search(name))))
    return own or name, own or name, name, tuple(flag for flag, holds in told if holds)


def _lifecycle(
    node: Node, ends: datetime | None, now: datetime
) -> tuple[Lifecycle, tuple[str, ...]]:
    """What the status says; an end that has passed counts where the status does not object."""
    status = node.value("Status").upper()
    if status == "TERMINATED":
        return "ENDED", ()
    if ends is None or ends > now:
        return "UNKNOWN", ()
    return ("UNKNOWN", ("end_passed",)) if status == "ACTIVE" else ("EXPIRED", ())


def _detail(about: Node | None) -> str:
    """Sub-type, characteristics of a special event, and what a weather warning is of."""
    if about is None:
        return ""
    told = (
        about.attr("subtype"),
        about.value("Subtype"),
        about.value("SpecialEventCharacteristics"),
        about.value("Characteristics/Category"),
        about.value("Characteristics/EventType"),
    )
    return ", ".join(filter(None, map(clean, told)))


def _impact(about: Node | None) -> str:
    """What is restricted, in the words of the feed."""
    told = about.find("Characteristics") if about else None
    return ", ".join(name for name in _IMPACTS if told and told.value(name).lower() in _YES)


def _located(node: Node) -> Iterator[Node]:
    """The points of a location in the order of the road."""
    for path in ("Point", "Range/Start", "Range/Waypoint", "Range/End"):
        yield from node.findall(f"Location/{path}")


def _places(node: Node) -> list[str]:
    """Names of the roads in order, each once."""
    names = (clean(each.value("RoadwayName")) for each in _located(node))
    return list(filter(None, dict.fromkeys(names)))


def _points(node: Node) -> tuple[list[dict[str, float]], tuple[str, ...]]:
    points: list[dict[str, float]] = []
    flags: dict[str, None] = {}
    for each in _located(node):
        texts = [each.value(f"Coordinates/{name}") for name in ("Latitude", "Longitude")]
        if not any(texts):
            continue
        if len(points) >= _POINTS_MAX:
            flags["points_cut"] = None
            break
        degrees, flag = read_degrees(texts[0][:40], texts[1][:40])
        if flag:
            flags[flag] = None
        if degrees is not None:
            points.append({"lat": degrees[0], "lon": degrees[1]})
    return points, tuple(flags)


def _areas(node: Node) -> Iterator[str]:
    """Areas by name: of the event, and of the weather warning it is about."""
    for path in ("Location/Area", "CategorySpecific/Characteristics/Location"):
        for each in node.findall(path)[:_AREAS_MAX]:
            yield clean(each.text)


def _texts(node: Node, name: str, roads: list[str]) -> list[dict[str, str]]:
    """The name, the roads of a range, areas with their kind, occurrences and warnings as told."""
    warning = node.find("CategorySpecific/Characteristics")
    told = [
        ("name", name),
        ("location", " - ".join(roads) if len(roads) > 1 else ""),
        *(
            ("area", f"{each.attr('type')} {clean(each.text)}".strip())
            for each in node.findall("Location/Area")[:_AREAS_MAX]
        ),
        *(
            ("occurrence", _span(each))
            for each in node.findall("Occurrences/Occurrence")[:_OCCURRENCES_MAX]
        ),
    ]
    if warning is not None:
        told.append(("warning", _span(warning)))
        told += [("warning", clean(each.text)) for each in warning.findall("Location")[:_AREAS_MAX]]
    return [{"language": "", "text": text, "role": role} for role, text in told if text]


def _span(node: Node) -> str:
    """From when to when, as told."""
    times = (node.value("StartDateTime"), node.value("EndDateTime"))
    return "/".join(times) if any(times) else ""


connector = Connector(
    name="massdot",
    title="Road events of a traffic centre, events feed of MassDOT's ITMS (XML)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.validity_status",
            "body.texts",
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
