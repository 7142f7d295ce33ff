"""The hub's own parsers and steps, without Kafka, against the second opinion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import schemas
from connectors import cap, datex2, hikvision_isapi, spat
from hub import Payload, Rejection, register, routes
from hub.codec import Cut, EventCodec, RecordCodec, frame, micros
from hub.config import TEST_ID_KEY, SourceConfig
from hub.envelope import Canonical, Envelope, RawRef
from hub.simulator import Plan, Rates, Shot, Truth, check, register_csv, sources
from streams.place import DeviceRegister
from streams.process import Process
from streams.route import RuleBook

FOREVER_US = 2**62
CONNECTORS = {
    module.connector.name: module.connector for module in (cap, datex2, hikvision_isapi, spat)
}


@dataclass(frozen=True)
class Arrival:
    """A canonical record as the process stage reads it."""

    canonical: Canonical
    appended_ms: int

    def key(self) -> bytes:
        return self.canonical.key

    def value(self) -> bytes:
        return self.canonical.value

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return self.canonical.headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self.appended_ms


class Hub:
    """Both stages in memory, one partition a topic; `stretch` is how much slower than time."""

    def __init__(self, plan: Plan, stretch: float) -> None:
        self.start, self.stretch = plan.start, stretch
        self.ids = {noun.name: n for n, noun in enumerate(schemas.nouns().values(), start=1)}
        self.codecs = {
            noun.name: EventCodec(schemas.built(noun.topic), self.ids[noun.name])
            for noun in schemas.nouns().values()
        }
        self.tables = {
            name: SourceConfig.model_validate(table) for name, table in sources(plan.seed).items()
        }
        self.process = Process(
            lane="bulk",
            slot="test",
            key=TEST_ID_KEY,
            register=devices(plan),
            rules=rules(),
            frames=self.frames,
            recode=self.recode,
        )
        for noun in schemas.nouns().values():
            self.process.open(noun.topic, 0)
        self.delivered: list[tuple[str, bytes]] = []
        self.dead: list[dict[str, str]] = []
        self.envelopes: dict[str, Envelope] = {}

    def frames(self, _prefix: bytes, noun: str) -> Mapping[str, bytes]:
        return {
            subscriber.id: frame(1)
            for subscriber in schemas.subscribers().values()
            if noun in subscriber.nouns
        }

    def recode(self, _value: bytes, _noun: str) -> tuple[bytes, Cut]:
        raise AssertionError("every record is of the current version")

    def arrival(self, shot: Shot) -> datetime:
        return self.start + timedelta(seconds=shot.at_s * self.stretch)

    def take(self, shot: Shot, offset: int) -> None:
        at = self.arrival(shot)
        payload = Payload(
            body=shot.body, content_type=shot.content_type, received_at=at,
            source_id=shot.source_id, payload_id=str(offset),
        )  # fmt: skip
        raw = RawRef(topic="raw", partition=0, offset=offset, sha256=bytes(32))
        for result in self._envelope(shot.source_id).results(payload, raw):
            if isinstance(result, Rejection):
                self.dead.append({"source_id": shot.source_id, "code": result.code})
            elif isinstance(result, Canonical):
                self.process.handle(
                    result.topic,
                    0,
                    [Arrival(result, micros(at) // 1000)],
                    now_us=micros(at),
                    emit=lambda topic, value, _key: self.delivered.append((topic, value)),
                    refuse=self._refuse,
                )

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        codecs = {topic: RecordCodec(schemas.built(topic), 1) for topic, _ in self.delivered}
        for topic, value in self.delivered:
            yield topic, codecs[topic].decode(value)

    def _envelope(self, source_id: str) -> Envelope:
        if source_id not in self.envelopes:
            table = self.tables[source_id]
            connector = CONNECTORS[table.connector]
            self.envelopes[source_id] = Envelope(
                connector,
                connector.options(**table.connector_options()),
                source_id,
                key=TEST_ID_KEY,
                codecs=self.codecs,
            )
        return self.envelopes[source_id]

    @staticmethod
    def _refuse(_arrival: object, error: Exception) -> None:
        raise error


def devices(plan: Plan) -> DeviceRegister:
    book = DeviceRegister()
    for device in register.read(register_csv(plan.seed, plan.city), "register.csv"):
        book.put(register.record_key(device), device, _us(device["valid_from"]), FOREVER_US)
    return book


def rules() -> RuleBook:
    book = RuleBook()
    for rule in routes.read_toml(routes.SHIPPED.read_text("utf-8")):
        book.put(routes.record_key(rule), rule, _us(rule["valid_from"]), FOREVER_US)
    return book


def _us(at: datetime) -> int:
    return micros(at)


QUIET = Rates(
    plate_reads_per_s=40,
    heartbeats_per_s=5,
)
TROUBLED = Rates(
    plate_reads_per_s=5, heartbeats_per_s=2, detections_per_s=3, alarms_per_s=10,
    situations_per_s=2, alert_chains_per_s=1, retransmitted=0.3, swapped=0.25, late=0.2,
    wrong_clocks=0.1, unknown_cameras=0.1, broken=0.02, second_reads=0.3, violations=0.3,
)  # fmt: skip
NEW_YEAR = datetime(2026, 12, 31, 23, 59, 40, 5_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rates", "stretch"),
    [(QUIET, 1.0), (TROUBLED, 1.0), (TROUBLED, 20.0), (TROUBLED, 100.0)],
    ids=["an ordinary day", "much trouble", "much trouble at a slow hub", "at a very slow hub"],
)
def test_the_hubs_steps_deliver_what_the_truth_expects(rates: Rates, stretch: float) -> None:
    plan = Plan(seed=5, seconds=40, start=NEW_YEAR, rates=rates, cameras=60, junctions=20)
    hub, truth = Hub(plan, stretch), Truth()
    for offset, shot in enumerate(plan):
        truth.accept(shot, arrived_ms=micros(hub.arrival(shot)) // 1000)
        hub.take(shot, offset)
    report = check(truth, hub.records(), hub.dead)
    assert report.ok, "\n".join(report.lines())
