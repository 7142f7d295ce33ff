"""Finds the records that dead letters are about: where they stand, else in the letters."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.config import Config
from hub.errors import RecordError
from hub.identity import record_key
from hub.kafka.admin import Cluster
from hub.kafka.history import History, Stretch
from hub.parsing import RawRecord
from hub.registry import Registry
from hub.replay.letters import Group, Letter, Spot
from hub.tables import Decoder

__all__ = ["Records", "restored"]

_ENCODING = "meta.header.content-encoding"
# Records this near each other are read in one go.
_NEAR = 2_000


class Records:
    """Reads refused records, many at a time."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._history = History(config.kafka)
        self._cluster = Cluster(config.kafka)
        self._decoder = Decoder(registry)
        self._kept_for: dict[str, timedelta | None] = {}

    def of(self, groups: Iterable[Group]) -> Iterator[tuple[Group, RawRecord | None]]:
        """Each group with its record; None when its bytes are nowhere any more."""
        by_spot: dict[Spot, list[Group]] = {}
        for group in groups:
            by_spot.setdefault(group.spot, []).append(group)
        gone: dict[Spot, Group] = {}
        for spot, message in self._at(by_spot):
            for group in by_spot[spot]:
                letter = group.letters[0]
                if message is not None and _payload_id(message) == letter.payload_id:
                    yield group, RawRecord.of(message)
                else:
                    gone[letter.spot] = group
        for spot, message in self._at(gone):
            group = gone[spot]
            if message is None:
                yield group, None
            else:
                kept = self._decoder.decode(message.value())
                yield group, restored(kept, self._decoder)

    def expired_at(self, letter: Letter) -> datetime | None:
        """When the refused record has left its topic; None when the topic keeps all."""
        topic = letter.refused.topic
        if topic not in self._kept_for:
            state = self._cluster.topics([topic]).get(topic)
            kept_ms = int(state.config.get("retention.ms", "-1")) if state else -1
            self._kept_for[topic] = timedelta(milliseconds=kept_ms) if kept_ms >= 0 else None
        kept_for = self._kept_for[topic]
        return None if kept_for is None else (letter.received_at or letter.failed_at) + kept_for

    def _at(self, spots: Iterable[Spot]) -> Iterator[tuple[Spot, Any]]:
        """The records at these places; None for those that are not there (any more)."""
        spots = sorted(spots)
        kept = {
            (each.topic, each.partition): each
            for each in self._history.kept({spot.topic for spot in spots})
        }
        waiting: dict[tuple[str, int], deque[Spot]] = {}
        for spot in spots:
            stretch = kept.get(spot[:2])
            if stretch is None or not stretch.first <= spot.offset < stretch.end:
                yield spot, None
            else:
                waiting.setdefault(spot[:2], deque()).append(spot)
        while waiting:
            runs = [_run(queue) for queue in waiting.values()]
            waiting = {place: queue for place, queue in waiting.items() if queue}
            missing = {spot for run in runs for spot in run}
            stretches = [
                Stretch(run[0].topic, run[0].partition, run[0].offset, run[-1].offset + 1)
                for run in runs
            ]
            for message in self._history.read(stretches):
                spot = Spot(message.topic(), message.partition(), message.offset())
                if spot in missing:
                    missing.discard(spot)
                    yield spot, message
            for spot in sorted(missing):
                yield spot, None


def restored(letter: Mapping[str, Any], decoder: Decoder) -> RawRecord | None:
    """The refused record as far as its letter holds it; None when the letter holds a part only."""
    if letter["truncated"]:
        return None
    value: bytes = letter["body"]
    pairs = {each["name"]: each["value"] for each in letter["record_headers"]}
    key: bytes | None = letter["source_id"].encode()
    if letter["stage"] == "process":
        key = _canonical_key(value, letter["topic"], decoder)
    elif _ENCODING in pairs and _inflated(value, pairs.get("sha256", b"")):
        # The letter holds what normalise saw; the header would have it inflated once more.
        del pairs[_ENCODING]
    return RawRecord(
        letter["topic"],
        letter["partition"],
        letter["offset"],
        key,
        value,
        list(pairs.items()),
    )


def _run(queue: deque[Spot]) -> list[Spot]:
    """Take the next places that stand near each other."""
    run = [queue.popleft()]
    while queue and queue[0].offset - run[-1].offset <= _NEAR:
        run.append(queue.popleft())
    return run


def _payload_id(message: Any) -> str:
    """As its letter says it; a canonical record has none."""
    value = dict(message.headers() or ()).get("payload_id") or b""
    return str(value.decode("utf-8", "replace"))


def _inflated(body: bytes, sha256: bytes) -> bool:
    return hashlib.sha256(body).hexdigest().encode() != sha256


def _canonical_key(value: bytes, topic: str, decoder: Decoder) -> bytes | None:
    """The key of a canonical record, made anew from its header."""
    try:
        header = decoder.decode(value)["header"]
    except (RecordError, KeyError):
        return None
    ref = {"traffic.situation.v1": header["native_id"] or "", "area.alert.v1": None}
    return record_key(header["source_id"], ref.get(topic, header["device_ref"]))
