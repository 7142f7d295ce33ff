"""The wire format of Protocol Buffers, as far as a table of field numbers tells what is in it.

For the one or two messages of a standard that a connector reads; what the table does not name is
skipped, as the format asks of readers. Groups, which are gone from the format since 2008, are
refused.

Traps handled: lengths beyond the end, numbers without end, a text that is no UTF-8; a member that
comes in two pieces, which are one; negative numbers of ten bytes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from connectors._formats.text import clean
from hub.errors import PayloadError

__all__ = ["Fields", "Member", "fields_of", "read_message"]

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_FIXED: Final = {_EIGHT: 8, _FOUR: 4}
_VARINT_MAX_BITS: Final = 63  # ten bytes of seven bits
_SIGNED_FROM: Final = 1 << 63


class Member(NamedTuple):
    """What a field number stands for; `kind` is the table of a message in the message."""

    name: str
    kind: "Literal['text', 'integer'] | Fields"
    many: bool = False


Fields = Mapping[int, Member]


def fields_of(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field, in order; `PayloadError` where the bytes are no message.

    Fields of fixed length come as their bytes.
    """
    at, end = 0, len(data)
    while at < end:
        begin = at
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        else:
            size = _FIXED.get(wire, -1)
        if size < 0 or key < 8:
            raise _malformed("a field of no known type", begin)
        if size > end - at:
            raise PayloadError(
                f"the message ends within the field at byte {begin}", code="truncated"
            )
        yield key >> 3, data[at : at + size]
        at += size


def read_message(data: bytes, fields: Fields, into: dict[str, Any] | None = None) -> dict[str, Any]:
    """The named members: texts, integers, messages as objects, lists of what may repeat."""
    found: dict[str, Any] = {} if into is None else into
    for number, value in fields_of(data):
        member = fields.get(number)
        if member is None:
            continue
        name, kind, many = member
        if many:
            found.setdefault(name, []).append(_value(value, kind, name))
        elif isinstance(kind, str):
            found[name] = _value(value, kind, name)
        else:
            found[name] = read_message(_bytes(value, name), kind, found.get(name))
    return found


def _value(value: int | bytes, kind: "str | Fields", name: str) -> Any:
    if kind == "integer":
        if not isinstance(value, int):
            raise PayloadError("expected a number", code="wrong-type", path=name)
        return value if value < _SIGNED_FROM else value - 2 * _SIGNED_FROM
    data = _bytes(value, name)
    if not isinstance(kind, str):
        return read_message(data, kind)
    try:
        return clean(data.decode())
    except UnicodeDecodeError as error:
        raise PayloadError("a text that is no UTF-8", code="encoding", path=name) from error


def _bytes(value: int | bytes, name: str) -> bytes:
    if isinstance(value, bytes):
        return value
    raise PayloadError("expected a text or a message", code="wrong-type", path=name)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    if at < len(data) and data[at] < 0x80:  # most are a single byte
        return data[at], at + 1
    value = shift = 0
    for place in range(at, len(data)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2 * _SIGNED_FROM - 1), place + 1
        shift += 7
        if shift > _VARINT_MAX_BITS:
            raise _malformed("a number without end", at)
    raise PayloadError(f"the message ends within the number at byte {at}", code="truncated")


def _malformed(what: str, at: int) -> PayloadError:
    return PayloadError(f"{what}, at byte {at}: no Protocol Buffers message", code="malformed")
