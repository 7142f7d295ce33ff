"""Everything the hub still has of an event or a subject: records, payloads, pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import schemas
from hub.codec import EVENT_ID, SUBJECT_ID
from hub.errors import RecordError
from hub.explain.arrivals import milliseconds
from hub.explain.logs import (
    LETTERS,
    Logs,
    Span,
    canonical_topics,
    origin_of,
    subscriber_topics,
)
from hub.explain.model import Spot, spot_of
from hub.explain.parsed import text_of
from hub.holds.manifest import Missing
from hub.identity import uuid_text
from hub.render import rfc3339

__all__ = ["Dossier", "around", "dossier"]

_AROUND = timedelta(hours=1)

# Shorter texts would be found in any sentence.
_TELLING = 5


@dataclass(slots=True)
class Dossier:
    """What there is of one id. Messages are the Kafka client's."""

    asked: bytes
    canonical: list[Any] = field(default_factory=list)
    delivered: list[Any] = field(default_factory=list)
    raw: list[Any] = field(default_factory=list)
    letters: list[Any] = field(default_factory=list)
    event_ids: set[bytes] = field(default_factory=set)
    subject_ids: set[bytes] = field(default_factory=set)
    pictures: dict[str, set[bytes]] = field(default_factory=dict)
    """Names of pictures, with the events that show them."""
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    """Names of payloads that may lie in the evidence store, with the events they gave."""
    missing: list[Missing] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)
    """Restricted texts, in capital letters and digits alone: no free text may repeat them."""

    def records(self) -> list[tuple[str, Any]]:
        """Every record with its kind."""
        kinds = (
            ("canonical", self.canonical),
            ("subscriber", self.delivered),
            ("raw", self.raw),
            ("dead_letter", self.letters),
        )
        return [(kind, each) for kind, messages in kinds for each in messages]

    def told_by(self, text: str) -> bool:
        """Whether a text repeats what is restricted."""
        squashed = _squashed(text)
        return any(each in squashed for each in self.secrets)


def around(at: datetime | None) -> Span:
    """An hour before to an hour after; None: everything that is kept."""
    return (None, None) if at is None else (milliseconds(at - _AROUND), milliseconds(at + _AROUND))


def dossier(logs: Logs, id_: bytes, span: Span = (None, None)) -> Dossier:
    """What topics hold of the events with this id as event or subject; appended in the span.

    `RecordError` when there is none.
    """
    found = Dossier(id_)
    _events(logs, found, span)
    if not found.event_ids:
        since = [logs.kept_from(topic) for topic in canonical_topics()]
        kept = max(filter(None, since), default=None)
        raise RecordError(
            "no topic holds an event of this id"
            + (f"; canonical topics are complete since {rfc3339(kept)}" if kept else ""),
            code="unknown-event",
            where=uuid_text(id_),
            fix="take an event_id or subject_id as `hub tail` or `hub explain` shows it",
        )
    _payloads(logs, found)
    _letters(logs, found, span)
    return found


def _events(logs: Logs, found: Dossier, span: Span) -> None:
    topics = [*canonical_topics(), *subscriber_topics(schemas.nouns())]
    messages = {spot_of(each): each for each in logs.events({found.asked}, topics, span)}
    found.event_ids = {each.value()[EVENT_ID] for each in messages.values()}
    # Process may have delivered an event under another subject than it came with.
    others = found.event_ids - {found.asked}
    if others:
        more = logs.events(others, topics, span)
        messages |= {spot_of(each): each for each in more if each.value()[EVENT_ID] in others}
    canonical = set(canonical_topics())
    for spot, message in messages.items():
        (found.canonical if spot.topic in canonical else found.delivered).append(message)
        found.subject_ids.add(message.value()[SUBJECT_ID])
        _restricted(logs, found, message)
    there = {each.value()[EVENT_ID] for each in found.canonical}
    found.missing += [
        Missing(
            f"canonical record of event {uuid_text(each)}", "expired, as subscribers keep longer"
        )
        for each in sorted(found.event_ids - there)
    ]


def _restricted(logs: Logs, found: Dossier, message: Any) -> None:
    """Note the pictures of an event, its payload, and its restricted texts."""
    record = logs.decoded(message.value())
    if record is None:
        return
    event_id = message.value()[EVENT_ID]
    restricted = record["restricted"]
    for picture in restricted.get("pictures") or ():
        found.pictures.setdefault(picture["sha256"].hex(), set()).add(event_id)
    sha256 = record["header"]["origin"]["sha256"]
    if any(sha256):
        found.bodies.setdefault(sha256.hex(), set()).add(event_id)
    plate = restricted.get("plate") or {}
    texts = [plate.get("raw"), plate.get("text")]
    texts += [each.get("reference") for each in restricted.get("persons") or ()]
    squashed = (_squashed(text) for text in texts if text)
    found.secrets.update(each for each in squashed if len(each) >= _TELLING)


def _payloads(logs: Logs, found: Dossier) -> None:
    """The raw records that the events were read from."""
    origins: dict[Spot, str] = {}
    for message in (*found.canonical, *found.delivered):
        record = logs.decoded(message.value())
        spot = origin_of(record)
        if record is not None and spot is not None:
            origins[spot] = record["header"]["origin"]["sha256"].hex()
    known = set(logs.raw_topics())
    for spot, sha256 in sorted(origins.items()):
        message = logs.history.at(*spot) if spot.topic in known else None
        if message is not None and text_of(message.headers(), "sha256") == sha256:
            found.raw.append(message)
        else:
            why = logs.expiry(spot) if message is None else "another record stands there"
            found.missing.append(Missing(f"payload {spot}", why or "there is no such record"))


def _letters(logs: Logs, found: Dossier, span: Span) -> None:
    """Dead letters of the events, and of their payloads."""
    spots = {spot_of(each) for each in found.raw}

    def wanted(letter: Mapping[str, Any]) -> bool:
        if letter["stage"] == "process":
            return letter["body"][EVENT_ID] in found.event_ids
        return Spot(letter["topic"], letter["partition"], letter["offset"]) in spots

    letters = logs.scan([LETTERS], lambda each: bool(each.value()), span, "reading dead letters")
    found.letters = [each for each in letters if wanted(logs.decoder.decode(each.value()))]


def _squashed(text: str) -> str:
    return "".join(each for each in text.upper() if each.isalnum())
