import copy
import io
import json
from datetime import datetime
from uuid import UUID

import fastavro
import pytest
from fastavro.schema import parse_schema

import schemas
from hub.compatibility import breaks, first_break
from hub.render import plain
from schemas import generate
from schemas.lint import lint

TOPICS = sorted(generate.build())


def resolved(type_, names):
    return names.get(type_, type_) if isinstance(type_, str) else type_


def collect(type_, names):
    """Named types of a schema by short name."""
    if isinstance(type_, list):
        for each in type_:
            collect(each, names)
    elif isinstance(type_, dict):
        if "name" in type_ and "type" in type_:
            names.setdefault(type_["name"], type_)
        collect(type_.get("items"), names)
        if isinstance(type_["type"], dict | list):
            collect(type_["type"], names)
        for field in type_.get("fields", ()):
            collect(field["type"], names)


def example_of(type_, names, *, full):
    """A value of a type: every optional part given, or none."""
    type_ = resolved(type_, names)
    if isinstance(type_, list):
        if not full and "null" in type_:
            return None
        return example_of(next(each for each in type_ if each != "null"), names, full=full)
    if isinstance(type_, str):
        return {
            "null": None, "boolean": True, "int": 7, "long": 7_000_000_000, "float": 0.5,
            "double": 0.25, "bytes": b"\x00\xff", "string": "Hà Nội",
        }[type_]  # fmt: skip
    kind = type_["type"]
    if kind == "record":
        return {
            field["name"]: example_of(field["type"], names, full=full)
            for field in type_["fields"]
            # fastavro takes the default of bytes for text, so a writer always gives them.
            if full or "default" not in field or field["type"] == "bytes"
        }
    if kind == "array":
        return [example_of(type_["items"], names, full=full)] if full else []
    if kind == "enum":
        return type_["symbols"][-1] if full else "UNKNOWN"
    if kind == "fixed":
        return bytes(range(type_["size"]))
    return example_of(kind, names, full=full)


def value_of(schema, *, full=True):
    names = {}
    collect(schema, names)
    return example_of(schema, names, full=full)


def convert(schema, value, writer_to_reader):
    writer, reader = writer_to_reader
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parse_schema(copy.deepcopy(writer)), value)
    return fastavro.schemaless_reader(
        io.BytesIO(out.getvalue()),
        parse_schema(copy.deepcopy(writer)),
        parse_schema(copy.deepcopy(reader)),
    )


def from_json(type_, value, names):
    """A value as Avro takes it, from the form in which the hub prints it."""
    type_ = resolved(type_, names)
    if isinstance(type_, list):
        if value is None:
            return None
        return from_json(next(each for each in type_ if each != "null"), value, names)
    if not isinstance(type_, dict):
        return value
    if type_["type"] == "record":
        types = {field["name"]: field["type"] for field in type_["fields"]}
        return {name: from_json(types[name], each, names) for name, each in value.items()}
    if type_["type"] == "array":
        return [from_json(type_["items"], each, names) for each in value]
    if type_["type"] == "fixed":
        return UUID(value).bytes if type_["size"] == 16 else bytes.fromhex(value)
    if type_.get("logicalType") == "timestamp-micros":
        return datetime.fromisoformat(value)
    return value


def test_generated_files_are_current():
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("topic", TOPICS)
def test_a_built_schema_keeps_the_rules(topic):
    assert list(lint(schemas.built(topic))) == []


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_value_survives_encoding(topic, full):
    schema = schemas.built(topic)
    value = value_of(schema, full=full)
    decoded = convert(schema, value, (schema, schema))
    again = convert(schema, decoded, (schema, schema))
    assert again == decoded


def record(*fields, name="R"):
    return {"type": "record", "name": name, "doc": "d", "fields": list(fields)}


def field(name, type_, **more):
    return {"name": name, "type": type_, "doc": "d", **more}


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        (record(field("a", ["null", "R"], default=None)), "contains itself"),
        (record(field("a", {"type": "array", "items": "null"}, default=[])), "zero bytes"),
        (
            record(field("a", {"type": "array", "items": record(name="Empty")}, default=[])),
            "zero bytes",
        ),
        (record({"name": "a", "type": "int", "default": 0}), "no doc"),
        ({"type": "record", "name": "R", "fields": []}, "has no doc"),
        (record(field("a", "int")), "no default"),
        (
            record(field("a", {"type": "enum", "name": "E", "doc": "d", "symbols": ["A"]},
                         default="A")),
            "must begin with UNKNOWN",
        ),
        (record(field("a", "Nowhere", default=None)), "not defined before"),
        (record(field("a", record(field("id", "int"), name="I"), default={})), "gives no id"),
    ],
)  # fmt: skip
def test_the_lint_refuses(schema, what):
    assert any(what in text for text in lint(schema))


