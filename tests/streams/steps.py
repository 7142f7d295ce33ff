"""The steps in memory, with canonical events from the samples and made up ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import schemas
from hub import routes
from hub.codec import Cut, EventCodec, RecordCodec, frame, micros
from hub.config import TEST_ID_KEY
from hub.discovery import connectors
from hub.envelope import Canonical
from hub.errors import RecordError
from hub.plates import CATEGORIES, COLOURS
from hub.testing import dry_run, samples_in
from streams.place import DeviceRegister
from streams.process import Process
from streams.route import RuleBook

SAMPLES = Path(__file__).parents[1] / "samples"
FOREVER_US = 2**62
NOW_US = 1_780_000_000_000_000
# Ids of the canonical schemas; the subscribers' are a hundred more.
NUMBERS = {name: number for number, name in enumerate(schemas.nouns(), start=1)}
CANARY = "CANARY29A12345"


@dataclass(frozen=True)
class Arrival:
    """A record as the process stage reads it."""

    key_: bytes | None
    value_: bytes | None
    headers_: Sequence[tuple[str, bytes | None]] | None = None
    at_ms: int = NOW_US // 1000

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> Any:
        return self.headers_

    def timestamp(self) -> tuple[int, int]:
        return 1, self.at_ms


@dataclass
class Steps:
    """One worker's steps, with one partition for each noun; every noun goes to all who may read."""

    rules: RuleBook | None = None
    versions: Mapping[bytes, Mapping[str, bytes]] | None = None
    delivered: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    refused: list[RecordError] = field(default_factory=list)
    register: DeviceRegister = field(default_factory=DeviceRegister)

    def __post_init__(self) -> None:
        self.process = Process(
            lane="bulk",
            slot="tests",
            key=TEST_ID_KEY,
            register=self.register,
            rules=everyone() if self.rules is None else self.rules,
            frames=self.frames,
            recode=self.recode,
        )
        for noun in schemas.nouns().values():
            self.process.open(noun.topic, 0)

    def frames(self, prefix: bytes, noun: str) -> Mapping[str, bytes] | None:
        if prefix != frame(NUMBERS[noun]):
            return None
        return {
            subscriber.id: frame(100 + NUMBERS[noun])
            for subscriber in schemas.subscribers().values()
            if noun in subscriber.nouns
        }

    def recode(self, value: bytes, noun: str) -> tuple[bytes, Cut]:
        """A version of which only the registry knows: its body has one field more, at the end."""
        topic = schemas.nouns()[noun].topic
        if value[:5] != frame(77):
            raise RecordError("the registry knows no such schema", code="unknown-schema")
        record = RecordCodec(schemas.built(topic), 0).decode(value, newer(noun))
        return codec(noun).encode(record["header"], record["restricted"], record["body"])

    def take(self, noun: str, *arrivals: Arrival) -> list[tuple[str, bytes, bytes]]:
        """What these records give; refusals are kept aside."""
        before = len(self.delivered)
        self.process.handle(
            schemas.nouns()[noun].topic,
            0,
            arrivals,
            now_us=NOW_US,
            emit=lambda topic, value, key: self.delivered.append((topic, value, key)),
            refuse=lambda _arrival, error: self.refused.append(error),
        )
        return self.delivered[before:]

    def outcomes(self, noun: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        tally = self.process.state(schemas.nouns()[noun].topic, 0).tally
        for (_, _, outcome), (count, _) in tally.counts.items():
            counts[outcome] = counts.get(outcome, 0) + count
        return counts


def everyone() -> RuleBook:
    """Every noun to every subscriber who may read it."""
    book = RuleBook()
    for subscriber in schemas.subscribers().values():
        lists = ("kinds", "severities", "owners", "purposes", "areas", "recipients")
        rule = {
            "rule_id": f"all-{subscriber.id}",
            "subscriber": subscriber.id,
            "nouns": subscriber.nouns,
            "drop": False,
            **dict.fromkeys(lists, ()),
        }
        book.put(subscriber.id.encode(), rule, 0, FOREVER_US)
    return book


def shipped() -> RuleBook:
    book = RuleBook()
    for rule in routes.read_toml(routes.SHIPPED.read_text("utf-8")):
        book.put(routes.record_key(rule), rule, micros(rule["valid_from"]), FOREVER_US)
    return book


@cache
def codec(noun: str) -> EventCodec:
    return EventCodec(schemas.built(schemas.nouns()[noun].topic), NUMBERS[noun])


def newer(noun: str) -> schemas.Schema:
    """A noun's schema whose body has gained a field."""
    schema = schemas.built(schemas.nouns()[noun].topic)
    fields = [dict(each) for each in schema["fields"]]
    body = dict(fields[2]["type"])
    added = {"name": "added", "type": "string", "default": "", "doc": "Gained."}
    fields[2]["type"] = {**body, "fields": [*body["fields"], added]}
    return {**schema, "fields": fields}


def canonical(value: bytes, noun: str) -> dict[str, Any]:
    return RecordCodec(schemas.built(schemas.nouns()[noun].topic), 0).decode(value)


def samples() -> Iterator[Canonical]:
    """Every event of the recorded payloads."""
    for name, connector in sorted(connectors().items()):
        for sample in samples_in(SAMPLES / name):
            for result in dry_run(connector, sample):
                if isinstance(result, Canonical):
                    value = frame(NUMBERS[result.noun]) + result.value[5:]
                    yield Canonical(result.noun, result.topic, result.key, value, result.cut)


# Made-up events

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=90)
fixed = st.binary(min_size=16, max_size=16)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times whose varints have every length that occurs: long before, 2009, 2034, and far ahead.
moments = st.one_of(
    st.sampled_from([EPOCH, datetime(2009, 1, 1, tzinfo=UTC), datetime(2034, 10, 1, tzinfo=UTC)]),
    st.integers(-(2**55), 2**57).map(lambda us: EPOCH + timedelta(microseconds=us)),
    st.integers(NOW_US - 10**8, NOW_US + 10**8).map(lambda us: EPOCH + timedelta(microseconds=us)),
)


