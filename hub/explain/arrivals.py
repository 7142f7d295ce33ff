"""Canonical records with what the topics hold of them: the ledger's row and what was delivered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import schemas
from hub.codec import EVENT_ID, micros, received_minute
from hub.explain.logs import SKEW_MS, Logs, subscriber_topics
from hub.explain.model import Spot, appended_at, spot_of

__all__ = ["Arrival", "arrivals_of", "milliseconds"]


@dataclass(slots=True)
class Arrival:
    """One canonical record."""

    message: Any
    noun: schemas.NounSpec
    record: dict[str, Any] | None
    """The event, decoded; None for bytes that are none."""
    row: dict[str, Any] | None
    """The ledger's row of the transaction that handled it."""
    waits: bool
    """Whether process has not come to it yet."""
    delivered: dict[str, Any] = field(default_factory=dict)
    """Subscribers' records by topic."""

    @property
    def spot(self) -> Spot:
        """Where it stands."""
        return spot_of(self.message)

    @property
    def at(self) -> datetime:
        """When it was appended."""
        return appended_at(self.message)

    @property
    def value(self) -> bytes:
        """Its bytes."""
        return self.message.value() or b""

    def counted(self) -> set[str]:
        """What its transaction says became of records of this source and minute."""
        counts = self.row["counts"] if self.row else ()
        minute = received_minute(self.value)
        source = self.record["header"]["source_id"] if self.record else None
        return {
            each["outcome"]
            for each in counts
            if micros(each["minute"]) == minute and source in (None, each["source_id"])
        }

    def handled_at(self, logs: Logs) -> datetime | None:
        """When process decided on it: the delivered record says so, else the ledger."""
        for message in self.delivered.values():
            processed: datetime = logs.decoder.decode(message.value())["hub"]["processed_at"]
            return processed
        return self.row["written_at"] if self.row else None


def milliseconds(at: datetime) -> int:
    """A time as Kafka counts it."""
    return micros(at) // 1000


def arrivals_of(
    messages: Sequence[Any], nouns: Iterable[schemas.NounSpec], logs: Logs
) -> list[Arrival]:
    """Canonical records with their rows and deliveries, in their order."""
    by_topic = {noun.topic: noun for noun in nouns}
    found = []
    for message in messages:
        spot, noun = spot_of(message), by_topic[message.topic()]
        row, waits = logs.handled("process", noun.lane, spot, appended_at(message))
        record = logs.decoded(message.value() or b"")
        found.append(Arrival(message, noun, record, row, waits))
    for noun in by_topic.values():
        mine = [each for each in found if each.noun is noun]
        if mine:
            _find_delivered(noun.name, mine, logs)
    return found


def _find_delivered(noun: str, mine: Sequence[Arrival], logs: Logs) -> None:
    """Give each arrival the subscribers' records that came of it.

    An event that arrived twice, in two windows, was delivered twice: the origin tells which is
    which, and for the very same bytes their order.
    """
    ends = [each.row["written_at"] for each in mine if each.row]
    since = milliseconds(min(each.at for each in mine)) - SKEW_MS
    until = milliseconds(max(ends)) + 2 * SKEW_MS if len(ends) == len(mine) else None
    ids = {each.value[EVENT_ID] for each in mine}

    def wanted(message: Any) -> bool:
        return (message.value() or b"")[EVENT_ID] in ids

    topics = subscriber_topics([noun])
    for message in logs.scan(topics, wanted, (since, until), "looking for what subscribers got"):
        value = message.value()
        origin = logs.decoder.decode(value)["header"]["origin"]
        for each in mine:
            if (
                each.record is not None
                and each.value[EVENT_ID] == value[EVENT_ID]
                and each.record["header"]["origin"] == origin
                and message.topic() not in each.delivered
            ):
                each.delivered[message.topic()] = message
                break
