"""Duplicates, poison and rebalances on a real cluster."""

import signal
import time

import pytest
from oracle import BY_HAND

pytestmark = pytest.mark.kafka
PLATES = "camera.plate_read.v1"


def ids(rig, topic: str) -> list[bytes]:
    return [message.value()[5:21] for message in rig.read([topic])[topic]]


def test_duplicates_within_the_window_are_dropped_across_a_restart(rig):
    rig.stages()
    first = rig.feed(100)
    rig.until_drained()
    before = sorted(ids(rig, "police.plate_read.v1"))
    assert before
    rig.stop_workers()
    rig.stages()
    rig.write(first)
    rig.until_drained()
    # The same raw bytes give the same ids: all of them are second arrivals.
    assert len(ids(rig, PLATES)) > len(set(ids(rig, PLATES)))
    assert sorted(ids(rig, "police.plate_read.v1")) == before
    rig.check()


def test_two_workers_share_a_stage_while_they_come_and_go(rig):
    rig.worker("normalise")
    rig.worker("process")
    rig.feed(100)
    others = [rig.worker("normalise", slot="two"), rig.worker("process", slot="two")]

    def shared() -> bool:
        rig.feed(10)
        time.sleep(0.2)
        return all("took over" in each.log.read_text("utf-8") for each in others)

    rig.until(shared, "the second workers have partitions of their own")
    rig.feed(200)
    # One leaves in order, one dies; the first ones take their partitions back.
    others[0].process.send_signal(signal.SIGTERM)
    others[1].kill()
    rig.workers.remove(others[1])
    rig.feed(100)
    rig.until_drained()
    assert others[0].process.wait(30) == 0
    rig.check()


RAW = "raw.hikvision_isapi.v1"


def test_poison_on_a_raw_topic_becomes_dead_letters_with_its_bytes_and_can_be_sent_again(rig):
    (good,) = rig.feed(1)
    headers = dict(good[3])
    noise = b"\xff\x00 no payload of any vendor \xfe"

    def raw(value: bytes | None, **other: bytes | None) -> tuple:
        pairs = [(name, data) for name, data in (headers | other).items()]
        return RAW, b"vms", value, [*pairs, BY_HAND]

    poison = [
        raw(noise),
        raw(None),
        raw(good[2][:50]),
        raw(good[2], received_at=b"yesterday"),
        raw(noise, received_at=b"2026-03-01T08:00:00"),
        raw(noise, sha256=b"no digest"),
        raw(noise, source_id=b"\xff"),
        raw(noise, source_id=None),
        raw(noise, payload_id=None),
        raw(noise, body=b"sha256:../../etc/passwd"),
        raw(noise, body=b"sha256:" + b"0" * 64),
        raw(noise, **{"meta.header.content-encoding": b"gzip"}),
        raw(noise, **{"meta.header.content-encoding": None}),
        raw(noise, received_at=b"0001-01-01T00:00:00+14:00"),
        (RAW, None, noise, [BY_HAND]),
    ]
    rig.stages()
    rig.write(poison)
    rig.feed(20)
    rig.until_drained()
    letters = [each for each in rig.dead_letters() if each["stage"] == "normalise"]
    by_hand = {"name": BY_HAND[0], "value": BY_HAND[1]}
    mine = [each for each in letters if by_hand in each["record_headers"]]
    assert all(each["code"] and each["message"] for each in mine)
    # Every one of them, where it stands; its bytes are in the letter, or where the letter says.
    places = {
        (each.partition(), each.offset()): each
        for each in rig.read([RAW])[RAW]
        if BY_HAND in each.headers()
    }
    assert len(places) == len(poison)
    assert {(each["partition"], each["offset"]) for each in mine} == set(places)
    for each in mine:
        sent = places[each["partition"], each["offset"]]
        reference = dict(sent.headers()).get("body") or b""
        assert each["body_ref"] == reference.decode()
        assert each["body"] == (b"" if reference else sent.value() or b"")
    rig.check()
