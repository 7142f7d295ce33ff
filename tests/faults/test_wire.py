"""Requests that are kept back, lost, doubled or cut off between a worker and its broker."""

from contextlib import ExitStack

import pytest
from proxy import Api

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
# A transaction's requests carry its transactional id, which names stage, lane and slot.
PROCESS, NORMALISE = b"hub-process-bulk", b"hub-normalise-bulk"
IN_A_TRANSACTION = (Api.PRODUCE, Api.ADD_PARTITIONS, Api.TXN_OFFSET_COMMIT, Api.END_TXN)


@pytest.fixture
def rig(shared):
    if not shared.supervisor.workers:
        shared.crew()
    shared.feed(30)
    shared.until_drained()
    return shared


def disturb(
    rig,
    action: str,
    api: Api,
    *,
    containing: bytes = b"",
    seconds: float = 0.0,
    times: int = 1,
) -> None:
    """Disturb requests in the middle of a steady stream, and let things go on a while."""
    print(f"{action} {api.name} {containing.decode()} {seconds:.1f} s")
    with ExitStack() as while_sending:
        while_sending.enter_context(rig.feeding(per_s=100))
        rule = while_sending.enter_context(
            rig.proxy.rule(
                action, api, seconds=seconds, skip=3, containing=containing, times=times
            )
        )  # fmt: skip
        rig.until(lambda: rule.hits >= 1, f"a request of kind {api.name} was met")
        wanted = rig.sent + 60 + round(100 * seconds)
        rig.until(lambda: rig.sent > wanted, "more was sent")


@pytest.mark.parametrize("stage", [PROCESS, NORMALISE], ids=["process", "normalise"])
@pytest.mark.parametrize("action", ["hold", "strand"])
def test_a_commit_that_arrives_late_ends_no_other_transaction(rig, action, stage):
    # Behind the next commit; and after the client has given its connection up.
    for seconds in (0.3, 6.0):
        disturb(rig, action, Api.END_TXN, containing=stage, seconds=seconds)
    rig.check()


@pytest.mark.parametrize("action", ["strand", "drop", "mute", "duplicate", "reset"])
def test_no_request_of_a_transaction_is_safe_to_lose_and_none_is_lost(rig, action):
    for api in IN_A_TRANSACTION:
        stage = rig.chance.choice((PROCESS, NORMALISE))
        disturb(rig, action, api, containing=stage, seconds=0.4 if action == "strand" else 0.0)
    rig.check()


def test_lost_heartbeats_cost_a_member_its_place_and_nothing_else(rig):
    disturb(rig, "drop", Api.HEARTBEAT, containing=b"hub.process.bulk", seconds=6, times=1000)
    rig.check()


def test_a_commit_outlasting_its_transaction_is_refused_and_its_work_done_again(rig):
    # The coordinator gives a transaction up after ten seconds; every try to end it comes later.
    disturb(rig, "hold", Api.END_TXN, containing=PROCESS, seconds=14, times=20)
    rig.check()


def test_a_slow_a_narrow_and_a_half_open_link_hold_nothing_up_for_ever(rig):
    for weather in (
        rig.proxy.slow(latency_s=0.25),
        rig.proxy.slow(bytes_per_s=20_000),
        rig.proxy.half_open(),
    ):
        with weather, rig.feeding(per_s=50):
            wanted = rig.sent + 200
            rig.until(lambda wanted=wanted: rig.sent > wanted, "more was sent")
        # What follows has to come through: nobody is stuck on what is over.
        rig.feed(20)
        rig.until_drained()
    rig.check()


def test_broken_connections_of_everyone_at_once_lose_and_double_nothing(rig):
    with rig.feeding(per_s=100):
        for _ in range(3):
            assert rig.proxy.reset_all()
            wanted = rig.sent + 100
            rig.until(lambda wanted=wanted: rig.sent > wanted, "more was sent")
    rig.check()
