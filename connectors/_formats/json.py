"""JSON of sources nobody controls, and typed access whose errors name the field.

Python's own reader accepts NaN, infinities, doubled keys, lone surrogates and any depth its stack
bears; `parse_json` refuses them with a `PayloadError` and raises nothing else. In lists of
`records` that a connector names, what is wrong with one costs that one alone: see `flaws.py`.

Traps handled: a byte order mark, UTF-16 and UTF-32; `1e400`; integers of 5,000 digits; 200,000
brackets; a boolean or a digit string where a number belongs.
"""

import json
import math
import re
from typing import Any

from connectors._formats.flaws import (
    PER_RECORD,
    Broken,
    Flaw,
    Records,
    no_number,
    set_apart,
    twice_in,
)
from connectors._formats.text import clean
from hub.errors import PayloadError

__all__ = [
    "Path",
    "a_list",
    "a_number",
    "a_text",
    "an_integer",
    "an_object",
    "parse_json",
    "scan_json",
    "shown",
]

Path = tuple[str | int, ...]
"""Where a value stands: member names and places in lists."""

_KINDS = {str: "a text", list: "a list", dict: "an object", bool: "yes or no"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"[]{}", b"()()")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def parse_json(
    body: bytes,
    *,
    records: Records = (),
    max_bytes: int = 16 * 1024 * 1024,
    max_depth: int = 64,
) -> Any:
    """The value in a payload; `PayloadError` for everything that is not strict JSON.

    With `records`, a record with a flaw of its own is a `Broken`, which typed access refuses.
    """
    if len(body) > max_bytes:
        raise PayloadError(f"{len(body)} bytes of JSON, at most {max_bytes}", code="too-large")
    text = _decoded(body)
    if not text.strip():
        raise PayloadError("an empty payload instead of a JSON document", code="empty")
    try:
        return _read(_DECODER, text, max_depth)
    except PayloadError as error:
        if not records or error.code not in PER_RECORD:
            raise
    return set_apart(_read(_MARKING, text, max_depth), records)


def _read(decoder: json.JSONDecoder, text: str, max_depth: int) -> Any:
    try:
        value = decoder.decode(text)
        if decoder is _DECODER and _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise PayloadError("a lone surrogate in a JSON text", code="encoding") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except ValueError as error:
        raise PayloadError(f"no well-formed JSON: {error}", code="malformed") from error
    if _deeper_than(max_depth, text):
        raise _too_deep(max_depth)
    return value


def scan_json(text: str, at: int, *, max_depth: int = 64) -> tuple[Any, int]:
    """The value that begins at a place of a text, and where it ends; `PayloadError` as above."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except ValueError as error:
        raise PayloadError(f"no well-formed JSON: {error}", code="malformed") from error
    if _deeper_than(max_depth, text[at:end]):
        raise _too_deep(max_depth)
    return value, end


def shown(path: Path) -> str:
    """A path as errors name it: `payload/data/states[2]/signalGroup`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f"/{step}"
    return text.removeprefix("/")


def an_object(value: Any, path: Path) -> dict[str, Any]:
    """The value as an object."""
    if isinstance(value, dict):
        return value
    raise _wrong(value, path, "an object")


def a_list(value: Any, path: Path) -> list[Any]:
    """The value as a list."""
    if isinstance(value, list):
        return value
    raise _wrong(value, path, "a list")


def an_integer(value: Any, path: Path, low: int, high: int) -> int:
    """The value as an integer from `low` to `high`; a boolean is none."""
    if type(value) is int and low <= value <= high:
        return value
    raise _wrong(value, path, f"an integer from {low} to {high}")


def a_number(value: Any, path: Path) -> float:
    """The value as a finite number; a boolean is none."""
    if type(value) in {int, float} and abs(value) < 1e300:
        return float(value)
    raise _wrong(value, path, "a number")


def a_text(value: Any, path: Path) -> str:
    """The value as a clean text; empty for null."""
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    raise _wrong(value, path, "a text")


def _wrong(value: Any, path: Path, expected: str) -> PayloadError:
    if isinstance(value, Broken):
        return value.error(shown(path))
    # Never the value: it may be a plate or a person's.
    found = "nothing" if value is None else _KINDS.get(type(value), "another number")
    code = "missing-field" if value is None else "wrong-type"
    return PayloadError(f"expected {expected}, found {found}", code=code, path=shown(path))


def _too_deep(max_depth: int) -> PayloadError:
    return PayloadError(f"values nested more than {max_depth} deep", code="too-deep")


def _decoded(body: bytes) -> str:
    encoding = json.detect_encoding(body[:4])
    try:
        return body.decode(encoding)
    except UnicodeError as error:
        raise PayloadError(f"the bytes are not {encoding}: {error}", code="encoding") from error


def _deeper_than(max_depth: int, text: str) -> bool:
    """Whether well-formed JSON nests deeper: each round takes away the innermost brackets."""
    body = text.encode("utf-8", "surrogatepass")
    for quoted in (True, False):
        brackets = (body if quoted else _STRING.sub(b"", body)).translate(_BRACKETS, _OTHERS)
        for _ in range(max_depth):
            if not brackets:
                return False
            brackets = brackets.replace(b"()", b"")
        if not brackets:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _refused(twice_in(pairs))
    return members


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _refused(no_number(text))
    return number


def _no_constant(text: str) -> float:
    raise _refused(no_number(text))


def _refused(flaw: Flaw) -> PayloadError:
    return Broken(flaw.code, flaw.what, flaw.key).error()


def _unique_or_marked(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Flaw:
    members = dict(pairs)
    return members if len(members) == len(pairs) else twice_in(pairs)


def _finite_or_marked(text: str) -> float | Flaw:
    number = float(text)
    return no_number(text) if math.isinf(number) else number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)
_MARKING = json.JSONDecoder(
    object_pairs_hook=_unique_or_marked,
    parse_float=_finite_or_marked,
    parse_constant=no_number,
)
