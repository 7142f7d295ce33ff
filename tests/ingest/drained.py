"""Ingest in a process of its own, a client that never rests, and what arrives in Kafka."""

import http.client
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic
from ingest_support import post

from hub.config import KafkaConfig
from hub.ingest.mark import MARK_TOPIC
from hub.kafka.clients import admin, reader

TOPICS = ["raw.plain_test.v1", "raw.sharded_test.urgent.v1"]


def make_topics(kafka: KafkaConfig, *, replicas: int = 1) -> None:
    """The topics of the test's sources, and of the marks."""
    client = admin(kafka)
    found = client.list_topics(timeout=20).topics
    new = [NewTopic(name, 3, replicas) for name in TOPICS if name not in found]
    if MARK_TOPIC not in found:
        new.append(NewTopic(MARK_TOPIC, 1, replicas, config={"cleanup.policy": "compact"}))
    if new:
        for future in client.create_topics(new).values():
            future.result()


def read_all(kafka: KafkaConfig, topic: str, isolation: str = "read_committed") -> list:
    """All records of a topic as a reader sees them."""
    ends = true_ends(kafka, topic)
    consumer: Consumer = reader(kafka, **{"isolation.level": isolation})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
    reached, messages = dict.fromkeys(ends, 0), []
    deadline = time.monotonic() + 60
    while any(reached[partition] < end for partition, end in ends.items()):
        assert time.monotonic() < deadline, f"{topic}: no reader passes {reached} of {ends}"
        for message in consumer.consume(1000, 0.2):
            if message.error() is None:
                messages.append(message)
                reached[message.partition()] = message.offset() + 1
            else:
                reached[message.partition()] = max(reached[message.partition()], message.offset())
    consumer.close()
    return messages


def true_ends(kafka: KafkaConfig, topic: str) -> dict[int, int]:
    """Where each partition ends, also behind a commit whose markers are still on their way."""
    consumer: Consumer = reader(kafka, **{"isolation.level": "read_uncommitted"})
    ends = {}
    for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
        place = TopicPartition(topic, partition)
        ends[partition] = consumer.get_watermark_offsets(place, timeout=20)[1]
    consumer.close()
    return ends


def places(kafka: KafkaConfig, wanted: set[str]) -> dict[str, list[str]]:
    """Where in the raw topics each of these payloads is.

    A place that was read twice is there once, and its reader began the partition anew.
    """
    found: dict[str, list[str]] = {}
    for topic in TOPICS:
        for message in read_all(kafka, topic):
            id_ = dict(message.headers())["payload_id"].decode()
            if id_ in wanted:
                place = f"{topic}/{message.partition()}/{message.offset()}"
                if place in found.setdefault(id_, []):
                    print("read again:", place)
                else:
                    found[id_].append(place)
    return found


def payload_ids(kafka: KafkaConfig, wanted: set[str]) -> Counter:
    """How often each of these payloads is in a raw topic."""
    return Counter({id_: len(each) for id_, each in places(kafka, wanted).items()})


def until(condition, limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def drained(port: int) -> bool:
    """Whether the ingest that listens there has moved all it took."""
    ready = post(port, "/readyz", None, key=None, method="GET").json
    return not any(ready["log_records"].values())


class IngestProcess:
    """The ingest of tests/ingest/ingest_process.py, started again and again."""

    def __init__(self, data: Path, bootstrap: str, slot: str, log_max_bytes: int = 2**28) -> None:
        self._command = [
            sys.executable,
            str(Path(__file__).with_name("ingest_process.py")),
            str(data),
            bootstrap,
            slot,
            str(log_max_bytes),
        ]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def terminate(self) -> int:
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def drained(self) -> bool:
        return drained(self.port)


class Poster:
    """Posts without pause and notes what was acknowledged."""

    def __init__(self, ingest: IngestProcess) -> None:
        self._ingest = ingest
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._threads = [
            threading.Thread(target=self._run, args=(path, body))
            for path, body in (
                ("s1", b"x" * 500),
                ("urgent", b"a|b"),
                ("s1", b"y" * 70_000),
                ("replicated", b"z"),
            )
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, path: str, body: bytes) -> None:
        while not self._stop.is_set():
            try:
                answer = post(self._ingest.port, f"/v1/ingest/{path}", body)
            except (OSError, http.client.HTTPException):  # it was just killed
                time.sleep(0.01)
                continue
            if answer.status == 200:
                self.acknowledged.append(answer.json["payload_id"])
            else:
                self.refused.append(answer.status)

    def stop(self) -> set[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert len(set(self.acknowledged)) == len(self.acknowledged)
        return set(self.acknowledged)
