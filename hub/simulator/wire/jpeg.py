"""Tiny pictures: valid baseline JPEG files that differ by what stands in their comment."""

__all__ = ["picture"]

_HEAD = bytes.fromhex("ffd8 ffe0 0010 4a46494600 0101 00 0001 0001 00 00")
_TABLES = (
    bytes.fromhex("ffdb 0043 00") + bytes([8]) * 64  # one quantisation table
    + bytes.fromhex("ffc0 000b 08 0008 0008 01 01 11 00")  # 8 x 8 pixels, one grey component
    + bytes.fromhex("ffc4 0014 00 01") + bytes(15) + b"\x00"  # DC: one code, difference 0
    + bytes.fromhex("ffc4 0014 10 01") + bytes(15) + b"\x00"  # AC: one code, end of block
    + bytes.fromhex("ffda 0008 01 01 00 00 3f 00")
)  # fmt: skip
_END = bytes.fromhex("3f ffd9")  # both codes are the bit 0; the rest of the byte is padding


def picture(comment: bytes) -> bytes:
    """A grey square of 8 x 8 pixels with `comment` (at most 60,000 bytes) in its COM segment."""
    if len(comment) > 60_000:
        raise ValueError("a comment segment holds at most 65,533 bytes")
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return _HEAD + segment + _TABLES + _END
