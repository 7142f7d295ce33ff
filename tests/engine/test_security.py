"""Whoever can write to a topic can't end a worker, and what is restricted stays where it may be."""

import gzip
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from canaries import (
    CANARIES,
    PLATES,
    canary_payloads,
    filled,
    headers,
    hikvision,
    pictures,
    shifted,
    with_own_id,
)
from harness import ID_KEY, PATIENCE_S, STAGES, Raw, Rig
from oracle import BY_HAND

import schemas
from hub.codec import Cut, read_long
from hub.stack import Stack
from hub.stack.ports import choose_ports
from hub.supervisor import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SIGNALS = "traffic.signal_state.v1"
RAW = "raw.hikvision_isapi.v1"


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Iterator[Rig]:
    """A cluster of its own: its registry and its logs are searched for what a stranger left."""
    with Stack() as stack:
        rig = Rig(stack, tmp_path_factory.mktemp("security"))
        try:
            yield rig
        finally:
            rig.close()


def long(number: int) -> bytes:
    """An Avro long."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


# Schemas of a stranger


def record(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    named = [
        {"name": field, "type": type_, "doc": "D.", "default": None if "null" in type_ else []}
        for field, type_ in fields
    ]
    return {"type": "record", "name": name, "namespace": "hanoi.hub", "doc": "D.", "fields": named}


def register(rig: Rig, subject: str, schema: Any) -> int:
    answer = httpx.post(
        f"{rig.config.registry_url}/subjects/{subject}/versions",
        json={"schema": json.dumps(schema)},
        trust_env=False,
        timeout=30,
    )
    return int(answer.raise_for_status().json()["id"])


def hostile_schemas(rig: Rig, topic: str) -> dict[str, tuple[int, bytes]]:
    """Ids that a stranger can name, each with the bytes that would hurt whoever decodes them."""
    name = next(noun.record for noun in schemas.nouns().values() if noun.topic == topic)
    deep = b"\x02" * 20_000 + b"\x00"
    many = long(4_000_000_000) + b"\x00"
    nothing = {"type": "array", "items": "null"}
    own = schemas.built(topic)
    # Compatible in the registry's eyes: a field more, with a default.
    field = {"name": "gained", "type": nothing, "doc": "Gained.", "default": []}
    grown = {**own, "fields": [*own["fields"], field]}
    of_others = {
        "recursive": (record(name, ("inner", ["null", name])), deep),
        "recursive through a map": (
            record(name, ("inner", ["null", {"type": "map", "values": name}])), deep,
        ),
        "items of no bytes": (record(name, ("items", nothing)), many),
        "its own schema with more": (grown, many),
        "no record": ("string", b"\x02x"),
        "a union": (["null", "string"], b"\x00"),
    }  # fmt: skip
    number = topic.replace(".", "-")
    found = {
        what: (register(rig, f"stranger-{number}-{at}-value", schema), bytes_)
        for at, (what, (schema, bytes_)) in enumerate(of_others.items())
    }
    subscribed = schemas.subscriber_topic("ops", topic.split(".")[1])
    return found | {
        "a schema of the ledger's": (rig.ids.current("ledger.v1"), many),
        "a subscriber's schema": (rig.ids.current(subscribed), b""),
        "one under its own subject": (register(rig, f"{topic}-value", grown), many),
        "none that there is": (0x7FFFFFFF, b""),
    }


# Bytes of a stranger


def hostile_bytes(value: bytes, cut: Cut) -> dict[str, bytes]:
    """An event with lengths and counts that are none."""
    at = read_long(value, 42)[1]
    for _ in range(2):
        at = read_long(value, at + 1)[1] if value[at] else at + 1
    head, rest = value[:at], value[at:]
    names = long(3) + b"vms" + long(3) + b"cam" + long(1) + b"k" + b"\x00\x00\x00"
    return {
        "a wrong magic byte": b"\x01" + value[1:],
        "a text of -5 bytes": head + long(-5) + rest,
        "a text of a thousand million bytes": head + long(10**9) + rest,
        "a text longer than its record": head + long(len(rest) + 1) + rest,
        "a text of 2**62 bytes": head + long(2**62) + rest,
        "a number cut off": head + b"\xff" * 3,
        "a number without an end": head + b"\xff" * 300,
        "four thousand million areas": head + names + long(4 * 10**9) + bytes(300),
        "a block of -2**62 areas": head + names + long(-(2**62)) + long(10) + bytes(300),
        "a body that ends in its middle": value[: cut.end + 1],
        "a body of lengths": value[: cut.end] + b"\xff\xff\xff\xff\x0f" * 40,
        "restricted of lengths": value[: cut.start] + b"\x02\xff\xff\xff\xff\x0f" * 9,
    }


def hostile_payloads() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Bodies of a raw record, with the headers that are not as usual."""
    json_ = {"content_type": "application/json"}
    bomb = gzip.compress(bytes(200 * 2**20))
    entities = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};&e{n - 1};">' for n in range(1, 40))
    return {
        "framed like an event": (b"\x00\x00\x00\x00\x01" + b"\x02" * 20_000, {}),
        "nested arrays": (b"[" * 200_000, json_),
        "a number of 5,000 digits": (b'{"EventNotificationAlert":' + b"9" * 5000 + b"}", json_),
        "nested elements": (b"<EventNotificationAlert>" + b"<a>" * 100_000, {}),
        "entities": (
            f'<!DOCTYPE a [<!ENTITY e0 "lol">{entities}]><a>&e39;</a>'.encode(), {},
        ),
        "an outer entity": (
            b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', {},
        ),
        "a gzip bomb": (bomb, {"meta.header.content-encoding": "gzip"}),
        "no gzip": (b"plain", {"meta.header.content-encoding": "gzip"}),
        "a body that is nowhere": (b"", {"body": "sha256:../../../../etc/passwd"}),
        "another body that is nowhere": (b"", {"body": "sha256:" + "00" * 32}),
        "a source of control characters": (b"{", {"source_id": "\x1b[2J\r\n"}),
        "a time that is none": (b"{", {"received_at": "9999999-13-99"}),
        "a digest that is none": (b"{", {"sha256": "zz" * 32}),
    }  # fmt: skip


