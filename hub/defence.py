"""What is of national defence: the hub takes nothing of it, keeps nothing and tells nothing. Pure.

A source is of defence when its entry says so (`purpose = "defence"`), a device when the register's
entry that was true at the event's time does. The first is turned away at ingest, the second, behind
a feed that others share, at parse.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.codec import micros

__all__ = ["DEFENCE", "Defence", "is_defence"]

DEFENCE = "defence"
# As people may write it: what is meant must not pass for the way it is spelt.
_SPELLINGS = {DEFENCE, "defense", "quốc phòng", "quoc phong"}
_UNUSABLE = ("SUSPECT", "RECEIVED")
"""Qualities of a time at which the time of receipt is taken in its place."""


def is_defence(purpose: str) -> bool:
    """Whether a purpose is defence, however it is spelt."""
    words = unicodedata.normalize("NFC", purpose).casefold().replace("_", " ").replace("-", " ")
    return " ".join(words.split()) in _SPELLINGS


class Defence:
    """The devices of defence, as the device register has them."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, tuple[tuple[str, str], ...]] = {}
        self._spans: dict[tuple[str, str], dict[bytes, tuple[int, int]]] = {}
        self._sources: frozenset[str] = frozenset()

    def put(self, key: bytes, device: Mapping[str, Any] | None, from_us: int, to_us: int) -> None:
        """Set (or with None, remove) the register's entry under a record key."""
        before = self._by_key.pop(key, ())
        for alias in before:
            del self._spans[alias][key]
            if not self._spans[alias]:
                del self._spans[alias]
        if device is not None and is_defence(device["purpose"]):
            aliases = {(each["source_id"], each["device_ref"]) for each in device["aliases"]}
            self._by_key[key] = tuple(aliases)
            for alias in aliases:
                self._spans.setdefault(alias, {})[key] = (from_us, to_us)
        elif not before:
            return
        self._sources = frozenset(source for source, _ in self._spans)

    def holds(self, source_id: str, device_ref: str, at_us: int) -> bool:
        """Whether the device was one of defence at that time."""
        spans = self._spans.get((source_id, device_ref))
        return spans is not None and any(low <= at_us < high for low, high in spans.values())

    def shares(self, source_id: str) -> bool:
        """Whether a source has any device of defence, at any time."""
        return source_id in self._sources

    def reported(
        self,
        source_id: str,
        device_ref: str,
        *,
        observed_at: datetime | None,
        time_quality: str,
        received_at: datetime,
    ) -> bool:
        """`holds` at an event's time: the source's, or of receipt when that can't be trusted."""
        if (source_id, device_ref) not in self._spans:
            return False
        at = received_at if observed_at is None or time_quality in _UNUSABLE else observed_at
        return self.holds(source_id, device_ref, micros(at))
