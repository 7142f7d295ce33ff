"""Runs process again over the records of one key, in memory, and watches one of them.

A decision depends only on records of the same key in the same partition, on the register and on the
rules. So those records go through the very steps that the worker runs, in their order.
"""

import importlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import schemas
from hub.areas.resolve import Areas
from hub.areas.site import of_site
from hub.codec import (
    EVENT_ID,
    SUBJECT_ID,
    from_micros,
    micros,
    part_encoders,
)
from hub.config import Config
from hub.errors import RecordError
from hub.explain.logs import Logs
from hub.explain.model import Spot, appended_at, spot_of
from hub.explain.reasons import Registered, Rule, place_time
from hub.likeness import HEADER as LIKE
from hub.likeness import LIKENESS, Likeness
from hub.registry import Registry
from hub.schema_ids import SchemaIds, Versions

__all__ = ["Again", "Outcome", "Registers", "Seen", "without_hub"]

_FOREVER_US = 2**62
_NOBODY = {"processed_at": 0, "slot": ""}


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of the key, and what the steps made of it."""

    spot: Spot
    appended_at: datetime
    event_id: bytes
    subjects: frozenset[bytes]
    """Its own subject, those it refers to, and the one it was delivered under."""
    outcome: str
    version: tuple[int, int]
    """The source's time and version, which order states."""

    def named(self) -> dict[str, Any]:
        """Which record it is."""
        return {"event_id": self.event_id, "spot": self.spot, "appended_at": self.appended_at}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the steps make of the record that is asked for."""

    outcome: str
    emitted: Mapping[str, bytes]
    """Values by topic, without who wrote them and when."""
    refused: RecordError | None
    other: Seen | None
    """The record because of which it was not delivered as a new one."""
    thing: Any = None
    """What the reports that were merged have in common: `streams.merge.Thing`."""


@dataclass
class Registers:
    """Devices, places and rules with the times at which they were entered."""

    logs: Logs
    ids: SchemaIds
    _devices: list[tuple[datetime, bytes, Any]] = field(init=False)
    _rules: list[tuple[datetime, bytes, Any]] = field(init=False)
    _places: list[tuple[datetime, bytes, Any]] = field(init=False)
    _areas: Areas = field(init=False)

    def __post_init__(self) -> None:
        self._devices = self._read("device.v1")
        self._rules = self._read("route.v1")
        self._places = self._read("location.v1")
        self._areas = of_site(self.logs.config.data)

    def as_of(self, at: datetime | None) -> Registered:
        """Register and rules as they were entered by then (None: as they are now)."""
        register = importlib.import_module("streams.place").DeviceRegister(areas=self._areas)
        book = importlib.import_module("streams.route").RuleBook()
        rules: dict[bytes, Rule] = {}
        for key, entry, span in _entered(self._devices, at):
            register.put(key, entry, *span)
        for key, entry, span in _entered(self._places, at):
            register.locations.put(key, entry, *span)
        for key, entry, span in _entered(self._rules, at):
            book.put(key, entry, *span)
            rules.pop(key, None)
            if entry is not None:
                rules[key] = Rule(entry, *span)
        entered = {
            (entry["device_id"], micros(entry["valid_from"])): when
            for when, _, entry in self._devices
            if entry is not None and (at is None or when <= at)
        }
        return Registered(register, book, [rules[key] for key in sorted(rules)], entered)

    def _read(self, topic: str) -> list[tuple[datetime, bytes, Any]]:
        # Decoded as the worker does, so that nothing differs for that.
        decode = self.ids.decode
        return [
            (appended_at(each), each.key(), decode(topic, each.value()) if each.value() else None)
            for each in self.logs.history.read(self.logs.history.kept([topic]))
        ]


def _entered(
    records: Iterable[tuple[datetime, bytes, Any]], at: datetime | None
) -> Iterable[tuple[bytes, Any, tuple[int, int]]]:
    """Entries as the worker puts them into its registers."""
    for when, key, entry in records:
        if at is not None and when > at:
            continue
        if entry is None:
            yield key, None, (0, 1)
            continue
        from_us, until = micros(entry["valid_from"]), entry["valid_to"]
        to_us = _FOREVER_US if until is None else micros(until)
        yield key, {**entry, "valid_from": from_micros(from_us)}, (from_us, to_us)


class Again:
    """The steps of process, over the records of one key."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._versions = Versions(registry)
        self._nouns = config.nouns()
        self._key = config.site_key()

    def run(
        self, noun: str, messages: Iterable[Any], wanted: Collection[int], registered: Registered
    ) -> dict[int, Outcome]:
        """Outcomes of the wanted offsets; the messages are of one partition and one key."""
        spec = self._nouns[noun]
        steps = importlib.import_module("streams.process").Process(
            lane=spec.lane,
            slot="",
            key=self._key,
            register=registered.register,
            rules=registered.book,
            frames=self._versions.frames,
            recode=self._versions.recode,
            reader=self._versions.reader,
            nouns=self._nouns,
        )
        found: dict[int, Outcome] = {}
        seen: list[Seen] = []
        state = None
        for message in messages:
            if state is None:
                state = steps.open(message.topic(), message.partition())
            emitted, refused = _handle(steps, message)
            outcome = "dead" if refused else next((name for *_, name in state.tally.counts), "")
            record = self._seen(message, spec, outcome, next(iter(emitted.values()), None))
            if message.offset() in wanted:
                thing = _thing(state, message)
                found[message.offset()] = Outcome(
                    outcome,
                    {topic: without_hub(topic, value) for topic, value in emitted.items()},
                    refused,
                    _other(record, seen, thing, spec.family),
                    thing,
                )
            seen.append(record)
            # One transaction a record: the tally then holds this one alone.
            steps.commit()
        return found

    def _seen(
        self, message: Any, spec: schemas.NounSpec, outcome: str, emitted: bytes | None
    ) -> Seen:
        value = message.value() or b""
        subjects = {value[SUBJECT_ID]} | ({emitted[SUBJECT_ID]} if emitted else set())
        version = (0, 0)
        if spec.family == "state" and outcome != "dead":
            header, references = self._state_of(value, spec.name)
            subjects |= references
            version = _version(header)
        return Seen(
            spot_of(message),
            appended_at(message),
            value[EVENT_ID],
            frozenset(subjects),
            outcome,
            version,
        )

    def _state_of(self, value: bytes, noun: str) -> tuple[Mapping[str, Any], set[bytes]]:
        """Header of a state, and the subjects that an alert refers to."""
        if self._versions.frames(value[:5], noun) is None:
            value, _ = self._versions.recode(value, noun)
        reader = self._versions.reader(value[:5], noun)
        header = reader.header(value)
        if noun != "alert":
            return header, set()
        body = reader.body(value, reader.cut(value))
        return header, {each["subject_id"] for each in body["references"]}


