"""How far a worker is behind: records not yet committed, and the age of what it handles."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from hub.engine.task import Partition

__all__ = ["LagWatch"]

_EVERY_S = 5.0


class LagWatch:
    """Tells each topic's lag every few seconds, from what the client already knows."""

    def __init__(self, tell: Callable[[str, int, float], None]) -> None:
        self._tell = tell
        self._told = 0.0
        self._newest: dict[str, int] = {}

    def saw(self, message: Any) -> None:
        """The newest record of a batch."""
        self._newest[message.topic()] = message.timestamp()[1]

    def tell(self, client: Consumer, owned: Mapping[Partition, int]) -> None:
        """Tell the lag of owned partitions, given their committed offsets; cheap between times."""
        now = time.monotonic()
        if now - self._told < _EVERY_S:
            return
        self._told = now
        lags: Counter[str] = Counter()
        for partition, committed in owned.items():
            _, high = client.get_watermark_offsets(TopicPartition(*partition), cached=True)
            # Not yet known is told as a negative number.
            lags[partition.topic] += max(0, high - committed)
        for topic, records in lags.items():
            age_s = time.time() - self._newest.get(topic, 0) / 1000 if records else 0.0
            self._tell(topic, records, max(0.0, age_s))
