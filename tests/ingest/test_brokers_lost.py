"""Ingest while the brokers of a replicated cluster die under it, one after the other.

Not on one broker: alone, it can lose the markers of transactions that were decided (ops/README.md,
"Readers stop short of the end").
"""

import pytest
from drained import IngestProcess, Poster, make_topics, places, until

from hub.config import KafkaConfig
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack"), brokers=3) as stack:
        make_topics(KafkaConfig(bootstrap=stack.bootstrap), replicas=3)
        yield stack


class Front:
    """Ingest, and whoever posts to it without pause."""

    def __init__(self, cluster, folder) -> None:
        self.kafka = KafkaConfig(bootstrap=cluster.bootstrap)
        self.ingest = IngestProcess(folder / "data", self.kafka.bootstrap, folder.name)
        self.ingest.start()
        self.poster = Poster(self.ingest)

    def takes(self, count: int) -> None:
        """Wait until it has taken so many more."""
        wanted = len(self.poster.acknowledged) + count
        until(lambda: len(self.poster.acknowledged) >= wanted)

    def check(self) -> None:
        """What it took is in the raw topics, each payload once."""
        acknowledged = self.poster.stop()
        until(self.ingest.drained, limit_s=120)
        assert self.ingest.terminate() == 0
        found = places(self.kafka, acknowledged)
        assert set(found) == acknowledged, "lost"
        assert {id_: at for id_, at in found.items() if len(at) > 1} == {}, "twice"


def test_brokers_that_die_and_return_cost_nothing(cluster, tmp_path):
    front = Front(cluster, tmp_path)
    front.takes(100)
    for broker in cluster.brokers:
        broker.kill()
        front.takes(300)
        broker.start()
        front.takes(100)
    front.check()


def test_with_two_of_three_brokers_dead_nothing_is_refused_and_all_of_it_comes_once(
    cluster, tmp_path
):
    front = Front(cluster, tmp_path)
    front.takes(100)
    dead = cluster.brokers[1:]
    for broker in dead:
        broker.kill()
    front.takes(2_000)
    assert front.poster.refused == []
    for broker in dead:
        broker.launch()
    for broker in dead:
        broker.wait_ready(live=3)
    front.takes(100)
    front.check()
