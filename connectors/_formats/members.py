"""Members of JSON objects whose types nobody keeps: what is none is empty or None, never an error.

For the many optional facts of a report. What an event can't do without is read with
`connectors._formats.json`, whose errors name the field.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors._formats.text import clean

__all__ = ["the_integer", "the_items", "the_number", "the_object", "the_text", "the_truth"]

_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LARGEST = 2**53  # what a float holds to the unit; microseconds since 1970 are below


def the_object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member as an object; an empty one for anything that is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def the_items(data: Mapping[str, Any], name: str) -> list[Any]:
    """A member as a list; an empty one for anything that is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def the_text(data: Mapping[str, Any], name: str) -> str:
    """A member as a text; '' for anything that is none."""
    value = data.get(name)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def the_number(data: Mapping[str, Any], name: str) -> float | None:
    """A member as a number, be it written as a text; None for anything that is none."""
    value = data.get(name)
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if type(value) not in {int, float} or not abs(value) < _LARGEST:  # type: ignore[arg-type] # a number by now
        return None
    return float(value)  # type: ignore[arg-type] # as above


def the_integer(data: Mapping[str, Any], name: str) -> int | None:
    """A member as a whole number that fits 32 bits; None for anything else."""
    value = the_number(data, name)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**31 else None


def the_truth(data: Mapping[str, Any], name: str) -> bool | None:
    """A member as yes or no, be it a word or a number: "False" is no; None for anything else."""
    return _TRUTHS.get(the_text(data, name).lower())
