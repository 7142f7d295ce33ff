"""Codes of traffic violations, the decrees behind them, and the acts that cameras can see. Pure.

`codes` reads a code, `decrees` says which text of which decree held at the time of an act, `acts`
which provision an act falls under. What is not on record is left open, never guessed: the hub names
candidates, people decide.
"""

from hub.law.acts import Band, Rule, category_of, lookup, named, rules, words
from hub.law.codes import NATIONAL, POINTS, Code, parse
from hub.law.decrees import Text, hanoi_day, limitation_ends, text_at, texts, texts_of

__all__ = [
    "NATIONAL",
    "POINTS",
    "Band",
    "Code",
    "Rule",
    "Text",
    "category_of",
    "hanoi_day",
    "limitation_ends",
    "lookup",
    "named",
    "parse",
    "rules",
    "text_at",
    "texts",
    "texts_of",
    "words",
]
