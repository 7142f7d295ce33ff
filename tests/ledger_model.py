"""Topics, stages and their books in memory: what the ledger is checked against."""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import schemas
from hub.codec import MINUTE_US, EventCodec, RecordCodec, from_micros, micros, received_minute
from hub.dead_letter import Refused, dead_letter
from hub.kafka.archive import Place, Start

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONNECTOR, NOUN, SOURCE = "x", "detection", "vms"
RAW, CANONICAL = "raw.x.v1", "camera.detection.v1"
SUBSCRIBED = ("police.detection.v1", "htmoc.detection.v1")
EVENTS = EventCodec(schemas.built(CANONICAL), 1)
ROWS = RecordCodec(schemas.built("ledger.v1"), 2)
LETTERS = RecordCodec(schemas.built("dead_letter.v1"), 3)
PARTITIONS = 2


@dataclass(frozen=True)
class Message:
    """A record, with the client's way of asking for it."""

    place: Place
    at: int
    value_: bytes
    key_: bytes = b""
    headers_: tuple[tuple[str, bytes], ...] = ()
    appended_at: datetime = NOON

    def topic(self):
        return self.place.topic

    def partition(self):
        return self.place.number

    def offset(self):
        return self.at

    def key(self):
        return self.key_

    def value(self):
        return self.value_

    def headers(self):
        return list(self.headers_)

    def timestamp(self):
        return 2, int(self.appended_at.timestamp() * 1000)


@dataclass
class Memory:
    """An archive of topics that a test writes."""

    logs: dict[Place, list[Message | None]] = field(default_factory=lambda: defaultdict(list))
    """Records by offset; None is a marker, or what a rolled back transaction wrote."""
    kept: dict[Place, int] = field(default_factory=dict)
    offsets: dict[Place, int] = field(default_factory=dict)
    now: datetime = NOON
    meanwhile: list[Any] = field(default_factory=list)
    """What happens while the ledger is checked: called one after the other, one at each reading."""

    def append(self, topic, number, value, key=b"", headers=()):
        place = Place(topic, number)
        found = Message(place, len(self.logs[place]), value, key, tuple(headers), self.now)
        self.logs[place].append(found)
        return found

    def places(self, topics):
        return [Place(topic, number) for topic in topics for number in range(PARTITIONS)]

    def starts(self, places, at):
        return {place: Start(self._first(place, at), self.kept.get(place, 0)) for place in places}

    def ends(self, places):
        return {place: len(self.logs[place]) for place in places}

    def committed(self, _group, places):
        return {place: self.offsets.get(place, 0) for place in places}

    def read(self, starts, ends):
        for place, start in starts.items():
            yield from (each for each in self.logs[place][start : ends[place]] if each)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def _first(self, place, at):
        kept = self.kept.get(place, 0)
        log = self.logs[place]
        if at is None or (kept < len(log) and log[kept] is None):
            # A marker has a time too, which this model does not keep.
            return kept
        young = (n for n, each in enumerate(log) if n >= kept and each and each.appended_at >= at)
        return next(young, len(log))


