"""What process would do with one canonical record: the same steps, in memory, writing nothing."""

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.areas.site import of_site
from hub.config import Config
from hub.errors import RecordError
from hub.parsing import RawRecord
from hub.registry import Registry
from hub.schema_ids import Versions
from hub.tables import entries

__all__ = ["Steps"]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """The record as if it arrived now."""

    record: RawRecord
    now_ms: int

    def key(self) -> bytes | None:
        return self.record.key

    def value(self) -> bytes | None:
        return self.record.value

    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        return self.record.headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self.now_ms


class Steps:
    """The steps with the registers as they are now, and without what came before.

    So it says whether a record is refused and where it would go, not whether it is a repeat.
    """

    def __init__(self, config: Config, registry: Registry) -> None:
        # Found by name: the engine does not depend on what it runs.
        self._steps = importlib.import_module("streams.process")
        place = importlib.import_module("streams.place")
        self._devices = place.DeviceRegister(areas=of_site(config.data))
        self._rules = importlib.import_module("streams.route").RuleBook()
        for topic, target in (
            ("device.v1", self._devices),
            ("location.v1", self._devices.locations),
            ("route.v1", self._rules),
        ):
            for entry in entries(config, registry, topic):
                target.put(*entry)
        self._versions = Versions(registry)
        self._nouns = config.nouns()
        self._key = config.site_key()

    def targets(self, record: RawRecord) -> list[str]:
        """Subscriber topics the record would go to; `RecordError` when it is refused."""
        lane = next(noun.lane for noun in self._nouns.values() if noun.topic == record.topic)
        process = self._steps.Process(
            lane=lane,
            slot="",
            key=self._key,
            register=self._devices,
            rules=self._rules,
            frames=self._versions.frames,
            recode=self._versions.recode,
            reader=self._versions.reader,
            nouns=self._nouns,
        )
        topics: list[str] = []
        errors: list[RecordError] = []

        def emit(topic: str, _value: bytes, _key: bytes) -> None:
            topics.append(topic)

        def refuse(_arrival: Any, error: RecordError) -> None:
            errors.append(error)

        process.open(record.topic, record.partition)
        now_ms = time.time_ns() // 1_000_000
        process.handle(
            record.topic,
            record.partition,
            [_Arrival(record, now_ms)],
            now_us=now_ms * 1000,
            emit=emit,
            refuse=refuse,
        )
        if errors:
            raise errors[0]
        return topics
