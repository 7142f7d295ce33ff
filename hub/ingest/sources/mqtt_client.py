"""One MQTT connection in the event loop: paho-mqtt as the protocol, without a thread of its own.

Only connecting blocks, so that is done in a thread. Nothing is read while too much waits to be
taken; if that lasts longer than the keep-alive the connection ends, and what was not acknowledged
comes again.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub.ingest.sources.transport import SourceDownError
from hub.transports import Mqtt

__all__ = ["Login", "Received", "Session"]

_ANSWER_S = 15.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}
# Beside the payload a packet has its topic and properties.
_PACKET_MORE = 65_536 * 2
# 256 MiB is the most that the protocol can say.
_PACKET_MOST = 268_435_455
# Sent again by the broker only where the subscription is new.
_IF_NEW = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB


class Login(NamedTuple):
    """Who the hub is."""

    client_id: str
    user: str
    password: str | None
    tls: ssl.SSLContext | None


class Received(NamedTuple):
    """A message as it came."""

    topic: str
    body: bytes
    packet_id: int
    """0 with QoS 0: nothing is acknowledged, nothing comes again."""
    dup: bool
    retained: bool
    content_type: str
    properties: tuple[tuple[str, str], ...]


class Session:
    """A connection from its beginning to its end."""

    def __init__(self, settings: Mqtt, login: Login, *, body_bytes: int) -> None:
        self._settings = settings
        self._most = settings.in_flight
        self._bytes_most = 4 * body_bytes
        self._body_bytes = body_bytes
        self._held: deque[Received] = deque()
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._lost = ""
        self._connected: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[Sequence[ReasonCode]]] = {}
        self._reading = False
        self._ticking: asyncio.Task[None] | None = None
        self._v5 = settings.version == "5"
        self._client = self._made(login)

    def _made(self, login: Login) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            login.client_id,
            # A session outlasts its connection; MQTT 5 says so in another way.
            clean_session=None if self._v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if login.user:
            client.username_pw_set(login.user, login.password)
        if login.tls:
            client.tls_set_context(login.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_answer
        client.on_unsubscribe = self._on_answer
        return client

    async def open(self) -> bool:
        """Connect; whether the broker still has the session."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="mqtt-connect")
        connecting = thread.submit(self._connect)
        thread.shutdown(wait=False)
        try:
            await asyncio.shield(asyncio.wrap_future(connecting))
        except asyncio.CancelledError:
            connecting.add_done_callback(lambda _: _shut(self._client))
            raise
        client = self._client
        client.on_socket_close = lambda _client, _data, sock: self._unwatch(sock.fileno())
        client.on_socket_register_write = lambda _client, _data, sock: loop.add_writer(
            sock.fileno(), self._guarded, client.loop_write
        )
        client.on_socket_unregister_write = self._written
        self._read()
        self._ticking = asyncio.create_task(self._tick())
        async with asyncio.timeout(_ANSWER_S):
            return await self._connected

    def _connect(self) -> None:
        parts = urlsplit(self._settings.url)
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._settings.session_s
            properties.ReceiveMaximum = self._settings.in_flight
            properties.MaximumPacketSize = min(_PACKET_MOST, self._body_bytes + _PACKET_MORE)
        self._client.connect(
            parts.hostname or "",
            parts.port or _PORTS[parts.scheme],
            self._settings.keepalive_s,
            clean_start=False if self._v5 else MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )

    async def subscribe(self, topics: Sequence[str]) -> None:
        """With QoS 1; `SourceDownError` names what the broker refuses."""
        options = SubscribeOptions(qos=1, retainHandling=_IF_NEW)
        wanted = [(topic, options if self._v5 else 1) for topic in topics]
        codes = await self._answer(lambda: self._client.subscribe(wanted))  # type: ignore[arg-type]
        for topic, code in zip(topics, codes, strict=True):
            if code.is_failure:
                raise SourceDownError(f"the broker refuses the topic filter {topic}: {code}")

    async def unsubscribe(self, topics: Sequence[str]) -> None:
        """From what an earlier entry wanted."""
        await self._answer(lambda: self._client.unsubscribe(list(topics)))

    async def _answer(
        self, ask: Callable[[], tuple[MQTTErrorCode, int | None]]
    ) -> Sequence[ReasonCode]:
        _, packet_id = ask()
        if packet_id is None or self._lost:
            raise SourceDownError(self._lost or "the connection ended")
        answer: asyncio.Future[Sequence[ReasonCode]] = asyncio.get_running_loop().create_future()
        self._answers[packet_id] = answer
        async with asyncio.timeout(_ANSWER_S):
            return await answer

    @property
    def is_open(self) -> bool:
        """Whether an acknowledgement can still reach the broker."""
        return not self._lost

    async def take(self, most: int) -> list[Received]:
        """Wait for messages; `SourceDownError` when the connection has ended and all are taken."""
        while not self._held:
            if self._lost:
                raise SourceDownError(self._lost)
            self._news.clear()
            await self._news.wait()
        taken = [self._held.popleft() for _ in range(min(most, len(self._held)))]
        self._held_bytes -= sum(len(each.body) for each in taken)
        self._read()
        return taken

    def acknowledge(self, packet_id: int) -> None:
        """PUBACK: the message is durable."""
        self._client.ack(packet_id, 1)

    async def close(self) -> None:
        """End it in order; the session stays."""
        if self._ticking:
            self._ticking.cancel()
            await asyncio.wait({self._ticking})
        if not self._lost:
            self._guarded(self._client.disconnect)
            self._guarded(self._client.loop_write)
        _shut(self._client)
        for each in self._waited():
            if each.done() and not each.cancelled():
                each.exception()  # nobody waits for it any more

    def _waited(self) -> list[asyncio.Future[Any]]:
        return [self._connected, *self._answers.values()]

    @property
    def _full(self) -> bool:
        return len(self._held) >= self._most or self._held_bytes >= self._bytes_most

    def _read(self) -> None:
        """Go on reading, unless enough waits."""
        sock = self._client.socket()
        if sock is None or self._reading or self._full:
            return
        self._reading = True
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)
        self._readable()  # TLS may hold bytes of which the system knows nothing

    def _readable(self) -> None:
        pending = True
        while pending and not self._full:
            self._guarded(self._client.loop_read)
            sock: Any = self._client.socket()
            pending = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        sock = self._client.socket()
        if sock is not None and self._full:
            self._reading = False
            asyncio.get_running_loop().remove_reader(sock.fileno())

    def _unwatch(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(number)
        loop.remove_writer(number)
        self._reading = False

    def _written(self, _client: Client, _data: Any, sock: Any) -> None:
        asyncio.get_running_loop().remove_writer(sock.fileno())

    async def _tick(self) -> None:
        """Pings, and their watchdog."""
        while True:
            await asyncio.sleep(1.0)
            self._guarded(self._client.loop_misc)

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            self._end(error.strerror or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever paho makes of bytes that are no MQTT
            self._end(f"it does not speak MQTT ({type(error).__name__})")

    def _end(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._news.set()
        _shut(self._client, self._unwatch)
        for each in self._waited():
            if not each.done():
                each.set_exception(SourceDownError(self._lost))

    def _on_connect(
        self, _client: Client, _data: Any, flags: ConnectFlags, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._end(f"the broker refuses the connection: {code}")
        elif not self._connected.done():
            self._connected.set_result(flags.session_present)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _more: Any
    ) -> None:
        by = "the broker" if flags.is_disconnect_packet_from_server else "the connection"
        self._end(f"{by} ended: {code}")

    def _on_answer(
        self, _client: Client, _data: Any, packet_id: int, codes: Sequence[ReasonCode], _more: Any
    ) -> None:
        answer = self._answers.pop(packet_id, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        properties = message.properties
        self._held.append(
            Received(
                message.topic,
                bytes(message.payload),
                message.mid if message.qos else 0,
                message.dup,
                message.retain,
                getattr(properties, "ContentType", ""),
                tuple(getattr(properties, "UserProperty", ())),
            )
        )
        self._held_bytes += len(message.payload)
        self._news.set()


def _shut(client: Client, before: Callable[[int], None] | None = None) -> None:
    """Close the socket that paho leaves open when it does not end by itself."""
    sock = client.socket()
    if sock is not None and sock.fileno() >= 0:
        if before:
            before(sock.fileno())
        sock.close()
