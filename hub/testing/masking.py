"""Payloads without what is a person's: invented plates, grey pictures, no names. Pure.

What it masks: plates that a connector read, in every place and in their usual spellings, and texts
that look like Vietnamese plates; JPEG and PNG pictures, as bytes or base64; texts of JSON members
and XML elements whose names speak of persons; phone numbers and mail addresses.

It can't know: persons named in prose, plates that nobody read in a spelling of their own, pictures
of other formats, what is compressed or encrypted. A payload in which a plate is still found is not
given out at all; whoever keeps one looks at it first.
"""

import base64
import hmac
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.plates.normal import normalise

__all__ = ["GREY_JPEG", "GREY_PNG", "Masked", "Masker"]

_MASK = "masked"
_TELLING = 5  # letters; a shorter plate stands in any text by chance
_PLATE = re.compile(rb"\b\d{2}-?[A-Z]{1,2}\d?[-. ]?\d{3}\.?\d{2}\b")
_PERSON = (
    rb"(?:[a-z]+[_.-]?)?(?:driver|owner|operator|reporter|person|contact|caller|citizen|phone|mobile|"
    rb"email|e-mail|passenger|patroller|user_?name)(?:[_.-]?[a-z]+)?"
)
_IN_JSON = re.compile(rb'("' + _PERSON + rb'"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_IN_XML = re.compile(rb"(<(?:\w+:)?(" + _PERSON + rb")(?:\s[^<>]*)?>)[^<>]+(?=</)", re.IGNORECASE)
_MAIL = re.compile(rb"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+")
_PHONE = re.compile(rb"(?<![\d.])(?:0|\+84[ .]?)\d{2,3}[ .]?\d{3}[ .]?\d{3,4}(?![\d.])")
_BASE64 = re.compile(rb"(?:/9j/|\\/9j\\/|iVBORw0KGgo)(?:[A-Za-z0-9+/=]|\\/|\\r|\\n|\r|\n){64,}")
_LENGTH = re.compile(rb"(content-length\s*:\s*)(\d+)", re.IGNORECASE)
_HEAD_MAX = 1_024
_PNG = b"\x89PNG\r\n\x1a\n"

GREY_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4"
    "UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AL//Z"
)
GREY_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A payload's bytes as they may be kept, and what was done to them."""

    body: bytes
    counts: Mapping[str, int]
    """By kind: `plates`, `pictures`, `names`, `numbers`."""
    left: bool
    """A plate that was read is still found: the payload must not be kept."""


@dataclass(slots=True)
class Masker:
    """Masks the payloads of one recording: one plate becomes one and the same invented plate.

    The key must be random and thrown away: plates are few enough to be tried all.
    """

    key: bytes
    _invented: dict[str, str] = field(default_factory=dict)

    def body(self, body: bytes, plates: Iterable[str]) -> Masked:
        """The payload with the plates that were read in it, and all else that is known, masked."""
        counts: Counter[str] = Counter()
        known = sorted({each for each in plates if len(each) >= _TELLING}, key=len, reverse=True)
        body = _without_pictures(body, counts)
        for plate in known:
            body = self._replaced(body, plate, counts)
        body = _PLATE.sub(lambda found: self._bytes(found[0], counts), body)
        for pattern, value in ((_IN_JSON, rb'\1"masked"'), (_IN_XML, rb"\1masked")):
            body, count = pattern.subn(value, body)
            counts["names"] += count
        for pattern, mask in ((_MAIL, b"masked@hanoi.example"), (_PHONE, b"0000000000")):
            body, count = pattern.subn(mask, body)
            counts["numbers"] += count
        return Masked(
            body, {name: count for name, count in counts.items() if count}, _found(body, known)
        )

    def text(self, text: str, plates: Iterable[str]) -> str:
        """A short text, such as a file's name, masked in the same way."""
        return self.body(text.encode(), plates).body.decode("utf-8", "replace")

    def plate(self, plate: str) -> str:
        """An invented plate of the same shape: digits for digits, letters for letters."""
        norm = normalise(plate).norm or plate
        if norm not in self._invented:
            digest = hmac.digest(self.key, norm.encode(), "sha512")
            self._invented[norm] = "".join(
                _other(letter, digest[place % len(digest)]) for place, letter in enumerate(norm)
            )
        letters = iter(self._invented[norm])
        return "".join(
            next(letters, "0") if (each.isalnum() and each.isascii()) or each in "Đđ" else each
            for each in plate
        )

    def _replaced(self, body: bytes, plate: str, counts: Counter[str]) -> bytes:
        invented = self.plate(plate)
        for old, new in {
            plate: invented,
            plate.lower(): invented.lower(),
            _escaped(plate): _escaped(invented),
        }.items():
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                before = old.encode(encoding)
                counts["plates"] += body.count(before)
                body = body.replace(before, new.encode(encoding))
        return body

    def _bytes(self, plate: bytes, counts: Counter[str]) -> bytes:
        text = plate.decode()
        if normalise(text).norm in self._invented.values():
            return plate  # invented already
        counts["plates"] += 1
        return self.plate(text).encode()


