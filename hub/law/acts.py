"""The acts that cameras can see, and the provisions they fall under: `data/acts.csv`.

Source: Decree 168/2024/ND-CP, articles 6 (cars), 7 (motorbikes), 12 and 17, compared with its text.
A sequence stands where public records show it (red lights); elsewhere the code ends with its point.
Acts before 2025 are not modelled: their code comes from the source.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from math import inf
from pathlib import Path

from hub.law.codes import Code, parse
from hub.law.decrees import hanoi_day

__all__ = ["CATEGORIES", "Band", "Rule", "category_of", "lookup", "named", "rules", "words"]

CATEGORIES = ("CAR", "MOTORBIKE")
"""Of vehicles; `ANY` in the table is an act that no vehicle need do."""

_DATA = Path(__file__).parent / "data" / "acts.csv"
_BAND = re.compile(r"([\[(])([0-9]+),([0-9]*)([\])])")


@dataclass(frozen=True, slots=True)
class Band:
    """How far over the limit, in km/h."""

    low: float
    high: float
    with_low: bool
    with_high: bool

    def __contains__(self, over_kmh: float) -> bool:
        above = over_kmh >= self.low if self.with_low else over_kmh > self.low
        return above and (over_kmh <= self.high if self.with_high else over_kmh < self.high)


@dataclass(frozen=True, slots=True)
class Rule:
    """An act of a category of vehicles, and the code it falls under from one day to another."""

    act: str
    """The hub's own word; an event's kind is `violation.<word>`."""
    category: str
    code: Code
    over_kmh: Band | None
    valid_from: date
    valid_to: date | None
    text: str
    """What the provision forbids, shortened, in Vietnamese."""

    def holds(self, day: date) -> bool:
        """Whether acts of that day fall under it."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@cache
def rules() -> tuple[Rule, ...]:
    """Every row of the table, in its order."""
    with _DATA.open(encoding="utf-8", newline="") as file:
        return tuple(_rules(csv.DictReader(file)))


def _rules(rows: "csv.DictReader[str]") -> Iterator[Rule]:
    for row in rows:
        yield Rule(
            act=row["act"],
            category=row["category"],
            code=parse(row["code"]),
            over_kmh=_band(row["over_kmh"]) if row["over_kmh"] else None,
            valid_from=date.fromisoformat(row["valid_from"]),
            valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            text=row["text"],
        )


def _band(text: str) -> Band:
    found = _BAND.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no band: write [5,10) or (35,)")
    opens, low, high, closes = found.groups()
    return Band(float(low), float(high) if high else inf, opens == "[", closes == "]")


@cache
def words() -> tuple[str, ...]:
    """The hub's words for acts, in the order of the table."""
    return tuple(dict.fromkeys(rule.act for rule in rules()))


@cache
def _by_act() -> dict[str, tuple[Rule, ...]]:
    return {word: tuple(rule for rule in rules() if rule.act == word) for word in words()}


def category_of(plate_category: str) -> str | None:
    """The table's category of a `PlateCategory`; None where the plate does not decide it."""
    return plate_category if plate_category in CATEGORIES else None


def lookup(
    act: str, *, category: str | None, at: datetime, over_kmh: float | None = None
) -> tuple[Rule, ...]:
    """Every rule that an act may fall under at a time; one is an answer, more a choice for people.

    A category of None is open: rules of all are given. For speeding, `over_kmh` chooses the band.
    """
    day = hanoi_day(at)
    return tuple(
        rule
        for rule in _by_act().get(act, ())
        if rule.holds(day)
        and (category is None or rule.category in (category, "ANY"))
        and (over_kmh is None or rule.over_kmh is None or over_kmh in rule.over_kmh)
    )


def named(code: Code, at: datetime | None = None) -> tuple[Rule, ...]:
    """The rules of a code's provision: the acts it may mean; at a time, those that held then."""
    day = hanoi_day(at) if at else None
    return tuple(
        rule
        for rule in rules()
        if rule.code.provision == code.provision and (day is None or rule.holds(day))
    )
