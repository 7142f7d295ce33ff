"""Full snapshots on a real cluster: what they held survives a death of normalise, and is told."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from harness import ID_KEY, Rig

import schemas
from hub import topics
from hub.cli import main
from hub.codec import RecordCodec
from hub.identity import uuid_text
from hub.kafka.admin import Cluster
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SOURCE, RAW, POLICE = "roadworks", "raw.open511.urgent.v1", "police.situation.v1"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Iterator[Rig]:
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("vanishing"))
        source = {"connector": "open511", "snapshot": True}
        rig.configure({"source": {**rig.values["source"], SOURCE: source}})
        topics.apply(rig.config, rig.registry)
        try:
            yield rig
        finally:
            rig.close()


def snapshot(*names: str) -> tuple:
    """One answer of the feed, which holds these works and no others."""
    works = [
        {
            "id": f"hanoi.example/{name}",
            "headline": f"Đào đường {name}",
            "status": "ACTIVE",
            "updated": "2026-03-14T07:30:00+07:00",
            "event_type": "CONSTRUCTION",
            "severity": "MINOR",
            "geography": {"type": "Point", "coordinates": [105.815, 21.031]},
        }
        for name in names
    ]
    body = json.dumps({"events": works, "number": next(numbers)}).encode()
    headers = {
        "source_id": SOURCE,
        "payload_id": f"answer-{next(numbers)}",
        "received_at": datetime.now(UTC).isoformat(),
        "content_type": "application/json",
        "sha256": hashlib.sha256(body).hexdigest(),
        "transport": "http_poll",
        "snapshot": f"snapshot-{next(numbers)}",
        "page": "1",
        "complete": "true",
    }
    return RAW, SOURCE.encode(), body, [(name, text.encode()) for name, text in headers.items()]


def told(rig: Rig) -> list[dict]:
    """What the police were told of the works."""
    codec = RecordCodec(schemas.built(POLICE), 0)
    found = [codec.decode(message.value()) for message in rig.read([POLICE])[POLICE]]
    return [each["header"] for each in found if each["header"]["source_id"] == SOURCE]


def lives(rig: Rig, name: str) -> list[str]:
    return [each["lifecycle"] for each in told(rig) if each["native_id"].endswith(name)]


def until_told(rig: Rig, count: int) -> None:
    rig.until(lambda: len(told(rig)) >= count, f"{count} are told")


def seen_go_and_come(rig: Rig) -> list[dict]:
    """What the police are told of works that vanish and come back."""
    before, name = len(told(rig)), f"c-{next(numbers)}"
    for stage in ("normalise", "process"):
        rig.worker(stage, "urgent")
    rig.write([snapshot(name), snapshot(), snapshot(name)])
    until_told(rig, before + 3)
    rig.stop_workers()
    return sorted(told(rig), key=lambda each: each["received_at"])[-2:]


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
def test_a_death_of_normalise_neither_hides_nor_repeats_what_has_vanished(rig, point):
    before = len(told(rig))
    a, b = f"{point}-a", f"{point}-b"
    rig.worker("process", "urgent")
    normalise = rig.worker("normalise", "urgent")
    rig.write([snapshot(a, b)])
    until_told(rig, before + 2)
    normalise.kill()
    rig.workers.remove(normalise)
    # It dies over the answer that lacks b, before or behind the point that decides.
    doomed = rig.worker("normalise", "urgent", failpoint=f"{point}:1")
    rig.write([snapshot(a)])
    rig.until(lambda: rig.died(doomed), f"death at {point}")
    rig.workers.remove(doomed)
    rig.worker("normalise", "urgent")
    until_told(rig, before + 3)
    # Back again, in the very words: nothing is a repeat of the first life, nor told twice.
    rig.write([snapshot(a, b), snapshot(a, b), snapshot(b), snapshot()])
    until_told(rig, before + 6)
    rig.stop_workers()

    assert lives(rig, a) == ["NEW", "VANISHED"]
    assert lives(rig, b) == ["NEW", "VANISHED", "UPDATED", "VANISHED"]
    ids = [each["event_id"] for each in told(rig)]
    assert len(ids) == len(set(ids))


def test_an_operator_is_told_why_and_the_books_balance(rig, monkeypatch, capsys):
    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)
    monkeypatch.setenv("HUB_CONFIG", str(rig.config_file))
    gone, back = seen_go_and_come(rig)
    assert main(["explain", uuid_text(gone["event_id"])]) == 0
    assert "by leaving the subject out" in capsys.readouterr().out
    assert main(["explain", uuid_text(back["event_id"])]) == 0
    assert "same bytes" in capsys.readouterr().out
    assert main(["ledger"]) == 0, capsys.readouterr().out
    # A replay finds in the payloads what stands on the topics, and would send nothing.
    start = gone["received_at"].replace(minute=0).isoformat()
    command = ["replay", "--source", SOURCE, "--from", start, "--to", datetime.now(UTC).isoformat()]
    capsys.readouterr()
    assert main([*command, "--live", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]["nouns"]["situation"]
    assert (found["new"], found["missing"]) == (0, 0), found


def test_the_changelog_is_compacted_and_holds_nothing_of_other_sources(rig):
    seen_go_and_come(rig)
    topic = "state.normalise.snapshots.v1"
    state = Cluster(rig.config.kafka).topics([topic])[topic]
    assert state.config["cleanup.policy"] == "compact"
    codec = RecordCodec(schemas.built(topic), 0)
    records = [codec.decode(each.value()) for each in rig.read([topic])[topic] if each.value()]
    assert {each["source_id"] for each in records} == {SOURCE}
