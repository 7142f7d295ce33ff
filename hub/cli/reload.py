"""`hub reload`: running processes take the sources of a changed configuration."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, json_option
from hub.errors import EnvironmentNotReadyError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.reloading import Answer

__all__ = ["add"]

_WITHIN_S = 30.0


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "reload",
        _reload,
        help_="take changed sources without a restart",
        example="hub reload",
        description=(
            "Checks the configuration, then lets the processes of its data folder (normalise, then "
            "ingest) take its sources. Those whose entries, secrets and certificates are as before "
            "do not notice. A wrong configuration changes nothing: exit code 2, and what to mend."
        ),
    )
    json_option(parser)


def _reload(arguments: argparse.Namespace) -> int:
    from hub.reloading import running, tell

    config = config_of(arguments)
    data = config.data
    _check(config)
    processes = running(data)
    if not processes:
        raise EnvironmentNotReadyError(
            "no ingest or normalise runs here",
            where=str(data / "slots"),
            fix="start one with `hub run`, or run this on its machine with its configuration",
        )

    for process, pid in processes.items():
        answer = tell(data, process, pid, within_s=_WITHIN_S)
        if answer is None:
            raise EnvironmentNotReadyError(
                f"it did not answer in {_WITHIN_S:.0f} s",
                where=f"{process}, process {pid}",
                fix="see its log; it may be waiting for Kafka",
            )
        print(json.dumps(asdict(answer)) if arguments.json else _line(answer))
        if answer.error:
            # Those that were not asked yet keep the old one too.
            return 2
    return 0


def _check(config: "Config") -> None:
    """Raise what any process would; secrets and files are theirs to look at."""
    from hub.ingest.auth import Door
    from hub.ingest.intake import Source
    from hub.ingest.sources.runner import check
    from hub.reloading import source_options

    sources = [Source(id_, entry) for id_, entry in config.source.items()]
    for source in sources:
        source_options(source.connector, source.id, source.config)
    Door(config.source)
    check(sources)


def _line(answer: "Answer") -> str:
    """What a process said, for people."""
    if answer.error:
        return f"{answer.process}: stays as it was. {answer.error}"
    changes = asdict(answer.changes)
    restart = changes.pop("restart")
    told = [f"{word} {', '.join(ids)}" for word, ids in changes.items() if ids]
    line = f"{answer.process}: {'; '.join(told) or 'nothing to change'}"
    if restart:
        line += f" (needs a restart: {', '.join(restart)})"
    return line
