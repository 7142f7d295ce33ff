"""One spelling of a plate: upper case letters and digits, and what was lost on the way to it."""

import re
from typing import NamedTuple
from unicodedata import category, normalize

from hub.plates.tables import LOOK_ALIKES, SENTINEL_PREFIX, SENTINELS

__all__ = ["Normal", "normalise"]

_TAKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_OTHER = re.compile(r"[^A-Z0-9]+")


class Normal(NamedTuple):
    """A text as it is compared."""

    norm: str
    """A to Z and 0 to 9 only; '' when nothing was read."""
    folded: tuple[tuple[str, str], ...] = ()
    """Letters and digits of other scripts or widths, and the plain ones taken for them."""
    dropped: str = ""
    """Letters and digits without a plain form (`浙`): the norm lacks them, so it is not a plate."""
    sentinel: bool = False
    """Whether it is the device's word for "nothing read"."""


def normalise(raw: str) -> Normal:
    """NFC, upper case, `Đ` as D, look-alikes folded; separators, line ends and badges left out.

    Never longer than the text in NFC: a character becomes one character or none.
    """
    folded: tuple[tuple[str, str], ...] = ()
    if raw.isascii():
        upper, dropped = raw.upper(), ""
        norm = upper if upper.isalnum() else _OTHER.sub("", upper)
    else:
        upper = normalize("NFC", raw).upper()
        norm, folded, dropped = _plain(raw)
    if not norm or norm in SENTINELS or not norm.strip("0"):
        return Normal("", folded, dropped, sentinel=True)
    if upper.lstrip().startswith(SENTINEL_PREFIX):
        return Normal("", folded, dropped, sentinel=True)
    return Normal(norm, folded, dropped)


def _plain(raw: str) -> tuple[str, tuple[tuple[str, str], ...], str]:
    norm, folded, dropped = [], [], []
    for given in normalize("NFC", raw):
        upper = given.upper()
        if upper in _TAKEN:
            norm.append(upper)
        elif upper == "\u0110":  # Đ is a letter of plates, not a look-alike
            norm.append("D")
        elif plain := _folded(given):
            norm.append(plain)
            folded.append((given, plain))
        elif category(given)[0] in "LN":
            dropped.append(given)
    return "".join(norm), tuple(folded), "".join(dropped)


def _folded(given: str) -> str:
    """The one plain character that another width, style or script draws; '' for none."""
    upper = normalize("NFKC", given).upper()
    if upper in _TAKEN:
        return upper
    return LOOK_ALIKES.get(upper, "")
