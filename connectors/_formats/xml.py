# more than 400 lines: every way of reading XML safely, in one place
"""XML of sources nobody controls, read safely and by local name.

`parse_xml` refuses entities, external DTDs, too large and too deep documents with a `PayloadError`
and raises nothing else. `Node` is a thin view: prefixes and namespaces differ from publisher to
publisher, so names are compared by their local part only.

Traps handled: a leading byte order mark or blanks; UTF-16 without a mark; a declaration that names
another encoding than the bytes have (UTF-8 declared as ISO-8859-1 is common); an internal DTD with
attribute defaults, which is harmless, beside one with entities, which is not.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser, fromstring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from connectors._formats.text import nfc
from hub.errors import PayloadError

__all__ = [
    "DECLARATION",
    "XSI_TYPE",
    "LocalNames",
    "Node",
    "as_node",
    "as_values",
    "codec_of",
    "mark_of",
    "parse_xml",
]

_CHUNK, _CHUNK_MAX = 65_536, 1_048_576
_MAX_ELEMENTS = 500_000
_MAX_OPEN = 1_000
_MAX_DEFAULTS = 64 * 1024 * 1024  # bytes that repeated defaults of an internal DTD may come to
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
DECLARATION = re.compile(rb"<\?xml\b[^>]{0,256}?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)
_LATIN = frozenset({"ascii", "iso8859-1", "iso8859-15", "cp1252"})
_DECLARABLE = _LATIN | frozenset(
    {"cp1250", "cp1251", "cp1258", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc_jp"}
    | {"euc_kr", "koi8-r", "tis-620", "iso8859-2", "iso8859-5", "iso8859-11"}
)


class Node:
    """An element seen by its local name; made when asked for, never ahead."""

    __slots__ = ("_document", "_element")

    def __init__(self, element: Element, document: "_Document") -> None:
        self._element = element
        self._document = document

    def __repr__(self) -> str:
        return f"Node({self.path})"

    @property
    def name(self) -> str:
        """Local name of the element."""
        return self._element.tag

    @property
    def text(self) -> str:
        """Text before the first child: NFC, without blanks around; empty when there is none."""
        text = self._element.text
        return nfc(text.strip()) if text else ""

    @property
    def layout(self) -> str:
        """The same with the blanks around it, where they are part of what is said."""
        return nfc(self._element.text or "")

    @property
    def children(self) -> list["Node"]:
        """Child elements in document order."""
        return [Node(child, self._document) for child in self._element]

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes by local name; declarations of namespaces are none."""
        return {key.rpartition("}")[2]: nfc(value.strip()) for key, value in self._element.items()}

    @property
    def type_name(self) -> str:
        """Local part of `xsi:type`, whatever prefix the publisher chose; empty when absent."""
        return self._element.get(XSI_TYPE, "").strip().rpartition(":")[2]

    @property
    def path(self) -> str:
        """Where the element stands: `a/b[2]/c`, counted from 0 among siblings of one name."""
        return self._document.path(self._element)

    def is_same(self, other: "Node") -> bool:
        """Whether both are views of one element."""
        return self._element is other._element  # noqa: SLF001 - of its own class

    def attr(self, name: str) -> str:
        """Value of the attribute with this local name; empty when absent."""
        value = self._element.get(name)
        if value is None:
            suffix = "}" + name
            found = (v for key, v in self._element.items() if key.endswith(suffix))
            value = next(found, "")
        return nfc(value.strip())

    def find(self, path: str) -> "Node | None":
        """First element at the path of local names `a/b`; None when there is none."""
        element = _first(self._element, path)
        return None if element is None else Node(element, self._document)

    def findall(self, path: str) -> list["Node"]:
        """All elements at the path of local names `a/b`, in document order."""
        return [Node(element, self._document) for element in _walk(self._element, path)]

    def descendants(self, name: str) -> list["Node"]:
        """All elements of this local name below or at this one, in document order."""
        return [Node(element, self._document) for element in self._element.iter(name)]

    def values(self) -> dict[str, str]:
        """Texts of the child elements by local name, of several of one name the last."""
        return {child.tag: nfc(child.text.strip()) for child in self._element if child.text}

    def value(self, path: str, default: str = "") -> str:
        """Text of the first element at the path; the default when it is absent or empty."""
        element = _first(self._element, path)
        if element is None or not element.text:
            return default
        return nfc(element.text.strip()) or default


