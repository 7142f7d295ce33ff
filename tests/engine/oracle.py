"""What the topics must hold, worked out from the log alone, and whether they do."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import schemas
from hub import routes
from hub.codec import EventCodec, micros, read_long
from hub.connector import Payload, Rejection
from hub.discovery import connector
from hub.envelope import Canonical, Envelope, RawRef
from hub.schema_ids import Versions
from streams.place import DeviceRegister
from streams.process import Process
from streams.route import RuleBook

# On records that no stage wrote: the oracle does not ask where they come from.
BY_HAND = ("by hand", b"1")


@dataclass
class Oracle:
    """A pure function of what a rig's topics hold, in one go and in memory."""

    rig: Any
    _envelopes: dict[str, Envelope] = field(default_factory=dict)

    def check(self) -> None:
        by_hand = {"name": BY_HAND[0], "value": BY_HAND[1]}
        letters = Counter(
            (each["stage"], each["topic"], each["partition"], each["offset"])
            for each in self.rig.dead_letters()
            if each["stage"] == "process" or by_hand not in each["record_headers"]
        )
        refused = self._check_normalise() + self._check_process()
        assert letters == refused, f"dead letters: {letters - refused}, missing {refused - letters}"

    def _check_normalise(self) -> Counter[Any]:
        """Canonical records are what the parsers find in the raw ones."""
        names = [name for lane in ("bulk", "urgent") for name in self.rig.inputs("normalise", lane)]
        expected: Counter[Any] = Counter()
        refused: Counter[Any] = Counter()
        for name, messages in self.rig.read(names).items():
            for message in messages:
                if BY_HAND in (message.headers() or ()):
                    continue
                place = ("normalise", name, message.partition(), message.offset())
                for result in self._parse(message):
                    if isinstance(result, Canonical):
                        expected[result.topic, result.key, result.value] += 1
                    elif isinstance(result, Rejection):
                        refused[place] += 1
        canonical = [noun.topic for noun in schemas.nouns().values()]
        found = Counter(
            (name, message.key(), message.value())
            for name, messages in self.rig.read(canonical).items()
            for message in messages
            if BY_HAND not in (message.headers() or ())
        )
        lost, added = expected - found, found - expected
        assert not lost, f"normalise lost {len(lost)} of {len(expected)}: {_short(lost)}"
        assert not added, f"normalise wrote {len(added)} too many: {_short(added)}"
        return refused

    def _parse(self, message: Any) -> Iterable[Any]:
        headers = {name: value or b"" for name, value in message.headers() or ()}
        source = headers.get("source_id", b"").decode()
        payload = Payload(
            body=message.value() or b"",
            content_type=headers["content_type"].decode(),
            received_at=datetime.fromisoformat(headers["received_at"].decode()),
            source_id=source,
            payload_id=headers["payload_id"].decode(),
            transport=headers["transport"].decode(),
        )
        sha256 = bytes.fromhex(headers["sha256"].decode())
        place = RawRef(sha256, message.topic(), message.partition(), message.offset())
        return self._envelope(source).results(payload, place)

    def _envelope(self, source: str) -> Envelope:
        if source not in self._envelopes:
            table = self.rig.config.source[source]
            kind = connector(table.connector)
            codecs = {
                noun.name: EventCodec(schemas.built(noun.topic), self.rig.ids.current(noun.topic))
                for noun in schemas.nouns().values()
            }
            options = kind.options(**table.connector_options())
            self._envelopes[source] = Envelope(
                kind, options, source, key=self.rig.config.site_key(), codecs=codecs
            )
        return self._envelopes[source]

    def _check_process(self) -> Counter[Any]:
        """Subscribers' records are what the steps make of the canonical ones, key by key."""
        expected: dict[Any, list[bytes]] = defaultdict(list)
        refused: Counter[Any] = Counter()
        versions = Versions(self.rig.registry)
        canonical = {noun.topic: noun for noun in schemas.nouns().values()}
        for name, messages in self.rig.read(canonical).items():
            steps = Process(
                lane=canonical[name].lane,
                slot="oracle",
                key=self.rig.config.site_key(),
                register=DeviceRegister(),
                rules=rule_book(self.rig.rules),
                frames=versions.frames,
                recode=versions.recode,
                reader=versions.reader,
            )

            def emit(topic: str, value: bytes, key: bytes, steps: Process = steps) -> None:
                # Everything but who wrote it and when.
                expected[topic, key].append(value.removesuffix(steps._hub))

            def refuse(message: Any, _error: Exception) -> None:
                place = (message.topic(), message.partition(), message.offset())
                refused["process", *place] += 1

            for number in range(3):
                steps.open(name, number)
                mine = [message for message in messages if message.partition() == number]
                steps.handle(name, number, mine, now_us=1, emit=emit, refuse=refuse)
        found: dict[Any, list[bytes]] = defaultdict(list)
        for name, messages in self.rig.read(subscriber_topics()).items():
            for message in messages:
                found[name, message.key()].append(message.value())
        for place in sorted(expected.keys() | found.keys(), key=str):
            _compare(place, expected[place], found[place])
        return refused


def _compare(place: Any, expected: list[bytes], found: list[bytes]) -> None:
    ids = [value[5:21] for value in found]
    wanted = [value[5:21] for value in expected]
    lost, added = Counter(wanted) - Counter(ids), Counter(ids) - Counter(wanted)
    assert not lost, f"process lost {len(lost)} of {len(wanted)} on {place}: {_short(lost)}"
    assert not added, f"process delivered {len(added)} too many on {place}: {_short(added)}"
    assert ids == wanted, f"the order on {place} is another one"
    for value, start in zip(found, expected, strict=True):
        assert value.startswith(start), f"other bytes on {place}: {value.hex()} {start.hex()}"
        _, at = read_long(value, len(start))
        length, at = read_long(value, at)
        assert at + length == len(value)


def _short(found: Iterable[Any]) -> list[Any]:
    return [str(each)[:120] for each in itertools.islice(found, 3)]


def subscriber_topics() -> list[str]:
    return [
        schemas.subscriber_topic(subscriber.id, noun)
        for subscriber in schemas.subscribers().values()
        for noun in subscriber.nouns
    ]


def rule_book(rules: Iterable[Mapping[str, Any]]) -> RuleBook:
    book = RuleBook()
    for rule in rules:
        until = micros(rule["valid_to"]) if rule["valid_to"] else 2**62
        book.put(routes.record_key(rule), rule, micros(rule["valid_from"]), until)
    return book
