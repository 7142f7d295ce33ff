"""Numbers in texts, and numbers that say that there is none; None for those, never an error."""

import re

__all__ = ["integer", "measured", "not_negative", "number", "percent"]

_NUMBER = re.compile(r"\s*[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})\s*", re.ASCII)


def number(text: str) -> float | None:
    """A decimal number without exponent."""
    return float(text) if _NUMBER.fullmatch(text) else None


def integer(text: str) -> int | None:
    """A whole number that fits 32 bits."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**31 else None


def measured(*told: float | None) -> float | None:
    """The first that is above nothing: of a speed or a limit, 0 and -1 say that none is known."""
    return next((each for each in told if each is not None and each > 0), None)


def not_negative(told: float | None) -> float | None:
    """A speed of a vehicle that may stand; -1 and its like say that none is known."""
    return told if told is not None and told >= 0 else None


def percent(text: str) -> float | None:
    """0 to 100 as 0 to 1."""
    value = number(text)
    return value / 100 if value is not None and 0 <= value <= 100 else None
