"""Work zones and field devices as road authorities publish them, WZDx 1 to 4.

One `situation` for each road event; its subject is the data source with the feature's id. Features
of a DeviceFeed are the health of the device.

Traps handled:

- Version 1 is JSON or XML with the object `WZDx`, without GeoJSON; later ones are GeoJSON.
- Names moved: `road_event_feed_info` with flat properties and `road_event_id` (2, 3), `feed_info`
  with `core_details` and the feature's `id` (4). The `version` in a feed is often that of its
  example, so it decides nothing.
- `event_status` is derived from planned dates and deprecated since 4.1: only `completed` and
  `cancelled` end an event; else an end that is verified and not after the feed's time does.
  Booleans may be texts.
- The feed's `update_date` says when the file was made; the event's own is optional.
- No message ends an event: one that is gone has vanished, which the hub tells, not the parser.
- `reduced_speed_limit` is in miles an hour up to 4.0, `reduced_speed_limit_kph` in km/h after it.
- Longitude first; names and mail addresses of contacts stand in the head and are not read.

Not read: restrictions of lanes, whether workers are present, relations between events, what a
device shows or measures, and the posted speed of version 1, whose unit is not declared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.shapes import points_of, position_of
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import parse_xml
from connectors.wzdx.first_version import as_second_version, of_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Lifecycle, Severity

__all__ = ["Options", "connector", "parse"]

_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_KMH_PER_MPH: Final = 1.609344
_LIMIT_MAX_KMH: Final = 200
_TEXT_MAX: Final = 8_000
_LANES_MAX: Final = 50
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years
_ENDS: Final[dict[str, Lifecycle]] = {"completed": "ENDED", "cancelled": "CANCELLED"}
_HEALTH: Final[dict[str, tuple[str, Severity]]] = {
    "ok": ("ONLINE", "INFO"),
    "warning": ("DEGRADED", "MINOR"),
    "error": ("FAULT", "MODERATE"),
}


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each feature."""
    document = _opened(payload.body)
    head = the_object(document, "feed_info") or the_object(document, "road_event_feed_info")
    features = a_list(document.get("features"), ("features",))
    published_at = _stamp(the_text(head, "update_date"), payload, options).at
    if not features:
        yield Nothing(why="a feed without features: all clear", published_at=published_at)
    names = {
        the_text(each, "data_source_id"): the_text(each, "organization_name")
        for each in the_items(head, "data_sources")
        if isinstance(each, dict)
    }
    feed = _Feed(published_at, names, payload, options)
    for place, feature in enumerate(features):
        path: Path = ("features", place)
        try:
            yield _outcome(an_object(feature, path), path, feed)
        except PayloadError as error:
            yield Rejection.of(error)


def _opened(body: bytes) -> dict[str, Any]:
    """The feed, as GeoJSON whatever its version."""
    if body.lstrip(_BLANK).startswith(b"<"):
        root = parse_xml(body)
        feed = of_xml(root)
        if root.name != "WZDx" or not isinstance(feed, dict):
            raise PayloadError(
                f"no WZDx: the document is a {root.name[:60]}", code="not-wzdx", path=root.name[:80]
            )
        return as_second_version(feed)
    document = an_object(parse_json(body, records=[("features",)]), ())
    if "WZDx" in document and "features" not in document:
        return as_second_version(an_object(document["WZDx"], ("WZDx",)))
    return document


@dataclass(frozen=True, slots=True)
class _Feed:
    """What all features of a payload share."""

    published_at: datetime | None
    names: Mapping[str, str]
    """Of organisations, by data source."""
    payload: Payload
    options: Options


def _outcome(feature: Mapping[str, Any], path: Path, feed: "_Feed") -> Event:
    flat = an_object(feature.get("properties"), (*path, "properties"))
    members = {**flat, **the_object(flat, "core_details")}
    id_ = the_text(feature, "id") or the_text(members, "road_event_id")
    if not id_:
        what = "a feature without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    source = the_text(members, "data_source_id")
    raw = the_text(members, "update_date") or the_text(members, "creation_date")
    payload, options = feed.payload, feed.options
    stamp = _stamp(raw, payload, options)
    points, flags = points_of(feature.get("geometry"))
    common: dict[str, Any] = {
        "native_id": id_,
        "version_at": stamp.at,
        "observed_at": stamp.at,
        "published_at": feed.published_at,
        "time_quality": stamp.quality,
        "position": position_of(feature.get("geometry")) if points else None,
    }
    found = (*stamp.flags, *flags)
    if "device_type" in members:
        return _device(id_, members, {**common, "quality_flags": found})
    body = _body(members, payload, options)
    texts, masked = _texts(members)
    told = (*found, *(("contact_masked",) if masked else ()))
    lifecycle = _lifecycle(members, body["valid_to"], feed.published_at or payload.received_at)
    return Event(
        noun="situation",
        kind=f"road.{snake(body['record_type']) or 'work_zone'}",
        subject=(source, id_),
        lifecycle=lifecycle,
        quality_flags=tuple(dict.fromkeys(told)),
        body={
            "situation_ref": id_,
            "record_ref": id_,
            **body,
            "texts": texts,
            "points": points,
            "location_codes": list(_mileposts(members, body["road"])),
            "source_name": feed.names.get(source, "") or the_text(members, "organization_name"),
        },
        **common,
    )


