"""Mosquitto in a process of its own, and a client that publishes to it."""

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Broker:
    """One broker, which may end and begin again with what it kept."""

    def __init__(self, folder: Path, settings: str, *, saves: bool) -> None:
        folder.mkdir()
        self.port = free_port()
        self._log = folder / "mosquitto.log"
        self._file = folder / "mosquitto.conf"
        self._file.write_text(f"""
listener {self.port} 127.0.0.1
persistence {"true" if saves else "false"}
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
user root
log_dest file {self._log}
{settings}
""")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._file)])
        while self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
        raise AssertionError(self._log.read_text())

    def end(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@contextlib.contextmanager
def mosquitto(
    folder: Path, settings: str = "allow_anonymous true", *, saves: bool = False
) -> Iterator[Broker]:
    broker = Broker(folder, settings, saves=saves)
    try:
        yield broker
    finally:
        broker.end()


class Publisher:
    """Publishes with QoS 1, again what no broker took."""

    def __init__(self, broker: Broker) -> None:
        self._client = Client(
            CallbackAPIVersion.VERSION2, "their-device", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 1)
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._connected.wait(20)

    def send(self, topic: str, body: bytes, *, retain: bool = False, **properties: Any) -> None:
        """Return once the broker has it."""
        assert self._connected.wait(20)
        self.begin(topic, body, retain=retain, **properties).wait_for_publish(20)

    def begin(self, topic: str, body: bytes, *, retain: bool = False, **properties: Any):
        made = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(made, name, value)
        return self._client.publish(topic, body, 1, retain, made)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def publisher(broker: Broker) -> Iterator[Publisher]:
    made = Publisher(broker)
    try:
        yield made
    finally:
        made.close()


def subscribed(url: str, *topics: str, **more: Any) -> dict[str, Any]:
    """A source's entry."""
    limits = {"per_second": 1e6, "burst": 1_000_000}
    settings = {"kind": "mqtt", "url": url, "topics": list(topics) or ["city/#"], **more}
    return {"connector": "plain_test", "transport": settings, "limits": limits}
