"""One situation record of DATEX II as an event."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors._formats.contacts import without_contacts
from connectors._formats.fitting import fitted
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp, read_stamp
from connectors._formats.xml import Node
from connectors.datex2.location import read_location
from hub.connector import Event, Lifecycle, Options, Payload, Severity, Status

__all__ = ["STATUS", "Context", "number_of", "read_record", "version_stamp"]

STATUS: Final[dict[str, Status]] = {
    "": "LIVE",
    "real": "LIVE",
    "test": "TEST",
    "exercise": "EXERCISE",
    "securityExercise": "EXERCISE",
    "technicalExercise": "EXERCISE",
}
_SEVERITY: Final[dict[str, Severity]] = {
    "none": "INFO",
    "lowest": "INFO",
    "low": "MINOR",
    "medium": "MODERATE",
    "high": "SEVERE",
    "highest": "EXTREME",
}
_MANAGED: Final[dict[str, Lifecycle]] = {
    "cancel": "CANCELLED",
    "cancelled": "CANCELLED",
    "cancellation": "CANCELLED",
    "withdrawn": "CANCELLED",
    "close": "ENDED",
    "closed": "ENDED",
    "end": "ENDED",
    "ended": "ENDED",
}
_SETTING: Final = frozenset({"causeType", "commentType", "sourceType", "actionOriginType"})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_ALWAYS_OK_S: Final = 10**10
_STAMPS_MAX: Final = 10_000
_TEXT_MAX: Final = 20_000
_WHOLE: Final = frozenset(
    {"situation_ref", "record_ref", "record_type", "points", "location_codes"}
)


@dataclass(slots=True)
class Context:
    """What a record takes from its publication and its payload."""

    publication: Node
    payload: Payload
    options: Options
    language: str = ""
    published_at: datetime | None = None
    _stamps: dict[tuple[str, bool], Stamp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.language = self.publication.attr("lang")
        self.published_at = self.stamp(self.publication.value("publicationTime")).at

    def stamp(self, text: str, *, is_recent: bool = False) -> Stamp:
        """A time of the document, read once; works may have begun years ago, so late is well.

        What tells of now `is_recent`: late is then as doubtful as the source's options say.
        """
        stamp = self._stamps.get((text, is_recent))
        if stamp is None:
            if len(self._stamps) >= _STAMPS_MAX:
                self._stamps.clear()
            stamp = self._stamps[text, is_recent] = read_stamp(
                text,
                received_at=self.payload.received_at,
                options=self.options,
                replayed=not is_recent,
                late_ok_s=_ALWAYS_OK_S,
            )
        return stamp


def number_of(version: str) -> int | None:
    """A version as a number, so that 61 is newer than 9; None when it is none."""
    return int(version) if _NUMBER.fullmatch(version) else None


def version_stamp(record: Node, situation: Node, context: Context) -> Stamp:
    """When this version of the record, or else of its situation, was made."""
    text = record.value("situationRecordVersionTime") or situation.value("situationVersionTime")
    return context.stamp(text)


def read_record(situation: Node, record: Node, context: Context) -> Event:
    """The event of one record."""
    flags: list[str] = []
    version = version_stamp(record, situation, context)
    if version.at is None:
        flags.append("version_time_missing")
    # A record tells the state of a situation: its time is its version's, which orders updates.
    observed = version
    if observed.at is None:
        observed = context.stamp(record.value("situationRecordObservationTime"))
    flags.extend(observed.flags if observed.at is not None else ())
    information = situation.value("headerInformation/informationStatus")
    if information not in STATUS:
        flags.append("information_status_unknown")
    location = read_location(record)
    body = _body(situation, record, context, flags) | {
        "road": clean(location.road),
        "direction": location.direction,
        "lanes": location.lanes,
        "points": location.points,
        "location_codes": location.codes,
    }
    body = fitted(body, location.flags, whole=_WHOLE)
    native_version = record.attr("version") or situation.attr("version") or None
    return Event(
        noun="situation",
        kind=f"road.{snake(body['record_type']) or 'situation'}",
        subject=(body["situation_ref"], body["record_ref"]),
        native_id=f"{body['situation_ref']}/{body['record_ref']}",
        native_version=native_version,
        version_at=version.at,
        observed_at=observed.at,
        published_at=context.published_at,
        time_quality=observed.quality,
        lifecycle=_lifecycle(situation, record, body, context),
        status=STATUS.get(information, "UNKNOWN"),
        severity=_severity(situation, record),
        position=location.position,
        quality_flags=tuple(dict.fromkeys([*flags, *location.flags])),
        body=body,
    )


def _body(situation: Node, record: Node, context: Context, flags: list[str]) -> dict[str, Any]:
    validity = "validity/validityTimeSpecification/"
    times = {
        "valid_from": record.value(f"{validity}overallStartTime"),
        "valid_to": record.value(f"{validity}overallEndTime"),
    }
    body: dict[str, Any] = {}
    for name, text in times.items():
        body[name] = context.stamp(text).at if text else None
        flags.extend([f"{name}_unreadable"] if text and body[name] is None else [])
    record_type = record.type_name
    if not record_type:
        flags.append("record_type_missing")
    header = situation.value("headerInformation/confidentiality")
    return body | {
        "situation_ref": situation.attr("id"),
        "record_ref": record.attr("id"),
        "record_type": record_type,
        "detail": _detail(record, record_type),
        "validity_status": record.value("validity/validityStatus"),
        "probability": record.value("probabilityOfOccurrence"),
        "texts": _texts(record, context, flags),
        "impact": record.value("impact/trafficConstrictionType"),
        "speed_limit_kmh": _speed(record.value("temporarySpeedLimit"), flags),
        "source_name": _source_name(record),
        "confidentiality": record.value("confidentialityOverride", header),
    }


def _detail(record: Node, record_type: str) -> str:
    """The sub-type: `accidentType` of an Accident, else the first element named like one."""
    own = record.findall(record_type[:1].lower() + record_type[1:] + "Type")
    if not own:
        named = (child for child in record.children if child.name.endswith("Type"))
        own = [child for child in named if child.name not in _SETTING][:1]
    return ",".join(node.text for node in own if node.text)


def _texts(record: Node, context: Context, flags: list[str]) -> list[dict[str, str]]:
    texts = []
    for comment in record.findall("generalPublicComment"):
        role = comment.value("commentType")
        values = comment.findall("comment/values/value") or comment.findall("comment/values")
        for value in values:
            told = clean(value.text)
            text, masked = without_contacts(told[:_TEXT_MAX])
            flags.extend(["text_cut"] if len(told) > _TEXT_MAX else [])
            flags.extend(["contact_masked"] if masked else [])
            if text:
                language = value.attr("lang") or context.language
                texts.append({"language": language, "text": text, "role": role})
    return texts


def _speed(text: str, flags: list[str]) -> float | None:
    if not text:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if 0.0 <= speed <= 300.0:
        return speed
    flags.append("speed_limit_invalid")
    return None


def _source_name(record: Node) -> str:
    """The organisation that reported; mail addresses and persons are never taken."""
    for path in ("source/sourceIdentification", "source/sourceName/values/value"):
        name = clean(record.value(path))
        if name and "@" not in name:
            return name
    return ""


def _severity(situation: Node, record: Node) -> Severity:
    word = record.value("severity") or situation.value("overallSeverity")
    return _SEVERITY.get(word, "UNKNOWN")


def _lifecycle(situation: Node, record: Node, body: dict[str, Any], context: Context) -> Lifecycle:
    """The end or the withdrawal, where it is stated; new and updated are for process to tell."""
    managed = record.find("management/lifeCycleManagement")
    if managed is not None and managed.value("cancel") in {"true", "1"}:
        return "CANCELLED"
    for node in (record, situation):
        for word in node.findall("informationManagement"):
            if word.text.lower() in _MANAGED:
                return _MANAGED[word.text.lower()]
    if managed is not None and managed.value("end") in {"true", "1"}:
        return "ENDED"
    now = context.published_at or context.payload.received_at
    if body["validity_status"] == "suspended":
        now = max(now, context.payload.received_at)
    if body["valid_to"] is not None and body["valid_to"] <= now:
        return "ENDED"
    return "UNKNOWN"
