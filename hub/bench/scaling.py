"""Scaling on paper: what a load needs, from measured figures and stated assumptions. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["COUNTRY", "LOADS", "Assumptions", "Load", "Measured", "Needs", "country", "needs"]

_WINDOW_S = 3_600
_DAY_S = 86_400
_TB = 1e12


@dataclass(frozen=True, slots=True)
class Measured:
    """What the benchmark measured; rates of one worker on one core, bytes on a topic's log."""

    process_per_s: float
    normalise_per_s: float
    broker_mb_per_s: float
    """Written by one broker while it also served what it wrote, on a machine it shared."""
    raw_bytes: float
    canonical_bytes: float
    police_bytes: float
    htmoc_bytes: float
    window_bytes_per_id: float
    recovered_ids_per_s: float

    def as_dict(self) -> dict[str, float]:
        """By name, for the report."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Load:
    """Events a second: over the day, and at peak."""

    name: str
    sustained: float
    peak: float


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is decided, not measured."""

    headroom: float = 2.0
    """Planned for twice the peak: after an hour's outage an hour at peak catches up."""
    workers_min: int = 2
    """So that one may die."""
    brokers_min: int = 3
    replication: int = 3
    spread: int = 2
    """Partitions for each worker, so that workers can double without new topics."""
    partitions_step: int = 6
    raw_days: int = 7
    canonical_days: int = 7
    police_days: int = 30
    htmoc_days: int = 7
    broker_disk_tb: float = 8.0
    disk_share: float = 0.7
    """Of a disk that may be used."""
    window_bytes_max: float = 1.5e9
    """Memory of a worker's window."""
    recovery_s_max: float = 10.0


LOADS = (
    Load("Hanoi today", 700, 2_500),
    Load("Hanoi 2030", 3_100, 10_000),
)
# Hanoi's events of 2030 by head, for 100 million people: 8.7 million live in Hanoi.
COUNTRY = 100 / 8.7


def country(of: Load = LOADS[-1], factor: float = COUNTRY) -> Load:
    """A country of 100 million people that is as busy as Hanoi in 2030."""
    return Load("100 million people", of.sustained * factor, of.peak * factor)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a load needs."""

    load: Load
    partitions: int
    normalise_workers: int
    process_workers: int
    brokers: int
    disk_tb: float
    """Of all brokers together, replicas included."""
    window_mb_per_worker: float
    recovery_s: float
    use: Mapping[str, float]
    """How far the smallest installation would be used; above 1 it has to grow."""

    @property
    def first_limit(self) -> str:
        """What is used up first as the load grows."""
        return max(self.use, key=lambda name: self.use[name])

    def row(self) -> dict[str, Any]:
        """For the table."""
        return {
            "load": self.load.name,
            "events_per_s": round(self.load.sustained),
            "peak_per_s": round(self.load.peak),
            "partitions": self.partitions,
            "normalise_workers": self.normalise_workers,
            "process_workers": self.process_workers,
            "brokers": self.brokers,
            "disk_tb": round(self.disk_tb, 1),
            "window_mb_per_worker": round(self.window_mb_per_worker),
            "recovery_s": round(self.recovery_s, 1),
            "first_limit": f"{self.first_limit} ({self.use[self.first_limit]:.0%})",
        }


def needs(load: Load, measured: Measured, assumed: Assumptions | None = None) -> Needs:
    """Partitions, workers, brokers and disk for a load, and which limit comes first.

    The smallest installation has `workers_min` workers of each stage and `brokers_min` brokers; a
    limit is a part of it, used to its measured capacity over `headroom`.
    """
    given = assumed or Assumptions()
    planned = load.peak * given.headroom
    ids = load.sustained * _WINDOW_S
    by_rate = math.ceil(planned / measured.process_per_s)
    by_memory = math.ceil(ids * measured.window_bytes_per_id / given.window_bytes_max)
    by_recovery = math.ceil(ids / measured.recovered_ids_per_s / given.recovery_s_max)
    process = max(given.workers_min, by_rate, by_memory, by_recovery)
    normalise = max(given.workers_min, math.ceil(planned / measured.normalise_per_s))
    disk = _disk_bytes(load, measured, given)
    room = given.broker_disk_tb * _TB * given.disk_share
    written = planned * _bytes_an_event(measured) * given.replication / 1e6
    brokers = max(
        given.brokers_min, math.ceil(disk / room), math.ceil(written / measured.broker_mb_per_s)
    )
    partitions = given.partitions_step * math.ceil(
        max(process, normalise) * given.spread / given.partitions_step
    )
    workers = given.workers_min
    return Needs(
        load=load,
        partitions=partitions,
        normalise_workers=normalise,
        process_workers=process,
        brokers=brokers,
        disk_tb=disk / _TB,
        window_mb_per_worker=ids * measured.window_bytes_per_id / process / 1e6,
        recovery_s=ids / process / measured.recovered_ids_per_s,
        use={
            "CPU of normalise": planned / (workers * measured.normalise_per_s),
            "CPU of process": planned / (workers * measured.process_per_s),
            "memory of the window": ids
            * measured.window_bytes_per_id
            / (workers * given.window_bytes_max),
            "recovery of the window": ids
            / (workers * measured.recovered_ids_per_s * given.recovery_s_max),
            "disks of the brokers": disk / (given.brokers_min * room),
            "throughput of the brokers": written / (given.brokers_min * measured.broker_mb_per_s),
        },
    )


def _bytes_an_event(measured: Measured) -> float:
    """Written to Kafka for one event, once: raw, canonical and two subscribers."""
    return (
        measured.raw_bytes + measured.canonical_bytes + measured.police_bytes + measured.htmoc_bytes
    )


def _disk_bytes(load: Load, measured: Measured, given: Assumptions) -> float:
    """What the topics keep, with every replica; pictures are in the evidence store."""
    kept = (
        measured.raw_bytes * given.raw_days
        + measured.canonical_bytes * given.canonical_days
        + measured.police_bytes * given.police_days
        + measured.htmoc_bytes * given.htmoc_days
    )
    return load.sustained * _DAY_S * kept * given.replication
