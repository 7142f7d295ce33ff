"""One message of the Common Alerting Protocol as an event, wherever it was found.

A document, an entry of a feed, the content of an EDXL distribution and a JSON mirror hold the same
elements; `read_alert` reads them all. `connectors/cap.py` says which traps are handled here.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from unicodedata import combining, normalize

from connectors._formats.coordinates import read_degrees, read_position
from connectors._formats.fitting import fitted
from connectors._formats.spelt import as_iso
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node
from hub.connector import (
    Area,
    Event,
    Lifecycle,
    Nothing,
    Options,
    Payload,
    Position,
    Rejection,
    Severity,
    Status,
)

__all__ = [
    "ALERT_IDENTITY",
    "ALERT_STATUS",
    "alert_severity",
    "chain_flags",
    "read_alert",
    "time_of",
]

ALERT_IDENTITY: Final = (
    "body.identifier",
    "body.sender",
    "body.sent_at",
    "body.message_type",
    "body.scope",
    "body.note",
    "body.references",
    "body.infos",
)
"""What tells two messages apart; frozen, as every connector's `identity`."""

_REPORTED: Final = "areas_reported"
_WHOLE: Final = frozenset(
    {"identifier", "message_type", "references", "polygons", "circles", "geocodes", _REPORTED}
)
"""What is kept or left out as it is: half an outline would be another place."""
_MANDATORY: Final = ("identifier", "sender", "sent", "status", "msgType", "scope")
_AT_LEAST: Final = ("identifier", "status", "msgType")
ALERT_STATUS: Final[dict[str, Status]] = {
    "actual": "LIVE",
    "exercise": "EXERCISE",
    "system": "SYSTEM",
    "test": "TEST",
    "draft": "TEST",
}
_LIFECYCLE: Final[dict[str, Lifecycle]] = {
    "alert": "NEW",
    "update": "UPDATED",
    "cancel": "CANCELLED",
    "ack": "UNKNOWN",
    "error": "UNKNOWN",
}
_SEVERITY: Final[dict[str, Severity]] = {
    "minor": "MINOR",
    "moderate": "MODERATE",
    "severe": "SEVERE",
    "extreme": "EXTREME",
}
_GRAVITY: Final[tuple[Severity, ...]] = ("UNKNOWN", *_SEVERITY.values())
_INFO_TEXTS: Final = {
    "event": "event",
    "urgency": "urgency",
    "severity": "severity",
    "certainty": "certainty",
    "audience": "audience",
    "sender_name": "senderName",
    "headline": "headline",
    "description": "description",
    "instruction": "instruction",
    "web": "web",
}
_INFO_TIMES: Final = {"effective_at": "effective", "onset_at": "onset", "expires_at": "expires"}
_LEVEL_NAMES: Final = ("capdoruiro", "disasterlevel", "disasterrisklevel", "risklevel")
_ARCHIVE_OK_S: Final = int(timedelta(days=31).total_seconds())
_TRIPLE_END: Final = re.compile(r",\s*(\d{4}-\d\d-\d\dT[^\s,]+)(?:\s+|$)")
_QUOTED: Final = re.compile(r'"([^"]*)"|(\S+)')
_ILLEGAL: Final = re.compile(r"[\s,<&]")
# Not "exercise" or "test" alone: storm warnings ask to "exercise caution".
_DRILL: Final = re.compile(
    r"\b(?:exercise exercise|exercise only|(?:this is|for) (?:a |an )?(?:test|drill|exercise)|"
    r"test (?:message|alert|warning)|drill|diễn tập|thử nghiệm)\b",
    re.IGNORECASE,
)


def read_alert(
    alert: Node, payload: Payload, options: Options, *, path: str, partial: bool = False
) -> Event | Rejection | Nothing:
    """The event of an `alert` element, or why there is none.

    `path` is where the alert stands, for rejections; `partial` takes one without sender and scope
    and with any time, as indexes and JSON lists tell of alerts that their id alone identifies.
    """
    refused = _refused(alert, path, _AT_LEAST if partial else _MANDATORY)
    if refused is not None:
        return refused
    sent = read_stamp(
        as_iso(alert.value("sent"), "ymd"),
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_ARCHIVE_OK_S,
    )
    if sent.at is None and not partial:
        what = f"{alert.value('sent')[:60]!r} is no time"
        return Rejection(code="bad-time", message=what, path=f"{path}/sent")
    event = _event(alert, sent, payload, options)
    if partial:  # an index names no predecessors, whatever the alert itself does
        return event
    return replace(event, quality_flags=(*event.quality_flags, *chain_flags(event.body)))


