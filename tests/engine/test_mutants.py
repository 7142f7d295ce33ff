"""Seeded faults in real workers on a real cluster: an ordinary scenario must notice each.

Every scenario also runs with the engine as it is, and passes. What takes luck on a real cluster is
seeded on the model (`tests/model`).
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import Rig
from mutants import MUTANTS, caught
from oracle import BY_HAND

from hub.supervisor import Worker

pytestmark = pytest.mark.kafka
PLATES, POLICE = "camera.plate_read.v1", "police.plate_read.v1"
# More than one event takes, and less than a batch.
SMALL_BYTES = 4_000
# Longer than records may wait, shorter than a session.
STANDSTILL_S = 3.0
BACKLOG = 50_000
ROUNDS = 4
NUMBERS = itertools.count()
# So that what a dead process leaves open stays open until somebody ends it.
LONG_MS = 60_000
ONE_BY_ONE = {"poll_records": 1, "commit_interval_ms": 5_000}


@pytest.fixture
def doomed(session_rig: Rig) -> Iterator[Rig]:
    """A cluster that a wrong worker may spoil: it is emptied before and after."""
    before = dict(session_rig.values)
    session_rig.reset()
    yield session_rig
    for worker in session_rig.workers:
        worker.kill()
    session_rig.workers.clear()
    session_rig.configure({"stage": before["stage"], "kafka": before["kafka"]})
    session_rig.reset()


# Scenarios


def dies_before_its_commit(rig: Rig, mutant: str) -> None:
    """Normalise dies when all is written and nothing committed."""
    doomed = rig.worker("normalise", mutant=mutant, failpoint="before-commit:1")
    rig.feed(40)
    rig.until(lambda: rig.died(doomed), "the worker is dead")
    rig.workers.remove(doomed)
    rig.worker("normalise", mutant=mutant)
    rig.worker("process")
    rig.until_drained()
    rig.check()


def comes_back(rig: Rig, mutant: str) -> None:
    """Everything arrives a second time, after process was started again."""
    rig.worker("normalise")
    rig.worker("process", mutant=mutant)
    first = rig.feed(40)
    rig.until_drained()
    rig.workers.pop().kill()
    rig.worker("process", mutant=mutant)
    rig.write(first)
    rig.until_drained()
    rig.check()


def leaves_nothing_open(rig: Rig, mutant: str) -> None:
    """Process dies with a transaction open; its next start must end it."""
    rig.worker("normalise")
    rig.feed(200)
    rig.until_handled([("normalise", "bulk")])
    leave_a_backlog(rig, 20_000)
    rig.configure({"stage": {**ONE_BY_ONE, "transaction_timeout_ms": LONG_MS}})
    doomed = rig.worker("process", mutant=mutant)
    # Where nobody but process writes: another's transaction that is just being ended looks alike.
    rig.until(
        lambda: any(place.startswith(POLICE) for place in rig.left_open()), "a transaction is open"
    )
    doomed.kill()
    rig.workers.remove(doomed)
    rig.configure({"stage": {"transaction_timeout_ms": LONG_MS}})
    rig.worker("process", mutant=mutant)
    rig.until_drained()
    rig.stop_workers()
    left = rig.left_open()
    assert not left, f"a transaction is still open in {left}"
    rig.check()


def dies_with_a_dead_letter(rig: Rig, mutant: str) -> None:
    """Process dies when a dead letter is written and not committed."""
    poison = [(PLATES, b"model/%d" % number, b"no event", [BY_HAND]) for number in range(5)]
    rig.write(poison)
    doomed = rig.worker("process", mutant=mutant, failpoint="before-commit:1")
    rig.until(lambda: rig.died(doomed), "the worker is dead")
    rig.workers.remove(doomed)
    rig.worker("process", mutant=mutant)
    rig.until_handled([("process", "bulk")])
    rig.check()


def is_refused(rig: Rig, mutant: str) -> None:
    """A topic takes small batches only: those of process are rolled back, and handled again."""
    rig.worker("normalise")
    rig.feed(300)
    rig.until_handled([("normalise", "bulk")])
    rig.limit(POLICE, SMALL_BYTES)
    process = rig.worker("process", mutant=mutant)
    rig.until(lambda: said(process, "rolled back"), "a batch is rolled back")
    rig.limit(POLICE, None)
    # Behind what was rolled back, so that a consumer that stayed there has something to commit.
    rig.feed(300)
    rig.until_drained()
    rig.check()


def is_rolled_back(rig: Rig, mutant: str) -> None:
    """The broker stands still while process writes: its records fail, and are handled again."""
    rig.worker("normalise")
    rig.feed(200)
    rig.until_handled([("normalise", "bulk")])
    rig.configure({"stage": {"poll_records": 1}})
    rig.configure({"kafka": {**rig.values["kafka"], "client": {"message.timeout.ms": 1500}}})
    (broker,) = rig.stack.brokers
    # It may be through before the broker stands still.
    for _ in range(ROUNDS):
        leave_a_backlog(rig, BACKLOG)
        process = rig.worker("process", mutant=mutant)
        rig.until(lambda each=process: said(each, "took over"), "process works")
        broker.pause()
        time.sleep(STANDSTILL_S)
        broker.resume()
        rig.until_drained()
        if said(process, "rolled back"):
            break
        rig.workers.remove(process)
        process.kill()
    assert said(process, "rolled back"), "nothing was rolled back"
    rig.check()


def said(worker: Worker, words: str) -> bool:
    return words in worker.log.read_text("utf-8")


def leave_a_backlog(rig: Rig, count: int) -> None:
    """So many records wait that process has work for seconds when it takes them one by one."""
    events = rig.read([PLATES])[PLATES][:200]
    for _ in range(count // len(events)):
        rig.write(
            (PLATES, event.key(), with_id(event.value(), next(NUMBERS)), [BY_HAND])
            for event in events
        )


def with_id(value: bytes, number: int) -> bytes:
    """The event under another id, which stands at a fixed place."""
    return value[:5] + b"MADE" + number.to_bytes(12, "big") + value[21:]


Scenario = Callable[[Rig, str], None]
# What is caught where, and what is said then.
CAUGHT: dict[str, tuple[Scenario, str]] = {
    "offsets-outside": (dies_before_its_commit, "normalise lost"),
    "does-not-recover": (comes_back, "process delivered .* too many"),
    "letters-outside": (dies_with_a_dead_letter, "dead letters: Counter"),
    # What is lost may come a second time: then its repeat stands there, with other bytes.
    "does-not-seek": (is_refused, "process lost|other bytes"),
    "keeps-ids-on-rollback": (is_refused, "process lost|other bytes"),
    "random-id": (leaves_nothing_open, "still open"),
}
# The quickest; the others belong to the slow tests.
QUICK = ("offsets-outside", "letters-outside")


def expected_failure(name: str) -> Any:
    marks = [
        pytest.mark.xfail(strict=True, raises=AssertionError, reason=MUTANTS[name].breaks),
        *([] if name in QUICK else [pytest.mark.slow]),
    ]
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [expected_failure(name) for name in CAUGHT])
def test_a_seeded_fault_is_caught(doomed: Rig, name: str) -> None:
    scenario, words = CAUGHT[name]
    with caught(words):
        scenario(doomed, name)


SCENARIOS = dict.fromkeys([*(each for each, _ in CAUGHT.values()), is_rolled_back])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_engine_as_it_is_comes_through(doomed: Rig, scenario: Scenario) -> None:
    scenario(doomed, "")
