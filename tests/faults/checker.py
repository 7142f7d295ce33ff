"""Holds what a cluster's topics say against each other, and against what was sent.

Nothing of the engine is used: only topics, the registry's schemas, the broker's own record of
committed offsets, and the simulator's truth, a second opinion on what must come of the input. The
invariants are those of a log, so one violation names records, not code:

- I1 lost, I2 twice, I3 from nowhere: each output is traced to its input by `origin`
- I4 torn: a transaction's row, its records, its dead letters, its state and its offsets stand
  together or not at all
- I5 order: what came of one input partition stands in the order of that partition
- I6 offsets never go back, I7 no record is skipped: the rows of a partition follow one another
- I8 two readers agree on every record
- I9 the duplicate window's log holds the ids of the input, each once
- I10 a record is of the slot whose row explains it; rows of a partition are written in its order
- I11 nothing is left over, I12 a dead letter has its record's bytes and comes once
- I13 each row explains each of its records, I16 each byte decodes
"""

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from history import Decoder, LiveReader, Place, digest, offset_commits, read

import schemas
from hub.simulator import Shot, Truth
from hub.simulator import check as check_content

__all__ = ["Checker", "Row", "Violations", "live_topics", "subscriber_topics"]

LEDGER, DEAD, IDS, KEYED = (
    "ledger.v1", "dead_letter.v1", "state.process.ids.v1", "state.process.keyed.v1",
)  # fmt: skip
EXAMPLES = 5
_CONTENT = {"missing": "I1", "double": "I2", "unexpected": "I3", "misrouted": "I3"}
Origin = tuple[str, int, int, int]


class Row(NamedTuple):
    """One ledger row, with its counts summed by outcome."""

    slot: str
    start: int
    end: int
    counts: Counter[str]
    produced: int


