"""The whole schedule: what the city sends in which second, the same for the same seed and start."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hub.simulator.alerts import Alerts
from hub.simulator.city import City, build
from hub.simulator.fleet import Fleet
from hub.simulator.roads import Roads
from hub.simulator.schedule import Clock, Rates
from hub.simulator.signals import Signals
from hub.simulator.truth import Shot

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`seconds` simulated seconds of the city; iterate it for its payloads, as often as needed.

    Payloads are made as they are asked for, so a plan of an hour takes little more memory than one
    of a minute. `start` is the instant of second 0 and must be aware. A sender faster than time
    must start in the past (`now - seconds`), or its devices' clocks are ahead of the hub's.
    """

    seed: int
    seconds: int
    start: datetime
    rates: Rates = field(default_factory=Rates)
    cameras: int = 300
    junctions: int = 60
    city: City = field(init=False)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError("a plan's start needs a time zone")
        city = build(
            self.seed,
            cameras=self.cameras,
            junctions=self.junctions,
            unknown=self.rates.unknown_cameras,
            wrong_clock=self.rates.wrong_clocks,
        )
        object.__setattr__(self, "city", city)

    def __iter__(self) -> Iterator[Shot]:
        """All payloads in order of time."""
        clock = Clock(self.start)
        parts = [part(self.city, clock, self.rates) for part in (Fleet, Signals, Roads, Alerts)]
        return heapq.merge(*(part.shots(self.seconds) for part in parts), key=_when)


def _when(shot: Shot) -> float:
    return shot.at_s
