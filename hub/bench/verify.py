"""Holds what a measured mode wrote against what was given to it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import schemas
from hub.bench.fill import Filled
from hub.codec import EVENT_ID, RecordCodec
from hub.config import Config
from hub.errors import InvariantError
from hub.kafka.reading import read_all

__all__ = ["Output", "copied", "peer", "process", "read_output"]


@dataclass(frozen=True, slots=True)
class Output:
    """A topic as a reader of committed records sees it."""

    records: int
    unique: int
    last_s: float
    """Append time of its last record, seconds since 1970."""


def read_output(config: Config, topic: str) -> Output:
    """Read a whole topic of events."""
    ids: set[bytes] = set()
    records = last_ms = 0
    for message in read_all(config.kafka, topic):
        records += 1
        ids.add(message.value()[EVENT_ID])
        last_ms = max(last_ms, message.timestamp()[1])
    return Output(records, len(ids), last_ms / 1000)


def copied(config: Config, topic: str, filled: Filled) -> None:
    """Every record was copied once; raises `InvariantError`."""
    _same(topic, "records", filled.events, read_output(config, topic).records)


def peer(config: Config, topics: Iterable[str], filled: Filled) -> float:
    """Each topic holds every event once; when the last record was appended (s since 1970)."""
    last = 0.0
    for topic in topics:
        output = read_output(config, topic)
        expected = sum(filled.unique.values())
        _same(topic, "different events", expected, output.unique)
        _same(topic, "records", expected, output.records)
        last = max(last, output.last_s)
    return last


def process(config: Config, filled: Filled) -> Counter[str]:
    """Books and topics agree with what came in; the records by outcome.

    Plate reads that were not merged are on both subscribers' topics, each once.
    """
    codec = RecordCodec(schemas.built("ledger.v1"), 0)
    outcomes: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    written = 0
    for message in read_all(config.kafka, "ledger.v1"):
        for count in codec.decode(message.value())["counts"]:
            outcomes[count["outcome"]] += count["count"]
            written += count["produced"]
            if count["outcome"] == "delivered":
                delivered[count["noun"]] += count["count"]
    _same("ledger.v1", "records accounted for", filled.events, outcomes.total())
    found = 0
    for noun in schemas.nouns().values():
        if noun.topic not in filled.unique:
            continue
        for subscriber in schemas.subscribers().values():
            if noun.name in subscriber.nouns:
                topic = schemas.subscriber_topic(subscriber.id, noun.name)
                output = read_output(config, topic)
                found += output.records
                _same(topic, "different events", output.records, output.unique)
                if noun.name == "plate_read" and subscriber.id != "ops":
                    _same(topic, "records", delivered[noun.name], output.records)
    _same("the subscribers' topics", "records", written, found)
    if set(filled.unique) == {schemas.nouns()["plate_read"].topic}:
        unique = sum(filled.unique.values())
        _same("ledger.v1", "duplicates", filled.events - unique, outcomes["duplicate"])
        _same("ledger.v1", "first ones", unique, outcomes["delivered"] + outcomes["merged"])
    return outcomes


def _same(where: str, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise InvariantError(
            f"{found:,} {what} instead of {expected:,}",
            where=where,
            fix="the figures of this mode mean nothing; find out what it lost or repeated",
        )
