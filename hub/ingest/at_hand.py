"""What was at hand when the process before this one died: durable, and perhaps not answered yet.

A file is moved and a message acknowledged only after its payload is on the disk. Killed in between,
the hub finds the file again and gets the message again. Both have the payload ids they had, and the
log's end, which stays when it was moved to Kafka, says which of those it holds.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from hub.ingest.log import TAIL_BYTES, IngestLog
from hub.ingest.records import unpack

__all__ = ["AtHand", "Taken"]

# No source has more under way.
_MOST = 10_000
_TRANSPORTS = {b"drop_folder", b"mqtt"}


class Taken(NamedTuple):
    """A payload that is durable."""

    payload_id: str
    path: str
    """Name of the file it was; empty for a message."""


class AtHand:
    """The last payloads of each source that is found or sent again."""

    def __init__(self, logs: Iterable[IngestLog]) -> None:
        """From logs that were just opened."""
        self._taken: dict[str, deque[Taken]] = {}
        for log in logs:
            self._read(log)

    def take(self, source_id: str) -> list[Taken]:
        """What the log's end holds of a source, the newest last. Said once: it is soon history."""
        return list(self._taken.pop(source_id, ()))

    def _read(self, log: IngestLog) -> None:
        position = log.tail(TAIL_BYTES)
        while True:
            entries, position = log.read(position, max_records=1_000, max_bytes=TAIL_BYTES)
            if not entries:
                return
            for _, entry in entries:
                headers = dict(unpack(entry).headers)
                if headers["transport"] in _TRANSPORTS:
                    self._note(headers)

    def _note(self, headers: dict[str, bytes]) -> None:
        path = headers.get("meta.path", b"").decode()
        source = self._taken.setdefault(headers["source_id"].decode(), deque(maxlen=_MOST))
        source.append(Taken(headers["payload_id"].decode(), path))
