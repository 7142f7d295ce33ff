"""`hub bench process|ingest|latency|recovery|normalise|all`: what the stages cost here."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.common import Commands, command, group, json_option, table
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.bench.peering import Peer

__all__ = ["add"]

_EVENTS_MIN = 1_000
_PLATE_SAMPLE = "anpr_motorbike"
_PEERS = ("faust", "quix", "streams")


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
        example="hub bench process --mix city --events 200000 --runs 3",
    )
    _process_options(process)
    process.add_argument("--mix", choices=("plates", "city"), default="plates", help="of events")
    process.add_argument(
        "--workers", type=int, default=1, choices=(1, 2), help="2: with one, and with two"
    )
    process.add_argument(
        "--backlog", action="store_true", help="as if the events had come in over two hours"
    )
    process.add_argument(
        "--bare", action="store_true", help="also without places, rules and rights: what they cost"
    )
    process.add_argument("--profile", action="store_true", help="say where the time goes")
    ingest = command(
        bench,
        "ingest",
        _ingest,
        help_="payloads taken over HTTP, beside an app that reads them and keeps nothing",
        example="hub bench ingest --payloads 50000 --connections 64",
    )
    _ingest_options(ingest)
    ingest.add_argument("--runs", type=int, default=3, metavar="N", help="rounds; medians count")
    json_option(ingest)
    _add_others(bench)
    _add_all(bench)


def _add_others(bench: "Commands[argparse.ArgumentParser]") -> None:
    """What is no rate of a stage."""
    latency = command(
        bench,
        "latency",
        _latency,
        help_="how old events are when a subscriber has them, in both lanes",
        example="hub bench latency --rate 5000 --seconds 30",
    )
    _latency_options(latency)
    json_option(latency)
    recovery = command(
        bench,
        "recovery",
        _recovery,
        help_="how long a worker needs to take over a full window, and its memory",
        example="hub bench recovery --ids 10000000",
    )
    _recovery_options(recovery)
    json_option(recovery)
    normalise = command(
        bench,
        "normalise",
        _normalise,
        help_="payloads a second and core, for each connector's samples",
        example="hub bench normalise --connector cap",
    )
    _normalise_options(normalise)
    normalise.add_argument("--connector", metavar="NAME", help="of this one alone (default: all)")
    normalise.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put a table of all between its marks there"
    )
    json_option(normalise)


def _add_all(bench: "Commands[argparse.ArgumentParser]") -> None:
    everything = command(
        bench,
        "all",
        _all,
        help_="everything, as the report in ops/README.md",
        example="hub bench all --markdown ops/README.md",
    )
    _process_options(everything, peers=",".join(_PEERS))
    _ingest_options(everything)
    _latency_options(everything)
    _recovery_options(everything)
    _normalise_options(everything)
    everything.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put the report between its marks there"
    )


def _process_options(parser: argparse.ArgumentParser, *, peers: str = "") -> None:
    parser.add_argument("--events", type=int, default=300_000, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds; medians count")
    parser.add_argument(
        "--peers",
        default=peers,
        metavar="NAMES",
        help=f"other engines on the same plate reads: {','.join(_PEERS)}",
    )
    json_option(parser)


def _ingest_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--payloads", type=int, default=50_000, metavar="N")
    parser.add_argument("--connections", type=int, default=64, metavar="N")


def _latency_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=5_000, metavar="N", help="canonical events/s")
    parser.add_argument("--raw-rate", type=float, default=500, metavar="N", help="payloads/s")
    parser.add_argument("--urgent-rate", type=float, default=20, metavar="N", help="alerts/s")
    parser.add_argument(
        "--waiting", type=int, default=600_000, metavar="N", help="plate reads of the backlog"
    )
    parser.add_argument("--for", type=float, default=15, metavar="S", dest="for_s", help="seconds")


def _recovery_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ids", type=int, default=10_000_000, metavar="N")
    parser.add_argument(
        "--per-record", type=int, default=100, metavar="N", help="ids in one record of the log"
    )


def _normalise_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=Path, default=Path("tests/samples"), metavar="DIR")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="per sample")


def _process(arguments: argparse.Namespace) -> int:
    from hub.bench.process import Setup, measure

    _check(arguments)
    setups = [
        Setup(arguments.mix, workers, arguments.backlog)
        for workers in range(1, arguments.workers + 1)
    ]
    if arguments.bare:
        setups += [replace(setup, bare=True) for setup in setups]
    peers, skipped = _peers(arguments)
    if peers and (arguments.mix, arguments.backlog) != ("plates", False):
        raise ConfigError("peers do plate reads alone", where="--peers", fix="leave out --mix")
    result = measure(
        arguments.events, arguments.runs, setups, peers=peers, profile=arguments.profile, say=_say
    )
    _show(result.rows, as_json=arguments.json, profile=result.profile, skipped=skipped)
    return 0


def _ingest(arguments: argparse.Namespace) -> int:
    rows, skipped = _measured_ingest(arguments, runs=arguments.runs)
    _show(rows, as_json=arguments.json, skipped=skipped)
    return 0


def _latency(arguments: argparse.Namespace) -> int:
    _show(_measured_latency(arguments)[0], as_json=arguments.json)
    return 0


def _recovery(arguments: argparse.Namespace) -> int:
    from hub.bench.recovery import measure

    row, _ = measure(arguments.ids, arguments.per_record, say=_say)
    _show([row], as_json=arguments.json)
    return 0


def _normalise(arguments: argparse.Namespace) -> int:
    from hub.bench.normalise import by_connector
    from hub.bench.report import machine, parsing, put

    rows = _measured_normalise(arguments, arguments.connector)
    if arguments.markdown:
        put(arguments.markdown, {"parsing": parsing(machine(), by_connector(rows))})
    _show(rows, as_json=arguments.json)
    return 0


def _all(arguments: argparse.Namespace) -> int:
    from hub.bench import recovery
    from hub.bench.normalise import by_connector
    from hub.bench.process import Setup, measure
    from hub.bench.report import machine, markdown, put

    _check(arguments)
    parsing = _measured_normalise(arguments)
    peers, skipped = _peers(arguments)
    setups = [
        Setup(),
        Setup(workers=2),
        Setup(mix="city"),
        Setup(backlog=True),
        Setup(bare=True),
    ]
    process = measure(arguments.events, arguments.runs, setups, peers=peers, profile=True, say=_say)
    ingest, no_limit = _measured_ingest(arguments, runs=arguments.runs)
    lines, raw = _measured_latency(arguments)
    recovered, window = recovery.measure(arguments.ids, arguments.per_record, say=_say)
    results = {
        "machine": machine(),
        "events": arguments.events,
        "runs": arguments.runs,
        "skipped": skipped | no_limit,
        "ingest": ingest,
        "process": process.rows,
        "profile": process.profile,
        "latency": lines,
        "recovery": [recovered],
        "normalise": by_connector(parsing),
        "figures": {
            **process.figures,
            **raw,
            **window,
            "normalise_per_s": _plates_per_s(parsing),
        },
    }
    parts = markdown(results)
    if arguments.markdown:
        put(arguments.markdown, parts)
    print(
        json.dumps(results, ensure_ascii=False, indent=1)
        if arguments.json
        else "\n".join(parts.values())
    )
    return 0


def _measured_ingest(
    arguments: argparse.Namespace, *, runs: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    from hub.bench.ingest import measure
    from hub.bench.peering import Skipped, bare_asgi

    if arguments.payloads < _EVENTS_MIN or arguments.connections < 1:
        raise ConfigError(
            "at least 1,000 payloads and 1 connection",
            where="--payloads, --connections",
            fix="give more",
        )
    skipped: dict[str, str] = {}
    try:
        limit = bare_asgi()
    except Skipped as why:
        limit, skipped["asgi"] = None, str(why)
    found = measure(arguments.payloads, runs, arguments.connections, limit, say=_say)
    return found, skipped


def _measured_latency(
    arguments: argparse.Namespace,
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    from hub.bench.latency import WARM_S, lines, measure

    if arguments.for_s <= WARM_S:
        raise ConfigError(f"the first {WARM_S:.0f} s do not count", where="--for", fix="give more")
    wanted = lines(arguments.rate, arguments.raw_rate, arguments.urgent_rate, arguments.waiting)
    return measure(wanted, arguments.for_s, say=_say)


def _measured_normalise(arguments: argparse.Namespace, name: str = "") -> list[dict[str, Any]]:
    from hub.bench.normalise import measure
    from hub.discovery import connector_names

    if not arguments.samples.is_dir():
        raise ConfigError("no such folder", where=str(arguments.samples), fix="give --samples DIR")
    names = [name] if name else connector_names()
    return measure(arguments.samples, arguments.seconds, names)


def _plates_per_s(rows: Sequence[Mapping[str, Any]]) -> float:
    """Payloads of one plate read that one core parses a second."""
    found = [row["parse_to_avro_per_s"] for row in rows if row["sample"].startswith(_PLATE_SAMPLE)]
    if not found:
        raise ConfigError(
            f"no sample is called {_PLATE_SAMPLE}…", where="--samples", fix="give tests/samples"
        )
    return float(found[0])


def _check(arguments: argparse.Namespace) -> None:
    if arguments.events < _EVENTS_MIN or arguments.runs < 1:
        raise ConfigError(
            "at least 1,000 events and 1 round", where="--events, --runs", fix="give more"
        )


def _peers(arguments: argparse.Namespace) -> tuple[list["Peer"], dict[str, str]]:
    """The peers asked for that can be run here, and why others can't."""
    from hub.bench.peering import install

    names = [name for name in arguments.peers.split(",") if name]
    unknown = [name for name in names if name not in _PEERS]
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} is no peer", where="--peers", fix=f"choose of {', '.join(_PEERS)}"
        )
    return install(names)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(
    rows: Sequence[Mapping[str, Any]],
    *,
    as_json: bool,
    profile: Sequence[Mapping[str, Any]] = (),
    skipped: Mapping[str, str] | None = None,
) -> None:
    """Rows as tables or as one JSON object, with the machine they were measured on."""
    from hub.bench.report import machine

    here = machine()
    if as_json:
        told = {"machine": here, "rows": rows, "profile": profile, "skipped": skipped or {}}
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    for each in (rows, profile):
        if each:
            heads = [name.replace("_", " ") for name in each[0]]
            print(table([heads, *([_cell(value) for value in row.values()] for row in each)]))
    for name, why in (skipped or {}).items():
        print(f"not measured: {name} ({why})")


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
