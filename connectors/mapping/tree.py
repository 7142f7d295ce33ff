"""Documents as trees of objects, lists and scalars, and paths in them.

A path is steps parted by `/`: `station/lanes[0]/speed`, `@id` for an attribute of XML, `../id` for
what stands around the record, `/id` for what stands at the top, `.` for the record itself. A step
with other letters is quoted: `"speed [km/h]"`. A path of records has `[]` where a list begins.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors._formats.flaws import Broken
from connectors._formats.json import parse_json
from connectors._formats.text import clean
from connectors._formats.xml import Node, parse_xml
from connectors.mapping.spec import Csv, Spec
from hub.connector import Options, Payload
from hub.errors import PayloadError

__all__ = ["MISSING", "Place", "Record", "children", "hops_of", "path_of", "read_records", "single"]

MISSING: Final = object()
TEXT: Final = "#text"
_STEP: Final = re.compile(r'(?:"([^"]+)"|([^/\[\]"]+))((?:\[\d{0,6}\])*)')
_BOMS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


class Siblings(list[Any]):
    """Elements of XML with one name: where one is meant, the first."""


@dataclass(slots=True)
class Record:
    """What one event is read from: the record and all around it, from the top."""

    chain: Sequence[Any]
    where: str
    payload: Payload
    options: Options
    flags: list[str] = field(default_factory=list)
    found: int = 0
    """How many values of the record itself were there."""

    def inside(self, item: Any, where: str) -> "Record":
        """An item of a list in the record, which shares its flags."""
        return Record((*self.chain, item), where, self.payload, self.options, self.flags)


@dataclass(frozen=True, slots=True)
class Place:
    """A compiled path; `rises` is how far it goes up, None from the top."""

    text: str
    steps: tuple[str | int, ...]
    rises: int | None = 0

    def get(self, record: Record) -> Any:
        """The value there, MISSING when it is absent, null or an empty text."""
        if self.rises is None:
            value = record.chain[0]
        elif self.rises < len(record.chain):
            value = record.chain[-1 - self.rises]
        else:
            return MISSING
        value = _walked(value, self.steps)
        blank = value is None or (isinstance(value, str) and not value.strip())
        return MISSING if blank else value

    def in_(self, record: Record) -> str:
        """Where it stands in the payload, for errors."""
        return f"{record.where}/{self.text}" if record.where else self.text


def path_of(text: str, *, lists: bool = False) -> Place:
    """A path; `ValueError` says what is wrong with it. `lists`: a last `[]` is dropped."""
    rest, rises = text, 0
    if lists:
        rest = rest.removesuffix("[]")
    while rest.startswith("../") or rest == "..":
        rest, rises = rest[3:], rises + 1
    top = rest.startswith("/")
    rest = rest.removeprefix("/")
    if rest in {".", ""}:
        if not text:
            raise ValueError("an empty path; write . for the record itself")
        return Place(text, (), None if top else rises)
    steps: list[str | int] = []
    for name, places in _steps(rest, text):
        steps.append(name)
        for place in places:
            if place is None:
                raise ValueError(f"{text!r} has [] where one value is meant; name one: [0]")
            steps.append(place)
    return Place(text, tuple(steps), None if top else rises)


def read_records(payload: Payload, spec: Spec, options: Options) -> Iterator[Record | PayloadError]:
    """Every record of a payload, or why a row can't be one."""
    if spec.format == "csv":
        for where, row in _rows(payload.body, spec.csv):
            yield row if isinstance(row, PayloadError) else Record([row], where, payload, options)
    elif spec.format == "jsonl":
        for number, line in enumerate(payload.body.splitlines()):
            if line.strip():
                yield _line(line, f"line[{number}]", payload, options)
    else:
        top = _document(payload.body, spec)
        for chain, where in _iterated([top], "", hops_of(spec.records), xml=spec.format == "xml"):
            if isinstance(chain[-1], Broken):
                yield chain[-1].error(where)
            else:
                yield Record(chain, where, payload, options)


def children(value: Any, path: str) -> list[Any]:
    """A list as it is, a single element of XML as a list of one, nothing as none."""
    if value is MISSING or value is None:
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, dict | str):
        return [value]
    raise PayloadError("expected a list", code="wrong-type", path=path)


def single(value: Any) -> Any:
    """The first of several elements of XML, and the text of one that has attributes."""
    if isinstance(value, Siblings):
        value = value[0]
    if isinstance(value, dict) and TEXT in value:
        value = value[TEXT]
    return value


def _line(line: bytes, where: str, payload: Payload, options: Options) -> Record | PayloadError:
    try:
        return Record([parse_json(line)], where, payload, options)
    except PayloadError as error:
        return PayloadError(error.what, code=error.code, path=where, fix=error.fix)


