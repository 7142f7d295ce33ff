"""Pictures in base64 inside a document: decoded, and dropped when they may show a person."""

import base64
import binascii
from collections.abc import Iterable

from connectors._formats.multipart import Part
from connectors._formats.pictures import take_pictures
from hub.connector import Picture

__all__ = ["inline_pictures"]


def inline_pictures(
    told: Iterable[tuple[str, str]], *, otherwise: str = ""
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The pictures to keep, and quality flags, of pairs: what a picture shows, and its text.

    An empty text is no picture. `otherwise` is the role where the name tells none; ''
    means that it may show a person.
    """
    parts = [Part(_decoded(text), {"content-id": shows}) for shows, text in told if text]
    return take_pictures(parts, {}, otherwise=otherwise) if parts else ((), ())


def _decoded(text: str) -> bytes:
    """The bytes of base64, with line ends, without padding or as a `data:` URI; else none."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    text = "".join(text.split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
