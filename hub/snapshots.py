"""What full snapshots tell by absence: a subject that is missing from one has vanished. Pure.

A source that answers with all there is never says that something is over, it leaves it out. So what
its last snapshots held is remembered, and a subject that is missing gets a last event, lifecycle
VANISHED. An error, half an answer or one with a part that was refused proves nothing: only a
snapshot that was read whole, page by page, and received after the last one is held against it.

Nor does an answer prove anything that was published before the newest one: a cache that is behind,
one of several, still tells of before. When an answer was published is known where all of its events
have the same `published_at`, or where an all clear tells it; times that differ are those of parts.

What comes back after that begins another life: the source says the same as before, so its events
would have the ids that were delivered already. In a later life each id is made of the source's own
and of the id of the VANISHED event before it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from hub.codec import EVENT_ID, LIFECYCLE, SUBJECT_ID, micros, restricted_fields
from hub.connector import Nothing
from hub.envelope import Canonical, received_of
from hub.identity import make_id
from hub.snapshot_state import Kept, Progress, Subject, fields_of, kept_of

__all__ = [
    "NOUNS",
    "SNAPSHOT",
    "VANISHED",
    "Gone",
    "Page",
    "Reading",
    "Snapshots",
    "in_life",
    "vanished",
]

SNAPSHOT = "snapshot"
"""Header of a raw record that is a page of a full snapshot: which one."""
# Things that are there until they are over; a reading or a picture of a sign is not.
NOUNS = frozenset({"situation", "alert"})
# Symbols of the enum `Lifecycle` by their place in the schema: ENDED, CANCELLED, EXPIRED.
_OVER = frozenset({3, 4, 5})
VANISHED = 6 << 1
"""The lifecycle, as encoded, of an event that no payload holds: it tells what a snapshot lacks."""
_NO_RESTRICTED = bytes(len(restricted_fields()))
# By then no topic holds an event of the earlier life any more.
_REMEMBERED_US = 35 * 86_400_000_000
_DAY_US = 86_400_000_000  # a publication that is further ahead is no time


class Page(NamedTuple):
    """Which page of which snapshot a raw record is, as ingest wrote it."""

    snapshot: str
    number: int
    """From 1."""
    complete: bool
    """Whether the transport had the whole snapshot with this page."""
    received_us: int

    @classmethod
    def of(cls, headers: Mapping[str, bytes | None]) -> Self | None:
        """From the record's headers; None of a source that sends no snapshots."""
        snapshot, at = headers.get(SNAPSHOT), received_of(headers)
        if not snapshot or at is None:
            return None
        number = (headers.get("page") or b"").decode("ascii", "replace")
        return cls(
            snapshot.decode("utf-8", "replace"),
            int(number) if number.isdecimal() and len(number) < 9 else 0,
            headers.get("complete") == b"true",
            micros(at),
        )


class Gone(NamedTuple):
    """A subject that has vanished, its last event, and the id of the event that says so."""

    event_id: bytes
    noun: str
    key: bytes
    event: bytes


_Name = tuple[str, bytes]


class Snapshots:
    """What the snapshots of one raw partition's sources held.

    Changes belong to the open transaction until `commit`; `rollback` undoes them. `key` is the
    site's, for ids.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        # By source and subject; an empty subject is the source's own.
        self._kept: dict[_Name, Kept] = {}
        self._before: dict[_Name, Kept | None] = {}

    def reading(self, source_id: str, page: Page) -> "Reading":
        """Begin to read a page."""
        return Reading(self, self._key, source_id, page)

    def get(self, source_id: str, subject: bytes) -> Subject | None:
        """What is known of a subject."""
        known = self._kept.get((source_id, subject))
        return known if isinstance(known, Subject) else None

    def progress(self, source_id: str) -> Progress:
        """How far the source's current snapshot was read."""
        known = self._kept.get((source_id, b""))
        return known if isinstance(known, Progress) else Progress()

    def subjects(self, source_id: str) -> list[tuple[bytes, Subject]]:
        """The source's subjects, in the order of their ids."""
        found = [
            (name[1], each)
            for name, each in self._kept.items()
            if name[0] == source_id and isinstance(each, Subject)
        ]
        return sorted(found, key=lambda each: each[0])

    def note(self, source_id: str, subject: bytes, kept: Kept | None) -> None:
        """Remember it as part of the open transaction; None: forget it."""
        name = (source_id, subject)
        self._before.setdefault(name, self._kept.get(name))
        if kept is None:
            self._kept.pop(name, None)
        else:
            self._kept[name] = kept

    def changes(self) -> Iterator[tuple[_Name, Mapping[str, Any] | None]]:
        """What the open transaction changed, as fields for the changelog; None: forgotten."""
        for name in self._before:
            kept = self._kept.get(name)
            yield name, None if kept is None else fields_of(kept)

    def commit(self) -> None:
        """The open transaction was committed."""
        self._before.clear()

    def rollback(self) -> None:
        """The open transaction was rolled back."""
        for name, before in self._before.items():
            if before is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = before
        self._before.clear()

    def restore(self, source_id: str, record: Mapping[str, Any]) -> None:
        """Take over what an earlier transaction kept."""
        subject: bytes = record["subject"]
        self._kept[source_id, subject] = kept_of(record)

    def __len__(self) -> int:
        return len(self._kept)


