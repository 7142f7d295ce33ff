"""The clients of the engine, on the cluster in memory: as much of confluent-kafka as it calls."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from cluster import NO_MEMBER, Cluster, Entry, Place, abortable
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from hub.codec import EVENT_ID

NOT_COMMITTED = -1001


class Killed(BaseException):
    """The process of this client was killed: nothing it does reaches the cluster any more."""


class Life:
    """Whether a process lives, and what goes wrong next in its clients."""

    def __init__(self) -> None:
        self.killed = False
        self.faults: set[str] = set()
        # Called where a real process can be stopped between two requests.
        self.pass_by: Callable[[str], None] = lambda _name: None

    def check(self) -> None:
        if self.killed:
            raise Killed

    def strikes(self, fault: str) -> bool:
        """Whether this fault was ordered; it happens once."""
        found = fault in self.faults
        self.faults.discard(fault)
        return found


class Message:
    """A record as a consumer hands it over, or the news of a partition's end."""

    def __init__(self, place: Place, offset: int, entry: Entry | None) -> None:
        self._place, self._offset, self._entry = place, offset, entry

    def topic(self) -> str:
        return self._place.topic

    def partition(self) -> int:
        return self._place.number

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return None if self._entry else KafkaError(KafkaError._PARTITION_EOF)

    def key(self) -> bytes | None:
        return self._entry.key if self._entry else None

    def value(self) -> bytes | None:
        return self._entry.value if self._entry else None

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._entry.headers or None if self._entry else None

    def timestamp(self) -> tuple[int, int]:
        return 2, self._entry.at_ms if self._entry else 0


class Producer:
    """A transactional producer; `transactional.id` in its settings says which."""

    def __init__(self, cluster: Cluster, life: Life, settings: dict[str, Any]) -> None:
        self._cluster, self._life = cluster, life
        self._id: str = settings["transactional.id"]
        self._epoch = -1
        self._failed: KafkaException | None = None

    def init_transactions(self, _timeout: float) -> None:
        self._life.check()
        self._epoch = self._cluster.take_over(self._id)

    def begin_transaction(self) -> None:
        self._life.check()

    def produce(
        self, topic: str, value: Any, key: Any = None, partition: int = -1, *, headers: Any = None
    ) -> None:
        self._life.check()
        place = self._cluster.place(topic, partition, key)
        if value is not None and (topic, value[EVENT_ID]) in self._cluster.refused:
            self._failed = abortable(KafkaError.INVALID_RECORD, "the broker refuses a record")
            return
        try:
            self._cluster.produce(self._id, self._epoch, place, (key, value, headers))
        except KafkaException as error:
            # As in the library: a failed delivery shows at the commit.
            self._failed = error

    def produce_batch(self, topic: str, messages: list[dict[str, Any]]) -> int:
        """Take all of them, or the first half where the queue is full."""
        taken = len(messages) // 2 if self._life.strikes("queue full") else len(messages)
        for each in messages[:taken]:
            self.produce(topic, each["value"], each["key"])
        for each in messages[taken:]:
            each["_error"] = KafkaError(KafkaError._QUEUE_FULL)
        return taken

    def poll(self, _timeout: float) -> int:
        self._life.check()
        return 0

    def send_offsets_to_transaction(
        self, offsets: Sequence[TopicPartition], metadata: Any, _timeout: float
    ) -> None:
        self._life.check()
        group, member = metadata
        to = {Place(each.topic, each.partition): each.offset for each in offsets}
        self._cluster.add_offsets(self._id, self._epoch, group, member, to)
        self._life.pass_by("offsets-added")

    def commit_transaction(self, _timeout: float) -> None:
        self._life.check()
        if self._failed is not None:
            raise self._failed
        if self._life.strikes("commit fails"):
            raise abortable(KafkaError._PURGE_QUEUE, "not delivered")
        if self._life.strikes("commit slow"):
            # Held on the wire; the client asked again on a new connection, and was answered.
            self._cluster.hold(self._id, self._epoch)
            self._cluster.clock.now += 3.0
        self._cluster.end(self._id, self._epoch, "committed")
        self._life.pass_by("committed")

    def abort_transaction(self, _timeout: float) -> None:
        self._life.check()
        self._cluster.end(self._id, self._epoch, "aborted")
        self._failed = None

    def purge(self) -> None:
        self._life.check()

    def flush(self, _timeout: float = -1) -> int:
        self._life.check()
        return 0


