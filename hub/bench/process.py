"""`hub bench process`: the process stage beside copying bytes and beside other engines."""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import schemas
from hub.bench import verify
from hub.bench.fill import Filled, fill, nouns_of
from hub.bench.peering import Peer, prepare
from hub.bench.profile import LIBRARY
from hub.bench.running import Figures, Measured, run
from hub.bench.site import PARTITIONS, Site, site

__all__ = ["BACKLOG_S", "Result", "Setup", "measure", "profile_rows"]

BACKLOG_S = 7_200
_COPIES = {"copy": "copy bytes (the limit)", "copy-transactions": "copy bytes in transactions"}
_PLATES = schemas.nouns()["plate_read"].topic


@dataclass(frozen=True, slots=True)
class Setup:
    """What one process measurement runs on."""

    mix: str = "plates"
    workers: int = 1
    backlog: bool = False
    """The events' append times are spread over two hours, so that the window expires."""
    bare: bool = False
    """Without places, rules and rights."""

    @property
    def name(self) -> str:
        """As the table calls it."""
        what = "plate reads" if self.mix == "plates" else "the city's mix"
        waited = ", two-hour backlog" if self.backlog else ""
        plural = "s" if self.workers > 1 else ""
        without = ", no places, rules or rights" if self.bare else ""
        return f"process, {what}{waited}{without}, {self.workers} worker{plural}"


Say = Callable[[str], None]
Rounds = dict[str, list[tuple[Figures, Figures]]]


@dataclass(frozen=True, slots=True)
class Result:
    """A row for each mode, where the microseconds go, and what `hub.bench.scaling` needs."""

    rows: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    figures: dict[str, float]


def measure(
    count: int,
    runs: int,
    setups: Sequence[Setup],
    *,
    peers: Sequence[Peer] = (),
    profile: bool = False,
    say: Say,
) -> Result:
    """Measure every setup `runs` times in turn, on a broker of its own with copying beside it.

    Figures are medians of the rounds, ratios are made within a round. Copying is told of the first
    setup alone, and peers and the profile belong to it.
    """
    # By mode, each run's figures with those of copying on the same broker.
    rounds: Rounds = {}
    profiles: list[Figures] = []
    sizes: dict[str, float] = {}
    for number in range(runs):
        for index, setup in enumerate(setups):
            say(f"round {number + 1} of {runs}: {setup.name}, {count:,} events")
            first = index == 0
            with site() as place:
                found = _on(
                    place,
                    setup,
                    count,
                    peers=peers if first else (),
                    profile=profile and first,
                    say=say,
                )
                if setup.mix == "plates":
                    sizes = _sizes(place)
            profiles += [each for each in found.values() if each.profile]
            for mode, each in found.items():
                name = setup.name if mode == "process" else _COPIES.get(mode, mode)
                if first or mode == "process":
                    rounds.setdefault(name, []).append((each, found["copy"]))
    figures = dict(sizes)
    if sizes:
        figures["process_per_s"] = _median_rate(rounds[_planned_with(setups).name])
        copied = _median_rate(rounds[_COPIES["copy"]])
        figures["broker_mb_per_s"] = copied * sizes["canonical_bytes"] / 1e6
    return Result(_rows(rounds), profile_rows(profiles), figures)


def _planned_with(setups: Sequence[Setup]) -> Setup:
    """The setup that tells best what one worker does in a city."""
    alone = [setup for setup in setups if setup.workers == 1] or list(setups)
    return next((setup for setup in alone if setup.mix == "city"), alone[0])


def _sizes(place: Site) -> dict[str, float]:
    """Bytes of an event on the brokers' disks, by topic, compressed as written."""
    topics = {
        "canonical_bytes": _PLATES,
        "police_bytes": schemas.subscriber_topic("police", "plate_read"),
        "htmoc_bytes": schemas.subscriber_topic("htmoc", "plate_read"),
    }
    return {
        name: place.disk_bytes(topic) / verify.read_output(place.config, topic).records
        for name, topic in topics.items()
    }