class Reading:
    """One page while it is parsed; `end` tells what is missing."""

    def __init__(self, state: Snapshots, key: bytes, source_id: str, page: Page) -> None:
        self._state, self._key, self._source, self._page = state, key, source_id, page
        self._seen: set[bytes] = set()
        self._whole = True
        self._published: set[int] = set()
        self.unproven = ""
        """Why a snapshot that ended with this page tells nothing of what is missing."""

    def refused(self) -> None:
        """A part of the page could not be read: what is missing may be that part."""
        self._whole = False

    def nothing(self, told: Nothing) -> None:
        """A part without an event, or an all clear, which may tell when it was published."""
        at = told.published_at
        if at is not None and at.tzinfo is not None:
            self._published.add(micros(at))

    def see(self, event: Canonical) -> Canonical:
        """An event of the page, with its id in the present life of its subject."""
        subject, told = event.value[SUBJECT_ID], event.value[EVENT_ID]
        if event.noun not in NOUNS or subject == told:
            return event
        self._seen.add(subject)
        self._published.add(event.published_us)
        known = self._state.get(self._source, subject)
        life = known.life if known else b""
        if life:
            value = in_life(self._key, event.value, life)
            event = replace(event, value=value, life=told + life)
        if known is None or known.gone_us or known.event[EVENT_ID] != event.value[EVENT_ID]:
            value, cut = event.value, event.cut
            kept = value[: cut.start] + _NO_RESTRICTED + value[cut.end :]
            over = value[LIFECYCLE] >> 1 in _OVER
            fresh = Subject(event.noun, event.key, kept, life, over)
            self._state.note(self._source, subject, fresh)
        return event

    def end(self) -> list[Gone]:
        """The page was read to its end: what has vanished, where it ends a snapshot."""
        page, before = self._page, self._state.progress(self._source)
        if page.snapshot != before.snapshot:
            before = Progress(
                page.snapshot,
                whole=True,
                judged_us=before.judged_us,
                newest_us=max(before.newest_us, before.published_us),
            )
        before = self._dated(before)
        # A page that comes again changes nothing; one that is passed over may hold anything.
        whole = before.whole and self._whole and 0 < page.number <= before.pages + 1
        seen = before.seen | self._seen
        self.unproven = self._why_unproven(before, whole=whole) if page.complete else ""
        judged = page.complete and not self.unproven
        gone = self._judge(seen) if judged else []
        after = Progress(
            page.snapshot,
            max(before.pages, page.number),
            whole,
            frozenset() if page.complete else seen,
            page.received_us if judged else before.judged_us,
            # What was judged is what the next one is held against, also after a clock was set back.
            (before.published_us or before.newest_us) if judged else before.newest_us,
            before.published_us,
        )
        self._state.note(self._source, b"", after)
        return gone

    def _dated(self, before: Progress) -> Progress:
        """The snapshot so far, with what this page tells of when it was published."""
        if len(self._published) > 1:
            # Times of parts: the newest part may be what has ended.
            return replace(before, newest_us=0, published_us=0)
        at_us = max(self._published, default=0)
        if not 0 < at_us <= self._page.received_us + _DAY_US:
            return before
        return replace(before, published_us=min(before.published_us or at_us, at_us))

    def _why_unproven(self, before: Progress, *, whole: bool) -> str:
        if not whole:
            return "not-whole"
        if self._page.received_us <= before.judged_us:
            return "received-before"
        return "published-before" if before.is_behind(self._page.received_us) else ""

    def _judge(self, seen: frozenset[bytes]) -> list[Gone]:
        gone = []
        now_us = self._page.received_us
        for subject, known in self._state.subjects(self._source):
            if subject in seen:
                continue
            if known.gone_us:
                if known.gone_us < now_us - _REMEMBERED_US:
                    self._state.note(self._source, subject, None)
            elif not known.over:
                last = known.event[EVENT_ID]
                id_ = make_id(self._key, "vanished", last.hex(), self._page.snapshot)
                gone.append(Gone(id_, known.noun, known.key, known.event))
                left = replace(known, life=id_, gone_us=now_us)
                self._state.note(self._source, subject, left)
            elif known.life:
                self._state.note(self._source, subject, replace(known, gone_us=now_us))
            else:
                self._state.note(self._source, subject, None)
        return gone


def in_life(key: bytes, value: bytes, life: bytes) -> bytes:
    """A canonical event under its id in a later life of its subject."""
    id_ = make_id(key, "life", value[EVENT_ID].hex(), life.hex())
    return value[: EVENT_ID.start] + id_ + value[EVENT_ID.stop :]


def vanished(
    gone: Gone, last: Mapping[str, Any], *, at: datetime, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Header of the event that says so, from the last one's; its time is that of the snapshot.

    Where the last event's own time is later, it is that one: else this would be the older of two.
    """
    told = last["observed_at"]
    later = told is not None and last["time_quality"] != "SUSPECT" and told > at
    return {
        **last,
        "event_id": gone.event_id,
        "lifecycle": "VANISHED",
        "time_quality": last["time_quality"] if later else "RECEIVED",
        "replayed": False,
        "received_at": at,
        "observed_at": told if later else at,
        "published_at": None,
        "quality_flags": [],
        "origin": origin,
    }
