"""Ingest killed at any moment while HTTP clients push, a broker delivers and files are dropped.

What is in the raw topics is compared with what the senders remember, not with the hub's own word.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tomli_w
from drained import read_all, until
from ingest_support import KEY, post, sha
from mosquitto import free_port, mosquitto, needs_mosquitto, publisher
from senders import Device, Dropper, Pusher, Sender, digest_of

from hub import topics
from hub.config import Config, load
from hub.evidence import EvidenceStore
from hub.registry import Registry

pytestmark = [needs_mosquitto, pytest.mark.kafka, pytest.mark.timeout(900)]
SEED = int(os.environ.get("HUB_TEST_SEED", "20261122"))
PUSHERS = 4
START_S = 1.5
"""About as long as the process takes until it listens."""
UP_S = 1.2
SETTLE_S = 60.0


class Site:
    """A hub with one source of each kind, its senders, and the process that is killed."""

    def __init__(self, folder: Path, stack, broker, device) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.port = free_port()
        name = uuid.uuid4().hex[:10]  # the cluster is other tests' too
        self.pushed, self.published, self.dropped = (f"{kind}-{name}" for kind in ("h", "m", "d"))
        self._file = folder / "hub.toml"
        self._file.write_text(tomli_w.dumps(self._settings(stack, broker.url, name)))
        self.config: Config = load(self._file, {})
        self._process: subprocess.Popen[bytes] | None = None
        self.pushers = [
            Pusher(f"client-{number}", SEED, port=self.port, source=self.pushed)
            for number in range(PUSHERS)
        ]
        self.device = Device("device", SEED, publisher=device)
        self.dropper = Dropper("dropper", SEED, folder=self.inbox)

    @property
    def senders(self) -> list[Sender]:
        return [*self.pushers, self.device, self.dropper]

    def _settings(self, stack, broker: str, name: str) -> dict:
        limits = {"per_second": 1e6, "burst": 1_000_000}
        mqtt = {"kind": "mqtt", "url": broker, "topics": ["city/#"], "client_id": f"hub.{name}"}
        drop = {"kind": "drop_folder", "folder": str(self.inbox), "settle_s": 0.0}
        return {
            "data": str(self.folder / "data"),
            "slot": f"kills-{name}",
            "registry_url": stack.registry_url,
            "kafka": {
                "bootstrap": stack.bootstrap,
                "replication_factor": 1,
                "min_insync_replicas": 1,
            },
            "ingest": {"port": self.port, "log_segment_bytes": 2**22},
            "source": {
                self.pushed: {
                    "connector": "ngsi",
                    "auth": {"bearer_sha256": [sha(KEY)]},
                    "limits": limits,
                },
                self.published: {"connector": "frigate", "transport": mqtt, "limits": limits},
                self.dropped: {"connector": "cap", "transport": drop, "limits": limits},
            },
        }

    def make_topics(self) -> list[str]:
        """The topics that its sources need; the raw ones among them."""
        specs = topics.declared(self.config)
        raw = [spec.name for spec in specs if spec.kind == "raw"]
        registry = Registry(self.config.registry_url)
        try:
            wanted = {*raw, "ingest_mark.v1"}
            needed = [spec for spec in specs if spec.name in wanted]
            topics.apply(self.config, registry, specs=needed)
        finally:
            registry.close()
        return raw

    def start(self) -> None:
        with (self.folder / "ingest.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hub", "--config", str(self._file), "run", "ingest"],
                stderr=log,
            )

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, "it ended by itself: see ingest.log"
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """In order; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._page("/healthz").status == 200
        return False

    def subscribed(self) -> bool:
        """Whether the broker knows it."""
        return self.answers() and self._page("/sources").json[self.published]["state"] == "up"

    def drained(self) -> bool:
        return not any(self._page("/readyz").json["log_records"].values())

    def _page(self, path: str):
        return post(self.port, path, None, key=None, method="GET")


@contextlib.contextmanager
def site(folder: Path, stack) -> Iterator[Site]:
    """A hub whose senders have begun."""
    with mosquitto(folder / "broker") as broker, publisher(broker) as device:
        made = Site(folder, stack, broker, device)
        try:
            yield made
        finally:
            for sender in made.senders:
                sender.end()
            with contextlib.suppress(AssertionError):
                made.kill()


