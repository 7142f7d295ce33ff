"""Senders that never rest, each with its own memory of what it sent and what was acknowledged.

They know nothing of the hub but its address: a payload is what its SHA-256 says.
"""

import hashlib
import http.client
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

from ingest_support import KEY
from mosquitto import Publisher

PAUSE_S = 0.02
LARGE = 70_000
"""Bytes of a payload that goes to the evidence store."""


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Sender(ABC):
    """One thread that sends one payload after another, until it is asked to end."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.sent: Counter[str] = Counter()
        """How often each payload left: never more often than it may have arrived."""
        self._chance = random.Random(f"{seed}/{name}")
        self._ending = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Ask it to end with the payload at hand."""
        self._ending.set()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self.name} is not answered any more"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._send(self._body())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for the thread
            self._error = error

    @abstractmethod
    def _send(self, body: bytes) -> None:
        """Send a payload, as often as it takes."""

    def _body(self) -> bytes:
        """No two are the same, small and large ones."""
        size = LARGE if self._chance.random() < 0.03 else self._chance.randrange(2_000)
        return f"{self.name} {len(self.sent)} ".encode() + self._chance.randbytes(size)


class Pusher(Sender):
    """Posts, and posts the same again until it is acknowledged."""

    def __init__(self, name: str, seed: int, *, port: int, source: str) -> None:
        super().__init__(name, seed)
        self._port, self._source = port, source
        self._connection: http.client.HTTPConnection | None = None
        self.acknowledged: dict[str, str] = {}
        """Payload ids, and what each stands for."""

    def join(self) -> None:
        super().join()
        self._hang_up()

    def _send(self, body: bytes) -> None:
        digest = digest_of(body)
        while not self._acknowledged(body, digest):
            time.sleep(PAUSE_S)

    def _acknowledged(self, body: bytes, digest: str) -> bool:
        try:
            connection = self._connected()
        except OSError:
            return False  # nothing has left
        self.sent[digest] += 1
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/octet-stream"}
        try:
            connection.request("POST", f"/v1/ingest/{self._source}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return False
        assert answer.status == 200, text
        self.acknowledged[text.split(b'"')[3].decode()] = digest
        return True

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            connection.connect()
            self._connection = connection
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Device(Sender):
    """Publishes with QoS 1, some at a time; the broker takes each once."""

    def __init__(self, name: str, seed: int, *, publisher: Publisher) -> None:
        super().__init__(name, seed)
        self._publisher = publisher

    def _send(self, body: bytes) -> None:
        self.sent[digest_of(body)] += 1
        info = self._publisher.begin(f"city/{self._chance.randrange(9)}", body)
        if self._chance.random() < 0.1:
            info.wait_for_publish(20)
            assert info.is_published()
            time.sleep(PAUSE_S)


class Dropper(Sender):
    """Leaves files in a folder, each under its name only once it is whole."""

    def __init__(self, name: str, seed: int, *, folder: Path) -> None:
        super().__init__(name, seed)
        self._folder = folder
        self.files: dict[str, str] = {}
        """Names, and what is in each file."""

    def _send(self, body: bytes) -> None:
        digest = digest_of(body)
        self.sent[digest] += 1
        path = self._folder / f"{self.name}-{len(self.sent)}.xml"
        self.files[path.name] = digest
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(body)
        unfinished.rename(path)
        time.sleep(self._chance.uniform(0, PAUSE_S))
