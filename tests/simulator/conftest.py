from datetime import UTC, datetime

import pytest

from hub.simulator import Plan, Shot, Truth

SEED = 7
START = datetime(2026, 11, 22, 11, 59, 50, 123_000, tzinfo=UTC)


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Half a minute that spans a full hour, where time marks of signals turn over."""
    return Plan(seed=SEED, seconds=30, start=START)


@pytest.fixture(scope="session")
def shots(plan: Plan) -> list[Shot]:
    return list(plan)


@pytest.fixture(scope="session")
def truth(shots: list[Shot]) -> Truth:
    truth = Truth()
    for shot in shots:
        truth.accept(shot)
    return truth
