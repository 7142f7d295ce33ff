"""A record that the cluster refuses is found by halving, and its neighbours pass."""

from collections import Counter

import hub_in_memory
from cluster import PARTITIONS, Place
from events import plate_read
from hub_in_memory import LETTERS, Site

import schemas
from hub.codec import EVENT_ID, RecordCodec
from hub.config import TEST_ID_KEY, Config, StageConfig

TOPIC = "police.plate_read.v1"


def visible(site: Site, topic: str) -> list[bytes]:
    logs = [site.cluster.logs[Place(topic, number)] for number in range(PARTITIONS)]
    return [
        entry.value for log in logs for entry in log.entries if entry is not None and entry.visible
    ]


def test_each_becomes_one_dead_letter_within_a_few_transactions_and_all_others_pass(monkeypatch):
    stage = StageConfig(poll_records=64, batch_records=64)
    monkeypatch.setattr(hub_in_memory, "CONFIG", Config(id_key=TEST_ID_KEY, stage=stage))
    site = Site()
    try:
        records = [plate_read(number) for number in range(400)]
        refused = {records[number].value[EVENT_ID] for number in (7, 8, 300)}
        site.cluster.refused = {(TOPIC, each) for each in refused}
        for record in records:
            site.feed(*record)
        worker = site.start("one")
        turns = 0
        while not site._all_handled():
            worker.turn()
            turns += 1
            assert turns < 120, "the culprits are not found"
        letters = RecordCodec(schemas.built(LETTERS), 0)
        told = [letters.decode(value) for value in visible(site, LETTERS)]
        assert Counter(each["code"] for each in told) == {"refused-by-cluster": 3}
        delivered = {value[EVENT_ID] for value in visible(site, TOPIC)}
        assert delivered == {record.value[EVENT_ID] for record in records} - refused
    finally:
        site.close()
