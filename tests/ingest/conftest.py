"""Fixtures of the ingest tests."""

import pytest
from ingest_support import test_connectors


@pytest.fixture(scope="session", autouse=True)
def _connectors():
    with test_connectors():
        yield
