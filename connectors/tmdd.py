"""Events of US traffic centres, TMDD 3: full event updates (`FEU`) in SOAP, bare or in a wrapper.

One `situation` for each element of an event; its subject is organisation, centre, event and
element, equal for its updates and its end.

Traps handled:

- A document may hold the request, with its credentials, before the answer: only FEU are read.
- Date, time and offset are three elements, the time is `hhmm`, `hhmmss` or `hhmmss` and a fraction;
  elements without text stand for times that are not known.
- Latitude and longitude are microdegrees; with a decimal point they are degrees, with a flag. Other
  datums than WGS 84 give no point.
- `event-update` counts: an event that stands twice is folded to the newest.
- What an event is, how grave and whether it goes on stands in one `event-indicator` or in one each.
  The end is an `active-flag` of `no` (2), or a status in the words of `_STATUS`, which are
  inferred. An expected end is none; EXPIRED: the valid period had run out when it was sent.
- Tests are told in prose alone: flag `test_suspected`.
- Contact lists name persons and are not read; contacts in prose are masked.

Known from two stored documents and the mapping to Open511 of the project they are from; the schema
itself was not at hand. Not read: related events, detours, comments of operators, codes by number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_degrees
from connectors._formats.numbers import integer, number
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Lifecycle, Position, Severity

__all__ = ["Options", "connector", "parse"]

_MICRO: Final = 1_000_000
_POINTS_MAX: Final = 2_000
_TEXT_MAX: Final = 8_000
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years
_TIME: Final = re.compile(r"(\d\d)(\d\d)(\d\d)?(\d*)", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_TEST: Final = re.compile(r"\b(?:test|drill|exercise|diễn tập|thử nghiệm)\b", re.IGNORECASE)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_SEVERITY: Final[dict[str, Severity]] = {
    "none": "INFO",
    "minor": "MINOR",
    "major": "SEVERE",
    "natural-disaster": "EXTREME",
}
_STATUS: Final[dict[str, Lifecycle]] = {
    **dict.fromkeys(("cleared", "closed", "completed", "ended", "terminated"), "ENDED"),
    **dict.fromkeys(("canceled", "cancelled", "deleted", "false-alarm"), "CANCELLED"),
}
_BEGINS: Final = ("start-time", "expected-start-time", "alternate-start-time")
_ENDS: Final = ("expected-end-time", "valid-period/expected-end-time", "alternate-end-time")
_PLACES: Final = (
    "location-on-link/primary-location",
    "location-on-link/secondary-location",
    ".",
)


@dataclass(slots=True)
class _Message:
    """What the parts of one FEU share."""

    feu: Node
    payload: Payload
    options: Options
    flags: list[str] = field(default_factory=list)
    _stamps: dict[str, Stamp] = field(default_factory=dict)

    def stamp(self, node: Node | None) -> Stamp:
        """Date, time and offset as one stamp; without text it is missing."""
        text = _iso(node) if node is not None else ""
        stamp = self._stamps.get(text)
        if stamp is None:
            stamp = self._stamps[text] = read_stamp(
                text,
                received_at=self.payload.received_at,
                options=self.options,
                replayed=True,
                late_ok_s=_ALWAYS_OK_S,
            )
        return stamp

    def first(self, node: Node, names: tuple[str, ...]) -> datetime | None:
        """The first of several times that is known."""
        return next((at for name in names if (at := self.stamp(node.find(name)).at)), None)


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The newest event of each element of each FEU; a rejection for each FEU that is none."""
    root = parse_xml(payload.body)
    newest: dict[tuple[str, ...], tuple[tuple[datetime, int], Event]] = {}
    messages = root.descendants("FEU")
    for feu in messages:
        try:
            for event in _events(_Message(feu, payload, options)):
                rank = (event.version_at or _EARLIEST, integer(event.native_version or "") or 0)
                if event.subject not in newest or rank >= newest[event.subject][0]:
                    newest[event.subject] = (rank, event)
        except PayloadError as error:
            yield Rejection.of(error)
    for _, event in newest.values():
        yield event
    if not messages:
        yield _nothing(root)


def _nothing(root: Node) -> Outcome:
    """Why a document without events has none."""
    fault = next(iter(root.descendants("Fault")), None)
    if fault is not None:
        what = f"a SOAP fault: {fault.value('faultstring')[:200]}"
        return Rejection(code="soap-fault", message=what, path=fault.path)
    bodies = root.descendants("Body") or [root]
    names = [child.name for body in bodies for child in body.children] or [root.name]
    if root.name in {"Envelope", "wrapper"} or root.name.endswith("Msg"):
        if "fEUMsg" in {root.name, *names}:
            return Nothing(why="a message without events: all clear")
        return Nothing(why=f"{names[0][:60]}: this connector reads full event updates")
    raise PayloadError(
        f"no TMDD: the document is a {root.name[:60]}",
        code="not-tmdd",
        path=root.name[:80],
        fix="let the centre send fEUMsg",
    )