def raw_record(rig: Rig, body: bytes, number: int, changed: dict[str, str]) -> Raw:
    headers = {
        "source_id": hikvision(rig),
        "payload_id": f"hand-{number}",
        "received_at": "2026-11-22T10:00:00+00:00",
        "content_type": "application/xml",
        **changed,
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return RAW, headers["source_id"].encode(), body, [*pairs, BY_HAND]


def the_last(rig: Rig, topic: str) -> Any:
    return rig.read([topic])[topic][-1]


def test_every_hostile_record_becomes_one_dead_letter_and_its_neighbours_pass(city):
    workers = city.stages()
    city.feed(60)
    city.until_drained()
    hostile: list[Raw] = []
    for topic in (PLATES, SIGNALS):
        whole = the_last(city, topic)
        cut = Cut.unpack(dict(whole.headers())["cut"])
        values = list(hostile_bytes(whole.value(), cut).values())
        for id_, data in hostile_schemas(city, topic).values():
            frame = b"\x00" + id_.to_bytes(4, "big")
            # As a real event in front, so that nothing stops before the schema; and bare.
            values += [frame + whole.value()[5:] + data, frame + data]
        for value in values:
            numbered = with_own_id(value, len(hostile)) if len(value) > 42 else value
            hostile.append((topic, whole.key(), numbered, [BY_HAND]))
    hostile += [
        raw_record(city, body, number, changed)
        for number, (body, changed) in enumerate(hostile_payloads().values())
    ]
    hostile += [
        (RAW, b"k", b"{", [BY_HAND]),
        (RAW, b"", b"<a/>", [("source_id", b"\xff"), BY_HAND]),
    ]
    before = Counter(place(each) for each in city.dead_letters())
    city.write(hostile)
    city.feed(60)
    city.until_drained()

    written = {
        (message.topic(), message.partition(), message.offset())
        for messages in city.read([PLATES, SIGNALS, RAW]).values()
        for message in messages
        if BY_HAND in (message.headers() or ())
    }
    assert len(written) == len(hostile)
    letters = Counter(place(each) for each in city.dead_letters()) - before
    assert {each: letters[each] for each in written} == dict.fromkeys(written, 1)
    codes = {each["code"] for each in city.dead_letters() if each["topic"] in (PLATES, SIGNALS)}
    assert codes == {"not-framed", "not-avro", "unknown-schema", "wrong-schema"}
    assert all(worker.pid is not None for worker in workers)
    city.stop_workers()
    city.check()


def place(letter: Any) -> tuple[str, int, int]:
    return letter["topic"], letter["partition"], letter["offset"]


# What is restricted


def loud(rig: Rig, stage: str, port: int) -> Worker:
    """A worker that logs everything and serves its metrics."""
    log = rig.folder / f"loud-{stage}.log"
    words = ["--config", str(rig.config_file), "run", stage, "--lane", "bulk"]
    environment = {
        **os.environ, "HUB_ID_KEY": ID_KEY, "HUB_SLOT": "one", "HUB_METRICS_PORT": str(port),
    }  # fmt: skip
    command = [sys.executable, "-m", "hub", *words, "--log-level", "DEBUG"]
    worker = Worker(f"loud-{stage}", command, log, environment)
    worker.start()
    rig.workers.append(worker)
    return worker


def said(rig: Rig, *words: str) -> bytes:
    """What a command prints."""
    command = [sys.executable, "-m", "hub", "--config", str(rig.config_file), *words]
    environment = {**os.environ, "HUB_ID_KEY": ID_KEY}
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, timeout=PATIENCE_S
    )
    assert done.returncode in (0, 1, 3), done.stderr
    return done.stdout + done.stderr


