"""RSMP over TCP: the hub is a supervisor, a site connects to it (RSMP core 3.1.1 to 3.2.2).

The standard lets sites connect, so an entry is a port that one site is told. Version first, then
watchdogs both ways (the site's first), then the entry's subscriptions, again with each connection:
a restarted site has forgotten them. Every message is acknowledged (MessageAck) once it is durable;
what is no RSMP is answered with MessageNotAck and counted. Acknowledgements, versions and watchdogs
are not kept.

A site that got no answer sends the message again: its `payload_id` is made of `mId` and content,
and of the last `_REMEMBERED` it is known that they are durable. After a crash it may be in raw
twice, under one id. A site that connects again ends its older connection, which may be dead.
"""

import asyncio
import hashlib
import json
import logging
import ssl
import time
from collections.abc import Sequence
from typing import Any

from hub.errors import ConfigError
from hub.ingest.intake import Arrival, Source, header_text
from hub.ingest.records import message_payload_id
from hub.ingest.sources.inlet import Inlet
from hub.ingest.sources.rsmp_messages import (
    VERSIONS,
    Frames,
    common_version,
    made,
    read,
    subscription,
    text_of,
)
from hub.ingest.sources.transport import SourceDownError
from hub.transports import RsmpTcp

__all__ = ["Supervisor", "connect"]

_log = logging.getLogger("hub.ingest.sources")

_READ = 65_536
_REMEMBERED = 10_000
_CONNECTIONS = 8
_NO_PAYLOAD = frozenset({"MessageAck", "MessageNotAck", "Version", "Watchdog"})


