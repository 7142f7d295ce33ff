"""Reads the stamps that cameras and roadside devices really send.

Every oddity here was seen on a wire: no offset, `-8:00`, an offset that lost its sign, no seconds,
`24:00:00`, minute 61, digits without separators. A stamp is never dropped for being wrong: it is
kept with a quality and flags, and the reader decides.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from hub.connector import Options, TimeQuality

__all__ = ["Stamp", "read_epoch", "read_stamp"]

_AHEAD_OK_S = 300
_LENGTH_MAX = 80
_EPOCH_MAX = 4_102_444_800  # the year 2100, in seconds
_OFFSET_MAX = timedelta(hours=15)

_ZONE = r"(?P<zone>[Zz]|UTC|GMT|[+\-\u2212]\s*\d{1,2}(?:\s*:?\s*\d{2}){0,2})?"
_SPELLINGS = (
    # 2026-07-05T20:44:40.123+07:00 and all that leaves something out; `lost` is an offset
    # without its sign: `19:46:3100:00`, or a `+` that a form decoder made a blank.
    re.compile(
        r"(?P<year>\d{4})\s*[-/.]\s*(?P<month>\d{1,2})\s*[-/.]\s*(?P<day>\d{1,2})"
        r"(?:(?:\s*[Tt_,]\s*|\s+|(?<=\d\d))"
        r"(?P<hour>\d{1,2})\s*:\s*(?P<minute>\d{1,2})"
        r"(?:\s*:\s*(?P<second>\d{1,2})(?:\s*[.,]\s*(?P<fraction>\d+))?)?"
        r"\s*(?:" + _ZONE + r"|(?P<lost>\d{1,2}:\d{2}(?::\d{2})?)))?",
        re.ASCII,
    ),
    # 20240119111719654, 20240119T111719.654Z; four loose digits after the second may be a
    # fraction or an offset, so they are dropped.
    re.compile(
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
        r"(?:\s*[Tt_-]?\s*(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
        r"(?:(?P<lost>\d{4})|[.,]?(?P<fraction>\d+))?"
        r"\s*" + _ZONE + r")?",
        re.ASCII,
    ),
)
_BLANK = re.compile(r"[\s\ufeff\u200b]+")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp as read: `at` in UTC, or None with the reason among the flags."""

    at: datetime | None
    quality: TimeQuality
    flags: tuple[str, ...]
    raw: str


def read_stamp(
    raw: str,
    *,
    received_at: datetime,
    options: Options,
    replayed: bool = False,
    late_ok_s: int = 259_200,
) -> Stamp:
    """Read a stamp; no text makes this raise.

    A stamp is SUSPECT (flag `clock_suspect`) when it is more than 300 s ahead of `received_at` or
    more than `options.clock_tolerance_s` behind it; replayed payloads get `late_ok_s` on top.
    """
    text = _BLANK.sub(" ", raw).strip()
    if not text:
        return Stamp(None, "RECEIVED", ("time_missing",), raw)
    try:
        found = _match(text)
        zone, repaired = _zone(found)
        wall, carried = _wall(found)
        quality: TimeQuality = "ASSUMED_ZONE" if zone is None else "DEVICE"
        at = wall.replace(tzinfo=zone or options.tzinfo).astimezone(UTC)
    except (ValueError, OverflowError):
        return Stamp(None, "RECEIVED", ("time_unreadable",), raw)
    flags = ("time_repaired",) if repaired or carried else ()
    tolerance_s = options.clock_tolerance_s + (late_ok_s if replayed else 0)
    if not _near(at, received_at, tolerance_s):
        quality, flags = "SUSPECT", (*flags, "clock_suspect")
    return Stamp(at, quality, flags, raw)


def read_epoch(
    seconds: float | None,
    *,
    received_at: datetime,
    options: Options,
    replayed: bool = False,
    late_ok_s: int = 259_200,
) -> Stamp:
    """Read seconds since 1970, with a fraction; no number makes this raise.

    0, negative ones and those past the year 2100 are unreadable; else as `read_stamp`.
    """
    if not seconds:
        return Stamp(None, "RECEIVED", ("time_missing",), "")
    raw = f"{seconds:f}"
    if not 0 < seconds < _EPOCH_MAX:
        return Stamp(None, "RECEIVED", ("time_unreadable",), raw)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(seconds * 1e6))
    if not _near(at, received_at, options.clock_tolerance_s + (late_ok_s if replayed else 0)):
        return Stamp(at, "SUSPECT", ("clock_suspect",), raw)
    return Stamp(at, "DEVICE", (), raw)


def _near(at: datetime, received_at: datetime, late_ok_s: int) -> bool:
    """Whether a stamp can be believed: 300 s ahead of receipt at most, and not too far behind."""
    return -_AHEAD_OK_S <= (received_at - at).total_seconds() <= late_ok_s


def _match(text: str) -> re.Match[str]:
    """The first spelling that fits the text, or the text without its blanks."""
    if len(text) <= _LENGTH_MAX:
        for candidate in (text, text.replace(" ", "")):
            for spelling in _SPELLINGS:
                if found := spelling.fullmatch(candidate):
                    return found
    raise ValueError(text)


def _zone(found: re.Match[str]) -> tuple[tzinfo | None, bool]:
    """The zone the stamp names, None without one; and whether something about it was mended."""
    if found["lost"]:
        return None, True
    text = found["zone"]
    if not text:
        return None, False
    if text[0] not in "+-\u2212":
        return UTC, False
    digits = re.sub(r"\D", " ", text[1:]).split() if ":" in text else [text[1:].strip()]
    if len(digits) == 1 and len(digits[0]) > 2:  # +0700, +700
        digits = [digits[0][:-2], digits[0][-2:]]
    hours, minutes, seconds = (int(part) for part in [*digits, "0", "0"][:3])
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if offset > _OFFSET_MAX or minutes > 59 or seconds > 59:
        return None, True
    return timezone(offset if text[0] == "+" else -offset), False


def _wall(found: re.Match[str]) -> tuple[datetime, bool]:
    """The clock's reading without a zone, and whether a part had to be carried or was absent."""
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if hour > 24 or minute > 61 or second > 61:
        raise ValueError(found[0])
    fraction = int((found["fraction"] or "")[:6].ljust(6, "0"))
    day = datetime(int(found["year"]), int(found["month"]), int(found["day"]))  # noqa: DTZ001 - the caller adds the zone
    wall = day + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    carried = minute > 59 or second > 59 or (hour == 24 and wall.hour + wall.minute + second > 0)
    return wall, carried or found["hour"] is None