def _document(body: bytes, spec: Spec) -> Any:
    if spec.format == "json":
        return parse_json(body, records=_lists_of(spec.records))
    node = parse_xml(body)
    if node.name != spec.root:
        raise PayloadError(
            f"the document is not a `{spec.root}`",
            code="other-document",
            path=node.name[:80],
            fix="check what the source sends, or `root` in the mapping",
        )
    return _tree(node)


def _tree(node: Node) -> Any:
    """An element as a text, or as an object of its attributes, children and text."""
    kids, attributes = node.children, node.attributes
    if not kids and not attributes:
        return node.text
    found: dict[str, Any] = {f"@{name}": text for name, text in attributes.items()}
    for kid in kids:
        value, known = _tree(kid), found.get(kid.name, MISSING)
        if known is MISSING:
            found[kid.name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            found[kid.name] = Siblings([known, value])
    if node.text:
        found[TEXT] = node.text
    return found


def _rows(body: bytes, how: Csv) -> Iterator[tuple[str, Mapping[str, str] | PayloadError]]:
    encoding = next((name for mark, name in _BOMS if body.startswith(mark)), how.encoding)
    try:
        text = body.decode(encoding)
    except UnicodeError as error:
        raise PayloadError(
            f"the bytes are not {encoding}", code="encoding", fix="set csv.encoding in the mapping"
        ) from error
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=how.delimiter, strict=True)
    columns = [*how.columns]
    try:
        for number, cells in enumerate(rows):
            if number < how.skip_rows or not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [clean(cell) for cell in cells]
                continue
            where = f"row[{number}]"
            # Some writers end each row with a delimiter.
            if len(cells) == len(columns) + 1 and not cells[-1].strip():
                del cells[-1]
            if len(cells) != len(columns):
                what = f"{len(cells)} cells in a table of {len(columns)} columns"
                yield where, PayloadError(what, code="wrong-columns", path=where)
            else:
                yield where, dict(zip(columns, map(clean, cells), strict=True))
    except csv.Error as error:
        raise PayloadError(f"no well-formed CSV: {error}", code="malformed") from error


def hops_of(path: str) -> list[tuple[tuple[str | int, ...], str]]:
    """The steps up to each list of a path of records."""
    hops: list[tuple[tuple[str | int, ...], str]] = []
    steps: list[str | int] = []
    if path.startswith("[]"):
        hops.append(((), ""))
        path = path[2:].removeprefix("/")
    for name, places in _steps(path, path) if path else ():
        steps.append(name)
        for place in places:
            if place is None:
                hops.append((tuple(steps), "/".join(map(str, steps))))
                steps = []
            else:
                steps.append(place)
    if steps:
        raise ValueError(f"{path!r} must end with []: it names a list of records")
    return hops


def _lists_of(records: str) -> list[tuple[str | int | None, ...]]:
    """Where lists of records stand, the innermost first; nowhere, if the document is one record."""
    found: list[tuple[str | int | None, ...]] = []
    for steps, _ in hops_of(records):
        found.insert(0, (*found[0], None, *steps) if found else steps)
    return found


def _steps(path: str, whole: str) -> Iterator[tuple[str, list[int | None]]]:
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (found.end() < len(path) and path[found.end()] != "/"):
            raise ValueError(f"{whole!r} is no path; write it as station/lanes[0]/speed")
        places = re.findall(r"\[(\d*)\]", found[3])
        yield found[1] or found[2], [int(place) if place else None for place in places]
        at = found.end() + 1


def _iterated(
    chain: list[Any], where: str, hops: Sequence[tuple[tuple[str | int, ...], str]], *, xml: bool
) -> Iterator[tuple[list[Any], str]]:
    if not hops:
        yield chain, where
        return
    steps, text = hops[0]
    around = f"{where}/{text}".strip("/")
    value = _walked(chain[-1], steps)
    if value is MISSING and not xml:
        # An answer without its list is another answer, not an empty one.
        raise PayloadError("the list of records is not there", code="missing-field", path=around)
    if not xml and value is not MISSING and not isinstance(value, list | None):
        raise PayloadError("expected a list of records", code="wrong-type", path=around)
    for place, item in enumerate(children(value, around)):
        rest = () if isinstance(item, Broken) else hops[1:]
        yield from _iterated([*chain, item], f"{around}[{place}]", rest, xml=xml)


def _walked(value: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            items = value if isinstance(value, list) else [value]
            value = items[step] if step < len(items) else MISSING
        else:
            if isinstance(value, Siblings):
                value = value[0]
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING:
            return MISSING
    return value
