"""MQTT: subscribes at a broker with QoS 1; a message is acknowledged once it is durable.

The session is the broker's: what is published while the hub is away comes when it is back, as long
as the broker keeps it. Back-pressure is what is not acknowledged: with MQTT 5 the broker is asked
to have `in_flight` messages under way (Mosquitto 2.0 sends more after a reconnect), with 3.1.1 it
has as many as it is set to. Beyond that nothing is read.

Before a batch is made durable the cursor says which packet ids got which payload ids, so what the
broker sends again after a crash has the `payload_id` it had; what the cursor or the end of the log
knows to be durable is then only acknowledged. Remains: when another ingest, with a log of its own,
takes the source over from a dead one, the last batch is in raw twice, under the same payload ids,
and its events are there once. A message gets a second id only if a broker has more than
`_REMEMBERED` messages under way, or one that was killed goes back to an older state of its own.
A broker that gives a packet id at once to the next message of the same topic and bytes, loses the
connection before that arrives and then sends it as DUP says the same as for a repeat: it is taken
for one. What MQTT 5's Maximum Packet Size keeps out (twice 64 KiB above `body_bytes`) is never
seen. Retained messages come again with a new subscription, marked.
"""

import hashlib
import logging
import re
import time
from typing import Any

from hub.ingest.intake import Arrival, Source
from hub.ingest.records import new_payload_id
from hub.ingest.sources.inlet import Inlet, to_its_end
from hub.ingest.sources.mqtt_client import Login, Received, Session
from hub.ingest.sources.mqtt_window import Kept, Window
from hub.ingest.sources.tls import tls_context
from hub.ingest.sources.transport import SourceDownError
from hub.secrets import secret
from hub.transports import Mqtt

__all__ = ["Subscription", "connect"]

_log = logging.getLogger("hub.ingest.sources")

# More than any broker has under way that reads acknowledgements while it sends.
_REMEMBERED = 2_000
_KEPT = frozenset({"traceparent", "content-encoding"})
# MQTT writes the attributes of CloudEvents without a prefix; connectors know them as HTTP does.
_CE_HTTP, _CE_MARK, _CE_NAME = "ce-", "specversion", re.compile(r"[a-z0-9]{1,64}")


def connect(source: Source) -> "Subscription":
    """The subscription of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, Mqtt)
    where = f"source.{source.id}.transport"
    context = None
    if settings.url.startswith("mqtts:"):
        context = tls_context(settings.tls, where=f"{where}.tls")
    password = secret(settings.secret, where=f"{where}.secret") if settings.secret else None
    client_id = settings.client_id or f"hub.{source.id}"
    return Subscription(source, settings, Login(client_id, settings.user, password, context))


class Subscription:
    """One session at one broker."""

    def __init__(self, source: Source, settings: Mqtt, login: Login) -> None:
        self._source = source
        self._settings = settings
        self._login = login
        self._most = max(2 * settings.in_flight, _REMEMBERED)
        named = f"{settings.url}\0{login.client_id}"
        self._named = hashlib.sha256(named.encode()).hexdigest()
        self._topics: list[str] = []
        self._window: Window | None = None

    async def run(self, inlet: Inlet) -> None:
        """Take messages, make them durable, acknowledge; until the connection ends."""
        window = await self._resumed(inlet)
        session = Session(self._settings, self._login, body_bytes=inlet.body_bytes)
        try:
            if not await session.open():
                if self._topics:
                    _log.warning("the broker has forgotten the session: source=%s", self._source.id)
                self._topics = []
                window.forget()
            await self._subscribe(inlet, session, window)
            inlet.up()
            while True:
                messages = await session.take(self._settings.in_flight)
                await to_its_end(self._take(inlet, session, window, messages))
        finally:
            await session.close()

    async def _resumed(self, inlet: Inlet) -> Window:
        """What may come again: known from the connection before, or from the cursor."""
        if self._window is None:
            stored = await inlet.cursor()
            if stored.get("session") != self._named:
                stored = {}
            topics = stored.get("topics")
            self._topics = [str(each) for each in topics] if isinstance(topics, list) else []
            self._window = Window.of(stored.get("window"), self._most)
            if self._window.settle(inlet.at_hand()):
                await inlet.commit(self._cursor(self._window))
        return self._window

    async def _subscribe(self, inlet: Inlet, session: Session, window: Window) -> None:
        """Only to what is new: each subscription makes the broker send what it retains."""
        wanted = list(dict.fromkeys(self._settings.topics))
        if gone := [topic for topic in self._topics if topic not in wanted]:
            await session.unsubscribe(gone)
        if new := [topic for topic in wanted if topic not in self._topics]:
            await session.subscribe(new)
        if gone or new:
            self._topics = wanted
            await inlet.commit(self._cursor(window))

    def _cursor(self, window: Window) -> dict[str, Any]:
        return {"session": self._named, "topics": self._topics, "window": window.stored()}

    async def _take(
        self, inlet: Inlet, session: Session, window: Window, messages: list[Received]
    ) -> None:
        now = time.time()
        kept: dict[int, Kept] = {}
        arrivals: dict[str, Arrival] = {}
        for message in messages:
            payload_id = new_payload_id()
            if message.packet_id:
                known = window.received(message.packet_id, _digest(message), dup=message.dup)
                kept[message.packet_id] = known
                if known.durable:
                    continue
                payload_id = known.payload_id
            arrivals[payload_id] = _arrival(message, payload_id, now)
        if arrivals:
            if any(not known.durable for known in kept.values()):
                await inlet.commit(self._cursor(window))
            await _put(inlet, list(arrivals.values()))
        for packet_id, known in kept.items():
            known.durable = True
            if session.is_open:
                known.owed = False
                session.acknowledge(packet_id)


async def _put(inlet: Inlet, arrivals: list[Arrival]) -> None:
    size = sum(len(each.body) for each in arrivals)
    if not await inlet.reserve(size):
        raise SourceDownError("the hub holds as many bodies as it can")
    try:
        await inlet.put_all(arrivals)
    finally:
        inlet.give_back(size)


def _digest(message: Received) -> str:
    """Tells messages apart that had one packet id."""
    digest = hashlib.sha256(message.topic.encode() + b"\0")
    digest.update(message.body)
    return digest.hexdigest()[:16]


def _arrival(message: Received, payload_id: str, now: float) -> Arrival:
    meta = {"mqtt_topic": message.topic}
    if message.retained:
        meta["mqtt_retained"] = "true"
    is_event = any(name == _CE_MARK for name, _ in message.properties)
    for name, text in message.properties:
        lower = name.lower()
        if lower in _KEPT:
            meta[f"header.{lower}"] = text
        elif is_event and _CE_NAME.fullmatch(lower):
            meta[f"header.{_CE_HTTP}{lower}"] = text
    return Arrival(message.body, message.content_type, meta, payload_id, now)
