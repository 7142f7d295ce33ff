"""A worker that dies at any point of a transaction changes nothing in the result."""

import signal
import time

import pytest

from hub.engine import failpoint

pytestmark = pytest.mark.kafka
# Which passage kills: not the first transaction, and process before normalise, which feeds it.
PASSAGES = {"normalise": 6, "process": 2}
ONCE = ("in-restore", "after-restore", "in-revoke")


def die_at(rig, name: str) -> None:
    """Both stages die at this point of their work, and what they had begun is begun again."""
    first = rig.feed(60)
    # Normalise keeps no state: it never writes a mark.
    doomed = {
        stage: rig.worker(stage, failpoint=f"{name}:{1 if name in ONCE else passage}")
        for stage, passage in PASSAGES.items()
        if (stage, name) != ("normalise", "before-mark")
    }
    if name == "before-mark":
        rig.worker("normalise")
    if name == "in-revoke":
        rig.until_drained()
        for worker in doomed.values():
            worker.process.send_signal(signal.SIGTERM)

    def all_dead() -> bool:
        for stage, worker in list(doomed.items()):
            if rig.died(worker):
                del doomed[stage]
                rig.workers.remove(worker)
                if "process" in doomed:
                    rig.worker("normalise")
        if doomed and name != "in-revoke":
            rig.feed(5)
            time.sleep(0.2)
        return not doomed

    rig.until(all_dead, f"death at {name}")
    for worker in rig.workers:
        worker.kill()
    rig.workers.clear()
    # The second arrivals of what came before the death: the window must have survived it.
    rig.write(first)


@pytest.mark.slow
def test_deaths_at_every_point_one_after_the_other_lose_and_double_nothing(rig):
    for name in failpoint.NAMES:
        print(f"{time.monotonic():.1f} {name}")
        die_at(rig, name)
    rig.stages()
    rig.until_drained()
    rig.check()
