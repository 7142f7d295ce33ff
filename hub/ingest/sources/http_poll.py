"""HTTP poll: asks for a document again and again, and takes it when it has changed.

What is known of the last answer (`ETag`, `Last-Modified` as the server wrote it, the SHA-256 of
each page, the cursor) is kept once all its pages are durable. A page whose SHA-256 was in the last
answer is left out and counted (`unchanged`). After a crash between a page and what is known of it
the page comes again, under the same `payload_id`, and its events under the same ids.

A 304 can be wrong for ever, so every `refresh_s` it asks without conditions.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import httpx

from hub.errors import ConfigError
from hub.ingest.intake import Snapshot, Source
from hub.ingest.limits import SwollenError, inflate
from hub.ingest.records import new_payload_id, page_payload_id
from hub.ingest.sources.http_client import Access, encoding_of, refusal, translated
from hub.ingest.sources.inlet import Inlet
from hub.ingest.sources.known import Known, pointed
from hub.ingest.sources.transport import SourceDownError
from hub.transports import HttpPoll

__all__ = ["Poll", "connect"]

_CURSOR = "{cursor}"
_CURSOR_MOST = 1_024
_OFFLOAD_BYTES = 2**16
_KEPT = ("etag", "last-modified", "date")
_NOTHING = {HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT}
_REMEMBERED = 10_000
_CHANCE = random.SystemRandom()


class _Request(NamedTuple):
    url: str
    method: str = "GET"
    body: str = ""
    conditions: Mapping[str, str] = MappingProxyType({})


class _Page(NamedTuple):
    """One page of an answer, read whole."""

    body: bytes
    content: bytes
    """Its body, inflated."""
    headers: httpx.Headers
    link: str
    """The next page by the header `Link`."""
    whole: bool
    """Whether a cut connection would have been noticed."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def connect(source: Source) -> "Poll":
    """The poll of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, HttpPoll)
    where = f"source.{source.id}.transport"
    told = settings.cursor or source.connector.cursor
    if _CURSOR in settings.url + settings.body and not told:
        raise ConfigError(
            "{cursor} is asked for, but nothing says where an answer has it",
            where=f"{where}.cursor",
            fix="write a JSON pointer such as /meta/last",
        )
    return Poll(source, settings, Access.of(source.id, settings))


class Poll:
    """One polled source. Of one that sends snapshots no page of an answer is left out."""

    def __init__(self, source: Source, settings: HttpPoll, access: Access) -> None:
        self._source = source
        self._settings = settings
        self._access = access
        asks = f"{settings.url}\0{settings.body}\0{settings.cursor}"
        self._asks = hashlib.sha256(asks.encode()).hexdigest()
        self._refreshed_at = float("-inf")
        self._taken: set[str] = set()
        """Pages that are durable while what is known of their answer is not."""

    async def run(self, inlet: Inlet) -> None:
        """Ask, wait, ask again; an answer that is none ends it."""
        settings = self._settings
        known = Known.of(await inlet.cursor(), asks=self._asks, start=settings.cursor_start)
        async with self._access.client(timeout_s=settings.timeout_s) as client:
            while True:
                with translated():
                    known = await self._ask(client, inlet, known)
                inlet.up()
                vary = settings.jitter * _CHANCE.uniform(-1, 1)
                await asyncio.sleep(settings.every_s * (1 + vary))

    async def _ask(self, client: httpx.AsyncClient, inlet: Inlet, known: Known) -> Known:
        """One answer with all its pages; what is known afterwards."""
        started = time.monotonic()
        request = self._request(known, started)
        unconditional = not request.conditions
        snapshot, hashes, cursor = new_payload_id(), list[str](), known.cursor
        first: httpx.Headers | None = None
        seen, whole = {request.url}, True
        while True:
            async with self._page(client, inlet, request) as page:
                if page is None:
                    break
                first = first or page.headers
                following = await self._next(inlet, page, request.url)
                cursor = await self._cursor(inlet, page) or cursor
                hashes.append(page.sha256)
                whole = whole and page.whole
                part = Snapshot(snapshot, len(hashes), complete=whole and not following)
                await self._put(inlet, known, page, request.url, part=part, more=bool(following))
            if not following:
                break
            if following in seen or len(seen) >= self._settings.pages_max:
                raise SourceDownError("its pages go round in a circle, or are too many")
            seen.add(following)
            request = _Request(following)
        if first is None:
            return known
        if unconditional:
            self._refreshed_at = started
        answer = known.after(
            etag=first.get("ETag", ""),
            modified=first.get("Last-Modified", ""),
            cursor=cursor,
            pages=tuple(hashes),
        )
        if answer is not known:
            await inlet.commit(answer.stored())
        self._taken.clear()
        return answer

    def _request(self, known: Known, now: float) -> _Request:
        """The first request of an answer."""
        settings = self._settings
        url = settings.url.replace(_CURSOR, quote(known.cursor, safe=""))
        body = settings.body.replace(_CURSOR, known.cursor)
        fixed = settings.method == "GET" and _CURSOR not in settings.url
        if not fixed or now - self._refreshed_at >= settings.refresh_s:
            return _Request(url, settings.method, body)
        return _Request(url, conditions=known.conditions())

    @asynccontextmanager
    async def _page(
        self, client: httpx.AsyncClient, inlet: Inlet, request: _Request
    ) -> AsyncIterator[_Page | None]:
        """One page, holding the memory of its body; None when there is nothing new."""
        settings = self._settings
        body = bytearray()
        try:
            try:
                async with (
                    asyncio.timeout(settings.timeout_s),
                    client.stream(
                        request.method,
                        self._access.url(request.url),
                        content=request.body.encode() or None,
                        headers=request.conditions,
                    ) as response,
                ):
                    if response.status_code not in _NOTHING:
                        await _read(inlet, response, body)
            except TimeoutError:
                raise SourceDownError("no whole answer in time") from None
            if response.status_code in _NOTHING:
                yield None
                return
            content = await _content(inlet, response, bytes(body))
            link = response.links.get("next", {}).get("url", "")
            yield _Page(bytes(body), content, response.headers, link, _ends(response.headers))
        finally:
            inlet.give_back(len(body))

    async def _next(self, inlet: Inlet, page: _Page, url: str) -> str:
        """Address of the next page; empty at the last. It never leads to another server."""
        way = self._settings.next
        if not way:
            return ""
        given = page.link if way == "link" else await _pointed(inlet, page, way)
        if not given:
            return ""
        following = urljoin(url, given)
        if _origin(following) != _origin(url):
            raise SourceDownError("its next page is on another server")
        return following

    async def _cursor(self, inlet: Inlet, page: _Page) -> str:
        """What a page says of where to go on; empty when it says nothing."""
        own = self._source.connector.cursor
        if self._settings.cursor:
            found = await _pointed(inlet, page, self._settings.cursor)
        elif own is not None and _CURSOR in self._settings.url + self._settings.body:
            try:
                found = await inlet.in_thread(lambda: own(page.content))
            except Exception as error:  # noqa: BLE001 - any answer is taken, whatever a connector does
                # Normalise will say what is wrong with it; until then the same is asked for.
                self._source.metrics.error("cursor-" + type(error).__name__)
                return ""
        else:
            return ""
        return found[:_CURSOR_MOST]

    async def _put(
        self, inlet: Inlet, known: Known, page: _Page, url: str, *, part: Snapshot, more: bool
    ) -> None:
        """Make a page durable, unless it is known."""
        payload_id = page_payload_id(inlet.source.id, known.count, url, page.sha256)
        alone = not more and part.page == 1
        unchanged = page.sha256 in known.pages or payload_id in self._taken
        if unchanged and (alone or not self._source.config.snapshot):
            inlet.refuse("unchanged")
            return
        headers = page.headers
        meta = {f"header.{name}": headers[name] for name in _KEPT if name in headers}
        if encoding := encoding_of(headers):
            meta["header.content-encoding"] = encoding
        await inlet.put(
            page.body,
            content_type=headers.get("Content-Type", ""),
            meta=meta,
            payload_id=payload_id,
            snapshot=part,
        )
        if len(self._taken) < _REMEMBERED:
            self._taken.add(payload_id)


async def _read(inlet: Inlet, response: httpx.Response, body: bytearray) -> None:
    """The body as sent, never more of it than the source may send."""
    if not response.is_success:
        raise refusal(response)
    if response.status_code != HTTPStatus.OK:
        raise SourceDownError(f"it answers {response.status_code}")
    encoding_of(response.headers)
    async for piece in response.aiter_raw():
        if len(body) + len(piece) > inlet.body_bytes:
            inlet.refuse("too-large")
            raise SourceDownError(f"an answer of more than {inlet.body_bytes} bytes")
        if not await inlet.reserve(len(piece)):
            raise SourceDownError("the hub holds as many bodies as it can")
        body += piece


def _ends(headers: httpx.Headers) -> bool:
    """Whether an answer says where it ends; one that ends with its connection may be cut short."""
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in headers or bool(encoding_of(headers))


async def _content(inlet: Inlet, response: httpx.Response, body: bytes) -> bytes:
    if not encoding_of(response.headers):
        return body
    limit = inlet.body_bytes
    try:
        if len(body) > _OFFLOAD_BYTES:
            return await inlet.in_thread(lambda: inflate(body, limit))
        return inflate(body, limit)
    except SwollenError:
        inlet.refuse("too-large")
        raise SourceDownError("a gzip answer that swells beyond what is allowed") from None
    except ValueError:
        raise SourceDownError("its answer is no whole gzip") from None


async def _pointed(inlet: Inlet, page: _Page, pointer: str) -> str:
    """What a JSON pointer finds in a page, as text."""
    try:
        if len(page.content) > _OFFLOAD_BYTES:
            return await inlet.in_thread(lambda: pointed(page.content, pointer))
        return pointed(page.content, pointer)
    except ValueError:
        raise SourceDownError("its answer is no JSON, so its next page is not known") from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        raise SourceDownError("its next page has no address that can be read") from None
    return parts.scheme, parts.hostname, port
