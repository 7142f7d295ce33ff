"""Payloads of any shape, read as a file declares: JSON, JSON lines, XML or CSV, without Python.

The mapping (TOML; `connectors/README.md` shows one) names the noun, where the list of records is
and, for each field of the event, its path, constant, table, unit, sentinels or time format. It is
read and checked against the noun's schema when the source's options are, and is frozen with them:
an error names the file, the key and the mend.

Traps handled:

- Each record is refused alone: a wrong type, a missing subject, a row with other columns.
- A payload in which nothing is where the mapping looks (a login page, an error object) is refused,
  and so is a JSON answer without its list; an empty list is no record.
- A number whose field has a unit needs that of the source: nothing is guessed.
- Sentinels are compared as texts and as numbers, so -1 is also `"-1.0"`.
- `identity` is the mapping's own and frozen with it; a plate never stands in an id.

Inferred: nothing; what the file does not name is not read. Not read: pictures, persons, references
between alerts, documents nested deeper than 64, and YAML.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

import hub.connector
from connectors.mapping.compiled import compiled
from connectors.mapping.spec import Spec
from hub.connector import Connector, Inner, Outcome, Payload
from hub.errors import ConfigError

__all__ = ["Options", "connector", "parse"]

_BYTES_MAX = 2**20
_TAGS = frozenset({"function-wrap", "function-before"})


class Options(hub.connector.Options):
    """The mapping: in a file, or in the source's entry itself."""

    file: str = Field(default="", description="The mapping, a TOML file")
    mapping: Spec | None = Field(
        default=None, description="The mapping itself, instead of a file: the same keys"
    )
    _reader: Connector = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        file, given = values.get("file"), values.get("mapping")
        if bool(file) == bool(given):
            raise ConfigError(
                "it needs file, the mapping's, or mapping, its content: one of them",
                where="options of the connector mapping",
                fix='set file = "mappings/loops.toml"',
            )
        if isinstance(given, Spec):
            return values
        content = given or _content(str(file))
        return {**values, "mapping": _checked(content, where=str(file or "mapping"))}

    @model_validator(mode="after")
    def _compile(self) -> Self:
        assert self.mapping is not None, "set by _read, or refused"
        self._reader = compiled(self.mapping, self.file or "mapping")
        return self

    @property
    def reader(self) -> Connector:
        """The connector that the mapping declares."""
        return self._reader


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """Hand the payload to the connector that the mapping declares."""
    yield Inner(connector=options.reader, options=options, payload=payload)


def _content(file: str) -> dict[str, Any]:
    if not file.endswith(".toml"):
        raise ConfigError("a mapping is a TOML file", where=file, fix="name one that ends in .toml")
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        fix = "name an existing file; a relative one counts from where the hub is started"
        raise ConfigError(f"can't read it: {error.strerror}", where=file, fix=fix) from error
    if len(data) > _BYTES_MAX:
        raise ConfigError(f"more than {_BYTES_MAX} bytes", where=file, fix="name a mapping")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}", where=file, fix="correct it") from error


def _checked(content: Any, *, where: str) -> Spec:
    try:
        return Spec.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _TAGS)
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        if first["type"] == "extra_forbidden":
            what, fix = "no such key", "remove or rename it"
        elif first["type"] == "missing":
            what, fix = "it is missing", "add it"
        else:
            what, fix = first["msg"].removeprefix("Value error, "), "correct this value"
        raise ConfigError(f"{what}{more}", where=f"{where}: {key}", fix=fix) from error


connector = Connector(
    name="mapping",
    title="Any JSON, JSON lines, XML or CSV, as a file declares without Python",
    parse=parse,
    emits=(),
    identity={},
    options=Options,
    example_options={"file": "mappings/loops.toml"},
)
