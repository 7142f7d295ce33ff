"""Disks that are really full: a small file system under ingest's folder, and under a broker's.

Mounting one takes the rights of root; without them these tests are skipped.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from drained import IngestProcess, Poster, make_topics, places, until

from hub.config import KafkaConfig
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size at a folder."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Somebody else takes all the room there is, until this ends."""
    other = folder / "somebody-elses"
    with other.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**16))
    with other.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0")
    try:
        yield
    finally:
        other.unlink()


def test_a_full_disk_under_ingest_refuses_and_loses_nothing_that_was_taken(tmp_path):
    with small_disk(tmp_path / "small", "24m") as small, Stack(tmp_path / "stack") as stack:
        kafka = KafkaConfig(bootstrap=stack.bootstrap)
        make_topics(kafka)
        ingest, poster = started(small / "data", kafka)
        with filled(small):
            until(lambda: len(poster.refused) > 50)
            assert set(poster.refused) == {503}
        until_taken(poster, 50)
        check(ingest, poster, kafka)


def test_a_full_disk_under_a_broker_stops_it_and_nobody_else(tmp_path):
    folder = tmp_path / "stack"
    with small_disk(folder / "broker-1", "96m") as small, Stack(folder, brokers=3) as stack:
        kafka = KafkaConfig(bootstrap=stack.bootstrap)
        make_topics(kafka, replicas=3)
        ingest, poster = started(tmp_path / "data", kafka)
        first = stack.brokers[0]
        with filled(small):
            # Kafka's own way: a broker whose only log folder fails ends itself.
            until(lambda: first.pid is None, 120)
            until_taken(poster, 200)
        first.start()
        until_taken(poster, 200)
        assert not poster.refused
        check(ingest, poster, kafka)


def started(data: Path, kafka: KafkaConfig) -> tuple[IngestProcess, Poster]:
    ingest = IngestProcess(data, kafka.bootstrap, "disk", log_max_bytes=2**23)
    ingest.start()
    poster = Poster(ingest)
    until_taken(poster, 50)
    return ingest, poster


def until_taken(poster: Poster, more: int) -> None:
    wanted = len(poster.acknowledged) + more
    until(lambda: len(poster.acknowledged) >= wanted, 120)


def check(ingest: IngestProcess, poster: Poster, kafka: KafkaConfig) -> None:
    """What was taken is in Kafka once; ingest was neither repaired nor started again."""
    acknowledged = poster.stop()
    until(ingest.drained, 120)
    assert ingest.terminate() == 0
    found = places(kafka, acknowledged)
    assert set(found) == acknowledged, "lost"
    assert {id_: at for id_, at in found.items() if len(at) > 1} == {}, "twice"
