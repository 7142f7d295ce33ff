"""`hub reload`: running processes take the sources of a changed configuration."""

import argparse
import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_of, config_path, json_option
from hub.config import load
from hub.errors import ConfigError, EnvironmentNotReadyError

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
            "do not notice. A wrong configuration changes nothing: exit code 2, and what to mend. "
            "A connector that was installed since is found; a new version of one in use needs a "
            "restart."
        ),
    )
    parser.add_argument(
        "--sources",
        type=Path,
        metavar="FILE",
        help="of a site of `hub up`: put FILE's sources into its configuration first",
    )
    json_option(parser)


def _reload(arguments: argparse.Namespace) -> int:
    from hub.reloading import running, tell

    config = config_of(arguments)
    data = config.data
    if arguments.sources is not None:
        config = config.model_copy(update={"source": load(arguments.sources).source})
    _check(config)
    processes = running(data)
    if not processes:
        raise EnvironmentNotReadyError(
            "no ingest or normalise runs here",
            where=str(data / "slots"),
            fix="start one with `hub run`, or run this on its machine with its configuration",
        )
    if arguments.sources is not None:
        _put(arguments.sources, config_path(arguments), data)
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


def _put(sources: Path, path: Path | None, data: Path) -> None:
    """Write the sources of a file into the configuration of the site in this folder."""
    from hub.site import write_settings

    if path is None or path.resolve() != (data / "hub.toml").resolve():
        raise ConfigError(
            "not the configuration of a site of `hub up`",
            where=str(path or "--config"),
            fix="set HUB_CONFIG to hub.toml in its folder, or change the sources there and leave "
            "--sources out",
        )
    values = tomllib.loads(path.read_text("utf-8"))
    values["source"] = tomllib.loads(sources.read_text("utf-8")).get("source", {})
    write_settings(path, values, origin=sources.resolve())


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
