"""Workers that are killed, frozen, moved about, fed with poison or left without their registry."""

import os
import signal
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from proxy import Api

from hub.config import KafkaConfig
from hub.kafka.transaction import TransactionalProducer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
NORMALISED, PROCESSED = "normalise-bulk-slot1", "process-bulk-slot1"


@pytest.fixture
def rig(shared):
    if not shared.supervisor.workers:
        shared.crew()
    shared.feed(30)
    shared.until_drained()
    return shared


def send(rig, count: int) -> None:
    """Let the stream go on for so many payloads."""
    wanted = rig.sent + count
    rig.until(lambda: rig.sent > wanted, "more was sent")


def took_over(worker) -> bool:
    """Whether its last start has partitions."""
    return "took over" in worker.log.read_text("utf-8").rsplit("runs in", 1)[-1]


def kill(rig, name: str) -> None:
    """SIGKILL one of the crew, and wait until it was started again."""
    worker = rig.supervisor.workers[name]
    rig.until(lambda: worker.pid is not None, f"{name} runs")
    starts = worker.starts
    worker.kill()
    rig.until(lambda: worker.starts > starts, f"{name} was started again")


def test_workers_killed_at_any_moment_amid_poison_lose_and_double_nothing(rig):
    with rig.feeding(per_s=100):
        for name in (NORMALISED, PROCESSED) * 2:
            send(rig, rig.chance.randint(20, 150))
            rig.poison(5)
            kill(rig, name)
    rig.check()


def test_a_stranded_commit_is_known_before_the_next_transaction_begins(rig):
    # Unknown, it would end that one half-way. The client's error callback tells nothing of it.
    direct = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    for made in direct.create_topics([NewTopic("stranded", 3, 1)]).values():
        made.result(30)
    producer = TransactionalProducer(KafkaConfig(bootstrap=rig.proxy.bootstrap), "stranded")
    producer.open()
    for done in range(10):
        with rig.proxy.rule("strand", Api.END_TXN, seconds=0.4, containing=b"stranded") as rule:
            while not rule.hits:
                send_one(producer)
            send_one(producer)
        assert producer.reopened == done + 1
    producer.close()


def send_one(producer):
    """A transaction of some records, committed."""
    producer.begin()
    for number in range(8):
        producer.produce("stranded", b"value", b"key %d" % number)
    producer.commit()


@pytest.mark.long
def test_twenty_deaths_at_random_moments_lose_and_double_nothing(rig):
    with rig.feeding(per_s=100):
        for _ in range(20):
            send(rig, rig.chance.randint(5, 300))
            kill(rig, rig.chance.choice((NORMALISED, PROCESSED)))
    rig.check()


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(2, marks=pytest.mark.slow),
        pytest.param(9, marks=pytest.mark.slow),
        pytest.param(70, marks=pytest.mark.long),
    ],
)
def test_a_worker_frozen_in_mid_transaction_adds_nothing_when_it_wakes(rig, seconds):
    # Two of each: while one is frozen, the other takes its partitions.
    rig.hire("normalise", slot="slot2")
    rig.hire("process", slot="slot2")
    with rig.feeding(per_s=100):
        send(rig, 100)
        frozen = [rig.supervisor.workers[name] for name in (NORMALISED, PROCESSED)]
        for worker in frozen:
            os.kill(worker.pid, signal.SIGSTOP)
        asleep = time.monotonic() + seconds
        rig.until(lambda: time.monotonic() > asleep, "the time is over", seconds + 30)
        for worker in frozen:
            os.kill(worker.pid, signal.SIGCONT)
        send(rig, 200)
    rig.until_drained()
    for name in ("normalise-bulk-slot2", "process-bulk-slot2"):
        assert rig.dismiss(name) == 0
    rig.check()


@pytest.mark.slow
def test_a_stage_that_grows_and_shrinks_under_load_loses_and_doubles_nothing(rig):
    rig.stop_crew()
    with rig.feeding(per_s=100):
        for count in (1, 4, 2, 3, 1):
            for stage in ("normalise", "process"):
                names = [f"{stage}-bulk-slot{number}" for number in range(1, count + 1)]
                running = {name for name in rig.supervisor.workers if name.startswith(stage)}
                for name in running - set(names):
                    assert rig.dismiss(name) == 0, name
                for number, name in enumerate(names, 1):
                    if name not in running:
                        rig.hire(stage, slot=f"slot{number}")
            send(rig, 500)
    rig.check()


@pytest.mark.slow
def test_a_burst_of_poison_becomes_dead_letters_and_leaves_its_neighbours_alone(rig):
    with rig.feeding(per_s=100):
        send(rig, 100)
        rig.poison(500)
        send(rig, 300)
    rig.check()


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param("away", marks=pytest.mark.slow),
        pytest.param("in trouble", marks=pytest.mark.long),
        pytest.param("slow", marks=pytest.mark.long),
        pytest.param("a page of somebody else's", marks=pytest.mark.slow),
        pytest.param("wrong schema", marks=pytest.mark.long),
    ],
)
def test_a_registry_in_trouble_makes_no_dead_letter(rig, mood):
    rig.stop_crew()
    # What a worker learnt it knows: one that starts without anything has to ask.
    (rig.folder / "data" / "registry.json").unlink(missing_ok=True)
    asked = rig.front.asked
    with rig.front.being(mood), rig.feeding(per_s=50):
        rig.crew()
        rig.until(lambda: rig.front.asked > asked, "the registry was asked")
        send(rig, 150)
    # The truth names every dead letter that may be there: one more is a violation.
    rig.check()


@pytest.mark.slow
def test_asked_to_end_under_load_workers_end_in_order_and_their_place_is_free_at_once(rig):
    with rig.feeding(per_s=100):
        for name in (NORMALISED, PROCESSED):
            send(rig, 100)
            assert rig.dismiss(name) == 0
            stage = name.partition("-")[0]
            successor = rig.hire(stage, slot="slot1")
            # Sooner than a session: who left in order is not waited for.
            rig.until(lambda each=successor: took_over(each), "the successor has the partitions")
    rig.check()
