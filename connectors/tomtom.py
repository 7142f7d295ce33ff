"""Incidents of TomTom's Traffic API 5, `incidentDetails` (JSON).

One `situation` for each incident, whatever number of events it is made of; its subject is its id.
One poll is a full snapshot of a bounding box.

Traps handled:

- No version: content tells updates. `lastReportTime`, where there is one, is when drivers last
  confirmed it. The start is no version, and nothing is observed at it.
- The delay in seconds, which is null for closures, differs with every poll: `impact` has its grade
  instead, so that an update is one.
- No message ends an incident: one that is gone has vanished, which the hub tells, not the parser.
  Half of them have no end; one that is past may still be in the feed, so it ends nothing.
- The parameter `fields` chooses members, so any but the id may be absent; without it there is no
  incident. Incidents stand in a list or in a feature collection.
- Several events, each with a category of its own: the incident's own goes first.
- Clusters of a small scale are no incidents.
- Longitude comes first. Texts are in the language that was asked for, which answers do not name.

The licence forbids to publish the data again: subscribers outside the city want a view without it.
Known from the vendor's reference; no stored answer may be kept with the project. Not read: delays,
lengths, opposite lanes, numbers of reports, HERE's incidents.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_integer, the_items, the_object, the_text
from connectors._formats.shapes import points_of
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Position, Severity

__all__ = ["Options", "connector", "parse"]

_CATEGORIES: Final = (
    "unknown", "accident", "fog", "dangerous_conditions", "rain", "ice", "jam", "lane_closed",
    "road_closed", "road_works", "wind", "flooding", "detour", "cluster", "broken_down_vehicle",
)  # fmt: skip
"""What `iconCategory` numbers; the kind of the situation."""
_RECORDS: Final = (("incidents",), ("incidents", "features"), ("features",))
_CLUSTER: Final = 13
_DELAYS: Final[tuple[tuple[str, Severity], ...]] = (
    ("unknown", "UNKNOWN"),
    ("minor", "MINOR"),
    ("moderate", "MODERATE"),
    ("major", "SEVERE"),
    ("undefined", "UNKNOWN"),  # closures, of which the delay can't be told
)
"""What `magnitudeOfDelay` numbers."""
_EVENTS_MAX: Final = 100
_CODES_MAX: Final = 200
_TEXT_MAX: Final = 2_000
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each incident."""
    document = an_object(parse_json(payload.body, records=_RECORDS), ())
    incidents, path = _incidents(document)
    if not incidents:
        yield Nothing(why="no incident in the area: all clear")
    seen = set()
    for place, incident in enumerate(incidents):
        where = (*path, place)
        try:
            outcome = _outcome(an_object(incident, where), where, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)
            continue
        if isinstance(outcome, Event) and outcome.subject in seen:
            what = "an id that stands twice; the first is taken"
            yield Rejection(code="duplicate-id", message=what, path=shown(where))
            continue
        if isinstance(outcome, Event):
            seen.add(outcome.subject)
        yield outcome


def _incidents(document: dict[str, Any]) -> tuple[list[Any], Path]:
    """The list, and where it stands; `PayloadError` for an answer that is an error."""
    for name in ("detailedError", "error", "fault"):
        if name in document and "incidents" not in document:
            code = the_text(the_object(document, name), "code")[:60]
            raise PayloadError(
                f"the service answered with an error {code}".rstrip(),
                code="service-error",
                path=name,
                fix="look whether the key is valid and its quota is left",
            )
    found, path = document.get("incidents", document.get("features")), ("incidents",)
    if isinstance(found, dict):
        return a_list(found.get("features"), (*path, "features")), (*path, "features")
    return a_list(found, path), path


def _outcome(
    incident: Mapping[str, Any], path: Path, payload: Payload, options: Options
) -> Event | Nothing:
    members = an_object(incident.get("properties"), (*path, "properties"))
    category = the_integer(members, "iconCategory")
    if category == _CLUSTER:
        return Nothing(why="a cluster of incidents: ask for a smaller area")
    id_ = the_text(members, "id")
    if not id_:
        what = "an incident without id, so its updates could not be told from new ones"
        fix = "ask for `id` in the parameter `fields`"
        raise PayloadError(
            what, code="missing-field", path=shown((*path, "properties/id")), fix=fix
        )
    reported = _stamp(the_text(members, "lastReportTime"), payload, options)
    points, flags = points_of(incident.get("geometry"))
    found = [*reported.flags, *flags]
    events = [each for each in the_items(members, "events")[:_EVENTS_MAX] if isinstance(each, dict)]
    if category is None:
        category = next((n for each in events if (n := the_integer(each, "iconCategory"))), None)
    kind = _named(category, found)
    delay, severity = _delay(the_integer(members, "magnitudeOfDelay"))
    span = {}
    for name, raw in (("valid_from", "startTime"), ("valid_to", "endTime")):
        text = the_text(members, raw)
        span[name] = _stamp(text, payload, options).at
        found.extend([f"{name}_unreadable"] if text and span[name] is None else [])
    return Event(
        noun="situation",
        kind=f"road.{kind}" if kind else "road.incident",
        subject=(id_,),
        native_id=id_,
        version_at=reported.at,
        observed_at=reported.at,
        time_quality=reported.quality,
        severity=severity,
        position=Position(lat=points[0]["lat"], lon=points[0]["lon"]) if points else None,
        quality_flags=tuple(dict.fromkeys(found)),
        body={
            "situation_ref": id_,
            "record_ref": id_,
            "record_type": kind,
            "detail": ",".join(code for each in events if (code := the_text(each, "code"))),
            **span,
            "validity_status": the_text(members, "timeValidity"),
            "probability": the_text(members, "probabilityOfOccurrence"),
            "texts": list(_texts(members, events)),
            "road": "; ".join(r for r in the_items(members, "roadNumbers") if isinstance(r, str)),
            "impact": delay,
            "points": points,
            "location_codes": list(_codes(members)),
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


def _named(category: int | None, flags: list[str]) -> str:
    if category is None:
        return ""
    if 0 <= category < len(_CATEGORIES):
        return _CATEGORIES[category] if category else ""
    flags.append("category_unknown")
    return ""


def _delay(magnitude: int | None) -> tuple[str, Severity]:
    if magnitude is None or not 0 < magnitude < len(_DELAYS):
        return "", "UNKNOWN"
    return _DELAYS[magnitude]


def _texts(members: Mapping[str, Any], events: list[Any]) -> Iterator[dict[str, str]]:
    ends = (the_text(members, name) for name in ("from", "to"))
    told = [("location", " - ".join(filter(None, ends)))]
    told += [("description", the_text(each, "description")) for each in events]
    for role, text in dict.fromkeys(told):
        if text:
            yield {"language": "", "text": text[:_TEXT_MAX], "role": role}


def _codes(members: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The places of the Traffic Message Channel, by country and table."""
    tmc = the_object(members, "tmc")
    table = "-".join(the_text(tmc, n) for n in ("countryCode", "tableNumber", "tableVersion"))
    for point in the_items(tmc, "points")[:_CODES_MAX]:
        code = the_text(point, "location") if isinstance(point, dict) else ""
        if code:
            yield {"scheme": "alert-c", "table": table, "code": code}


connector = Connector(
    name="tomtom",
    title="Incidents of TomTom's Traffic API 5, incidentDetails (JSON)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.validity_status",
            "body.probability",
            "body.texts",
            "body.road",
            "body.impact",
            "body.points",
            "body.location_codes",
        )
    },
    transports=("http_poll", "http_push", "drop_folder"),
    lane="urgent",
)
