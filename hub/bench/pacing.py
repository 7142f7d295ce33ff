"""The two ends of a latency measurement: a source at a steady pace, and a subscriber.

`python -m hub.bench.pacing canonical|raw|urgent CONFIG RATE SECONDS` writes; `… read CONFIG TOPIC`
reads what is committed and keeps how old each event is when it has it: the time since its
`received_at`, which the source sets when it hands the event or payload to its Kafka client. Both
run on one machine and so by one clock.
"""

import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from hub import simulator
from hub.bench.fill import SEED, events
from hub.bench.worker import say
from hub.codec import EVENT_ID, VARIABLE, read_long
from hub.config import Config, load
from hub.envelope import raw_topic
from hub.ingest.records import new_payload_id, timestamp
from hub.kafka.clients import consumer, producer
from hub.registry import Registry
from hub.schema_ids import SchemaIds
from hub.simulator.schedule import LOCAL
from hub.simulator.wire.cap import XML, Message, cap_xml

__all__ = ["WARM_S", "main", "quantiles"]

WARM_S = 2.0
_TICK_S = 0.002
_SHARES = (0.5, 0.95, 0.99, 1.0)


class _Due(NamedTuple):
    """Something to write `at_s` after the start; `make` is asked right before."""

    at_s: float
    make: Callable[[], tuple[str, bytes, bytes, list[tuple[str, Any]]]]