def _events(message: _Message) -> Iterator[Event]:
    """One event for each element; one for an event that has none."""
    feu = message.feu
    id_ = clean(feu.value("event-reference/event-id"))
    if not id_:
        what = "an event without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=f"{feu.path}/event-reference/event-id")
    details = feu.findall("event-element-details/event-element-detail")
    for place, detail in enumerate(details or [feu]):
        element = clean(detail.value("element-id")) or (str(place) if len(details) > 1 else "")
        yield _event(id_, element, detail, message)


def _event(id_: str, element: str, detail: Node, message: _Message) -> Event:
    feu = message.feu
    sender = feu.find("message-header/organization-sending") or feu
    version = message.stamp(feu.find("event-reference/update-time"))
    sent_at = message.stamp(feu.find("message-header/message-time-stamp")).at
    message.flags = list(version.flags)
    indicators = feu.findall("event-indicators/event-indicator")
    group, phrase = _headline(feu)
    points = _points(detail, message.flags)
    texts = list(_texts(feu, detail, message.flags))
    impact = _indicated(indicators, "impact-level") or _indicated(indicators, "event-impact")
    record_ref = f"{id_}/{element}" if element else id_
    return Event(
        noun="situation",
        kind=f"road.{snake(_indicated(indicators, 'planned-event-class') or group) or 'event'}",
        subject=(clean(sender.value("organization-id")), _centre(sender), id_, element),
        native_id=record_ref,
        native_version=feu.value("event-reference/event-update") or None,
        version_at=version.at,
        observed_at=version.at,
        published_at=sent_at,
        time_quality=version.quality,
        lifecycle=_lifecycle(indicators, detail, sent_at or message.payload.received_at, message),
        severity=_SEVERITY.get(
            _word(_indicated(indicators, "severity") or _indicated(indicators, "event-severity")),
            "UNKNOWN",
        ),
        position=Position(lat=points[0]["lat"], lon=points[0]["lon"]) if points else None,
        quality_flags=tuple(dict.fromkeys(message.flags)),
        body={
            "situation_ref": id_,
            "record_ref": record_ref,
            "record_type": group,
            "detail": phrase,
            "valid_from": message.first(detail.find("event-times") or detail, _BEGINS),
            "valid_to": message.first(detail.find("event-times") or detail, _ENDS),
            "validity_status": _word(_indicated(indicators, "status")),
            "texts": texts,
            "road": _road(detail),
            "direction": _on_link(detail, "link-direction"),
            "lanes": list(_lanes(detail)),
            "impact": f"level {impact}" if impact else "",
            "points": points,
            "location_codes": list(_codes(detail)),
            "source_name": clean(sender.value("organization-name"))
            or clean(sender.value("organization-id")),
        },
    )


def _iso(node: Node) -> str:
    """`20120416`, `0907000000` and `-0700` as ISO 8601; what is otherwise, as it stands."""
    date, time = node.value("date"), node.value("time")
    if not (date or time):
        return ""
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None or clock is None:
        return f"{date} {time}".strip()
    hour, minute, second, fraction = clock.groups()
    text = f"{day[1]}-{day[2]}-{day[3]}T{hour}:{minute}:{second or '00'}"
    return f"{text}{'.' + fraction if fraction else ''}{node.value('offset')}"


def _word(text: str) -> str:
    return text.lower().replace(" ", "-")


def _indicated(indicators: list[Node], name: str) -> str:
    return next((text for each in indicators if (text := clean(each.value(name)))), "")


def _headline(feu: Node) -> tuple[str, str]:
    """Group and phrase, of which one of forty elements is a choice."""
    for headline in feu.findall("event-headline/headline"):
        for child in headline.children:
            if child.text:
                return child.name[:80], clean(child.text)
    return "", ""


def _centre(sender: Node) -> str:
    return clean(next((node.text for node in sender.descendants("center-id") if node.text), ""))


