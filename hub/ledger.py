"""Checks the books: what each stage took in against what it says became of it.

The *in* side is counted by reading the input topics themselves, never from the loop that wrote the
rows, so a loss in the loop shows. Per stage, source and minute of receipt:

- normalise: payloads = with events + only refused + nothing
- normalise to process: events found = events on the canonical topics
- process: events = delivered + duplicate + superseded + dropped + dead
- dead letters and subscribers' records are as many as the books say were written.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

import schemas
from hub.codec import MINUTE_US, RecordCodec, from_micros, micros, received_minute
from hub.config import Config
from hub.discovery import connector_names
from hub.envelope import raw_topic, received_of
from hub.kafka.clients import reader
from hub.kafka.reading import group_offsets, partitions_of, read_all
from hub.render import rfc3339

__all__ = ["Balance", "Line", "balance"]

_IN = {
    "normalise": ("events", "refused", "nothing"),
    "process": ("delivered", "duplicate", "superseded", "dropped", "dead"),
}


class _Cell(NamedTuple):
    stage: str
    source_id: str
    minute: int


@dataclass(slots=True)
class Line:
    """One source and minute of one stage: what came in, and what became of it."""

    stage: str
    source_id: str
    minute: datetime
    taken: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    found: int = 0
    written: int = 0

    @property
    def accounted(self) -> int:
        """Records of the input that the books explain."""
        return sum(self.outcomes[name] for name in _IN[self.stage])

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "source_id": self.source_id,
            "minute": rfc3339(self.minute),
            "in": self.taken,
            **{name: self.outcomes[name] for name in _IN[self.stage]},
            "holds": self.taken == self.accounted,
        }


@dataclass(slots=True)
class Balance:
    """The lines, what does not hold, and how far the books go."""

    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every record is accounted for, once."""
        return not self.problems

    def totals(self) -> dict[str, dict[str, int]]:
        """Sums per stage."""
        found: dict[str, Counter[str]] = {stage: Counter() for stage in _IN}
        for line in self.lines:
            found[line.stage]["in"] += line.taken
            found[line.stage].update({name: line.outcomes[name] for name in _IN[line.stage]})
        return {stage: dict(sums) for stage, sums in found.items()}


@dataclass(slots=True)
class _Books:
    """What the rows say, and what the topics hold."""

    result: Balance = field(default_factory=Balance)
    cells: dict[_Cell, Line] = field(default_factory=dict)
    spans: dict[tuple[str, str, int], list[tuple[int, int]]] = field(default_factory=dict)
    sums: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    canonical: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def line(self, cell: _Cell) -> Line:
        """The line of a cell, made when it is first met."""
        if cell not in self.cells:
            self.cells[cell] = Line(cell.stage, cell.source_id, from_micros(cell.minute))
        return self.cells[cell]

    def enter(self, row: Mapping[str, Any]) -> None:
        """Add one row of the ledger."""
        stage = row["stage"]
        place = (stage, row["topic"], row["partition"])
        self.spans.setdefault(place, []).append((row["from_offset"], row["to_offset"]))
        for count in row["counts"]:
            minute, outcome = micros(count["minute"]), count["outcome"]
            if outcome == "found":
                self.found[count["noun"], count["source_id"], minute] += count["count"]
            if outcome == "dead":
                self.sums["dead", stage] += count["count"]
            if outcome == "delivered":
                self.sums["delivered", count["noun"]] += count["produced"]
            if outcome in _IN[stage]:
                cell = _Cell(stage, count["source_id"], minute)
                self.line(cell).outcomes[outcome] += count["count"]


def balance(config: Config, *, since: datetime | None = None) -> Balance:
    """Read the books and the topics, and compare them.

    Only what a stage has committed is looked at; what waits in front of it is no fault. `since`
    leaves earlier minutes of receipt out; so does the retention of the topics, which is shorter
    than that of the books.
    """
    books = _Books()
    codec = RecordCodec(schemas.built("ledger.v1"), 0)
    oldest = datetime.now(UTC)
    for message in read_all(config.kafka, "ledger.v1"):
        row = codec.decode(message.value())
        oldest = min(oldest, row["written_at"])
        books.enter(row)
    kept = datetime.now(UTC) - _kept()
    if oldest < kept:
        since = max(since, kept) if since else kept
    for stage, topics in _inputs().items():
        for topic, lane in topics.items():
            _read_input(config, f"hub.{stage}.{lane}", stage, topic, books)
    earliest = micros(since) if since else 0
    result = books.result
    result.lines = [line for cell, line in sorted(books.cells.items()) if cell.minute >= earliest]
    _compare(books, earliest)
    if since is None:
        _compare_written(config, books)
    return result


