"""Finds in the topics what an explanation is made of, without decoding what it passes."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import schemas
from hub.codec import EVENT_ID, SUBJECT_ID, from_micros
from hub.config import Config
from hub.errors import RecordError
from hub.explain.model import Searched, Spot, appended_at
from hub.kafka.admin import Cluster
from hub.kafka.history import History, Stretch
from hub.kafka.reading import group_offsets
from hub.raw_topics import raw_topics
from hub.registry import Registry
from hub.render import rfc3339
from hub.tables import Decoder

__all__ = [
    "LETTERS",
    "SKEW_MS",
    "Logs",
    "Span",
    "canonical_topics",
    "origin_of",
    "subscriber_topics",
]

LETTERS, _LEDGER = "dead_letter.v1", "ledger.v1"
# How far the clocks of brokers and workers may be apart, and a commit behind its record.
SKEW_MS = 60_000
# A long search says how far it has come so many times.
_PROGRESS, _PROGRESS_STEPS = 200_000, 20
_EVER_MS = 2**62
_NOTHING = (0, -1)
# How far behind the first offset its first record may stand: markers take offsets too.
_FIRST_WITHIN = 1_000
# Where the row of a record is looked for: mostly within a second, after a backlog much later.
_LEDGER_STEPS_MS = (10_000, 600_000, 7_200_000, None)

Progress = Callable[[str], None]
Span = tuple[int | None, int | None]
"""Append times in ms: from, and up to (not with); None has no bound."""


def canonical_topics() -> list[str]:
    """Where the events of normalise stand."""
    return [noun.topic for noun in schemas.nouns().values()]


def subscriber_topics(nouns: Iterable[str]) -> list[str]:
    """Where subscribers read these nouns."""
    return [
        schemas.subscriber_topic(each.id, noun)
        for noun in nouns
        for each in schemas.subscribers().values()
        if noun in each.nouns
    ]


class Logs:
    """Everything the topics of a site still hold; remembers where it looked."""

    def __init__(self, config: Config, registry: Registry, progress: Progress) -> None:
        self.history = History(config.kafka)
        self.decoder = Decoder(registry)
        self.searched: list[Searched] = []
        self.config = config
        self._progress = progress
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._covered = _NOTHING
        self._kept: dict[tuple[str, int | None], datetime | None] = {}
        self._groups: dict[tuple[str, str], Mapping[int, int]] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self.history.close()

    def scan(
        self, topics: Collection[str], wanted: Callable[[Any], bool], span: Span, what: str
    ) -> list[Any]:
        """The records of the topics, appended in the span, that are wanted."""
        stretches = self.history.between(topics, *span)
        total = sum(each.end - each.first for each in stretches)
        since, until = (None if at is None else from_micros(at * 1000) for at in span)
        searched = Searched(sorted(topics), since, until)
        step = max(_PROGRESS, total // _PROGRESS_STEPS)
        found = []
        for message in self.history.read(stretches):
            searched.records += 1
            if searched.records % step == 0:
                self._progress(f"{what}: {searched.records:,} of about {total:,} records")
            if wanted(message):
                found.append(message)
        self.searched.append(searched)
        return sorted(
            found, key=lambda each: (each.timestamp()[1], each.partition(), each.offset())
        )

    def events(self, ids: Collection[bytes], topics: Collection[str], span: Span) -> list[Any]:
        """Records of events with one of these event or subject ids."""

        def wanted(message: Any) -> bool:
            value = message.value() or b""
            return value[EVENT_ID] in ids or value[SUBJECT_ID] in ids

        return self.scan(topics, wanted, span, "looking for the event")

    def events_of(self, sha256: bytes, span: Span) -> list[Any]:
        """Canonical records that were read from a payload with this digest."""

        def wanted(message: Any) -> bool:
            # The digest stands in the bytes as it is: nearly nothing is decoded in vain.
            value = message.value() or b""
            record = self.decoded(value) if sha256 in value else None
            return record is not None and record["header"]["origin"]["sha256"] == sha256

        return self.scan(canonical_topics(), wanted, span, "looking for its events")

    def payloads(self, sha256: str, span: Span) -> list[Any]:
        """Raw records of a payload with this digest, which ingest wrote beside it."""
        digest = sha256.encode()

        def wanted(message: Any) -> bool:
            return any(
                name == "sha256" and data == digest for name, data in message.headers() or ()
            )

        return self.scan(self.raw_topics(), wanted, span, "looking for the payload")

    def raw_topics(self) -> list[str]:
        """Where payloads stand."""
        return raw_topics(self.config, Cluster(self.config.kafka).topic_names())

    def letters(self, wanted: Callable[[Mapping[str, Any]], bool], span: Span) -> list[Any]:
        """Dead letters, decoded."""
        found = self.scan([LETTERS], lambda each: bool(each.value()), span, "reading dead letters")
        return [letter for each in found if wanted(letter := self.decoder.decode(each.value()))]

    def decoded(self, value: bytes) -> dict[str, Any] | None:
        """An event; None for bytes that are none."""
        try:
            record = self.decoder.decode(value)
        except RecordError:
            return None
        return record if isinstance(record.get("header"), dict) else None

    def row(self, stage: str, spot: Spot, at: datetime) -> dict[str, Any] | None:
        """The ledger's row of the transaction that handled a record appended at that time."""
        key = f"{stage}/{spot.topic}/{spot.partition}"
        at_ms = int(at.timestamp() * 1000) - SKEW_MS
        if key not in self._rows:
            # Rows are kept for the keys that were asked for: begin again with one more.
            self._rows = {name: [] for name in (*self._rows, key)}
            self._covered = _NOTHING
        for step_ms in _LEDGER_STEPS_MS:
            self._cover(at_ms, None if step_ms is None else at_ms + SKEW_MS + step_ms)
            for row in self._rows[key]:
                if row["from_offset"] <= spot.offset < row["to_offset"]:
                    return row
        return None

    def handled(
        self, stage: str, lane: str, spot: Spot, at: datetime
    ) -> tuple[dict[str, Any] | None, bool]:
        """The ledger's row of a record; else whether the stage has not come to it yet."""
        row = self.row(stage, spot, at)
        if row is None and self._waits(stage, lane, spot):
            return None, True
        if row is None:
            # It may have been committed since the rows were read.
            self._covered = _NOTHING
            row = self.row(stage, spot, at)
        return row, False

    def _waits(self, stage: str, lane: str, spot: Spot) -> bool:
        """Whether the stage has not come to this record yet."""
        group = f"hub.{stage}.{lane}"
        if (group, spot.topic) not in self._groups:
            numbers = [each.partition for each in self.history.kept([spot.topic])]
            offsets = group_offsets(self.config.kafka, group, spot.topic, numbers)
            self._groups[group, spot.topic] = offsets
        return spot.offset >= self._groups[group, spot.topic].get(spot.partition, 0)

    def kept_from(self, topic: str, partition: int | None = None) -> datetime | None:
        """Since when a topic is complete; None when nothing of it has expired."""
        if (topic, partition) not in self._kept:
            self._kept[topic, partition] = self._kept_from(topic, partition)
        return self._kept[topic, partition]

    def _kept_from(self, topic: str, partition: int | None) -> datetime | None:
        cut = [
            each
            for each in self.history.kept([topic])
            if each.first > 0 and partition in (None, each.partition)
        ]
        firsts = self._firsts(cut)
        # A partition of which nothing is left says nothing of the time before now.
        found = [
            appended_at(firsts[each.partition]) if each.partition in firsts else datetime.now(UTC)
            for each in cut
        ]
        return max(found, default=None)

    def expiry(self, spot: Spot) -> str:
        """Why a record is not there any more, with the dates; "" when it should be there."""
        kept = {each.partition: each for each in self.history.kept([spot.topic])}
        place = kept.get(spot.partition)
        if place is None:
            return f"there is no {spot.topic}/{spot.partition}"
        if spot.offset >= place.first:
            return ""
        first = self._firsts([place]).get(spot.partition)
        if first is None:
            return f"{self.retention(spot.topic)}, and partition {spot.partition} holds nothing now"
        return (
            f"{self.retention(spot.topic)}; the earliest record still kept there is "
            f"offset {first.offset()} of {rfc3339(appended_at(first))}"
        )

    def retention(self, topic: str) -> str:
        """That something has expired, and how long its topic keeps records."""
        settings = Cluster(self.config.kafka).topics([topic])[topic].config
        kept_for = timedelta(milliseconds=int(settings.get("retention.ms", "-1")))
        return f"expired: {topic} keeps {kept_for.days} days"

    def _firsts(self, stretches: Iterable[Stretch]) -> dict[int, Any]:
        """The first record of each partition of a topic."""
        found: dict[int, Any] = {}
        heads = [each._replace(end=min(each.end, each.first + _FIRST_WITHIN)) for each in stretches]
        for message in self.history.read(heads):
            found.setdefault(message.partition(), message)
        return found

    def _cover(self, since_ms: int, until_ms: int | None) -> None:
        """Read rows appended in this time, unless that was done."""
        until = _EVER_MS if until_ms is None else until_ms
        low, high = self._covered
        if low <= since_ms and until <= high:
            return
        # It grows at its end; a time elsewhere is begun anew.
        if not low <= since_ms <= high:
            self._rows = {key: [] for key in self._rows}
            low = high = since_ms
        for message in self.history.read(self.history.between([_LEDGER], high, until_ms)):
            key = (message.key() or b"").decode("utf-8", "replace")
            if key in self._rows:
                self._rows[key].append(self.decoder.decode(message.value()))
        self._covered = (low, until)


def origin_of(record: Mapping[str, Any] | None) -> Spot | None:
    """Where the payload stands that an event was read from."""
    origin = record["header"]["origin"] if record else {}
    if origin.get("topic") is None:
        return None
    return Spot(origin["topic"], origin["partition"], origin["offset"])
