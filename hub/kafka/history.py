"""Looking back: what topics still hold, and their records between two offsets or times."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from hub.config import KafkaConfig
from hub.kafka.clients import admin, check_reachable, reader, translate, unwrap
from hub.kafka.reading import Place, read_between

__all__ = ["History", "Stretch"]

_TIMEOUT_S = 15.0


class Stretch(NamedTuple):
    """Records of one partition: `first <= offset < end`."""

    topic: str
    partition: int
    first: int
    end: int


class History:
    """Committed records of many partitions, read outside any group."""

    def __init__(self, kafka: KafkaConfig) -> None:
        # It must outlive the futures it gives: dropped, they never resolve.
        self._admin = admin(kafka)
        topics = check_reachable(kafka)
        self._topics = {
            name: sorted(topic.partitions) for name, topic in topics.items() if topic.error is None
        }
        self._client = reader(kafka)
        # It then knows every leader; else the first fetch of each topic waits up to a second.
        self._client.list_topics(timeout=_TIMEOUT_S)

    def kept(self, topics: Collection[str]) -> list[Stretch]:
        """What each partition of the topics holds; a topic that does not exist is left out."""
        firsts = self._offsets(self._places(topics), OffsetSpec.earliest())
        ends = self._offsets(self._places(topics), OffsetSpec.latest())
        return [Stretch(*place, first, ends[place]) for place, first in firsts.items()]

    def between(
        self, topics: Collection[str], since_ms: int | None = None, until_ms: int | None = None
    ) -> list[Stretch]:
        """What the topics hold that was appended from `since_ms` up to (not with) `until_ms`."""
        kept = self.kept(topics)
        places = [(each.topic, each.partition) for each in kept]
        firsts = {} if since_ms is None else self._offsets(places, _from(since_ms))
        ends = {} if until_ms is None else self._offsets(places, _from(until_ms))
        found = []
        for each in kept:
            place = (each.topic, each.partition)
            # Nothing that late (-1): the start is behind everything, the end stays.
            first, end = firsts.get(place, each.first), ends.get(place, each.end)
            found.append(
                each._replace(
                    first=first if first >= 0 else each.end, end=end if end >= 0 else each.end
                )
            )
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def read(self, stretches: Iterable[Stretch]) -> Iterator[Any]:
        """The records of the stretches, each partition in its order; one reading at a time."""
        places = {Place(each.topic, each.partition): each for each in stretches}
        try:
            yield from read_between(
                self._client,
                {place: each.first for place, each in places.items()},
                {place: each.end for place, each in places.items()},
                silence_s=_TIMEOUT_S,
            )
        finally:
            self._client.unassign()

    def at(self, topic: str, partition: int, offset: int) -> Any:
        """The record at one offset; None when it is not there (any more)."""
        for each in self.kept([topic]):
            if each.partition == partition and each.first <= offset < each.end:
                found = list(self.read([Stretch(topic, partition, offset, offset + 1)]))
                return found[0] if found else None
        return None

    def _places(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        return [(topic, number) for topic in topics for number in self._topics.get(topic, ())]

    def _offsets(
        self, places: list[tuple[str, int]], wanted: OffsetSpec
    ) -> dict[tuple[str, int], int]:
        """Offset of each place, the last stable one for ends; all in one request."""
        if not places:
            return {}
        answers = self._admin.list_offsets(
            {TopicPartition(*place): wanted for place in places},
            isolation_level=IsolationLevel.READ_COMMITTED,
        )
        found = {}
        for place, future in answers.items():
            try:
                offset = future.result(timeout=_TIMEOUT_S).offset
            except KafkaException as exception:
                raise translate(
                    unwrap(exception), doing=f"looking into {place.topic}"
                ) from exception
            found[place.topic, place.partition] = offset
        return found


def _from(at_ms: int) -> OffsetSpec:
    spec: OffsetSpec = OffsetSpec.for_timestamp(max(0, at_ms))
    return spec
