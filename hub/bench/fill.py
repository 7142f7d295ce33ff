"""Fills a canonical topic with plate reads as the simulated city makes them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import schemas
from hub import simulator
from hub.codec import EVENT_ID, SUBJECT_ID, EventCodec
from hub.config import TEST_ID_KEY, Config
from hub.connector import Payload
from hub.discovery import connector
from hub.envelope import Canonical, Envelope, RawRef
from hub.kafka.clients import producer
from hub.kafka.transaction import Headers
from hub.schema_ids import SchemaIds

__all__ = ["DUPLICATES", "SEED", "fill", "plate_reads"]

SEED = 1
DUPLICATES = 0.05
_TEMPLATES = 4_000


def plate_reads(ids: SchemaIds, count: int) -> list[Canonical]:
    """Canonical plate reads of the simulated city, through the real parser and envelope."""
    city = simulator.sources(SEED)
    codecs = {
        noun.name: EventCodec(schemas.built(noun.topic), ids.current(noun.topic))
        for noun in schemas.nouns().values()
    }
    found: list[Canonical] = []
    now = datetime.now(UTC)
    plan = simulator.Plan(seed=SEED, seconds=600, start=now - timedelta(seconds=600))
    envelopes: dict[str, Envelope] = {}
    for shot in plan:
        name = city[shot.source_id]["connector"]
        if name != "hikvision_isapi":
            continue
        if shot.source_id not in envelopes:
            kind = connector(name)
            envelopes[shot.source_id] = Envelope(
                kind, kind.options(), shot.source_id, key=TEST_ID_KEY, codecs=codecs
            )
        payload = Payload(
            body=shot.body,
            content_type=shot.content_type,
            received_at=now,
            source_id=shot.source_id,
            payload_id=str(len(found)),
        )
        found += [
            result
            for result in envelopes[shot.source_id].results(payload, RawRef(bytes(32)))
            if isinstance(result, Canonical) and result.noun == "plate_read"
        ]
        if len(found) >= count:
            break
    return found


def _events(templates: list[Canonical], count: int) -> Iterator[Canonical]:
    """`count` events with ids of their own, every twentieth of them a second time."""
    dice = random.Random(SEED)  # noqa: S311 - a benchmark's data, not a secret
    last = templates[0]
    for index in range(count):
        if index and dice.random() < DUPLICATES:
            yield last
            continue
        template = templates[index % len(templates)]
        id_ = dice.randbytes(16)
        value = b"".join(
            (template.value[: EVENT_ID.start], id_, id_, template.value[SUBJECT_ID.stop :])
        )
        last = Canonical(template.noun, template.topic, template.key, value, template.cut)
        yield last


def fill(config: Config, ids: SchemaIds, topic: str, count: int) -> int:
    """Write `count` plate reads; their mean size in bytes."""
    templates = plate_reads(ids, min(count, _TEMPLATES))
    client = producer(config.kafka, **{"linger.ms": 50})
    size = 0
    for event in _events(templates, count):
        size += len(event.value)
        headers: Headers = [("cut", event.cut.pack())]
        while True:
            try:
                client.produce(topic, event.value, event.key, headers=headers)
            except BufferError:
                client.poll(0.1)
            else:
                break
    client.flush()
    return size // count
