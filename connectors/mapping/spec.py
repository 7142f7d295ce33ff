"""What a mapping says, as checked values: the keys of its file and nothing else."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.connector import Noun

__all__ = ["Csv", "EventRules", "Rule", "Rules", "Skip", "Spec"]

Scalar = str | int | float | bool
_SOURCES = ("path", "paths", "constant", "meta", "each", "fields")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Model):
    """Where one value comes from and what becomes of it; a text alone is its path."""

    path: str | None = Field(default=None, description="Where it stands in the record")
    paths: tuple[str, ...] | None = Field(
        default=None, description="Several, joined by a blank: a date and a time of day"
    )
    constant: Scalar | None = Field(default=None, description="Always this")
    meta: str | None = Field(default=None, description="What the transport knows: `mqtt_topic`")
    each: str | None = Field(default=None, description="A list of records with `fields`")
    fields: "Mapping[str, RuleOrPath] | None" = Field(default=None, description="Of a record")
    split: str = Field(default="", description="Parts the text; a list, or with `part` one of it")
    part: int | None = Field(default=None, description="Which part, from 0; -1 is the last")
    sentinels: tuple[Scalar, ...] = Field(default=(), description="Values that say: none")
    flag: str = Field(
        default="", pattern=r"^[a-z0-9_]{0,40}$", description="Quality flag where a sentinel stood"
    )
    table: Mapping[str, Scalar] | None = Field(default=None, description="Value by the source's")
    otherwise: Scalar | None = Field(default=None, description="For what the table lacks")
    unit: str = Field(default="", description="Unit in which the source tells it")
    scale: float = Field(default=1.0, description="Factor to the unit given")
    offset: float = Field(default=0.0, description="Added after the factor")
    decimal: Literal[".", ","] = Field(default=".", description="What parts a number's decimals")
    least: float | None = Field(default=None, description="Below it, it is none, with a flag")
    most: float | None = Field(default=None, description="Above it, it is none, with a flag")
    format: str = Field(default="", description="Of a time: `unix_s`, `unix_ms`, `%d/%m/%Y %H:%M`")
    default: Scalar | None = Field(default=None, description="Where the source says none")
    required: bool = Field(default=False, description="Without it the record is refused")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if self.each is not None and self.fields is not None:
            given.remove("fields")
        if len(given) != 1:
            named = " and ".join(given) or "nothing"
            raise ValueError(
                f"it comes from {named}; say one of path, paths, constant, meta, each with fields"
            )
        if self.each is not None and self.fields is None:
            raise ValueError("each needs fields: what its records hold")
        if self.part is not None and not self.split:
            raise ValueError("part needs split: what parts the text")
        return self


def _as_rule(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


RuleOrPath = Annotated[Rule, BeforeValidator(_as_rule)]
Rules = Mapping[str, RuleOrPath]


class Csv(_Model):
    """How rows are written."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "utf-16", "cp1252", "cp1258"] = "utf-8"
    columns: tuple[str, ...] = Field(
        default=(), description="Names of the columns where the first row does not tell them"
    )
    skip_rows: int = Field(
        default=0, ge=0, le=1_000, description="Rows before the first that counts"
    )


class Skip(_Model):
    """Records that rightly give no event."""

    path: str
    values: tuple[Scalar, ...] = Field(min_length=1)
    why: str = Field(min_length=3, description="What is said of them")


class EventRules(_Model):
    """What stands in an event's header."""

    noun: Noun
    kind: Rule
    device_ref: RuleOrPath | None = None
    subject: tuple[RuleOrPath, ...] = ()
    native_id: RuleOrPath | None = None
    native_version: RuleOrPath | None = None
    version_at: RuleOrPath | None = None
    observed_at: RuleOrPath | None = None
    published_at: RuleOrPath | None = None
    lifecycle: RuleOrPath | None = None
    status: RuleOrPath | None = None
    severity: RuleOrPath | None = None
    replayed: RuleOrPath | None = None
    drill_id: RuleOrPath | None = None


class Spec(_Model):
    """The whole mapping."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")
    title: str = Field(min_length=3)
    version: str = Field(default="1", pattern=r"^[A-Za-z0-9._-]{1,20}$")
    format: Literal["json", "jsonl", "xml", "csv"]
    root: str = Field(default="", description="Name of the document element of XML")
    records: str = Field(default="", description="Path of the list of records: `data/rows[]`")
    csv: Csv = Csv()
    skip: tuple[Skip, ...] = ()
    event: EventRules
    body: Rules = Field(default_factory=dict)
    plate: Rules = Field(default_factory=dict)
    position: Rules = Field(default_factory=dict)
    areas: tuple[Rules, ...] = ()
    identity: tuple[str, ...] = Field(
        description="What tells two events of one device and time apart; frozen once in use"
    )

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        if (self.format == "xml") != bool(self.root):
            raise ValueError("root names the document element of XML: needed there, and only there")
        if self.records and self.format in {"csv", "jsonl"}:
            raise ValueError(f"records has no meaning in {self.format}: each row is one")
        return self
