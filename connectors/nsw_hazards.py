"""Hazards on the roads of New South Wales, Live Traffic's GeoJSON: incidents, works, floods, fires.

One `situation` for each hazard; its subject is the id, an integer that becomes a text.

Traps handled:

- `ended` ends a hazard, and so does an `end` that is not after the publication; an id that is gone
  from the feed has vanished, which the hub tells, not the parser.
- An empty collection is normal: an all clear. An error document is not.
- -1, "null" and blanks stand for unknown.
- Texts are HTML; they become lines. Contacts in them are masked.
- Times are milliseconds since 1970: `lastUpdated` orders versions, `lastPublished` is that of the
  whole feed.
- A hazard may lie on several roads: the first gives road, direction and lanes, all are told in
  texts with the role `road`.

Not read: `periods` of planned works, encoded polylines, media and links; `isMajor` and the kinds of
advice grade nothing that the hub could compare, so the severity stays open.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.html_text import html_text
from connectors._formats.json import a_list, an_object, parse_json, shown
from connectors._formats.members import the_truth
from connectors._formats.shapes import points_of, position_of
from connectors._formats.spelt import iso_of_ms
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Area

__all__ = ["Options", "connector", "parse"]

_TEXTS: Final = (
    "headline",
    "displayName",
    "adviceA",
    "adviceB",
    "adviceC",
    "otherAdvice",
    "publicTransport",
    "diversions",
)
_PLACE: Final = ("locationQualifier", "crossStreet", "secondLocation", "suburb")
_UNKNOWN: Final = frozenset({"", "null", "none", "-1", "unknown"})
_ROADS_MAX: Final = 50
_TEXT_MAX: Final = 8_000
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each hazard."""
    document = an_object(parse_json(payload.body, records=[("features",)]), ())
    features = a_list(document.get("features"), ("features",))
    published_at = _stamp(document.get("lastPublished"), payload, options).at
    if not features:
        layer = _text(document, "layerName")[:60] or "hazards"
        why = f"a collection without features ({layer}): all clear"
        yield Nothing(why=why, published_at=published_at)
    for place, feature in enumerate(features):
        path = ("features", place)
        try:
            yield _event(an_object(feature, path), path, published_at, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _event(
    feature: dict[str, Any],
    path: tuple[str | int, ...],
    published_at: datetime | None,
    payload: Payload,
    options: Options,
) -> Event:
    id_ = _text(feature, "id")
    if not id_:
        what = "a hazard without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    members = an_object(feature.get("properties"), (*path, "properties"))
    stamp = _stamp(members.get("lastUpdated"), payload, options)
    ends = _stamp(members.get("end"), payload, options).at
    begins = _stamp(members.get("start", members.get("created")), payload, options).at
    points, flags = points_of(feature.get("geometry"))
    found = [*stamp.flags, *flags]
    roads = [road for road in _members(members, "roads")[:_ROADS_MAX] if isinstance(road, dict)]
    category = _text(members, "mainCategory")
    details = [text for name in ("subCategoryA", "subCategoryB") if (text := _text(members, name))]
    over = ends is not None and ends <= (published_at or payload.received_at)
    body = {
        "situation_ref": id_,
        "record_ref": id_,
        "record_type": category,
        "detail": ", ".join(details),
        "valid_from": begins,
        "valid_to": ends,
        "texts": _texts(members, roads, found),
        "speed_limit_kmh": _limit(members, found),
        "points": points,
    }
    return Event(
        noun="situation",
        kind=f"road.{snake(category) or 'hazard'}",
        subject=(id_,),
        native_id=id_,
        version_at=stamp.at,
        observed_at=stamp.at,
        published_at=published_at,
        time_quality=stamp.quality,
        lifecycle="ENDED" if the_truth(members, "ended") or over else "UNKNOWN",
        position=position_of(feature.get("geometry")) if points else None,
        areas_reported=tuple(_areas(roads)),
        quality_flags=tuple(dict.fromkeys(found)),
        body=body | _of_the_first(roads),
    )


def _stamp(value: Any, payload: Payload, options: Options) -> Stamp:
    return read_stamp(
        iso_of_ms(value),
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


def _text(members: dict[str, Any], name: str) -> str:
    """A member as a text; empty for what stands for unknown."""
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = clean(str(value))
    return "" if text.lower() in _UNKNOWN else text


def _members(members: dict[str, Any], name: str) -> list[Any]:
    value = members.get(name)
    return value if isinstance(value, list) else []


def _of_the_first(roads: list[dict[str, Any]]) -> dict[str, Any]:
    """Road, direction, lanes and impact, as the first road has them."""
    road = roads[0] if roads else {}
    lanes = [
        lane for lane in _members(road, "impactedLanes")[:_ROADS_MAX] if isinstance(lane, dict)
    ]
    first = lanes[0] if lanes else {}
    return {
        "road": _text(road, "mainStreet"),
        "direction": _text(first, "affectedDirection"),
        "lanes": [
            text
            for lane in lanes
            if (text := _text(lane, "description") or _text(lane, "closedLanes"))
        ],
        "impact": _text(first, "extent"),
    }


def _areas(roads: list[dict[str, Any]]) -> Iterator[Area]:
    for suburb in dict.fromkeys(_text(road, "suburb") for road in roads):
        if suburb:
            yield Area(scheme="", code="", name=suburb)


def _texts(
    members: dict[str, Any], roads: list[dict[str, Any]], flags: list[str]
) -> list[dict[str, str]]:
    told = [(name, _text(members, name)) for name in _TEXTS]
    for road in roads:
        places = [text for name in _PLACE if (text := _text(road, name))]
        told.append(("road", ", ".join([_text(road, "mainStreet"), " ".join(places)]).strip(", ")))
    texts = []
    for role, html in told:
        text, masked = without_contacts(html_text(html)[:_TEXT_MAX])
        flags.extend(["contact_masked"] if masked else [])
        if text:
            texts.append({"language": "en", "text": text, "role": role})
    return texts


def _limit(members: dict[str, Any], flags: list[str]) -> float | None:
    value = members.get("speedLimit")
    if isinstance(value, bool) or not isinstance(value, int | float) or value == -1:
        return None
    if 0 < value <= 200:
        return float(value)
    flags.append("speed_limit_invalid")
    return None


connector = Connector(
    name="nsw_hazards",
    title="Road hazards, Live Traffic NSW (GeoJSON)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.texts",
            "body.road",
            "body.direction",
            "body.lanes",
            "body.impact",
            "body.speed_limit_kmh",
            "body.points",
        )
    },
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
