"""Alerts of the US National Weather Service, GeoJSON and JSON-LD of api.weather.gov.

One `alert` for each feature. The members are those of CAP under other names, so the body is that of
the connector `cap`, and so are subject, severity, status and areas.

Traps handled:

- `expires` ends the product, routinely before the event; `ends` ends the event and may be null. So
  EXPIRED means that `ends`, else `expires`, had passed. `ends` is kept as a parameter of that name.
- An update has a new id, and several stay in the list together: predecessors stand in `references`
  (objects) and in the parameter `expiredReferences` (CAP's triples); both are read.
- Geometry is null more often than not: the area is told by SAME and UGC codes only. Where there is
  one, longitude comes first; outlines are turned to CAP's order. `areaDesc` names all areas in one
  text, which is not repeated for each of up to 65 codes.
- Times may be placeholders (`date:now +1 hour`). One that can't be read costs only itself and
  leaves a flag; without `sent` an alert has the time of its receipt, for its id identifies it.
- Test and Exercise are not live; an empty collection is an all clear, a problem document is not.
- Older answers have no scope and ids such as `NWS-IDP-PROD-2587691`.

Not read: `affectedZones` (the same as UGC, as addresses), VTEC beyond keeping it as a parameter.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from connectors._formats.cap_alert import ALERT_IDENTITY, chain_flags, read_alert, time_of
from connectors._formats.elements import as_elements
from connectors._formats.fitting import fitted
from connectors._formats.flaws import Broken
from connectors._formats.json import an_object, parse_json
from connectors._formats.shapes import outlines_of
from connectors._formats.text import clean
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
)

__all__ = ["Options", "connector", "parse"]

_OWN_NAMES: Final = {"identifier": "id", "msgType": "messageType"}
_INFO: Final = (
    ("category", "category"),
    ("event", "event"),
    ("responseType", "response"),
    ("urgency", "urgency"),
    ("severity", "severity"),
    ("certainty", "certainty"),
    ("effective", "effective"),
    ("onset", "onset"),
    ("expires", "expires"),
    ("language", "language"),
    ("senderName", "senderName"),
    ("headline", "headline"),
    ("description", "description"),
    ("instruction", "instruction"),
    ("web", "web"),
)
_COLLECTIONS: Final = ("features", "@graph")
_EXPIRED: Final = "expiredReferences"
_REFERENCES_MAX: Final = 100_000  # bytes


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One outcome for each alert of a collection, or for the only one."""
    document = an_object(parse_json(payload.body, records=[(name,) for name in _COLLECTIONS]), ())
    for name in _COLLECTIONS:
        if isinstance(document.get(name), list):
            if not document[name]:
                yield Nothing(why="a collection without alerts: all clear")
            for place, item in enumerate(document[name]):
                yield _outcome(item, f"{name}[{place}]", payload, options)
            return
    if "properties" in document or "messageType" in document:
        yield _outcome(document, "", payload, options)
    elif "title" in document and "status" in document:
        yield Rejection(
            code="source-error",
            message=f"the server answered with a problem: {clean(str(document['title']))[:200]}",
            path="title",
            fix="ask again later, with a User-Agent that names you; it is no all clear",
        )
    else:
        what = "neither a collection of alerts nor an alert"
        fix = "poll /alerts/active of api.weather.gov"
        yield Rejection(code="not-nws", message=what, path="features", fix=fix)


