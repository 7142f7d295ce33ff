"""Stamps in local spellings, rewritten as ISO 8601 for `read_stamp`: a pure matter of letters.

Which of two numbers is the day, a text can't say (`09/10/2026`), so the format's own order is told.
What is not recognised comes back as it was, and `read_stamp` judges it.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

__all__ = ["Order", "as_iso", "iso_of_ms"]

Order = Literal["ymd", "dmy", "mdy"]

_HALF: Final = r"(?:AM|PM|[ap]\.m\.|SA|CH|上午|下午)"
_CLOCK: Final = (
    rf"(?P<before>{_HALF})?\s*(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})"
    rf"(?::(?P<second>\d{{2}}(?:\.\d+)?))?\s*(?P<after>{_HALF})?"
)
_ZONE: Final = r"\s*(?P<zone>Z|UTC?|GMT|[+-]\d{2}:?\d{2})?"
_NUMBERS: Final = re.compile(
    rf"(\d{{1,4}})[/.-](\d{{1,2}})[/.-](\d{{1,4}})[\s,T]+{_CLOCK}{_ZONE}", re.ASCII | re.IGNORECASE
)
_WORDS: Final = re.compile(
    rf"(?:[a-z]{{2,9}}\.?,?\s+)?(\d{{1,2}})[\s-]([a-z]{{3}})[a-z]*\.?[\s-](\d{{4}}),?\s+"
    rf"{_CLOCK}{_ZONE}",
    re.ASCII | re.IGNORECASE,
)
_MONTH_OF: Final = {
    name: number
    for number, name in enumerate(re.findall("...", "janfebmaraprmayjunjulaugsepoctnovdec"), 1)
}
_MORNING: Final = frozenset({"am", "a.m.", "sa", "上午"})
_PLACES: Final = {"ymd": (1, 2, 3), "dmy": (3, 2, 1), "mdy": (3, 1, 2)}
_LENGTH_MAX: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def as_iso(text: str, order: Order) -> str:
    """`21/09/2018 6:30:00 AM` as `2018-09-21T06:30:00`; also month names, 下午, and SA and CH."""
    if text[4:5] == "-" or len(text) > _LENGTH_MAX:
        return text
    found = _NUMBERS.fullmatch(text.strip())
    if found is not None:
        year, month, day = (found[place] for place in _PLACES[order])
        if len(found[1]) == 4:  # a year can't be mistaken for a day
            year, month, day = found[1], found[2], found[3]
        return _iso(found, year, month, day) if len(year) == 4 else text
    found = _WORDS.fullmatch(text.strip())
    if found is not None and found[2].lower() in _MONTH_OF:
        return _iso(found, found[3], str(_MONTH_OF[found[2].lower()]), found[1])
    return text


def iso_of_ms(value: object) -> str:
    """Milliseconds since 1970 as ISO 8601; empty for what is no such number."""
    if type(value) is not int or not 0 < value < 253_402_300_800_000:
        return ""
    return (_EPOCH + timedelta(milliseconds=value)).isoformat()


def _iso(found: re.Match[str], year: str, month: str, day: str) -> str:
    hour = int(found["hour"])
    half = (found["before"] or found["after"] or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (0 if half in _MORNING else 12)
    zone = (found["zone"] or "").upper()
    zone = "Z" if zone in {"UT", "UTC", "GMT"} else zone
    date = f"{year}-{month.zfill(2)}-{day.zfill(2)}"
    return f"{date}T{hour:02}:{found['minute']}:{found['second'] or '00'}{zone}"
