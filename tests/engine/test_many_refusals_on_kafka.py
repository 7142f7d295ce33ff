"""One payload of thousands of refused parts, on a real cluster: bounded letters, nothing stops."""

import json
from collections.abc import Iterator

import pytest
from harness import Rig
from mending import signals

import schemas
from hub.codec import RecordCodec
from hub.refusals import SINGLE_MAX, WITH_BYTES_MAX
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SIGNALS, LETTERS = "traffic.signal_state.v1", "dead_letter.v1"


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("refusals"))
        try:
            yield rig
        finally:
            rig.close()


def payload(*parts: object) -> tuple:
    """A payload of `spat` with these intersections; what is no object is refused."""
    topic, key, body, headers = signals(1111)
    document = json.loads(body)
    spat = document["payload"]["data"]["value"]["SPAT"]
    (one,) = spat["intersections"]
    spat["intersections"] = [
        {**one, "id": {"region": 84, "id": part}} if isinstance(part, int) else part
        for part in parts
    ]
    return topic, key, json.dumps(document).encode(), headers


def test_a_payload_of_twenty_thousand_refused_parts_gives_bounded_letters_and_stops_nothing(rig):
    count = 20_000
    many = payload(7771, *([{}] * count), 7772)
    rig.stages()
    rig.write([many, payload(7773)])
    rig.until_drained()
    rig.stop_workers()
    codec = RecordCodec(schemas.built(SIGNALS), 0)
    refs = [
        codec.decode(each.value())["header"]["device_ref"] for each in rig.read([SIGNALS])[SIGNALS]
    ]
    assert sorted(ref[-4:] for ref in refs) == ["7771", "7772", "7773"]
    values = [each.value() for each in rig.read([LETTERS])[LETTERS]]
    assert len(values) == SINGLE_MAX + 1
    letters = [RecordCodec(schemas.built(LETTERS), 0).decode(value) for value in values]
    whole = [each for each in letters if each["body"]]
    assert [each["index"] for each in whole] == list(range(1, WITH_BYTES_MAX + 1))
    assert all(each["body"] == many[2] for each in whole)
    assert (letters[-1]["index"], letters[-1]["last_index"]) == (SINGLE_MAX + 1, count)
