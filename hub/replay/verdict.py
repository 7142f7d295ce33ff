"""What would become of dead letters if they were replayed now, and the records that do it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import schemas
from hub.codec import EVENT_ID, RecordCodec
from hub.connector import Rejection
from hub.envelope import Canonical, Result
from hub.errors import RecordError
from hub.identity import uuid_text
from hub.kafka.transaction import Headers
from hub.parsing import Parser, RawRecord
from hub.replay.letters import REPLAYS, Group, Letter
from hub.replay.steps import Steps
from hub.replay.writer import Record
from hub.replayed import ENDS, INDEXES, OF, Indexes, marked

__all__ = ["Judge", "Verdict", "again", "remembered"]

# Names of letters in the header of what is sent again; the rest stand in `dead_replay.v1`.
_NAMED_MAX = 100

Word = Literal["event", "nothing", "refused", "expired", "erased", "replayed"]
_GONE: Mapping[str, Word] = {"evidence-missing": "expired", "evidence-erased": "erased"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one letter. Holds nothing of its payload but ids, codes and sizes."""

    letter: Letter
    word: Word
    events: tuple[tuple[str, bytes], ...] = ()
    """Noun and id of each event it would give."""
    topics: tuple[str, ...] = ()
    """Where the event would go, for letters of process."""
    code: str = ""
    why: str = ""
    fix: str = ""
    refused: int = 0
    """Parts of its payload that are refused still, beside the events."""
    at: datetime | None = None
    """When its bytes expired, or when it was replayed before."""
    size_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        letter = self.letter
        return {
            "dead_id": letter.dead_id,
            "stage": letter.stage,
            "code": letter.code,
            "source_id": letter.source_id,
            "topic": letter.refused.topic,
            "partition": letter.refused.partition,
            "offset": letter.refused.offset,
            "index": letter.index,
            "size_bytes": self.size_bytes,
            "becomes": self.word,
            "events": [{"noun": noun, "event_id": id_} for noun, id_ in self.events],
            "topics": list(self.topics),
            "still": {"code": self.code, "why": self.why, "fix": self.fix} if self.code else None,
            "refused_parts": self.refused,
            "at": self.at,
        }

    def text(self) -> str:
        """One line for people."""
        letter = self.letter
        place = f"{letter.refused.topic}/{letter.refused.partition}@{letter.refused.offset}"
        if letter.index is not None:
            place += f"#{letter.index}"
        if letter.last_index is not None:
            place += f"-{letter.last_index}"
        return f"{uuid_text(letter.dead_id)}  {letter.code}  {place}: {self._said()}"

    def _said(self) -> str:
        at = "" if self.at is None else self.at.isoformat(timespec="seconds")
        if self.word == "event":
            noun, id_ = self.events[0]
            told = f"becomes {noun} {uuid_text(id_)}"
            if len(self.events) > 1:
                told += f" and {len(self.events) - 1} more events"
            if self.topics:
                told += f" for {', '.join(self.topics)}"
            return f"{told}, {self.refused} parts are refused still" if self.refused else told
        if self.word == "refused":
            mend = f". To mend it: {self.fix}" if self.fix else ""
            return f"is refused still: {self.code}{mend}"
        if self.word == "expired":
            return "its bytes are no longer kept" + (f", they expired {at}" if at else "")
        if self.word == "erased":
            return f"its bytes were {self.why}"
        if self.word == "replayed":
            return f"was replayed {at}; --again sends it once more"
        return "gives no event any more, rightly"


