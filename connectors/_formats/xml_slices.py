"""XML of any length, read slice by slice: memory holds one slice, never the document.

Traps handled: marks and declarations of other encodings, also those that the bytes contradict;
UTF-16, in which a DTD could hide; pieces that end anywhere; a document without any slice.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from connectors._formats.xml import DECLARATION, LocalNames, Node, as_node, codec_of, mark_of
from hub.errors import PayloadError

__all__ = ["XmlSlices"]

_MAX_ELEMENTS: Final = 500_000
_MAX_BYTES: Final = 16 * 1024 * 1024
_HEAD: Final = 1_024  # a mark and a declaration fit in
_DTD: Final = b"<!DOCTYPE"


class XmlSlices:
    """The outermost elements of the given names, each with its parent, as a document passes.

    By then the parent holds what came before, but for slices, which are dropped once the next one
    is asked for. `root` is what was left over. Unlike `parse_xml` it takes no DTD at all.
    """

    def __init__(
        self, pieces: Iterable[bytes], names: frozenset[str], *, max_depth: int = 64
    ) -> None:
        self._pieces = pieces
        self._names = names
        self._max_depth = max_depth
        self._open: list[Element] = []
        self._root: Element | None = None
        self._kept = self._bytes = self._inside = 0
        self._prolog = b""
        self._local = LocalNames()

    @property
    def root(self) -> Node:
        """The document without its slices; whole after the iteration only."""
        if self._root is None:
            raise PayloadError("an empty payload instead of an XML document", code="empty")
        return as_node(self._root)

    def __iter__(self) -> Iterator[tuple[Node, Node]]:
        parser: XMLPullParser[Element] = XMLPullParser(events=("start", "end"))
        try:
            for piece in _as_utf8(self._pieces):
                self._refuse_dtd(piece)
                self._bytes += len(piece)
                parser.feed(piece)
                yield from self._slices(parser)
            parser.close()
        except (ParseError, ValueError, LookupError) as error:
            raise PayloadError(f"no well-formed XML: {error}", code="malformed") from error
        yield from self._slices(parser)

    def _refuse_dtd(self, piece: bytes) -> None:
        """A DTD stands before the first element, so only until then is it looked for."""
        if self._root is None:
            self._prolog = self._prolog[1 - len(_DTD) :] + piece
            if _DTD in self._prolog:
                raise PayloadError("a DTD in a large document is refused", code="xml-entities")

    def _slices(self, parser: "XMLPullParser[Element]") -> Iterator[tuple[Node, Node]]:
        level, names, local, max_depth = self._open, self._names, self._local, self._max_depth
        for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if event == "start":
                element.tag = local[element.tag]
                if self._root is None:
                    self._root = element
                level.append(element)
                self._kept += 1
                if element.tag in names:
                    self._inside += 1
                if len(level) > max_depth:
                    what = f"elements nested more than {max_depth} deep"
                    raise PayloadError(what, code="too-deep")
                continue
            level.pop()
            if element.tag not in names:
                continue
            self._inside -= 1
            if level and not self._inside:
                size = sum(1 for _ in element.iter())
                yield as_node(level[-1]), as_node(element)
                level[-1].remove(element)
                self._kept -= size
                self._bytes = 0
        if self._kept > _MAX_ELEMENTS or self._bytes > _MAX_BYTES:
            what = f"a slice of more than {_MAX_ELEMENTS} elements or {_MAX_BYTES} bytes"
            raise PayloadError(what, code="too-large")


def _as_utf8(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces in UTF-8 without mark and declaration, which then can't contradict them."""
    rest = iter(pieces)
    head = b""
    for piece in rest:
        head += piece
        if len(head) >= _HEAD:
            break
    codec, length = mark_of(head)
    head = head[length:]
    if codec in {"", "utf-8"}:
        head, declared = _undeclared(head)
        yield from _decoded(chain((head,), rest), "" if codec else declared)
        return
    decoded = _decoded(chain((head,), rest), codec)
    yield _undeclared(next(decoded))[0]
    yield from decoded


def _undeclared(head: bytes) -> tuple[bytes, str]:
    """The beginning without its declaration, and the codec that it named."""
    head = head.lstrip()
    declaration = DECLARATION.match(head)
    if declaration is None:
        return head, ""
    return head[declaration.end() :], codec_of(declaration.group())


def _decoded(pieces: Iterable[bytes], codec: str) -> Iterator[bytes]:
    if not codec:
        yield from pieces
        return
    decode: Callable[[bytes, bool], str] = _Doubtful(codec).decode
    try:
        for piece in pieces:
            yield decode(piece, False).encode()  # noqa: FBT003 - as decoders have it
        yield decode(b"", True).encode()  # noqa: FBT003 - as decoders have it
    except UnicodeError as error:
        raise PayloadError(f"the bytes are not {codec}: {error}", code="encoding") from error


class _Doubtful:
    """Decodes as UTF-8 until the bytes show otherwise, then as was declared.

    Documents in UTF-8 that declare ISO-8859-1 are common; the other way about, the first letter
    with an accent tells. Encodings of more than one byte are believed at once.
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        single = codec in {"ascii", "iso8859-1", "iso8859-15", "cp1252"}
        self._decoder = codecs.getincrementaldecoder("utf-8" if single else codec)()
        self._sure = not single

    def decode(self, piece: bytes, final: bool) -> str:  # noqa: FBT001 - as decoders have it
        before = b"" if self._sure else self._decoder.getstate()[0]
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            if self._sure:
                raise
        self._sure = True
        codec = "cp1252" if self._codec == "ascii" else self._codec
        self._decoder = codecs.getincrementaldecoder(codec)()
        return self._decoder.decode(before + piece, final)
