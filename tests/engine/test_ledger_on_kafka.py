"""One line of the loop that loses something: the ledger turns red and names what it was."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import ID_KEY, PATIENCE_S, Rig
from losses import LOSSES

from hub.ledger import balance
from hub.stack import Stack
from hub.supervisor import Worker

pytestmark = pytest.mark.kafka
OTHER = {"normalise": "process", "process": "normalise"}


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Iterator[Rig]:
    """A cluster of its own: what is lost here is red for good."""
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("ledger"))
        try:
            yield rig
        finally:
            rig.close()


@pytest.fixture
def watch(city) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start watching the books; whoever is not done at the end of the test is ended."""
    watching: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        watching.append(hub(city, "ledger", "--watch", "1"))
        return watching[-1]

    yield start
    for each in watching:
        each.kill()
        each.communicate()


def hub(rig: Rig, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hub", "--config", str(rig.config_file), *words]
    environment = {**os.environ, "HUB_ID_KEY": ID_KEY}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def losing(rig: Rig, loss: str, stage: str) -> Worker:
    """A worker with one seeded loss."""
    script = Path(__file__).with_name("losses.py")
    words = [sys.executable, str(script), loss, "--config", str(rig.config_file)]
    environment = {**os.environ, "HUB_ID_KEY": ID_KEY, "HUB_SLOT": "one"}
    worker = Worker(
        f"{stage}-{loss}",
        [*words, "run", stage, "--lane", "bulk"],
        rig.folder / f"{stage}-{loss}.log",
        environment,
    )
    worker.start()
    rig.workers.append(worker)
    return worker


def test_the_books_of_a_healthy_city_balance_also_while_it_works(city):
    city.stages()
    for _ in range(4):
        city.feed(60)
        assert balance(city.config).problems == []
    city.until_drained()
    city.stop_workers()
    city.check()
    answer = hub(city, "ledger", "--json")
    out, _ = answer.communicate(timeout=PATIENCE_S)
    *lines, end = map(json.loads, out.splitlines())
    assert (answer.returncode, end) == (0, {"holds": True, "problems": [], "notes": []})
    assert {line["noun"] for line in lines} >= {"", "plate_read", "signal_state"}
    assert sum(line["in"] for line in lines if line["stage"] == "normalise") == 240


@pytest.mark.parametrize(
    ("stage", "loss"),
    [
        pytest.param(stage, loss.__name__, marks=[] if place == 0 else pytest.mark.slow)
        for stage, losses in LOSSES.items()
        for place, loss in enumerate(losses)
    ],
)
def test_one_loss_in_the_loop_turns_the_ledger_red_and_is_named(city, watch, stage, loss):
    watching = watch() if balance(city.config).holds else None
    city.worker(OTHER[stage])
    worker = losing(city, loss, stage)

    def lost() -> list[str]:
        city.feed(20)
        return re.findall(r"^LOST (.*)\.$", worker.log.read_text("utf-8"), re.MULTILINE)

    city.until(lambda: bool(lost()), "something is lost")
    (hit,) = lost()[:1]
    city.until_drained()
    city.stop_workers()
    problems = "\n".join(balance(city.config).problems)
    words = hit.split(" … ")
    assert all(each in problems for each in words), f"{hit}\n{problems}"
    if watching is not None:
        out, _ = watching.communicate(timeout=PATIENCE_S)
        assert (watching.returncode, all(each in out for each in words)) == (1, True), out
