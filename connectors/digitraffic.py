"""Road announcements of Fintraffic's Digitraffic, simple JSON: incidents, works, transports.

One `situation` for each feature, with its texts in all languages, and one for each phase of road
works in it, as phases have times and severities of their own.

Traps handled:

- `situationId` stands in several features and polls; `version` is a number beside it, and
  `versionTime`, which older documents lack (then `releaseTime`), orders the versions.
- Of copies of one situation in a document the newest is taken: by time, then by version.
- The end is an `endTime` that has passed, `earlyClosing`, or the type `ended`; `retracted` and
  `canceled` mean that the report was wrong or never came to be.
- `features` are texts in older documents and objects with a quantity in newer ones; words are
  written `road work` in the messages themselves and ROAD_WORK by the interface, and `workTypes`
  there is `worktypes` here.
- A report that is preliminary or not confirmed is only probable.
- Codes (Alert-C, road addresses) need tables; they are kept as codes with their table's version.
- Telephone numbers and addresses in `contact`, and `comment`, which repeats the other members and
  ends with an operator's mark, are not read. A comment or title that says TESTI is flagged.

Known: three published documents, and the program that serves them. Not read: working hours, slow
and queuing times, detours, the itineraries of transports.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors._formats.contacts import MASK, without_contacts
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.shapes import points_of, position_of
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from hub.connector import (
    Area,
    Connector,
    Event,
    Lifecycle,
    Nothing,
    Options,
    Outcome,
    Payload,
    Rejection,
    Severity,
)
from hub.errors import PayloadError

__all__ = ["Options", "connector", "parse"]

_ALWAYS_OK_S: Final = 10**10
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LANGUAGES_MAX: Final = 8
_PHASES_MAX: Final = 200
_TEXT_MAX: Final = 4_000
_TEST: Final = re.compile(r"\b(?:TESTI|TEST|THỬ NGHIỆM)\b")
_ENDS: Final[dict[str, Lifecycle]] = {
    "ended": "ENDED",
    "closed": "ENDED",
    "retracted": "CANCELLED",
    "canceled": "CANCELLED",
    "cancelled": "CANCELLED",
}
_SEVERITY: Final[dict[str, Severity]] = {"low": "MINOR", "high": "SEVERE", "highest": "EXTREME"}

_TYPES: Final = {"special_transport": "exempted_transport"}
_PROBABLE: Final = frozenset({"preliminary_accident_report", "unconfirmed_observation"})
_WORK_TYPES: Final = ("worktypes", "workTypes")

_Members = Mapping[str, Any]


@dataclass(slots=True)
class _Feature:
    """A feature, and what orders it among the copies of its situation."""

    id: str
    feature: _Members
    members: _Members
    stamp: Stamp
    version: int

    @property
    def rank(self) -> tuple[datetime, int]:
        return self.stamp.at or _EARLIEST, self.version


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The situations of a feature or a collection; a bad one never hides its neighbours."""
    document = an_object(parse_json(payload.body, records=[("features",)]), ())
    single = document.get("type") == "Feature"
    if not single and document.get("type") != "FeatureCollection":
        what = "neither a Feature nor a FeatureCollection of traffic messages"
        raise PayloadError(what, code="not-digitraffic", path="type")
    features = [document] if single else a_list(document.get("features"), ("features",))
    updated = _stamp(the_text(document, "dataUpdatedTime"), payload, options).at
    if not features:
        yield Nothing(why="a collection without features: all clear", published_at=updated)
    newest: dict[str, _Feature] = {}
    for place, item in enumerate(features):
        path: Path = () if single else ("features", place)
        try:
            feature = _feature(an_object(item, path), path, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)
            continue
        known = newest.get(feature.id)
        if known is None or feature.rank >= known.rank:
            newest[feature.id] = feature
    for feature in newest.values():
        yield from _Situation(feature, updated, payload, options).events()


def _feature(item: dict[str, Any], path: Path, payload: Payload, options: Options) -> _Feature:
    members = an_object(item.get("properties"), (*path, "properties"))
    id_ = the_text(members, "situationId")
    if not id_:
        what = "a feature without situationId, so its updates could not be told from new ones"
        raise PayloadError(
            what, code="missing-field", path=shown((*path, "properties", "situationId"))
        )
    time = the_text(members, "versionTime") or the_text(members, "releaseTime")
    version = the_integer(members, "version")
    stamp = _stamp(time, payload, options)
    return _Feature(id_, item, members, stamp, -1 if version is None else version)


