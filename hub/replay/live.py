"""Sends what the canonical topics lack of a range: new events, and corrections of wrong ones.

Restartable at any time: what was sent stands on the topics, so it is not sent again.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.codec import EVENT_ID, LIFECYCLE, SUBJECT_ID
from hub.config import Config
from hub.envelope import LISTED, Canonical
from hub.errors import ConfigError
from hub.identity import uuid_text
from hub.kafka.history import History, Stretch
from hub.kafka.transaction import Headers
from hub.parsing import event_codecs
from hub.registry import Registry
from hub.render import rfc3339
from hub.replay.compare import Comparison, Old, compare
from hub.replay.letters import Spot
from hub.replay.span import Found, Span, kept_for, normalised, parsed, payloads
from hub.replay.writer import Record, Writer, written
from hub.replayed import OF, marked
from hub.schema_ids import SchemaIds
from hub.tables import defence_of

__all__ = ["Live", "Sending"]

# Nothing that is compared may expire while the command runs.
_MARGIN = timedelta(hours=1)
# Places in the enumeration Lifecycle, whose order is contract.
_UNKNOWN, _NEW, _UPDATED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Sending:
    """An event that the canonical topics lack; `corrects` is the one it takes the place of."""

    event: Canonical
    corrects: Old | None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: ids and topics, nothing of the event."""
        return {
            "noun": self.event.noun,
            "event_id": self.event.value[EVENT_ID],
            "topic": self.event.topic,
            "corrects": {"event_id": self.corrects.event_id} if self.corrects else None,
        }

    def text(self) -> str:
        """One line for people."""
        told = f"{self.event.noun} {uuid_text(self.event.value[EVENT_ID])}"
        return f"{told} corrects {uuid_text(self.corrects.event_id)}" if self.corrects else told

    def record(self) -> Record:
        """The record: backlog, and where it corrects, an update of the same subject."""
        value = marked(self.event.value)
        headers: Headers = list(self.event.headers)
        if self.corrects is not None:
            value = corrected(value, self.corrects)
            # A correction looks like what it corrects, and must not be merged into it.
            headers = [each for each in headers if each[0] in {"cut", LISTED}]
            headers.append((OF, uuid_text(self.corrects.event_id).encode()))
        return Record(self.event.topic, value, self.event.key, headers)


class Live:
    """Compares a range with the canonical topics, and sends what they lack."""

    def __init__(self, config: Config, registry: Registry, span: Span) -> None:
        self._config = config
        self._registry = registry
        self._span = span
        self._codecs = event_codecs(SchemaIds(registry))
        self.comparison = Comparison()
        self.waiting = 0
        """Offsets of the range that normalise is yet to read."""
        self._check_kept()

    def dry_run(self) -> Iterator[Sending]:
        """What would be sent."""
        yield from self._lacking(keep_pictures=False)

    def apply(self) -> Iterator[Sending]:
        """Send it; yields each event once it is committed."""
        # Opened before anything is compared: a replay that began earlier can't write any more.
        with closing(Writer(self._config, SchemaIds(self._registry))) as writer:
            lacking = self._lacking(keep_pictures=True)
            yield from written(writer, (([each.record()], each) for each in lacking))

    def _lacking(self, *, keep_pictures: bool) -> Iterator[Sending]:
        history = History(self._config.kafka)
        every = self._span.stretches(history)
        stretches = normalised(self._config, self._span, every)
        self.waiting = sum(
            each.end - max(each.first, mine.end)
            for each, mine in zip(every, stretches, strict=True)
        )
        for found in self._found(history, stretches):
            self.comparison.count(found)
            for _, event in found.events:
                self.comparison.enter(event)
        compare(self.comparison, history, self._registry, self._span, stretches)
        sent: set[bytes] = set()
        for found in self._found(history, stretches, keep_pictures=keep_pictures):
            for index, event in found.events:
                id_ = event.value[EVENT_ID]
                if self.comparison.is_new(event) and id_ not in sent:
                    sent.add(id_)
                    yield Sending(event, self._corrects(found, index, event))

    def _found(
        self, history: History, stretches: Iterable[Stretch], *, keep_pictures: bool = False
    ) -> Iterator[Found]:
        records = payloads(history, self._span, stretches)
        return parsed(
            self._config,
            self._codecs,
            records,
            defence=defence_of(self._config, self._registry),
            keep_pictures=keep_pictures,
        )

    def _corrects(self, found: Found, index: int, event: Canonical) -> Old | None:
        """The event that stood at the same place of the same payload and is not found any more."""
        spot = Spot(found.record.topic, found.record.partition, found.record.offset)
        old = self.comparison.missing.get((spot, index))
        return old if old is not None and old.noun == event.noun else None

    def _check_kept(self) -> None:
        topics = [noun.topic for noun in self._span.nouns]
        kept = kept_for(self._config, topics)
        if kept is None:
            return
        oldest = datetime.now(UTC) - kept + _MARGIN
        if self._span.since < oldest:
            raise ConfigError(
                f"the canonical topics keep {kept / timedelta(days=1):g} days: what was delivered "
                "before can't be compared any more, and would come a second time",
                where="--from",
                fix=f"take --from {rfc3339(oldest)} or later, or leave --live out and look at the "
                "private lane",
            )


def _records(stretches: Iterable[Stretch]) -> int:
    return sum(max(0, each.end - each.first) for each in stretches)


def corrected(value: bytes, old: Old) -> bytes:
    """An event as an update of what it corrects, where its source does not say more."""
    subject, lifecycle = value[SUBJECT_ID], value[LIFECYCLE] >> 1
    if subject == value[EVENT_ID]:
        # An occurrence is its own subject; its correction is about the same one.
        subject = old.subject_id
    if lifecycle in (_UNKNOWN, _NEW):
        lifecycle = _UPDATED
    return value[: SUBJECT_ID.start] + subject + bytes((lifecycle << 1,)) + value[LIFECYCLE + 1 :]
