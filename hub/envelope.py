"""From a connector's outcomes to canonical records: ids, header, key, bytes. Pure.

The normalise stage, `hub connector try` and replays all go through here, so they agree to the byte.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import schemas
from hub.codec import EARLIEST_US, LATEST_US, Cut, EventCodec, micros
from hub.connector import Connector, Event, Inner, Nothing, Options, Payload, Rejection
from hub.defects import wrong_field
from hub.defence import Defence
from hub.errors import HubError, PayloadError, RecordError
from hub.identity import Identity, record_key
from hub.likeness import HEADER as LIKE
from hub.likeness import Likeness, likeness

__all__ = [
    "LIFE",
    "LISTED",
    "Canonical",
    "Envelope",
    "InnerRejection",
    "RawRef",
    "Result",
    "Withheld",
    "raw_topic",
    "received_of",
]

LIFE, LISTED = "life", "listed"
"""Headers of a canonical record: why its id is another one, and that its source lists all."""

_DEPTH_MAX = 3  # payloads inside payloads
_INNER_MAX = 64  # envelopes kept for connectors that payloads are handed on to


def raw_topic(connector: str, lane: str) -> str:
    """Topic of a connector's payloads in a lane."""
    return f"raw.{connector}.urgent.v1" if lane == "urgent" else f"raw.{connector}.v1"


def received_of(headers: Mapping[str, bytes | None]) -> datetime | None:
    """When a raw record says it was received (UTC unless it says so), None when it does not."""
    try:
        at = datetime.fromisoformat((headers.get("received_at") or b"").decode())
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at if EARLIEST_US <= micros(at) <= LATEST_US else None


@dataclass(frozen=True, slots=True)
class RawRef:
    """Where a payload stands; topic and offset are None in a dry run."""

    sha256: bytes
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Canonical:
    """One canonical record, ready to be written."""

    noun: str
    topic: str
    key: bytes
    value: bytes
    cut: Cut
    like: Likeness | None = None
    life: bytes = b""
    """Why it has another id than the source's words give it: see `hub/snapshots.py`."""
    listed: bool = False  # in a full snapshot
    published_us: int = 0  # 0: the source does not say

    @property
    def headers(self) -> list[tuple[str, str | bytes | None]]:
        """The record's Kafka headers: what process needs of it without decoding."""
        headers: list[tuple[str, str | bytes | None]] = [("cut", self.cut.pack())]
        if self.like is not None:
            headers.append((LIKE, self.like.pack()))
        if self.life:
            headers.append((LIFE, self.life))
        if self.listed:
            headers.append((LISTED, b""))
        return headers


@dataclass(frozen=True, slots=True)
class Withheld:
    """An event of defence, of which nothing is kept or told but that there was one."""

    why: str = "it is withheld: its device or source is one of defence"


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerRejection(Rejection):
    """A refusal by the connector that a payload was handed on to."""

    component: str
    component_version: str


class _Read(NamedTuple):
    """An outcome that is not handed on, by whom it was read, of what, and its place in that."""

    reader: "Envelope"
    payload: Payload
    place: int
    outcome: Event | Rejection | Nothing
    inner: Inner | None = None


Result = Canonical | Rejection | Nothing | Withheld
# Stores a picture and returns its SHA-256; a dry run only hashes.
StorePicture = Callable[[bytes], bytes]


def hash_only(data: bytes) -> bytes:
    """SHA-256 of a picture that is not kept."""
    return hashlib.sha256(data).digest()