def _stamp(text: str, payload: Payload, options: Options) -> Stamp:
    return read_stamp(
        text,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


class _Situation:
    """The events of one situation."""

    def __init__(
        self, feature: _Feature, updated: datetime | None, payload: Payload, options: Options
    ) -> None:
        self._feature = feature
        self._payload = payload
        self._options = options
        self._published_at = updated or self._time(the_text(feature.members, "releaseTime"))
        items = the_items(feature.members, "announcements")[:_LANGUAGES_MAX]
        self._announcements = [item for item in items if isinstance(item, dict)]

    def events(self) -> Iterator[Event]:
        """The situation itself, then the phases of the works in it."""
        first = self._announcements[0] if self._announcements else {}
        phases = [p for p in the_items(first, "roadWorkPhases") if isinstance(p, dict)]
        severities = [_severity(phase) for phase in phases]
        severity: Severity = max(severities, key=_gravity) if severities else "UNKNOWN"
        yield self._event(first, "", self._texts(), severity)
        language = the_text(first, "language")
        for phase in phases[:_PHASES_MAX]:
            if the_text(phase, "id"):
                texts = _texts(phase, language, ())
                yield self._event(phase, the_text(phase, "id"), texts, _severity(phase))

    def _event(
        self, part: _Members, phase: str, texts: list[dict[str, str]], severity: Severity
    ) -> Event:
        feature, members = self._feature, self._feature.members
        points, flags = points_of(feature.feature.get("geometry"))
        found = [*feature.stamp.flags, *flags, *self._suspicions()]
        if any(MASK in text["text"] for text in texts):
            found.append("contact_masked")
        ref = phase or feature.id
        kind = snake(the_text(members, "situationType")) or "announcement"
        announced = the_text(members, "trafficAnnouncementType")
        times = the_object(part, "timeAndDuration")
        valid_to = self._time(the_text(times, "endTime"))
        details = the_object(the_object(part, "locationDetails"), "roadAddressLocation")
        area = the_object(the_object(part, "locationDetails"), "areaLocation")
        return Event(
            noun="situation",
            kind=f"road.{_TYPES.get(kind, kind)}",
            subject=(feature.id, ref),
            native_id=f"{feature.id}/{ref}",
            native_version=str(feature.version) if feature.version >= 0 else None,
            version_at=feature.stamp.at,
            observed_at=feature.stamp.at,
            published_at=self._published_at,
            time_quality=feature.stamp.quality,
            lifecycle=self._lifecycle(part, valid_to),
            severity=severity,
            position=position_of(feature.feature.get("geometry")) if points else None,
            areas_reported=tuple(_areas(details, area)),
            quality_flags=tuple(dict.fromkeys(found)),
            body={
                "situation_ref": feature.id,
                "record_ref": ref,
                "record_type": "RoadWorkPhase" if phase else the_text(members, "situationType"),
                "detail": announced or _types(part),
                "probability": "probable" if snake(announced) in _PROBABLE else "",
                "valid_from": self._time(the_text(times, "startTime")),
                "valid_to": valid_to,
                "texts": texts,
                "road": _road(details),
                "direction": the_text(details, "direction").replace("unknown", ""),
                "impact": ", ".join(_named(part, "restrictions", "type")),
                "speed_limit_kmh": _speed_limit(part),
                "points": points,
                "location_codes": list(_codes(part, details, area)),
                "source_name": the_text(part, "sender"),
            },
        )

    def _time(self, text: str) -> datetime | None:
        return _stamp(text, self._payload, self._options).at

    def _texts(self) -> list[dict[str, str]]:
        return [
            text
            for announcement in self._announcements
            for text in _texts(
                announcement,
                the_text(announcement, "language"),
                ("title", "additionalInformation"),
            )
        ]

    def _suspicions(self) -> list[str]:
        told = [the_text(a, name) for a in self._announcements for name in ("title", "comment")]
        return ["drill_suspected"] if any(_TEST.search(text) for text in told) else []

    def _lifecycle(self, part: _Members, valid_to: datetime | None) -> Lifecycle:
        members = self._feature.members
        words = [the_text(members, "trafficAnnouncementType"), the_text(part, "earlyClosing")]
        words += [the_text(a, "earlyClosing") for a in self._announcements]
        for word in words:
            if word.lower() in _ENDS:
                return _ENDS[word.lower()]
        over = valid_to is not None and valid_to <= self._payload.received_at
        return "ENDED" if over else "UNKNOWN"


def _texts(part: _Members, language: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    told = [(name, the_text(part, name)) for name in names]
    told.append(("location", the_text(the_object(part, "location"), "description")))
    told += [("feature", text) for text in _features(part)]
    told += [("work", text) for name in _WORK_TYPES for text in _named(part, name, "description")]
    duration = the_object(the_object(part, "timeAndDuration"), "estimatedDuration")
    told.append(("duration", the_text(duration, "informal")))
    texts = []
    for role, text in told:
        clear = without_contacts(text[:_TEXT_MAX])[0]
        if clear:
            texts.append({"language": language, "text": clear, "role": role})
    return texts


def _features(part: _Members) -> Iterator[str]:
    """What is the matter: texts, or names with a quantity and its unit."""
    for item in the_items(part, "features"):
        if isinstance(item, str):
            yield item.strip()
        elif isinstance(item, dict):
            amount = the_number(item, "quantity")
            told = [the_text(item, "name")]
            told += [f"{amount:g}", the_text(item, "unit")] if amount is not None else []
            yield " ".join(text for text in told if text)


def _named(part: _Members, name: str, member: str) -> list[str]:
    items = [item for item in the_items(part, name) if isinstance(item, dict)]
    return [text for item in items if (text := the_text(item, member))]


def _types(part: _Members) -> str:
    return ", ".join(text for name in _WORK_TYPES for text in _named(part, name, "type"))


def _speed_limit(part: _Members) -> float | None:
    """The lowest speed limit of a phase that can be one."""
    limits = [
        the_number(the_object(item, "restriction"), "quantity")
        for item in the_items(part, "restrictions")
        if isinstance(item, dict) and snake(the_text(item, "type")) == "speed_limit"
    ]
    return min((limit for limit in limits if limit is not None and 0 <= limit <= 300), default=None)


def _ends(details: _Members) -> list[_Members]:
    return [the_object(details, name) for name in ("primaryPoint", "secondaryPoint")]


def _road(details: _Members) -> str:
    first = the_object(details, "primaryPoint")
    return the_text(first, "roadName") or the_text(the_object(first, "roadAddress"), "road")


def _codes(part: _Members, details: _Members, area: _Members) -> Iterator[dict[str, str]]:
    place = the_object(part, "location")
    names = ("countryCode", "locationTableNumber", "locationTableVersion")
    table = "-".join(the_text(place, name) for name in names)
    for end in _ends(details):
        code = the_text(the_object(end, "alertCLocation"), "locationCode")
        if code:
            yield {"scheme": "alert-c", "table": table, "code": code}
        address = the_object(end, "roadAddress")
        road, section = the_text(address, "road"), the_text(address, "roadSection")
        if road and section:
            code = f"{road} {section}+{the_text(address, 'distance') or 0}"
            yield {"scheme": "linear", "table": "", "code": code}
    for item in the_items(area, "areas"):
        code = the_text(item, "locationCode") if isinstance(item, dict) else ""
        if code:
            yield {"scheme": "alert-c", "table": table, "code": code}


def _areas(details: _Members, area: _Members) -> Iterator[Area]:
    for name in _named(area, "areas", "name"):
        yield Area(scheme="", code="", name=name)
    for name in dict.fromkeys(the_text(end, "municipality") for end in _ends(details)):
        if name:
            yield Area(scheme="", code="", name=name)


def _severity(phase: _Members) -> Severity:
    return _SEVERITY.get(the_text(phase, "severity").lower(), "UNKNOWN")


def _gravity(severity: Severity) -> int:
    return ("UNKNOWN", *_SEVERITY.values()).index(severity)


connector = Connector(
    name="digitraffic",
    title="Road announcements, Digitraffic simple JSON (GeoJSON)",
    parse=parse,
    emits=("situation",),
    identity={
        "situation": (
            "body.detail",
            "body.probability",
            "body.valid_from",
            "body.valid_to",
            "body.texts",
            "body.road",
            "body.direction",
            "body.impact",
            "body.speed_limit_kmh",
            "body.points",
            "body.location_codes",
        )
    },
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
