"""Hours of the day and days of the week in Hanoi, as rules name them. Pure.

`22:00-05:00` crosses midnight and belongs to the day on which it begins: with FRI it ends on
Saturday at 05:00. The end does not belong to it; `24:00` is the end of a day. Hanoi is seven hours
ahead of UTC all year, and has been since 13 June 1975 (IANA, Asia/Ho_Chi_Minh), so that local time
is plain arithmetic and costs no look-up.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["DAYS", "FOREVER_US", "Hours", "day_and_clock", "minutes_of"]

FOREVER_US = 2**62
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

_TEXT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_MINUTE_US = 60_000_000
_WEEK_US = _WEEK * _MINUTE_US
_TOLD_MAX = 3
# 1 January 1970 was a Thursday: the week's clock in Hanoi is this far ahead of its first Monday.
_AHEAD_US = (3 * _DAY + 7 * 60) * _MINUTE_US


def minutes_of(text: str) -> tuple[int, int]:
    """Begin and end of `22:00-05:00` in minutes of the day; `ValueError` says what is wrong."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} are no hours: write 22:00-05:00, up to 24:00")
    from_hour, from_minute, to_hour, to_minute = found.groups()
    begin = int(from_hour) * 60 + int(from_minute)
    end = _DAY if to_hour is None else int(to_hour) * 60 + int(to_minute)
    if begin == end:
        raise ValueError(f"{text!r} begins as it ends: write 00:00-24:00 for the whole day")
    return begin, end


def day_and_clock(at_us: int) -> str:
    """A time (µs since 1970, UTC) in Hanoi, for people: `FRI 22:05`."""
    return _named((at_us + _AHEAD_US) % _WEEK_US // _MINUTE_US)


class Hours(NamedTuple):
    """Parts of a week in Hanoi, in minutes since Monday 00:00: disjoint, in order, none touching.

    Made by `of`, so that equal parts are equal however they were written.
    """

    parts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, hours: Iterable[str] = (), days: Iterable[str] = ()) -> "Hours":
        """The hours named, on the days named; without hours whole days, without days all days."""
        spans = [minutes_of(text) for text in hours] or [(0, _DAY)]
        starts = [DAYS.index(day) * _DAY for day in days] or range(0, _WEEK, _DAY)
        return cls.union(
            cls(((start + begin, start + (end if begin < end else end + _DAY)),))
            for start in starts
            for begin, end in spans
        )

    @classmethod
    def union(cls, every: Iterable["Hours"]) -> "Hours":
        """What any of them holds."""
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(piece for each in every for piece in _within_week(each.parts)):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((begin, end))
        return cls(tuple(merged))

    @property
    def always(self) -> bool:
        """Whether it is the whole week."""
        return self.parts == ((0, _WEEK),)

    def covers(self, other: "Hours") -> bool:
        """Whether all of the other lies within this."""
        return Hours.union((self, other)) == self

    def rest(self) -> "Hours":
        """The week without this."""
        edges = [0, *(edge for part in self.parts for edge in part), _WEEK]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        return Hours(tuple((begin, end) for begin, end in gaps if begin < end))

    def around(self, at_us: int) -> tuple[bool, int, int]:
        """Whether a time (µs since 1970, UTC) is in it, and the times between which that holds.

        The second and third are `low <= t < high`; a new week ends them too.
        """
        if self.always:
            return True, -FOREVER_US, FOREVER_US
        at = (at_us + _AHEAD_US) % _WEEK_US
        monday_us = at_us - at
        edges = [edge * _MINUTE_US for part in self.parts for edge in part]
        index = bisect_right(edges, at)
        low = edges[index - 1] if index else 0
        high = edges[index] if index < len(edges) else _WEEK_US
        return index % 2 == 1, monday_us + low, monday_us + high

    def __str__(self) -> str:
        """For people: `MON 22:00 to TUE 05:00, …`."""
        told = [f"{_named(begin)} to {_named(end)}" for begin, end in self.parts[:_TOLD_MAX]]
        more = len(self.parts) - len(told)
        return ", ".join(told) + (f" and {more} more" if more else "")


def _within_week(parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts with what goes beyond Sunday put to Monday."""
    for begin, end in parts:
        yield begin, min(end, _WEEK)
        if end > _WEEK:
            yield 0, end - _WEEK


def _named(minute: int) -> str:
    day, at = divmod(minute % _WEEK, _DAY)
    return f"{DAYS[day]} {at // 60:02}:{at % 60:02}"
