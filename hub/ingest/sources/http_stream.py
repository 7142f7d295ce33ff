"""HTTP stream: one request whose answer never ends, cut into payloads by the connector's `split`.

One entry is one connection, so a recorder with all its channels is one entry: devices allow few
connections, and two to the same address are refused. Any payload feeds the watchdog, heartbeats
too; some devices stop those during an alarm. There is nothing to acknowledge: while a payload is
made durable nothing is read, so the device keeps what comes after it as long as it can.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx

from hub.connector import Piece, Split, Splitting
from hub.errors import ConfigError, PayloadError
from hub.ingest.intake import Source
from hub.ingest.sources.http_client import Access, encoding_of, refusal, translated
from hub.ingest.sources.inlet import Inlet, to_its_end
from hub.ingest.sources.transport import SourceDownError
from hub.transports import HttpStream

__all__ = ["Stream", "connect"]

# How long no byte comes until what looks whole is taken for whole.
_PAUSE_S = 0.25
# How long what is left at the end may take to become durable.
_LAST_S = 1.0


def connect(source: Source) -> "Stream":
    """The stream of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, HttpStream)
    if source.connector.split is None:
        raise ConfigError(
            f"the connector {source.connector.name} reads no streams",
            where=f"source.{source.id}.transport.kind",
            fix="use another transport, or give the connector a `split` (hub/connector.py)",
        )
    return Stream(settings, Access.of(source.id, settings), source.connector.split)


class Stream:
    """One connection to one device."""

    def __init__(self, settings: HttpStream, access: Access, split: Split) -> None:
        self._settings = settings
        self._access = access
        self._split = split

    async def run(self, inlet: Inlet) -> None:
        """Ask, and hand on what comes until it ends or falls silent."""
        settings = self._settings
        with translated():
            async with (
                self._access.client(timeout_s=settings.silence_s) as client,
                client.stream(
                    settings.method,
                    self._access.url(settings.url),
                    content=settings.body.encode() or None,
                ) as response,
            ):
                if not response.is_success:
                    raise refusal(response)
                if response.status_code != HTTPStatus.OK or encoding_of(response.headers):
                    raise SourceDownError(f"it answers {response.status_code}, not with a stream")
                split = self._split(response.headers.get("Content-Type", ""), inlet.body_bytes)
                await self._read(inlet, response, split)

    async def _read(self, inlet: Inlet, response: httpx.Response, split: Splitting) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        held = 0
        try:
            async with _chunks(response) as chunks:
                async for chunk in chunks:
                    if not await inlet.reserve(len(chunk)):
                        raise SourceDownError("the hub holds as many bodies as it can")
                    held += len(chunk)
                    pieces = _cut(inlet, split, chunk)
                    if pieces:
                        await to_its_end(_put(inlet, pieces))
                        heard = loop.time()
                    elif loop.time() - heard > self._settings.silence_s:
                        raise SourceDownError(f"nothing for {self._settings.silence_s:g} s")
                    inlet.give_back(held - split.buffered)
                    held = split.buffered
        finally:
            # Also when the hub ends: the device has sent it, and will not send it again.
            try:
                await to_its_end(_put_last(inlet, split.close()))
            finally:
                inlet.give_back(held)


@asynccontextmanager
async def _chunks(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes as they come, and an empty chunk whenever none came for a moment.

    A read is never given up for that: cancelling one would end the connection.
    """
    reading: asyncio.Task[bytes | None] | None = None
    pieces = response.aiter_raw()

    async def following() -> bytes | None:
        return await anext(pieces, None)

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal reading
        while True:
            reading = asyncio.create_task(following())
            while not (await asyncio.wait({reading}, timeout=_PAUSE_S))[0]:
                yield b""
            chunk = reading.result()
            if chunk is None:
                return
            yield chunk

    try:
        yield chunks()
    finally:
        if reading is not None and not reading.done():
            reading.cancel()
            await asyncio.wait({reading})


def _cut(inlet: Inlet, split: Splitting, chunk: bytes) -> list[Piece]:
    try:
        return split.feed(chunk) if chunk else split.pause()
    except PayloadError as error:
        inlet.refuse("too-large")
        raise SourceDownError(error.what) from error


async def _put(inlet: Inlet, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        inlet.up()
        await inlet.put(piece.body, content_type=piece.content_type)


async def _put_last(inlet: Inlet, pieces: Iterable[Piece]) -> None:
    try:
        async with asyncio.timeout(_LAST_S):
            await _put(inlet, pieces)
    except TimeoutError:
        inlet.refuse("ended-before-durable")
