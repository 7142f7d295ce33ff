"""Misread characters: a letter where a digit must stand, and the reverse.

A reader takes one for the other by its shape (`DIGIT_FOR`, `LETTER_FOR`). A text is only repaired
where it fits no grammar, so the class of a character contradicts its place; a digit taken for
another digit can't be seen and is left. W, J, I, O and Q in a series were never right either, but
tell no one letter that they were: nothing is guessed.
"""

from datetime import date
from typing import NamedTuple

from hub.plates.grammar import LENGTHS, Candidate, match
from hub.plates.tables import DIGIT_FOR, LETTER_FOR

__all__ = ["Repair", "look_alikes", "repairs"]

_OTHER_CLASS = DIGIT_FOR | LETTER_FOR


class Repair(NamedTuple):
    """One character changed into the class that its place asks for."""

    place: int
    """Place in the normalised text, from 1."""
    was: str
    now: str
    text: str
    """The text after it; as long as before."""
    candidates: tuple[Candidate, ...]
    """What the text after it can be."""


def repairs(text: str, on: date | None = None) -> tuple[Repair, ...]:
    """Every change of one character's class after which the text is a plate."""
    if len(text) not in LENGTHS:
        return ()
    found = []
    for at, was in enumerate(text):
        if now := _OTHER_CLASS.get(was):
            changed = f"{text[:at]}{now}{text[at + 1 :]}"
            if candidates := match(changed, on):
                found.append(Repair(at + 1, was, now, changed, candidates))
    return tuple(found)


def look_alikes(text: str, on: date | None = None) -> tuple[Candidate, ...]:
    """Other plates that one misread character would turn into this one.

    `30A826659` is an old motorbike's plate, and what a reader makes of `30AB26659` when it takes
    B for 8. Such a text is not repaired, as nothing contradicts it; whoever searches for a vehicle
    should know of it.
    """
    return tuple(candidate for each in repairs(text, on) for candidate in each.candidates)
