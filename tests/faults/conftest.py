import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# `harness` and `oracle` of the engine's tests are of use here too.
sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from fault_rig import FaultRig
from harness import SEED

from hub.stack import Stack


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[FaultRig]:
    """One broker behind a proxy for all tests of a module: their history adds up."""
    with Stack(proxied=True) as stack:
        rig = FaultRig(stack, tmp_path_factory.mktemp("faults"), seed=SEED)
        try:
            yield rig
        finally:
            rig.close()