def chain_flags(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Why it is open which alerts an update or a cancel follows, where it names none."""
    follows = body["message_type"] in {"UPDATE", "CANCEL"}
    return ("references_missing",) if follows and not body["references"] else ()


def _refused(alert: Node, where: str, mandatory: tuple[str, ...]) -> Rejection | Nothing | None:
    """Why the message gives no event; None when it does."""
    for name in mandatory:
        if not alert.value(name):
            what = f"mandatory element {name!r} is missing or empty"
            return Rejection(code="missing-field", message=what, path=f"{where}/{name}")
    for name, known in (("status", ALERT_STATUS), ("msgType", _LIFECYCLE)):
        word = alert.value(name)
        if word.lower() not in known:
            what = f"{word[:40]!r} is none of {', '.join(known)}"
            return Rejection(code="unknown-value", message=what, path=f"{where}/{name}")
    if alert.value("msgType").lower() in {"ack", "error"}:
        return Nothing(why=f"CAP {alert.value('msgType')}: protocol traffic, no alert")
    return None


def _event(alert: Node, sent: Stamp, payload: Payload, options: Options) -> Event:
    identifier, kind = clean(alert.value("identifier")), alert.value("msgType").lower()
    flags = list(sent.flags)
    if _ILLEGAL.search(identifier):
        flags.append("identifier_illegal")
    infos = [_info(info, payload, options, flags) for info in alert.findall("info")]
    areas = [area for info in infos for area in info["areas"]]
    body: dict[str, Any] = {
        "identifier": identifier,
        "sender": clean(alert.value("sender")),
        "sent_at": sent.at,
        "message_type": kind.upper(),
        "scope": clean(alert.value("scope")),
        "restriction": clean(alert.value("restriction")),
        "note": clean(alert.value("note")),
        "references": _references(alert, flags),
        "incidents": [a or b for a, b in _QUOTED.findall(clean(alert.value("incidents")))],
        "codes": _texts(alert, "code"),
        "infos": infos,
        "national_level": _national_level(infos),
    }
    status = ALERT_STATUS[alert.value("status").lower()]
    if status == "LIVE" and _tells_of_a_drill(alert.value("note"), infos):
        flags.append("drill_suspected")
    position, reported = _position(areas, flags), _areas_reported(areas, options)
    lifecycle, severity = _lifecycle(kind, infos, payload.received_at), _gravest(infos)
    category = next((snake(c) for info in infos for c in info["categories"]), "")
    # All that is judged is judged of the whole alert; only then it is cut to what a record holds.
    told = [{"scheme": area.scheme, "code": area.code, "name": area.name} for area in reported]
    body = fitted(body | {_REPORTED: told}, flags, whole=_WHOLE)
    reported = tuple(Area(**each) for each in body.pop(_REPORTED))
    return Event(
        noun="alert",
        kind=f"alert.{category}" if category else "alert",
        subject=(identifier,),
        native_id=identifier,
        version_at=sent.at,
        observed_at=sent.at,
        time_quality=sent.quality,
        lifecycle=lifecycle,
        status=status,
        severity=severity,
        position=position,
        areas_reported=reported,
        quality_flags=tuple(dict.fromkeys(flags)),
        body=body,
    )


def _tells_of_a_drill(note: str, infos: list[dict[str, Any]]) -> bool:
    texts = [info[name] for info in infos for name in ("event", "headline", "description")]
    return any(_DRILL.search(text) for text in (note, *texts))


def _info(info: Node, payload: Payload, options: Options, flags: list[str]) -> dict[str, Any]:
    block: dict[str, Any] = {key: clean(info.value(name)) for key, name in _INFO_TEXTS.items()}
    for key, name in _INFO_TIMES.items():
        text = info.value(name)
        block[key] = time_of(text, payload, options)
        flags.extend([f"{name}_unreadable"] if text and block[key] is None else [])
    return block | {
        "language": info.value("language", "en-US"),
        "categories": _texts(info, "category"),
        "response_types": _texts(info, "responseType"),
        "event_codes": _named_values(info, "eventCode"),
        "parameters": _named_values(info, "parameter"),
        "areas": [_area(area, flags) for area in info.findall("area")],
    }


def time_of(text: str, payload: Payload, options: Options) -> datetime | None:
    """A time of an alert that is no matter of a clock: in the future, or long ago."""
    return read_stamp(as_iso(text, "ymd"), received_at=payload.received_at, options=options).at


def _area(area: Node, flags: list[str]) -> dict[str, Any]:
    return {
        "description": clean(area.value("areaDesc")),
        "polygons": [" ".join(text.split()) for text in _texts(area, "polygon")],
        "circles": [" ".join(text.split()) for text in _texts(area, "circle")],
        "geocodes": _named_values(area, "geocode"),
        "altitude_ft": _feet(area, "altitude", flags),
        "ceiling_ft": _feet(area, "ceiling", flags),
    }


def _feet(area: Node, name: str, flags: list[str]) -> float | None:
    text = area.value(name)
    try:
        feet = float(text) if text else None
    except ValueError:
        feet = float("nan")
    if feet is None or abs(feet) < 1e6:
        return feet
    flags.append(f"{name}_invalid")
    return None


def _texts(node: Node, name: str) -> list[str]:
    return [text for child in node.findall(name) if (text := clean(child.text))]


def _named_values(node: Node, name: str) -> list[dict[str, str]]:
    """`valueName` and `value`; CAP 1.0 wrote `name=value` as one text."""
    pairs = []
    for child in node.findall(name):
        key, value = child.value("valueName"), child.value("value")
        if not (key or value):
            key, _, value = child.text.partition("=")
        if key or value:
            pairs.append({"name": clean(key), "value": clean(value)})
    return pairs


def _references(alert: Node, flags: list[str]) -> list[dict[str, Any]]:
    """Triples `sender,identifier,sent` parted by blanks; an identifier may hold both separators.

    Each triple ends with a time, so times part them; what follows the last one is read word by
    word. `subject` becomes the referenced message's subject id in the hub.
    """
    text = " ".join(_texts(alert, "references"))
    if not text and (text := " ".join(_texts(alert, "reference"))):
        flags.append("references_misspelt")
    *triples, rest = _TRIPLE_END.split(text)
    found = [
        (*_sender_and_identifier(named), sent)
        for named, sent in zip(triples[::2], triples[1::2], strict=True)
    ]
    if rest.strip():
        flags.append("references_incomplete")
        found += [(*_sender_and_identifier(word.strip(",")), "") for word in rest.split()]
    return [
        {"sender": sender, "identifier": name, "sent": sent, "subject": (name,)}
        for sender, name, sent in found
        if name
    ]


def _sender_and_identifier(text: str) -> tuple[str, str]:
    sender, comma, identifier = text.partition(",")
    return (sender.strip(), identifier.strip()) if comma else ("", sender.strip())


def _lifecycle(kind: str, infos: list[dict[str, Any]], received_at: datetime) -> Lifecycle:
    if kind == "cancel" or not infos:
        return _LIFECYCLE[kind]
    if all(i["urgency"] == "Past" and "AllClear" in i["response_types"] for i in infos):
        return "ENDED"
    if all(i["expires_at"] is not None and i["expires_at"] < received_at for i in infos):
        return "EXPIRED"
    return _LIFECYCLE[kind]


def alert_severity(word: str) -> Severity:
    """The severity of CAP's word for it."""
    return _SEVERITY.get(word.lower(), "UNKNOWN")


def _gravest(infos: list[dict[str, Any]]) -> Severity:
    found = (alert_severity(info["severity"]) for info in infos)
    return max(found, key=_GRAVITY.index, default="UNKNOWN")


def _national_level(infos: list[dict[str, Any]]) -> str:
    """The disaster risk level (Decision 18/2021/QD-TTg) from the profile's parameters, as given."""
    for info in infos:
        for parameter in info["parameters"]:
            if any(name in _folded(parameter["name"]) for name in _LEVEL_NAMES):
                return str(parameter["value"])
    return ""


def _folded(text: str) -> str:
    """Letters only, without Vietnamese marks: `Cấp độ rủi ro` as `capdoruiro`."""
    letters = normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(c for c in letters if c.isalnum() and not combining(c))


def _position(areas: list[dict[str, Any]], flags: list[str]) -> Position | None:
    """The centre of the only circle; polygons and codes place an alert, but at no point."""
    for outline in (polygon for area in areas for polygon in area["polygons"]):
        lat, _, lon = outline.partition(" ")[0].partition(",")
        if read_degrees(lat, lon)[1] == "axes_swapped_suspect":
            flags.append("axes_swapped_suspect")
    circles = {circle for area in areas for circle in area["circles"]}
    if len(circles) != 1:
        return None
    centre, _, radius = circles.pop().partition(" ")
    lat, _, lon = centre.partition(",")
    try:
        accuracy_m = float(radius) * 1000.0
    except ValueError:
        accuracy_m = -1.0
    if not 0.0 <= accuracy_m < 2e7:
        flags.append("circle_invalid")
        return None
    position, more = read_position(lat, lon, accuracy_m=accuracy_m)
    flags.extend(more)
    return position


def _areas_reported(areas: list[dict[str, Any]], options: Options) -> tuple[Area, ...]:
    """The areas of all blocks, each once: its codes, or its description where it has none."""
    found: dict[tuple[str, str], Area] = {}
    for area in areas:
        name = " ".join(area["description"].split())
        for code in area["geocodes"]:
            scheme = code["name"] or options.area_scheme
            key = (scheme, code["value"])
            found.setdefault(key, Area(scheme=scheme, code=code["value"], name=name))
        if not area["geocodes"] and name:
            found.setdefault(("", name), Area(scheme="", code="", name=name))
    return tuple(found.values())