def connect(source: Source) -> "Supervisor":
    """The supervisor of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, RsmpTcp)
    context = None
    if settings.tls.certificate:
        context = _server_context(settings, where=f"source.{source.id}.transport.tls")
    return Supervisor(source.id, settings, context)


def _server_context(settings: RsmpTcp, *, where: str) -> ssl.SSLContext:
    tls = settings.tls
    assert tls.certificate is not None
    try:
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=str(tls.ca) if tls.ca else None
        )
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"no certificates: {error}", where=where, fix="name PEM files that this user can read"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Supervisor:
    """One port, for one site."""

    def __init__(self, source_id: str, settings: RsmpTcp, tls: ssl.SSLContext | None) -> None:
        self._id = source_id
        self._settings = settings
        self._tls = tls
        self._durable: dict[str, None] = {}
        self._last_reason = ""

    async def run(self, inlet: Inlet) -> None:
        """Listen until the site has come and gone."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        open_: set[asyncio.Task[None]] = set()
        current: list[asyncio.Task[None]] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            site = _Site(self._settings, reader, writer, inlet.body_bytes)
            if len(open_) >= _CONNECTIONS:
                writer.transport.abort()
                return
            open_.add(task)
            try:
                await site.greet()
                for older in current:
                    older.cancel()
                current[:] = [task]
                inlet.up()
                await self._serve(inlet, site)
            except asyncio.CancelledError:
                pass  # a newer connection, or the hub's end: both are known to who asked for it
            except Exception as error:  # noqa: BLE001 - handed to `run`, which the frame watches
                if current == [task] and not ended.done():
                    ended.set_exception(error)
                elif current != [task]:
                    self._turned_away(inlet, error)
            finally:
                open_.discard(task)
                writer.transport.abort()

        settings = self._settings
        server = await asyncio.start_server(connected, settings.host, settings.port, ssl=self._tls)
        try:
            await ended
        finally:
            server.close()
            for task in list(open_):
                task.cancel()
            await asyncio.gather(*open_, return_exceptions=True)

    def _turned_away(self, inlet: Inlet, error: Exception) -> None:
        """Whoever connects and is not the site ends nothing; the same reason is logged once."""
        inlet.refuse("turned-away")
        reason = error.what if isinstance(error, SourceDownError) else type(error).__name__
        if reason != self._last_reason:
            self._last_reason = reason
            _log.warning("a peer was turned away: source=%s: %s", self._id, reason)

    async def _serve(self, inlet: Inlet, site: "_Site") -> None:
        ticking = asyncio.create_task(site.tick())
        reading = asyncio.create_task(self._read(inlet, site))
        try:
            await asyncio.wait({ticking, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ticking.cancel()
            reading.cancel()
            results = await asyncio.gather(ticking, reading, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read(self, inlet: Inlet, site: "_Site") -> None:
        while True:
            await self._take(inlet, site, await site.frames())

    async def _take(self, inlet: Inlet, site: "_Site", frames: Sequence[bytes]) -> None:
        now = time.time()
        arrivals: dict[str, Arrival] = {}
        answers = []
        for frame in frames:
            try:
                message = read(frame)
                if len(frame) > inlet.body_bytes:
                    raise ValueError("too large")  # noqa: TRY301 - answered as all that is wrong
            except ValueError as error:
                inlet.refuse("no-rsmp")
                answers.append(made("MessageNotAck", oMId=_id_of(frame), rea=str(error)))
                continue
            if message["type"] in {"MessageAck", "MessageNotAck"}:
                site.answered(message)
                continue
            answers.append(made("MessageAck", oMId=message["mId"]))
            if message["type"] not in _NO_PAYLOAD:
                digest = hashlib.sha256(frame).hexdigest()
                id_ = message_payload_id(self._id, message["mId"], digest)
                if id_ not in self._durable:
                    arrivals[id_] = Arrival(frame, "application/json", {}, id_, now)
        await self._put(inlet, arrivals)
        await site.say(*answers)

    async def _put(self, inlet: Inlet, arrivals: dict[str, Arrival]) -> None:
        size = sum(len(each.body) for each in arrivals.values())
        if not await inlet.reserve(size):
            raise SourceDownError("the hub holds as many bodies as it can")
        try:
            await inlet.put_all(list(arrivals.values()))
        finally:
            inlet.give_back(size)
        self._durable.update(dict.fromkeys(arrivals))
        while len(self._durable) > _REMEMBERED:
            del self._durable[next(iter(self._durable))]


class _Site:
    """One connection of a site."""

    def __init__(
        self,
        settings: RsmpTcp,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body_bytes: int,
    ) -> None:
        self._settings = settings
        self._reader, self._writer = reader, writer
        self._frames = Frames(body_bytes)
        self._early: list[bytes] = []
        self._waiting: dict[str, float] = {}
        """When each message of ours was sent that the site has not answered."""
        self._version = ""

    async def greet(self) -> None:
        """Exchange versions; whoever is not the site is told why and turned away."""
        settings = self._settings
        async with asyncio.timeout(settings.timeout_s):
            first, *self._early = await self.frames()
            try:
                message = read(first)
            except ValueError as error:
                raise SourceDownError(f"it speaks no RSMP: {error}") from None
            wrong = self._wrong_with(message)
            if wrong:
                await self.say(made("MessageNotAck", oMId=text_of(message, "mId"), rea=wrong))
                raise SourceDownError(wrong)
            version = made(
                "Version",
                RSMP=[{"vers": each} for each in VERSIONS],
                siteId=[{"sId": settings.site}],
                SXL=settings.sxl or text_of(message, "SXL"),
            )
            await self.say(made("MessageAck", oMId=message["mId"]), version)
            await self._first_watchdog(version["mId"])
            requests = (subscription(each, self._version) for each in settings.statuses)
            await self.say(made("Watchdog"), *requests)

    async def _first_watchdog(self, version_id: str) -> None:
        """The site has taken the hub's version; nothing else may be said before."""
        early: list[bytes] = []
        while True:
            frames = await self.frames()
            for number, frame in enumerate(frames):
                early.append(frame)
                match _read_or_none(frame):
                    case {"type": "MessageNotAck", "oMId": id_} if id_ == version_id:
                        raise SourceDownError("the site does not take the hub's Version")
                    case {"type": "Watchdog"}:
                        self._early = early + frames[number + 1 :]
                        return

    def _wrong_with(self, message: dict[str, Any]) -> str:
        if message["type"] != "Version":
            return "a Version is the first message"
        sites = message.get("siteId")
        if not isinstance(sites, list) or self._settings.site not in {
            text_of(each, "sId") for each in sites
        }:
            return "it names another site"
        if self._settings.sxl and text_of(message, "SXL") != self._settings.sxl:
            return f"SXL {self._settings.sxl} is wanted"
        self._version = common_version(message)
        return "" if self._version else f"RSMP versions {list(VERSIONS)} are supported"

    async def frames(self) -> list[bytes]:
        """The next messages, as soon as there is one."""
        found, self._early = self._early, []
        while not found:
            try:
                async with asyncio.timeout(self._settings.silence_s):
                    data = await self._reader.read(_READ)
                found = self._frames.feed(data)
            except ValueError as error:
                raise SourceDownError(str(error)) from None
            if not data:
                raise SourceDownError("the site ended the connection")
        return found

    async def say(self, *messages: dict[str, Any]) -> None:
        """Send these."""
        now = asyncio.get_running_loop().time()
        for message in messages:
            if "mId" in message:
                self._waiting[message["mId"]] = now
            self._writer.write(json.dumps(message).encode() + b"\x0c")
        async with asyncio.timeout(self._settings.timeout_s):
            await self._writer.drain()

    def answered(self, message: dict[str, Any]) -> None:
        """The site has answered one of ours."""
        known = self._waiting.pop(message["oMId"], None)
        if known is not None and message["type"] == "MessageNotAck":
            # Its alarms are worth more than a status it does not have.
            reason = header_text(text_of(message, "rea"))
            _log.warning("a site refuses a request: site=%s: %s", self._settings.site, reason)

    async def tick(self) -> None:
        """Watchdogs, and a look whether ours are answered."""
        settings, loop = self._settings, asyncio.get_running_loop()
        said = loop.time()
        while True:
            await asyncio.sleep(min(settings.watchdog_s, settings.timeout_s) / 4)
            if any(loop.time() - sent > settings.timeout_s for sent in self._waiting.values()):
                raise SourceDownError(f"the site answers nothing for {settings.timeout_s:g} s")
            if loop.time() - said >= settings.watchdog_s:
                await self.say(made("Watchdog"))
                said = loop.time()


def _read_or_none(frame: bytes) -> dict[str, Any] | None:
    try:
        return read(frame)
    except ValueError:
        return None  # it is answered when its turn comes


def _id_of(frame: bytes) -> str:
    try:
        return text_of(json.loads(frame), "mId")
    except (ValueError, RecursionError):
        return ""
