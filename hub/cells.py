"""Registers as people hand them in: CSV or TOML, read cell by cell into a schema's types; compared.

A register is a list of entries, one line or table each; what a cell must hold says its field in
`schemas/avro/`. Every fault is a `PayloadError` that names file, line or table, column and mend.
"""

import csv
import difflib
import io
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import PayloadError

__all__ = [
    "Diff",
    "changes",
    "csv_lines",
    "empty",
    "known",
    "moment",
    "normalised",
    "refused",
    "text_of",
    "toml_tables",
    "value",
]

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
_RANGES = {"lat": (-90.0, 90.0), "lon": (-180.0, 180.0), "heading_deg": (0.0, 360.0)}
_LENGTH_MAX = 500
# A pattern: asked letter by letter, it was half of the time a register of 40,000 devices takes.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def refused(what: str, where: str, fix: str) -> PayloadError:
    """The error for a register that can't be taken as it is."""
    return PayloadError(what, code="register", path=where, fix=fix)


def normalised(text: str) -> str:
    """The text of a file: composed, without a byte order mark."""
    return unicodedata.normalize("NFC", text.removeprefix("\ufeff"))


def moment(text: str) -> datetime:
    """An RFC 3339 time, or a date at its start in Hanoi, in UTC; else `ValueError`."""
    try:
        if len(text) == len("2026-03-01"):
            return datetime.combine(date.fromisoformat(text), time(), HANOI).astimezone(UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{text!r} is no time: write 2026-03-01 or 2026-03-01T08:00:00+07:00")
    return at.astimezone(UTC)


def csv_lines(
    text: str, where: str, columns_of: Callable[[Sequence[str], str], list[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column of each line; `columns_of` checks the first one."""
    reader = csv.reader(io.StringIO(text))
    columns: list[str] = []
    try:
        for cells in reader:
            place = f"{where} line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = columns_of(cells, place)
            elif len(cells) != len(columns):
                wrong = f"{len(cells)} cells, there are {len(columns)} columns"
                raise refused(wrong, place, "check commas and quotes")
            else:
                stripped = (cell.strip() for cell in cells)
                yield reader.line_num, dict(zip(columns, stripped, strict=True))
    except csv.Error as error:
        place = f"{where} line {reader.line_num}"
        raise refused(f"not CSV: {error}", place, "correct it") from error
    if not columns:
        raise refused("it is empty", where, "begin with a line of columns")


def toml_tables(text: str, where: str, name: str) -> list[dict[str, Any]]:
    """The tables `[[name]]` of a file that holds nothing else."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise refused(f"not TOML: {error}", where, "correct it") from error
    tables = document.get(name, [])
    if set(document) - {name} or not isinstance(tables, list) or not tables:
        fix = f"write each entry as [[{name}]]"
        raise refused(f"it must hold [[{name}]] tables and nothing else", where, fix)
    return tables


def text_of(value: Any) -> str:
    """A value of TOML as it would stand in a cell."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).strip()


def known(name: str, names: Iterable[str], what: str, where: str) -> None:
    """Refuse a name that there is none of, with what was perhaps meant."""
    there = set(names)
    if name not in there:
        near = difflib.get_close_matches(name, there, n=1)
        fix = f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(there))}"
        raise refused(f"unknown {what} {name!r}", where, fix)


def empty(field: Mapping[str, Any]) -> Any:
    """What an empty cell of a field means: its default."""
    if "default" not in field:
        raise ValueError("empty, and it must be given")
    return field["default"]


def value(field: Mapping[str, Any], text: str) -> Any:
    """A cell as its field's type; `ValueError` says what is expected."""
    if len(text) > _LENGTH_MAX or _CONTROL.search(text):
        raise ValueError(f"longer than {_LENGTH_MAX} characters, or with control characters")
    type_ = field["type"]
    if isinstance(type_, list):
        type_ = next(branch for branch in type_ if branch != "null")
    if isinstance(type_, dict) and type_.get("logicalType") == "timestamp-micros":
        return moment(text)
    if isinstance(type_, dict) and type_["type"] == "enum":
        symbol = re.sub(r"[ -]", "_", text.upper())
        if symbol not in type_["symbols"]:
            raise ValueError(f"{text!r} is none of {', '.join(type_['symbols'])}")
        return symbol
    if type_ in ("int", "long"):
        return _number(int, text, "a whole number")
    if type_ == "double":
        number = _number(float, text, "a number with a decimal point")
        low, high = _RANGES.get(field["name"], (-1e9, 1e9))
        if not low <= number <= high:
            raise ValueError(f"{text} is not between {low:g} and {high:g}")
        return number
    return text


def _number(kind: type[int] | type[float], text: str, wanted: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not {wanted}") from error


@dataclass(frozen=True, slots=True)
class Diff:
    """What an import would do to the entries that are there."""

    added: tuple[dict[str, Any], ...]
    changed: tuple[tuple[dict[str, Any], tuple[str, ...]], ...]
    """New entries with the names of the fields that differ."""
    unchanged: int
    ended: tuple[dict[str, Any], ...] = ()
    """Entries that were there and are not in a complete register, with their end."""

    def written(self) -> list[dict[str, Any]]:
        """All entries that an import writes."""
        return [*self.added, *(entry for entry, _ in self.changed), *self.ended]


def changes(held: Mapping[bytes, Mapping[str, Any]], new: Mapping[bytes, dict[str, Any]]) -> Diff:
    """What is new, what differs and in which fields, by record key."""
    added, changed, unchanged = [], [], 0
    for key, entry in new.items():
        before = held.get(key)
        if before is None:
            added.append(entry)
        elif names := tuple(name for name in entry if entry[name] != before.get(name)):
            changed.append((entry, names))
        else:
            unchanged += 1
    return Diff(tuple(added), tuple(changed), unchanged)
