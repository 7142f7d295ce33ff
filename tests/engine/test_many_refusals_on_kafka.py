"""Payloads that take long to read, on a real cluster: letters are bounded, and nothing stops."""

import json
from collections.abc import Iterator

import pytest
from harness import Rig
from mending import SOURCE, signals

import schemas
from hub.codec import RecordCodec
from hub.evidence import EvidenceStore
from hub.parsing import PARTS_MAX
from hub.refusals import SINGLE_MAX, WITH_BYTES_MAX
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SIGNALS, LETTERS = "traffic.signal_state.v1", "dead_letter.v1"


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("refusals"))
        # Too much is refused here for any breaker.
        own = {SOURCE: {"connector": "spat", "breaker": {"share": 1}}}
        rig.configure({"source": {**rig.values["source"], **own}})
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


def test_a_backlog_that_takes_longer_to_read_than_a_session_lasts_is_read_to_its_end(rig):
    before = len(rig.read([SIGNALS])[SIGNALS])
    count = 50
    heavy = payload(7774, *([{}] * 20_000))
    rig.write([heavy] * count)
    rig.stages()
    rig.until_drained()
    rig.stop_workers()
    assert len(rig.read([SIGNALS])[SIGNALS]) == before + count


def test_a_payload_that_takes_longer_to_read_than_a_transaction_lasts_is_read(rig):
    topic, key, body, headers = payload(7775, "rest")
    body = body.replace(b'"rest"', b"{}," * (PARTS_MAX + 100_000) + b"{}")
    name = EvidenceStore.open(rig.config.evidence()).put(body, "body")
    told = [each for each in headers if each[0] != "sha256"]
    told += [("sha256", name.encode()), ("body", f"sha256:{name}".encode())]
    rig.stages()
    rig.write([payload(7776), (topic, key, b"", told), payload(7777)])
    rig.until_drained()
    rig.stop_workers()
    codec = RecordCodec(schemas.built(SIGNALS), 0)
    refs = {
        codec.decode(each.value())["header"]["device_ref"] for each in rig.read([SIGNALS])[SIGNALS]
    }
    assert {"7775", "7776", "7777"} <= {ref[-4:] for ref in refs}
    letters = [
        RecordCodec(schemas.built(LETTERS), 0).decode(each.value())
        for each in rig.read([LETTERS])[LETTERS]
    ]
    (last,) = [each for each in letters if each["code"] == "too-many-parts"]
    assert last["index"] == PARTS_MAX
