"""Transactions that have time for one slice only: what is left of a batch comes again, once."""

from typing import Any

import hub_in_memory
import pytest
from events import plate_read, signal_state
from hub_in_memory import Site
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from machine import StageMachine

import hub.engine.loop
from hub.config import TEST_ID_KEY, Config, StageConfig
from hub.engine.pace import Pace
from hub.kafka.transaction import TransactionAbortedError


class Hurry(Pace):
    """Asks for all it may, and has time for one record."""

    def __init__(self, most: int, _budget_s: float) -> None:
        super().__init__(most, 0.0)
        self.batch = most

    def took(self, records: int, seconds: float) -> None:
        super().took(records, seconds)
        self.slice = 1

    def ended(self) -> None:
        super().ended()
        self.batch = self._most


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.engine.loop, "Pace", Hurry)


@pytest.mark.usefixtures("hurried")
def test_output_and_state_stay_the_function_of_the_input_whatever_is_left_for_later() -> None:
    few = settings(
        max_examples=20,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(StageMachine, settings=few)


@pytest.mark.usefixtures("hurried")
def test_a_transaction_that_has_had_its_time_is_committed_before_more_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = StageConfig(poll_records=64, batch_records=640, commit_interval_ms=5_000)
    monkeypatch.setattr(hub_in_memory, "CONFIG", Config(id_key=TEST_ID_KEY, stage=patient))
    site = Site()
    try:
        worker = site.start("one")
        for number in range(20):
            site.feed(*plate_read(number))
        seek, sought = worker.loop._seek, list[int]()

        def recorded(partition: Any, offset: int) -> None:
            sought.append(offset)
            seek(partition, offset)

        monkeypatch.setattr(worker.loop, "_seek", recorded)
        for _ in range(20):
            worker.turn()
            assert not worker.loop._spans
        assert sought, "no batch was cut short"
        site.drain()
    finally:
        site.close()


def test_what_was_read_and_not_handled_when_writing_failed_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site()
    try:
        worker = site.start("one")
        worker.loop._limit = 64
        produce = worker.loop._producer.produce
        failed: list[bool] = []

        def failing(*arguments: Any, **more: Any) -> Any:
            if not failed:
                failed.append(True)
                worker.loop._producer.abort()
                raise TransactionAbortedError("the cluster would not have it")
            return produce(*arguments, **more)

        monkeypatch.setattr(worker.loop._producer, "produce", failing)
        for number in range(20):
            site.feed(*plate_read(number))
            site.feed(*signal_state(number))
        site.drain()
        assert failed
    finally:
        site.close()


@given(
    st.integers(1, 5_000),
    st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 100)), max_size=20),
)
def test_a_pace_never_asks_for_nothing_nor_for_too_much(
    most: int, batches: list[tuple[int, float]]
) -> None:
    pace = Pace(most, 1.5)
    for records, seconds in batches:
        before = pace.batch, pace.slice
        pace.took(records, seconds)
        assert pace.spent == (seconds >= 1.5)
        pace.ended()
        assert 1 <= pace.batch <= min(most, 2 * before[0])
        assert 1 <= pace.slice <= min(most, 2 * before[1])
        assert not pace.spent


@given(st.floats(1e-6, 10))
def test_a_pace_finds_what_fits_the_time_of_a_transaction(cost_s: float) -> None:
    pace = Pace(5_000, 1.5)
    for _ in range(20):
        handled = 0
        while handled < pace.batch and not pace.spent:
            part = min(pace.slice, pace.batch - handled)
            handled += part
            pace.took(part, part * cost_s)
        assert handled * cost_s <= 1.5 + max(cost_s, 0.04)
        pace.ended()
    assert pace.batch == pytest.approx(max(1, min(5_000, 1.5 // cost_s)), abs=1)