def test_the_lint_refuses_depth():
    schema = record(field("a", "int", default=0), name="R0")
    for number in range(1, 20):
        schema = record(field("a", schema, default={}), name=f"R{number}")
    assert any("deeper than" in text for text in lint(schema))


RELEASED = [
    pytest.param(topic, old, id=f"{topic}-{number}")
    for topic in TOPICS
    for number, old in enumerate(schemas.released(topic), 1)
]


@pytest.mark.parametrize(("topic", "old"), RELEASED)
def test_old_bytes_are_read_with_the_current_schema_and_the_reverse(topic, old):
    current = schemas.built(topic)
    assert breaks(old, current) == []
    for full in (True, False):
        convert(old, value_of(old, full=full), (old, current))
        convert(old, value_of(current, full=full), (current, old))


def grown(schema):
    """The schema with one more field in its first record, and one more symbol in its enums."""
    new = copy.deepcopy(schema)
    new["fields"].append(field("added_later", ["null", "string"], default=None))
    names = {}
    collect(new, names)
    for type_ in names.values():
        if type_["type"] == "enum":
            type_["symbols"].append("ADDED_LATER")
    return new


@pytest.mark.parametrize("topic", TOPICS)
def test_an_added_field_works_both_ways(topic):
    old, new = schemas.built(topic), grown(schemas.built(topic))
    assert breaks(old, new) == []
    assert first_break([old, new]) == []
    forward = convert(old, value_of(old), (old, new))
    assert forward["added_later"] is None
    backward = convert(old, value_of(new), (new, old))
    assert "added_later" not in backward
    # A symbol the old reader does not know becomes UNKNOWN, never an error.
    assert "ADDED_LATER" not in json.dumps(plain(backward))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda fields: fields.append(field("new", "int")), "new: was not written"),
        (lambda fields: fields.pop(0), "id: was not written"),
        (lambda fields: fields[1].update(type="string"), "text: is"),
        (lambda fields: fields[2]["type"].pop(0), "maybe: null is in no branch"),
        (lambda fields: fields.reverse(), "the order of its fields changed"),
        (lambda fields: fields[3]["type"].update(size=8), "digest: has"),
    ],
)
def test_a_break_is_named_by_its_field(change, what):
    old = record(
        field("id", "int"),
        field("text", "int", default=0),
        field("maybe", ["null", "string"], default=None),
        field("digest", {"type": "fixed", "name": "D", "doc": "d", "size": 4}),
    )
    new = copy.deepcopy(old)
    change(new["fields"])
    assert any(what in text for text in breaks(old, new))
    assert first_break([old, old, new]) != []


@pytest.mark.parametrize("noun", sorted(schemas.nouns()))
def test_the_sample_of_a_noun_is_a_valid_record_of_a_subscriber(noun):
    sample = json.loads((schemas.HERE / "examples" / f"{noun}.json").read_text("utf-8"))
    subscriber = sample["view"]["id"]
    schema = schemas.built(schemas.subscriber_topic(subscriber, noun))
    names = {}
    collect(schema, names)
    decoded = convert(schema, from_json(schema, sample, names), (schema, schema))
    assert plain(decoded) == sample
    rights = schemas.subscribers()[subscriber].rights
    given = {field for right in rights if noun in right.nouns for field in right.fields}
    for name in schemas.restricted_fields():
        assert f"restricted.{name}" in given or sample["restricted"][name] is None


@pytest.mark.parametrize("topic", sorted(noun.topic for noun in schemas.nouns().values()))
def test_the_order_of_an_event_is_contract(topic):
    fields = schemas.built(topic)["fields"]
    assert [each["name"] for each in fields] == ["header", "restricted", "body"]
    header = [each["name"] for each in fields[0]["type"]["fields"]]
    assert header == [
        "event_id", "subject_id", "lifecycle", "status", "severity", "time_quality", "replayed",
        "received_at", "observed_at", "published_at", "source_id", "device_ref", "kind",
        "native_id", "native_version", "position", "areas_reported", "drill_id", "quality_flags",
        "origin",
    ]  # fmt: skip
