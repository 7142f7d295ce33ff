"""The grammar of Vietnam's plates: which kinds of plate a normalised text can be.

| kind | text | displayed |
|---|---|---|
| car | code, letter, 5 digits | `30F-256.58` |
| motorbike_new | code, two letters, 5 digits (since Circular 24/2023) | `30-AB 266.59` |
| motorbike_old | code, letter and digit, 5 digits; blue ones are still given | `29-H1 123.45` |
| special | code, one of `SPECIAL_SERIES`, 5 digits | `29LD-012.34` |
| diplomatic, foreign | code, country, NG QT CV or NN, 2 digits; motorbikes 3 | `80-441-NG-02` |
| military | two letters, 4 digits; no local code | `TM 12-34` |

Numbers of 3 or 4 digits, given before, are still legal (Circular 79/2024, article 39(3)).
The rule for military plates is the Ministry of Defence's. The country codes of Appendix 03 are
kept as digits. Series and country may also stand the other way round (`80-NG-441-02`): that is
another text, and another key.
"""

import re
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from hub.plates.tables import (
    BLUE_SERIES,
    ISSUED,
    SECOND_SERIES,
    SERIES,
    SPECIAL_SERIES,
    WRITTEN,
    province,
)
from schemas.models import PlateCategory

__all__ = ["LENGTHS", "Candidate", "Kind", "allowed", "match", "never_issued"]

LENGTHS = range(6, 11)
"""Lengths of normalised plates."""


class Kind(StrEnum):
    """A form of plate; several forms may be one category of vehicle."""

    CAR = "car"
    MOTORBIKE_NEW = "motorbike_new"
    MOTORBIKE_OLD = "motorbike_old"
    SPECIAL = "special"
    DIPLOMATIC = "diplomatic"
    FOREIGN = "foreign"
    MILITARY = "military"


_OWN: dict[Kind, PlateCategory] = {
    Kind.CAR: "CAR",
    Kind.MOTORBIKE_NEW: "MOTORBIKE",
    Kind.MOTORBIKE_OLD: "MOTORBIKE",
    Kind.SPECIAL: "SPECIAL",
    Kind.DIPLOMATIC: "DIPLOMATIC",
    Kind.FOREIGN: "FOREIGN",
    Kind.MILITARY: "MILITARY",
}
# Sources also tell the vehicle, not the plate: CAR of a diplomat's car contradicts nothing, and
# few of them tell a mission from other foreigners.
_CATEGORIES: dict[Kind, frozenset[str]] = {
    Kind.CAR: frozenset({"CAR"}),
    Kind.MOTORBIKE_NEW: frozenset({"MOTORBIKE"}),
    Kind.MOTORBIKE_OLD: frozenset({"MOTORBIKE"}),
    Kind.SPECIAL: frozenset({"SPECIAL", "CAR"}),
    Kind.DIPLOMATIC: frozenset({"DIPLOMATIC", "FOREIGN", "CAR", "MOTORBIKE"}),
    Kind.FOREIGN: frozenset({"DIPLOMATIC", "FOREIGN", "CAR", "MOTORBIKE"}),
    Kind.MILITARY: frozenset({"MILITARY", "CAR", "MOTORBIKE"}),
}
# Circular 79/2024, article 37(5) and (6). Yellow is for cars only, 37(5)(đ); blue motorbikes have
# a letter and a digit, 37(5)(b).
_COLOURS: dict[Kind, frozenset[str]] = {
    Kind.CAR: frozenset({"WHITE", "YELLOW", "BLUE"}),
    Kind.MOTORBIKE_NEW: frozenset({"WHITE"}),
    Kind.MOTORBIKE_OLD: frozenset({"WHITE", "BLUE"}),
    Kind.SPECIAL: frozenset({"WHITE", "YELLOW", "BLUE"}),
    Kind.DIPLOMATIC: frozenset({"WHITE"}),
    Kind.FOREIGN: frozenset({"WHITE"}),
    Kind.MILITARY: frozenset({"RED"}),
}


