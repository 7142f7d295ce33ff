"""Texts as the hub stores them: composed (NFC), trimmed, without control characters."""

import re
from unicodedata import is_normalized, normalize

__all__ = ["clean", "nfc", "snake"]

# Control characters but tab and line feed, and lone surrogates, which no encoder takes.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def nfc(text: str) -> str:
    """The text in NFC: Vietnamese letters arrive composed from one source, apart from another."""
    if text.isascii() or is_normalized("NFC", text):
        return text
    return normalize("NFC", text)


def clean(text: str) -> str:
    """The text in NFC, with line feeds only, no control characters and no blanks around."""
    if text.isascii() and text.isprintable():  # most are
        return text.strip()
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text.isprintable():
        text = _UNWANTED.sub("", text)
    return nfc(text)


def snake(name: str) -> str:
    """`VehicleObstruction` as `vehicle_obstruction`, for use in an event's kind."""
    return _NOT_WORD.sub("_", _HUMP.sub("_", name).lower()).strip("_")
