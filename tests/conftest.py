"""Fixtures shared by all tests: one Kafka and one registry for the whole session.

Taken in this order: `HUB_TEST_BOOTSTRAP` with `HUB_TEST_REGISTRY`, containers where a Docker
engine answers, else the embedded stack. Several pytest processes (`-n 2`) never share one: all
tests that use it go to the same process.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from hub.stack import Stack

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("hub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hub")

TESTS = Path(__file__).parent
# Folders whose tests start clusters of their own, beside the one of the session; in the second
# one, each file does.
OWN_CLUSTER, EACH_ITS_OWN = ("engine",), ("faults",)
# The same releases as in hub/stack/artifacts.json.
KAFKA_IMAGE = "apache/kafka:4.4.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"


class ByCluster(LoadScopeScheduling):
    """Gives tests of one file, and all files that use one cluster, to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid.split("::", maxsplit=1)[0])


@cache
def _scope(path: str) -> str:
    file = TESTS.parent / path
    if "pytest.mark.kafka" not in file.read_text("utf-8"):
        return path
    folder = file.relative_to(TESTS).parts[0]
    if folder in EACH_ITS_OWN:
        return path
    return folder if folder in OWN_CLUSTER else "shared"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByCluster:
    """Used with `-n 2`: see the Makefile."""
    return ByCluster(config, log)


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
