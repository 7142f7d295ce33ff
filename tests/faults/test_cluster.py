"""Three brokers with replicas, of which some are frozen, killed or restarted."""

import time

import pytest
from fault_rig import FaultRig
from harness import SEED

from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Stack(brokers=3, proxied=True) as stack:
        rig = FaultRig(stack, tmp_path_factory.mktemp("cluster"), seed=SEED)
        try:
            rig.crew()
            yield rig
        finally:
            rig.close()


@pytest.fixture
def rig(cluster):
    cluster.feed(30)
    cluster.until_drained()
    return cluster


def send(rig, count: int) -> None:
    wanted = rig.sent + count
    rig.until(lambda: rig.sent > wanted, "more was sent")


def test_a_broker_frozen_for_longer_than_requests_wait_changes_nothing(rig):
    with rig.feeding(per_s=50):
        for broker in rig.stack.brokers:
            broker.pause()
            try:
                send(rig, 225)  # 4.5 seconds
            finally:
                broker.resume()
            send(rig, 100)
    rig.check()


def test_brokers_killed_one_after_the_other_and_with_them_each_coordinator_change_nothing(rig):
    with rig.feeding(per_s=50):
        for broker in rig.stack.brokers:
            broker.kill()
            send(rig, 150)
            broker.start()
            send(rig, 150)
    rig.check()


def test_two_brokers_that_die_together_stop_everything_and_change_nothing(rig):
    with rig.feeding(per_s=50):
        send(rig, 100)
        dead = rig.stack.brokers[1:]
        for broker in dead:
            broker.kill()
        # Longer than a session, and than a transaction may last.
        asleep = time.monotonic() + 15
        rig.until(lambda: time.monotonic() > asleep, "the time is over")
        for broker in dead:
            broker.launch()
        for broker in dead:
            broker.wait_ready(live=3)
        send(rig, 300)
    rig.check()


def test_a_rolling_restart_changes_nothing(rig):
    with rig.feeding(per_s=50):
        for broker in rig.stack.brokers:
            broker.stop()
            broker.start()
            send(rig, 200)
    rig.check()
