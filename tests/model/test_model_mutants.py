"""Each seeded fault is noticed on the model, and for the reason it must be."""

from collections.abc import Callable

import pytest
from hub_in_memory import Site, on_site
from mutants import MUTANTS, caught
from scenarios import (
    a_death_before_the_commit,
    a_failed_commit,
    a_late_commit,
    a_newcomer,
    a_second_arrival,
    a_zombie,
)

# What happens, and what is said then.
CAUGHT: dict[str, tuple[Callable[[Site], None], str]] = {
    "keeps-ids-on-rollback": (a_failed_commit, "remembers something else of .*plate_read"),
    "does-not-seek": (a_failed_commit, r"lost \d+ of "),
    "letters-outside": (a_failed_commit, r"delivered \d+ too many on \('dead_letter"),
    "does-not-recover": (a_second_arrival, r"delivered \d+ too many on"),
    "random-id": (a_death_before_the_commit, "left a transaction of slot one open"),
    "offsets-outside": (a_death_before_the_commit, r"lost \d+ of "),
    "keeps-its-epoch": (a_late_commit, r"delivered \d+ too many on"),
    "stale-metadata": (a_zombie, r"delivered \d+ too many on"),
    "keeps-revoked": (a_newcomer, r"delivered \d+ too many on"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.xfail(
                strict=True, raises=AssertionError, reason=MUTANTS[name].breaks
            ),
        )
        for name in CAUGHT
    ],
)
def test_a_seeded_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name].put_in(monkeypatch.setattr)
    scenario, words = CAUGHT[name]
    with caught(words):
        on_site(scenario)
