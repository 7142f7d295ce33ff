"""Which schemas of others process decodes with: a later release's, and no stranger's."""

import json
from datetime import UTC, datetime

import pytest

import schemas
from hub.codec import RecordCodec
from hub.compatibility import breaks
from hub.errors import RecordError
from hub.schema_ids import SchemaIds, Versions, unsound

TOPIC = "camera.detection.v1"
OWN = schemas.built(TOPIC)
FIELD = {"name": "gained", "type": "string", "doc": "Gained.", "default": ""}


def grown(**changed):
    """The current schema with one field more."""
    return {**OWN, "fields": [*OWN["fields"], {**FIELD, **changed}]}


class Registry:
    """Schemas by id, and those of the noun's own subject."""

    def __init__(self, known, own=()):
        self.known, self.own, self.asked = known, own, 0

    def schema(self, id_):
        self.asked += 1
        text = self.known.get(id_)
        return None if text is None else json.loads(text)

    def id_of(self, subject, schema):
        assert subject == f"{TOPIC}-value"
        found = (id_ for id_ in self.own if json.loads(self.known[id_]) == schema)
        return next(found, None)


def decoded_with(known, *, own=(7,), id_=7):
    versions = Versions(Registry(known, own))
    return versions._successor(id_, "detection")


def refusal(schema, *, own=(7,)):
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(RecordError) as caught:
        decoded_with({7: text}, own=own)
    return caught.value


def test_a_later_release_s_schema_is_decoded_and_asked_for_once():
    registry = Registry({7: json.dumps(grown())}, own=(7,))
    versions = Versions(registry)
    first = versions._successor(7, "detection")
    assert first["name"].endswith("Detection")
    assert versions._successor(7, "detection") is first
    assert registry.asked == 1


def test_every_schema_of_the_hub_is_sound():
    for path in [*schemas.HERE.glob("built/*.avsc"), *schemas.HERE.glob("released/*/*.avsc")]:
        assert unsound(json.loads(path.read_text("utf-8"))) is None, path


def test_a_sound_schema_of_another_subject_is_refused():
    error = refusal(grown(), own=())
    assert (error.code, "not registered for camera.detection.v1" in error.what) == (
        "wrong-schema",
        True,
    )


def test_an_id_that_the_registry_does_not_know_is_refused():
    with pytest.raises(RecordError) as caught:
        decoded_with({}, id_=9)
    assert caught.value.code == "unknown-schema"


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "N", "doc": "D.", "fields": []}},
        {"type": "array", "items": {"type": "fixed", "name": "F", "doc": "D.", "size": 0}},
        ["null", "Detection"],
        ["null", {"type": "map", "values": "Detection"}],
        {"type": {"type": "array", "items": "null"}},
        {"type": "error", "name": "E", "fields": []},
        {},
        7,
        "no.such.Type",
    ],
    ids=lambda type_: json.dumps(type_)[:40],
)
def test_a_compatible_field_that_could_hurt_its_decoder_is_refused(type_):
    assert refusal(grown(type=type_)).code == "wrong-schema"


@pytest.mark.parametrize(
    "schema", ['"string"', "[]", "3", "null", "no json", "[" * 100_000, "{}", '{"name": 3}']
)
def test_what_is_no_record_schema_at_all_is_refused(schema):
    assert refusal(schema).code in ("wrong-schema", "unknown-schema")


def test_a_schema_that_does_not_fit_the_current_one_is_refused():
    broken = {**OWN, "fields": [{**OWN["fields"][0], "type": "long", "default": 0}]}
    assert breaks(OWN, broken)
    assert refusal(broken).code == "wrong-schema"


def test_deep_nesting_is_refused_before_anything_walks_it():
    type_: object = "string"
    for _ in range(500):
        type_ = {"type": "array", "items": type_}
    assert "deeper" in str(unsound(grown(type=type_)))


class Released:
    """A cluster's registry: the current schema of a topic, and one that came before it."""

    def __init__(self, topic, before):
        self.subject = f"{topic}-value"
        self.known = {1: before, 2: schemas.built(topic)}

    def schema(self, id_):
        return self.known.get(id_)

    def id_of(self, subject, schema):
        assert subject == self.subject
        return next((id_ for id_, known in self.known.items() if known == schema), None)


def test_an_entry_of_an_older_release_has_the_defaults_of_what_came_later():
    current = schemas.built("route.v1")
    before = {**current, "fields": [each for each in current["fields"] if each["name"] != "drop"]}
    rule = {"rule_id": "a", "valid_from": datetime(2026, 3, 1, tzinfo=UTC), "subscriber": "police"}
    ids = SchemaIds(Released("route.v1", before))
    old = ids.decode("route.v1", RecordCodec(before, 1).encode(rule))
    new = ids.decode("route.v1", RecordCodec(current, 2).encode(rule))
    assert old == new
    assert (old["rule_id"], old["drop"]) == ("a", False)


def test_an_entry_of_a_stranger_is_refused():
    ids = SchemaIds(Released("route.v1", schemas.built("device.v1")))
    with pytest.raises(RecordError, match=r"not a schema of route\.v1"):
        ids.decode("route.v1", b"\x00\x00\x00\x00\x01anything")
