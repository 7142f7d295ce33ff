"""Bytes that may be gzip, read as they inflate: never whole, and never without bound."""

import zlib
from collections.abc import Iterator
from typing import Final

from hub.errors import PayloadError

__all__ = ["lines_of", "pieces_of"]

_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 65_536


def lines_of(
    body: bytes, *, max_bytes: int = 512 * 1024 * 1024, max_line: int = 65_536
) -> Iterator[bytes]:
    """Each line without its end; `PayloadError` where the bytes break off or exceed a bound.

    What came before a break has been yielded by then.
    """
    rest = b""
    for piece in pieces_of(body, max_bytes=max_bytes):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
        if len(rest) > max_line:
            raise PayloadError(f"a line of more than {max_line} bytes", code="too-large")
    if rest:
        yield rest.rstrip(b"\r")


def pieces_of(body: bytes, *, max_bytes: int = 512 * 1024 * 1024) -> Iterator[bytes]:
    """The bytes in pieces of 64 KiB at most, inflated where they are gzip; else as `lines_of`."""
    if not body.startswith(_MAGIC):
        for start in range(0, len(body), _STEP):
            yield body[start : start + _STEP]
        return
    total = 0
    while body:
        member = zlib.decompressobj(_GZIP)
        waiting = body
        while not member.eof:
            try:
                piece = member.decompress(waiting, _STEP)
            except zlib.error as error:
                raise PayloadError(f"no whole gzip: {error}", code="gzip") from error
            waiting = member.unconsumed_tail
            total += len(piece)
            if total > max_bytes:
                raise PayloadError(f"more than {max_bytes} bytes inflated", code="too-large")
            if not (piece or waiting or member.eof):
                fix = "fetch it again: what came before the break was read"
                raise PayloadError("the gzip breaks off", code="gzip-truncated", fix=fix)
            yield piece
        body = member.unused_data.lstrip(b"\0")
