"""`hub run STAGE…`: the stages, for production."""

import argparse
import logging
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, config_path
from hub.errors import ConfigError, EnvironmentNotReadyError

if TYPE_CHECKING:
    from hub.config import Config

__all__ = ["add"]

_STAGES = ("ingest", "normalise", "process")
_LANES = ("urgent", "bulk")


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "run",
        _run,
        help_="run stages in production: ingest, normalise, process",
        example="hub run ingest normalise process",
        description=(
            "Runs stages until SIGTERM or Ctrl-C. One stage and lane runs in this process; several "
            "run as processes of their own, each started again when it dies."
        ),
    )
    parser.add_argument("stage", nargs="+", choices=_STAGES, help="stage to run")
    parser.add_argument("--lane", choices=_LANES, help="only this lane (default: both)")
    parser.add_argument("--slot", help="name of this process's place; default: first free one")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"))


def _run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(
        level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Until the stage listens for it: the first `hub reload` must not end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    load = partial(_config, arguments)
    config = load()
    stages = list(dict.fromkeys(arguments.stage))
    if stages == ["ingest"]:
        return _ingest(config, load)
    if len(stages) == 1 and arguments.lane:
        from hub.worker import run_stage, stop_on_signals

        config.site_key()
        with stop_on_signals() as stop:
            run_stage(config, stages[0], arguments.lane, stop, load=load)
        return 0
    return _several(arguments, config, stages)


def _config(arguments: argparse.Namespace) -> "Config":
    config = config_of(arguments)
    return config.model_copy(update={"slot": arguments.slot}) if arguments.slot else config


def _ingest(config: "Config", load: Callable[[], "Config"]) -> int:
    from pathlib import Path

    from hub.ingest.main import run_ingest
    from hub.registry import Registry
    from hub.schema_ids import SchemaIds
    from hub.worker import claim_slot

    registry = Registry(config.registry_url, cache=Path(config.data) / "registry.json")
    try:
        with claim_slot(config, "ingest") as slot:
            run_ingest(
                config,
                slot=slot,
                mark_schema_id=lambda: SchemaIds(registry).current("ingest_mark.v1"),
                load=load,
            )
    finally:
        registry.close()
    return 0


def _several(arguments: argparse.Namespace, config: "Config", stages: list[str]) -> int:
    from pathlib import Path

    from hub.supervisor import Supervisor, worker_commands
    from hub.worker import stop_on_signals

    config.site_key()
    if config.metrics_port:
        raise ConfigError(
            "several workers can't serve metrics on one port",
            where="metrics_port",
            fix="run each stage and lane as its own process, or leave metrics_port out",
        )
    supervisor = Supervisor(Path(config.data) / "logs", config_path(arguments))
    lanes = [arguments.lane] if arguments.lane else list(_LANES)
    for name, words in worker_commands(stages, lanes).items():
        slot = ["--slot", arguments.slot] if arguments.slot else []
        supervisor.add(name, [*words, *slot])
    print(f"running {', '.join(supervisor.workers)}; logs in {supervisor.folder}", flush=True)
    signal.signal(signal.SIGHUP, lambda *_: supervisor.hang_up())
    with stop_on_signals() as stop:
        supervisor.run(stop)
    ended = [each for each in supervisor.workers.values() if each.given_up is not None]
    if ended:
        raise EnvironmentNotReadyError(ended[0].tail(1), where=ended[0].name)
    return 0
