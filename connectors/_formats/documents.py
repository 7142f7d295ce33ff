"""The documents in a body, as XML, each with its pictures, however the device packed them.

A body is one document, several end to end, JSON instead of XML, or a multipart of these.

XML is cut at end tags, so a broken document takes no neighbour with it. JSON becomes the XML it
stands for (`{"Alert": {"id": 7}}` is `<Alert><id>7</id></Alert>`), so one reader serves both.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any
from xml.sax.saxutils import escape

from connectors._formats.json import parse_json
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import is_picture
from connectors._formats.text import clean
from hub.errors import PayloadError

__all__ = ["documents", "read_body"]

_BLANK = b"\xef\xbb\xbf \t\r\n\0"  # may stand around a document: a mark, blanks, padding
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]{0,127})")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,127}", re.ASCII)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_DEPTH_MAX = 60


def read_body(
    body: bytes, content_type: str, *, roots: Collection[str], default: str
) -> Iterator[tuple[bytes | PayloadError, list[Part]]]:
    """Every document of a body, or why a part holds none, and the pictures sent after it.

    What the body is, its first byte says; the content type is often wrong.
    """
    start = body.lstrip(_BLANK)[:1]
    if not start:
        raise PayloadError("an empty body instead of an event", code="empty")
    parts = [] if start in b"<{[" else split(body, content_type)
    document: bytes | PayloadError | None = None
    pictures: list[Part] = []
    for part in parts or [Part(body)]:
        if is_picture(part):
            pictures.append(part)
            continue
        for piece in _pieces(part.data, roots, default):
            if document is not None:
                yield document, pictures
                pictures = []
            document = piece
    if document is None:
        what = "pictures without an event" if pictures else "a body without an event"
        document = PayloadError(what, code="no-event", path="part[0]")
    yield document, pictures


def _pieces(data: bytes, roots: Collection[str], default: str) -> Iterator[bytes | PayloadError]:
    try:
        yield from documents(data, roots=roots, default=default)
    except PayloadError as error:
        yield error


def documents(data: bytes, *, roots: Collection[str], default: str) -> Iterator[bytes]:
    """Every document in the bytes as XML, well-formed or not.

    A JSON object that has none of the `roots` as a member is one named `default`.
    """
    data = data.lstrip(_BLANK)
    if data.startswith((b"{", b"[")):
        yield from _from_json(data, roots, default)
    elif data.startswith(_WIDE):
        yield data
    elif _ROOT.search(data):
        yield from _from_xml(data)
    elif data:
        raise PayloadError(
            "neither XML nor JSON nor multipart",
            code="unknown-format",
            fix="let the source send its events as XML, JSON or multipart",
        )


def _from_xml(data: bytes) -> Iterator[bytes]:
    place = 0
    while root := _ROOT.search(data, place):
        finish = _document_end(data, root)
        yield data[data.find(b"<", place) : finish]
        place = finish


def _document_end(data: bytes, root: re.Match[bytes]) -> int:
    """Where the end tag of the root is, else where the next document begins, else the end."""
    tag = b"</" + root[1] + b">"
    close = data.find(tag, root.end())
    openings = (data.find(text, root.end(), close) for text in (b"<?xml", b"<" + root[1]))
    if close >= 0 and max(openings) < 0:
        return close + len(tag)
    name = re.escape(root[1])
    alone = re.compile(rb"<%s[^<>]*/>" % name).match(data, root.start())
    end = alone or re.compile(rb"</%s\s*>|(?=<\?xml)|(?=<%s[\s/>])" % (name, name)).search(
        data, root.end()
    )
    return end.end() if end else len(data)


def _from_json(data: bytes, roots: Collection[str], default: str) -> Iterator[bytes]:
    value = parse_json(data.rstrip(_BLANK))
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            raise PayloadError("a JSON event must be an object", code="wrong-type", path=default)
        root = next((name for name in roots if name in item), "")
        found = item[root] if root else item
        for one in found if isinstance(found, list) else [found]:
            yield "".join(_as_xml(root or default, one)).encode()


def _as_xml(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """The value as elements; members that can't name one, such as `@version`, are left out."""
    if depth > _DEPTH_MAX or not _NAME.fullmatch(name):
        return
    if isinstance(value, list):
        for item in value:
            yield from _as_xml(name, item, depth + 1)
        return
    yield f"<{name}>"
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _as_xml(key, child, depth + 1)
    elif value is not None:
        yield escape(clean(str(value).lower() if isinstance(value, bool) else str(value)))
    yield f"</{name}>"