def _stamp(raw: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(
        raw,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


def _device(id_: str, members: Mapping[str, Any], common: dict[str, Any]) -> Event:
    """A camera, sign or board of a DeviceFeed."""
    state, severity = _HEALTH.get(the_text(members, "device_status"), ("UNKNOWN", "UNKNOWN"))
    messages = [text for text in the_items(members, "status_messages") if isinstance(text, str)]
    kind = the_text(members, "device_type")
    return Event(
        noun="health",
        kind="device.health",
        device_ref=id_,
        subject=(id_, "device"),
        severity=severity,
        body={
            "state": state,
            "component": "device",
            "detail": "; ".join([kind, *messages[:10]])[:_TEXT_MAX],
            "firmware": the_text(members, "firmware_version"),
        },
        **common,
    )


def _body(members: Mapping[str, Any], payload: Payload, options: Options) -> dict[str, Any]:
    works = [
        the_text(each, "type_name")
        for each in the_items(members, "types_of_work")
        if isinstance(each, dict)
    ]
    begins = _stamp(the_text(members, "start_date"), payload, options).at
    ends = _stamp(the_text(members, "end_date"), payload, options).at
    roads = the_items(members, "road_names") or [members.get("road_name")]
    return {
        "record_type": the_text(members, "event_type"),
        "detail": ",".join(filter(None, works)),
        "valid_from": begins,
        "valid_to": ends,
        "road": "; ".join(road for road in roads if isinstance(road, str)),
        "direction": the_text(members, "direction"),
        "lanes": _lanes(members),
        "impact": the_text(members, "vehicle_impact"),
        "speed_limit_kmh": _limit_kmh(members),
    }


def _texts(members: Mapping[str, Any]) -> tuple[list[dict[str, str]], bool]:
    """The description, and between which cross streets."""
    ends = (the_text(members, f"{name}_cross_street") for name in ("beginning", "ending"))
    description, masked = without_contacts(the_text(members, "description")[:_TEXT_MAX])
    told = (("description", description), ("location", " - ".join(filter(None, ends))))
    return [{"language": "", "text": text, "role": role} for role, text in told if text], masked


def _mileposts(members: Mapping[str, Any], road: str) -> Iterator[dict[str, str]]:
    """Places along the road, from which milepost to which."""
    for name in ("beginning_milepost", "ending_milepost"):
        milepost = the_text(members, name)
        if milepost:
            yield {"scheme": "linear", "table": "", "code": f"{road} {milepost}".strip()}


def _lanes(members: Mapping[str, Any]) -> list[str]:
    """`2 general closed`: the order from the left, the type and the state of each lane."""
    return [
        " ".join(filter(None, (the_text(lane, name) for name in ("order", "type", "status"))))
        for lane in the_items(members, "lanes")[:_LANES_MAX]
        if isinstance(lane, dict)
    ]


def _limit_kmh(members: Mapping[str, Any]) -> float | None:
    kmh, mph = (
        the_number(members, name) for name in ("reduced_speed_limit_kph", "reduced_speed_limit")
    )
    limit = kmh if kmh is not None else mph and round(mph * _KMH_PER_MPH, 1)
    return limit if limit and 0 < limit <= _LIMIT_MAX_KMH else None


def _lifecycle(members: Mapping[str, Any], ends: datetime | None, now: datetime) -> Lifecycle:
    """An end that somebody states or has verified; planned dates end nothing."""
    status = the_text(members, "event_status").lower()
    if status in _ENDS:
        return _ENDS[status]
    verified = (
        the_text(members, "is_end_date_verified").lower() == "true"
        or the_text(members, "end_date_accuracy").lower() == "verified"
    )
    return "ENDED" if verified and ends is not None and ends <= now else "UNKNOWN"


connector = Connector(
    name="wzdx",
    title="Work zones and field devices, WZDx 2 to 4 (GeoJSON), WZDx 1 (JSON, XML)",
    parse=parse,
    emits=("situation", "health"),
    identity={
        "situation": (
            "body.record_type",
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
            "body.location_codes",
        ),
        "health": ("body.component", "body.state", "body.detail"),
    },
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
