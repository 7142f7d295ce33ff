"""Service alerts of public transport, GTFS Realtime 1.0 and 2.0: Protocol Buffers, and its JSON.

One `situation` for each alert, however many routes, stops and periods it names; its subject is the
entity's id. Selectors stand in `location_codes` (scheme `gtfs`, `route_id=32 stop_id=HB-07`),
and want the feed's timetable to be placed.

Traps handled:

- Neither version nor time of change: content tells updates, so a poll that finds an alert as it was
  gives the same ids. Vendors' `last_modified_timestamp` is taken where it is there.
- No message ends an alert: one that is gone has vanished, which the hub tells, not the parser.
  EXPIRED means that all its periods had run out when the feed was made; `is_deleted` of a
  differential feed and a vendor's `closed_timestamp` are ends.
- Hundreds of periods for one alert: first start and last end, flag `periods_merged`, and each
  period in a text of the role `periods`. A period without start or end is open. `impact_period`
  (2025) goes before `active_period`, of which nobody knows whether it is of display or of impact.
- Entity ids are unique within one message alone; where one stands twice, the last is taken.
- JSON in the spelling of the standard, of the JSON mapping (`informedEntity`, times as texts), or
  with members of a vendor's; enumerations by name or number; texts as a list of `translation`.
- A feed may hold texts beyond what a record of Kafka has room for: they are cut, flag `text_cut`.
- Texts in HTML, under a language such as `en-html` beside `en`: only the plain one is taken.
- A file that breaks off gives the alerts before the break, and a rejection.

`severity_level` stands in `detail` as well, so that a change of it alone is an update. Trips,
positions of vehicles, whose numbers are personal, and shapes are not read; nor images, texts to be
spoken, and the text format, which is for people. Known from the standard and two stored feeds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.html_text import html_text
from connectors._formats.json import Path, an_object, shown
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_epoch
from connectors.gtfs_rt.feed import entities
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection
from hub.connector import Lifecycle, Severity

__all__ = ["Options", "connector", "parse"]

_SELECTORS_MAX: Final = 1_000
_PERIODS_MAX: Final = 400
_TRANSLATIONS_MAX: Final = 20
_TEXT_MAX: Final = 20_000
_TEXTS_MAX: Final = 200_000  # characters of one alert; a record of Kafka has room for a megabyte
_ALWAYS_OK_S: Final = 10**10  # works may have been told of for years
_HUMP: Final = re.compile(r"_([a-z])")

_CAUSES: Final = (
    "", "UNKNOWN_CAUSE", "OTHER_CAUSE", "TECHNICAL_PROBLEM", "STRIKE", "DEMONSTRATION", "ACCIDENT",
    "HOLIDAY", "WEATHER", "MAINTENANCE", "CONSTRUCTION", "POLICE_ACTIVITY", "MEDICAL_EMERGENCY",
    "SPECIAL_EVENT",
)  # fmt: skip
_EFFECTS: Final = (
    "", "NO_SERVICE", "REDUCED_SERVICE", "SIGNIFICANT_DELAYS", "DETOUR", "ADDITIONAL_SERVICE",
    "MODIFIED_SERVICE", "OTHER_EFFECT", "UNKNOWN_EFFECT", "STOP_MOVED", "NO_EFFECT",
    "ACCESSIBILITY_ISSUE",
)  # fmt: skip
_LEVELS: Final = ("", "UNKNOWN_SEVERITY", "INFO", "WARNING", "SEVERE")
_SEVERITY: Final[dict[str, Severity]] = {"INFO": "INFO", "WARNING": "MODERATE", "SEVERE": "SEVERE"}
_VAGUE: Final = frozenset({"", "OTHER_EFFECT", "UNKNOWN_EFFECT"})
_ROLES: Final = {
    "header": "header_text",
    "description": "description_text",
    "cause_detail": "cause_detail",
    "effect_detail": "effect_detail",
    "url": "url",
}
_SELECTS: Final = ("agency_id", "route_type", "route_id", "direction_id", "stop_id")
_OF_TRIP: Final = ("route_id", "direction_id", "trip_id", "start_date", "start_time")


@dataclass(slots=True)
class _Feed:
    """What the alerts of a payload share."""

    payload: Payload
    options: Options
    published_at: datetime | None = None
    others: int = 0
    """Entities that are no alerts."""
    alerts: dict[str, Event] = field(default_factory=dict)

    def opens(self, timestamp: float | None) -> None:
        """Take when the feed was made from its header."""
        self.published_at = self.stamp(timestamp).at

    def stamp(self, seconds: float | None) -> Stamp:
        return read_epoch(
            seconds,
            received_at=self.payload.received_at,
            options=self.options,
            replayed=True,
            late_ok_s=_ALWAYS_OK_S,
        )

    @property
    def now(self) -> datetime:
        return self.published_at or self.payload.received_at


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The newest event of each alert; a rejection for each entity that is none."""
    feed = _Feed(payload, options)
    for path, entity in entities(payload.body, feed.opens):
        if isinstance(entity, PayloadError):
            where = "/".join(filter(None, (shown(path), entity.path)))
            yield Rejection(code=entity.code, message=entity.what, path=where, fix=entity.fix)
            continue
        try:
            _take(an_object(entity, path), path, feed)
        except PayloadError as error:
            yield Rejection.of(error)
    yield from feed.alerts.values()
    if feed.others:
        why = f"entities about trips, vehicles or shapes, no alerts: {feed.others}"
        yield Nothing(why=why, published_at=feed.published_at)
    elif not feed.alerts:
        yield Nothing(why="a feed without alerts: all clear", published_at=feed.published_at)


