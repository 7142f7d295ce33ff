"""One bad record of a JSON document, told apart from the good ones beside it.

Python's reader tells that a key stands twice, but not in which record. So a document that was
refused for such a flaw is read again, with a `Flaw` in the place of each; a record that holds one
becomes a `Broken`, which every typed access refuses. Only the lists that a connector names hold
records: what is wrong elsewhere may concern all of them.

A number that is none costs its record nothing else: it is null, as JavaScript writes it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from connectors._formats.text import clean
from hub.errors import PayloadError

__all__ = [
    "PER_RECORD",
    "Broken",
    "Flaw",
    "Records",
    "no_number",
    "set_apart",
    "taken_out",
    "twice_in",
]

Records = Sequence[tuple[str | int | None, ...]]
"""Where lists of records may stand: member names and places, None for each item of a list."""

_NO_NUMBER: Final = "not-a-number"
PER_RECORD: Final = frozenset({"duplicate-key", "encoding", _NO_NUMBER})
"""Codes of what may be wrong with one record alone."""
_FIXES: Final = {
    "duplicate-key": "let the source send each key of an object once: which of two is meant?",
    "encoding": "let the source send its texts as UTF-8",
    _NO_NUMBER: "let the source send null where it has no number",
}
_LONE: Final = re.compile("[\ud800-\udfff]")
_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Flaw:
    """What stands in the place of a value that can't be read."""

    code: str
    what: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """What stands in the place of a record with a flaw; `path` leads from the record to it."""

    code: str
    what: str
    path: str

    def error(self, where: str = "") -> PayloadError:
        """Why it is refused; `where` it stands."""
        path = f"{where}{self.path}".removeprefix("/")
        return PayloadError(self.what, code=self.code, path=path, fix=_FIXES[self.code])


def twice_in(pairs: Iterable[tuple[str, Any]]) -> Flaw:
    """Which of an object's keys stands twice."""
    keys = sorted(key for key, _ in pairs)
    twice = next(key for key, after in pairwise(keys) if key == after)
    return Flaw("duplicate-key", f"the key {twice[:_SHOWN_MAX]!r} stands twice", clean(twice))


def no_number(text: str) -> Flaw:
    """A constant of JavaScript, or a number beyond what the hub can hold."""
    what = "no number the hub can hold" if text[-1:].isdigit() else "no JSON number"
    return Flaw(_NO_NUMBER, f"{text[:_SHOWN_MAX]} is {what}")


def set_apart(value: Any, records: Records) -> Any:
    """The document with its broken records marked; `PayloadError` for a flaw beside them."""
    for path in records:
        for found in _lists(value, path):
            found[:] = [_judged(record) for record in found]
    if _is_flawed(value):
        raise next(_flaws(value, "")).error()
    return value


def taken_out(value: Any, records: Records) -> Iterator[PayloadError]:
    """Why records are broken, which are taken out: for what can't be read with them in it."""
    for path in records:
        where = "/".join(step for step in path if isinstance(step, str))
        for found in _lists(value, path):
            for place, each in enumerate(found):
                if isinstance(each, Broken):
                    yield each.error(f"{where}[{place}]")
            found[:] = [each for each in found if not isinstance(each, Broken)]


def _lists(value: Any, path: Sequence[str | int | None]) -> Iterator[list[Any]]:
    if not path:
        if isinstance(value, list):
            yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(value, list) and step is None:
        for each in value:
            yield from _lists(each, rest)
    elif isinstance(value, dict):
        yield from _lists(value.get(step), rest)
    elif isinstance(value, list) and isinstance(step, int):
        for each in value[step : step + 1]:
            yield from _lists(each, rest)


def _judged(record: Any) -> Any:
    """The record without numbers that are none, or what is wrong with it."""
    if not _is_flawed(record):
        return record
    flaws = _flaws(record, "")
    bad = next((each for each in flaws if each.code != _NO_NUMBER or not each.path), None)
    return _without_flaws(record) if bad is None else bad


def _is_flawed(value: Any) -> bool:
    """Whether there is a flaw; most records have none, and to say where takes long."""
    if isinstance(value, str):
        return not value.isascii() and _LONE.search(value) is not None
    if isinstance(value, dict):
        return any(map(_is_flawed, value)) or any(map(_is_flawed, value.values()))
    if isinstance(value, list):
        return any(map(_is_flawed, value))
    return isinstance(value, Flaw)


def _flaws(value: Any, path: str) -> Iterator[Broken]:
    """All that is wrong in a value, but for records that are marked already."""
    if isinstance(value, Flaw):
        yield Broken(value.code, value.what, f"{path}/{value.key}" if value.key else path)
    elif isinstance(value, str):
        if _LONE.search(value):
            yield Broken("encoding", "a lone surrogate in a JSON text", path)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _flaws(key, path)
            yield from _flaws(each, f"{path}/{clean(key)}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _flaws(each, f"{path}[{place}]")


def _without_flaws(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_flaws(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_flaws(each) for each in value]
    return None if isinstance(value, Flaw) else value
