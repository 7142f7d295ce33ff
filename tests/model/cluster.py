"""Kafka in memory, as far as exactly once depends on it.

Partition logs with transactions, of which readers of committed records see no further than the
last stable offset; producer epochs; groups with generations and offsets that belong to
transactions. What a real cluster does in its own time happens here when it is told to: markers
are written late, sessions end, requests arrive after their time.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

PARTITIONS = 2
START_S = 1_780_000_000.0
TRANSACTION_TIMEOUT_S = 10.0
NO_MEMBER = ("", -1)


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Clock:
    """Time as the code under test reads it: it moves when somebody waits."""

    def __init__(self, passed: Callable[[], None]) -> None:
        self.now = START_S
        self._passed = passed

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        self.now += 1e-6
        return self.now

    def time_ns(self) -> int:
        # What only stamps records stands still: equal decisions give equal bytes.
        return int(START_S * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._passed()


@dataclass(eq=False)
class Transaction:
    """What one transaction wrote, and what its coordinator decided."""

    owner: str
    began: float
    state: str = "open"
    places: set[Place] = field(default_factory=set)
    offsets: dict[tuple[str, Place], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A record in a log; without a transaction it is committed as it is written."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    at_ms: int
    transaction: Transaction | None

    @property
    def visible(self) -> bool:
        return self.transaction is None or self.transaction.state == "committed"


class Log:
    """One partition: records and markers take offsets alike."""

    def __init__(self) -> None:
        # None is the marker of a transaction.
        self.entries: list[Entry | None] = []
        self._unmarked: dict[Transaction, int] = {}

    def append(self, entry: Entry) -> None:
        if entry.transaction is not None:
            self._unmarked.setdefault(entry.transaction, len(self.entries))
        self.entries.append(entry)

    def mark(self, transaction: Transaction) -> None:
        del self._unmarked[transaction]
        self.entries.append(None)

    def stable(self) -> int:
        """The end for a reader of committed records."""
        return min(self._unmarked.values(), default=len(self.entries))

    def read(self, start: int = 0) -> Iterator[tuple[int, Entry]]:
        """Committed records up to the last stable offset."""
        for offset in range(start, self.stable()):
            entry = self.entries[offset]
            if entry is not None and entry.visible:
                yield offset, entry


class Group:
    """A consumer group: who its members are, what each owns, and how far it is committed."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.generation = 0
        self.owner: dict[Place, str] = {}
        self.offsets: dict[Place, int] = {}
        self.pending: dict[Place, list[Transaction]] = {}

    def join(self, name: str, client: Any) -> None:
        self.members[name] = client
        self.generation += 1

    def leave(self, name: str) -> None:
        """A member went, or its session ended: what it owned is free."""
        if self.members.pop(name, None) is not None:
            self.owner = {place: who for place, who in self.owner.items() if who != name}
            self.generation += 1

    def wanted(self, name: str, places: Iterable[Place]) -> set[Place]:
        """What a member shall own when everybody has let go of the rest."""
        members = sorted(self.members)
        return {
            place
            for index, place in enumerate(sorted(places))
            if members[index % len(members)] == name
        }


