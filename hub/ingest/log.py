"""The bounded local log of one lane: what is acknowledged is on disk first.

Appends of many requests are written and synced together by one writer thread; each caller hears of
its record only after that sync. One drainer reads it in order and says up to where it was moved;
segments wholly below that are deleted, but for the log's end, which says after a death what was
durable (`hub.ingest.at_hand`). Sequence numbers rise for ever: not even a wiped folder makes one
come twice, because a new log begins at the clock's microseconds.
"""

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from hub.errors import HubError, InvariantError, UnavailableError
from hub.ingest import framing
from hub.ingest.disk import Disk, lock_folder
from hub.ingest.recovery import SegmentFile, recover

__all__ = ["TAIL_BYTES", "IngestLog", "LogFullError", "Position", "Settle"]

_log = logging.getLogger("hub.ingest.log")

_GROUP_BYTES = 4 * 2**20
# Segments are what is freed at once: with eight of them a full log always gets room again.
_SEGMENTS_AT_LEAST = 8
TAIL_BYTES = 8 * 2**20
"""What stays of the log's end, moved or not: far more than comes in between a payload and its
answer, however often the process dies meanwhile. Of a small log it is less."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class LogFullError(UnavailableError):
    """The log has no room; the source sends again later."""


class Position(NamedTuple):
    """Where the next record to read stands."""

    segment: int
    offset: int


Settle = Callable[[Sequence[tuple[Any, int | HubError]]], None]
"""Called by the writer thread with all tokens of a group: a sequence number or an error each."""


class IngestLog:
    """One lane's log in one folder, open in one process at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 2 * 2**30,
        segment_bytes: int = 32 * 2**20,
        group_commit_s: float = 0.005,
        disk: Disk | None = None,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // _SEGMENTS_AT_LEAST)
        self._kept_bytes = min(TAIL_BYTES, self._segment_bytes)
        self._group_commit_s = group_commit_s
        self._disk = disk or Disk()
        self._lock_file = lock_folder(folder)
        recovered = recover(folder)
        self.base: int = max(recovered.unused, time.time_ns() // 1000)
        """First number of this opening; everything below it was given before."""
        active, self._descriptor = self._disk.create(folder, self.base)
        for path in recovered.empty:
            path.unlink()
        self._segments = [*recovered.segments, active]
        self._next = self.base
        self._used = sum(segment.end for segment in self._segments)
        self._pending: list[tuple[bytes, Any, Settle]] = []
        self._pending_bytes = 0
        self._last_sync_s = 0.0
        self._closing = False
        self._released = -1
        self._state = threading.Lock()
        self._to_write = threading.Condition(self._state)
        self._to_read = threading.Condition(self._state)
        self._writer = threading.Thread(
            target=self._write_groups, name=f"log-{folder.name}", daemon=True
        )
        self._writer.start()
        if recovered.segments:
            count = sum(segment.count for segment in recovered.segments)
            _log.info("log opened: folder=%s records=%d bytes=%d", folder, count, self._used)

    # Appending: any thread.

    def submit(self, record: bytes, token: Any, settle: Settle) -> None:
        """Queue one record; `settle` hears of it, after the sync. Raises `LogFullError`."""
        size = framing.FRAME_OVERHEAD + len(record)
        with self._state:
            if self._closing:
                raise UnavailableError("the ingest log is closed", where=str(self._folder))
            if self._used + self._pending_bytes + size > self._max_bytes:
                raise LogFullError(
                    f"the ingest log holds {self._used} of {self._max_bytes} bytes",
                    where=str(self._folder),
                    fix="bring Kafka back, or raise ingest.log_max_bytes",
                )
            self._pending.append((record, token, settle))
            self._pending_bytes += size
            if len(self._pending) == 1:
                self._to_write.notify()

    def append(self, record: bytes) -> "Future[int]":
        """Queue one record; the future gives its sequence number after the sync."""
        future: Future[int] = Future()
        self.submit(record, future, _settle_futures)
        return future

    # Reading: one thread, the drainer.

    def start(self) -> Position:
        """The position of the oldest record."""
        with self._state:
            return Position(self._segments[0].first, framing.HEADER_LENGTH)

    def tail(self, size: int) -> Position:
        """Where the newest segments begin that hold at least so many bytes."""
        with self._state:
            first = self._segments[-1].first
            for segment in reversed(self._segments):
                if size <= 0:
                    break
                first, size = segment.first, size - segment.end
            return Position(first, framing.HEADER_LENGTH)

    def read(
        self, position: Position, *, max_records: int, max_bytes: int
    ) -> tuple[list[tuple[int, bytes]], Position]:
        """Durable records from there on, in order, and the position after them."""
        records: list[tuple[int, bytes]] = []
        size = 0
        while len(records) < max_records and size < max_bytes:
            with self._state:
                segment, end, following = self._segment_at(position)
            if position.offset >= end:
                if following is None:
                    break
                position = Position(following, framing.HEADER_LENGTH)
                continue
            for frame in self._frames(segment, position.offset, end, max_bytes):
                records.append((frame.sequence, frame.record))
                size += len(frame.record)
                position = Position(segment.first, frame.end)
                if len(records) >= max_records or size >= max_bytes:
                    break
        return records, position

    def after(self, sequence: int) -> Position:
        """The position after that record: where a drainer resumes."""
        with self._state:
            candidates = [(segment, segment.end) for segment in self._segments]
        for segment, end in candidates:
            if segment.last <= sequence:
                continue
            offset = framing.HEADER_LENGTH
            while offset < end:
                for frame in self._frames(segment, offset, end, _GROUP_BYTES):
                    if frame.sequence > sequence:
                        return Position(segment.first, frame.start)
                    offset = frame.end
        return Position(candidates[-1][0].first, candidates[-1][1])

    def wait(self, position: Position, timeout_s: float) -> bool:
        """Wait until there is a record at the position; False after the time-out."""
        with self._to_read:
            return self._to_read.wait_for(
                lambda: self._closing or self._is_readable(position), timeout_s
            ) and self._is_readable(position)

    def covers(self, sequence: int) -> bool:
        """Whether this log gave that number to a record, as far as it still knows.

        The segment that holds the last number released is kept for this question.
        """
        with self._state:
            return any(s.first <= sequence <= max(s.last, s.ceiling) for s in self._segments)

    def oldest(self) -> int | None:
        """Number of the oldest record's segment; None when there is no record."""
        with self._state:
            return next((s.first for s in self._segments if s.count), None)

    def release(self, sequence: int) -> None:
        """Everything up to that number was moved, and its mark committed: delete what can go."""
        with self._state:
            if self._closing:
                return  # the folder may be another process's by now
            self._released = max(self._released, sequence)
            gone, newer = [], 0
            for segment in reversed(self._segments):
                if newer >= self._kept_bytes and segment.last < sequence:
                    gone.append(segment)
                newer += segment.end
            self._segments = [s for s in self._segments if s not in gone]
            self._used -= sum(segment.end for segment in gone)
        for segment in gone:
            segment.path.unlink()

    # What operators see.

    @property
    def used_bytes(self) -> int:
        """Bytes of all segments and of what waits to be written."""
        return self._used + self._pending_bytes

    @property
    def has_room(self) -> bool:
        """Whether a payload of the usual size would be taken."""
        return self.used_bytes + min(2**20, self._max_bytes // 16) <= self._max_bytes

    def backlog(self) -> int:
        """Records not yet released, about."""
        with self._state:
            return sum(
                min(segment.count, segment.last - max(self._released, segment.first - 1))
                for segment in self._segments
                if segment.last > self._released
            )

    def close(self) -> None:
        """Write what is queued, and let go of the folder."""
        with self._state:
            if self._closing:
                return
            self._closing = True
            self._to_write.notify_all()
            self._to_read.notify_all()
        self._writer.join()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        os.close(self._lock_file)

    # The writer thread.

    def _write_groups(self) -> None:
        while group := self._next_group():
            self._write(group)

    def _next_group(self) -> list[tuple[bytes, Any, Settle]]:
        with self._to_write:
            self._to_write.wait_for(lambda: self._pending or self._closing)
            if not self._closing and self._group_commit_s:
                # Waiting as long as the last sync took at most doubles the time and fills groups.
                pause = min(self._group_commit_s, self._last_sync_s)
                self._to_write.wait_for(
                    lambda: self._closing or self._pending_bytes > _GROUP_BYTES, pause
                )
            size = taken = 0
            for record, _, _ in self._pending:
                size += framing.FRAME_OVERHEAD + len(record)
                taken += 1
                if size >= _GROUP_BYTES:
                    break
            group = self._pending[:taken]
            del self._pending[:taken]
            # Counted as used until it is written or has failed, so the bound holds throughout.
            self._pending_bytes -= size
            self._used += size
            return group

    def _write(self, group: list[tuple[bytes, Any, Settle]]) -> None:
        first, size = self._next, sum(framing.FRAME_OVERHEAD + len(item[0]) for item in group)
        # A failed group's numbers are not used again: its bytes may be on the disk all the same.
        self._next += len(group)
        error: HubError | None = None
        try:
            self._roll(first, size)
            active = self._segments[-1]
            data = b"".join(
                framing.encode(active.head, first + index, item[0])
                for index, item in enumerate(group)
            )
            self._put(active, data)
        except OSError as failure:
            error = self._failed(failure)
        with self._state:
            if error is None:
                active.end += size
                active.last = first + len(group) - 1
                active.count += len(group)
                self._to_read.notify_all()
            else:
                self._used -= size
        outcomes: dict[Settle, list[tuple[Any, int | HubError]]] = {}
        for index, (_, token, settle) in enumerate(group):
            outcomes.setdefault(settle, []).append((token, error or first + index))
        for settle, results in outcomes.items():
            settle(results)

    def _put(self, active: SegmentFile, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._disk.write(self._descriptor, rest) :]
            started = time.monotonic()
            self._disk.sync(self._descriptor)
            self._last_sync_s = time.monotonic() - started
        except OSError as failure:
            try:
                self._disk.truncate(self._descriptor, active.end)
            except OSError:
                _log.exception("can't cut a failed write off; a new segment follows")
            else:
                if failure.errno in _NO_SPACE:
                    raise
            # After a failed sync nobody knows what is on the disk: this file gets no more.
            self._abandon()
            raise

    def _roll(self, first: int, size: int) -> None:
        active = self._segments[-1]
        full = active.count and active.end + size > self._segment_bytes
        if self._descriptor >= 0 and not full:
            return
        segment, descriptor = self._disk.create(self._folder, first)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
        with self._state:
            self._segments.append(segment)
            self._used += segment.end

    def _abandon(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _failed(self, failure: OSError) -> HubError:
        text, where = f"can't write the ingest log: {failure.strerror}", str(self._folder)
        _log.error("%s: %s", text, where)
        if failure.errno in _NO_SPACE:
            return LogFullError(text, where=where, fix="free space on this disk")
        return UnavailableError(text, where=where, fix="check this disk")

    # Helpers of the reader.

    def _segment_at(self, position: Position) -> tuple[SegmentFile, int, int | None]:
        for index, segment in enumerate(self._segments):
            if segment.first == position.segment:
                later = self._segments[index + 1 : index + 2]
                return segment, segment.end, later[0].first if later else None
        raise InvariantError("the log was read behind what was released", where=str(self._folder))

    def _is_readable(self, position: Position) -> bool:
        _, end, following = self._segment_at(position)
        return position.offset < end or (
            following is not None and any(s.count for s in self._segments if s.first >= following)
        )

    def _frames(
        self, segment: SegmentFile, offset: int, end: int, max_bytes: int
    ) -> Iterator[framing.Frame]:
        """Whole frames from an offset, about `max_bytes` of them, at least one."""
        length = min(end - offset, max_bytes)
        with segment.path.open("rb") as file:
            data = os.pread(file.fileno(), length, offset)
            frame = framing.frame_at(segment.head, data, 0)
            if frame is None:
                length = min(end - offset, framing.MAX_RECORD + framing.FRAME_OVERHEAD)
                data = os.pread(file.fileno(), length, offset)
                frame = framing.frame_at(segment.head, data, 0)
        if frame is None:
            raise InvariantError(
                "the log is damaged while it is in use",
                where=f"{segment.path.name}, byte {offset}",
                fix="start again: whole records are kept, the others moved to quarantine/",
            )
        while frame is not None:
            yield frame._replace(start=frame.start + offset, end=frame.end + offset)
            frame = framing.frame_at(segment.head, data, frame.end)


def _settle_futures(results: Sequence[tuple[Any, int | HubError]]) -> None:
    for future, outcome in results:
        if isinstance(outcome, HubError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
