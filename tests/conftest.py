"""Fixtures shared by all tests: one Kafka and one registry for the whole session.

Taken in this order: `HUB_TEST_BOOTSTRAP` with `HUB_TEST_REGISTRY`, containers where a Docker
engine answers, else the embedded stack. Each pytest process starts its own; run tests marked
`kafka` in one process (`-n0`).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.stack import Stack

# The same releases as in hub/stack/artifacts.json.
KAFKA_IMAGE = "apache/kafka:4.4.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"


@dataclass(frozen=True)
class TestStack:
    """Where the session's brokers and registry are; `embedded` when tests may kill them."""

    __test__ = False

    bootstrap: str
    registry_url: str
    embedded: Stack | None = None


@pytest.fixture(scope="session")
def stack() -> Iterator[TestStack]:
    bootstrap = os.environ.get("HUB_TEST_BOOTSTRAP")
    if bootstrap:
        registry = os.environ.get("HUB_TEST_REGISTRY")
        if not registry:
            pytest.fail("HUB_TEST_BOOTSTRAP is set: set HUB_TEST_REGISTRY to its registry too")
        yield TestStack(bootstrap, registry)
        return
    with ExitStack() as running:
        if _docker_answers():
            yield _containers(running)
        else:
            embedded = running.enter_context(Stack())
            yield TestStack(embedded.bootstrap, embedded.registry_url, embedded)


@pytest.fixture
def embedded(stack: TestStack) -> Stack:
    """The session's embedded stack, for tests that reach its processes."""
    if stack.embedded is None:
        pytest.skip("needs the embedded stack: this session runs on other brokers")
    return stack.embedded


def _docker_answers() -> bool:
    # Asked first: the client leaves a socket open when nothing is there to connect to.
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=2)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def _containers(running: ExitStack) -> TestStack:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy
    from testcontainers.kafka import KafkaContainer

    kafka = running.enter_context(KafkaContainer(KAFKA_IMAGE).with_kraft())
    registry = DockerContainer(REGISTRY_IMAGE).with_exposed_ports(8080)
    registry.waiting_for(HttpWaitStrategy(8080, "/apis/ccompat/v7/subjects").for_status_code(200))
    running.enter_context(registry)
    address = f"http://{registry.get_container_host_ip()}:{registry.get_exposed_port(8080)}"
    return TestStack(kafka.get_bootstrap_server(), f"{address}/apis/ccompat/v7")
