"""Duplicates of occurrences: the same event id within a window of arrival.

Arrival is the append time of the canonical record, one clock per input partition: a duplicate is a
second arrival, so an event that comes three days late needs no longer window. The decision depends
on the log alone, so a re-run decides alike.
"""

import struct
from collections import deque
from collections.abc import Iterable

__all__ = ["Window"]

_ID_BYTES = 16
# Ids are split many at a time: slicing them one by one took twice as long.
_MANY = struct.Struct("16s" * 256)
_BUCKETS = 60


class Window:
    """Ids seen in one input partition; forgets them bucket by bucket, `span_ms` after arrival.

    Changes belong to the open transaction until `commit`; `rollback` undoes them.
    """

    __slots__ = ("_buckets", "_end_ms", "_expired", "_fresh", "_span_ms", "_width_ms", "seen")

    def __init__(self, span_ms: int) -> None:
        self.seen: set[bytes] = set()
        self._span_ms = span_ms
        self._width_ms = max(1, span_ms // _BUCKETS)
        self._buckets: deque[tuple[int, bytes]] = deque()
        self._expired: list[tuple[int, bytes]] = []
        self._fresh: list[tuple[int, list[bytes]]] = []
        self._end_ms = -1

    def first(self, id_: bytes, arrived_ms: int) -> bool:
        """Whether the id arrives for the first time within the window; notes it when it does."""
        if arrived_ms >= self._end_ms:
            self._roll(arrived_ms)
        if id_ in self.seen:
            return False
        self.seen.add(id_)
        self._fresh[-1][1].append(id_)
        return True

    def forget_last(self) -> None:
        """Take back the id that `first` has just noted: its event is refused after all.

        Else the event could not be sent again once what was wrong is mended.
        """
        self.seen.discard(self._fresh[-1][1].pop())

    def changes(self) -> list[tuple[int, bytes]]:
        """Ids of the open transaction: `(bucket start in ms, 16 bytes an id)`."""
        return [(start, b"".join(ids)) for start, ids in self._fresh if ids]

    def commit(self) -> None:
        """The transaction's ids are part of the log now."""
        self._buckets.extend(self.changes())
        # One open list goes on for the current bucket; it never holds committed ids.
        self._fresh = [(self._fresh[-1][0], [])] if self._fresh else []
        self._expired.clear()

    def rollback(self) -> None:
        """Forget the transaction: its ids were never written."""
        for _, ids in self._fresh:
            self.seen.difference_update(ids)
        for bucket in reversed(self._expired):
            self.seen.update(_split(bucket[1]))
            self._buckets.appendleft(bucket)
        self._expired.clear()
        self._fresh = []
        self._end_ms = -1

    def restore(self, buckets: Iterable[tuple[int, bytes]]) -> None:
        """Take over ids of an earlier transaction from the changelog, in its order."""
        for start, ids in buckets:
            # An id may stand there twice: what its first arrival leaves must not take the second.
            self._expire(start)
            self._buckets.append((start, ids))
            self.seen.update(_split(ids))
        self._expired.clear()

    def __len__(self) -> int:
        return len(self.seen)

    def _roll(self, arrived_ms: int) -> None:
        """Open the bucket of this arrival and forget what has left the window."""
        start = arrived_ms - arrived_ms % self._width_ms
        self._end_ms = start + self._width_ms
        self._expire(start)
        self._fresh.append((start, []))

    def _expire(self, start: int) -> None:
        """Forget the buckets that have left the window when the bucket at `start` opens."""
        while self._buckets and self._buckets[0][0] + self._span_ms <= start:
            bucket = self._buckets.popleft()
            self.seen.difference_update(_split(bucket[1]))
            self._expired.append(bucket)
        # A transaction that spans more than the window forgets its own first ids too.
        while self._fresh and self._fresh[0][0] + self._span_ms <= start:
            self.seen.difference_update(self._fresh.pop(0)[1])


def _split(ids: bytes) -> list[bytes]:
    found: list[bytes] = []
    end = len(ids) - len(ids) % _MANY.size
    for at in range(0, end, _MANY.size):
        found += _MANY.unpack_from(ids, at)
    found += [ids[at : at + _ID_BYTES] for at in range(end, len(ids), _ID_BYTES)]
    return found
