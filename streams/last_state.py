"""Repeats and order of states: what comes is compared with its subject's last state only.

Equal content is a repeat, of which one an hour passes: it keeps the state alive for its readers. An
older version than the last is superseded; a state that returns is delivered anew. Messages of an
alert's chain share the subject of the chain's first known message, and a cancel holds even when it
comes before what it cancels.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

__all__ = ["OVER", "LastStates", "Report", "Verdict", "Word"]

# Symbols of the enum `Lifecycle` by their place in the schema.
UNKNOWN, NEW, UPDATED, ENDED, CANCELLED, EXPIRED, VANISHED = range(7)
OVER = frozenset({ENDED, CANCELLED, EXPIRED, VANISHED})
_STATE = struct.Struct(">16sqqB16s")
_MESSAGE = struct.Struct(">16s16s")
_MESSAGE_MARK = b"m"
_TOLD_MARK = b"u"
_CONFIRMED_MARK = b"c"
_NEVER_SEEN = bytes(16)


class Word(IntEnum):
    """What becomes of a report."""

    DELIVER = 0
    REPEAT = 1
    """The very event again."""
    CONFIRMED = 2
    """A later report that says the same, and is not due as a sign of life."""
    SUPERSEDED = 3


@dataclass(frozen=True, slots=True)
class Report:
    """What the comparison needs of one event.

    `effective_us` orders versions: the source's time, or the time of receipt when that can't be
    trusted. `version` is the native version where it is a number, else -1. `digest` covers the
    content, without times, ids and quality. A `chained` report is a message of its own that
    names its predecessors in `references`. `received_us` is when the hub received it.
    """

    event_id: bytes
    subject: bytes
    lifecycle: int
    effective_us: int
    version: int
    digest: bytes
    chained: bool = False
    references: tuple[bytes, ...] = ()
    received_us: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, and what a delivered event must carry.

    `reports` is how many reports it stands for: with a sign of life, those merged before it too.
    """

    word: Word
    subject: bytes
    lifecycle: int
    reports: int = 1


@dataclass(frozen=True, slots=True)
class _State:
    """Last delivered state of a subject."""

    event_id: bytes
    effective_us: int
    version: int
    lifecycle: int
    digest: bytes

    def pack(self) -> bytes:
        return _STATE.pack(
            self.event_id, self.effective_us, self.version, self.lifecycle, self.digest
        )


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of a chain: the chain's subject, and its event id once it has come."""

    root: bytes
    event_id: bytes

    def pack(self) -> bytes:
        return _MESSAGE.pack(self.root, self.event_id)


