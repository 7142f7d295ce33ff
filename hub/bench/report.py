"""The benchmark's figures as Markdown, for `ops/README.md`."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hub.bench.scaling import LOADS, Measured, country, needs
from hub.errors import ConfigError
from hub.kafka.copying import library_version
from hub.stack.artifacts import PINS_FILE
from hub.stack.process import java

__all__ = ["machine", "markdown", "parsing", "put"]

# Each part stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
_MARKED = r"(<!-- bench:{0} -->\n).*?(<!-- /bench:{0} -->)"
_TITLES = {
    "process": "Process, beside copying bytes",
    "profile": "Where the microseconds of the first one go, per event",
    "ingest": "Taking payloads over HTTP, durable before the answer",
    "latency": "From append to a `read_committed` subscriber",
    "recovery": "Taking over a full window",
    "normalise": "Parsing, one core",
}


def machine() -> dict[str, Any]:
    """What the figures were measured on, and with which versions."""
    pins = re.search(r"kafka_2\.13:([\d.]+)", PINS_FILE.read_text("utf-8"))
    told = subprocess.run(
        [str(java()), "-version"], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    jdk = re.search(r'version "([^"]+)"', told)
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "confluent-kafka": metadata.version("confluent-kafka"),
        "librdkafka": library_version(),
        "fastavro": metadata.version("fastavro"),
        "kafka": pins[1] if pins else "",
        "java": jdk[1] if jdk else "",
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


def markdown(results: Mapping[str, Any]) -> dict[str, str]:
    """The parts `speed` and `scaling` of a report, from what `hub bench all --json` prints."""
    told = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    parts = [f"Measured on: {told}.", f"{results['events']:,} events, {results['runs']} rounds."]
    for name, title in _TITLES.items():
        if results.get(name):
            parts += [f"**{title}**", _table(results[name])]
    parts += [f"Not measured: {name} ({why})." for name, why in results["skipped"].items()]
    figures = Measured(**results["figures"])
    rows = [needs(load, figures).row() for load in (*LOADS, country())]
    measured = [
        {"figure": name.replace("_", " "), "measured": round(value, 1)}
        for name, value in figures.as_dict().items()
    ]
    return {
        "speed": "\n\n".join(parts) + "\n",
        "scaling": f"{_table(measured)}\n\n{_table(rows)}\n",
    }


def parsing(told: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The part `parsing` of `connectors/README.md`: a row for each connector."""
    here = ", ".join(f"{name} {told[name]}" for name in ("processor", "python", "fastavro"))
    return f"Measured on one core: {here}.\n\n{_table(rows)}\n"


def put(file: Path, parts: Mapping[str, str]) -> None:
    """Put the parts between their markers in a file; a file that does not exist is made."""
    if not file.exists():
        empty = "\n".join(f"<!-- bench:{name} -->\n<!-- /bench:{name} -->\n" for name in parts)
        file.write_text(empty, "utf-8")
    text = file.read_text("utf-8")
    for name, part in parts.items():
        text, found = re.subn(
            _MARKED.format(name),
            lambda match, part=part: f"{match[1]}{part}{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise ConfigError(
                f"{found} places for the figures instead of one",
                where=str(file),
                fix=f"put <!-- bench:{name} --> and <!-- /bench:{name} --> on lines of their own",
            )
    file.write_text(text, "utf-8")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = [name.replace("_", " ") for name in rows[0]]
    lines = [heads, ["---" if index == 0 else "--:" for index in range(len(heads))]]
    lines += [[_cell(value) for value in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