def _symbols(name: str) -> st.SearchStrategy[str]:
    found = next(
        each["type"]["symbols"] for each in schemas.source("header")["fields"]
        if each["name"] == name
    )  # fmt: skip
    return st.sampled_from(found)


positions = st.none() | st.fixed_dictionaries(
    {"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)},
    optional={"accuracy_m": st.none() | st.floats(0, 100), "method": texts},
)
headers = st.fixed_dictionaries(
    {
        "event_id": fixed,
        "subject_id": fixed,
        "lifecycle": _symbols("lifecycle"),
        "status": _symbols("status"),
        "severity": _symbols("severity"),
        "time_quality": _symbols("time_quality"),
        "replayed": st.booleans(),
        "received_at": moments,
        "observed_at": st.none() | moments,
        "published_at": st.none() | moments,
        "source_id": texts,
        "device_ref": texts,
        "kind": texts,
        "native_id": st.none() | texts,
        "native_version": st.none() | texts,
        "position": positions,
        "areas_reported": st.lists(st.fixed_dictionaries({"code": texts}), max_size=2),
        "drill_id": st.none() | texts,
        "quality_flags": st.lists(texts, max_size=2),
        "origin": st.just({"sha256": bytes(32)}),
    }
)
canaries = st.just(CANARY)
restricted = st.fixed_dictionaries(
    {
        "plate": st.none()
        | st.fixed_dictionaries(
            {"raw": canaries, "text": canaries | st.just("") | st.just(CANARY * 9)},
            optional={"category": st.sampled_from(CATEGORIES), "colour": st.sampled_from(COLOURS)},
        ),
        "pictures": st.none()
        | st.lists(st.fixed_dictionaries({"sha256": st.just(b"CANARY..".ljust(32)),
                                          "role": canaries}), max_size=2),
        "persons": st.none()
        | st.lists(st.fixed_dictionaries({"reference": canaries}), max_size=2),
    }
)  # fmt: skip
BODIES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "plate_read": st.fixed_dictionaries({}, optional={"speed_kmh": st.floats(0, 300),
                                                      "vehicle_type": texts}),
    "alert": st.fixed_dictionaries({}, optional={"references": st.lists(
        st.fixed_dictionaries({"subject_id": fixed}), max_size=2)}),
}  # fmt: skip


@st.composite
def events(draw, noun: str) -> Canonical:
    """Any event of a noun that the schema allows."""
    body = draw(BODIES.get(noun, st.just({})))
    header = draw(headers)
    value, cut = codec(noun).encode(header, draw(restricted), body)
    key = f"{header['source_id']}/{header['device_ref']}".encode()
    return Canonical(noun, schemas.nouns()[noun].topic, key, value, cut)


def arrival(event: Canonical, *, cut: bytes | bool | None = True) -> Arrival:
    """The record of an event, with its own `cut`, another one, or (False) none."""
    if cut is False:
        return Arrival(event.key, event.value, None)
    return Arrival(event.key, event.value, [("cut", event.cut.pack() if cut is True else cut)])