@dataclass
class Violations:
    """What was found wrong: how often, by invariant, and the first few of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, invariant: str, what: str) -> None:
        self.counts[invariant] += 1
        if len(self.examples[invariant]) < EXAMPLES:
            self.examples[invariant].append(what)

    def lines(self) -> list[str]:
        return [f"{name}: {each}" for name in sorted(self.counts) for each in self.examples[name]]


@dataclass
class Checker:
    """One look at the whole history of a cluster; `run` once, when every stage is done.

    `shots` is what was written, as `payload-0` and so on; without it only the protocol is checked.
    """

    bootstrap: str
    registry_url: str
    raw_topics: list[str]
    shots: Sequence[Shot] | None = None
    live: LiveReader | None = None
    found: Violations = field(default_factory=Violations)
    events: Counter[str] = field(default_factory=Counter)

    def run(self) -> Violations:
        nouns = schemas.nouns().values()
        self._decode = Decoder(self.registry_url)
        self._noun_of = {noun.topic: noun.name for noun in nouns}
        self._occurrences = {noun.topic for noun in nouns if noun.family == "occurrence"}
        # Digests for the comparison with the live reader; parents of outputs; places of inputs.
        self._digests: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        self._parents: dict[tuple[str, Origin], tuple[Place, int]] = {}
        self._inputs: dict[Place, list[int]] = defaultdict(list)
        self._ids: dict[Place, dict[int, bytes]] = defaultdict(dict)
        self._notes: dict[Place, set[bytes]] = defaultdict(set)
        self._made: dict[tuple[str, Place], list[tuple[int, str]]] = defaultdict(list)
        self._letters: dict[tuple[str, Place], list[int]] = defaultdict(list)
        self._raw()
        self._canonical()
        letters = list(self._dead_letters())
        self._delivered(letters)
        rows = self._rows()
        self._check_rows(rows)
        self._check_offsets(rows)
        self._check_state(rows)
        if self.live is not None and (told := self.live.wait_for(self._digests)):
            self.found.add("I8 readers disagree", told)
        return self.found

    def _records(self, topics: Iterable[str]) -> Iterator[tuple[Any, Place, dict[str, Any]]]:
        """Records with their place, decoded; one that can't be decoded is a violation."""
        comparable = set(live_topics())
        for message in read(self.bootstrap, topics):
            place = Place(message.topic(), message.partition())
            if place.topic in comparable:
                self._digests[place].append(digest(message))
            self.events[message.topic()] += 1
            try:
                record = self._decode(message.value())
            except (AssertionError, ValueError, LookupError, EOFError, TypeError) as error:
                told = f"{place.topic}/{place.number} offset {message.offset()}: {error!r}"
                self.found.add("I16 not decodable", told)
                continue
            yield message, place, record

    # What went in

    def _raw(self) -> None:
        """Payloads, by place; their bytes are kept as a digest, for the dead letters."""
        self._bytes: dict[tuple[Place, int], tuple[int, int]] = {}
        self._stands: dict[str, tuple[Place, int]] = {}
        for message in read(self.bootstrap, self.raw_topics):
            place = Place(message.topic(), message.partition())
            self._inputs[place].append(message.offset())
            self._bytes[place, message.offset()] = _fingerprint(message.value())
            payload_id = dict(message.headers())["payload_id"].decode()
            self._stands[payload_id] = place, message.offset()
            self.events[message.topic()] += 1

    def _canonical(self) -> None:
        """Events: each of a payload that is there, once, in the order of the payloads."""
        last: dict[tuple[Place, Place], tuple[int, int]] = {}
        homes: dict[tuple[str, bytes], int] = {}
        self._arrived: dict[tuple[Place, int], int] = {}
        for message, place, record in self._records(self._noun_of):
            name = _name(place, message)
            origin = _origin(record)
            source = Place(*origin[:2])
            self._arrived.setdefault((source, origin[2]), message.timestamp()[1])
            self._inputs[place].append(message.offset())
            self._bytes[place, message.offset()] = _fingerprint(message.value())
            self._ids[place][message.offset()] = bytes(record["header"]["event_id"])
            self._notes[place].add(_note(record["header"], message.timestamp()[1]))
            if (source, origin[2]) not in self._bytes:
                self.found.add("I3 an event of no payload", name)
            if (place.topic, origin) in self._parents:
                self.found.add("I2 a payload's event twice", name)
            self._parents[place.topic, origin] = (place, message.offset())
            self._made["normalise", source].append((origin[2], ""))
            if last.get((place, source), (-1, -1)) >= origin[2:]:
                self.found.add("I5 events out of their payloads' order", name)
            last[place, source] = origin[2:]
            if homes.setdefault((place.topic, message.key()), place.number) != place.number:
                self.found.add("I5 a key on two partitions", name)

    # What came out

    def _dead_letters(self) -> Iterator[dict[str, Any]]:
        seen = set()
        for message, place, letter in self._records([DEAD]):
            name = _name(place, message)
            source = Place(letter["topic"], letter["partition"])
            at = (letter["stage"], source, letter["offset"], letter["index"])
            if at in seen:
                self.found.add("I12 a dead letter twice", f"{name}: {at}")
            seen.add(at)
            held = self._bytes.get((source, letter["offset"]))
            if held is None:
                self.found.add("I3 a dead letter of no record", f"{name}: {at}")
            elif (
                not letter["truncated"]
                and not letter["body_ref"]
                and held != _fingerprint(letter["body"])
            ):
                self.found.add("I12 a dead letter with other bytes", f"{name}: {at}")
            self._letters[letter["stage"], source].append(letter["offset"])
            yield letter

    def _delivered(self, letters: list[dict[str, Any]]) -> None:
        """Subscribers' records, and with a truth what they say."""
        pairs = self._traced()
        if self.shots is None:
            deque(pairs, maxlen=0)
            return
        report = check_content(self._truth(self.shots), pairs, letters)
        for problem, count in report.problems.items():
            invariant = f"{_CONTENT.get(problem, 'I13')} {problem}"
            for example in report.examples[problem]:
                self.found.add(invariant, example)
            self.found.counts[invariant] = count

    def _truth(self, shots: Sequence[Shot]) -> Truth:
        """What must have come of what was written, at the time its events arrived."""
        truth = Truth()
        for number, shot in enumerate(shots):
            stands = self._stands.get(f"payload-{number}")
            truth.accept(shot, arrived_ms=self._arrived.get(stands) if stands else None)
        return truth

    def _traced(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Trace each delivered record to the event it was made of."""
        last: dict[tuple[Place, Place], int] = {}
        seen: set[tuple[str, Origin]] = set()
        ids: set[tuple[str, bytes]] = set()
        canonical = {name: topic for topic, name in self._noun_of.items()}
        for message, place, record in self._records(subscriber_topics()):
            name = _name(place, message)
            parent = canonical[place.topic.split(".")[1]]
            origin = _origin(record)
            if (place.topic, origin) in seen:
                self.found.add("I2 an event delivered twice", name)
            seen.add((place.topic, origin))
            id_ = (place.topic, bytes(record["header"]["event_id"]))
            if parent in self._occurrences and id_ in ids:
                self.found.add("I2 an id delivered twice", name)
            ids.add(id_)
            made_of = self._parents.get((parent, origin))
            if made_of is None:
                self.found.add("I3 a delivery of no event", name)
            else:
                source, offset = made_of
                self._made["process", source].append((offset, record["hub"]["slot"]))
                if last.get((place, source), -1) >= offset:
                    self.found.add("I5 deliveries out of their events' order", name)
                last[place, source] = offset
            yield place.topic, record

    # The books

    def _rows(self) -> dict[tuple[str, Place], list[Row]]:
        """Rows of the ledger by stage and input partition, as they stand in their log."""
        found: dict[tuple[str, Place], list[Row]] = defaultdict(list)
        for _, _, row in self._records([LEDGER]):
            counts: Counter[str] = Counter()
            for each in row["counts"]:
                counts[each["outcome"]] += each["count"]
            produced = sum(each["produced"] for each in row["counts"])
            found[row["stage"], Place(row["topic"], row["partition"])].append(
                Row(row["slot"], row["from_offset"], row["to_offset"], counts, produced)
            )
        return found

    def _check_rows(self, rows: dict[tuple[str, Place], list[Row]]) -> None:
        """Rows of each input partition: in order, without gap or overlap, and true."""
        for place in self._inputs.keys() | {place for _, place in rows}:
            stage = "process" if place.topic in self._noun_of else "normalise"
            mine = rows.get((stage, place), [])
            name = f"{stage} {place.topic}/{place.number}"
            for before, row in pairwise(mine):
                if row.start < before.end:
                    told = f"{name}: {row.slot} {row[1:3]} after {before.slot} {before[1:3]}"
                    self.found.add("I6 a row goes back", told)
            taken = _by_row(mine, ((offset, "") for offset in sorted(self._inputs[place])))
            written = _by_row(mine, self._made[stage, place])
            dead = _by_row(mine, ((offset, "") for offset in self._letters[stage, place]))
            for offset, _ in taken.pop(-1, ()):
                kept = offset < mine[-1].end if mine else False
                told = f"{name} offset {offset}"
                self.found.add("I7 a record skipped" if kept else "I11 a record left over", told)
            for offset, _ in (*written.pop(-1, ()), *dead.pop(-1, ())):
                self.found.add("I4 output without its row", f"{name} offset {offset}")
            for number, row in enumerate(mine):
                told = f"{name} {row[1:3]} of {row.slot}: {dict(row.counts)}"
                self._check_row(stage, row, told, (taken[number], written[number], dead[number]))

    def _check_row(
        self,
        stage: str,
        row: Row,
        told: str,
        held: tuple[list[tuple[int, str]], list[tuple[int, str]], list[tuple[int, str]]],
    ) -> None:
        """One row: its input is explained, and all that it says was written is there."""
        taken, written, dead = held
        words = ("events", "refused", "nothing") if stage == "normalise" else tuple(row.counts)
        explained = sum(row.counts[word] for word in words)
        if explained != len(taken):
            self.found.add("I13 a row that explains less or more", f"{told}, took {len(taken)}")
        said = row.counts["found"] if stage == "normalise" else row.produced
        if said != len(written):
            self.found.add("I4 records of a torn transaction", f"{told}, wrote {len(written)}")
        if row.counts["dead"] != len(dead):
            self.found.add("I4 dead letters of a torn transaction", f"{told}, wrote {len(dead)}")
        if any(slot != row.slot for _, slot in written if slot):
            self.found.add("I10 records of another slot", told)

    def _check_offsets(self, rows: dict[tuple[str, Place], list[Row]]) -> None:
        """The broker's own offsets: they rise, and each is the end of a row."""
        lanes = {noun.topic: noun.lane for noun in schemas.nouns().values()}
        groups = defaultdict(list)
        for (group, topic, number), written in offset_commits(self.bootstrap).items():
            # A request that was sent again is written again: the same offset, one transaction.
            offsets = [offset for offset, _ in groupby(written)]
            if group.startswith("hub.") and group.count(".") == 2:
                groups[group.split(".")[1], Place(topic, number)] += offsets
                name = f"{group} {topic}/{number}"
                if lanes.get(topic, group.split(".")[2]) != group.split(".")[2]:
                    self.found.add("I10 a group of another lane", name)
                for before, offset in pairwise(offsets):
                    if offset < before:
                        self.found.add("I6 offsets go back", f"{name}: {offset} after {before}")
        for place in rows.keys() | groups.keys():
            ends = [row.end for row in rows.get(place, [])]
            odd = Counter(groups[place]) - Counter(ends), Counter(ends) - Counter(groups[place])
            name = f"{place[0]} {place[1].topic}/{place[1].number}"
            for offset in odd[0]:
                self.found.add("I4 offsets without a row", f"{name} at {offset}")
            for offset in odd[1]:
                self.found.add("I4 a row without offsets", f"{name} at {offset}")

    def _check_state(self, rows: dict[tuple[str, Place], list[Row]]) -> None:
        """Process's changelogs: a mark for each row, and the ids of the input, each once."""
        marks: dict[Place, list[int]] = defaultdict(list)
        ids: dict[Place, Counter[bytes]] = defaultdict(Counter)
        for _, _, record in self._records([IDS, KEYED]):
            place = Place(record["topic"], record["partition"])
            if place.topic in self._occurrences:
                for bucket in record["buckets"]:
                    packed = bucket["ids"]
                    ids[place].update(packed[at : at + 16] for at in range(0, len(packed), 16))
            if place.topic in self._occurrences or not record["subject"]:
                marks[place].append(record["next_offset"])
        for (stage, place), mine in rows.items():
            if stage != "process":
                continue
            name = f"{place.topic}/{place.number}"
            ends = {row.end for row in mine}
            # The log of states is compacted: of its marks only the last one is sure to be kept.
            lost = ends - set(marks[place]) if place.topic in self._occurrences else set()
            if set(marks[place]) - ends or lost or mine[-1].end not in marks[place]:
                told = f"{name}: {sorted(ends ^ set(marks[place]))[:5]}"
                self.found.add("I4 state of a torn transaction", told)
            if place.topic not in self._occurrences:
                continue
            for id_, count in ids[place].items():
                if count > 1:
                    self.found.add("I9 an id in the window's log twice", f"{name} {id_.hex()}")
            refused = set(self._letters["process", place])
            expected = {
                id_ for offset, id_ in self._ids[place].items() if offset not in refused
            }  # fmt: skip
            # Beside them may stand that a device, unknown to the register, was told.
            for id_ in expected ^ (set(ids[place]) - self._notes[place]):
                self.found.add("I9 the window's log and the input differ", f"{name} {id_.hex()}")


def _note(header: dict[str, Any], appended_ms: int) -> bytes:
    """What the window's log holds of a device that was told in an hour of arrival."""
    names = f"{header['source_id']}\0{header['device_ref']}".encode()
    device = blake2b(names, digest_size=16, person=b"unknown").digest()
    return blake2b(device + (appended_ms // 3_600_000).to_bytes(8), digest_size=16).digest()


def subscriber_topics() -> list[str]:
    """Every topic of every subscriber."""
    return [
        schemas.subscriber_topic(who.id, noun)
        for who in schemas.subscribers().values()
        for noun in who.nouns
    ]


def live_topics() -> list[str]:
    """Topics that are never compacted: two readers find the same there at any time."""
    canonical = [noun.topic for noun in schemas.nouns().values()]
    return [*subscriber_topics(), *canonical, LEDGER, DEAD]


def _by_row(
    rows: list[Row], items: Iterable[tuple[int, str]]
) -> defaultdict[int, list[tuple[int, str]]]:
    """Items by the row that holds their offset; -1 for none. Rows in rising order."""
    starts = [row.start for row in rows]
    found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for item in items:
        number = bisect_right(starts, item[0]) - 1
        found[number if number >= 0 and item[0] < rows[number].end else -1].append(item)
    return found


def _origin(record: dict[str, Any]) -> Origin:
    origin = record["header"]["origin"]
    return origin["topic"], origin["partition"], origin["offset"], origin["index"]


def _fingerprint(value: bytes | None) -> tuple[int, int]:
    return len(value or b""), hash(value or b"")


def _name(place: Place, message: Any) -> str:
    return f"{place.topic}/{place.number} offset {message.offset()}"
