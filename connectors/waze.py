"""Waze for Cities, the partner feed: alerts, jams and irregularities of a window of minutes.

One `situation` for each; its subject is the list with the id, as an id is only unique in its list.
A jam that is not blocked is a `measurement` of speed as well.

Traps handled:

- Ids are texts (alerts), integers (jams) or called `id` (irregularities).
- `pubMillis` never changes: changed content is an event of its own, and no time orders it.
- No message ends anything: what is gone from the next window has vanished, which the hub tells.
- A jam's delay of -1 is a blocked road.
- Longitude is `x`. Speeds are metres a second, beside `speedKMH` in later feeds.
- Type names drift: HAZARD and WEATHERHAZARD are one kind.
- Times as texts have no zone and a colon before the milliseconds: only those in ms are read.

Known from a stored feed (Jakarta, 2017) and the partner's documents. Not read: who reported
(`reportBy`), ratings and comments, which may be persons; turns, segments, causing alerts. What
drivers write is masked for contacts, and only carried where the option `free_text` asks for it, as
names in prose can't be masked.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.contacts import without_contacts
from connectors._formats.coordinates import read_degrees
from connectors._formats.json import Path, an_object, parse_json, shown
from connectors._formats.members import the_integer, the_items, the_number, the_object, the_text
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_epoch
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Position, Rejection

__all__ = ["Options", "connector", "parse"]

_LISTS: Final = ("alerts", "jams", "irregularities")
_KINDS: Final = {
    "weatherhazard": "hazard",
    "weatherhazard_hazard": "hazard",
    "road_closed": "closure",
}
_BLOCKED: Final = -1
_KMH: Final = 3.6
_SPEED_MAX_KMH: Final = 250
_POINTS_MAX: Final = 2_000
_ALWAYS_OK_S: Final = 10**10  # closures may have been told of for years


class Options(hub.Options):
    """What a site may say of a Waze feed."""

    free_text: bool = Field(
        default=False, description="Whether to carry what drivers wrote; it may name persons"
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each entry of the three lists, and one more for a jam's speed."""
    document = an_object(parse_json(payload.body, records=[(name,) for name in _LISTS]), ())
    lists = [(name, document[name]) for name in _LISTS if isinstance(document.get(name), list)]
    if not lists:
        raise PayloadError(
            "no list of alerts, jams or irregularities",
            code="missing-field",
            path="alerts",
            fix="ask for the partner feed as JSON",
        )
    closes = _stamp(document.get("endTimeMillis"), payload, options)
    if not any(entries for _, entries in lists):
        yield Nothing(why="a window without entries: all clear", published_at=closes.at)
    for name, entries in lists:
        for place, entry in enumerate(entries):
            path: Path = (name, place)
            try:
                yield from _READERS[name](an_object(entry, path), path, closes, payload, options)
            except PayloadError as error:
                yield Rejection.of(error)


def _stamp(milliseconds: Any, payload: Payload, options: Options) -> Stamp:
    known = type(milliseconds) is int and abs(milliseconds) < 1e15
    return read_epoch(
        milliseconds / 1000 if known else None,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ALWAYS_OK_S,
    )


def _situation(
    name: str, id_: str, kind: str, body: dict[str, Any], told: Mapping[str, Any]
) -> Event:
    return Event(
        noun="situation",
        kind=f"road.{kind}",
        subject=(name, id_),
        native_id=id_,
        body={"situation_ref": id_, "record_ref": id_, **body},
        **told,
    )


def _id(entry: Mapping[str, Any], member: str, path: Path) -> str:
    id_ = the_text(entry, member)
    if not id_:
        what = "an entry without id, so its updates could not be told from new ones"
        raise PayloadError(what, code="missing-field", path=shown((*path, member)))
    return id_


def _told(
    stamp: Stamp, closes: Stamp, flags: tuple[str, ...], position: Position | None = None
) -> dict[str, Any]:
    return {
        "observed_at": stamp.at,
        "published_at": closes.at,
        "time_quality": stamp.quality,
        "position": position,
        "quality_flags": tuple(dict.fromkeys((*stamp.flags, *flags))),
    }


