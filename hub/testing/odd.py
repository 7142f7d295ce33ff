"""Values that no device should send and some do, each in the place of a value of a sample.

Values are found by their surroundings and not by parsing, so that JSON inside of multipart or in
lines is spoilt as well.
"""

import math
import random
import re
from collections.abc import Iterator
from typing import Any

from hub.connector import Payload
from hub.testing.samples import Sample

__all__ = ["absurd", "odd_values"]

# A larger sample has no other kinds of values, and each try copies it.
_BODY_MAX = 2**16
_LONG = b"9" * 5_000
_TEXT = b"x" * 10_000
_CYRILLIC = "29\N{CYRILLIC CAPITAL LETTER A}-123.45".encode()
# In the place of a value of JSON: after a colon, a bracket or a comma, and before one.
_JSON = re.compile(
    rb'(?<=[:\[,])\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)(?=\s*[,\]}])'
)
_JSON_ODD = (
    b"null", b"true", b'"12"', b'""', b"-1", b"91", b"181", b"1e308", b"1e400", b"NaN",
    b"-Infinity", b"0.1", b"9223372036854775808", _LONG, b"[]", b"{}", b"[null]", b'{"":[]}',
    b'"\\ud800"', b'"\\u0000\\u202e"', b'"%s"' % _TEXT, b'"%s"' % _CYRILLIC,
    b'"9999-12-31T23:59:59.999999-14:00"', b'"0001-01-01T00:00:00+14:00"',
    b'"2026-06-30T23:59:60Z"', b'"24:00:00"',
)  # fmt: skip
# In the place of a text between tags or of an attribute, or of what stands behind `name=`.
_XML = re.compile(rb'>([^<>]+)<|="([^"<>]*)"')
_PAIR = re.compile(rb"(?m)^[\w.\[\]]+=(.*?)\r?$|(?<=[?&;])\w+=([^&;\s]*)")
_TEXT_ODD = (
    b"", b" ", b"true", b"12", b"-1", b"91", b"181", b"1e308", b"1e400", b"NaN", b"INF", b"0.1",
    b"9223372036854775808", _LONG, _TEXT, b"&#x202e;", _CYRILLIC,
    b"9999-12-31T23:59:59.999999-14:00", b"0001-01-01T00:00:00+14:00",
    b"2026-06-30T23:59:60Z", b"24:00:00",
)  # fmt: skip
_KINDS = ((_JSON, _JSON_ODD), (_XML, _TEXT_ODD), (_PAIR, _TEXT_ODD))


def odd_values(sample: Sample, most: int) -> Iterator[tuple[str, Payload]]:
    """The sample with one value replaced, each with its name; a choice of `most` that stays."""
    body = sample.body
    if len(body) > _BODY_MAX:
        return
    places = [
        (match.start(group), match.end(group), odd)
        for pattern, values in _KINDS
        for match in pattern.finditer(body)
        for group in range(1, pattern.groups + 1)
        if match.start(group) >= 0
        for odd in values
    ]
    chance = random.Random(sample.name)  # noqa: S311 - repeatable on purpose
    for start, end, odd in chance.sample(places, min(most, len(places))):
        # The value itself may be personal.
        name = f"{odd[:40].decode()} in place of the value at byte {start}"
        yield name, sample.payload(body[:start] + odd + body[end:])


_BOUNDS = {"lat": (-90, 90), "lon": (-180, 180), "speed_kmh": (0, math.inf)}


def absurd(value: Any, path: str = "") -> Iterator[str]:
    """Numbers of a decoded event that can't be: not finite, off the earth, below no speed."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from absurd(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for each in value:
            yield from absurd(each, path)
    elif isinstance(value, float):
        low, high = _BOUNDS.get(path.rsplit(".", 1)[-1], (-math.inf, math.inf))
        if not math.isfinite(value) or not low <= value <= high:
            yield f"{path} is {value:g}"
