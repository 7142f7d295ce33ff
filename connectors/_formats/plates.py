"""Plates as cameras spell them, made comparable: upper case letters and digits only.

Separators differ by vendor (`30K-123.45`, `30K 123 45`, two lines), Đ arrives as D, and some
readers return Cyrillic or Greek letters that only look Latin. Words for "no plate" become ''.
"""

import re
from typing import Any
from unicodedata import normalize as unicode_form

__all__ = ["normalise", "read_plate", "without_plate"]

_COLOURS = frozenset({"WHITE", "YELLOW", "BLUE", "RED", "GREEN", "BLACK"})

_TELLING = 4  # characters; fewer stand in any id by chance
_LOOK_ALIKES = str.maketrans(
    "\u0110\u00d0\u0189"  # Đ, Eth, African D
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "DDDABEKMHOPCTYXIJSABEZHIKMNOPTYX",
)
_OTHER = re.compile(r"[^A-Z0-9]+")
_UNREAD = re.compile(
    r"UNK|UNKNOWN?|UNLICENSED|NO(?:NE)?|NULL|NA|NOPLATE|NOREAD|NOTREAD|UNREADABLE|UNRECOGNI[SZ]ED"
)
_UNREAD_PREFIX = "UNK-"  # DeepStream's UNK-M-0


def normalise(raw: str) -> str:
    """The plate's letters and digits, `Đ` as `D`; '' when the source says it read none."""
    text = unicode_form("NFKC", raw).upper().translate(_LOOK_ALIKES)
    if text.lstrip().startswith(_UNREAD_PREFIX):
        return ""
    text = _OTHER.sub("", text)
    return "" if _UNREAD.fullmatch(text) else text


def read_plate(
    raw: str, *, category: str = "UNKNOWN", colour: str = "", confidence: float | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An event's `restricted.plate`, and the flag `plate_unread` when the camera read none.

    A confidence of 0 beside an unread plate is no confidence.
    """
    text = normalise(raw)
    plate = {
        "raw": raw,
        "text": text,
        "category": category,
        "colour": colour.upper() if colour.upper() in _COLOURS else "UNKNOWN",
        "confidence": confidence if text else confidence or None,
    }
    return plate, () if text else ("plate_unread",)


def without_plate(reported_id: str, plate: str) -> tuple[str | None, tuple[str, ...]]:
    """A source's own id, unless it spells the plate: then None, and a flag."""
    if len(plate) >= _TELLING and plate in normalise(reported_id):
        return None, ("native_id_withheld",)
    return reported_id or None, ()