class PlainProducer:
    """A producer without transactions: what it writes is there at once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def produce(
        self, topic: str, value: Any, key: Any = None, partition: int = -1, *, headers: Any = None
    ) -> None:
        place = self._cluster.place(topic, partition, key)
        self._cluster.logs[place].append(self._cluster.entry(key, value, headers))

    def flush(self, _timeout: float = -1) -> int:
        return 0


class Consumer:
    """A member of a group with cooperative rebalances, which happen while it polls."""

    def __init__(self, cluster: Cluster, life: Life, group: str) -> None:
        self._cluster, self._life, self._group_name = cluster, life, group
        self._group = cluster.group(group)
        self.name = cluster.name("member")
        self._generation = -1
        self._topics: list[str] = []
        self._calls: dict[str, Callable[..., None]] = {}
        self._next: dict[Place, int] = {}
        self._told: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._joined = False

    @property
    def dead(self) -> bool:
        """Whether its process was killed."""
        return self._life.killed

    def subscribe(self, topics: list[str], **calls: Callable[..., None]) -> None:
        self._life.check()
        self._topics, self._calls = topics, calls

    def poll(self, timeout: float) -> Message | None:
        self._life.check()
        self._rebalance()
        found = self._read(1)
        if not found:
            self._cluster.clock.now += timeout
        return found[0] if found else None

    def consume(self, limit: int, _timeout: float) -> list[Message]:
        self._life.check()
        return self._read(limit)

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float
    ) -> list[TopicPartition]:
        self._life.check()
        assert timeout > 0
        answer = []
        for each in partitions:
            offset = self._cluster.committed(self._group_name, Place(each.topic, each.partition))
            known = NOT_COMMITTED if offset is None else offset
            answer.append(TopicPartition(each.topic, each.partition, known))
        return answer

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        self._life.check()
        assert not asynchronous
        self._cluster.check_member(self._group_name, (self.name, self._generation))
        for each in offsets:
            place = Place(each.topic, each.partition)
            self._cluster.note_offset(self._group_name, place, each.offset)

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        # Below zero stands OFFSET_BEGINNING.
        for each in partitions:
            self._next[Place(each.topic, each.partition)] = max(0, each.offset)

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        for each in partitions:
            del self._next[Place(each.topic, each.partition)]

    def seek(self, at: TopicPartition) -> None:
        self._life.check()
        place = Place(at.topic, at.partition)
        if place not in self._next:
            raise KafkaException(KafkaError(KafkaError._STATE, "not assigned"))
        self._next[place] = at.offset
        self._told.pop(place, None)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused |= {Place(each.topic, each.partition) for each in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused -= {Place(each.topic, each.partition) for each in partitions}

    def get_watermark_offsets(self, at: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, len(self._cluster.logs[Place(at.topic, at.partition)].entries)

    def consumer_group_metadata(self) -> tuple[str, tuple[str, int]]:
        member = (self.name, self._generation) if self._generation >= 0 else NO_MEMBER
        return self._group_name, member

    def close(self) -> None:
        self._life.check()
        if self.name in self._group.members:
            self._generation = self._group.generation
            if self._next:
                self._calls["on_revoke"](self, self._listed(set(self._next)))
            self._group.leave(self.name)

    # Inside

    def _rebalance(self) -> None:
        """What the coordinator has for this member: lost, revoked, assigned."""
        if not self._joined:
            self._joined = True
            self._group.join(self.name, self)
        if self.name not in self._group.members:
            self._calls["on_lost"](self, self._listed(set(self._next)))
            raise AssertionError("a lost member went on")
        if self._generation == self._group.generation:
            return
        self._generation = self._group.generation
        places = [place for place in self._cluster.logs if place.topic in self._topics]
        wanted = self._group.wanted(self.name, places)
        leaving = set(self._next) - wanted
        if leaving:
            self._calls["on_revoke"](self, self._listed(leaving))
            if self.name not in self._group.members:
                # Its session ended while it let go: they are free already, and it hears so next.
                return
            for place in leaving:
                del self._group.owner[place]
            self._group.generation += 1
            self._generation = self._group.generation
        free = {place for place in wanted - set(self._next) if place not in self._group.owner}
        if free:
            self._group.owner |= dict.fromkeys(free, self.name)
            self._calls["on_assign"](self, self._listed(free))

    def _listed(self, places: set[Place]) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in sorted(places)]

    def _read(self, limit: int) -> list[Message]:
        found: list[Message] = []
        for place in sorted(self._next):
            if place in self._paused:
                continue
            log = self._cluster.logs[place]
            for offset, entry in log.read(self._next[place]):
                if len(found) == limit:
                    return found
                found.append(Message(place, offset, entry))
                self._next[place] = offset + 1
            # Only markers and what was rolled back may be left.
            self._next[place] = max(self._next[place], log.stable())
            if len(found) < limit and self._told.get(place) != self._next[place]:
                self._told[place] = self._next[place]
                found.append(Message(place, self._next[place], None))
        return found


def read_all(
    cluster: Cluster, topic: str, numbers: Sequence[int], start: dict[int, int] | None = None
) -> Iterator[Message]:
    """Committed records of some partitions, up to the last stable offset."""
    for number in numbers:
        place = Place(topic, number)
        for offset, entry in cluster.logs[place].read((start or {}).get(number, 0)):
            yield Message(place, offset, entry)


class Patience:
    """Watches no call."""

    def watch(self, _doing: str, _limit_s: float) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        """Nothing is open."""
