"""Numbers in texts; None for whatever is not one, never an error."""

import re

__all__ = ["integer", "number", "percent"]

_NUMBER = re.compile(r"\s*[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})\s*", re.ASCII)


def number(text: str) -> float | None:
    """A decimal number without exponent."""
    return float(text) if _NUMBER.fullmatch(text) else None


def integer(text: str) -> int | None:
    """A whole number that fits 32 bits."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**31 else None


def percent(text: str) -> float | None:
    """0 to 100 as 0 to 1."""
    value = number(text)
    return value / 100 if value is not None and 0 <= value <= 100 else None