class Raw(NamedTuple):
    """One record of a raw topic."""

    source: str
    payload_id: str
    digest: str


def raw_records(config: Config, names: list[str]) -> list[Raw]:
    """What the raw topics hold of these sources; what a record says of its body is not believed."""
    evidence = EvidenceStore.open(config.evidence())
    found = []
    for name in names:
        for message in read_all(config.kafka, name):
            headers = {key: value.decode() for key, value in message.headers()}
            if headers["source_id"] not in config.source:
                continue
            stored = headers.get("body", "").removeprefix("sha256:")
            body = evidence.get(stored) if stored else message.value()
            found.append(Raw(headers["source_id"], headers["payload_id"], digest_of(body)))
    return found


def wait_for(wanted: set[str], read: Callable[[], list[Raw]]) -> None:
    """Until all is there; what is not there after the limit is for the checks to name."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline and wanted - {record.digest for record in read()}:
        time.sleep(0.5)


def check_pushes(records: list[Raw], pushers: list[Pusher]) -> int:
    """Each acknowledgement is one record, and only what was sent again is there more than once.

    Says how many are.
    """
    sent = sum((pusher.sent for pusher in pushers), Counter())
    acknowledged = {k: v for pusher in pushers for k, v in pusher.acknowledged.items()}
    ids = Counter(record.payload_id for record in records)
    copies = Counter(record.digest for record in records)
    digests = {record.payload_id: record.digest for record in records}
    lost = {id_ for id_, digest in acknowledged.items() if digests.get(id_) != digest}
    assert lost == set(), "acknowledged, and not there"
    assert [id_ for id_, count in ids.items() if count > 1] == [], "one payload id twice"
    assert copies - sent == Counter(), "oftener than it was sent"
    once = [digest for digest, count in sent.items() if count == 1]
    assert [digest for digest in once if copies[digest] != 1] == [], "sent once, not there once"
    return len(records) - len(copies)


def check_once(records: list[Raw], sent: Counter) -> None:
    """What was sent is there, once, under an id of its own."""
    copies = Counter(record.digest for record in records)
    assert sent - copies == Counter(), "lost"
    assert copies - sent == Counter(), "twice, or never sent"
    assert set(sent.values()) == {1}
    assert len({record.payload_id for record in records}) == len(records)


@pytest.mark.parametrize(
    "kills", [pytest.param(10, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.long)]
)
def test_kills_at_any_moment_lose_nothing_and_double_nothing(stack, tmp_path, kills):
    chance = random.Random(SEED)
    with site(tmp_path, stack) as hub:
        raw = hub.make_topics()
        hub.start()
        # Before the first subscription a broker keeps nothing for anybody.
        until(hub.subscribed)
        for sender in hub.senders:
            sender.start()
        for _ in range(kills):
            if chance.random() < 0.25:
                time.sleep(chance.uniform(0, START_S))
            else:
                until(hub.answers)
                time.sleep(chance.uniform(0, UP_S))
            hub.kill()
            hub.start()
        until(hub.answers)
        for sender in hub.senders:
            sender.end()
        for sender in hub.senders:
            sender.join()
        sent = sum((sender.sent for sender in hub.senders), Counter())
        wait_for(set(sent), lambda: raw_records(hub.config, raw))
        until(hub.drained)
        assert hub.stop() == 0
        records = raw_records(hub.config, raw)
        of = {id_: [r for r in records if r.source == id_] for id_ in hub.config.source}
        again = check_pushes(of[hub.pushed], hub.pushers)
        check_once(of[hub.published], hub.device.sent)
        check_once(of[hub.dropped], hub.dropper.sent)
        done = {path.name: digest_of(path.read_bytes()) for path in (hub.inbox / "done").iterdir()}
        assert done == hub.dropper.files
        figures = {source: len(found) for source, found in of.items()}
        print(f"{kills} kills, seed {SEED}, in raw {figures}, of them sent again {again}")
