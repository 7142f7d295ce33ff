"""What every part of the simulation shares: rates, the clock, and a queue that keeps time order."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from hub.simulator.truth import Shot

__all__ = ["LOCAL", "Clock", "Queue", "Rates", "times"]

LOCAL = timezone(timedelta(hours=7), "+07:00")
"""The city's zone; it knows no daylight saving time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How much of what the city sends: per simulated second, or as a share of 1."""

    plate_reads_per_s: float = 120.0
    detections_per_s: float = 10.0
    alarms_per_s: float = 1.5
    """Alarms of the cameras themselves: sabotage, disks, network."""
    heartbeats_per_s: float = 30.0
    signal_repeat_s: float = 5.0
    """A cabinet that shows no change speaks again after this many seconds."""
    situations_per_s: float = 0.4
    """New situations; each has up to three versions."""
    alert_chains_per_s: float = 0.25
    """New alerts; each is followed by up to two messages of its chain."""

    pictures: float = 0.1
    """Plate reads of cameras with pictures that bring them along."""
    unread: float = 0.01
    """Passages whose plate the camera could not read."""
    second_reads: float = 0.05
    """Passages that the same camera reads twice within three seconds."""
    violations: float = 0.002
    """Passages that the camera calls illegal."""
    retransmitted: float = 0.05
    late: float = 0.02
    """Camera events up to 72 h old."""
    swapped: float = 0.03
    """States whose successor overtakes them."""
    broken: float = 0.005
    test_traffic: float = 0.1
    """Situations that are a test or an exercise."""
    unknown_cameras: float = 0.01
    """Cameras missing from the register."""
    wrong_clocks: float = 0.01
    """Cameras whose clock is years off."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Simulated seconds as instants."""

    start: datetime

    def at(self, second: float) -> datetime:
        """The instant of a simulated second, whole milliseconds, in the city's zone."""
        at = self.start.astimezone(LOCAL) + timedelta(seconds=second)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    @staticmethod
    def micros(at: datetime) -> int:
        """Microseconds since 1970."""
        return (at - _EPOCH) // timedelta(microseconds=1)


@dataclass(slots=True)
class Queue:
    """Payloads waiting for their second; senders repeat some of them, if nobody answers."""

    random: Random
    retransmitted: float
    _heap: list[tuple[float, int, Shot]] = field(default_factory=list)
    _count: int = 0

    def put(self, shot: Shot) -> None:
        """Send it at its time, and now and then once more."""
        self._push(shot)
        if self.random.random() < self.retransmitted:
            self._push(shot.again(shot.at_s + self.random.uniform(0.5, 6.0)))

    def until(self, second: float) -> Iterator[Shot]:
        """Everything that is due before that second, in order."""
        while self._heap and self._heap[0][0] < second:
            yield heapq.heappop(self._heap)[2]

    def _push(self, shot: Shot) -> None:
        self._count += 1
        heapq.heappush(self._heap, (shot.at_s, self._count, shot))


def times(random: Random, rate: float, second: int) -> list[float]:
    """Moments within a second for something that happens `rate` times in each."""
    count = int(rate) + (random.random() < rate % 1)
    return sorted(second + random.random() for _ in range(count))
