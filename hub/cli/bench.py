"""`hub bench process|normalise`: what the stages cost on this machine."""

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from hub.cli.common import Commands, command, group, json_option, table
from hub.errors import ConfigError

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    bench = group(
        commands, "bench", help_="measure the stages on this machine", example="hub bench process"
    )
    process = command(
        bench,
        "process",
        _process,
        help_="the process stage against copying bytes, on one broker in one run",
        example="hub bench process --events 200000 --runs 3",
    )
    process.add_argument("--events", type=int, default=300_000, metavar="N")
    process.add_argument("--runs", type=int, default=3, metavar="N", help="rounds; medians count")
    json_option(process)
    normalise = command(
        bench,
        "normalise",
        _normalise,
        help_="payloads a second and core, for each connector's samples",
        example="hub bench normalise",
    )
    normalise.add_argument("--samples", type=Path, default=Path("tests/samples"), metavar="DIR")
    normalise.add_argument("--seconds", type=float, default=1.0, metavar="S", help="per figure")
    json_option(normalise)


def _process(arguments: argparse.Namespace) -> int:
    from hub.bench.process import measure

    if arguments.events < 1_000 or arguments.runs < 1:
        raise ConfigError(
            "at least 1,000 events and 1 round", where="--events, --runs", fix="give more"
        )
    rows = measure(
        arguments.events, arguments.runs, lambda text: print(text, file=sys.stderr, flush=True)
    )
    _show(rows, as_json=arguments.json)
    return 0


def _normalise(arguments: argparse.Namespace) -> int:
    from hub.bench.normalise import measure

    if not arguments.samples.is_dir():
        raise ConfigError("no such folder", where=str(arguments.samples), fix="give --samples DIR")
    _show(measure(arguments.samples, arguments.seconds), as_json=arguments.json)
    return 0


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Rows as a table or as one JSON object, with the machine they were measured on."""
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    if as_json:
        print(json.dumps({"machine": machine, "rows": rows}, ensure_ascii=False, indent=1))
        return
    print(f"{machine['cores']} cores, {machine['machine']}, Python {machine['python']}")
    heads = [name.replace("_", " ") for name in rows[0]]
    print(table([heads, *([_cell(value) for value in row.values()] for row in rows)]))


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
