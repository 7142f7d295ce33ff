"""Reads what the hot path needs of an event's header, in place.

The fixed fields stand at known offsets; after them come three times, the source, the device and
the kind. A time of our days is a varint of eight bytes whose five high bytes change once a second,
so a small table gives its minute without decoding it.
"""

from hub.codec import EARLIEST_US, LATEST_US, MINUTE_US, TIME_QUALITY, VARIABLE, read_long

__all__ = ["COARSE_US", "Heads", "encoded_names", "minute_of"]

# Five high bytes of an eight-byte varint of microseconds leave 2**20 µs open.
COARSE_US = 1 << 20
# Symbols of TimeQuality that make observed_at unusable: SUSPECT and RECEIVED, as Avro writes them.
_UNUSABLE = (3 << 1, 4 << 1)
_TABLE_MAX = 200_000
# What no record has where its source stands: no length is written as a 0 in two bytes.
_NOBODY = (b"\x80\x00", "")


def minute_of(us: int) -> int:
    """The minute of a time, both in µs."""
    return us // MINUTE_US * MINUTE_US


class Heads:
    """Reads heads; remembers what records of one device, or of one second, have in common."""

    __slots__ = ("_keys", "_times")

    def __init__(self) -> None:
        self._keys: dict[bytes, tuple[bytes, str]] = {}
        self._times: dict[bytes, tuple[int, int]] = {}

    def trim(self) -> None:
        """Keep the tables bounded."""
        for table in (self._keys, self._times):
            if len(table) > _TABLE_MAX:
                table.clear()

    def read(self, value: bytes, key: bytes) -> tuple[str, bytes, int, int, bytes]:
        """The head of a framed event; records of one key mostly have one source and device.

        Source, source and device as encoded, minute of received_at in µs, the time place is looked
        up at (up to `COARSE_US` early), and the kind as encoded: a plain tuple, made for every
        record.
        """
        place_us, minute, at = self._time(value, VARIABLE)
        if value[at]:
            observed_us, _, end = self._time(value, at + 1)
            at = end
            if value[TIME_QUALITY] not in _UNUSABLE:
                place_us = observed_us
        else:
            at += 1
        at = read_long(value, at + 1)[1] if value[at] else at + 1
        names, source = self._keys.get(key, _NOBODY)
        if not value.startswith(names, at):
            names, source = self._keys[key] = _names(value, at)
        at += len(names)
        end = at + 1 + (value[at] >> 1)
        if value[at] > 0x7F:
            length, start = read_long(value, at)
            end = start + length
        return source, names, minute, place_us, value[at:end]

    def _time(self, value: bytes, at: int) -> tuple[int, int, int]:
        """A time in µs, its minute, and the offset after it."""
        high = value[at + 3 : at + 8]
        coarse = self._times.get(high)
        # The lowest bit is the sign: the table holds times since 1970 alone.
        if coarse and value[at] & 0x81 == 0x80 and value[at + 1] & value[at + 2] & 0x80:
            return coarse[0], coarse[1], at + 8
        exact, end = read_long(value, at)
        if not EARLIEST_US <= exact <= LATEST_US:
            raise ValueError(f"{exact} µs since 1970 is no time")
        minute = minute_of(exact)
        if end == at + 8 and exact >= 0:
            low = read_long(b"\x80\x80\x80" + high, 0)[0]
            if minute_of(low) == minute_of(low + COARSE_US):
                self._times[high] = (low, minute)
        return exact, minute, end


def encoded_names(source_id: str, device_ref: str) -> bytes:
    """Source and device as the hub writes them in a header."""
    return b"".join(_length(len(text)) + text for text in (source_id.encode(), device_ref.encode()))


def _length(length: int) -> bytes:
    """An Avro long, for lengths."""
    found, rest = bytearray(), length << 1
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes((*found, rest))


def _names(value: bytes, at: int) -> tuple[bytes, str]:
    """source_id and device_ref as they stand at `at`, and the source."""
    start, end = _text(value, at)
    source = value[start:end].decode()
    _, end = _text(value, end)
    return value[at:end], source


def _text(value: bytes, at: int) -> tuple[int, int]:
    """Where a string begins and ends; `ValueError` when it can't be one."""
    length, start = read_long(value, at)
    # Else no bytes at all could be remembered as the names of a key, and fit every record.
    if not 0 <= length <= len(value) - start:
        raise ValueError(f"a string of {length} bytes")
    return start, start + length