def _handle(steps: Any, message: Any) -> tuple[dict[str, bytes], RecordError | None]:
    """What one record gives: values by topic, or why it is refused."""
    emitted: dict[str, bytes] = {}
    refused: list[RecordError] = []

    def emit(topic: str, value: bytes, _key: bytes) -> None:
        emitted[topic] = value

    steps.handle(
        message.topic(),
        message.partition(),
        [message],
        now_us=0,
        emit=emit,
        refuse=lambda _message, error: refused.append(error),
    )
    return emitted, refused[0] if refused else None


def without_hub(topic: str, value: bytes, hub: Mapping[str, Any] = _NOBODY) -> bytes:
    """A subscriber's record without its last part, which says who wrote it and when."""
    return value.removesuffix(_parts(topic)["hub"](hub))


@cache
def _parts(topic: str) -> Mapping[str, Callable[[Any], bytes]]:
    return part_encoders(schemas.built(topic))


def _version(header: Mapping[str, Any]) -> tuple[int, int]:
    """What orders two reports of a state, as the step that compares them reads it."""
    native = header["native_version"] or ""
    return place_time(header), int(native) if native.isdecimal() and len(native) < 19 else -1


def _thing(state: Any, message: Any) -> Any:
    """What the step that merges near duplicates remembers of this report, if it is such a one."""
    like = dict(message.headers() or ()).get(LIKE)
    merger = getattr(state, "merger", None)
    if merger is None or not like or len(like) != LIKENESS.size:
        return None
    return merger.thing(Likeness(*LIKENESS.unpack(like)), message.timestamp()[1])


def _other(record: Seen, seen: list[Seen], thing: Any, family: str) -> Seen | None:
    """The earlier record that decided this one: the newest that fits."""
    if record.outcome in ("delivered", "dropped") and thing is None:
        return None
    counted = [each for each in seen if each.outcome in ("delivered", "dropped", "merged")]
    same = [each for each in counted if each.event_id == record.event_id]
    if same and record.outcome == "duplicate":
        return same[-1]
    if thing is not None:
        if thing.subject == record.event_id:
            return None
        return next((each for each in counted if each.event_id == thing.subject), None)
    if family == "occurrence":
        return None
    subjects = _chain(record.subjects, seen)
    mine = [each for each in counted if each.subjects & subjects]
    if record.outcome == "superseded":
        return max(mine, key=lambda each: each.version, default=None)
    return next((each for each in reversed(mine) if each.outcome != "merged"), None)


def _chain(subjects: Collection[bytes], seen: Iterable[Seen]) -> set[bytes]:
    """All subjects of a chain of messages, each of which names others."""
    known, before = set(subjects), -1
    records = list(seen)
    while len(known) != before:
        before = len(known)
        for each in records:
            if each.subjects & known:
                known |= each.subjects
    return known
