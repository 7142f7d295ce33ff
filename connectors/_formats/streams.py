"""An endless multipart stream as payloads: each document with the pictures that follow it.

A document alone is a payload as it was sent. One with pictures is a multipart of our own around
them, headers and bytes as they were sent. Whether pictures follow is not announced, so a document
waits for the next part, or until the stream pauses.
"""

import hashlib

from connectors._formats.multipart import Part, Splitter
from connectors._formats.pictures import is_picture
from hub.connector import Piece
from hub.errors import PayloadError

__all__ = ["MultipartStream"]

_PICTURES_MAX = 32


class MultipartStream:
    """One connection's stream; a `Splitting` (see `hub/connector.py`)."""

    def __init__(self, content_type: str, max_bytes: int) -> None:
        self._splitter = Splitter(content_type, max_part_bytes=max_bytes)
        self._max = max_bytes
        self._parts: list[Part] = []

    @property
    def buffered(self) -> int:
        """Bytes of what is not yet given."""
        return self._splitter.buffered + sum(len(part.data) for part in self._parts)

    def feed(self, data: bytes) -> list[Piece]:
        """The payloads that end with these bytes."""
        return self._grouped(self._splitter.feed(data))

    def pause(self) -> list[Piece]:
        """What nothing follows for now."""
        pieces = self._grouped(self._splitter.pause())
        return pieces + self._given() if self._splitter.between else pieces

    def close(self) -> list[Piece]:
        """What was whole when the stream ended."""
        return self._grouped(self._splitter.pause()) + self._given()

    def _grouped(self, parts: list[Part]) -> list[Piece]:
        pieces: list[Piece] = []
        for part in parts:
            if not is_picture(part):
                pieces += self._given()
            self._parts.append(part)
            size = sum(len(each.data) for each in self._parts)
            if size > self._max or len(self._parts) > 1 + _PICTURES_MAX:
                what = f"an event with {len(self._parts) - 1} pictures, {size} bytes"
                self._parts = []
                raise PayloadError(what, code="part-too-large")
        return pieces

    def _given(self) -> list[Piece]:
        parts, self._parts = self._parts, []
        if not parts:
            return []
        if len(parts) == 1:
            return [Piece(parts[0].data, parts[0].headers.get("content-type", ""))]
        return [_together(parts)]


def _together(parts: list[Part]) -> Piece:
    """A multipart with a delimiter that stands in none of the parts, and equal for equal parts."""
    digest = hashlib.sha256(b"\0".join(part.data for part in parts)).hexdigest()[:32]
    lines: list[bytes] = []
    for part in parts:
        lines.append(f"--{digest}\r\n".encode())
        headers = {**part.headers, "content-length": str(len(part.data))}
        lines += (f"{name}: {text}\r\n".encode() for name, text in headers.items())
        lines += (b"\r\n", part.data, b"\r\n")
    lines.append(f"--{digest}--\r\n".encode())
    return Piece(b"".join(lines), f"multipart/mixed; boundary={digest}")
