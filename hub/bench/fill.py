"""Fills canonical topics with events as the simulated city makes them."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import schemas
from hub import simulator
from hub.codec import EventCodec, HeadReader
from hub.config import TEST_ID_KEY, Config
from hub.connector import Payload
from hub.discovery import connector
from hub.envelope import Canonical, Envelope, RawRef
from hub.kafka.clients import producer
from hub.schema_ids import SchemaIds

__all__ = ["MIXES", "SEED", "Filled", "codecs", "events", "fill", "nouns_of", "templates"]

SEED = 1
MIXES = ("plates", "city")
_DUPLICATES = 0.05
_TEMPLATES = 5_000
_PLAN_S = 60
_TIMES = ("received_at", "observed_at", "published_at")


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written."""

    events: int
    unique: Mapping[str, int]
    """Different event ids, by topic."""
    mean_bytes: int


@dataclass(frozen=True, slots=True)
class _Template:
    """An event to vary, decoded."""

    record: Canonical
    header: Mapping[str, Any]
    restricted: Mapping[str, Any]
    body: Mapping[str, Any]
    occurrence: bool


def nouns_of(mix: str) -> list[str]:
    """Nouns that a mix may hold: plate reads alone, or all of the bulk lane."""
    if mix == "plates":
        return ["plate_read"]
    return [noun.name for noun in schemas.nouns().values() if noun.lane == "bulk"]


def codecs(ids: SchemaIds) -> dict[str, EventCodec]:
    """The codec of each noun."""
    return {
        noun.name: EventCodec(schemas.built(noun.topic), ids.current(noun.topic))
        for noun in schemas.nouns().values()
    }


def templates(ids: SchemaIds, mix: str, count: int) -> list[Canonical]:
    """Up to `count` canonical events of a minute of the city, through parsers and envelope."""
    city, encode, wanted = simulator.sources(SEED), codecs(ids), set(nouns_of(mix))
    start = datetime.now(UTC) - timedelta(seconds=_PLAN_S)
    plan = simulator.Plan(seed=SEED, seconds=_PLAN_S, start=start)
    envelopes: dict[str, Envelope] = {}
    found: list[Canonical] = []
    for number, shot in enumerate(plan):
        envelope = envelopes.get(shot.source_id)
        if envelope is None:
            kind = connector(city[shot.source_id]["connector"])
            envelope = envelopes[shot.source_id] = Envelope(
                kind, kind.options(), shot.source_id, key=TEST_ID_KEY, codecs=encode
            )
        if wanted.isdisjoint(connector(city[shot.source_id]["connector"]).emits):
            continue
        payload = Payload(
            body=shot.body,
            content_type=shot.content_type,
            received_at=start + timedelta(seconds=shot.at_s),
            source_id=shot.source_id,
            payload_id=str(number),
        )
        found += [
            result
            for result in envelope.results(payload, RawRef(bytes(32)))
            if isinstance(result, Canonical) and result.noun in wanted
        ]
        if len(found) >= count:
            break
    return found


def events(ids: SchemaIds, mix: str, count: int) -> Iterator[Canonical]:
    """`count` events, every twentieth a second time; the minute of the city comes again and again.

    Each round moves the times on by a minute and gives occurrences new ids, and plate reads new
    plates as far as near duplicates go. So what is merged is what the city itself repeats.
    """
    dice = random.Random(SEED)  # noqa: S311 - a benchmark's data, not a secret
    encode = codecs(ids)
    chosen = [_decoded(each) for each in templates(ids, mix, min(count, _TEMPLATES))]
    rounds = count // len(chosen)
    last: Canonical | None = None
    for index in range(count):
        if last is not None and dice.random() < _DUPLICATES:
            yield last
            continue
        template = chosen[index % len(chosen)]
        back = timedelta(seconds=_PLAN_S) * (rounds - index // len(chosen))
        last = _varied(template, back, dice, encode[template.record.noun])
        yield last


def fill(config: Config, ids: SchemaIds, mix: str, count: int, *, spread_s: int = 0) -> Filled:
    """Write `count` events; with `spread_s` their append times say that it took so long."""
    client = producer(config.kafka, **{"linger.ms": 50})
    began_ms = int((datetime.now(UTC).timestamp() - spread_s) * 1000)
    unique: Counter[str] = Counter()
    size, last = 0, None
    for index, event in enumerate(events(ids, mix, count)):
        size += len(event.value)
        unique[event.topic] += event is not last
        last = event
        # Topics that append their own time ignore this one.
        at_ms = began_ms + index * spread_s * 1000 // count
        while True:
            try:
                client.produce(
                    event.topic, event.value, event.key, headers=event.headers, timestamp=at_ms
                )
            except BufferError:
                client.poll(0.1)
            else:
                break
    client.flush()
    return Filled(count, unique, size // count)


def _decoded(event: Canonical) -> _Template:
    reader = HeadReader(schemas.built(event.topic))
    noun = schemas.nouns()[event.noun]
    return _Template(
        event,
        reader.header(event.value),
        reader.restricted(event.value, event.cut),
        reader.body(event.value, event.cut),
        noun.family == "occurrence",
    )


def _varied(
    template: _Template, back: timedelta, dice: random.Random, codec: EventCodec
) -> Canonical:
    """The same event at another time; an occurrence is another one."""
    record = template.record
    header = {**template.header, "event_id": dice.randbytes(16)}
    if template.occurrence:
        header["subject_id"] = header["event_id"]
    for name in _TIMES:
        if header[name] is not None:
            header[name] -= back
    value, cut = codec.encode(header, template.restricted, template.body)
    like = record.like
    if like is not None:
        like = like._replace(at_us=like.at_us - back // timedelta(microseconds=1))
        if record.noun == "plate_read":
            like = like._replace(whole=dice.randbytes(8), tail=dice.randbytes(8))
    return Canonical(record.noun, record.topic, record.key, value, cut, like)
