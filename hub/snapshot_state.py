"""What is kept of a source's full snapshots, and as which record of the changelog. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.codec import from_micros, micros

__all__ = ["Kept", "Progress", "Subject", "fields_of", "kept_of"]

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject as the source last told it."""

    noun: str
    key: bytes
    event: bytes
    """Its last canonical record, without what is restricted."""
    life: bytes = b""
    over: bool = False
    gone_us: int = 0
    """When it was found missing; 0 while it is there."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source's current snapshot was read, and what it is held against."""

    snapshot: str = ""
    pages: int = 0
    whole: bool = False
    seen: frozenset[bytes] = frozenset()
    judged_us: int = 0
    newest_us: int = 0
    """When the newest snapshot before the current one was published; 0: none has told it."""
    published_us: int = 0
    """When the current one was, by its oldest page; 0: none of its pages has told it."""

    def is_behind(self, received_us: int) -> bool:
        """Whether the current snapshot was published before a newer one.

        A source that tells no newer time for a day has set its clock back, it is not behind.
        """
        lasts = not self.judged_us or received_us - self.judged_us < _DAY_US
        return 0 < self.published_us < self.newest_us and lasts


Kept = Subject | Progress

# Written out, as the encoder takes no default for bytes.
_EMPTY: Mapping[str, Any] = {
    "noun": "",
    "key": b"",
    "event": b"",
    "life": b"",
    "over": False,
    "gone_at": None,
    "snapshot": "",
    "pages": 0,
    "whole": False,
    "seen": b"",
    "judged_at": None,
    "newest_at": None,
    "published_at": None,
}


def fields_of(kept: Kept) -> dict[str, Any]:
    """What is kept as fields of a record, all but whose it is."""
    if isinstance(kept, Progress):
        return {
            **_EMPTY,
            "snapshot": kept.snapshot,
            "pages": kept.pages,
            "whole": kept.whole,
            "seen": b"".join(sorted(kept.seen)),
            "judged_at": _at(kept.judged_us),
            "newest_at": _at(kept.newest_us),
            "published_at": _at(kept.published_us),
        }
    return {
        **_EMPTY,
        "noun": kept.noun,
        "key": kept.key,
        "event": kept.event,
        "life": kept.life,
        "over": kept.over,
        "gone_at": _at(kept.gone_us),
    }


def kept_of(record: Mapping[str, Any]) -> Kept:
    """What a record says was kept."""
    if not record["subject"]:
        return Progress(
            record["snapshot"],
            record["pages"],
            record["whole"],
            frozenset(_sixteens(record["seen"])),
            _us(record["judged_at"]),
            _us(record["newest_at"]),
            _us(record["published_at"]),
        )
    return Subject(
        record["noun"],
        record["key"],
        record["event"],
        record["life"],
        record["over"],
        _us(record["gone_at"]),
    )


def _sixteens(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 16] for at in range(0, len(data), 16))


def _at(us: int) -> datetime | None:
    return from_micros(us) if us else None


def _us(at: datetime | None) -> int:
    return 0 if at is None else micros(at)
