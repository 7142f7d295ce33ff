from pathlib import Path

import pytest

from hub.discovery import connector, connector_names
from hub.testing import check_connector

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.mark.parametrize("name", connector_names())
def test_a_connector_keeps_every_rule_of_conformance(name):
    assert [str(problem) for problem in check_connector(connector(name), SAMPLES / name)] == []


@pytest.mark.parametrize("name", connector_names())
def test_a_connector_says_what_it_is(name):
    found = connector(name)
    assert found.title
    assert found.version
    assert found.emits or found.may_emit  # one that only hands on emits nothing itself
