"""The real loop, steps and changelog on a cluster in memory, whatever happens and whenever."""

from collections.abc import Callable

import pytest
from hub_in_memory import Site, on_site
from hypothesis import HealthCheck, settings
from machine import StageMachine
from scenarios import SCENARIOS

TestStage = StageMachine.TestCase
TestStage.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_output_and_state_stay_the_function_of_the_input_through(
    scenario: Callable[[Site], None],
) -> None:
    on_site(scenario)
