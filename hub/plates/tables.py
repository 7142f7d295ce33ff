"""What the rules of plates list: letters, series, local codes, colours, look-alikes, empty words.

Of the local codes only those of Hanoi and of the central bodies have a name here, and the ones that
were never issued are known; the other provinces' are accepted without a name. Their names changed
with the mergers of July 2025, so a table of them must be dated and confirmed by the city first.
"""

from datetime import date, datetime
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo

from schemas.models import PlateCategory, PlateColour

__all__ = [
    "BLUE_SERIES",
    "CATEGORIES",
    "COLOURS",
    "DIGIT_FOR",
    "ISSUED",
    "LETTER_FOR",
    "LOCAL_CODES",
    "LOOK_ALIKES",
    "PLATE_COLOURS",
    "SECOND_SERIES",
    "SENTINELS",
    "SENTINEL_PREFIX",
    "SERIES",
    "SPECIAL_SERIES",
    "WRITTEN",
    "LocalCode",
    "hanoi_day",
    "province",
]

_HANOI = ZoneInfo("Asia/Ho_Chi_Minh")

CATEGORIES: tuple[PlateCategory, ...] = get_args(PlateCategory)
"""`PlateCategory` of schemas/avro/restricted.avsc."""
COLOURS: tuple[PlateColour, ...] = get_args(PlateColour)
"""`PlateColour` of schemas/avro/restricted.avsc."""
PLATE_COLOURS = frozenset({"WHITE", "YELLOW", "BLUE", "RED"})
"""Colours that plates have. An electric vehicle has a green sticker, not a green plate."""

SERIES = "ABCDEFGHKLMNPSTUVXYZ"
"""The 20 letters of a series (Circular 79/2024, article 37(5)(c)): no I, J, O, Q, R, W."""
BLUE_SERIES = SERIES[:11]
"""Those of blue plates (article 37(5)(a) and (b))."""
SECOND_SERIES = "ABCDEFGHKLMNPRSTUVXYZ"
"""Second letters of a motorbike. Article 37(5)(d) has G, Appendix 04 (2.1.3) R in its place."""
SPECIAL_SERIES = ("CD", "RM", "HC", "KT", "MK", "TD", "LD", "DA", "MD", "R", "CT", "LB")
"""Special machinery, trailers, limited range, military enterprises (article 37(5)(e)); from MK on,
series given before and still legal (article 39(3)). Đ is written D."""
WRITTEN = {"TD": "TĐ", "MD": "MĐ"}
"""Series whose D is a Đ on the plate."""


class LocalCode(NamedTuple):
    """Who gives plates under a local code, from a day in Hanoi until the next row of the code."""

    code: str
    province: str
    since: date


_IN_FORCE = date(2025, 1, 1)  # Circular 79/2024, article 38
LOCAL_CODES = (
    *(LocalCode(code, "Hà Nội", _IN_FORCE) for code in ("29", "30", "31", "32", "33", "40")),
    LocalCode("80", "Cục Cảnh sát giao thông", _IN_FORCE),
)
"""Named codes of Appendix 02. Hanoi was not merged in July 2025; 80 is the Traffic Police
Department's, for central bodies and missions. Earlier days are not modelled."""
_BY_CODE = {
    row.code: tuple(each for each in LOCAL_CODES if each.code == row.code) for row in LOCAL_CODES
}
_NEVER_ISSUED = frozenset({"13", "42", "44", "45", "46", "87", "91", "96"})
ISSUED = frozenset(str(code) for code in range(11, 100)) - _NEVER_ISSUED
"""Local codes of Appendix 02, which begins at 11."""


def hanoi_day(at: datetime) -> date:
    """The day in Hanoi of a time with its offset; raises `ValueError` on one without."""
    if at.utcoffset() is None:
        raise ValueError("a time without an offset")
    try:
        return at.astimezone(_HANOI).date()
    except OverflowError:  # the calendar's first and last hours, which wrong clocks send
        return at.date()


def province(code: str, on: date | None) -> str:
    """Who gave plates under a local code on a day; None asks for the newest. '' is not modelled."""
    found = ""
    for row in _BY_CODE.get(code, ()):
        if on is None or row.since <= on:
            found = row.province
    return found


DIGIT_FOR = {"O": "0", "D": "0", "Q": "0", "I": "1", "L": "1", "Z": "2",
             "A": "4", "S": "5", "G": "6", "T": "7", "B": "8"}  # fmt: skip
"""The digit that a letter in a digit's place was."""
LETTER_FOR = {"0": "D", "2": "Z", "4": "A", "5": "S", "6": "G", "7": "T", "8": "B"}
"""The letter that a digit in a letter's place was. 1 was none: I is in no series."""

LOOK_ALIKES = dict(
    zip(
        "\u00d0\u0189"  # Eth, African D
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
        "DDABEKMHOPCTYXIJSABEZHIKMNOPTYX",
        strict=True,
    )
)
"""Letters of other scripts that are drawn like a Latin one: Cyrillic, Greek."""

SENTINELS = frozenset(
    {"UNK", "UNKNOW", "UNKNOWN", "UNLICENSED", "NO", "NONE", "NULL", "NA", "NOPLATE", "NOREAD",
     "NOTREAD", "UNREADABLE", "UNRECOGNISED", "UNRECOGNIZED"}
)  # fmt: skip
"""What devices send when they read nothing, normalised. Zeros only, and nothing, are it too."""
SENTINEL_PREFIX = "UNK-"
"""As in `UNK-M-0`: a vehicle without a reading."""
