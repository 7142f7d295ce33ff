"""One measured process: `python -m hub.bench.worker MODE CONFIG COUNT [NUMBER] [--profile]`.

MODE is `copy`, `copy-transactions`, `process` or `process-bare`. What it says on standard output is
read by `hub.bench.running`; it starts when its standard input says so, and ends when that is
closed. The first tenth of the events is left out: joining the group, loading code and empty tables.
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

from hub.bench.profile import Sampler
from hub.config import Config, load
from hub.kafka.copying import Copy

__all__ = ["MODES", "main", "say"]

MODES = ("copy", "copy-transactions", "process", "process-bare")
_WARM_SHARE = 10


def say(what: str, **values: Any) -> None:
    """Tell the benchmark something: one JSON line, with the time."""
    print(json.dumps({"say": what, "at": time.time(), **values}), flush=True)


class _Meter:
    """Says when the measured part begins and how far it came."""

    def __init__(self, count: int, sampler: Sampler | None) -> None:
        self._warm = count // _WARM_SHARE
        self._sampler = sampler
        self._read = self._done = self._skipped = 0
        self._began = False

    def read(self, records: int) -> None:
        """A batch was read and is about to be handled."""
        if not self._read:
            # Holds for a worker that gets so few that it is never warm.
            say("began", records=0)
        elif not self._began and self._read >= self._warm:
            self._began = True
            self._skipped = self._read
            say("began", records=self._read)
            if self._sampler:
                self._sampler.start()
        self._read += records

    def done(self, records: int) -> None:
        """Records were committed."""
        self._done += records
        say("done", records=self._done)

    def stop(self) -> None:
        """Tell what was sampled."""
        if self._sampler:
            say("profile", parts=self._sampler.stop(), records=self._done - self._skipped)


def main(words: list[str]) -> int:
    """Run one mode."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("config", type=Path)
    parser.add_argument("count", type=int, help="events that all workers of the mode get")
    parser.add_argument("number", nargs="?", default="0", help="of this worker")
    parser.add_argument("--source", default="", help="topic (or ^pattern) that is copied")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args(words)
    config = load(arguments.config)
    meter = _Meter(arguments.count // arguments.workers, Sampler() if arguments.profile else None)
    if arguments.mode.startswith("process"):
        _process(config, meter, arguments.number, bare=arguments.mode == "process-bare")
    else:
        copying = Copy(
            config.kafka,
            arguments.source,
            f"bench.{arguments.mode}.v1",
            arguments.count,
            began=meter.read,
            done=meter.done,
        )
        say("ready", partitions=0)
        sys.stdin.readline()
        (copying.plain if arguments.mode == "copy" else copying.in_transactions)()
    meter.stop()
    return 0


def _process(config: Config, meter: _Meter, number: str, *, bare: bool) -> None:
    from hub.bench.bare import Bare
    from hub.engine.loop import Loop
    from hub.engine.task import Task
    from hub.process import Process
    from hub.registry import Registry
    from hub.schema_ids import SchemaIds, Versions
    from hub.worker import calm_collector

    calm_collector()
    go, stop = threading.Event(), threading.Event()

    class Measured(Process):
        """Waits for the start with its input paused, when all workers have their partitions."""

        held = 0

        def tick(self) -> bool:
            return super().tick() and go.is_set()

        def restore(self, partitions: Any) -> None:
            wanted = list(partitions)
            super().restore(wanted)
            self.held += len(wanted)
            say("ready", partitions=self.held)

        def forget(self, partition: Any) -> None:
            super().forget(partition)
            self.held -= 1
            say("ready", partitions=self.held)

        def handle(self, *batch: Any) -> None:
            meter.read(len(batch[1]))
            super().handle(*batch)

    registry = Registry(config.registry_url)
    task = Measured(
        config,
        lane="bulk",
        slot=f"bench-{number}",
        ids=SchemaIds(registry),
        versions=Versions(registry),
    )
    if bare:
        steps = task._steps  # noqa: SLF001 - what is measured is a stage with this very part left out
        steps._planner = Bare(steps._encode)  # noqa: SLF001 - as above
    loop = Loop(
        cast("Task", task),
        config.kafka,
        config.stage,
        slot=f"bench-{number}",
        observe=lambda records, _seconds: meter.done(records),
    )
    threading.Thread(target=_listen, args=(go, stop), daemon=True).start()
    loop.run(stop)
    registry.close()


def _listen(go: threading.Event, stop: threading.Event) -> None:
    """Start at the first line, end with the input."""
    sys.stdin.readline()
    go.set()
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