def _kept() -> timedelta:
    """How far back every input can still be read: a day less than the shortest retention."""
    classes = schemas.topic_classes()
    days = min(classes[name]["retention_days"] for name in ("raw", "canonical"))
    return timedelta(days=days - 1)


def _inputs() -> dict[str, dict[str, str]]:
    """Input topics of each stage, with their lane."""
    raw = {raw_topic(name, lane): lane for name in connector_names() for lane in ("urgent", "bulk")}
    return {
        "normalise": raw,
        "process": {noun.topic: noun.lane for noun in schemas.nouns().values()},
    }


def _read_input(config: Config, group: str, stage: str, topic: str, books: _Books) -> None:
    """Count what a stage has taken from one topic, and hold it against the rows' offsets."""
    client = reader(config.kafka)
    try:
        numbers = partitions_of(client, topic)
    finally:
        client.close()
    committed = group_offsets(config.kafka, group, topic, numbers)
    rows = {number: _Rows(books.spans.get((stage, topic, number), [])) for number in numbers}
    problems = books.result.problems
    for number in numbers:
        for end, start in rows[number].overlaps():
            problems.append(f"{stage}: {topic}/{number} offsets {start} to {end} are in two rows")
    nouns = {noun.topic: noun.name for noun in schemas.nouns().values()}
    for message in read_all(config.kafka, topic):
        source, minute = _received(stage, message)
        if stage == "process":
            books.canonical[nouns[topic], source, minute] += 1
        if message.offset() >= committed[message.partition()]:
            continue
        books.line(_Cell(stage, source, minute)).taken += 1
        if not rows[message.partition()].hold(message.offset()):
            problems.append(
                f"{stage}: no row explains {topic}/{message.partition()} offset {message.offset()}"
                f" ({_name(message)})"
            )


class _Rows:
    """Offsets that the rows of one partition cover."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = sorted(spans)
        self._at = 0

    def overlaps(self) -> Iterator[tuple[int, int]]:
        """Places where a row begins before the one before it ends."""
        for (_, end), (start, _) in zip(self._spans, self._spans[1:], strict=False):
            if start < end:
                yield end, start

    def hold(self, offset: int) -> bool:
        """Whether a row covers an offset; asked in rising order."""
        while self._at < len(self._spans) and self._spans[self._at][1] <= offset:
            self._at += 1
        return self._at < len(self._spans) and self._spans[self._at][0] <= offset


def _received(stage: str, message: Any) -> tuple[str, int]:
    """Source and minute of receipt of an input record."""
    if stage == "process":
        source = (message.key() or b"").split(b"/")[0].decode("utf-8", "replace")
        return unquote(source), received_minute(message.value())
    headers = dict(message.headers() or ())
    received = received_of(headers)
    minute = micros(received) // MINUTE_US * MINUTE_US if received else 0
    return (headers.get("source_id") or b"").decode("utf-8", "replace"), minute


def _name(message: Any) -> str:
    """The id of an input record, for people."""
    headers = dict(message.headers() or ())
    if headers.get("payload_id"):
        return f"payload {headers['payload_id'].decode('utf-8', 'replace')}"
    return f"event {(message.value() or b'')[5:21].hex()}"


def _compare(books: _Books, earliest: int) -> None:
    """Hold each line's two sides together, and one stage's output with the next one's input."""
    problems = books.result.problems
    for line in books.result.lines:
        if line.taken != line.accounted:
            problems.append(
                f"{line.stage}: {line.source_id or '(no source)'} {rfc3339(line.minute)}: "
                f"{line.taken} in, {line.accounted} accounted for"
            )
    for place in sorted(books.found.keys() | books.canonical.keys()):
        noun, source, minute = place
        wrote, held = books.found[place], books.canonical[place]
        if minute >= earliest and wrote != held:
            problems.append(
                f"{noun} of {source} {rfc3339(from_micros(minute))}: normalise wrote {wrote}, "
                f"its topic holds {held}"
            )


def _compare_written(config: Config, books: _Books) -> None:
    """Hold what was written against what the books say was."""
    letters = RecordCodec(schemas.built("dead_letter.v1"), 0)
    dead: Counter[str] = Counter()
    for message in read_all(config.kafka, "dead_letter.v1"):
        dead[letters.decode(message.value())["stage"]] += 1
    for stage in _IN:
        said = books.sums["dead", stage]
        if dead[stage] != said:
            books.result.problems.append(
                f"{stage}: the books say {said} dead letters, there are {dead[stage]}"
            )
    for noun in schemas.nouns():
        held = sum(
            sum(1 for _ in read_all(config.kafka, schemas.subscriber_topic(subscriber.id, noun)))
            for subscriber in schemas.subscribers().values()
            if noun in subscriber.nouns
        )
        said = books.sums["delivered", noun]
        if held != said:
            books.result.problems.append(
                f"{noun}: the books say {said} deliveries, there are {held}"
            )
