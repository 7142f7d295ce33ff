"""A site to measure on: a fresh broker with every topic, the registers and the city's events."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from hub import register, routes, simulator, topics
from hub.bench.fill import SEED
from hub.config import Config, load
from hub.kafka.admin import Cluster, TopicState
from hub.registry import Registry
from hub.schema_ids import SchemaIds
from hub.stack import Stack

__all__ = ["ID_KEY", "PARTITIONS", "Site", "site"]

PARTITIONS = 4
ID_KEY = "benchmark: no secret, ids are random"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a worker finds what it needs; `folder` goes away with the broker."""

    folder: Path
    file: Path
    """Its `hub.toml`."""
    config: Config
    ids: SchemaIds
    registry: Registry
    logs: Path
    """The broker's data folder."""

    def topic(self, name: str) -> str:
        """Make a topic of the benchmark's own."""
        Cluster(self.config.kafka).create({name: TopicState(PARTITIONS, 1, {})})
        return name

    def disk_bytes(self, topic: str) -> int:
        """What a topic's records take on the broker's disk, compressed as they were sent."""
        return sum(file.stat().st_size for file in self.logs.rglob(f"{topic}-*/*.log"))

    def own_times(self, topic: str) -> None:
        """Let records of a topic carry the times that their producer gives them."""
        Cluster(self.config.kafka).set_config(topic, {"message.timestamp.type": "CreateTime"})


@contextmanager
def site() -> Iterator[Site]:
    """Start a broker and a registry; topics, devices and rules are there, events are not."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name, Stack(gather_ms=3_000) as stack:
        folder = Path(name)
        file = folder / "hub.toml"
        values = {
            "data": str(folder / "data"),
            "registry_url": stack.registry_url,
            "kafka": {
                "bootstrap": stack.bootstrap,
                "replication_factor": 1,
                "min_insync_replicas": 1,
                "partitions": dict.fromkeys(("raw", "canonical", "subscriber"), PARTITIONS),
            },
            "source": simulator.sources(SEED),
        }
        file.write_text(tomli_w.dumps(values), "utf-8")
        config = load(file, {"HUB_ID_KEY": ID_KEY})
        registry = Registry(config.registry_url)
        try:
            topics.apply(config, registry)
            routes.publish(config, registry, routes.read_toml(routes.SHIPPED.read_text("utf-8")))
            register.publish(config, registry, register.read(simulator.register_csv(SEED)))
            yield Site(folder, file, config, SchemaIds(registry), registry, stack.data)
        finally:
            registry.close()