class LastStates:
    """Last states of the subjects of one input partition.

    Of a state that is told again and again without a change, a report passes every `keep_alive_s`
    of the source's time. Changes belong to the open transaction until `commit`; `rollback` undoes
    them.
    """

    __slots__ = ("_before", "_entries", "_keep_alive_us")

    def __init__(self, keep_alive_s: int) -> None:
        self._keep_alive_us = keep_alive_s * 1_000_000
        # Subjects to states; marked ones to messages of chains, to how often a state was confirmed,
        # and to hours of unknown devices.
        self._entries: dict[bytes, _State | _Message] = {}
        self._before: dict[bytes, _State | _Message | None] = {}

    def decide(self, report: Report) -> Verdict:
        """Compare a report with its subject's last state, and remember it."""
        root = report.subject
        if report.chained:
            message = self._message(report.subject)
            if message is not None and message.event_id == report.event_id:
                return Verdict(Word.REPEAT, message.root, report.lifecycle)
            root = self._join(report, message)
        last = self._entries.get(root)
        if not isinstance(last, _State):
            return self._deliver(report, root, report.lifecycle or NEW)
        if report.event_id == last.event_id:
            return Verdict(Word.REPEAT, root, report.lifecycle)
        if (
            report.lifecycle != VANISHED == last.lifecycle
            and report.received_us > last.effective_us
        ):
            # It is there again, in the very version that was there before it vanished.
            return self._deliver(report, root, report.lifecycle or UPDATED)
        if (report.effective_us, report.version) < (last.effective_us, last.version):
            if report.chained and last.lifecycle == CANCELLED:
                # Withdrawn before it came: say so, and leave the chain's state as it is.
                return Verdict(Word.DELIVER, root, CANCELLED)
            return Verdict(Word.SUPERSEDED, root, report.lifecycle)
        if report.digest == last.digest:
            return self._confirm(report, root, last)
        return self._deliver(report, root, report.lifecycle or UPDATED)

    def tell(self, device: bytes, hour: int) -> bool:
        """Whether an unknown device (16 bytes) is told for the first time within an hour; noted."""
        first = self.told(device) != hour
        if first:
            # In the form of a state, so that a worker of any release can take it over.
            self._note(_TOLD_MARK + device, _State(_NEVER_SEEN, hour, -1, UNKNOWN, _NEVER_SEEN))
        return first

    def told(self, device: bytes) -> int | None:
        """The last hour in which an unknown device was told."""
        entry = self._entries.get(_TOLD_MARK + device)
        return entry.effective_us if isinstance(entry, _State) else None

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """Entries changed in the open transaction, packed for the changelog."""
        for subject in self._before:
            yield subject, self._entries[subject].pack()

    def commit(self) -> None:
        """The transaction's states are part of the log now."""
        self._before.clear()

    def rollback(self) -> None:
        """Forget the transaction: its states were never written."""
        for subject, before in self._before.items():
            if before is None:
                del self._entries[subject]
            else:
                self._entries[subject] = before
        self._before.clear()

    def restore(self, subject: bytes, packed: bytes) -> None:
        """Take over an entry of an earlier transaction from the changelog."""
        if subject.startswith(_MESSAGE_MARK) and len(packed) == _MESSAGE.size:
            self._entries[subject] = _Message(*_MESSAGE.unpack(packed))
        else:
            self._entries[subject] = _State(*_STATE.unpack(packed))

    def __len__(self) -> int:
        return len(self._entries)

    def _deliver(self, report: Report, root: bytes, lifecycle: int) -> Verdict:
        self._note(
            root,
            _State(report.event_id, report.effective_us, report.version, lifecycle, report.digest),
        )
        return Verdict(Word.DELIVER, root, lifecycle)

    def _confirm(self, report: Report, root: bytes, last: _State) -> Verdict:
        """The same state, told again: merged, unless readers have not heard of it for long."""
        # What is older than this stays superseded.
        self._note(root, replace(last, effective_us=report.effective_us))
        name = _CONFIRMED_MARK + root
        since = self._entries.get(name)
        if not isinstance(since, _State) or since.event_id != last.event_id:
            # In the form of a state, as hours of unknown devices are: when readers last heard of
            # it, and in place of a version how many reports were merged since then.
            since = _State(last.event_id, last.effective_us, 0, UNKNOWN, _NEVER_SEEN)
        reports = since.version + 1
        waited_us = report.effective_us - since.effective_us
        if last.lifecycle in OVER or waited_us < self._keep_alive_us:
            self._note(name, replace(since, version=reports))
            return Verdict(Word.CONFIRMED, root, report.lifecycle)
        self._note(name, replace(since, effective_us=report.effective_us, version=0))
        return Verdict(Word.DELIVER, root, UPDATED, reports)

    def _join(self, report: Report, message: _Message | None) -> bytes:
        """The chain a message belongs to: its first known subject, or the first it names.

        Whoever names several chains makes them one, so that what comes late to any of them is
        measured by this message.
        """
        known = [message, *(self._message(each) for each in report.references)]
        roots = [each.root for each in known if each is not None]
        root = (*roots, *report.references, report.subject)[0]
        # In the order they are named: a re-run writes the same changelog.
        for other in dict.fromkeys(roots):
            joined = self._message_of(other)
            if joined is not None and other != root:
                self._note(_MESSAGE_MARK + other, replace(joined, root=root))
        self._note(_MESSAGE_MARK + report.subject, _Message(root, report.event_id))
        for reference in report.references:
            if self._message(reference) is None:
                # It may still come; then it is born into this chain.
                self._note(_MESSAGE_MARK + reference, _Message(root, _NEVER_SEEN))
        return root

    def _message(self, subject: bytes) -> _Message | None:
        """A message with the chain it is of, also when that was joined to another."""
        found = self._message_of(subject)
        if found is None:
            return None
        root = found.root
        while (first := self._message_of(root)) is not None and first.root != root:
            root = first.root
        return replace(found, root=root) if root != found.root else found

    def _message_of(self, subject: bytes) -> _Message | None:
        entry = self._entries.get(_MESSAGE_MARK + subject)
        return entry if isinstance(entry, _Message) else None

    def _note(self, subject: bytes, entry: _State | _Message) -> None:
        self._before.setdefault(subject, self._entries.get(subject))
        self._entries[subject] = entry
