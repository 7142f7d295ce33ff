"""`hub bench normalise`: what each connector's parse costs, and the envelope around it."""

import statistics
import time
from pathlib import Path
from typing import Any

import schemas
from hub.codec import EventCodec
from hub.config import TEST_ID_KEY
from hub.discovery import connectors
from hub.envelope import Envelope, RawRef
from hub.testing import samples_in

__all__ = ["measure"]

_ROUNDS = 5


def measure(samples: Path, seconds: float) -> list[dict[str, Any]]:
    """Payloads a second on one core, for each connector and sample: parse alone, and to Avro."""
    rows: list[dict[str, Any]] = []
    codecs = {
        noun.name: EventCodec(schemas.built(noun.topic), 0) for noun in schemas.nouns().values()
    }
    for name, connector in connectors().items():
        envelope = Envelope(connector, connector.options(), "bench", key=TEST_ID_KEY, codecs=codecs)
        for sample in samples_in(samples / name):
            payload = sample.payload()
            options = connector.options()
            parse = _rate(lambda c=connector, p=payload, o=options: _drain(c.parse(p, o)), seconds)
            whole = _rate(
                lambda e=envelope, p=payload: _drain(e.results(p, RawRef(bytes(32)))), seconds
            )
            rows.append(
                {
                    "connector": name,
                    "sample": sample.name,
                    "bytes": len(payload.body),
                    "parse_per_s": round(parse),
                    "parse_to_avro_per_s": round(whole),
                }
            )
    return rows


def _drain(outcomes: Any) -> None:
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
