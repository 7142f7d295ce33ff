"""One measured worker, in a process of its own: `python -m hub.bench.worker MODE CONFIG COUNT`.

Prints one JSON object: events, seconds, CPU seconds of this process and its peak memory.
"""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hub.config import Config, load
from hub.kafka.copying import Copy

__all__ = ["MODES", "main"]

MODES = ("copy", "copy-transactions", "process")
TOPIC = "camera.plate_read.v1"


class _Meter:
    """Starts with the first batch, so that joining the group and loading code do not count."""

    def __init__(self, count: int, stop: threading.Event) -> None:
        self._left = count
        self._stop = stop
        self._count = count
        self.began = 0.0
        self._cpu = 0.0
        self.figures: dict[str, float] = {}

    def batch(self) -> None:
        """Input was read."""
        if not self.began:
            self.began, self._cpu = time.monotonic(), time.process_time()

    def done(self, records: int) -> None:
        """Records were committed."""
        self._left -= records
        if self._left <= 0 and not self.figures:
            self.figures = {
                "events": self._count,
                "seconds": time.monotonic() - self.began,
                "cpu_s": time.process_time() - self._cpu,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
            self._stop.set()


def main(arguments: list[str]) -> int:
    """Run one mode."""
    mode, file, count = arguments
    config = load(Path(file))
    stop = threading.Event()
    meter = _Meter(int(count), stop)
    copying = Copy(
        config.kafka, TOPIC, f"bench.{mode}.v1", int(count), began=meter.batch, done=meter.done
    )
    runs: dict[str, Callable[[], None]] = {
        "copy": copying.plain,
        "copy-transactions": copying.in_transactions,
        "process": lambda: _process(config, meter, stop),
    }
    runs[mode]()
    print(json.dumps(meter.figures))
    return 0


def _process(config: Config, meter: _Meter, stop: threading.Event) -> None:
    from hub.engine.loop import Loop
    from hub.engine.task import Task
    from hub.process import Process
    from hub.registry import Registry
    from hub.schema_ids import SchemaIds, Versions

    class Measured(Process):
        def handle(self, *batch: Any) -> None:
            meter.batch()
            super().handle(*batch)

    registry = Registry(config.registry_url)
    task = Measured(
        config, lane="bulk", slot="bench", ids=SchemaIds(registry), versions=Versions(registry)
    )
    loop = Loop(
        cast("Task", task),
        config.kafka,
        config.stage,
        slot="bench",
        observe=lambda records, _seconds: meter.done(records),
    )
    loop.run(stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
