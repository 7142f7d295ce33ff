"""Which payload ids the messages have that a broker may send again. Pure.

A broker sends what was not acknowledged again, under the same packet id; that id is free for
another message as soon as the acknowledgement has arrived, of which the hub never knows. So a
message is the one that had its packet id before if it says so (DUP) and has the same content, or
if the hub never acknowledged that one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from hub.ingest.records import new_payload_id

__all__ = ["Kept", "Window"]


@dataclass(slots=True)
class Kept:
    """A message that may come again."""

    payload_id: str
    digest: str
    """Of topic and content."""
    durable: bool = False
    owed: bool = True
    """The hub has certainly not acknowledged it."""


class Window:
    """The last `most` messages, by their packet ids."""

    def __init__(self, most: int, kept: Iterable[tuple[int, Kept]] = ()) -> None:
        self._most = most
        self._kept = dict(kept)

    @classmethod
    def of(cls, stored: Any, most: int) -> "Window":
        """From what is kept of it; what can't be read is left out."""
        entries = stored if isinstance(stored, list) else []
        kept = []
        for entry in entries:
            match entry:
                case [int(packet_id), str(payload_id), str(digest), bool(durable)]:
                    kept.append((packet_id, Kept(payload_id, digest, durable, owed=False)))
        return cls(most, kept)

    def stored(self) -> list[list[Any]]:
        """As it is kept."""
        return [[id_, k.payload_id, k.digest, k.durable] for id_, k in self._kept.items()]

    def settle(self, payload_ids: Collection[str]) -> bool:
        """These are durable; whether that was news."""
        news = [k for k in self._kept.values() if not k.durable and k.payload_id in payload_ids]
        for kept in news:
            kept.durable = True
        return bool(news)

    def forget(self) -> None:
        """The broker has begun a new session: its packet ids mean nothing any more."""
        self._kept.clear()

    def received(self, packet_id: int, digest: str, *, dup: bool) -> Kept:
        """The message that has come: a new one, or one that came before."""
        kept = self._kept.pop(packet_id, None)
        if kept is None or kept.digest != digest or not (dup or kept.owed):
            kept = Kept(new_payload_id(), digest)
        self._kept[packet_id] = kept  # the newest stands last
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return kept