def quantiles(ages_ms: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, in ms; nothing of nothing."""
    if not ages_ms:
        return {}
    ordered = sorted(ages_ms)
    names = ("p50_ms", "p95_ms", "p99_ms", "max_ms")
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
        for name, share in zip(names, _SHARES, strict=True)
    }


def main(words: list[str]) -> int:
    """Be one of the ends."""
    role, file, *rest = words
    config = load(Path(file))
    if role == "read":
        _read(config, rest[0])
        return 0
    rate, seconds = float(rest[0]), float(rest[1])
    makers = {"canonical": _canonical, "raw": _raw, "urgent": _urgent}
    _write(config, list(makers[role](config, rate, seconds)))
    return 0


def _write(config: Config, due: list[_Due]) -> None:
    """Write each at its time, in ticks; what is late is written at once."""
    client = producer(config.kafka, **{"linger.ms": 1})
    say("ready", partitions=0)
    sys.stdin.readline()
    began = time.monotonic()
    say("began", records=0)
    behind = 0.0
    for each in due:
        while (early := began + each.at_s - time.monotonic()) > 0:
            client.poll(0)
            time.sleep(min(early, _TICK_S))
        behind = max(behind, -early)
        topic, value, key, headers = each.make()
        client.produce(topic, value, key, headers=headers)
    client.flush()
    say("done", records=len(due), behind_ms=round(behind * 1000, 1))


def _canonical(config: Config, rate: float, seconds: float) -> Iterator[_Due]:
    """Plate reads with the present as `received_at`, all different."""
    registry = Registry(config.registry_url)
    seen: set[bytes] = set()
    for event in events(SchemaIds(registry), "plates", int(rate * seconds * 1.1)):
        id_ = event.value[EVENT_ID]
        if id_ in seen:
            continue
        seen.add(id_)

        def make(event: Any = event) -> tuple[str, bytes, bytes, list[tuple[str, Any]]]:
            after = read_long(event.value, VARIABLE)[1]
            value = event.value[:VARIABLE] + _zigzag(time.time_ns() // 1000) + event.value[after:]
            moved = len(value) - len(event.value)
            cut = event.cut._replace(
                start=event.cut.start + moved,
                end=event.cut.end + moved,
                check=crc32(value[VARIABLE:]),
            )
            others = [each for each in event.headers if each[0] != "cut"]
            return event.topic, value, event.key, [("cut", cut.pack()), *others]

        yield _Due(len(seen) / rate, make)
        if len(seen) >= rate * seconds:
            break
    registry.close()


def _raw(_config: Config, rate: float, seconds: float) -> Iterator[_Due]:
    """Payloads of the city's plate cameras, one plate read each."""
    rates = simulator.Rates(
        plate_reads_per_s=rate, detections_per_s=0, alarms_per_s=0, heartbeats_per_s=0,
        situations_per_s=0, alert_chains_per_s=0, pictures=0, retransmitted=0, broken=0, late=0,
        wrong_clocks=0, unread=0, second_reads=0,
    )  # fmt: skip
    start = datetime.now(LOCAL)
    plan = simulator.Plan(seed=SEED, seconds=int(seconds), start=start, rates=rates, junctions=1)
    for number, shot in enumerate(plan):
        if shot.facts and shot.facts[0].noun == "plate_read":
            key = f"{shot.source_id}/{number % 64}".encode()
            yield _payload(
                shot.at_s, raw_topic("hikvision_isapi", "bulk"), key, shot.source_id,
                shot.content_type, shot.body,
            )  # fmt: skip


def _urgent(_config: Config, rate: float, seconds: float) -> Iterator[_Due]:
    """CAP alerts, each the first of its chain."""
    dice = random.Random(SEED)  # noqa: S311 - a benchmark's data, not a secret
    sent = datetime.now(LOCAL).replace(microsecond=0)
    for number in range(int(rate * seconds)):
        message = Message(
            identifier=f"VN-HN-BENCH-{dice.getrandbits(32):08x}-{number}",
            sender="canhbao@phuong.hanoi.example",
            sender_name="Benchmark",
            sent=sent,
            kind="Alert",
            expires=sent + timedelta(hours=1),
            event="Ngập úng",
            headline="Cảnh báo ngập úng",
            area="Hà Nội",
        )
        yield _payload(
            number / rate, raw_topic("cap", "urgent"), b"cap-wards", "cap-wards", XML,
            cap_xml(message),
        )  # fmt: skip


def _payload(  # noqa: PLR0917 - as ingest puts a raw record together
    at_s: float, topic: str, key: bytes, source_id: str, content_type: str, body: bytes
) -> _Due:
    def make() -> tuple[str, bytes, bytes, list[tuple[str, Any]]]:
        return topic, body, key, [
            ("source_id", source_id.encode()),
            ("payload_id", new_payload_id().encode()),
            ("received_at", timestamp(time.time()).encode()),
            ("content_type", content_type.encode()),
            ("sha256", hashlib.sha256(body).hexdigest().encode()),
            ("transport", b"http_push"),
        ]  # fmt: skip

    return _Due(at_s, make)


def _zigzag(number: int) -> bytes:
    """An Avro long of a positive number."""
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read(config: Config, topic: str) -> None:
    """Read until standard input says that nothing more will come."""
    client = consumer(config.kafka, "bench.reader", **{"session.timeout.ms": 6000})
    client.subscribe([topic], on_assign=lambda *_: say("ready", partitions=1))
    ages: list[tuple[int, float]] = []
    ids: set[bytes] = set()
    told = 0.0
    for messages in _batches(client):
        now_us = time.time_ns() // 1000
        for message in messages:
            value = message.value()
            ids.add(value[EVENT_ID])
            received_us = read_long(value, VARIABLE)[0]
            ages.append((received_us, (now_us - received_us) / 1000))
        if time.monotonic() - told > 0.2:
            told = time.monotonic()
            say("seen", records=len(ages))
    warm_us = min((received for received, _ in ages), default=0) + int(WARM_S * 1e6)
    counted = [age for received, age in ages if received >= warm_us]
    say("latency", records=len(ages), unique=len(ids), counted=len(counted), **quantiles(counted))
    client.close()


def _batches(client: Any) -> Iterator[Iterable[Any]]:
    """What has arrived, until standard input is closed."""
    import select

    while not select.select([sys.stdin], [], [], 0)[0]:
        first = client.poll(0.1)
        found = [] if first is None else [first, *client.consume(1_000, 0)]
        yield [message for message in found if message.error() is None]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