@dataclass
class City:
    """Payloads in, and two stages that may be told to do wrong once.

    A payload's body is a letter for each of its outcomes: `e` an event, `d` an event that comes a
    second time, `o` one that no rule wants, `b` one that process can't read, `r` what a parser
    refuses, `w` what is withheld.
    """

    memory: Memory = field(default_factory=Memory)
    fault: str = ""
    seeded: list[str] = field(default_factory=list)
    """What the ledger has to name."""
    slot: str = "one"
    _payloads: int = 0
    _last: bytes = bytes(16)

    def receive(self, body: str, *, number=0, minute=0, source=SOURCE):
        self._payloads += 1
        headers = {
            "source_id": source,
            "payload_id": f"payload-{self._payloads}",
            "received_at": (NOON + timedelta(minutes=minute)).isoformat(),
        }
        pairs = [(name, text.encode()) for name, text in headers.items()]
        return self.memory.append(RAW, number, body.encode(), source.encode(), pairs)

    def normalise(self, number=0, count=100):
        counts = defaultdict(int)
        taken = self._take(RAW, number, count)
        for message in taken:
            headers = dict(message.headers())
            source = headers["source_id"].decode()
            at = datetime.fromisoformat(headers["received_at"].decode())
            cell = (source, minute_of(at))
            payload = headers["payload_id"].decode()
            if self._does("skip payload", f"{payload} (offset {message.offset()})"):
                continue
            outcomes = set()
            for index, letter in enumerate(message.value().decode()):
                if letter == "w":
                    counts["", *cell, "withheld"] += 1
                    continue
                if letter == "r":
                    outcomes.add("refused")
                    counts["", *cell, "dead"] += 1
                    self._refuse("normalise", message, index)
                    continue
                outcomes.add("events")
                counts[NOUN, *cell, "found"] += 1
                self._event(message, index, letter, at)
            word = next((each for each in ("events", "refused") if each in outcomes), "nothing")
            counts["", *cell, word] += 1
        self._commit("normalise", taken, counts)

    def process(self, number=0, count=100):
        counts = defaultdict(int)
        produced = defaultdict(int)
        seen = self._seen(number)
        taken = self._take(CANONICAL, number, count)
        for message in taken:
            id_, letter = message.value()[5:21], chr(message.value()[20])
            cell = (NOUN, message.key().decode().split("/")[0], received_minute(message.value()))
            name = f"event {uuid.UUID(bytes=id_)}"
            if id_ not in seen and self._does("skip event", f"{name} (offset {message.offset()})"):
                continue
            if letter == "b":
                counts[*cell, "dead"] += 1
                self._refuse("process", message, None)
            elif id_ in seen:
                counts[*cell, "duplicate"] += 1
            elif letter == "o":
                counts[*cell, "dropped"] += 1
            else:
                counts[*cell, "delivered"] += 1
                for topic in SUBSCRIBED:
                    produced[*cell, "delivered"] += 1
                    self._deliver(topic, message, name)
            seen.add(id_)
        self._commit("process", taken, counts, produced)

    def _event(self, raw, index, letter, at):
        headers = dict(raw.headers())
        payload, source = headers["payload_id"].decode(), headers["source_id"].decode()
        id_ = self._last if letter == "d" else uuid.uuid4().bytes[:15] + letter.encode()
        self._last = id_
        value = event(id_, source, at, raw, index)
        if self._does("lose event", f"payload {payload} (offset {raw.offset()})"):
            return
        for _ in range(1 + self._does("double event", f"event {uuid.UUID(bytes=id_)}")):
            self.memory.append(CANONICAL, raw.partition(), value, f"{source}/cam".encode())

    def _deliver(self, topic, message, name):
        if self._does("lose copy", f"{name} (offset {message.offset()}) is not on "):
            return
        for _ in range(1 + self._does("double copy", f"{name} is 2 times on {topic}")):
            self.memory.append(topic, message.partition(), message.value(), message.key())

    def _refuse(self, stage, message, index):
        refused = Refused(
            stage=stage, topic=message.topic(), partition=message.partition(),
            offset=message.offset(), value=message.value(), index=index,
        )  # fmt: skip
        letter = dead_letter(b"key", refused, code="c", message="m", failed_at=NOON)
        where = f"{stage}: the books say"
        if self._does("lose letter", where):
            return
        times = 1 + self._does("double letter", f"of offset {message.offset()} is there 2 times")
        for _ in range(times):
            self.memory.append("dead_letter.v1", 0, LETTERS.encode(letter))

    def _take(self, topic, number, count):
        place = Place(topic, number)
        log = self.memory.logs[place][self.memory.offsets.get(place, 0) :]
        return [each for each in log if each][:count]

    def _commit(self, stage, taken, counts, produced=None):
        if not taken:
            return
        place = topic, number = taken[0].place
        first, after = taken[0].offset(), taken[-1].offset() + 1
        value = ROWS.encode(row(stage, place, (first, after), self.slot, counts, produced or {}))
        if not self._does("no row", f"no row explains {topic}/{number} offset {first} ("):
            overlap = f"{topic}/{number} offsets {first} to {after} are in two rows"
            for _ in range(1 + self._does("double row", f"{overlap}, the later one by slot one")):
                self.memory.append("ledger.v1", 0, value)
        self.memory.offsets[place] = after
        # Every commit leaves its marker.
        for written in ((CANONICAL,) if stage == "normalise" else SUBSCRIBED) + ("ledger.v1",):
            self.memory.logs[Place(written, number)].append(None)

    def _seen(self, number):
        """Ids that were processed, as far as the log tells."""
        place = Place(CANONICAL, number)
        log = self.memory.logs[place][: self.memory.offsets.get(place, 0)]
        return {each.value()[5:21] for each in log if each}

    def _does(self, fault, names):
        if self.fault != fault:
            return False
        self.fault = ""
        self.seeded.append(names)
        return True


def event(id_, source, at, raw, index):
    origin = {
        "topic": raw.topic(), "partition": raw.partition(), "offset": raw.offset(),
        "index": index, "sha256": bytes(32),
    }  # fmt: skip
    header = {
        "event_id": id_, "subject_id": id_, "received_at": at, "source_id": source,
        "device_ref": "cam", "origin": origin,
    }  # fmt: skip
    return EVENTS.encode(header, {}, {})[0]


def row(stage, place, span, slot, *counted):
    counts, produced = counted
    return {
        "stage": stage,
        "slot": slot,
        "topic": place.topic,
        "partition": place.number,
        "from_offset": span[0],
        "to_offset": span[1],
        "written_at": NOON,
        "counts": [
            {
                "noun": noun,
                "source_id": source,
                "minute": from_micros(minute),
                "outcome": outcome,
                "count": count,
                "produced": produced.get((noun, source, minute, outcome), 0),
            }
            for (noun, source, minute, outcome), count in counts.items()
        ],
    }


def minute_of(at):
    return micros(at) // MINUTE_US * MINUTE_US
