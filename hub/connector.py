"""What an integrator writes: a pure function from a payload to events.

A connector module has three names: an `Options` class (or `Options` itself), `parse`, and
`connector`. `parse` knows no Kafka, no socket, no clock and no secret; it reads bytes and yields
outcomes. The engine gives every event its ids, its header and its place in a transaction.

    def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
        yield Event(noun="detection", device_ref="cam-7", kind="vehicle.stopped", ...)

    connector = Connector(name="my_device", title="My device, JSON push", parse=parse,
                          emits=("detection",), identity={"detection": ("body.rule",)})
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hub.errors import PayloadError

__all__ = [
    "Area",
    "Connector",
    "Event",
    "Inner",
    "Lifecycle",
    "Nothing",
    "Noun",
    "Options",
    "Outcome",
    "Payload",
    "Picture",
    "Piece",
    "Position",
    "Rejection",
    "Severity",
    "Split",
    "Splitting",
    "Status",
    "TimeQuality",
]

Noun = Literal[
    "plate_read",
    "detection",
    "violation",
    "health",
    "signal_state",
    "measurement",
    "sign_message",
    "situation",
    "alert",
]
Lifecycle = Literal["UNKNOWN", "NEW", "UPDATED", "ENDED", "CANCELLED", "EXPIRED", "VANISHED"]
Status = Literal["UNKNOWN", "LIVE", "TEST", "EXERCISE", "SYSTEM"]
Severity = Literal["UNKNOWN", "INFO", "MINOR", "MODERATE", "SEVERE", "EXTREME"]
TimeQuality = Literal["UNKNOWN", "DEVICE", "ASSUMED_ZONE", "SUSPECT", "RECEIVED"]


class Options(BaseModel):
    """What `hub.toml` may say of a source to its connector; subclass it to add settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = Field(
        default="Asia/Ho_Chi_Minh",
        description="IANA time zone of stamps without an offset",
    )
    area_scheme: str = Field(
        default="",
        description="Scheme of bare area codes (`nso-2025-07`, `nso-2024`); empty: not declared",
    )
    clock_tolerance_s: int = Field(
        default=86_400,
        ge=1,
        description="Seconds a stamp may be away from the time of receipt before it is SUSPECT; "
        "replayed payloads may be 72 h older",
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no IANA time zone such as Asia/Ho_Chi_Minh") from error
        return value

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone as an object."""
        return ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The bytes as the source sent them, and what the transport knows of them."""

    body: bytes
    content_type: str = ""
    received_at: datetime
    source_id: str = ""
    payload_id: str = ""
    transport: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    """`mqtt_topic`, `path`, `header.<name>` (lower case): see the raw topics' `meta.*` headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where an event happened: WGS 84 degrees, accuracy in metres, and how it is known."""

    lat: float
    lon: float
    accuracy_m: float | None = None
    method: str = "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area as the source names it; never translated here."""

    scheme: str
    code: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture taken out of a payload; the engine stores it and puts its SHA-256 in the event.

    `role` says what it shows: `plate`, `vehicle`, `scene`. Crops of a driver's or any person's
    face must not be yielded: drop them and flag `person_picture_dropped`.
    """

    role: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact found in a payload, before the engine gives it ids and a header.

    `subject` names the thing reported, equal for all its updates, its end and its cancel (a
    situation's record id, an intersection); empty for occurrences, which are their own subject.
    `body` and `restricted` follow the noun's schema (`schemas/models.py`). `native_id` must not
    hold a plate or a person.
    """

    noun: Noun
    kind: str
    device_ref: str = ""
    subject: tuple[str, ...] = ()
    native_id: str | None = None
    native_version: str | None = None
    version_at: datetime | None = None
    observed_at: datetime | None = None
    published_at: datetime | None = None
    time_quality: TimeQuality = "UNKNOWN"
    lifecycle: Lifecycle = "UNKNOWN"
    status: Status = "LIVE"
    severity: Severity = "UNKNOWN"
    replayed: bool = False
    position: Position | None = None
    areas_reported: tuple[Area, ...] = ()
    drill_id: str | None = None
    quality_flags: tuple[str, ...] = ()
    body: Mapping[str, Any]
    restricted: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A part of a payload that can't become an event; its neighbours still do.

    `code` groups (short, kebab-case), `path` names the field (`situation[0]/@id`), `fix` says what
    to change at the source or in its options.
    """

    code: str
    message: str
    path: str = ""
    fix: str = ""

    @classmethod
    def of(cls, error: PayloadError, *, path: str = "") -> Self:
        """The refusal that an error tells of; `path` in place of its own, where given."""
        return cls(code=error.code, message=error.what, path=path or error.path, fix=error.fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A payload, or a part of one, that rightly gives no event: a heartbeat, an all clear.

    `published_at` of an all clear: when the source published it, as its events would say.
    """

    why: str
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A payload inside a payload, and the connector that reads it: what an envelope format yields.

    The engine hands it on, at most three deep. Its events get their ids, and its refusals their
    name, from that connector. `payload_id` names what was wrapped, not the wrapping, so that what
    is wrapped again is the same. `observed_at` is for events that tell no time of their own.
    """

    connector: "Connector"
    options: Options
    payload: Payload
    path: str = ""
    """Where it stands in the payload around it; begins the paths of its refusals."""
    observed_at: datetime | None = None
    time_quality: TimeQuality = "UNKNOWN"
    quality_flags: tuple[str, ...] = ()
    """Of `observed_at`, on the events that take it."""


Outcome = Event | Rejection | Nothing | Inner
Parse = Callable[[Payload, Any], Iterable[Outcome]]


class Piece(NamedTuple):
    """One payload of an endless stream."""

    body: bytes
    content_type: str = ""


class Splitting(Protocol):
    """Cuts one endless stream into payloads; pure, and bounded by what it was given.

    How the bytes are cut into chunks never changes the pieces. `PayloadError` when a piece is
    larger than is allowed: the stream can't go on.
    """

    @property
    def buffered(self) -> int:
        """Bytes it holds on to."""
        ...

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that these bytes complete."""
        ...

    def pause(self) -> list[Piece]:
        """No byte came for a moment: the pieces that look whole, for which it would have waited."""
        ...

    def close(self) -> list[Piece]:
        """The stream has ended: the pieces that are whole; what is half is left out."""
        ...


Split = Callable[[str, int], Splitting]
"""Made for the content type that a stream announces, and the largest payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One kind of source: its name, what it emits and the function that reads it.

    `identity` lists, per noun, the dotted paths (`body.lane`, `restricted.plate.raw`) whose values
    enter the `event_id` beside the header's identity fields. The list is frozen once released:
    changing it is a breaking change, because the same payload would get another id.

    A connector that only hands on (`Inner`) emits nothing itself: both are empty.

    Three pure functions look at bytes before they are parsed: `shard` names what a payload's order
    depends on, `split` cuts an endless stream into payloads, and `cursor` says from an answer what
    a poll asks for next (`{cursor}` in its request; empty: the same again).
    """

    name: str
    title: str
    parse: Parse
    emits: tuple[Noun, ...]
    identity: Mapping[str, tuple[str, ...]]
    version: str = "1"
    options: type[Options] = Options
    lane: Literal["bulk", "urgent"] = "bulk"
    transports: tuple[str, ...] = ("http_push", "drop_folder")
    """Kinds of transport that its payloads come by; said to people, not enforced."""
    headers: tuple[str, ...] = ()
    """Headers of a request, in lower case, that it reads: they are kept, as `header.<name>`."""
    example_options: Mapping[str, Any] = field(default_factory=dict)
    """What an example entry of a source sets, where the defaults do not do."""
    shard: Callable[[bytes], str] | None = None
    split: Split | None = None
    cursor: Callable[[bytes], str] | None = None

    def __post_init__(self) -> None:
        missing = set(self.emits) ^ set(self.identity)
        if missing:
            raise ValueError(f"connector {self.name}: identity and emits differ in {missing}")

    @property
    def may_emit(self) -> tuple[Noun, ...]:
        """The nouns of the events it can lead to: any, where it only hands on."""
        return self.emits or get_args(Noun)