class Judge:
    """Runs the current connectors and steps over refused records, writing nothing."""

    def __init__(self, parser: Parser, steps: Steps) -> None:
        self._parser = parser
        self._steps = steps

    def verdicts(self, group: Group, record: RawRecord) -> list[Verdict]:
        """What becomes of each letter of one record."""
        nouns = {noun.topic for noun in schemas.nouns().values()}
        if group.spot.topic not in nouns and not self._parser.knows(group.spot.topic):
            return [_unreadable(letter) for letter in group.letters]
        if group.stage == "process":
            return [self._canonical(letter, record) for letter in group.letters]
        return list(self._payload(group, record))

    def _canonical(self, letter: Letter, record: RawRecord) -> Verdict:
        size = len(record.value)
        try:
            topics = self._steps.targets(record)
        except RecordError as error:
            return Verdict(letter, "refused", code=error.code, fix=error.fix, size_bytes=size)
        noun = next(each for each in schemas.nouns().values() if each.topic == record.topic)
        event = (noun.name, record.value[EVENT_ID])
        return Verdict(letter, "event", events=(event,), topics=tuple(topics), size_bytes=size)

    def _payload(self, group: Group, record: RawRecord) -> Iterator[Verdict]:
        parsed = self._parser.parse(record)
        outcomes = [(index, _brief(result)) for index, result in parsed.outcomes]
        for letter in group.letters:
            wanted = _places(letter)
            mine = [each for index, each in outcomes if index is None or index in wanted]
            yield _verdict(letter, mine, len(record.value) or len(parsed.body))


def again(group: Group, record: RawRecord, verdicts: Sequence[Verdict]) -> Record | None:
    """The record that brings back what is an event now; None when nothing is."""
    sent = [verdict.letter for verdict in verdicts if verdict.word == "event"]
    if not sent:
        return None
    names = ",".join(uuid_text(letter.dead_id) for letter in sent[:_NAMED_MAX])
    headers: Headers = [pair for pair in record.headers if pair[0] not in (OF, INDEXES)]
    headers.append((OF, names.encode()))
    value = record.value
    if group.stage == "process":
        value = marked(value)
    else:
        wanted = Indexes.union(_places(letter) for letter in sent)
        before = dict(record.headers).get(INDEXES)
        if before is not None:
            wanted = wanted.within(Indexes.parse(before.decode("utf-8", "replace")))
        headers.append((INDEXES, str(wanted).encode()))
    return Record(record.topic, value, record.key, headers, record.partition)


def remembered(
    verdicts: Iterable[Verdict], codec: RecordCodec, *, now: datetime, by: str
) -> Iterator[Record]:
    """What says that these letters were replayed."""
    for verdict in verdicts:
        if verdict.word not in ("event", "nothing"):
            continue
        letter = verdict.letter
        topic = letter.refused.topic if verdict.word == "event" else ""
        value: Mapping[str, Any] = {
            "dead_id": letter.dead_id,
            "written_at": now,
            "replayed_by": by,
            "topic": topic,
        }
        yield Record(REPLAYS, codec.encode(value), uuid_text(letter.dead_id).encode(), [])


def _places(letter: Letter) -> Indexes:
    """The places of its payload that a letter stands for."""
    if letter.index is None:
        return Indexes.onwards(0)
    if letter.code in ENDS:
        return Indexes.onwards(letter.index)
    return Indexes(((letter.index, letter.last_index or letter.index),))


def _unreadable(letter: Letter) -> Verdict:
    fix = f"install what reads {letter.refused.topic}, or let the letter expire"
    return Verdict(letter, "refused", code="no-connector", fix=fix)


_Brief = tuple[str, bytes] | Rejection | None


def _brief(result: Result) -> _Brief:
    """What a verdict needs of an outcome: a payload's events together may be large."""
    if isinstance(result, Canonical):
        return result.noun, result.value[EVENT_ID]
    return result if isinstance(result, Rejection) else None


def _verdict(letter: Letter, outcomes: Sequence[_Brief], size: int) -> Verdict:
    events = tuple(each for each in outcomes if isinstance(each, tuple))
    rejections = [each for each in outcomes if isinstance(each, Rejection)]
    if events:
        return Verdict(letter, "event", events=events, refused=len(rejections), size_bytes=size)
    if not rejections:
        return Verdict(letter, "nothing", size_bytes=size)
    first = rejections[0]
    word: Word = _GONE.get(first.code, "refused")
    # Only of what was erased: another cause's words may quote the payload.
    why = first.message if word == "erased" else ""
    return Verdict(letter, word, code=first.code, why=why, fix=first.fix, size_bytes=size)
