"""What stands for an event's plate in a view that may not know it, read from the event's bytes.

`restricted` begins with the plate, and the plate with its texts, category and colour: so three
lengths lead to the pseudonym, and nothing is decoded (1.5 µs, decoding takes 15).
"""

from hub.codec import read_long
from hub.plates import CATEGORIES, COLOURS, Pseudonyms
from hub.plates.pseudonym import parts

__all__ = ["NO_PSEUDONYM", "pseudonym"]

NO_PSEUDONYM = b"\x00"
"""`view.pseudonym` as Avro writes it, where there is none."""
_PSEUDONYM = b"\x02\x40"  # the union's second branch, and a text of 32 bytes
_PLATE = 2  # the second branch of the union of null and a plate
_LENGTHS = tuple(parts("x" * length)[:4] for length in range(64))
_VEHICLES = {
    bytes((number << 1, place << 1)): parts(category, colour)
    for number, category in enumerate(CATEGORIES)
    for place, colour in enumerate(COLOURS)
}
"""Category and colour, as Avro writes them, as parts of the key of a vehicle."""


def pseudonym(value: bytes, start: int, end: int, known: Pseudonyms, at_us: int) -> bytes:
    """`view.pseudonym`, encoded, of a framed event whose `restricted` is `value[start:end]`.

    `at_us` is the event's time, from which its month is taken. Raises `ValueError`, `KeyError` or
    `IndexError` where the bytes are no `restricted`.
    """
    if not value[start]:
        return NO_PSEUDONYM
    raw = value[start + 1]
    at = start + 2 + (raw >> 1)
    length = value[at]
    if (raw | length) & 0x81:
        return _of_long(value, start, end, known, at_us)
    text_end = at + 1 + (length >> 1)
    if value[start] != _PLATE or text_end + 2 > end:
        raise ValueError("no plate where restricted should begin with one")
    if not length:
        return NO_PSEUDONYM
    vehicle = _VEHICLES[value[text_end : text_end + 2]]
    named = _LENGTHS[length >> 1] + value[at + 1 : text_end] + vehicle
    return _PSEUDONYM + known.letters(named, at_us)


def _of_long(value: bytes, start: int, end: int, known: Pseudonyms, at_us: int) -> bytes:
    """The same where a text is longer than 63 bytes, or a length is none."""
    length, at = read_long(value, start + 1)
    if value[start] != _PLATE or not 0 <= length <= end - at:
        raise ValueError(f"a plate of {length} bytes")
    length, at = read_long(value, at + length)
    text_end = at + length
    if length < 0 or text_end + 2 > end:
        raise ValueError(f"a plate's text of {length} bytes")
    if not length:
        return NO_PSEUDONYM
    vehicle = _VEHICLES[value[text_end : text_end + 2]]
    named = length.to_bytes(4, "big") + value[at:text_end] + vehicle
    return _PSEUDONYM + known.letters(named, at_us)
