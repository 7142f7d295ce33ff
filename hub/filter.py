"""The grammar of `--where`: `path op literal`, joined by `and`. Own, small, without evaluation.

`header.kind = vehicle.passage and body.speed_kmh > 80 and restricted.plate.text ~ "30A"`

Operators: `=` `!=` `<` `<=` `>` `>=` and `~` (contains). Literals: numbers, `true`, `false`,
`null`, quoted text, or a bare word. A path that leads through a list holds when any item does.
Times are compared as times, whatever their offset.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from hub.errors import ConfigError
from hub.render import plain, rfc3339

__all__ = ["Condition", "Where", "parse"]

_LENGTH_MAX, _CONDITIONS_MAX = 2_000, 20
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>|~")
_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_BARE = re.compile(r"[^\s\"'=<>!~]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_WORDS = {"true": True, "false": False, "null": None}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison."""

    path: tuple[str, ...]
    op: str
    literal: str | float | bool | None

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the record fulfils it; a path that leads nowhere gives null."""
        found = list(_values(record, self.path)) or [None]
        if self.op == "!=":
            return not any(_equal(value, self.literal) for value in found)
        return any(self._one(value) for value in found)

    def _one(self, value: Any) -> bool:
        if self.op == "=":
            return _equal(value, self.literal)
        if self.op == "~":
            return isinstance(value, str) and str(self.literal).lower() in value.lower()
        numbers = _is_number(value) and _is_number(self.literal)
        if not numbers and not (isinstance(value, str) and isinstance(self.literal, str)):
            return False
        return _ORDERS[self.op](value, self.literal)


@dataclass(frozen=True, slots=True)
class Where:
    """All conditions of an expression; none holds for every record."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a decoded record fulfils every condition."""
        if not self.conditions:
            return True
        shown = plain(record)
        return all(condition.holds(shown) for condition in self.conditions)


def parse(text: str) -> Where:
    """Read an expression; `ConfigError` points at the column that is wrong."""
    if len(text) > _LENGTH_MAX:
        _refuse(text, 0, f"longer than {_LENGTH_MAX} characters")
    conditions: list[Condition] = []
    at = _skip(text, 0)
    while True:
        condition, at = _condition(text, at)
        conditions.append(condition)
        if at == len(text):
            return Where(tuple(conditions))
        if len(conditions) == _CONDITIONS_MAX:
            _refuse(text, at, f"more than {_CONDITIONS_MAX} conditions")
        if not re.match(r"and\s", text[at:]):
            _refuse(text, at, "expected `and` or the end")
        at = _skip(text, at + len("and"))


def _condition(text: str, at: int) -> tuple[Condition, int]:
    path = _PATH.match(text, at)
    if path is None:
        _refuse(text, at, "expected a path such as header.kind")
    at = _skip(text, path.end())
    sign = _OPERATOR.match(text, at)
    if sign is None:
        _refuse(text, at, "expected one of = != < <= > >= ~")
    at = _skip(text, sign.end())
    literal, end = _literal(text, at)
    if sign[0] in _ORDERS and (literal is None or isinstance(literal, bool)):
        _refuse(text, at, f"{sign[0]} needs a number, a time or a text")
    return Condition(tuple(path[0].split(".")), sign[0], literal), _skip(text, end)


def _literal(text: str, at: int) -> tuple[str | float | bool | None, int]:
    if quoted := _QUOTED.match(text, at):
        return _time_or_text(quoted[0][1:-1]), quoted.end()
    bare = _BARE.match(text, at)
    if bare is None:
        what = "a quote is not closed" if text[at : at + 1] in ('"', "'") else "expected a value"
        _refuse(text, at, what)
    if bare[0] in _WORDS:
        return _WORDS[bare[0]], bare.end()
    if _NUMBER.fullmatch(bare[0]):
        return float(bare[0]), bare.end()
    return _time_or_text(bare[0]), bare.end()


def _time_or_text(text: str) -> str:
    """Times in the one form in which records show them."""
    if not _STAMP.match(text):
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return rfc3339(at) if at.tzinfo else text


def _values(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _values(each, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _equal(value: Any, literal: Any) -> bool:
    if _is_number(value) and isinstance(literal, str):
        return str(value) == literal
    if isinstance(value, str) and _is_number(literal):
        # `native_id = 4711` means the text; the literal was read as a number.
        return bool(_NUMBER.fullmatch(value)) and float(value) == literal
    if isinstance(value, bool) or isinstance(literal, bool):
        return value is literal
    return bool(value == literal)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _refuse(text: str, at: int, what: str) -> NoReturn:
    start = max(0, at - 30)
    shown = text[start : at + 30].replace("\n", " ")
    raise ConfigError(
        f"{what} at column {at + 1}\n  {shown}\n  {' ' * (at - start)}^",
        where="--where",
        fix="write path op value, joined by `and`: header.kind = vehicle.passage",
    )