def _alert(
    entry: Mapping[str, Any], path: Path, closes: Stamp, payload: Payload, options: Options
) -> Iterator[Event]:
    id_ = _id(entry, "uuid", path)
    place = the_object(entry, "location")
    points, flags = _points([place] if place else [])
    word = the_text(entry, "type")
    texts = []
    written = the_text(entry, "reportDescription") if options.free_text else ""
    if written:
        text, masked = without_contacts(written)
        flags += ("contact_masked",) if masked else ()
        texts.append({"language": "", "text": text, "role": "report"})
    position = Position(lat=points[0]["lat"], lon=points[0]["lon"]) if points else None
    body = {
        "record_type": word,
        "detail": the_text(entry, "subtype"),
        "road": the_text(entry, "street"),
        "texts": texts,
        "points": points,
    }
    kind = _KINDS.get(word.lower()) or snake(word) or "alert"
    stamp = _stamp(entry.get("pubMillis"), payload, options)
    yield _situation("alert", id_, kind, body, _told(stamp, closes, flags, position))


def _jam(
    entry: Mapping[str, Any], path: Path, closes: Stamp, payload: Payload, options: Options
) -> Iterator[Event]:
    id_ = _id(entry, "uuid", path)
    points, flags = _points(the_items(entry, "line"))
    blocked = the_number(entry, "delay") == _BLOCKED
    level = the_integer(entry, "level")
    stamp = _stamp(entry.get("pubMillis"), payload, options)
    told = _told(stamp, closes, flags)
    body = {
        "record_type": "JAM",
        "detail": "" if level is None else f"level {level}",
        "road": the_text(entry, "street"),
        "direction": the_text(entry, "endNode"),
        "impact": "blocked" if blocked else "",
        "points": points,
    }
    yield _situation("jam", id_, "jam", body, told)
    speed = _speed_kmh(entry)
    if speed is not None and not blocked:
        yield Event(
            noun="measurement",
            kind="traffic.jam",
            subject=("jam", id_),
            native_id=id_,
            # Of the window: a jam keeps its first time as long as it lasts.
            **{**told, "observed_at": closes.at, "time_quality": closes.quality},
            body={"site_ref": id_, "speed_kmh": speed},
        )


def _irregularity(
    entry: Mapping[str, Any], path: Path, closes: Stamp, payload: Payload, options: Options
) -> Iterator[Event]:
    id_ = _id(entry, "id", path)
    points, flags = _points(the_items(entry, "line"))
    began = _stamp(entry.get("detectionDateMillis"), payload, options)
    stamp = _stamp(
        entry.get("updateDateMillis", entry.get("detectionDateMillis")), payload, options
    )
    body = {
        "record_type": "IRREGULARITY",
        "detail": the_text(entry, "type"),
        "valid_from": began.at,
        "road": the_text(entry, "street"),
        "direction": the_text(entry, "endNode"),
        "points": points,
    }
    told = {**_told(stamp, closes, flags), "version_at": stamp.at}
    yield _situation("irregularity", id_, "irregularity", body, told)


def _speed_kmh(entry: Mapping[str, Any]) -> float | None:
    speed = the_number(entry, "speedKMH")
    if speed is None and (metres := the_number(entry, "speed")) is not None:
        speed = round(metres * _KMH, 1)
    return speed if speed is not None and 0 <= speed <= _SPEED_MAX_KMH else None


def _points(places: list[Any]) -> tuple[list[dict[str, float]], tuple[str, ...]]:
    """Points of `x` and `y`, and quality flags."""
    points: list[dict[str, float]] = []
    flags: dict[str, None] = {}
    for place in places[:_POINTS_MAX]:
        if not isinstance(place, dict):
            continue
        degrees, flag = read_degrees(place.get("y"), place.get("x"))  # type: ignore[arg-type] # checked there
        if flag:
            flags[flag] = None
        if degrees is not None:
            points.append({"lat": degrees[0], "lon": degrees[1]})
    if len(places) > _POINTS_MAX:
        flags["points_cut"] = None
    return points, tuple(flags)


_Reader = Callable[[Mapping[str, Any], Path, Stamp, Payload, Options], Iterator[Event]]
_READERS: Final[dict[str, _Reader]] = {
    "alerts": _alert,
    "jams": _jam,
    "irregularities": _irregularity,
}

connector = Connector(
    name="waze",
    title="Waze for Cities, the partner feed: alerts, jams, irregularities (JSON)",
    parse=parse,
    emits=("situation", "measurement"),
    identity={
        "situation": (
            "body.record_type",
            "body.detail",
            "body.texts",
            "body.road",
            "body.direction",
            "body.impact",
            "body.points",
        ),
        "measurement": ("body.speed_kmh",),
    },
    options=Options,
    transports=("http_poll", "http_push", "drop_folder"),
)
