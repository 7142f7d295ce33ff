"""The whole way of a payload in memory: the real normalise and process, on records in lists.

The source is a connector that only these tests see. It yields whatever events its payload asks
for, so that every restricted field of every noun can be filled.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, get_args

import pytest
from clients import Message
from cluster import Cluster, Entry, Place
from hub_in_memory import IDS, REGISTERS, VERSIONS, Follower

import connectors
import hub.normalise
import hub.process
import schemas
from hub import discovery, register, routes
from hub.codec import RecordCodec, micros
from hub.config import TEST_ID_KEY, Config
from hub.connector import Connector, Event, Nothing, Noun, Options, Outcome, Payload, Picture
from hub.engine.task import Partition, Span
from hub.errors import PayloadError
from hub.evidence import EvidenceStore
from hub.normalise import Normalise
from hub.process import Process

NOUNS: tuple[Noun, ...] = get_args(Noun)
AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
SOURCE, CONNECTOR = "vms", "canary_test"
RAW = f"raw.{CONNECTOR}.v1"
Written = tuple[bytes | None, bytes | None, list[tuple[str, Any]]]


def _parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """An event for each part; a part may ask to be refused, or to break the parser."""
    for part in json.loads(payload.body):
        if "refuse" in part:
            raise PayloadError(part["refuse"], code="test-refused", path="part", fix="")
        if "fail" in part:
            raise RuntimeError(part["fail"])
        if "nothing" in part:
            yield Nothing(why="test", published_at=_time(part))
            continue
        restricted = dict(part.get("restricted", {}))
        yield Event(
            noun=part["noun"],
            kind="test.kind",
            device_ref=part.get("device_ref", "cam-1"),
            subject=part.get("subject", ("subject", part["noun"]))
            if part["noun"] not in _OCCURRENCES
            else (),
            native_id=part.get("id"),
            native_version=part.get("version"),
            lifecycle=part.get("lifecycle", "UNKNOWN"),
            observed_at=AT,
            published_at=_time(part),
            time_quality="DEVICE",
            body=part.get("body", {}),
            restricted=restricted,
            pictures=tuple(
                Picture(role="vehicle", content_type="image/jpeg", data=data.encode())
                for data in part.get("pictures", ())
            ),
        )


def _time(part: Mapping[str, Any]) -> datetime | None:
    told = part.get("published")
    return None if told is None else datetime.fromisoformat(told)


_OCCURRENCES = {noun.name for noun in schemas.nouns().values() if noun.family == "occurrence"}
_CONNECTOR = Connector(
    name=CONNECTOR,
    title="Whatever a test asks for",
    parse=_parse,
    emits=NOUNS,
    identity=dict.fromkeys(NOUNS, ()),
)


class WholeWay:
    """Both stages, one worker each and all partitions 0; `written` is every record, by topic."""

    def __init__(self, data: Path, patch: pytest.MonkeyPatch, devices: str = "") -> None:
        self._find_connector(patch)
        self._register(patch, devices)
        source = {"connector": CONNECTOR}
        self.config = Config.model_validate(
            {"id_key": TEST_ID_KEY, "data": data, "source": {SOURCE: source}}
        )
        self.written: dict[str, list[Written]] = defaultdict(list)
        store = EvidenceStore.open(self.config.evidence())
        self.normalise = Normalise(
            self.config, lane="bulk", slot="a", ids=IDS, store=store, connectors=[CONNECTOR]
        )
        self._steps = [
            Process(self.config, lane=lane, slot="a", ids=IDS, versions=VERSIONS)
            for lane in ("urgent", "bulk")
        ]
        for each in self._steps:
            for topic in each.topics:
                each._steps.open(topic, 0)
        self._handled: dict[str, int] = defaultdict(int)

    def send(
        self,
        *parts: dict[str, Any],
        body: bytes | None = None,
        received_at: datetime = AT,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """One payload, through both stages, each in a transaction of its own.

        `more` are further headers of its raw record.
        """
        body = json.dumps(parts).encode() if body is None else body
        headers = {"source_id": SOURCE, "payload_id": "p", "received_at": received_at.isoformat()}
        headers |= more
        pairs = [(name, text.encode()) for name, text in headers.items()]
        self.written[RAW].append((SOURCE.encode(), body, pairs))
        self._run(self.normalise, RAW)
        for each in self._steps:
            for topic in each.topics:
                self._run(each, topic)

    def decoded(self, topic: str) -> list[dict[str, Any]]:
        codec = RecordCodec(schemas.built(topic), 0)
        return [codec.decode(value) for _, value, _ in self.written[topic] if value]

    def _run(self, task: Any, topic: str) -> None:
        begin, end = self._handled[topic], len(self.written[topic])
        if begin == end:
            return
        self._handled[topic] = end
        place = Place(topic, 0)
        messages: Sequence[Message] = [
            Message(place, begin + number, Entry(key, value, headers, micros(AT) // 1000, None))
            for number, (key, value, headers) in enumerate(self.written[topic][begin:end])
        ]
        assert task.tick()
        task.handle(Partition(*place), messages, self._produce)
        task.seal({Partition(*place): Span(begin, end)}, self._produce)
        task.committed()

    def _produce(
        self, topic: str, value: Any, key: Any = None, headers: Any = None, *_more: Any
    ) -> None:
        self.written[topic].append((key, value, list(headers or ())))

    def _find_connector(self, patch: pytest.MonkeyPatch) -> None:
        modules = discovery._modules()
        patch.setattr(discovery, "_modules", lambda: modules | {CONNECTOR})
        module = ModuleType(f"{connectors.__name__}.{CONNECTOR}")
        module.connector = _CONNECTOR  # type: ignore[attr-defined]
        patch.setitem(sys.modules, module.__name__, module)
        discovery.connector.cache_clear()

    def _register(self, patch: pytest.MonkeyPatch, devices: str) -> None:
        """The shipped rules and these devices, as the stages follow them."""
        held = Cluster(REGISTERS)
        entries = register.read(devices, "devices.csv") if devices else []
        shipped = routes.read_toml(routes.SHIPPED.read_text("utf-8"))
        for topic, key_of, records in (
            (register.TOPIC, register.record_key, entries),
            (routes.TOPIC, routes.record_key, shipped),
        ):
            codec = RecordCodec(schemas.built(topic), IDS.current(topic))
            for record in records:
                entry = held.entry(key_of(record), codec.encode(record), ())
                held.logs[Place(topic, 0)].append(entry)
        for stage in (hub.process, hub.normalise):
            patch.setattr(stage, "Follower", lambda _kafka, *more: Follower(held, *more))
