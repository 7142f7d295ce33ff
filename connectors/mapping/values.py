"""Single values: what a rule and the type of its field make of what stands in the payload."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors._formats.numbers import number
from connectors._formats.text import clean
from connectors._formats.times import Stamp, read_stamp
from connectors.mapping.spec import Rule, Scalar
from connectors.mapping.tree import MISSING, Place, Record, path_of, single
from hub.errors import PayloadError

__all__ = ["Read", "Scalars", "scalar_reader", "stamp_reader", "unit_factor"]

Read = Callable[[Record], Any]
_LENGTH_MAX: Final = 8_000
_INT_MAX: Final = 2**31
_UNITS: Final[tuple[tuple[str, Mapping[str, float]], ...]] = (
    ("_veh_h", {"veh/h": 1.0, "veh/min": 60.0, "veh/s": 3_600.0}),
    ("_kmh", {"km/h": 1.0, "m/s": 3.6, "mph": 1.609344, "kn": 1.852}),
    ("_ratio", {"1": 1.0, "%": 0.01, "‰": 0.001}),
    ("score", {"1": 1.0, "%": 0.01, "‰": 0.001}),
    ("confidence", {"1": 1.0, "%": 0.01, "‰": 0.001}),
    ("_ft", {"ft": 1.0, "m": 1 / 0.3048}),
    ("accuracy_m", {"m": 1.0, "cm": 0.01, "km": 1_000.0, "ft": 0.3048}),
    ("_s", {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3_600.0}),
    ("seconds_on", {"s": 1.0, "ms": 0.001}),
)
_UNIX: Final = {"unix_s": 1.0, "unix_ms": 1e-3, "unix_us": 1e-6}
_EXPECTED: Final = {
    "text": "a text",
    "int": "a whole number",
    "double": "a number",
    "bool": "yes or no",
}
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


@dataclass(frozen=True, slots=True)
class Scalars:
    """The type of a field: `text`, `int`, `double`, `bool`, or one of `symbols`."""

    kind: str
    symbols: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What it takes, for errors."""
        words = {
            "text": "a text",
            "int": "a whole number",
            "double": "a number",
            "bool": "yes or no",
        }
        return f"one of {', '.join(self.symbols)}" if self.symbols else words[self.kind]

    def convert(self, value: Any) -> Any:
        """The value as the field takes it; `ValueError` when it can't be one."""
        found: Any
        if self.symbols:
            found = {each.upper(): each for each in self.symbols}.get(_text(value).upper())
        elif self.kind == "text":
            found = _text(value)[:_LENGTH_MAX]
        elif self.kind == "bool":
            text = _text(value).lower()
            found = True if text in _TRUE else False if text in _FALSE else None
        else:
            found = _number(value)
            if self.kind == "int" and found is not None:
                found = int(found) if found.is_integer() and abs(found) < _INT_MAX else None
        if found is None:
            raise ValueError(f"expected {self.expected}")
        return found


def unit_factor(name: str, rule: Rule) -> float:
    """What makes the source's unit that of the field; `ValueError` when it is not said."""
    units = next((units for suffix, units in _UNITS if name.endswith(suffix)), None)
    if units is None:
        if rule.unit:
            raise ValueError("the field has no unit the hub could convert to; use scale")
        return 1.0
    if not rule.unit and rule.constant is None:
        raise ValueError(f"the source's unit is not said: add unit, one of {', '.join(units)}")
    if rule.unit and rule.unit not in units:
        raise ValueError(f"{rule.unit!r} is no unit of it: use one of {', '.join(units)}")
    return units.get(rule.unit, 1.0)


def origin_of(rule: Rule) -> tuple[Read, Sequence[Place]]:
    """Where a rule's value comes from, before anything is made of it."""
    if rule.constant is not None:
        constant = rule.constant
        return lambda _record: constant, ()
    if rule.meta is not None:
        name = rule.meta
        return lambda record: record.payload.meta.get(name) or MISSING, ()
    places = [path_of(text) for text in rule.paths or (rule.path or "",)]
    if rule.paths is not None:
        return lambda record: _joined(record, places), places
    (place,) = places
    return lambda record: _counted(record, place), places


def scalar_reader(name: str, rule: Rule, type_: Scalars) -> Read:
    """Reads the field of that name; MISSING when the source says none."""
    get = _one_value(rule)
    sentinels = _Sentinels(rule.sentinels)
    table = _table(rule, type_)
    factor = (unit_factor(name, rule) if type_.kind == "double" else 1.0) * rule.scale
    changed = (factor, rule.offset) != (1.0, 0.0)
    least, most = _bounds(name, rule, type_)
    default = MISSING if rule.default is None else type_.convert(rule.default)
    if rule.constant is not None:
        fixed = type_.convert(rule.constant)
        return lambda _record: fixed

    def read(record: Record) -> Any:
        value = get(record)
        if value is MISSING or value in sentinels:
            if value is not MISSING and rule.flag:
                record.flags.append(rule.flag)
            return _none(record, rule, default)
        if table is not None:
            return table(value, record)
        if rule.decimal == "," and isinstance(value, str):
            value = value.replace(".", "").replace(",", ".")
        try:
            found = type_.convert(value)
        except ValueError as error:
            raise _wrong(record, rule, str(error)) from error
        if changed:
            found = round(found * factor + rule.offset, 9)
            found = round(found) if type_.kind == "int" else found
        if (least is not None and found < least) or (most is not None and found > most):
            record.flags.append(f"{name}_out_of_range")
            return _none(record, rule, default)
        return found

    return read


