"""Payloads as they arrive on bad days: cut, flipped, empty, huge, deep, otherwise encoded.

How many are made of a sample is bounded by bytes, so that a suite of many connectors stays quick.
"""

import codecs
import random
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from hub.connector import Payload
from hub.testing.samples import Sample

__all__ = ["cut_alike", "huge", "personal_elsewhere", "respelt", "spoilt"]

_CUT_STEP, _CUTS_MAX, _FLIPS = 64, 128, 64
_BYTES_MAX = 2**20  # read again in cuts, and in flips, of one sample
_HUGE = 10 * 2**20
_DEPTH = 100_000
_MANY = 100_000
_WRONG_TYPES = ("", "text/plain", "application/octet-stream", "multipart/form-data")
_ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "cp1258")
_STARTS = (b"{", b"[", b"<")
_NESTED = (
    ("lists", b"[" * _DEPTH),
    ("closed lists", b"[" * _DEPTH + b"]" * _DEPTH),
    ("objects", b'{"a":' * _DEPTH),
    ("elements", b"<a>" * _DEPTH),
    ("closed elements", b"<a>" * _DEPTH + b"</a>" * _DEPTH),
)


def spoilt(sample: Sample) -> Iterator[tuple[str, Payload]]:
    """The sample in many bad shapes, each with its name; small ones only."""
    body = sample.body
    yield "an empty body", sample.payload(b"")
    yield "blanks alone", sample.payload(b" \r\n\t")
    for wrong in _WRONG_TYPES:
        yield f"content type {wrong!r}", sample.payload(content_type=wrong)
    for encoding in _ENCODINGS:
        if (other := _encoded(body, encoding)) is not None:
            yield f"encoded as {encoding}", sample.payload(other)
    cuts = max(8, min(_CUTS_MAX, 2 * _BYTES_MAX // max(1, len(body))))
    step = max(_CUT_STEP, len(body) // cuts)
    for end in range(step, len(body), step):
        yield f"cut after {end} bytes", sample.payload(body[:end])
    chance = random.Random(sample.name)  # noqa: S311 - repeatable on purpose
    flips = max(8, min(_FLIPS, _BYTES_MAX // max(1, len(body))))
    for _ in range(flips if body else 0):
        at, bit = chance.randrange(len(body)), chance.randrange(8)
        flipped = bytearray(body)
        flipped[at] ^= 1 << bit
        yield f"bit {bit} of byte {at} flipped", sample.payload(bytes(flipped))


def huge(sample: Sample) -> Iterator[tuple[str, Payload]]:
    """10 MB of several kinds, and nesting without end; once a connector is enough."""
    body = sample.body
    yield "10 MB of one letter", sample.payload(b"x" * _HUGE)
    yield "10 MB of one tag", sample.payload(b"<" + b"x" * _HUGE)
    yield "10 MB of one text", sample.payload(b'["' + b"x" * _HUGE + b'"]')
    yield f"{_MANY} empty objects in a list", sample.payload(b"[" + b"{}," * (_MANY - 1) + b"{}]")
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in _STARTS:
        blanks = b" " * _HUGE
        inside = body.replace(start, start + blanks, 1) if start != b"<" else body + blanks
        yield "10 MB of blanks in it", sample.payload(inside)
    for name, nested in _NESTED:
        yield f"{_DEPTH} {name} in each other", sample.payload(nested)
    if start == b"<" and (root := re.search(rb"<[A-Za-z_](?:[^<>]*[^/<>])?>", body)):
        deep = body[: root.end()] + b"<a>" * _DEPTH + body[root.end() :]
        yield f"{_DEPTH} elements below its root", sample.payload(deep)


def respelt(sample: Sample) -> Iterator[tuple[str, Payload]]:
    """The same document written otherwise: what is read must stay the same."""
    body = sample.body
    if body[:1] not in _STARTS:
        return
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return
    yield "a byte order mark", sample.payload(codecs.BOM_UTF8 + body)
    bare = body.replace(b"\r\n", b"\n")
    for name, other in (("LF", bare), ("CR LF", bare.replace(b"\n", b"\r\n"))):
        if other != body:
            yield f"line ends {name}", sample.payload(other)


def personal_elsewhere(sample: Sample, text: str) -> Iterator[tuple[str, Payload]]:
    """A personal text of JSON where a list, an object or no text is: errors tell of the place."""
    quoted = f'"{text}"'.encode()
    if quoted in sample.body:
        for name, other in (("a list", b"[%s]"), ("an object", b'{"x": %s}'), ("a number", b"-1")):
            value = other % quoted if b"%" in other else other
            yield (
                f"{name} in a personal text's place",
                sample.payload(sample.body.replace(quoted, value)),
            )


def _encoded(body: bytes, encoding: str) -> bytes | None:
    try:
        return body.decode("utf-8").encode(encoding)
    except UnicodeError:
        return None


def cut_alike(split: Callable[[str, int], Any], sample: Sample) -> bool:
    """Whether a splitter of streams gives the same payloads of a sample however it is chunked.

    `split(content_type, max_bytes)` has `feed(chunk)` and `close()`, which give lists of payloads.
    """
    body = sample.body

    def pieces(places: list[int]) -> list[Any]:
        stream = split(sample.content_type, max(2**20, 2 * len(body)))
        found: list[Any] = []
        for start, end in pairwise([0, *places, len(body)]):
            found += stream.feed(body[start:end])
        return [*found, *stream.close()]

    chance = random.Random(sample.name)  # noqa: S311 - repeatable on purpose
    step = max(1, len(body) // 4_096)
    cuts = [list(range(step, len(body), step)), list(range(63, len(body), 64))]
    count = min(8, max(0, len(body) - 1))
    cuts += [sorted(chance.sample(range(1, len(body)), count)) for _ in range(4) if count]
    whole = pieces([])
    return all(pieces(places) == whole for places in cuts)
