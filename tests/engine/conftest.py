from collections.abc import Iterator

import pytest
from harness import Rig

from hub.stack import Stack


@pytest.fixture(scope="session")
def session_rig(tmp_path_factory) -> Iterator[Rig]:
    """One cluster for all tests of the engine: they kill what they like and add up."""
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("rig"))
        try:
            yield rig
        finally:
            rig.close()


@pytest.fixture
def rig(session_rig: Rig) -> Iterator[Rig]:
    yield session_rig
    session_rig.stop_workers()
