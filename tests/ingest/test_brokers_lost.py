"""Ingest while the brokers of a replicated cluster die under it, one after the other.

Not on one broker: alone, it can lose the markers of transactions that were decided (ops/README.md,
"Readers stop short of the end").
"""

import pytest
from drained import IngestProcess, Poster, make_topics, payload_ids, until

from hub.config import KafkaConfig
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def cluster(tmp_path):
    with Stack(tmp_path / "stack", brokers=3) as stack:
        yield stack


def test_brokers_that_die_and_return_cost_nothing(cluster, tmp_path):
    kafka = KafkaConfig(bootstrap=cluster.bootstrap)
    make_topics(kafka, replicas=3)
    ingest = IngestProcess(tmp_path / "data", kafka.bootstrap, "brokers-lost")
    ingest.start()
    poster = Poster(ingest)

    def more_was_taken(count: int) -> None:
        wanted = len(poster.acknowledged) + count
        until(lambda: len(poster.acknowledged) >= wanted)

    more_was_taken(100)
    for broker in cluster.brokers:
        broker.kill()
        more_was_taken(300)
        broker.start()
        more_was_taken(100)
    acknowledged = poster.stop()
    until(ingest.drained, limit_s=120)
    assert ingest.terminate() == 0
    found = payload_ids(kafka, acknowledged)
    assert set(found) == acknowledged, "lost"
    assert max(found.values()) == 1, "twice"