def stamp_reader(name: str, rule: Rule) -> Callable[[Record], Stamp | None]:
    """Reads a time in the source's zone, with its quality; None when there is none."""
    if rule.format and rule.format not in _UNIX and "%" not in rule.format:
        raise ValueError(
            f"{rule.format!r} is no format of a time: use unix_s, unix_ms, unix_us or one such as "
            "%d/%m/%Y %H:%M:%S; without it, the usual spellings are read"
        )
    get = _one_value(rule)
    sentinels = _Sentinels(rule.sentinels)

    def read(record: Record) -> Stamp | None:
        value = get(record)
        if value is MISSING or value in sentinels:
            if rule.required:
                raise _missing(record, rule)
            return None
        text = _spelt(_text(value), rule.format)
        if text is None:
            return Stamp(None, "RECEIVED", (f"{name}_unreadable",), "")
        return read_stamp(text, received_at=record.payload.received_at, options=record.options)

    return read


def _spelt(text: str, format_: str) -> str | None:
    """A time in the usual spelling; None when it is not of the format."""
    try:
        if format_ in _UNIX:
            seconds = number(text)
            if seconds is None:
                return None
            return datetime.fromtimestamp(seconds * _UNIX[format_], UTC).isoformat()
        return datetime.strptime(text, format_).isoformat() if format_ else text  # noqa: DTZ007 - the source's zone is added on reading
    except (ValueError, OverflowError, OSError):
        return None


class _Sentinels:
    """Values that stand for none: texts as they are, numbers however they are written."""

    def __init__(self, values: Sequence[Scalar]) -> None:
        self._texts = frozenset(_text(value).lower() for value in values)
        numbers = (_number(value) for value in values)
        self._numbers = frozenset(value for value in numbers if value is not None)

    def __contains__(self, value: Any) -> bool:
        if not self._texts:
            return False
        return _text(value).lower() in self._texts or _number(value) in self._numbers


def _one_value(rule: Rule) -> Read:
    """Reads what stands there, or the part of it that the rule names."""
    get, _ = origin_of(rule)
    split, part = rule.split, rule.part

    def read(record: Record) -> Any:
        value = single(get(record))
        if isinstance(value, dict | list):
            raise _wrong(record, rule, "expected one value, found an object or a list")
        if part is None or value is MISSING:
            return value
        parts = _text(value).split(split)
        found = parts[part].strip() if -len(parts) <= part < len(parts) else ""
        return found or MISSING

    return read


def _table(rule: Rule, type_: Scalars) -> Callable[[Any, Record], Any] | None:
    if rule.table is None:
        if rule.otherwise is not None:
            raise ValueError("otherwise needs a table")
        return None
    words = {key.lower(): type_.convert(value) for key, value in rule.table.items()}
    otherwise = MISSING if rule.otherwise is None else type_.convert(rule.otherwise)

    def looked_up(value: Any, record: Record) -> Any:
        found = words.get(_text(value).lower(), otherwise)
        if found is MISSING:
            what = f"none of {', '.join(list(words)[:12])}"
            raise _wrong(record, rule, what, code="unknown-value")
        return found

    return looked_up


def _bounds(name: str, rule: Rule, type_: Scalars) -> tuple[float | None, float | None]:
    """The bounds said, else those a ratio, a speed, a flow or a count has by its nature."""
    ratio = type_.kind == "double" and name.endswith(("_ratio", "score", "confidence"))
    not_negative = ratio or name.endswith(("_kmh", "_veh_h", "_count"))
    least = 0.0 if rule.least is None and not_negative else rule.least
    return least, 1.0 if rule.most is None and ratio else rule.most


def _joined(record: Record, places: Sequence[Place]) -> Any:
    found = [single(_counted(record, place)) for place in places]
    if any(isinstance(value, dict | list) for value in found):
        return found  # refused where one value is read
    return MISSING if MISSING in found else " ".join(map(_text, found))


def _counted(record: Record, place: Place) -> Any:
    value = place.get(record)
    if value is not MISSING and place.rises == 0:
        record.found += 1
    return value


def _none(record: Record, rule: Rule, default: Any) -> Any:
    if default is MISSING and rule.required:
        raise _missing(record, rule)
    return default


def _missing(record: Record, rule: Rule) -> PayloadError:
    return _wrong(record, rule, "the source says none, and it is required", code="missing-field")


def _wrong(record: Record, rule: Rule, what: str, *, code: str = "wrong-type") -> PayloadError:
    """Never with the value: it may be a person's."""
    text = rule.path or " ".join(rule.paths or ()) or f"meta {rule.meta}"
    where = f"{record.where}/{text}".removesuffix("/.") if record.where else text
    fix = "correct the source, or the rule in the mapping"
    return PayloadError(what, code=code, path=where, fix=fix)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value if isinstance(value, str) else str(value))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return number(value)
    if type(value) in {int, float} and abs(value) < 1e300:
        return float(value)
    return None
