"""Fires and incidents of the NSW Rural Fire Service, its GeoJSON feed of major incidents.

One `alert` for each incident; its subject is the guid. The facts stand in an HTML text of lines
such as `ALERT LEVEL: Advice <br />STATUS: Under control`; each becomes a parameter of that name.

Traps handled:

- Two layouts of dates and two zones in one record: `pubDate` (`18/02/2018 12:11:00 AM`) is UTC,
  although it does not say so, and orders versions; `UPDATED` (`18 Feb 2018 11:11`) is the time of
  Sydney, the default of `zone`, and is taken where there is no other.
- An empty collection is an all clear. Nothing else ends an incident but its absence from the feed,
  so no lifecycle is claimed, whatever the status says.
- Geometry is a point, or a collection of a point and collections of outlines.
- `category` repeats the alert level or is missing.

Known: the layout of the feed, from one real record. Inferred: the zone of `pubDate`, from that
record and the service's own readers; severities from the CAP that the service publishes (Not
Applicable: Minor, Advice: Moderate), those of the two upper levels by their order.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.contacts import without_contacts
from connectors._formats.html_text import html_text
from connectors._formats.json import a_list, a_text, an_object, parse_json
from connectors._formats.shapes import outlines_of, points_of, position_of
from connectors._formats.spelt import as_iso
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection
from hub.connector import Area, Severity

__all__ = ["Options", "connector", "parse"]

_FACT: Final = re.compile(r"\s*([A-Z][A-Z /]{1,39}?)\s*:\s*(.*)")
_SEVERITY: Final[dict[str, Severity]] = {
    "not applicable": "MINOR",
    "planned burn": "INFO",
    "advice": "MODERATE",
    "watch and act": "SEVERE",
    "emergency": "EXTREME",
    "emergency warning": "EXTREME",
}
_FACTS_MAX: Final = 40
_ALWAYS_OK_S: Final = 10**10  # an incident is told for weeks


class Options(hub.Options):
    """What a site may say of this source."""

    zone: str = Field(
        default="Australia/Sydney", description="IANA time zone of `UPDATED` in the texts"
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each incident."""
    document = an_object(parse_json(payload.body, records=[("features",)]), ())
    features = a_list(document.get("features"), ("features",))
    if not features:
        yield Nothing(why="a collection without incidents: all clear")
    for place, feature in enumerate(features):
        try:
            yield _event(feature, ("features", place), payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _event(feature: Any, path: tuple[str | int, ...], payload: Payload, options: Options) -> Event:
    members = an_object(an_object(feature, path).get("properties"), (*path, "properties"))
    texts = {
        name: a_text(members.get(name), (*path, "properties", name))
        for name in ("guid", "title", "link", "category", "pubDate", "description")
    }
    if not texts["guid"]:
        what = "an incident without guid, so its updates could not be told from new ones"
        where = f"features[{path[-1]}]/properties/guid"
        raise PayloadError(what, code="missing-field", path=where)
    text, masked = without_contacts(html_text(texts["description"]))
    facts = dict(_facts(text))
    geometry = feature.get("geometry")
    points, flags = points_of(geometry)
    stamp, more = _stamp(texts["pubDate"], facts.get("UPDATED", ""), payload, options)
    level = facts.get("ALERT LEVEL") or texts["category"]
    kind = "fire" if facts.get("FIRE", "").lower() == "yes" else snake(facts.get("TYPE", ""))
    council = facts.get("COUNCIL AREA", "")
    area = {"description": facts.get("LOCATION", ""), "polygons": outlines_of(geometry)}
    return Event(
        noun="alert",
        kind=f"alert.{kind}" if kind else "alert",
        subject=(texts["guid"],),
        native_id=texts["guid"],
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity=_SEVERITY.get(level.lower(), "UNKNOWN"),
        position=position_of(geometry) if points else None,
        areas_reported=(Area(scheme="", code="", name=council),) if council else (),
        quality_flags=(*more, *flags, *(("contact_masked",) if masked else ())),
        body={
            "identifier": texts["guid"],
            "sent_at": stamp.at,
            "infos": [
                {
                    "language": "en-AU",
                    "categories": ["Fire"] if kind == "fire" else [],
                    "event": facts.get("TYPE", ""),
                    "severity": level,
                    "headline": texts["title"],
                    "description": text,
                    "sender_name": facts.get("RESPONSIBLE AGENCY", ""),
                    "web": texts["link"],
                    "parameters": [{"name": k, "value": v} for k, v in facts.items()],
                    "areas": [area] if area["description"] or area["polygons"] else [],
                }
            ],
            "references": [],
        },
    )


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n", _FACTS_MAX)[:_FACTS_MAX]:
        found = _FACT.fullmatch(line)
        if found:
            yield found[1], found[2].strip()


def _stamp(
    published: str, updated: str, payload: Payload, options: Options
) -> tuple[Stamp, tuple[str, ...]]:
    """The time of this version, and its flags: `pubDate` in UTC, else `UPDATED` in the zone."""
    stamps = []
    iso = as_iso(published, "dmy")
    for text in (f"{iso}Z" if iso and iso[-1].isdigit() else iso, as_iso(updated, "dmy")):
        stamp = read_stamp(
            text,
            received_at=payload.received_at,
            options=options,
            replayed=True,
            late_ok_s=_ALWAYS_OK_S,
        )
        stamps.append(stamp)
        if stamp.at is not None:
            break
    flags = stamps[-1].flags
    if len(stamps) > 1 and published:
        flags = ("pub_date_unreadable", *flags)
    return stamps[-1], flags


connector = Connector(
    name="nsw_rfs",
    title="Fires and incidents, NSW Rural Fire Service (GeoJSON)",
    parse=parse,
    emits=("alert",),
    identity={"alert": ("body.infos",)},
    options=Options,
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
