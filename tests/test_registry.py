import json
import uuid

import httpx
import pytest

from hub.errors import IncompatibleSchemaError, UnavailableError
from hub.registry import Registry, canonical_form

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": 0}]}


class FakeRegistry:
    """Answers as the Confluent API does, for the calls a test needs."""

    def __init__(self):
        self.status: int | None = None
        self.asked = 0

    def __call__(self, request):
        self.asked += 1
        if self.status is not None:
            return httpx.Response(self.status, text="<html>no</html>")
        body = json.loads(request.content or b"{}")
        if request.url.path.endswith("/subjects/known-value"):
            known = body["schema"] == canonical_form(SCHEMA)
            if known:
                return httpx.Response(200, json={"id": 7})
        return httpx.Response(404, json={"error_code": 40403, "message": "not found"})


@pytest.fixture
def fake():
    return FakeRegistry()


@pytest.fixture
def make(fake):
    made = []

    def made_with(**more):
        registry = Registry("http://registry.test/apis/ccompat/v7", **more)
        registry.close()
        registry._client = httpx.Client(
            base_url="http://registry.test/apis/ccompat/v7", transport=httpx.MockTransport(fake)
        )
        made.append(registry)
        return registry

    yield made_with
    for each in made:
        each.close()


def test_an_id_is_asked_once(make, fake):
    registry = make()
    assert [registry.id_of("known-value", SCHEMA) for _ in range(3)] == [7, 7, 7]
    assert fake.asked == 1


def test_an_unknown_schema_has_no_id_and_is_asked_again(make, fake):
    registry = make()
    assert registry.id_of("other-value", SCHEMA) is None
    assert registry.id_of("other-value", SCHEMA) is None
    assert fake.asked == 2


# 200 and 404 with a page of somebody else's are no answers either.
@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
def test_a_registry_that_does_not_answer_is_never_an_answer(make, fake, status):
    fake.status = status
    with pytest.raises(UnavailableError, match=str(status)):
        make().id_of("known-value", SCHEMA)
    assert not make().ready()


def test_ids_survive_on_disk_while_the_registry_is_away(make, fake, tmp_path):
    cache = tmp_path / "cache" / "ids.json"
    assert make(cache=cache).id_of("known-value", SCHEMA) == 7
    fake.status = 503
    assert make(cache=cache).id_of("known-value", SCHEMA) == 7
    with pytest.raises(UnavailableError):
        make(cache=cache).id_of("other-value", SCHEMA)


def test_a_refused_schema_is_said_to_be_incompatible(make, fake):
    fake.status = 422
    with pytest.raises(IncompatibleSchemaError, match="refused"):
        make().id_of("known-value", SCHEMA)


@pytest.mark.kafka
def test_a_real_registry_gives_ids_and_schemas_back(stack):
    registry = Registry(stack.registry_url)
    subject = f"test.{uuid.uuid4().hex}-value"
    try:
        assert registry.ready()
        assert registry.id_of(subject, SCHEMA) is None
        assert registry.compatibility(subject) is None
        id_ = registry.register(subject, SCHEMA)
        assert registry.register(subject, SCHEMA) == id_
        assert registry.schema(id_) == SCHEMA
        assert registry.schema(2**30) is None
    finally:
        registry.close()