def parse_xml(body: bytes, *, max_bytes: int = 16 * 1024 * 1024, max_depth: int = 64) -> Node:
    """The root element of a document; `PayloadError` for everything that is not one."""
    if len(body) > max_bytes:
        raise PayloadError(f"{len(body)} bytes of XML, at most {max_bytes}", code="too-large")
    body = _as_utf8(body)
    if not body:
        raise PayloadError("an empty payload instead of an XML document", code="empty")
    if not body.lstrip().startswith(b"<"):
        raise PayloadError("no well-formed XML: it does not begin with <", code="malformed")
    try:
        if b"<!DOCTYPE" in body:
            _refuse_entities(body)
        return as_node(_build(body, max_depth))
    except DefusedXmlException as error:
        raise PayloadError(f"refused XML: {error}", code="xml-entities") from error
    except (ParseError, ValueError, LookupError) as error:
        raise PayloadError(f"no well-formed XML: {error}", code="malformed") from error


def as_node(root: Element) -> Node:
    """A tree of local names, built from something other than XML, seen as nodes."""
    return Node(root, _Document(root))


def as_values(node: Node, *, lists: frozenset[str], texts: frozenset[str]) -> Any:
    """XER, the XML of ASN.1, as its JSON twin: objects, lists, integers, texts and None.

    Elements named in `lists` hold members of any name; those in `texts` stay texts although they
    look like numbers. An enumerated value is an empty element: `<eventState><dark/></eventState>`.
    """
    children = node.children
    if node.name in lists:
        return [as_values(child, lists=lists, texts=texts) for child in children]
    if not children:
        text = node.text
        number = node.name not in texts and _INTEGER.fullmatch(text)
        return int(text) if number else text or None
    if len(children) == 1 and not children[0].text and not children[0].children:
        return children[0].name
    return {child.name: as_values(child, lists=lists, texts=texts) for child in children}


class _Document:
    """What the nodes of one document share: the root, and the parents once a path is asked for."""

    __slots__ = ("_parents", "_root")

    def __init__(self, root: Element) -> None:
        self._root = root
        self._parents: dict[Element, tuple[Element, int]] | None = None

    def path(self, element: Element) -> str:
        if self._parents is None:
            self._parents = {
                child: (parent, place)
                for parent in self._root.iter()
                for place, child in enumerate(parent)
            }
        steps: list[str] = []
        while element in self._parents:
            parent, _ = self._parents[element]
            alike = parent.findall(element.tag)
            index = f"[{alike.index(element)}]" if len(alike) > 1 else ""
            steps.append(element.tag + index)
            element = parent
        return "/".join([element.tag, *reversed(steps)])


class LocalNames(dict[str, str]):
    """`{namespace}name` to `name`, split once per name and document."""

    def __missing__(self, tag: str) -> str:
        local = self[tag] = tag.rpartition("}")[2]
        return local


class _PrologEndedError(Exception):
    """The first element was reached: no DTD can follow."""


class _Prolog:
    """Target of a parser that only looks at what stands before the first element."""

    def doctype(self, _name: str, public: str | None, system: str | None) -> None:
        if public or system:
            raise PayloadError("an external DTD is refused", code="xml-entities")

    def start(self, _tag: str, _attributes: dict[str, str]) -> None:
        raise _PrologEndedError

    def close(self) -> None:
        """Nothing is kept."""


def _refuse_entities(body: bytes) -> None:
    """Let an internal DTD with attribute defaults pass; refuse entities and external DTDs."""
    if (body.rfind(b"]>") + 1) * body.count(b"<") > _MAX_DEFAULTS:
        raise PayloadError("too many attribute defaults in an internal DTD", code="xml-entities")
    parser = DefusedXMLParser(target=_Prolog(), forbid_dtd=False)
    try:
        parser.feed(body)
        parser.close()
    except _PrologEndedError:
        return