def _outcome(item: Any, path: str, payload: Payload, options: Options) -> Outcome:
    if isinstance(item, Broken):
        return Rejection.of(item.error(path))
    members = item.get("properties", item) if isinstance(item, dict) else item
    if not isinstance(members, dict):
        what = f"expected an alert, found {type(members).__name__}"
        return Rejection(code="wrong-type", message=what, path=path)
    alert = as_elements("alert", _as_cap(members, outlines_of(item.get("geometry"))))
    outcome = read_alert(alert, payload, options, path=path or "alert", partial=True)
    if isinstance(outcome, Rejection):
        where, _, name = outcome.path.rpartition("/")
        return replace(outcome, path=f"{where}/{_OWN_NAMES.get(name, name)}")
    if not isinstance(outcome, Event):
        return outcome
    text = members.get("ends")
    ends = time_of(text, payload, options) if isinstance(text, str) else None
    flags = ["ends_unreadable"] if text and ends is None else []
    chain = {"references": _references(members, outcome)}
    chain = fitted(chain, flags, whole=("references",), most=_REFERENCES_MAX)
    body = {**outcome.body, **chain}
    return replace(
        outcome,
        lifecycle=_lifecycle(outcome, ends, payload.received_at),
        quality_flags=(*outcome.quality_flags, *flags, *chain_flags(body)),
        areas_reported=_unnamed(outcome.areas_reported),
        body=body,
    )


def _lifecycle(event: Event, ends: datetime | None, received_at: datetime) -> Lifecycle:
    """As CAP has it, but that the event's own end decides what has run out."""
    if event.lifecycle in {"CANCELLED", "ENDED"} or ends is None:
        return event.lifecycle
    if ends < received_at:
        return "EXPIRED"
    return "UPDATED" if event.body["message_type"] == "UPDATE" else "NEW"


def _unnamed(areas: tuple[Area, ...]) -> tuple[Area, ...]:
    return tuple(replace(area, name="") for area in areas) if len(areas) > 1 else areas


def _references(members: dict[str, Any], event: Event) -> list[dict[str, Any]]:
    """Predecessors as objects, then those of `expiredReferences`, each once."""
    found: dict[str, dict[str, Any]] = {}
    references = members.get("references")
    for each in references if isinstance(references, list) else ():
        name = _text(each.get("identifier")) if isinstance(each, dict) else ""
        if name:
            told = {key: _text(each.get(key)) for key in ("sender", "sent")}
            found.setdefault(name, {**told, "identifier": name, "subject": (name,)})
    for reference in event.body["references"]:
        found.setdefault(reference["identifier"], reference)
    return list(found.values())


def _as_cap(members: dict[str, Any], outlines: list[str]) -> dict[str, Any]:
    """The members under CAP's names, as its JSON mirror would have them."""
    parameters = members.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    expired = parameters.get(_EXPIRED)
    kept = {name: values for name, values in parameters.items() if name != _EXPIRED}
    info: dict[str, Any] = {name: members.get(own) for name, own in _INFO}
    info["eventCode"] = _pairs(members.get("eventCode"))
    info["parameter"] = _pairs(kept | {"ends": members.get("ends")})
    info["area"] = {
        "areaDesc": members.get("areaDesc"),
        "geocode": _pairs(members.get("geocode")),
        "polygon": outlines,
    }
    return {
        "identifier": members.get("id"),
        "sender": members.get("sender"),
        "sent": members.get("sent"),
        "status": members.get("status"),
        "msgType": members.get("messageType"),
        "scope": members.get("scope"),
        "note": members.get("note"),
        "code": members.get("code"),
        "references": " ".join(_texts(expired)),
        "info": info,
    }


def _pairs(values: Any) -> list[dict[str, str]]:
    """`{"SAME": ["005001", …]}` as a pair for each value, whatever the order of the schemes."""
    members = sorted(values.items()) if isinstance(values, dict) else ()
    return [{"valueName": name, "value": text} for name, many in members for text in _texts(many)]


def _texts(value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    return [text for item in several if (text := _text(item))]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return clean(value)
    return "" if value is None or isinstance(value, dict | list) else str(value)


connector = Connector(
    name="nws",
    title="Alerts of the US National Weather Service, api.weather.gov (GeoJSON, JSON-LD)",
    parse=parse,
    emits=("alert",),
    identity={"alert": ALERT_IDENTITY},
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
