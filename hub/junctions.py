"""Junctions by name, whatever the order of the roads, the dash and the spelling. Pure.

`Trần Duy Hưng - Hoàng Minh Giám (VT12)` and `HOANG MINH GIAM/tran duy hung` are one junction: the
order is not fixed in Hanoi, dashes and strokes are used alike, and the number in brackets is that
of a camera position. What follows a comma is the ward. Diacritics count where both write them.
"""

import re
from functools import lru_cache

from hub.areas.names import Key, key_of

__all__ = ["same_junction"]

_BRACKETS = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"[-\u2010-\u2015/]")


@lru_cache(maxsize=65_536)
def same_junction(one: str, other: str) -> bool:
    """Whether two names may mean one junction; a name without letters means none."""
    ones, others = _roads(one), list(_roads(other))
    if not ones or len(ones) != len(others):
        return False
    for road in ones:
        found = next((each for each in others if _alike(road, each)), None)
        if found is None:
            return False
        others.remove(found)
    return True


def _roads(text: str) -> list[Key]:
    name = _BRACKETS.sub(" ", text).partition(",")[0]
    keys = (key_of(part) for part in _BETWEEN.split(name))
    # What is written with more diacritics first, so that it is not taken by what has none.
    found = {key for key in keys if key.letters}
    return sorted(found, key=lambda key: (key.letters, key.marks, key.tones), reverse=True)


def _alike(one: Key, other: Key) -> bool:
    return one.may_be(other) or other.may_be(one)