def _lifecycle(indicators: list[Node], detail: Node, now: datetime, message: _Message) -> Lifecycle:
    status = _STATUS.get(_word(_indicated(indicators, "status")))
    if status is not None:
        return status
    if _word(_indicated(indicators, "active-flag")) in {"no", "2", "false"}:
        return "ENDED"
    until = message.stamp(detail.find("event-times/valid-period/expected-end-time")).at
    return "EXPIRED" if until is not None and until <= now else "UNKNOWN"


def _texts(feu: Node, detail: Node, flags: list[str]) -> Iterator[dict[str, str]]:
    told = [("headline", detail.value("event-name"))]
    for description in detail.findall("event-descriptions/event-description"):
        told += [("description", each.text) for each in description.descendants("description")]
        told += [("phrase", each.text) for each in description.findall("phrase")]
        told += [("phrase", each.text) for node in description.findall("phrase")
                 for each in node.children]  # fmt: skip
    told += [("report", each.text) for each in feu.findall("full-report-texts/description")]
    told += [("location", text) for text in _between(detail)]
    for role, raw in told:
        text, masked = without_contacts(clean(raw[:_TEXT_MAX]))
        flags.extend(["contact_masked"] if masked else [])
        flags.extend(["test_suspected"] if role != "location" and _TEST.search(text) else [])
        if text:
            yield {"language": "", "text": text, "role": role}


def _locations(detail: Node) -> list[Node]:
    return detail.findall("event-locations/event-location")


def _on_link(detail: Node, name: str) -> str:
    found = (clean(each.value(f"location-on-link/{name}")) for each in _locations(detail))
    return next(filter(None, found), "")


def _road(detail: Node) -> str:
    return _on_link(detail, "link-name") or _on_link(detail, "primary-location/link-name")


def _between(detail: Node) -> Iterator[str]:
    """From which cross street to which one, for each location."""
    for location in _locations(detail):
        ends = []
        for name in _PLACES[:2]:
            place = location.find(name)
            items = place.findall("cross-street-name/cross-street-name-item") if place else []
            ends.append(" / ".join(text for each in items if (text := clean(each.text))))
        if any(ends):
            yield " - ".join(filter(None, ends))


def _points(detail: Node, flags: list[str]) -> list[dict[str, float]]:
    points: list[dict[str, float]] = []
    for location in _locations(detail):
        for name in _PLACES:
            place = location if name == "." else location.find(name)
            for geo in place.findall("geo-location") if place else ():
                if _word(geo.value("horizontal-datum", "wgs84")) not in {"wgs84", "wgs-84"}:
                    flags.append("datum_unknown")
                elif len(points) >= _POINTS_MAX:
                    flags.append("points_cut")
                else:
                    points += _degrees(geo, flags)
    return points


def _degrees(geo: Node, flags: list[str]) -> list[dict[str, float]]:
    texts = [geo.value(name) for name in ("latitude", "longitude")]
    if not any(texts):
        return []
    if any("." in text for text in texts):
        flags.append("degrees_not_micro")
        scale = 1
    else:
        scale = _MICRO
    lat, lon = (number(text) for text in texts)
    if lat is None or lon is None:
        flags.append("coordinates_invalid")
        return []
    degrees, flag = read_degrees(lat / scale, lon / scale)
    flags.extend([flag] if flag else [])
    return [{"lat": degrees[0], "lon": degrees[1]}] if degrees else []


def _lanes(detail: Node) -> Iterator[str]:
    """`w through lanes 4,5 of 5 closed`: direction, type, lanes affected of all, status."""
    for lane in detail.findall("event-lanes/event-lane"):
        which = ",".join(each.text for each in lane.findall("event-lanes-affected/lanes"))
        total = lane.value("lanes-total-original")
        which = which or lane.value("lanes-total-affected")
        count = f"{which} of {total}" if which and total else which
        parts = (lane.value("link-direction"), lane.value("lanes-type"), count)
        text = " ".join(filter(None, (*map(clean, parts), clean(lane.value("lane-status")))))
        if text:
            yield text[:200]


def _codes(detail: Node) -> Iterator[dict[str, str]]:
    for location in _locations(detail):
        link = clean(location.value("location-on-link/link-id"))
        if link:
            yield {"scheme": "link", "table": "", "code": link}
        for name in _PLACES[:2]:
            reference = clean(location.value(f"{name}/linear-reference"))
            if reference:
                code = f"{_road(detail)} {reference}".strip()
                yield {"scheme": "linear", "table": "", "code": code}


connector = Connector(
    name="tmdd",
    title="Events of US traffic centres, TMDD 3 full event updates (SOAP, XML)",
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
            "body.location_codes",
        )
    },
    transports=("http_push", "http_poll", "drop_folder"),
    lane="urgent",
)