def _build(body: bytes, max_depth: int) -> Element:
    """The tree with local names instead of `{namespace}name`."""
    small = len(body) <= _CHUNK or _looks_flat(body)
    root = fromstring(body) if small else _watched(body, max_depth)  # noqa: S314 # checked
    local = LocalNames()
    level = [root]
    for _ in range(max_depth):
        for element in level:
            element.tag = local[element.tag]
        level = [child for element in level for child in element]
        if not level:
            return root
    raise PayloadError(f"elements nested more than {max_depth} deep", code="too-deep")


def _looks_flat(body: bytes) -> bool:
    """Whether the tags that are open at any time are few, as in nearly all large documents.

    Counted, not parsed: text that looks like tags may hide depth, but never more elements than fit.
    """
    if body.count(b"<") > _MAX_ELEMENTS:
        return False
    still_open = 0
    for start in range(0, len(body), _CHUNK):
        piece = body[start : start + _CHUNK]
        still_open += piece.count(b"<") - 2 * piece.count(b"</") - piece.count(b"/>")
        if still_open > _MAX_OPEN:
            return False
    return True


def _watched(body: bytes, max_depth: int) -> Element:
    """A large document's tree, given up as soon as it grows too deep or too wide."""
    parser: XMLPullParser[Element] = XMLPullParser(events=("start", "end"))
    root: Element | None = None
    depth = count = 0
    start, size, ended = 0, _CHUNK, False
    while not ended:
        ended = start >= len(body)
        if ended:
            parser.close()
        else:
            parser.feed(body[start : start + size])
            # A tag without end is looked at again with each chunk: the fewer, the better.
            start, size = start + size, min(2 * size, _CHUNK_MAX)
        for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if event == "end":
                depth -= 1
                continue
            depth += 1
            count += 1
            root = element if root is None else root
            if depth > max_depth:
                raise PayloadError(f"elements nested more than {max_depth} deep", code="too-deep")
        if count > _MAX_ELEMENTS:
            raise PayloadError(f"more than {_MAX_ELEMENTS} elements", code="too-large")
    assert root is not None, "the parser refuses a document without an element"
    return root


def _first(element: Element, path: str) -> Element | None:
    name, slash, rest = path.partition("/")
    if not slash:
        return element.find(name)
    for child in element.findall(name):
        found = _first(child, rest)
        if found is not None:
            return found
    return None


def _walk(element: Element, path: str) -> Iterator[Element]:
    name, slash, rest = path.partition("/")
    if not slash:
        yield from element.findall(name)
        return
    for child in element.findall(name):
        yield from _walk(child, rest)


def _as_utf8(body: bytes) -> bytes:
    """The document in UTF-8 without mark and declaration, which then can't contradict it."""
    known, length = mark_of(body)
    body = body[length:]
    if known not in {"", "utf-8"}:
        body = _decoded(body, known)
    body = body.lstrip()
    declaration = DECLARATION.match(body)
    if declaration is None:
        return body
    rest = body[declaration.end() :]
    codec = "" if known else codec_of(declaration.group())
    if codec in _LATIN:
        try:
            rest.decode("utf-8")
        except UnicodeDecodeError:
            return _decoded(rest, "cp1252" if codec == "ascii" else codec)
        return rest
    return _decoded(rest, codec) if codec else rest


def mark_of(body: bytes) -> tuple[str, int]:
    """The encoding that a byte order mark or the first `<` gives away, and the mark's length."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return name, 0 if b"<" in mark else len(mark)
    return "", 0


def codec_of(declaration: bytes) -> str:
    """The codec that an XML declaration names; empty where it is UTF-8 or none to believe."""
    declared = _ENCODING.search(declaration)
    try:
        codec = codecs.lookup(declared.group(1).decode("ascii")).name if declared else ""
    except LookupError:
        return ""
    return codec if codec in _DECLARABLE else ""


def _decoded(body: bytes, encoding: str) -> bytes:
    try:
        return body.decode(encoding).encode("utf-8")
    except UnicodeError as error:
        raise PayloadError(f"the bytes are not {encoding}: {error}", code="encoding") from error