def _on(
    place: Site, setup: Setup, count: int, *, peers: Sequence[Peer], profile: bool, say: Say
) -> dict[str, Figures]:
    """Every mode on one broker, its output checked."""
    if setup.backlog:
        for noun in nouns_of(setup.mix):
            place.own_times(schemas.nouns()[noun].topic)
    filled = fill(
        place.config, place.ids, setup.mix, count, spread_s=BACKLOG_S if setup.backlog else 0
    )
    say(f"  filled: {filled.mean_bytes} bytes an event")
    source = _PLATES if setup.mix == "plates" else f"^({'|'.join(filled.unique)})$"
    found: dict[str, Figures] = {}
    for mode in _COPIES:
        target = place.topic(f"bench.{mode}.v1")
        words = [*_words(place, mode, count), "--source", source]
        with Measured(words, place.folder / f"{mode}.log") as process:
            found[mode] = run([process], count)
        verify.copied(place.config, target, filled)
        say(f"  {mode}: {found[mode].rate:,.0f}/s")
    found["process"] = _process(place, setup, filled, profile=profile, say=say)
    for each in peers:
        found[each.name] = _peer(place, each, filled)
        say(f"  {each.name}: {found[each.name].rate:,.0f}/s")
    return found


def _words(place: Site, mode: str, count: int) -> list[str]:
    return [sys.executable, "-m", "hub.bench.worker", mode, str(place.file), str(count)]


def _process(place: Site, setup: Setup, filled: Filled, *, profile: bool, say: Say) -> Figures:
    partitions = PARTITIONS * sum(noun.lane == "bulk" for noun in schemas.nouns().values())
    words = [*_words(place, "process-bare" if setup.bare else "process", filled.events)]
    options = ["--workers", str(setup.workers), *(["--profile"] if profile else [])]
    workers = [
        Measured([*words, str(number), *options], place.folder / f"process-{number}.log")
        for number in range(setup.workers)
    ]
    try:
        figures = run(workers, filled.events, partitions)
    finally:
        for worker in workers:
            worker.end()
    outcomes = verify.process(place.config, filled)
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(outcomes.items()))
    say(f"  process: {figures.rate:,.0f}/s ({told})")
    return figures


def _peer(place: Site, peer: Peer, filled: Filled) -> Figures:
    """A peer's run; it ends with its last record in the log, not with a commit, in its favour."""
    targets = [place.topic(f"bench.{peer.id}.{name}.v1") for name in ("police", "htmoc")]
    work = prepare(place, peer, targets, filled.events)
    with Measured(work.words, place.folder / f"{peer.id}.log", work.environment) as process:
        figures = run([process], filled.events)
    last = verify.peer(place.config, targets, filled)
    return replace(figures, ended=max(figures.ended, last))


def _rows(rounds: Rounds) -> list[dict[str, Any]]:
    return [
        {
            "mode": mode,
            "events_per_s": round(_median_rate(pairs)),
            "cpu_us_per_event": round(statistics.median(each.cpu_us for each, _ in pairs), 2),
            "peak_mib": round(max(each.peak_mib for each, _ in pairs)),
            # Pairs of one round, so that a slow machine slows both sides.
            "ratio_to_limit": round(
                statistics.median(each.rate / limit.rate for each, limit in pairs), 3
            ),
        }
        for mode, pairs in rounds.items()
    ]


def _median_rate(pairs: Sequence[tuple[Figures, Figures]]) -> float:
    return statistics.median(each.rate for each, _ in pairs)


def profile_rows(profiles: Sequence[Figures]) -> list[dict[str, Any]]:
    """µs an event by part of the loop, medians of the rounds, the largest first."""

    def us(kind: str, part: str) -> float:
        return round(
            statistics.median(
                each.profile[kind].get(part, 0.0) / max(1, each.profiled) * 1e6 for each in profiles
            ),
            2,
        )

    parts = {part for each in profiles for part in each.profile["cpu"]}
    rows = [{"part": each, "us": us("wall", each), "cpu_us": us("cpu", each)} for each in parts]
    return sorted(rows, key=lambda row: (row["part"] == LIBRARY, -row["us"]))