class Candidate(NamedTuple):
    """One plate that a text can be."""

    kind: Kind
    text: str
    """The normalised text it stands for: the repaired one, where a repair led to it."""
    local: str
    """Local code of two digits; '' for military plates."""
    province: str
    """Who gave plates under that code at the time; '' where that is not modelled."""
    series: str
    number: str
    country: str = ""
    """Three digits of Appendix 03, for foreign plates."""

    @property
    def category(self) -> PlateCategory:
        """The category of the schema that this kind of plate belongs to."""
        return _OWN[self.kind]

    @property
    def display(self) -> str:
        """As the plate is written; reading it gives the same candidates."""
        number = self.number if len(self.number) < 5 else f"{self.number[:3]}.{self.number[3:]}"
        match self.kind:
            case Kind.CAR | Kind.SPECIAL:
                return f"{self.local}{WRITTEN.get(self.series, self.series)}-{number}"
            case Kind.MOTORBIKE_NEW | Kind.MOTORBIKE_OLD:
                return f"{self.local}-{self.series} {number}"
            case Kind.DIPLOMATIC | Kind.FOREIGN:
                country_first = self.text[2] == self.country[0]
                middle = (
                    (self.country, self.series) if country_first else (self.series, self.country)
                )
                return "-".join((self.local, *middle, number))
            case Kind.MILITARY:
                return f"{self.series} {number[:2]}-{number[2:]}"

    def is_of(self, category: str) -> bool:
        """Whether a source that tells this category can mean it."""
        if self.country and category in ("CAR", "MOTORBIKE"):
            # Appendix 04: cars have two digits at the end, motorbikes three.
            return (category == "CAR") == (len(self.number) == 2)
        return category in _CATEGORIES[self.kind]

    def can_be(self, colour: str) -> bool:
        """Whether such a plate is given in this colour."""
        if colour == "BLUE" and self.kind in (Kind.CAR, Kind.MOTORBIKE_OLD):
            return self.series[0] in BLUE_SERIES
        return colour in _COLOURS[self.kind]


def allowed(category: str, colour: str) -> bool:
    """Whether any kind of plate is of both."""
    return any(category in _CATEGORIES[kind] and colour in _COLOURS[kind] for kind in Kind)


def _rule(kind: Kind, series: str, number: str) -> tuple[Kind, re.Pattern[str]]:
    return kind, re.compile(f"(?P<series>{series})(?P<number>[0-9]{number})")


_SPECIAL = _rule(Kind.SPECIAL, "|".join(SPECIAL_SERIES), "{3,5}")
# By the first two characters after the local code, so that few patterns are tried.
_LETTER_DIGIT = (
    _rule(Kind.CAR, f"[{SERIES}]", "{3,5}"),
    _rule(Kind.MOTORBIKE_OLD, f"[{SERIES}][1-9]", "{3,5}"),
    _SPECIAL,
)
_LETTER_LETTER = (
    _rule(Kind.MOTORBIKE_NEW, f"[{SERIES}][{SECOND_SERIES}]", "{5}"),
    _SPECIAL,
    (
        Kind.DIPLOMATIC,
        re.compile(r"(?P<series>NG|QT|CV|NN)(?P<country>[0-9]{3})(?P<number>[0-9]{2,3})"),
    ),
)
_DIGIT = (
    (
        Kind.DIPLOMATIC,
        re.compile(r"(?P<country>[0-9]{3})(?P<series>NG|QT|CV|NN)(?P<number>[0-9]{2,3})"),
    ),
)
_MILITARY = re.compile(r"([A-Z]{2})([0-9]{4})")


def match(text: str, on: date | None = None) -> tuple[Candidate, ...]:
    """Every plate that a normalised text can be, with the provinces of a day (None: the newest)."""
    if len(text) not in LENGTHS:
        return ()
    if text[0] > "9":
        military = _MILITARY.fullmatch(text)
        if military is None:
            return ()
        return (Candidate(Kind.MILITARY, text, "", "", military[1], military[2]),)
    local = text[:2]
    if local not in ISSUED:
        return ()
    if text[2] <= "9":
        rules: tuple[tuple[Kind, re.Pattern[str]], ...] = _DIGIT
    else:
        rules = _LETTER_DIGIT if text[3] <= "9" else _LETTER_LETTER
    found = []
    for kind, pattern in rules:
        if fit := pattern.fullmatch(text, 2):
            series, country = fit["series"], ""
            if kind is Kind.DIPLOMATIC:
                country = fit["country"]
                kind = Kind.FOREIGN if series == "NN" else kind  # noqa: PLW2901
            found.append(
                Candidate(kind, text, local, province(local, on), series, fit["number"], country)
            )
    return tuple(found)


def never_issued(text: str) -> bool:
    """Whether a text would be a plate, were its local code not one that nobody was ever given."""
    local = text[:2]
    return local.isdigit() and local not in ISSUED and bool(match(f"29{text[2:]}"))
