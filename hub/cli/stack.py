"""`hub up` and `hub down`: the embedded stack and all stages, for a small site."""

import argparse
import logging
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.common import Commands, command, config_path
from hub.errors import ConfigError, EnvironmentNotReadyError

if TYPE_CHECKING:
    from hub.site import Site

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands; `up` and `down` share this module."""
    if "up" in commands.choices:
        return
    up = command(
        commands,
        "up",
        _up,
        help_="start the embedded stack and all stages",
        example="hub --config hub.toml up --data data",
        description=(
            "Starts Kafka, the registry and every stage on this machine, until Ctrl-C or `hub "
            "down`. Sources and `ingest.port` come from the configuration (--config, ./hub.toml); "
            "all else is the site's own, written to DIR/hub.toml for the other commands. `hub "
            "reload --sources FILE` takes changed sources."
        ),
    )
    up.add_argument(
        "--data", type=Path, metavar="DIR", help="keep everything there (default: a temporary one)"
    )
    up.add_argument(
        "--port-base", type=int, metavar="N", help="first port (default: free ones, which it keeps)"
    )
    down = command(commands, "down", _down, help_="stop them", example="hub down --data data")
    down.add_argument("--data", type=Path, metavar="DIR", required=True, help="folder of `hub up`")


def _up(arguments: argparse.Namespace) -> int:
    from hub.worker import stop_on_signals

    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="hub-up-") as folder, stop_on_signals() as stop:
        data = (arguments.data or Path(folder)).resolve()
        with _site(config_path(arguments), data, arguments.port_base) as site:
            supervisor = site.supervisor
            assert supervisor is not None
            supervisor.add("expire", ["evidence", "expire", "--every", "24"]).start()
            print(f"Kafka     {site.config.kafka.bootstrap}")
            print(f"registry  {site.config.registry_url}")
            print(f"ingest    {site.ingest_url}")
            key = site.data / "id.key"
            print(f"settings  export HUB_CONFIG={site.config_file} HUB_ID_KEY_FILE={key}")
            print("running; Ctrl-C or `hub down` ends it", flush=True)
            while not stop.wait(0.5):
                supervisor.check()
                ended = [each for each in supervisor.workers.values() if each.given_up is not None]
                if ended:
                    raise EnvironmentNotReadyError(ended[0].tail(), where=ended[0].name)
    print("stopped")
    return 0


def _site(path: Path | None, data: Path, port_base: int | None) -> "Site":
    """A site with what it takes of a configuration; says what it does not take."""
    from hub.config import load
    from hub.site import Site

    def say(text: str) -> None:
        print(f"· {text}", flush=True)

    if path is None:
        return Site(data, port_base=port_base, say=say)
    ingest = load(path).ingest
    given = tomllib.loads(path.read_text("utf-8"))
    sources = given.pop("source", {})
    own = {f"ingest.{key}" for key in given.pop("ingest", {})} - {"ingest.port"}
    others = sorted({*given, *own})
    if others:
        say(f"not taken from {path}, as the site has its own: {', '.join(others)}")
    return Site(
        data,
        sources=sources,
        port_base=port_base,
        ingest_port=ingest.port if "port" in ingest.model_fields_set else None,
        origin=path.resolve(),
        say=say,
    )


def _down(arguments: argparse.Namespace) -> int:
    from hub.stack import down

    if not arguments.data.is_dir():
        raise ConfigError(
            "no such folder", where=str(arguments.data), fix="give --data of `hub up`"
        )
    if down(arguments.data.resolve() / "stack"):
        print("stopped")
        return 0
    print("nothing runs there")
    return 0