class Cluster:
    """Logs, groups and the coordinator of transactions."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.clock = Clock(self._time_passed)
        self.logs = {Place(topic, n): Log() for topic in topics for n in range(PARTITIONS)}
        self.groups: dict[str, Group] = {}
        self.went_back: list[str] = []
        # Topic and event id of records that are refused, with the transaction they are in.
        self.refused: set[tuple[str, bytes]] = set()
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self._owed: deque[tuple[Transaction, Place | str]] = deque()
        self._late: list[tuple[str, int]] = []
        self._names = itertools.count()

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def name(self, kind: str) -> str:
        return f"{kind}-{next(self._names):04d}"

    def place(self, topic: str, number: int, key: bytes | None) -> Place:
        return Place(topic, number if number >= 0 else sum(key or b"") % PARTITIONS)

    def entry(
        self, key: Any, value: Any, headers: Any, transaction: Transaction | None = None
    ) -> Entry:
        self.clock.now += 0.001
        return Entry(key, value, list(headers or ()), int(self.clock.now * 1000), transaction)

    # The coordinator of transactions

    def take_over(self, id_: str) -> int:
        """A producer's first call: ends what its predecessor left open, and fences it."""
        self._epochs[id_] = self._epochs.get(id_, -1) + 1
        self._decide(id_, "aborted")
        self._write_markers(id_)
        return self._epochs[id_]

    def check(self, id_: str, epoch: int) -> None:
        if self._epochs[id_] != epoch:
            raise KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))

    def transaction(self, id_: str) -> Transaction:
        """The open transaction of an id, begun when there is none."""
        if id_ not in self._open:
            self._write_markers(id_)
            self._open[id_] = Transaction(id_, self.clock.now)
        return self._open[id_]

    def produce(self, id_: str, epoch: int, place: Place, record: tuple[Any, Any, Any]) -> None:
        self.check(id_, epoch)
        transaction = self.transaction(id_)
        transaction.places.add(place)
        self.logs[place].append(self.entry(*record, transaction))

    def add_offsets(
        self, id_: str, epoch: int, group: str, member: tuple[str, int], to: dict[Place, int]
    ) -> None:
        """Offsets that hold when the transaction does; refused for a member that is none."""
        self.check(id_, epoch)
        self.check_member(group, member)
        transaction = self.transaction(id_)
        for place, offset in to.items():
            transaction.offsets[group, place] = offset
            waiting = self.group(group).pending.setdefault(place, [])
            if transaction not in waiting:
                waiting.append(transaction)

    def check_member(self, group: str, member: tuple[str, int]) -> None:
        if member == NO_MEMBER:
            # What a client sends that never joined: the broker takes it for one that assigns
            # partitions by hand, and asks no more.
            return
        name, generation = member
        if name not in self.group(group).members:
            raise abortable(KafkaError.UNKNOWN_MEMBER_ID, "not a member")
        if generation != self.group(group).generation:
            raise abortable(KafkaError.ILLEGAL_GENERATION, "of an earlier generation")

    def end(self, id_: str, epoch: int, decision: str) -> None:
        self.check(id_, epoch)
        self._decide(id_, decision)

    def hold(self, id_: str, epoch: int) -> None:
        """A copy of a commit stays behind on the wire."""
        self._late.append((id_, epoch))

    def deliver_late(self) -> None:
        """The copies arrive, and end whatever their producer has open now."""
        for id_, epoch in self._late:
            if self._epochs[id_] == epoch:
                self._decide(id_, "committed")
        self._late.clear()

    def _time_passed(self) -> None:
        """Transactions that were open for too long are aborted, and a marker is written."""
        for id_, transaction in list(self._open.items()):
            if transaction.began + TRANSACTION_TIMEOUT_S <= self.clock.now:
                self._epochs[id_] += 1
                self._decide(id_, "aborted")
        self.write_markers(1)

    def write_markers(self, count: int | None = None) -> None:
        """Write the oldest markers that are decided but not written: some, or all."""
        for _ in range(len(self._owed) if count is None else min(count, len(self._owed))):
            self._mark(*self._owed.popleft())

    def _write_markers(self, id_: str) -> None:
        """No transaction begins before the markers of its producer's last one are written."""
        mine = [each for each in self._owed if each[0].owner == id_]
        self._owed = deque(each for each in self._owed if each[0].owner != id_)
        for each in mine:
            self._mark(*each)

    def _decide(self, id_: str, decision: str) -> None:
        transaction = self._open.pop(id_, None)
        if transaction is None:
            return
        transaction.state = decision
        # In another order each time would be as right; offsets first is the hardest for readers.
        self._owed.extend((transaction, group) for group, _ in list(transaction.offsets)[:1])
        self._owed.extend((transaction, place) for place in sorted(transaction.places))

    def _mark(self, transaction: Transaction, where: Place | str) -> None:
        if isinstance(where, Place):
            self.logs[where].mark(transaction)
            return
        group = self.groups[where]
        for (_, place), offset in transaction.offsets.items():
            group.pending[place].remove(transaction)
            if transaction.state == "committed":
                self.note_offset(where, place, offset)

    # Offsets of groups

    def note_offset(self, group: str, place: Place, offset: int) -> None:
        known = self.groups[group].offsets.get(place, 0)
        if offset < known:
            self.went_back.append(f"{place.topic}/{place.number} from {known} to {offset}")
        self.groups[group].offsets[place] = offset

    def committed(self, group: str, place: Place) -> int | None:
        """As a reader of committed records is told: never while a transaction may change it."""
        found = self.group(group)
        while waiting := found.pending.get(place):
            # The client asks again and again; meanwhile the transaction's time runs out.
            self.clock.sleep(TRANSACTION_TIMEOUT_S if waiting[0].state == "open" else 0.1)
        return found.offsets.get(place)

    def decided(self, group: str, place: Place) -> int:
        """The offset as the coordinator decided, whether its marker is written or not."""
        found = self.group(group)
        offset = found.offsets.get(place, 0)
        for transaction in found.pending.get(place, ()):
            if transaction.state == "committed":
                offset = transaction.offsets[group, place]
        return offset

    @property
    def left_open(self) -> list[str]:
        """Transactional ids with an open transaction."""
        return sorted(self._open)


def abortable(code: int, text: str) -> KafkaException:
    """An error after which the client must roll its transaction back."""
    return KafkaException(KafkaError(code, text, txn_requires_abort=True))