def _other(letter: str, number: int) -> str:
    """Another letter or digit of the same kind."""
    for kind in (string.digits, string.ascii_uppercase, string.ascii_lowercase):
        if letter in kind:
            return kind[(kind.index(letter) + 1 + number % (len(kind) - 1)) % len(kind)]
    return letter


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")


def _found(body: bytes, plates: Iterable[str]) -> bool:
    """Whether a plate still stands in the payload, with separators or without."""
    if not plates:
        return False
    bare = normalise(body.decode("utf-8", "replace")).norm
    norms = {normalise(each).norm for each in plates}
    return any(norm in bare for norm in norms if len(norm) >= _TELLING)


def _without_pictures(body: bytes, counts: Counter[str]) -> bytes:
    body, count = _BASE64.subn(_grey_base64, body)
    counts["pictures"] += count
    at = 0
    while (start := _picture(body, at)) >= 0:
        png = body.startswith(_PNG, start)
        end = _png_end(body, start) if png else _jpeg_end(body, start)
        grey = GREY_PNG if png else GREY_JPEG
        counts["pictures"] += 1
        head = _with_length(body[max(0, start - _HEAD_MAX) : start], end - start, len(grey))
        body = body[: max(0, start - _HEAD_MAX)] + head + grey + body[end:]
        at = max(0, start - _HEAD_MAX) + len(head) + len(grey)
    return body


def _grey_base64(found: re.Match[bytes]) -> bytes:
    text = base64.b64encode(GREY_PNG if found[0].startswith(b"iVBOR") else GREY_JPEG)
    return text.replace(b"/", b"\\/") if found[0].startswith(b"\\/") else text


def _picture(body: bytes, at: int) -> int:
    places = [place for mark in (b"\xff\xd8\xff", _PNG) if (place := body.find(mark, at)) >= 0]
    return min(places, default=-1)


def _jpeg_end(body: bytes, start: int) -> int:
    """Where the picture ends; segments are stepped over, as a thumbnail may be inside one."""
    at = start + 2
    while at + 4 <= len(body) and body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xD9:
            return at + 2
        at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
        if marker == 0xDA:  # its scan has no length; in it, a marker is never FF D9 but at the end
            end = body.find(b"\xff\xd9", at)
            return len(body) if end < 0 else end + 2
    end = body.find(b"\xff\xd9", start)
    return len(body) if end < 0 else end + 2


def _png_end(body: bytes, start: int) -> int:
    end = body.find(b"IEND", start)
    return len(body) if end < 0 else min(len(body), end + 8)


def _with_length(head: bytes, before: int, after: int) -> bytes:
    """The head of a part with the length of its new content, where it told that of the old one."""
    found = [each for each in _LENGTH.finditer(head) if int(each[2]) == before]
    if not found:
        return head
    last = found[-1]
    return head[: last.start(2)] + str(after).encode() + head[last.end(2) :]
