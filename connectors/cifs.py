"""Closures and incidents as cities publish them for navigation, CIFS (XML, JSON).

One `situation` for each; its subject is the id of the feed.

Traps handled: a polyline is latitude and longitude in turn, separated by blanks, and its order is
the direction; the end may stand before the start (even in the official example: kept, with the flag
`times_reversed`); an end that is over at first sight is EXPIRED; no message ends anything earlier:
what is gone from the feed has vanished, which the hub tells; contacts in prose are masked.

Source: Waze's Closure and Incident Feed Specification. Not read: schedules by days of the week,
parent events, references to partners.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_degrees
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_object, the_text
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_BLANK: Final = b"\xef\xbb\xbf \t\r\n\0"
_WORDS_MAX: Final = 4_000
_TEXT_MAX: Final = 8_000
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each incident."""
    body = payload.body.strip(_BLANK)
    document = (
        _of_xml(parse_xml(body))
        if body.startswith(b"<")
        else parse_json(body, records=[("incidents",)])
    )
    incidents = a_list(an_object(document, ()).get("incidents"), ("incidents",))
    if not incidents:
        yield Nothing(why="a feed without incidents: all clear")
    for place, incident in enumerate(incidents):
        path: Path = ("incidents", place)
        try:
            yield _event(an_object(incident, path), path, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _event(incident: Mapping[str, Any], path: Path, payload: Payload, options: Options) -> Event:
    id_ = the_text(incident, "id")
    if not id_:
        what = "an incident without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    raw = the_text(incident, "updatetime") or the_text(incident, "creationtime")
    stamp = _stamp(raw, payload, options)
    begins = _stamp(the_text(incident, "starttime"), payload, options).at
    ends = _stamp(the_text(incident, "endtime"), payload, options).at
    place = the_object(incident, "location") or incident
    points, flags = _points(the_text(place, "polyline") or the_text(incident, "polyline"))
    text, masked = without_contacts(the_text(incident, "description")[:_TEXT_MAX])
    word = the_text(incident, "type")
    found = [*stamp.flags, *flags]
    if begins is not None and ends is not None and ends < begins:
        found.append("times_reversed")
    if masked:
        found.append("contact_masked")
    over = ends is not None and ends <= payload.received_at and "times_reversed" not in found
    return Event(
        noun="situation",
        kind=f"road.{snake(word) or 'incident'}",
        subject=(id_,),
        native_id=id_,
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle="EXPIRED" if over else "UNKNOWN",
        quality_flags=tuple(dict.fromkeys(found)),
        body={
            "situation_ref": id_,
            "record_ref": id_,
            "record_type": word,
            "detail": the_text(incident, "subtype"),
            "valid_from": begins,
            "valid_to": ends,
            "texts": [{"language": "", "text": text, "role": "description"}] if text else [],
            "road": the_text(place, "street") or the_text(incident, "street"),
            "direction": the_text(place, "direction") or the_text(incident, "direction"),
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


def _points(polyline: str) -> tuple[list[dict[str, float]], tuple[str, ...]]:
    """Latitude and longitude in turn."""
    words = polyline.replace(",", " ").split()[:_WORDS_MAX]
    points: list[dict[str, float]] = []
    flags: dict[str, None] = {}
    for lat, lon in zip(words[::2], words[1::2], strict=False):
        degrees, flag = read_degrees(lat[:40], lon[:40])
        if flag:
            flags[flag] = None
        if degrees is not None:
            points.append({"lat": degrees[0], "lon": degrees[1]})
    if len(words) % 2:
        flags["polyline_odd"] = None
    return points, tuple(flags)


def _of_xml(root: Node) -> dict[str, Any]:
    """The XML of the specification as its JSON twin."""
    if root.name != "incidents":
        raise PayloadError(
            f"no CIFS: the document is a {root.name}",
            code="not-cifs",
            path=root.path,
            fix="publish a document of incidents",
        )
    return {"incidents": [_members(each) for each in root.children if each.name == "incident"]}


def _members(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"id": node.attr("id")} if node.attr("id") else {}
    for child in node.children:
        found[child.name] = _members(child) if child.children else child.text
    return found


connector = Connector(
    name="cifs",
    title="Closures and incidents for navigation, CIFS (XML, JSON)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.texts",
            "body.road",
            "body.direction",
            "body.points",
        )
    },
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
