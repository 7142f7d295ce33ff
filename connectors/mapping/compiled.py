"""A mapping made into a connector, checked against its noun's schema before anything is read."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

import schemas
from connectors._formats.times import Stamp
from connectors.mapping.reading import Parts, outcomes, present
from connectors.mapping.spec import Rule, Rules, Spec
from connectors.mapping.tree import MISSING, Record, children, hops_of, path_of
from connectors.mapping.values import Read, Scalars, origin_of, scalar_reader, stamp_reader
from hub.connector import Connector, Lifecycle, Options, Outcome, Payload, Severity, Status
from hub.errors import ConfigError, PayloadError

__all__ = ["compiled"]

TEXT: Final = Scalars("text")
NUMBER: Final = Scalars("double")
_HEADER: Final = {
    "device_ref": TEXT,
    "native_id": TEXT,
    "native_version": TEXT,
    "drill_id": TEXT,
    "replayed": Scalars("bool"),
    "lifecycle": Scalars("enum", get_args(Lifecycle)),
    "status": Scalars("enum", get_args(Status)),
    "severity": Scalars("enum", get_args(Severity)),
}
_TIMES: Final = ("version_at", "observed_at", "published_at")
_PLATE: Final = ("raw", "category", "colour", "confidence")
_POSITION: Final = ("lat", "lon", "accuracy_m")
_AREA: Final = ("scheme", "code", "name")
_KIND: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_PRIMITIVE: Final = {"string": "text", "int": "int", "double": "double", "boolean": "bool"}


def compiled(spec: Spec, where: str) -> Connector:
    """The connector a mapping declares; `ConfigError` names the file, the key and the mend."""
    compiler = _Compiler(where)
    noun = schemas.nouns()[spec.event.noun]
    parts = compiler.parts(spec, noun)
    compiler.check_identity(spec)

    def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
        return outcomes(payload, spec, parts, options)

    return Connector(
        name="mapping",
        title=spec.title,
        parse=parse,
        emits=(spec.event.noun,),
        identity={spec.event.noun: spec.identity},
        version=f"1+{spec.name}.{spec.version}",
    )


class _Compiler:
    """Makes readers of rules; every fault is a `ConfigError` that names its key."""

    def __init__(self, where: str) -> None:
        self._where = where

    def parts(self, spec: Spec, noun: schemas.NounSpec) -> Parts:
        event = spec.event
        self._sound(spec, noun)
        names: dict[str, Any] = {}
        body = _resolved(_type_of(schemas.built(noun.topic), "body"), names)
        plate = _resolved(_type_of(schemas.source("restricted"), "plate"), {})
        types = {field: _scalars(_type_of(plate, field), {}) or TEXT for field in _PLATE}
        areas = [
            self._each(rules, f"areas[{place}]", dict.fromkeys(_AREA, TEXT))
            for place, rules in enumerate(spec.areas)
        ]
        header = {
            name: self._scalar(name, rule, f"event.{name}", type_)
            for name, type_ in _HEADER.items()
            if (rule := getattr(event, name)) is not None
        }
        header["kind"] = self._scalar("kind", event.kind, "event.kind", TEXT)
        return Parts(
            skips=[self._skip(each, f"skip[{place}]") for place, each in enumerate(spec.skip)],
            header=header,
            times=self._times(spec),
            subject=[
                (
                    rule.path or "",
                    self._scalar("subject", rule, f"event.subject[{place}]", TEXT),
                )
                for place, rule in enumerate(event.subject)
            ],
            body=self._record(spec.body, "body", body, names),
            plate=self._each(spec.plate, "plate", types),
            position=self._each(spec.position, "position", dict.fromkeys(_POSITION, NUMBER)),
            areas=areas,
        )

    def check_identity(self, spec: Spec) -> None:
        """Each path of the identity is one that a rule fills."""
        known = {f"body.{name}" for name in spec.body}
        known |= {"restricted.plate.raw", "restricted.plate.text"} if spec.plate else set()
        for place, path in enumerate(spec.identity):
            if path not in known:
                raise self._fault(
                    f"identity[{place}]",
                    f"{path!r} is filled by no rule",
                    f"use some of {', '.join(sorted(known)) or 'nothing: leave it empty'}",
                )

    def _sound(self, spec: Spec, noun: schemas.NounSpec) -> None:
        event = spec.event
        self._made("records", hops_of, spec.records)
        if noun.family == "state" and not event.subject:
            what = f"a {noun.name} is a state, compared with the last one of its subject"
            raise self._fault("event.subject", what, "name it: the paths that tell it from others")
        if event.kind.constant is None and event.kind.table is None:
            what = "a kind is the hub's word, never the source's"
            raise self._fault("event.kind", what, "give a constant or a table")
        for word in (event.kind.constant, event.kind.otherwise, *(event.kind.table or {}).values()):
            if word is not None and not _KIND.fullmatch(str(word)):
                what = f"{word!r} is no kind: small letters, digits and _, parted by dots"
                raise self._fault("event.kind", what, "write it as vehicle.passage")
        if spec.plate and "raw" not in spec.plate:
            raise self._fault("plate.raw", "a plate is what was read", "name its path")
        if spec.position and not {"lat", "lon"} <= set(spec.position):
            raise self._fault("position", "one of lat and lon is missing", "name both")

    def _times(self, spec: Spec) -> dict[str, Callable[[Record], Stamp | None]]:
        found = {}
        for name in _TIMES:
            rule = getattr(spec.event, name)
            if rule is not None:
                flagged = "time" if name == "observed_at" else name
                found[name] = self._made(f"event.{name}", stamp_reader, flagged, rule)
        return found

    def _skip(self, each: Any, key: str) -> Callable[[Record], str]:
        rule = Rule(path=each.path)
        read = self._scalar("skip", rule, key, TEXT)
        values = {_spelt(value) for value in each.values}
        return lambda record: each.why if read(record) in values else ""

    def _each(self, rules: Rules, key: str, types: Mapping[str, Scalars]) -> dict[str, Read]:
        found = {}
        for name, rule in rules.items():
            if name not in types:
                raise self._fault(f"{key}.{name}", "no such field", f"use {', '.join(types)}")
            found[name] = self._scalar(name, rule, f"{key}.{name}", types[name])
        return found

    def _record(self, rules: Rules, key: str, schema: Any, names: dict[str, Any]) -> Read:
        types = {field["name"]: field for field in schema["fields"]}
        reads: dict[str, Read] = {}
        for name, rule in rules.items():
            if name not in types:
                fix = f"use {', '.join(types)}"
                raise self._fault(f"{key}.{name}", f"no field of {schema['name']}", fix)
            reads[name] = self._field(name, rule, f"{key}.{name}", types[name]["type"], names)
        needed = [name for name, field in types.items() if "default" not in field]
        lacking = [name for name in needed if name not in reads]
        if lacking:
            raise self._fault(key, f"{lacking[0]} is missing", "each record has it: add its rule")
        return lambda record: _whole(record, reads, needed)

    def _field(self, name: str, rule: Rule, key: str, type_: Any, names: dict[str, Any]) -> Read:
        schema = _resolved(type_, names)
        if isinstance(schema, dict) and schema.get("type") == "array":
            return self._list(name, rule, key, schema["items"], names)
        if isinstance(schema, dict) and schema.get("type") == "record":
            if rule.fields is None or rule.each is not None:
                raise self._fault(key, "it holds several values", "give its fields")
            inner = self._record(rule.fields, key, schema, names)
            return lambda record: inner(record) or MISSING
        if rule.fields is not None:
            raise self._fault(key, "it holds one value", "give a path")
        if isinstance(schema, dict) and "logicalType" in schema:
            return self._time(name, rule, key)
        scalars = _scalars(schema, names)
        if scalars is None:
            raise self._fault(key, "no payload can give it", "leave it out: the hub makes it")
        return self._scalar(name, rule, key, scalars)

    def _time(self, name: str, rule: Rule, key: str) -> Read:
        read: Callable[[Record], Stamp | None] = self._made(key, stamp_reader, name, rule)

        def time(record: Record) -> Any:
            stamp = read(record)
            if stamp is None:
                return MISSING
            if stamp.at is None:
                record.flags.append(f"{name}_unreadable")
            return stamp.at

        return time

    def _list(self, name: str, rule: Rule, key: str, items: Any, names: dict[str, Any]) -> Read:
        schema = _resolved(items, names)
        if isinstance(schema, dict) and schema.get("type") == "record":
            if rule.each is None or rule.fields is None:
                raise self._fault(key, "it is a list of records", "give each and fields")
            place = self._made(key, path_of, rule.each, lists=True)
            inner = self._record(rule.fields, key, schema, names)
            return lambda record: [
                inner(record.inside(item, f"{place.in_(record)}[{number}]"))
                for number, item in enumerate(children(_noted(record, place), place.in_(record)))
            ]
        scalars = _scalars(schema, names)
        if scalars is None or rule.each is not None or rule.fields is not None:
            raise self._fault(key, "it is a list of values", "give the path of the list")
        one = self._scalar(name, Rule(**{**_plain(rule), "path": "."}), key, scalars)
        get, _ = self._made(key, origin_of, rule)
        split = rule.split

        def values(record: Record) -> list[Any]:
            found = get(record)
            if split and isinstance(found, str):
                found = [each for each in found.split(split) if each.strip()]
            path = rule.path or ""
            items = (
                one(record.inside(item, f"{record.where}/{path}[{number}]".strip("/")))
                for number, item in enumerate(children(found, path))
            )
            return [item for item in items if item is not MISSING]

        return values

    def _scalar(self, name: str, rule: Rule, key: str, type_: Scalars) -> Read:
        if rule.each is not None or rule.fields is not None:
            raise self._fault(key, "it holds one value", "give a path")
        read: Read = self._made(key, scalar_reader, name, rule, type_)
        return read

    def _made(self, key: str, make: Callable[..., Any], *given: Any, **more: Any) -> Any:
        try:
            return make(*given, **more)
        except (ValueError, PayloadError) as error:
            raise self._fault(key, str(error), "correct this rule") from error

    def _fault(self, key: str, what: str, fix: str) -> ConfigError:
        return ConfigError(what, where=f"{self._where}: {key}", fix=fix)


def _noted(record: Record, place: Any) -> Any:
    value = place.get(record)
    record.found += value is not MISSING
    return value


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(rule: Rule) -> dict[str, Any]:
    """What is made of a value, without where it comes from."""
    origin = {"path", "paths", "constant", "meta", "split", "part"}
    return {name: getattr(rule, name) for name in rule.model_fields_set - origin}


def _whole(record: Record, reads: Mapping[str, Read], needed: list[str]) -> dict[str, Any]:
    found = present(reads, record)
    if needed and found:
        for name in needed:
            if name not in found:
                what = f"{name} is missing beside {', '.join(found)}"
                raise PayloadError(what, code="missing-field", path=record.where)
    return found


def _type_of(record: Any, name: str) -> Any:
    return next(field["type"] for field in record["fields"] if field["name"] == name)


def _resolved(type_: Any, names: dict[str, Any]) -> Any:
    """The type behind null and names; every named type on the way is kept."""
    if isinstance(type_, list):
        (type_,) = [each for each in type_ if each != "null"]
    if isinstance(type_, str):
        return names.get(type_.rpartition(".")[2], type_)
    if "name" in type_:
        names[type_["name"]] = type_
        for field in type_.get("fields", ()):
            _resolved(field["type"], names)
    elif type_.get("type") == "array":
        _resolved(type_["items"], names)
    return type_


def _scalars(type_: Any, names: dict[str, Any]) -> Scalars | None:
    schema = _resolved(type_, names)
    if isinstance(schema, dict) and schema.get("type") == "enum":
        return Scalars("enum", tuple(schema["symbols"]))
    kind = _PRIMITIVE.get(schema) if isinstance(schema, str) else None
    return Scalars(kind) if kind else None
