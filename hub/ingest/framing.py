"""Bytes of the ingest log: segments of checked frames; pure functions, no files.

A segment begins with its header, twice, so that one damaged byte can't make it unreadable:

    magic (8) | first sequence number (8) | marker (4) | seed (4) | CRC-32 of the foregoing (4)

and goes on with frames:

    marker (4) | length (4) | CRC-32 from `seed` over length, sequence and record (4)
    | sequence number (8) | record

Marker and seed are random for each segment. So a payload can't hold a frame that recovery would
take for one, and what an older file left on the disk is never read as this one's.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "FRAME_OVERHEAD",
    "HEADER_LENGTH",
    "MAX_RECORD",
    "Damage",
    "Frame",
    "Segment",
    "encode",
    "new_segment",
    "scan",
    "segment_of",
]

_MAGIC = b"HUBLOG1\n"
_HEADER = struct.Struct("<8sQ4sI")
_CRC = struct.Struct("<I")
_FRAME = struct.Struct("<4sIIQ")
_CHECKED = struct.Struct("<IQ")

FRAME_OVERHEAD = _FRAME.size
_ONE_HEADER = _HEADER.size + _CRC.size
HEADER_LENGTH = 2 * _ONE_HEADER
# Far above any record ingest makes; a length beyond it can only be damage.
MAX_RECORD = 4 * 2**20


class Segment(NamedTuple):
    """What a segment's header says."""

    first: int
    marker: bytes
    seed: int

    def header(self) -> bytes:
        """The bytes a segment file begins with."""
        head = _HEADER.pack(_MAGIC, self.first, self.marker, self.seed)
        return (head + _CRC.pack(zlib.crc32(head))) * 2


class Frame(NamedTuple):
    """One whole record and where it stands in its segment."""

    start: int
    end: int
    sequence: int
    record: bytes


class Damage(NamedTuple):
    """Bytes that are no frame."""

    start: int
    end: int


def new_segment(first: int) -> Segment:
    """A segment whose first record will have that sequence number."""
    return Segment(first, os.urandom(4), int.from_bytes(os.urandom(4), "little"))


def segment_of(data: bytes | memoryview) -> Segment | None:
    """The header of a segment file; None when neither copy is whole."""
    for at in (0, _ONE_HEADER):
        copy = bytes(data[at : at + _ONE_HEADER])
        if len(copy) == _ONE_HEADER and copy.startswith(_MAGIC):
            head, (crc,) = copy[: _HEADER.size], _CRC.unpack(copy[_HEADER.size :])
            if zlib.crc32(head) == crc:
                _, first, marker, seed = _HEADER.unpack(head)
                return Segment(first, marker, seed)
    return None


def encode(segment: Segment, sequence: int, record: bytes) -> bytes:
    """One frame."""
    crc = zlib.crc32(record, zlib.crc32(_CHECKED.pack(len(record), sequence), segment.seed))
    return _FRAME.pack(segment.marker, len(record), crc, sequence) + record


def frame_at(segment: Segment, data: bytes | memoryview, at: int) -> Frame | None:
    """The whole frame at that offset, or None."""
    if at + FRAME_OVERHEAD > len(data):
        return None
    marker, length, crc, sequence = _FRAME.unpack_from(data, at)
    end = at + FRAME_OVERHEAD + length
    if marker != segment.marker or length > MAX_RECORD or end > len(data):
        return None
    record = bytes(data[at + FRAME_OVERHEAD : end])
    if zlib.crc32(record, zlib.crc32(_CHECKED.pack(length, sequence), segment.seed)) != crc:
        return None
    return Frame(at, end, sequence, record)


def scan(segment: Segment, data: bytes, start: int = HEADER_LENGTH) -> Iterator[Frame | Damage]:
    """Frames in order, and the stretches between them that are none.

    After damage it goes on at the next whole frame: a record that was acknowledged and is intact
    is not given up for a neighbour's sake. A sequence number never goes back.
    """
    at, above = start, segment.first - 1
    while at < len(data):
        frame = frame_at(segment, data, at)
        if frame is None or frame.sequence <= above:
            frame = _next_frame(segment, data, at + 1, above)
            end = frame.start if frame else len(data)
            yield Damage(at, end)
            if frame is None:
                return
        yield frame
        at, above = frame.end, frame.sequence


def _next_frame(segment: Segment, data: bytes, at: int, above: int) -> Frame | None:
    while (at := data.find(segment.marker, at)) >= 0:
        frame = frame_at(segment, data, at)
        if frame is not None and frame.sequence > above:
            return frame
        at += 1
    return None
