"""A consumer of somebody else's reads every topic, also while a schema gains a field."""

import io
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from confluent_kafka import Consumer, KafkaError
from harness import ID_KEY, RATES, Rig

import schemas
from hub.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
GROWING = {"plate_read": "camera.plate_read.v1", "signal_state": "traffic.signal_state.v1"}
FIELD = {"name": "gained", "type": "string", "default": "nothing yet", "doc": "Gained."}
Deserialise = Callable[[str, bytes], dict[str, Any]]


def avro_by_hand(registry_url: str) -> Deserialise:
    """Ten lines of anybody's own: the id in front, its schema from the registry, fastavro."""

    @cache
    def schema(id_: int) -> Any:
        answer = httpx.get(f"{registry_url}/schemas/ids/{id_}", trust_env=False)
        return fastavro.parse_schema(json.loads(answer.raise_for_status().json()["schema"]))

    def read(_topic: str, value: bytes) -> dict[str, Any]:
        data = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(data, schema(int.from_bytes(value[1:5], "big")))
        assert data.tell() == len(value) - 5, "bytes after the record"
        return record

    return read


def avro_of_confluent(registry_url: str) -> Deserialise:
    registry = pytest.importorskip(
        "confluent_kafka.schema_registry",
        reason="needs the extras confluent-kafka[avro,schemaregistry]",
        exc_type=ImportError,
    )
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    deserialise = AvroDeserializer(registry.SchemaRegistryClient({"url": registry_url}))
    return lambda topic, value: deserialise(value, SerializationContext(topic, MessageField.VALUE))


def read_all(bootstrap: str, deserialise: Deserialise) -> dict[str, list[dict[str, Any]]]:
    """Every subscriber's topic from its beginning to its end, as a subscriber would."""
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"police.{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    client.subscribe([f"{name}.v1" for name in _subscribed()])
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    # Three nouns of the bulk lane have no traffic at all: silence ends it as well as the ends.
    ends, silence = set(), 0
    try:
        while silence < 20 or not ends:
            message = client.poll(0.5)
            if message is None:
                silence += 1
            elif message.error() is None:
                silence = 0
                found[message.topic()].append(deserialise(message.topic(), message.value()))
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                ends.add((message.topic(), message.partition()))
                if len(ends) == 3 * len(_subscribed()):
                    break
    finally:
        client.close()
    return found


def _subscribed() -> list[str]:
    return [f"{who.id}.{noun}" for who in schemas.subscribers().values() for noun in who.nouns]


def grown(folder: Path) -> Path:
    """A copy of the schemas in which two nouns have gained a field since the first release."""
    shutil.copytree(schemas.HERE, folder / "schemas", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    number = str(max(schemas.releases(), default=0) + 1)
    for words in (["--release", number], None, []):
        if words is None:
            for noun in GROWING:
                path = folder / "schemas" / "avro" / f"{noun}.avsc"
                body = json.loads(path.read_text("utf-8"))
                body["fields"].append(FIELD)
                path.write_text(json.dumps(body), "utf-8")
            continue
        command = [sys.executable, "-m", "schemas.generate", *words]
        subprocess.run(command, check=True, env=environment, timeout=60)
    return folder


def apply(rig: Rig) -> None:
    environment = {
        **os.environ,
        "HUB_ID_KEY": ID_KEY,
        "PYTHONPATH": str(rig.python_path),
        "PYTHONSAFEPATH": "1",
    }
    command = [sys.executable, "-m", "hub", "--config", str(rig.config_file), "topics", "apply"]
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "camera.plate_read.v1-value" in done.stdout


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Rig:
    """Four times of one city: before, and with the new schema ahead in one stage or in both."""
    folder = tmp_path_factory.mktemp("growth")
    with Stack() as stack:
        # No vehicle is read twice: every plate read is delivered.
        rig = Rig(stack, folder / "rig", rates=replace(RATES, second_reads=0))
        new = grown(folder / "new")
        try:
            rig.stages()
            rig.feed(150)
            rig.until_drained()
            rig.stop_workers()
            # Written by the old version, and waiting.
            rig.worker("normalise")
            rig.feed(100)
            rig.until(lambda: not rig._behind("normalise", "bulk"), "normalise is through")
            rig.stop_workers()
            rig.python_path = new
            apply(rig)
            rig.worker("normalise")
            rig.worker("process")
            rig.feed(150)
            rig.until_drained()
            rig.stop_workers()
            # Normalise is new already, process still old.
            rig.worker("normalise")
            rig.python_path = None
            rig.worker("process")
            rig.feed(100)
            rig.until_drained()
            rig.stop_workers()
            yield rig
        finally:
            rig.close()


# The registry's client of that library leaves its sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("library", [avro_by_hand, avro_of_confluent])
def test_old_and_new_records_arrive_once_and_decode_with_a_library_that_is_not_ours(
    history, library
):
    deserialise = library(history.stack.registry_url)
    found = read_all(history.stack.bootstrap, deserialise)
    assert {"police.plate_read.v1", "htmoc.plate_read.v1", "htmoc.signal_state.v1"} <= set(found)
    canonical = history.read(GROWING.values())
    for topic, records in found.items():
        ids = Counter(bytes(record["header"]["event_id"]) for record in records)
        noun = topic.split(".")[1]
        if noun == "plate_read" and not topic.startswith("ops"):
            plates = [each.value() for each in canonical["camera.plate_read.v1"]]
            assert set(ids) == {value[5:21] for value in plates}
            assert set(ids.values()) == {1}, topic
        for record in records:
            assert record["body"].get("gained", FIELD["default"]) == FIELD["default"]
            if not topic.startswith("police"):
                assert not any(record["restricted"].values())
    for noun, topic in GROWING.items():
        versions = {each.value()[:5] for each in canonical[topic]}
        assert len(versions) == 2, noun
        told = [record["body"] for record in found[f"htmoc.{noun}.v1"]]
        kinds = Counter("gained" in body for body in told)
        assert kinds[True], kinds
        assert kinds[False], kinds


def test_nothing_was_refused_for_the_new_field_and_the_books_balance(history):
    assert not [each for each in history.dead_letters() if each["stage"] == "process"]
    history.check(oracle=False)
