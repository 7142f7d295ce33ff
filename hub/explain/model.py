"""What an explanation says of an event's way, step by step: plain values, the same for `--json`.

Restricted fields never get in here: only the names of those that an event holds or a view withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from hub.codec import from_micros

__all__ = [
    "Check",
    "Decision",
    "Explanation",
    "Letter",
    "Parse",
    "Payload",
    "PayloadWay",
    "PlaceStep",
    "Searched",
    "Spot",
    "Subscriber",
    "Way",
    "appended_at",
    "as_object",
    "spot_of",
]


class Spot(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} offset {self.offset}"


def spot_of(message: Any) -> Spot:
    """Where a record that was read stands."""
    return Spot(message.topic(), message.partition(), message.offset())


def appended_at(message: Any) -> datetime:
    """When the broker appended it."""
    return from_micros(message.timestamp()[1] * 1000)


@dataclass(slots=True)
class Check:
    """What running a step again says of what is there.

    `not proven` and `not run` are no contradiction: what they would need is not there, and `why`
    says so.
    """

    result: Literal["same bytes", "same decision", "DIFFERS", "not proven", "not run"]
    why: str = ""
    fields: list[str] = field(default_factory=list)
    """Names of the fields that differ."""


@dataclass(slots=True)
class Payload:
    """The payload an event was read from, or, without `appended_at`, why it is not there."""

    spot: Spot
    sha256: str
    source_id: str = ""
    transport: str = ""
    content_type: str = ""
    payload_id: str = ""
    received_at: datetime | None = None
    appended_at: datetime | None = None
    size_bytes: int | None = None
    bytes_in: str = ""
    missing: str = ""


@dataclass(slots=True)
class Parse:
    """What normalise made of the payload, by which parser, and whether it still does."""

    outcome: str
    connector: str = ""
    version: str = ""
    version_now: str = ""
    index: int | None = None
    slot: str = ""
    written_at: datetime | None = None
    check: Check | None = None
    why: str = ""


@dataclass(slots=True)
class Decision:
    """What process decided, and because of which other event."""

    outcome: str
    because: str = ""
    other: dict[str, Any] | None = None
    """The event that decided it: event_id, spot, appended_at."""
    slot: str = ""
    written_at: datetime | None = None
    check: Check | None = None


@dataclass(slots=True)
class PlaceStep:
    """The device, by the register at the event's time."""

    device_ref: str
    device_id: str = ""
    name: str = ""
    valid_from: datetime | None = None
    entered_at: datetime | None = None
    """When that entry was written to the register."""
    resolution: str = ""
    areas: list[str] = field(default_factory=list)
    road_id: str = ""
    junction_id: str = ""
    position_code: str = ""
    notes: list[str] = field(default_factory=list)
    """Why the road or the junction that the entry names has no id."""


@dataclass(slots=True)
class Subscriber:
    """A subscriber that got the event, or, without `spot`, why it did not."""

    subscriber: str
    spot: Spot | None = None
    appended_at: datetime | None = None
    processed_at: datetime | None = None
    slot: str = ""
    lifecycle: str = ""
    subject_id: bytes = b""
    rules: list[dict[str, Any]] = field(default_factory=list)
    recipients: Sequence[str] = ()
    reports: int = 1
    """How many reports of its source the record stands for."""
    withheld: list[str] = field(default_factory=list)
    rights: list[dict[str, Any]] = field(default_factory=list)
    """Those that gave it, as `hub.rights.as_dict` has them."""
    check: Check | None = None
    why: str = ""


@dataclass(slots=True)
class Letter:
    """A dead letter: what was refused, why, and how to mend it."""

    dead_id: bytes
    stage: str
    code: str
    message: str
    path: str
    fix: str
    failed_at: datetime
    component: str
    refused: Spot
    index: int | None
    last_index: int | None
    """Of a run of parts that share it, the last one's place."""
    sha256: str

    def covers(self, index: int | None) -> bool:
        """Whether it is about this place of the payload."""
        if index is None or self.index is None or self.last_index is None:
            return index == self.index
        return self.index <= index <= self.last_index


@dataclass(slots=True)
class Way:
    """One arrival of an event, from its payload to the subscribers."""

    event_id: bytes = b""
    subject_id: bytes = b""
    noun: str = ""
    header: dict[str, Any] = field(default_factory=dict)
    """Kind, lifecycle, status, severity and times as the source gave them."""
    holds: list[str] = field(default_factory=list)
    """Names of the restricted fields that it holds."""
    spot: Spot | None = None
    appended_at: datetime | None = None
    missing: str = ""
    """Why there is no canonical record (any more)."""
    payload: Payload | None = None
    parse: Parse | None = None
    decision: Decision | None = None
    place: PlaceStep | None = None
    dropped_by: list[str] = field(default_factory=list)
    subscribers: list[Subscriber] = field(default_factory=list)
    letter: Letter | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Searched:
    """What was searched: for an answer that says "it is not there"."""

    topics: list[str]
    since: datetime | None
    until: datetime | None
    records: int = 0
    kept_from: datetime | None = None
    """Earlier records have expired; None when everything is still there."""


@dataclass(slots=True)
class Explanation:
    """The answer to one question."""

    asked: dict[str, Any]
    ways: list[Way] = field(default_factory=list)
    others: list[Way] = field(default_factory=list)
    """Other events of the subject, when the event's id is also that of a subject."""
    payloads: list["PayloadWay"] = field(default_factory=list)
    searched: list[Searched] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: int = 0
    """Older events of the subject that are not told."""

    @property
    def found(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.ways or self.payloads)

    @property
    def consistent(self) -> bool:
        """Whether it was found, and every step agrees with what is there."""
        return self.found and not self.all_problems()

    def all_problems(self) -> list[str]:
        """What does not fit together, each once."""
        parts = [self.problems]
        parts += [each.problems for each in (*self.ways, *self.others)]
        for payload in self.payloads:
            parts += [payload.problems, *(each.problems for each in payload.events)]
        return list(dict.fromkeys(text for part in parts for text in part))


@dataclass(slots=True)
class PayloadWay:
    """One arrival of a payload, and everything it gave."""

    payload: Payload
    parse: Parse
    events: list[Way] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    mended: list[int | None] = field(default_factory=list)
    """Places of refused parts that the current parser reads."""
    problems: list[str] = field(default_factory=list)


def as_object(told: Explanation) -> dict[str, Any]:
    """The answer as one object for `--json`, with its verdict."""
    return {
        **_plain(told),
        "found": told.found,
        "consistent": told.consistent,
        "problems": told.all_problems(),
    }


def _plain(value: Any) -> Any:
    """Dataclasses and spots as dictionaries; the rest is left to `hub.render`."""
    if isinstance(value, Spot):
        return value._asdict()
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
