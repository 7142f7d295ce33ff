"""One worker: a stage in a lane, with its slot, its metrics and its clean end."""

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Literal

from hub import metrics
from hub.config import Config
from hub.engine.loop import Loop
from hub.engine.supervise import supervise
from hub.errors import ConfigError
from hub.evidence import EvidenceStore
from hub.kafka.admin import Cluster
from hub.raw_topics import connectors_in_use
from hub.registry import Registry
from hub.reloading import Reload
from hub.schema_ids import SchemaIds, Versions

__all__ = ["LANES", "STAGES", "calm_collector", "claim_slot", "run_stage", "stop_on_signals"]

STAGES = ("ingest", "normalise", "process")
LANES = ("urgent", "bulk")
_SLOTS_MAX = 64
_log = logging.getLogger("hub.worker")


@contextmanager
def claim_slot(config: Config, role: str) -> Iterator[str]:
    """This process's slot for a role: configured, or the host's first free one in the data folder.

    The slot names the transactional id, so that a restart takes over what a crash left open.
    """
    folder = Path(config.data) / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().split(".")[0]
    names = [config.slot] if config.slot else [f"{host}-{index}" for index in range(_SLOTS_MAX)]
    for name in names:
        file = (folder / f"{role}.{name}").open("a+")
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError:
            file.close()
            continue
        try:
            # For `hub reload`; the lock alone says whether it still holds.
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield name
        finally:
            file.close()
        return
    raise ConfigError(
        f"every slot for {role} is taken: {names[0]} … {names[-1]}",
        where="slot",
        fix="give this process a slot of its own (--slot, HUB_SLOT)",
    )


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, for a clean end between two batches."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def calm_collector() -> None:
    """Let the cyclic garbage collector look seldom, and never at what was loaded at the start.

    A stage makes hundreds of thousands of short-lived objects a second and hardly a cycle: looking
    for them took a seventh of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def run_stage(
    config: Config,
    stage: Literal["normalise", "process"],
    lane: str,
    stop: threading.Event,
    *,
    load: Callable[[], Config] | None = None,
) -> None:
    """Run one lane of normalise or process until stopped; SIGHUP takes sources anew by `load`."""
    registry = Registry(config.registry_url, cache=Path(config.data) / "registry.json")
    server = (
        metrics.serve(config.metrics_port, config.metrics_host) if config.metrics_port else None
    )
    meters = metrics.StageMetrics(stage, lane)

    def observe(_records: int, seconds: float) -> None:
        meters.batch_seconds(seconds)

    def lagging(topic: str, records: int, seconds: float) -> None:
        meters.lag(records, seconds, topic=topic)

    calm_collector()
    try:
        with claim_slot(config, f"{stage}-{lane}") as slot:
            _log.info("%s/%s runs in slot %s, pid %d", stage, lane, slot, os.getpid())
            reload = Reload(config, load or (lambda: config), f"{stage}-{lane}.{slot}")
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGHUP, lambda *_: reload.ask())

            def start() -> Loop:
                return Loop(
                    _task(stage, lane, slot, registry=registry, reload=reload),
                    config.kafka,
                    config.stage,
                    slot=slot,
                    observe=observe,
                    lagging=lagging,
                )

            supervise(start, stop, failed=meters.error)
    finally:
        registry.close()
        if server is not None:
            server.close()


def _task(stage: str, lane: str, slot: str, *, registry: Registry, reload: Reload):  # type: ignore[no-untyped-def]  # noqa: ANN202 - either task; Loop checks the protocol
    config = reload.config
    ids = SchemaIds(registry)
    if stage == "normalise":
        from hub.normalise import Normalise

        store = EvidenceStore.open(config.evidence())
        used = connectors_in_use(config, Cluster(config.kafka).topic_names())
        return Normalise(
            config,
            lane=lane,
            slot=slot,
            ids=ids,
            store=store,
            connectors=used,
            reload=reload,
        )
    from hub.process import Process

    return Process(config, lane=lane, slot=slot, ids=ids, versions=Versions(registry))
