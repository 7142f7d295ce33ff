"""A source whose vendor changed the format, on a real cluster: paused, mended, replayed."""

import json
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from harness import ID_KEY, Rig
from mending import RAW_SIGNALS, UNKNOWING, before, killed, signals

import schemas
from hub.breaker import SET_ASIDE
from hub.cli import main
from hub.codec import RecordCodec
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SIGNALS = "traffic.signal_state.v1"
CHANGED, OTHER = "spat-changed", "spat-other"
# The old connector refuses this junction; the one of the same payload that it reads, and another's.
NEW, NEAR, FAR = 2222, 3331, 4441
COUNT = 12


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("paused"))
        own = {
            CHANGED: {"connector": "spat", "breaker": {"payloads": 4}},
            OTHER: {"connector": "spat"},
        }
        rig.configure({"source": {**rig.values["source"], **own}})
        try:
            yield rig
        finally:
            rig.close()


def payload(source: str, *junctions: int) -> tuple:
    """One of a source; all have one key, so they share a partition."""
    topic, _, body, headers = signals(*junctions)
    return topic, b"one", body, [*headers[1:], ("source_id", source.encode())]


def handled(rig: Rig, *records: tuple) -> None:
    rig.stages()
    rig.write(records)
    rig.until_drained()
    rig.stop_workers()


def found(rig: Rig, source: str) -> Counter:
    """How often each junction of each payload of a source is on the canonical topic."""
    codec = RecordCodec(schemas.built(SIGNALS), 0)
    headers = [codec.decode(each.value())["header"] for each in rig.read([SIGNALS])[SIGNALS]]
    return Counter(
        (int(each["device_ref"][-4:]), each["origin"]["sha256"])
        for each in headers
        if each["source_id"] == source
    )


def test_a_source_whose_format_changed_is_paused_and_after_the_fix_replayed_once(
    rig, tmp_path, monkeypatch, capsys
):
    def hub(*words: str) -> tuple[int, str]:
        code = main(["--config", str(rig.config_file), *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)
    rig.python_path = before(tmp_path, "connectors", "spat.py", UNKNOWING)
    changed = [payload(CHANGED, NEW) for _ in range(COUNT)]
    others = [payload(OTHER, FAR) for _ in range(COUNT)]
    mixed = payload(CHANGED, NEAR, NEW)
    handled(rig, mixed, *(each for pair in zip(changed, others, strict=True) for each in pair))

    # Of the first payload half was read, so it counts as good; three more pause the source.
    letters = [each for each in rig.dead_letters() if each["source_id"] == CHANGED]
    codes = Counter(each["code"] for each in letters)
    assert set(codes) == {"unknown-junction", SET_ASIDE}
    assert codes.total() == COUNT + 1
    assert codes[SET_ASIDE] >= COUNT // 2
    assert set(found(rig, OTHER).values()) == {1}
    assert len(found(rig, OTHER)) == COUNT
    assert [junction for junction, _ in found(rig, CHANGED)] == [NEAR]
    assert len({(each.topic(), each.partition()) for each in rig.read([RAW_SIGNALS])[RAW_SIGNALS]
                if each.key() == b"one"}) == 1  # fmt: skip
    rig.check(oracle=False)

    aside = next(each for each in letters if each["code"] == SET_ASIDE)
    code, told = hub("explain", "--payload", aside["sha256"].hex())
    assert (code, "set aside unread, as its source was paused" in told) == (0, True), told
    assert "replay it with `hub dead replay`" in told
    assert str(UUID(bytes=aside["dead_id"])) in told
    code, told = hub("dead", "list")
    assert f"{codes[SET_ASIDE]} were not read, as {CHANGED} was paused" in told
    _, told = hub("doctor")
    assert f"paused sources: {CHANGED}: {codes[SET_ASIDE]} payloads were set aside" in told

    rig.python_path = None
    killed(rig, "after-commit", "dead", "replay", "--source", CHANGED, "--apply")
    code, told = hub("dead", "replay", "--source", CHANGED, "--apply")
    assert (code, "refused" in told) == (0, False), told
    handled(rig)
    expected = {each[2]: NEW for each in changed} | {mixed[2]: NEW}
    again = found(rig, CHANGED)
    assert set(again.values()) == {1}
    assert Counter(junction for junction, _ in again) == {NEW: len(expected), NEAR: 1}
    assert len({sha256 for _, sha256 in again}) == len(expected)
    rig.check(oracle=False)
    code, told = hub("dead", "replay", "--source", CHANGED, "--apply", "--json")
    words = Counter(json.loads(line)["becomes"] for line in told.splitlines())
    assert (code, words) == (0, {"replayed": COUNT + 1})
    # What comes now is read at once: the stages began with the new connector.
    fresh = payload(CHANGED, NEW)
    handled(rig, fresh)
    assert found(rig, CHANGED).total() == COUNT + 3
    rig.check(oracle=False)
