"""Which text of a decree held at the time of an act, and how long an act can be fined.

Days are days in Hanoi. The table is `data/decrees.toml`; a decree that is not in it is not wrong,
only not on record.
"""

import calendar
import tomllib
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.law.codes import Code

__all__ = ["Text", "hanoi_day", "limitation_ends", "text_at", "texts", "texts_of"]

_HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
_DATA = Path(__file__).parent / "data" / "decrees.toml"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Text:
    """A decree as it read from one day until another (not included); None: until further notice."""

    namespace: str
    version: str
    valid_from: date
    source: str
    valid_to: date | None = None
    remark: str = ""

    def holds(self, day: date) -> bool:
        """Whether acts of that day are judged by it."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@cache
def texts() -> tuple[Text, ...]:
    """Every text on record, oldest first."""
    found = [Text(**row) for row in tomllib.loads(_DATA.read_text("utf-8"))["text"]]
    return tuple(sorted(found, key=lambda text: (text.valid_from, text.namespace)))


def texts_of(code: Code) -> tuple[Text, ...]:
    """The texts of a code's decree, oldest first; none when it is not on record."""
    return tuple(text for text in texts() if text.namespace == code.namespace)


def text_at(code: Code, at: datetime) -> Text | None:
    """The text of a code's decree that held at a time; None: it did not, or is not on record."""
    day = hanoi_day(at)
    return next((text for text in texts_of(code) if text.holds(day)), None)


def hanoi_day(at: datetime) -> date:
    """The day in Hanoi of an aware time."""
    if at.utcoffset() is None:
        raise ValueError("a time without an offset")
    try:
        return at.astimezone(_HANOI).date()
    except OverflowError:  # the calendar's first and last hours, which wrong clocks send
        return at.date()


def limitation_ends(at: datetime) -> datetime:
    """When an act recorded at a time can be fined no more, and its evidence is worth no more (UTC).

    One year, to the end of its last day (Decree 168/2024, article 4(1) to (3)); a 29 February ends
    on a 28th. Evading the authorities starts it anew: only people know of that.
    """
    day = hanoi_day(at)
    year = day.year + 1
    if year > MAXYEAR:
        return datetime.max.replace(tzinfo=UTC)
    last = day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))
    return datetime.combine(last, time.max, _HANOI).astimezone(UTC) + _MICROSECOND
