"""Fixtures of the ingest tests."""

import pytest
from ingest_support import test_connectors


@pytest.fixture(scope="module", autouse=True)
def _connectors():
    with test_connectors():
        yield
