"""`hub bench normalise`: what each connector's parse costs, and the envelope around it."""

import contextlib
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import schemas
from hub.codec import EventCodec
from hub.config import TEST_ID_KEY
from hub.connector import Connector
from hub.discovery import connector, options_of
from hub.envelope import Envelope, RawRef
from hub.errors import PayloadError
from hub.testing import Sample, samples_in

__all__ = ["by_connector", "measure"]

_ROUNDS = 5


def measure(samples: Path, seconds: float, names: Iterable[str]) -> list[dict[str, Any]]:
    """Payloads a second on one core, for each sample of each connector: parse alone, and to Avro.

    A connector has its samples in a folder of its name; `ConfigError` where there are none.
    """
    found = [(connector(name), samples_in(samples / name)) for name in names]
    return [_row(each, sample, seconds) for each, mine in found for sample in mine]


def by_connector(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each connector: its sample of middle size."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["connector"], []).append(row)
    return [
        dict(sorted(mine, key=lambda row: row["bytes"])[len(mine) // 2]) for mine in found.values()
    ]


def _row(found: Connector, sample: Sample, seconds: float) -> dict[str, Any]:
    codecs: dict[str, EventCodec] = {
        noun: EventCodec(schemas.built(schemas.nouns()[noun].topic), 0) for noun in found.may_emit
    }
    options = options_of(found, sample.options, where=f"options of {sample.name}")
    envelope = Envelope(found, options, "bench", key=TEST_ID_KEY, codecs=codecs)
    payload = sample.payload()
    parse = _rate(lambda: _drain(found.parse(payload, options)), seconds)
    whole = _rate(lambda: _drain(envelope.results(payload, RawRef(bytes(32)))), seconds)
    return {
        "connector": found.name,
        "sample": sample.name,
        "bytes": len(payload.body),
        "parse_per_s": round(parse),
        "parse_to_avro_per_s": round(whole),
        "us_per_payload": round(1e6 / whole, 1),
        "mb_per_s": round(whole * len(payload.body) / 1e6, 1),
    }


def _drain(outcomes: Any) -> None:
    # A payload that is refused as a whole costs what it costs until then.
    with contextlib.suppress(PayloadError):
        for _ in outcomes:
            pass


def _rate(work: Any, seconds: float) -> float:
    """Median calls a second over a few rounds, after one to warm up."""
    work()
    rates = []
    for _ in range(_ROUNDS):
        calls, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds / _ROUNDS:
            work()
            calls += 1
        rates.append(calls / spent)
    return statistics.median(rates)
