"""The whole hub under the simulated city, with its workers killed in the middle.

Its broker is left alone, as it is one: brokers that die belong to tests/faults/test_cluster.py.
"""

import io
import threading

import pytest
from harness import SEED
from rich.console import Console

from hub.demo.run import Settings, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_kills_of_both_stages_change_nothing_in_the_result(tmp_path):
    print(f"seed {SEED}")
    todo = ["normalise-bulk", "process-bulk", "normalise-urgent", "process-urgent"]
    done: list[str] = []

    def disturb(site, second: float) -> None:
        # One every two seconds of the city's time, all while payloads come in.
        if not todo or second < 2 * (len(done) + 1):
            return
        name = todo.pop(0)
        worker = site.supervisor.workers[name]
        assert worker.pid is not None, f"{name} did not run:\n{worker.tail()}"
        worker.kill()
        done.append(name)

    settings = Settings(data=tmp_path, seconds=14, speed=1, seed=SEED, live=False)
    said = io.StringIO()
    outcome = run(settings, Console(file=said), threading.Event(), disturb=disturb)
    logs = "\n".join(
        f"--- {path.name}\n" + "\n".join(path.read_text("utf-8", "replace").splitlines()[-15:])
        for path in sorted((tmp_path / "logs").glob("*.log"))
    )
    assert outcome is not None, said.getvalue()
    assert not todo, f"only {done} were disturbed"
    problems = outcome.as_dict(settings)
    assert outcome.ok, f"{problems}\n{logs}"
    assert outcome.restarts >= 4
    assert outcome.payloads > 0
