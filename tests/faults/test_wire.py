"""Requests that are kept back, lost, doubled or cut off between a worker and its broker."""

from contextlib import ExitStack, suppress

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from mutants import MUTANTS, caught
from proxy import Api

from hub.config import KafkaConfig
from hub.errors import HubError
from hub.kafka.transaction import TransactionalProducer

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


@pytest.mark.parametrize(
    "mutant",
    [
        "",
        pytest.param(
            "keeps-its-epoch",
            marks=pytest.mark.xfail(
                strict=True, raises=AssertionError, reason=MUTANTS["keeps-its-epoch"].breaks
            ),
        ),
    ],
)
def test_a_new_epoch_keeps_a_late_commit_from_ending_a_later_transaction(
    shared, monkeypatch, mutant
):
    topic = f"torn-{mutant or 'as-it-is'}"
    direct = AdminClient({"bootstrap.servers": shared.stack.bootstrap})
    direct.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    if mutant:
        MUTANTS[mutant].put_in(monkeypatch.setattr)
    producer = TransactionalProducer(KafkaConfig(bootstrap=shared.proxy.bootstrap), topic)
    producer.open()
    with shared.proxy.rule("strand", Api.END_TXN, seconds=3, containing=topic.encode()) as rule:
        producer.begin()
        producer.produce(topic, b"committed", b"key")
        producer.commit()
        producer.begin()
        producer.produce(topic, b"rolled back", b"key")
        producer.poll()
        shared.until(lambda: rule.passed_on == 1, "the commit arrives at last")
    # With the transaction ended under its hands, the client can't roll it back any more.
    with suppress(HubError):
        producer.abort()
    with suppress(HubError):
        producer.close()
    with caught("a reader has b'rolled back'"):
        for value in committed(shared, topic):
            assert value == b"committed", f"a reader has {value}"


def committed(rig, topic: str) -> list[bytes]:
    """What a `read_committed` reader sees on the topic's only partition."""
    reader = Consumer(
        {
            "bootstrap.servers": rig.stack.bootstrap,
            "group.id": "tests.reader",
            "isolation.level": "read_committed",
        }
    )
    place = TopicPartition(topic, 0)
    found: list[bytes] = []
    try:
        _, end = reader.get_watermark_offsets(place, timeout=30)
        reader.assign([TopicPartition(topic, 0, 0)])

        def through() -> bool:
            found.extend(each.value() for each in reader.consume(100, 0.2) if each.error() is None)
            (at,) = reader.position([place])
            return at.offset >= end

        rig.until(through, "the reader is at the end")
    finally:
        reader.close()
    return found


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
