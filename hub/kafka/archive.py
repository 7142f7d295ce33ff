"""What many topics hold between two moments, read at once: for books that are checked.

A moment is the end of every partition, open transactions included: reading up to it waits until
each of them is decided. So whatever was committed before the moment is read, and nothing is read
half.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from hub.config import KafkaConfig
from hub.errors import EnvironmentNotReadyError
from hub.kafka.clients import admin, consumer, reader, translate, unwrap
from hub.kafka.reading import Place, read_between

__all__ = ["Archive", "KafkaArchive", "Place", "Start"]

_CALL_S = 30.0
# An open transaction of a worker that died is ended by the cluster within this, at the latest.
_SILENCE_S = 60.0


class Start(NamedTuple):
    """Where reading a partition begins."""

    offset: int
    kept: int
    """First offset that is still kept."""

    @property
    def cut(self) -> bool:
        """Whether records that reading would have begun with are gone."""
        return self.kept > 0 and self.offset <= self.kept


class Archive(Protocol):
    """Topics as the books are checked against them."""

    def places(self, topics: Iterable[str]) -> list[Place]:
        """Every partition of the topics; `EnvironmentNotReadyError` names one that is missing."""

    def starts(self, places: Iterable[Place], at: datetime | None) -> dict[Place, Start]:
        """Where records appended at a time or later begin (None: what is kept)."""

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ends as they are now, behind what open transactions hold."""

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Offsets a group has committed; 0 where it has none."""

    def read(self, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> Iterator[Any]:
        """Committed records from start to end, each partition in its order."""


class KafkaArchive:
    """The topics of a cluster; close it when done."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._client = reader(kafka)
        # The admin client must outlive its futures: dropped, they never resolve.
        self._admin = admin(kafka)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def places(self, topics: Iterable[str]) -> list[Place]:
        """Every partition of the topics; `EnvironmentNotReadyError` names one that is missing."""
        try:
            known = self._client.list_topics(timeout=_CALL_S).topics
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="looking up topics") from exception
        found = []
        for topic in topics:
            if topic not in known:
                raise EnvironmentNotReadyError(
                    "no such topic", where=topic, fix="run `hub topics apply`"
                )
            found += [Place(topic, number) for number in sorted(known[topic].partitions)]
        return found

    def starts(self, places: Iterable[Place], at: datetime | None) -> dict[Place, Start]:
        """Where records appended at a time or later begin (None: what is kept)."""
        places = list(places)
        kept = self._offsets(places, OffsetSpec.earliest())
        if at is None:
            return {place: Start(kept[place], kept[place]) for place in places}
        # What an open transaction holds has no time yet: it is of what comes from now on.
        decided = self._offsets(places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        at_ms = int(at.timestamp() * 1000)
        try:
            answers = self._client.offsets_for_times(
                [TopicPartition(*place, at_ms) for place in places], timeout=_CALL_S
            )
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="looking up times") from exception
        found = {}
        for answer in answers:
            place = Place(answer.topic, answer.partition)
            # Nothing is that young: what comes from now on is.
            offset = answer.offset if answer.offset >= 0 else decided[place]
            found[place] = Start(max(offset, kept[place]), kept[place])
        return found

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ends as they are now, behind what open transactions hold."""
        return self._offsets(list(places), OffsetSpec.latest())

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Offsets a group has committed; 0 where it has none."""
        client = consumer(self._kafka, group)
        try:
            answers = client.committed([TopicPartition(*each) for each in places], timeout=_CALL_S)
        except KafkaException as exception:
            raise translate(
                unwrap(exception), doing=f"looking up offsets of {group}"
            ) from exception
        finally:
            client.close()
        return {Place(each.topic, each.partition): max(0, each.offset) for each in answers}

    def read(self, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> Iterator[Any]:
        """Committed records from start to end, each partition in its order."""
        client = reader(self._kafka)
        try:
            yield from read_between(client, starts, ends, silence_s=_SILENCE_S)
        finally:
            client.close()

    def _offsets(
        self,
        places: list[Place],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> dict[Place, int]:
        request = {TopicPartition(*place): spec for place in places}
        answers = self._admin.list_offsets(request, isolation_level=isolation)
        try:
            return {
                Place(at.topic, at.partition): future.result(timeout=_CALL_S).offset
                for at, future in answers.items()
            }
        except KafkaException as exception:
            raise translate(unwrap(exception), doing="looking up offsets") from exception
