"""A multipart reader for devices that bend the rules.

The delimiter is the line the body really uses, whatever the header announces: cameras announce
`boundary=--boundary` and send `--boundary`, put a comma before `boundary=`, repeat the line, end
lines with LF alone and leave out blank lines and end marks. `Content-Length` is believed when the
part it cuts looks whole or a delimiter follows; otherwise the next delimiter ends the part.

How the bytes are cut into chunks never changes the parts: every decision is a function of the
bytes up to a place, never of what happens to have arrived.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.errors import PayloadError

__all__ = ["Part", "Splitter", "split"]

_JPEG = b"\xff\xd8"
_BRACED = (b"{", b"Code=")  # JSON, and events of cameras that end with it
_LINE_MAX = 8_192
_HEADERS_MAX = 64
_GAP_MAX = 4  # CR LF twice between a part and its delimiter
_BEFORE_DELIMITER = b"\r\n>}\xd9"  # ends of line, XML, JSON and JPEG
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"]+)\"|([^\s;,\"]+))", re.IGNORECASE)
_DELIMITER = re.compile(rb"-- ?[^\s>]\S{0,198}")  # `-- myboundary` is in the field
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]{0,63})[ \t]*:[ \t]*(.*)", re.DOTALL)
_PARAMETER = re.compile(
    r"(?:^|[;\s])(name|filename)\s*=\s*(?:\"([^\"]*)\"|([^\s;\"]*))", re.IGNORECASE
)
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]{0,127})")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers by lower-case name, and its bytes."""

    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case; empty when none is given."""
        return re.split(r"[;\s]", self.headers.get("content-type", ""), maxsplit=1)[0].lower()

    @property
    def names(self) -> tuple[str, ...]:
        """What the part calls itself: `filename`, `name`, `Content-ID`, as far as given."""
        found = {
            match[1].lower(): match[2] or match[3]
            for match in _PARAMETER.finditer(self.headers.get("content-disposition", ""))
        }
        named = (found.get("filename"), found.get("name"), self.headers.get("content-id"))
        return tuple(name for name in named if name)


def split(
    body: bytes,
    content_type: str = "",
    *,
    max_parts: int = 256,
    max_part_bytes: int = 64 * 1024 * 1024,
) -> list[Part]:
    """The parts of a whole body; `PayloadError` when it holds too many or too large ones."""
    splitter = Splitter(content_type, max_part_bytes=max_part_bytes)
    parts = splitter.feed(body) + splitter.close()
    if len(parts) > max_parts:
        raise PayloadError(f"{len(parts)} parts, at most {max_parts}", code="too-many-parts")
    return parts


class Splitter:
    """Takes chunks of any size and gives every part as soon as it is certain.

    After an error it can't go on: the bytes of the part at fault are not skipped.
    """

    def __init__(self, content_type: str = "", *, max_part_bytes: int = 64 * 1024 * 1024) -> None:
        announced = _BOUNDARY.search(content_type)
        boundary = (announced[1] or announced[2]).encode() if announced else b""
        spelt = (b"--" + boundary, b"-- " + boundary, boundary)
        self._announced = set(spelt) if boundary.strip(b"-") else set()
        self._max = max_part_bytes
        self._buffer = bytearray()
        self._delimiter = b""
        self._headers: dict[str, str] | None = None  # None: between two parts
        self._in_body = False
        self._early = False  # the part was given when the source paused
        self._length: int | None = None  # the Content-Length, as long as it is believed
        self._scanned = 0  # bytes of the buffer that need no second look
        self._found = -1  # where the first delimiter stands in the body
        self._found_whole: bool | None = None  # whether what stands before it is complete

    def feed(self, data: bytes) -> list[Part]:
        """Add a chunk; the parts it completes."""
        self._buffer += data
        return self._take(final=False)

    def close(self) -> list[Part]:
        """The source has ended: whatever is left of a part, complete or not."""
        parts = self._take(final=True)
        self._buffer.clear()
        return parts

    @property
    def buffered(self) -> int:
        """Bytes of parts that are not complete."""
        return len(self._buffer)

    @property
    def between(self) -> bool:
        """Whether nothing of a part is waiting for its end."""
        if self._in_body:
            return self._early and not self._buffer.strip()
        return not self._headers

    def pause(self) -> list[Part]:
        """The source is silent for now: what is there of a part is given if it looks whole.

        Else devices that announce no length, and send the delimiter before a part and not after
        it, would be heard one part late; so would those whose length is too large. What the part
        goes on with is a part of its own. A picture with a length is waited for: it may hold a
        smaller one that is whole.
        """
        data = bytes(self._buffer)
        waited_for = self._length is not None and data.startswith(_JPEG)
        if not self._in_body or waited_for or not _whole(data):
            return []
        self._early, self._length = True, None
        self._drop(len(data))
        return [Part(_without_line_end(data), self._headers or {})]

    def _take(self, *, final: bool) -> list[Part]:
        parts: list[Part] = []
        going = True
        while going:
            if self._in_body:
                data = self._body(final=final)
                going = data is not None
                if data and not (self._early and not data.strip()):
                    parts.append(Part(data, self._headers or {}))
                if going:
                    self._headers, self._in_body, self._early = None, False, False
            elif self._headers is not None:
                going = self._header(self._headers, final=final)
            else:
                going = self._next() if self._delimiter else self._first(final=final)
        if len(self._buffer) > self._max or any(len(part.data) > self._max for part in parts):
            raise PayloadError(f"a part of more than {self._max} bytes", code="part-too-large")
        return parts

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned, self._found, self._found_whole = 0, -1, None

    def _line_end(self, start: int = 0) -> int:
        """Where the line that holds `start` ends, with its LF; -1 while it has not ended."""
        return self._buffer.find(b"\n", start) + 1 or -1

    def _first(self, *, final: bool) -> bool:
        """Look for the first delimiter line; HTTP headers and blank lines before it are dropped."""
        end = self._line_end(self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return False
        line = bytes(self._buffer[:end]).strip()
        if line not in self._announced and _DELIMITER.fullmatch(line):
            following = self._line_end(end)
            if following < 0 and not final:
                return False
            rest = bytes(self._buffer[end : following if following > 0 else None]).strip()
            opens = rest.startswith((b"<", b"{", b"--")) or bool(
                not rest or _HEADER.fullmatch(rest)
            )
        else:
            opens = line in self._announced
        if opens:
            self._delimiter, self._headers = line, {}
        self._drop(end)
        return True

    def _next(self) -> bool:
        """Look for the next delimiter line after a part; what stands before it is dropped."""
        place = self._search()
        end = self._line_end(place) if place >= 0 else -1
        if end < 0:
            return False
        rest = bytes(self._buffer[place + len(self._delimiter) : end]).strip()
        self._headers = None if rest == b"--" else {}
        self._drop(end)
        return True

    def _header(self, headers: dict[str, str], *, final: bool) -> bool:
        """Read one line of a part's head; a line that is no header begins the body."""
        end = self._line_end()
        if end < 0:
            if len(self._buffer) <= _LINE_MAX and not final:
                return False
            end = len(self._buffer)
        line = bytes(self._buffer[: min(end, _LINE_MAX + 1)])
        text = line.strip() if len(line) <= _LINE_MAX else line
        header = _HEADER.fullmatch(text) if len(line) <= _LINE_MAX else None
        if header and len(headers) < _HEADERS_MAX:
            headers[header[1].decode().lower()] = header[2].decode("utf-8", "replace")
        elif not text or (headers or text != self._delimiter):  # else: the delimiter, doubled
            self._in_body = True
            self._length = self._announced_length(headers.get("content-length", ""))
            end = 0 if text else end
        self._drop(end)
        return True

    def _announced_length(self, text: str) -> int | None:
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            return None
        return int(text) if int(text) <= self._max else None

    def _body(self, *, final: bool) -> bytes | None:
        """The part's bytes, once its end is certain; None while it is not."""
        self._search()
        if self._length is not None:
            believed = self._believes(self._length, final=final)
            if believed is None:
                return None
            if believed:
                data = bytes(self._buffer[: self._length])
                self._drop(self._length)
                return data
            self._length = None
        if self._found < 0 and not final:
            return None
        data = bytes(self._buffer[: self._found if self._found >= 0 else None])
        self._drop(len(data))
        return _without_line_end(data)

    def _believes(self, length: int, *, final: bool) -> bool | None:
        """Whether the Content-Length tells the part's end; None while more bytes are needed."""
        size = len(self._buffer)
        inside = self._found >= 0 and self._found + len(self._delimiter) <= length
        if inside and self._found_whole is None:
            self._found_whole = _whole(bytes(self._buffer[: self._found]))
        if inside and self._found_whole:
            return False
        if size < length:
            return False if final else None
        if not inside and _whole(bytes(self._buffer[:length])):
            return True
        reach = length + _GAP_MAX + len(self._delimiter)
        if size < reach and not final:
            return None
        gap = bytes(self._buffer[length:reach])
        return gap.lstrip(b"\r\n").startswith(self._delimiter) or (final and not gap.strip())

    def _search(self) -> int:
        """Where the first delimiter stands at the start of a line or after a document, or -1."""
        if self._found < 0:
            place = self._buffer.find(self._delimiter, self._scanned)
            while place > 0 and self._buffer[place - 1] not in _BEFORE_DELIMITER:
                place = self._buffer.find(self._delimiter, place + 1)
            self._found = place
            self._scanned = max(0, len(self._buffer) - len(self._delimiter))
        return self._found


def _without_line_end(data: bytes) -> bytes:
    """The data without the one line end that belongs to the delimiter after it."""
    for line_end in (b"\r\n", b"\n"):
        if data.endswith(line_end):
            return data[: -len(line_end)]
    return data


def _whole(data: bytes) -> bool:
    """Whether the bytes look like a complete picture or document."""
    if data.startswith(_JPEG):
        return data.rstrip(b"\r\n").endswith(b"\xff\xd9")
    text = data.strip()
    if text.startswith(_BRACED):
        return text.endswith(b"}") and text.count(b"{") == text.count(b"}")
    root = _ROOT.search(text, 0, 4_096) if text.startswith(b"<") else None
    return root is not None and text.endswith(b"</" + root[1] + b">")
