"""The documents in a body, each with its pictures, however the device packed them.

A body is one document, several end to end, JSON instead of XML, or a multipart of these.

XML is cut at end tags, so a broken document takes no neighbour with it. JSON becomes the tree of
the XML it stands for (`{"Alert": {"id": 7}}` is `<Alert><id>7</id></Alert>`), so one reader serves
both.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.multipart import Part, split
from connectors._formats.pictures import is_picture
from connectors._formats.text import clean
from connectors._formats.xml import Node, as_node
from hub.errors import PayloadError

__all__ = ["Document", "documents", "read_body"]

Document = bytes | Node
"""XML, well-formed or not; or the tree of what was JSON."""

_BLANK = b"\xef\xbb\xbf \t\r\n\0"  # may stand around a document: a mark, blanks, padding
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]{0,127})")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,127}", re.ASCII)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_DEPTH_MAX = 60


def read_body(
    body: bytes, content_type: str, *, roots: Collection[str], default: str
) -> Iterator[tuple[Document | PayloadError, list[Part]]]:
    """Every document of a body, or why a part holds none, and the pictures sent after it.

    What the body is, its first byte says; the content type is often wrong.
    """
    start = body.lstrip(_BLANK)[:1]
    if not start:
        raise PayloadError("an empty body instead of an event", code="empty")
    parts = [] if start in b"<{[" else split(body, content_type)
    document: Document | PayloadError | None = None
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


def _pieces(data: bytes, roots: Collection[str], default: str) -> Iterator[Document | PayloadError]:
    try:
        if data.lstrip(_BLANK).startswith((b"{", b"[")):
            yield from _from_json(data.strip(_BLANK), roots, default)
        else:
            yield from documents(data)
    except PayloadError as error:
        yield error


def documents(data: bytes) -> Iterator[bytes]:
    """Every document of XML in the bytes, well-formed or not."""
    data = data.lstrip(_BLANK)
    if data.startswith(_WIDE):
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


def _from_json(data: bytes, roots: Collection[str], default: str) -> Iterator[Node | PayloadError]:
    """Every object; one that has none of the `roots` as a member is one named `default`."""
    value = parse_json(data, records=[()])
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Broken):
            yield item.error(default)
            continue
        if not isinstance(item, dict):
            what = "a JSON event must be an object"
            yield PayloadError(what, code="wrong-type", path=default)
            continue
        root = next((name for name in roots if name in item), "")
        found = item[root] if root else item
        for one in found if isinstance(found, list) else [found]:
            yield _as_tree(root or default, one)


def _as_tree(name: str, value: Any) -> Node:
    root = Element(name)
    _fill(root, value, 0)
    return as_node(root)


def _fill(element: Element, value: Any, depth: int) -> None:
    """Put a value into an element; members that name none, such as `@version`, are left out."""
    if isinstance(value, dict):
        if depth == _DEPTH_MAX:
            return
        for key, inner in value.items():
            if _NAME.fullmatch(key):
                for child in _flat(inner):
                    _fill(SubElement(element, key), child, depth + 1)
    elif value is not None:
        element.text = clean(str(value).lower() if isinstance(value, bool) else str(value))


def _flat(value: Any) -> Iterator[Any]:
    """The items of a list, of lists in it too; of anything else, itself."""
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value
