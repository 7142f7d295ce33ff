"""Reading between two moments on a real broker: nothing decided is missed, nothing open is read."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from hub.config import KafkaConfig
from hub.errors import EnvironmentNotReadyError
from hub.kafka.archive import KafkaArchive, Place, Start
from hub.kafka.clients import reader
from hub.kafka.reading import read_between

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(stack):
    name = f"archive-{uuid.uuid4().hex[:8]}"
    settings = {"message.timestamp.type": "LogAppendTime"}
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    made = admin.create_topics(
        [NewTopic(name, num_partitions=2, replication_factor=1, config=settings)]
    )
    made[name].result(30)
    return name


@pytest.fixture
def archive(stack):
    found = KafkaArchive(KafkaConfig(bootstrap=stack.bootstrap))
    yield found
    found.close()


@pytest.fixture
def client(stack):
    """A producer of transactions."""
    found = Producer({"bootstrap.servers": stack.bootstrap, "transactional.id": uuid.uuid4().hex})
    found.init_transactions(30)
    return found


def written(client, topic, *values, abort=False):
    client.begin_transaction()
    for value in values:
        client.produce(topic, value, partition=0)
    assert client.flush(30) == 0
    if abort:
        client.abort_transaction(30)
    else:
        client.commit_transaction(30)


def all_of(archive, topic, starts=None):
    places = archive.places([topic])
    begin = dict.fromkeys(places, 0) | (starts or {})
    return list(archive.read(begin, archive.ends(places)))


def test_committed_records_are_read_and_rolled_back_ones_are_not(archive, topic, client):
    written(client, topic, b"1", b"2")
    written(client, topic, b"never", abort=True)
    written(client, topic, b"3")
    found = all_of(archive, topic)
    assert [(each.offset(), each.value()) for each in found] == [(0, b"1"), (1, b"2"), (5, b"3")]
    assert archive.ends(archive.places([topic])) == {Place(topic, 0): 7, Place(topic, 1): 0}


def test_an_open_transaction_is_waited_for_and_what_comes_behind_it_is_not_read(
    archive, topic, client
):
    written(client, topic, b"1")
    client.begin_transaction()
    client.produce(topic, b"2", partition=0)
    assert client.flush(30) == 0
    places = archive.places([topic])
    ends = archive.ends(places)
    found = []
    reading = threading.Thread(
        target=lambda: found.extend(archive.read(dict.fromkeys(places, 0), ends))
    )
    reading.start()
    client.commit_transaction(30)
    written(client, topic, b"3")
    reading.join(60)
    assert not reading.is_alive()
    assert [each.value() for each in found] == [b"1", b"2"]


def test_what_an_open_transaction_holds_is_younger_than_any_time(archive, topic, client):
    client.begin_transaction()
    client.produce(topic, b"1", partition=0)
    assert client.flush(30) == 0
    places = archive.places([topic])
    starts = archive.starts(places, datetime.now(UTC) - timedelta(hours=1))
    client.commit_transaction(30)
    begin = {place: start.offset for place, start in starts.items()}
    assert [each.value() for each in archive.read(begin, archive.ends(places))] == [b"1"]


def test_a_time_is_found_by_when_records_were_appended(archive, topic, client):
    written(client, topic, b"1")
    first = all_of(archive, topic)[0]
    at = datetime.fromtimestamp(first.timestamp()[1] / 1000, UTC)
    place, empty = archive.places([topic])
    assert archive.starts([place], at) == {place: Start(0, 0)}
    assert archive.starts([place], at - timedelta(days=1)) == {place: Start(0, 0)}
    # Younger than all there is: what will come.
    assert archive.starts([place, empty], at + timedelta(minutes=10)) == {
        place: Start(2, 0),
        empty: Start(0, 0),
    }


def test_what_was_deleted_shows_as_cut(archive, topic, client, stack):
    written(client, topic, b"1", b"2")
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 1)]).values():
        future.result(30)
    place, whole = archive.places([topic])
    starts = archive.starts([place, whole], None)
    assert (starts[place].cut, starts[whole].cut) == (True, False)
    assert [each.value() for each in all_of(archive, topic, {place: starts[place].offset})] == [
        b"2"
    ]


def test_committed_offsets_are_those_of_the_group(archive, topic, client, stack):
    written(client, topic, b"1", b"2")
    group = f"group-{topic}"
    member = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": group})
    member.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    member.close()
    places = archive.places([topic])
    assert archive.committed(group, places) == {places[0]: 2, places[1]: 0}


def test_a_topic_that_is_missing_is_named(archive):
    with pytest.raises(EnvironmentNotReadyError, match="no-such-topic"):
        archive.places(["no-such-topic"])


def test_a_client_that_begins_a_partition_anew_gives_each_record_once(stack, topic, client):
    written(client, topic, b"1", b"2", b"3")
    place, anew = Place(topic, 0), []
    consumer = reader(KafkaConfig(bootstrap=stack.bootstrap))
    found = []
    for each in read_between(consumer, {place: 0}, {place: 4}, silence_s=30):
        found.append((each.offset(), each.value()))
        if each.value() == b"2" and not anew:
            anew.append(consumer.seek(TopicPartition(topic, 0, 0)))
    consumer.close()
    assert anew
    assert found == [(0, b"1"), (1, b"2"), (2, b"3")]