class Envelope:
    """Wraps the events of one source.

    `codecs` encodes each noun with the schema id the registry gave; `store` keeps pictures.
    `defence` knows the devices whose events are withheld, before anything of them is kept.
    """

    def __init__(
        self,
        connector: Connector,
        options: Options,
        source_id: str,
        *,
        key: bytes,
        codecs: Mapping[str, EventCodec],
        store: StorePicture = hash_only,
        defence: Defence | None = None,
    ) -> None:
        self._connector = connector
        self._options = options
        self._source_id = source_id
        self._key = key
        self._identity = Identity(key, connector, source_id)
        self._codecs = codecs
        self._store = store
        self._defence = Defence() if defence is None else defence
        self._inner: dict[tuple[str, int], Envelope] = {}

    def results(self, payload: Payload, raw: RawRef) -> Iterator[Result]:
        """Every outcome of a payload, in order; a bad one never hides its neighbours.

        Raises nothing a payload could cause: a parser that fails gives a `Rejection`.
        """
        for index, read in enumerate(self._read(payload, None, 0)):
            outcome = read.outcome
            if isinstance(outcome, Event):
                yield read.reader._found(outcome, read, raw, index)  # noqa: SLF001 - one of these
            elif isinstance(outcome, Rejection | Nothing):
                yield outcome
            else:  # whatever a connector's types promise
                what = f"it yields a {type(outcome).__name__}"  # type: ignore[unreachable]
                yield read.reader._defect(what)  # noqa: SLF001

    def _read(self, payload: Payload, inner: Inner | None, depth: int) -> Iterator[_Read]:
        """Every outcome of a payload and of what it hands on; a reading without one is nothing."""
        place = 0
        for outcome in self._parsed(payload):
            if isinstance(outcome, Inner):
                around = outcome if inner is None else _within(outcome, inner)
                yield from self._handed_on(around, payload, place, depth + 1)
            elif isinstance(outcome, Rejection) and inner is not None:
                yield _Read(self, payload, place, self._named(outcome, inner))
            else:
                yield _Read(self, payload, place, outcome, inner)
            place += 1
        if not place:
            yield _Read(self, payload, 0, Nothing(why="the payload holds no record"))

    def _handed_on(self, inner: Inner, payload: Payload, place: int, depth: int) -> Iterator[_Read]:
        if depth > _DEPTH_MAX:
            why = Rejection(
                code="too-deep",
                message=f"payloads inside payloads more than {_DEPTH_MAX} deep",
                path=inner.path,
                fix="name in the source's options a connector that reads the innermost itself",
            )
            yield _Read(self, payload, place, why)
            return
        name = (inner.connector.name, id(inner.options))
        known = self._inner.get(name)
        if known is None:
            if len(self._inner) >= _INNER_MAX:
                self._inner.clear()
            # It keeps the options alive, so that no others can have their id.
            known = self._inner[name] = Envelope(
                inner.connector,
                inner.options,
                self._source_id,
                key=self._key,
                codecs=self._codecs,
                store=self._store,
                defence=self._defence,
            )
        yield from known._read(inner.payload, inner, depth)

    def _named(self, why: Rejection, inner: Inner) -> InnerRejection:
        return InnerRejection(
            code=why.code,
            message=why.message,
            path=_joined(inner.path, why.path),
            fix=why.fix,
            component=self._connector.name,
            component_version=self._connector.version,
        )

    def _parsed(self, payload: Payload) -> Iterator[Event | Rejection | Nothing | Inner]:
        try:
            yield from self._connector.parse(payload, self._options)
        except PayloadError as error:
            yield Rejection.of(error)
        except Exception as error:  # noqa: BLE001 - a parser's defect must not stop its neighbours
            yield self._defect(type(error).__name__)

    def _defect(self, what: str, path: str = "") -> Rejection:
        return Rejection(
            code="parser-defect",
            message=f"connector {self._connector.name}: {what}",
            path=path,
            fix="report it with this payload; replay the dead letter after the fix",
        )

    def _found(self, event: Event, read: _Read, raw: RawRef, index: int) -> Result:
        try:
            return self._kept(event, read, raw, index)
        except (HubError, OSError):
            raise  # of the evidence store, say: not the event's fault
        except Exception as error:  # noqa: BLE001 - nor must an event that can't be written
            path, what = wrong_field(event) or ("", type(error).__name__)
            return self._defect(f"an event that can't be written: {what}", path)

    def _kept(self, event: Event, read: _Read, raw: RawRef, index: int) -> Result:
        told, inner = event, read.inner
        if inner is not None and inner.observed_at is not None and event.observed_at is None:
            event = replace(
                event,
                observed_at=inner.observed_at,
                time_quality=inner.time_quality,
                quality_flags=(
                    *(flag for flag in event.quality_flags if flag != "time_missing"),
                    *inner.quality_flags,
                ),
            )
        is_of_defence = self._defence.reported(
            self._source_id,
            event.device_ref,
            observed_at=event.observed_at,
            time_quality=event.time_quality,
            received_at=read.payload.received_at,
        )
        return Withheld() if is_of_defence else self._canonical(event, told, read, raw, index)

    def _canonical(
        self, event: Event, told: Event, read: _Read, raw: RawRef, index: int
    ) -> Canonical | Rejection:
        """The record of an event; its ids are of what was `told`, by the connector that read it."""
        noun = schemas.nouns().get(event.noun)
        if noun is None or event.noun not in self._connector.emits:
            return Rejection(
                code="undeclared-noun",
                message=f"connector {self._connector.name} does not declare {event.noun!r}",
                fix="add it to `emits` and `identity`",
            )
        payload = read.payload
        event_id = self._identity.event(told, payload_id=payload.payload_id, index=read.place)
        try:
            value, cut = self._codecs[event.noun].encode(
                self._header(event, event_id, payload, raw, index),
                self._restricted(event),
                self._body(event),
            )
        except RecordError as error:
            path, what = wrong_field(event) or ("", error.what)
            return Rejection(code=error.code, message=what, path=path, fix=error.fix)
        ref = {"situation": event.native_id or "", "alert": None}.get(event.noun, event.device_ref)
        return Canonical(
            event.noun,
            noun.topic,
            record_key(self._source_id, ref),
            value,
            cut,
            likeness(event, self._source_id, payload.received_at, self._key),
            published_us=micros(event.published_at) if event.published_at else 0,
        )

    def _header(
        self, event: Event, event_id: bytes, payload: Payload, raw: RawRef, index: int
    ) -> dict[str, Any]:
        position = event.position
        return {
            "event_id": event_id,
            "subject_id": (
                self._identity.subject(event.noun, event.subject) if event.subject else event_id
            ),
            "lifecycle": event.lifecycle,
            "status": event.status,
            "severity": event.severity,
            "time_quality": event.time_quality,
            "replayed": event.replayed,
            "received_at": payload.received_at,
            "observed_at": event.observed_at,
            "published_at": event.published_at,
            "source_id": self._source_id,
            "device_ref": event.device_ref,
            "kind": event.kind,
            "native_id": event.native_id,
            "native_version": event.native_version,
            "position": position
            and {
                "lat": position.lat,
                "lon": position.lon,
                "accuracy_m": position.accuracy_m,
                "method": position.method,
            },
            "areas_reported": [
                {"scheme": area.scheme, "code": area.code, "name": area.name}
                for area in event.areas_reported
            ],
            "drill_id": event.drill_id,
            "quality_flags": event.quality_flags,
            "origin": {
                "topic": raw.topic,
                "partition": raw.partition,
                "offset": raw.offset,
                "index": index,
                "sha256": raw.sha256,
                "connector": self._connector.name,
                "connector_version": self._connector.version,
            },
        }

    def _restricted(self, event: Event) -> Mapping[str, Any]:
        if not event.pictures:
            return event.restricted
        return {
            **event.restricted,
            "pictures": [
                {
                    "sha256": self._store(picture.data),
                    "role": picture.role,
                    "size_bytes": len(picture.data),
                    "content_type": picture.content_type,
                }
                for picture in event.pictures
            ],
        }

    def _body(self, event: Event) -> Mapping[str, Any]:
        """The body, with the subjects of referenced messages as ids."""
        references = event.body.get("references")
        if not references:
            return event.body
        return {
            **event.body,
            "references": [
                {
                    **{name: value for name, value in each.items() if name != "subject"},
                    "subject_id": self._identity.subject(event.noun, tuple(each["subject"])),
                }
                for each in references
            ],
        }


def _within(inner: Inner, around: Inner) -> Inner:
    """What is handed on a second time, with the place and the time of what is around it."""
    path = _joined(around.path, inner.path)
    if inner.observed_at is not None:
        return replace(inner, path=path)
    return replace(
        inner,
        path=path,
        observed_at=around.observed_at,
        time_quality=around.time_quality,
        quality_flags=around.quality_flags,
    )


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