def _member(data: Mapping[str, Any], name: str) -> Any:
    """A member by the standard's name, or as the JSON mapping spells it."""
    value = data.get(name)
    return value if value is not None else data.get(_camel(name))


@cache
def _camel(name: str) -> str:
    return _HUMP.sub(lambda found: found[1].upper(), name)


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = _member(data, name)
    return value if isinstance(value, dict) else {}


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    value = _member(data, name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _word(data: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    """An enumerated value by its name; a number that nobody named as it is."""
    value = _member(data, name)
    if type(value) is int:
        return words[value] if 0 <= value < len(words) else str(value)
    return value[:60] if isinstance(value, str) else ""


# Alerts


def _take(entity: Mapping[str, Any], path: Path, feed: _Feed) -> None:
    """Keep the event of an entity in the place of an older one of its id."""
    deleted = _member(entity, "is_deleted") in (True, 1)
    alert = entity.get("alert")
    if alert is None and not deleted:
        feed.others += 1
        return
    id_ = the_text(entity, "id")
    if not id_:
        what = "an alert without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    alert = an_object(alert or {}, (*path, "alert"))
    feed.alerts.pop(id_, None)
    feed.alerts[id_] = _event(id_, alert, feed, deleted=deleted)


def _event(id_: str, alert: Mapping[str, Any], feed: _Feed, *, deleted: bool) -> Event:
    changed = feed.stamp(
        the_number(alert, "last_modified_timestamp") or the_number(alert, "created_timestamp")
    )
    flags = list(changed.flags)
    effect = _word(alert, "effect", _EFFECTS)
    level = _word(alert, "severity_level", _LEVELS)
    begins, ends, told = _periods(alert, feed, flags)
    texts = [*_texts(alert, flags), *told]
    selectors = _items(alert, "informed_entity")
    if len(selectors) > _SELECTORS_MAX:
        flags.append("selectors_cut")
    closed_at = feed.stamp(the_number(alert, "closed_timestamp")).at
    return Event(
        noun="situation",
        kind="transit.alert" if effect in _VAGUE else f"transit.{snake(effect)}",
        subject=(id_,),
        native_id=id_,
        version_at=changed.at,
        observed_at=changed.at,
        published_at=feed.published_at,
        time_quality=changed.quality,
        lifecycle=_lifecycle(ends, feed.now, ended=deleted or _past(closed_at, feed.now)),
        severity=_SEVERITY.get(level, "UNKNOWN"),
        quality_flags=tuple(dict.fromkeys(flags)),
        body={
            "situation_ref": id_,
            "record_ref": id_,
            "record_type": _word(alert, "cause", _CAUSES),
            "detail": level,
            "valid_from": begins,
            "valid_to": ends,
            "texts": texts,
            "impact": effect,
            "location_codes": list(_codes(selectors[:_SELECTORS_MAX])),
        },
    )


def _past(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def _lifecycle(ends: datetime | None, now: datetime, *, ended: bool) -> Lifecycle:
    if ended:
        return "ENDED"
    return "EXPIRED" if _past(ends, now) else "UNKNOWN"


def _periods(
    alert: Mapping[str, Any], feed: _Feed, flags: list[str]
) -> tuple[datetime | None, datetime | None, list[dict[str, str]]]:
    """From the first start to the last end, None where one is open; several are told one by one."""
    periods = _items(alert, "impact_period") or _items(alert, "active_period")
    spans: list[tuple[datetime | None, datetime | None]] = []
    for period in periods[:_PERIODS_MAX]:
        begin, end = (feed.stamp(the_number(period, name)) for name in ("start", "end"))
        if "time_unreadable" in (*begin.flags, *end.flags):
            flags.append("period_unreadable")
        spans.append((begin.at, end.at))
    begins = [begin for begin, _ in spans if begin is not None]
    ends = [end for _, end in spans if end is not None]
    told = []
    if len(spans) > 1:
        flags.extend(["periods_merged", *(["periods_cut"] if len(periods) > len(spans) else [])])
        text = " ".join(f"{_iso(begin)}/{_iso(end)}" for begin, end in spans)
        told.append({"language": "", "text": text, "role": "periods"})
    return (
        min(begins) if spans and len(begins) == len(spans) else None,
        max(ends) if spans and len(ends) == len(spans) else None,
        told,
    )


def _iso(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def _texts(alert: Mapping[str, Any], flags: list[str]) -> Iterator[dict[str, str]]:
    room = _TEXTS_MAX
    for role, name in _ROLES.items():
        found = list(_translations(_member(alert, name)))[:_TRANSLATIONS_MAX]
        plain = {language for language, _ in found}
        for language, written in found:
            bare = language.removesuffix("-html")
            if bare != language and bare in plain:
                continue
            most = min(_TEXT_MAX, room)
            flags.extend(["text_cut"] if len(written) > most else [])
            text, masked = html_text(written[:most]), False
            room = max(0, room - len(text))
            if role != "url":
                text, masked = without_contacts(text)
            flags.extend(["contact_masked"] if masked else [])
            if text:
                yield {"language": bare, "text": text, "role": role}


def _translations(value: Any) -> Iterator[tuple[str, str]]:
    """Language and text, in the standard's shape, in a list of such, or as one text."""
    if isinstance(value, str):
        yield "", value
    for holder in value if isinstance(value, list) else [value]:
        if not isinstance(holder, dict):
            continue
        one = the_object(holder, "translation")
        for translation in [one] if one else the_items(holder, "translation"):
            if isinstance(translation, dict):
                yield the_text(translation, "language"), the_text(translation, "text")


def _codes(selectors: list[Any]) -> Iterator[dict[str, str]]:
    """What each selector names; all it names must hold together."""
    seen = set()
    for selector in selectors:
        trip = _object(selector, "trip")
        named = {name: _text(selector, name) for name in _SELECTS}
        named |= {name: text for name in _OF_TRIP if (text := _text(trip, name))}
        code = " ".join(f"{name}={text}" for name, text in named.items() if text)
        if code and code not in seen:
            seen.add(code)
            yield {"scheme": "gtfs", "table": "", "code": code}


def _text(data: Mapping[str, Any], name: str) -> str:
    return the_text({name: _member(data, name)}, name)


connector = Connector(
    name="gtfs_rt",
    title="Service alerts of public transport, GTFS Realtime (Protocol Buffers, JSON)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.valid_from",
            "body.valid_to",
            "body.texts",
            "body.impact",
            "body.location_codes",
        )
    },
    transports=("http_push", "http_poll", "drop_folder"),
    lane="urgent",
)
