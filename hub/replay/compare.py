"""Holds what the connectors find now against what stands on the canonical topics."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.codec import EVENT_ID, LIFECYCLE, SUBJECT_ID, VARIABLE, micros, read_long
from hub.envelope import LIFE, Canonical
from hub.errors import ConfigError, RecordError
from hub.identity import record_key
from hub.kafka.history import History, Stretch
from hub.registry import Registry
from hub.replay.letters import Spot
from hub.replay.span import Found, Span
from hub.snapshots import VANISHED
from hub.tables import Decoder

__all__ = ["Comparison", "Old", "compare"]

# Bounds the memory: about 150 bytes an event.
_EVENTS_MAX = 3_000_000
# How far the clocks of brokers and of ingest may be apart.
_SKEW_MS = 60_000


class Old(NamedTuple):
    """An event that the connectors no longer find where they once found it."""

    noun: str
    event_id: bytes
    subject_id: bytes


@dataclass(slots=True)
class Comparison:
    """Distinct events by noun: the same as then, new ones, and those that are missing now."""

    payloads: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Parts of payloads that are refused, by code."""
    found: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    missing: dict[tuple[Spot, int], Old] = field(default_factory=dict)
    """By the place of their payload and their place in it."""
    _there: dict[bytes, bool] = field(default_factory=dict)

    def count(self, found: Found) -> None:
        """Count a payload."""
        self.payloads += 1
        self.refused.update(each.code for each in found.refused)

    def enter(self, event: Canonical) -> bool:
        """Note an event that is found now; whether it is the first time."""
        id_ = event.value[EVENT_ID]
        if id_ in self._there:
            return False
        if len(self._there) == _EVENTS_MAX:
            raise ConfigError(
                f"the range holds more than {_EVENTS_MAX:,} events",
                where="--to",
                fix="take a shorter range; several in a row give the same",
            )
        self._there[id_] = False
        self.found[event.noun] += 1
        return True

    def is_new(self, event: Canonical) -> bool:
        """Whether the canonical topics do not hold the event."""
        return not self._there[event.value[EVENT_ID]]

    def knows(self, id_: bytes) -> bool:
        """Whether the event is found now."""
        return id_ in self._there

    def hold(self, noun: str, id_: bytes) -> None:
        """Note that a canonical topic holds an event that is found now."""
        if not self._there[id_]:
            self._there[id_] = True
            self.same[noun] += 1

    def totals(self) -> dict[str, dict[str, int]]:
        """The three sums by noun."""
        gone = Counter({old.event_id: old.noun for old in self.missing.values()}.values())
        return {
            noun: {
                "same": self.same[noun],
                "new": self.found[noun] - self.same[noun],
                "missing": gone[noun],
            }
            for noun in sorted(self.found.keys() | gone.keys())
        }


def compare(
    comparison: Comparison,
    history: History,
    registry: Registry,
    span: Span,
    stretches: Iterable[Stretch],
) -> None:
    """Read the source's events from the canonical topics, from the range's beginning to the end.

    All that came later is looked at, as an event may have been sent once more at any time. Nothing
    is decoded but events that were read from the range and are not found any more.
    """
    decoder = Decoder(registry)
    ranges = {(each.topic, each.partition): each for each in stretches}
    nouns = {noun.topic: noun.name for noun in span.nouns}
    source = record_key(span.source, None)
    latest_us = micros(span.until) + _SKEW_MS * 1000
    stretch = history.between(list(nouns), span.since_ms - _SKEW_MS)
    for message in history.read(stretch):
        value: bytes = message.value() or b""
        if (message.key() or b"").split(b"/")[0] != source or len(value) <= VARIABLE:
            continue
        noun, id_ = nouns[message.topic()], _told_id(message, value)
        if comparison.knows(id_):
            comparison.hold(noun, id_)
        elif value[LIFECYCLE] != VANISHED and _received_us(value) < latest_us:
            place = _origin(decoder, value, ranges)
            if place is not None:
                comparison.missing[place] = Old(noun, id_, value[SUBJECT_ID])


def _told_id(message: Any, value: bytes) -> bytes:
    """The id that the source's words give: an event of a later life has another."""
    life = next((data for name, data in message.headers() or () if name == LIFE), None)
    return life[:16] if life else value[EVENT_ID]


def _received_us(value: bytes) -> int:
    try:
        return read_long(value, VARIABLE)[0]
    except (IndexError, ValueError):
        return 0


def _origin(
    decoder: Decoder, value: bytes, ranges: Mapping[tuple[str, int], Stretch]
) -> tuple[Spot, int] | None:
    """Where an event was read from, when that is in the range."""
    try:
        origin: Mapping[str, Any] = decoder.decode(value)["header"]["origin"]
    except (RecordError, KeyError):
        return None
    stretch = ranges.get((origin["topic"], origin["partition"]))
    if stretch is None or not stretch.first <= origin["offset"] < stretch.end:
        return None
    return Spot(origin["topic"], origin["partition"], origin["offset"]), origin["index"]