def test_what_is_restricted_is_in_no_log_metric_listing_key_or_header(city):
    ports = choose_ports(len(STAGES), base=None, remembered=[])
    workers = [loud(city, stage, port) for stage, port in zip(STAGES, ports, strict=True)]
    city.write(
        raw_record(city, body, 100 + number, {"content_type": type_})
        for number, (body, type_) in enumerate(canary_payloads())
    )
    city.until_drained()
    city.write([*shifted(city), *filled(city)])
    city.until_drained()
    digests = pictures(city)
    assert len(digests) > 1
    secrets = (*CANARIES, *digests, *(each.hex().encode() for each in digests))
    metrics = [
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read()
        for port in ports
    ]
    city.stop_workers()

    shown = {
        "normalise's metrics": metrics[0],
        "process's metrics": metrics[1],
        **{worker.name: worker.log.read_bytes() for worker in workers},
        **{
            " ".join(words): said(city, *words)
            for words in (
                ("dead", "list"),
                ("dead", "list", "--json"),
                ("ledger", "--all"),
                ("ledger", "--all", "--json"),
                ("doctor",),
                ("doctor", "--json"),
                ("topics", "plan"),
            )
        },
    }
    assert all(shown.values()), [name for name, data in shown.items() if not data]
    assert b"DEBUG" in shown["loud-process"]
    for name, data in shown.items():
        assert found_in(data, secrets) == [], name

    check_topics(city, secrets)


def check_topics(city: Rig, secrets: Iterable[bytes]) -> None:
    """No secret is in a key or header, nor in a value where nobody may read it."""
    names = [name for name in city._admin.list_topics(timeout=30).topics if "__" not in name]
    personal = ("raw.", "camera.", "traffic.", "area.", "police.", "dead_letter.")
    held, seen = Counter(), Counter()
    for topic, messages in city.read(set(names) - {"kafkasql-journal"}).items():
        for message in messages:
            outside = b"".join(
                [
                    message.key() or b"",
                    *(name.encode() + (data or b"") for name, data in headers(message)),
                ]
            )
            if topic.startswith("raw."):
                continue
            assert found_in(outside, secrets) == [], f"key or headers on {topic}"
            canaries = found_in(message.value() or b"", secrets)
            held[topic] += bool(canaries)
            seen[topic] += 1
            assert topic.startswith(personal) or not canaries, topic
    # They went where they may, and their events to everyone: else nothing above says anything.
    for subscriber in schemas.subscribers().values():
        for noun in subscriber.nouns:
            if schemas.nouns()[noun].lane == "urgent":
                continue
            topic = schemas.subscriber_topic(subscriber.id, noun)
            assert bool(held[topic]) == (subscriber.id == "police"), topic
            assert seen[topic] or subscriber.id == "ops", topic
    assert held["dead_letter.v1"]


def found_in(data: bytes, canaries: Iterable[bytes]) -> list[bytes]:
    return [canary for canary in canaries if canary in data]
