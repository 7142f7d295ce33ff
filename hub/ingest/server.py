"""The HTTP front: takes payloads, answers once they are durable.

`POST /v1/ingest/{source_id}` with a bearer key, or `POST /v1/ingest/{source_id}/{secret}`;
`GET /healthz`, `/readyz`, `/metrics`, `/sources`. A body is kept as received; its encoding is only
checked, so that nothing enters that would swell without bound when normalise inflates it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from http import HTTPStatus
from itertools import chain
from typing import TypeVar
from urllib.parse import unquote

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from hub import metrics
from hub.config import Config
from hub.errors import HubError
from hub.ingest.auth import Door
from hub.ingest.durable import Durable
from hub.ingest.intake import Arrival, Intake, Source
from hub.ingest.limits import ByteBudget, SwollenError, TokenBucket, inflate
from hub.ingest.log import LogFullError
from hub.ingest.problems import RefusedError, problem
from hub.ingest.protocol import BoundedServer, Connection
from hub.ingest.records import new_payload_id, pack
from hub.ingest.status import Status
from hub.metrics import StageMetrics
from hub.reloading import Changes

__all__ = ["Front"]

_T = TypeVar("_T")

_log = logging.getLogger("hub.ingest.http")

BODY_S = 30.0
_HEADER_BYTES = 16 * 2**10
_RETRY_S = 2.0
# Bodies above this are hashed and inflated in a thread, so that others do not wait.
_OFFLOAD_BYTES = 2**16
# What a payload's headers may tell a connector; never credentials or cookies.
_KEPT = frozenset({"user-agent", "x-request-id", "content-encoding", "traceparent"})
_KEPT_PREFIX = "ce-"  # CloudEvents in binary mode


class Front:
    """Answers requests; `server` makes the connections."""

    def __init__(
        self,
        config: Config,
        intake: Intake,
        durable: Durable,
        status: Status,
        *,
        budget: ByteBudget,
        pool: Executor,
    ) -> None:
        self._intake = intake
        self._durable = durable
        self._status = status
        self._door = Door(config.source)
        self._budget = budget
        self._buckets = {
            id_: TokenBucket(source.limits.per_second, source.limits.burst)
            for id_, source in config.source.items()
        }
        self._metrics = StageMetrics("ingest", "", "http")
        self._pool = pool
        self._pages: dict[str, Callable[[], web.Response]] = {
            "/healthz": lambda: web.json_response({"status": "alive"}),
            "/readyz": self._ready,
            "/metrics": self._metrics_page,
            "/sources": lambda: web.json_response(status.sources()),
        }

    def server(self) -> BoundedServer:
        """A server to be given to a runner, inside the event loop."""
        return BoundedServer(self.handle)

    def take(self, config: Config, door: Door, changes: Changes) -> None:
        """Go by another configuration's sources; those that did not change keep their rates."""
        self._door = door
        for id_ in changes.removed:
            del self._buckets[id_]
        for id_ in (*changes.added, *changes.changed):
            limits = config.source[id_].limits
            self._buckets[id_] = TokenBucket(limits.per_second, limits.burst)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; nothing that goes wrong here ends the connection of another."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begin()
        response = await self._answered(request)
        # The default names the versions of Python and of the library.
        response.headers[hdrs.SERVER] = "hub"
        connection.end()
        return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except RefusedError as refused:
            return problem(refused)
        except LogFullError as error:
            self._metrics.error(error)
            return problem(_full())
        except HubError as error:
            self._metrics.error(error)
            _log.warning("a payload could not be made durable: %s", error)
            return problem(_not_durable())
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the client still gets an answer; it is logged
            self._metrics.error(error)
            _log.exception("a request failed")
            return problem(_failed())

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if page := self._pages.get(path):
            if request.method not in {"GET", "HEAD"}:
                raise self._refused(HTTPStatus.METHOD_NOT_ALLOWED, "method", "Use GET.")
            return page()
        if not path.startswith("/v1/ingest/"):
            raise self._refused(HTTPStatus.NOT_FOUND, "not-found", "There is no such page.")
        if request.method != "POST":
            raise self._refused(HTTPStatus.METHOD_NOT_ALLOWED, "method", "Use POST.")
        source = self._authenticated(request, path.removeprefix("/v1/ingest/"))
        if source.refused:
            # Not why: the answer may pass through other hands.
            detail = "This hub takes nothing from this source."
            raise self._refused(HTTPStatus.FORBIDDEN, "not-taken", detail, source, close=True)
        return await self._take(request, source)

    def _authenticated(self, request: web.BaseRequest, rest: str) -> Source:
        source_id, separator, secret = map(unquote, rest.partition("/"))
        if separator:
            right = self._door.path(source_id, secret, request.remote or "")
        else:
            right = self._door.bearer(source_id, request.headers.get(hdrs.AUTHORIZATION, ""))
        if not right:
            raise self._refused(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "The credential is missing or wrong for this address.",
            )
        return self._intake.sources[source_id]

    async def _take(self, request: web.BaseRequest, source: Source) -> web.Response:
        received_at = time.time()
        if sum(map(len, chain.from_iterable(request.raw_headers))) > _HEADER_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise self._refused(status, "headers", "The headers are too large.", source)
        if wait_s := self._buckets[source.id].take():
            raise self._refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate",
                "This source sends more than its limit.",
                source,
                retry_after_s=wait_s,
            )
        encoding = self._encoding(request, source)
        if not self._intake.log(source).has_room:
            raise self._refused_as(_full(), source)
        body = bytearray()
        try:
            await self._read(request, source, body)
            payload = bytes(body)
            if encoding:
                await self._check_inflated(payload, source)
            arrival = Arrival(
                payload,
                request.headers.get(hdrs.CONTENT_TYPE, ""),
                _meta(request, source),
                new_payload_id(),
                received_at,
            )
            acknowledged = await self._make_durable(source, arrival)
        finally:
            self._budget.give_back(len(body))
        self._intake.count(source, arrival)
        answer = f'{{"payload_id":"{arrival.payload_id}","ack":"{acknowledged}"}}'
        return web.Response(body=answer.encode(), content_type="application/json")

    async def _make_durable(self, source: Source, arrival: Arrival) -> str:
        stored = None
        if self._intake.belongs_in_evidence(len(arrival.body), arrival.content_type):
            stored = await self._in_thread(lambda: self._intake.evidence.put(arrival.body, "body"))
        record = pack(self._intake.record(source, arrival, stored=stored))
        sequence = await self._durable.append(source.lane, record)
        if source.config.ack == "replicated" and await self._durable.moved(source.lane, sequence):
            return "replicated"
        return "local"

    def _encoding(self, request: web.BaseRequest, source: Source) -> str:
        """`gzip` or nothing; any other encoding, or two, is refused."""
        given = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ()))
        encoding = given.strip().lower()
        if encoding in {"", "identity"}:
            return ""
        if encoding in {"gzip", "x-gzip"}:
            return "gzip"
        detail = "Send the body without an encoding, or with gzip once."
        raise self._refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", detail, source, close=True
        )

    async def _read(self, request: web.BaseRequest, source: Source, body: bytearray) -> None:
        """The body, never more of it than the source may send; `body` is what is reserved."""
        if (request.content_length or 0) > source.config.limits.body_bytes:
            raise self._too_large(source)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        content = request.content
        try:
            if content.is_eof():
                # It came whole with its headers, so there is nothing to wait for.
                self._hold(content.read_nowait(), source, body)
                return
            async with asyncio.timeout(BODY_S):
                while not content.at_eof():
                    self._hold(await content.readany(), source, body)
        except TimeoutError:
            detail = "The body took too long."
            raise self._refused(
                HTTPStatus.REQUEST_TIMEOUT, "slow", detail, source, close=True
            ) from None
        except (web.RequestPayloadError, HttpProcessingError):
            detail = "The body's framing is broken."
            raise self._refused(
                HTTPStatus.BAD_REQUEST, "bad-request", detail, source, close=True
            ) from None

    def _hold(self, piece: bytes, source: Source, body: bytearray) -> None:
        if len(body) + len(piece) > source.config.limits.body_bytes:
            raise self._too_large(source)
        if not self._budget.take(len(piece)):
            raise self._refused_as(_busy(), source)
        body += piece

    async def _check_inflated(self, body: bytes, source: Source) -> None:
        limit = source.config.limits.body_bytes
        try:
            if len(body) > _OFFLOAD_BYTES:
                await self._in_thread(lambda: inflate(body, limit))
            else:
                inflate(body, limit)
        except SwollenError:
            raise self._too_large(source) from None
        except ValueError:
            detail = "The body is not what Content-Encoding says."
            raise self._refused(HTTPStatus.BAD_REQUEST, "encoding-broken", detail, source) from None

    def _in_thread(self, work: Callable[[], _T]) -> Awaitable[_T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _too_large(self, source: Source) -> RefusedError:
        detail = "The body is larger than this source may send."
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return self._refused(status, "too-large", detail, source, close=True)

    def _refused(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        source: Source | None = None,
        *,
        retry_after_s: float | None = None,
        close: bool = False,
    ) -> RefusedError:
        refused = RefusedError(status, code, detail, retry_after_s=retry_after_s, close=close)
        return self._refused_as(refused, source)

    def _refused_as(self, refused: RefusedError, source: Source | None) -> RefusedError:
        """Count it; an unknown source's name is never a label."""
        if source is None:
            self._metrics.dropped(1, refused.code)
        else:
            source.metrics.dropped(1, refused.code, topic=source.topic, source_id=source.id)
        return refused

    def _ready(self) -> web.Response:
        ready, body = self._status.report()
        return web.json_response(body, status=200 if ready else 503)

    def _metrics_page(self) -> web.Response:
        self._status.measure()
        return web.Response(
            body=metrics.render(), headers={hdrs.CONTENT_TYPE: metrics.CONTENT_TYPE}
        )


def _full() -> RefusedError:
    detail = "The hub's log is full; nothing is lost if you send again."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return RefusedError(status, "log-full", detail, retry_after_s=_RETRY_S, close=True)


def _busy() -> RefusedError:
    detail = "The hub holds as many bodies as it can; send again."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return RefusedError(status, "busy", detail, retry_after_s=_RETRY_S, close=True)


def _not_durable() -> RefusedError:
    detail = "The payload could not be made durable; send it again."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return RefusedError(status, "not-durable", detail, retry_after_s=_RETRY_S, close=True)


def _failed() -> RefusedError:
    detail = "The hub failed; the payload was not acknowledged. Send it again."
    return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, close=True)


def _meta(request: web.BaseRequest, source: Source) -> dict[str, str]:
    """What may help to read the payload; the path never, as it may end in a secret."""
    meta: dict[str, str] = {}
    wanted = {source.shard_header, *source.connector.headers}
    for name, text in request.headers.items():
        lower = name.lower()
        if lower in _KEPT or lower in wanted or lower.startswith(_KEPT_PREFIX):
            meta[f"header.{lower}"] = text
    if source.config.shard == "peer":
        meta["peer"] = request.remote or ""
    return meta
