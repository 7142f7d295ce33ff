"""Invented number plates under Vietnam's grammar: Hanoi's mostly, cars and motorbikes, colours."""

from dataclasses import dataclass
from random import Random

__all__ = ["Plate", "invent", "misread"]

_HANOI = ("29", "30", "31", "32", "33", "40")
_OTHERS = ("14", "15", "16", "17", "18", "19", "20", "34", "35", "36", "37", "43", "51", "88",
           "89", "90", "98", "99")  # fmt: skip
_SERIES = "ABCDEFGHKLMNPSTUVXYZ"
_BLUE_SERIES = _SERIES[:11]


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate as a camera would read it: text without separators, colour, kind of vehicle."""

    text: str
    colour: str
    motorbike: bool


def invent(random: Random) -> Plate:
    """A plate nobody chose: nine in ten are Hanoi's, two in five a motorbike's."""
    draw = random.random()
    local = random.choice(_HANOI if random.random() < 0.9 else _OTHERS)
    if draw < 0.02:
        return Plate(_letters(random, 2) + _digits(random, 4), "red", motorbike=False)
    if draw < 0.06:
        text = local + random.choice(_BLUE_SERIES) + _digits(random, 5)
        return Plate(text, "blue", motorbike=False)
    if draw < 0.42:
        return Plate(
            local + _motorbike_series(random) + _digits(random, 5), "white", motorbike=True
        )
    colour = "yellow" if draw < 0.56 else "white"
    number = _digits(random, 4 if draw > 0.98 else 5)
    return Plate(local + random.choice(_SERIES) + number, colour, motorbike=False)


def misread(random: Random, text: str) -> str:
    """The plate as a second look reads it: right, with letters for digits, or without its start."""
    draw = random.random()
    if draw < 0.3:
        return text[:2] + text[2:].replace("0", "O").replace("1", "I")
    return text[1:] if draw < 0.5 and len(text) > 7 else text


def _motorbike_series(random: Random) -> str:
    """Two letters since 2023, a letter and a digit before."""
    if random.random() < 0.4:
        return _letters(random, 2)
    return random.choice(_SERIES) + random.choice("123456789")


def _letters(random: Random, count: int) -> str:
    return "".join(random.choice(_SERIES) for _ in range(count))


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))
