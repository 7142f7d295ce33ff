"""HTTP connections that can't be held open: a time limit on headers, and errors as problems."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from hub.ingest.problems import RefusedError, problem

__all__ = ["BoundedServer", "Connection"]

_log = logging.getLogger("hub.ingest.http")

_HEADERS_S = 10.0
_SETTINGS: dict[str, Any] = {
    "access_log": None,  # paths may end in a secret
    "keepalive_timeout": 75.0,
    "max_headers": 64,
    "max_field_size": 8_190,
    "max_line_size": 8_190,
    "lingering_time": 2.0,
    "auto_decompress": False,
}


class Connection(RequestHandler):
    """One connection; closes when a request's headers take longer than they may."""

    headers_s = _HEADERS_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._handling = False
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Parse; the clock runs from the first byte of a request to the last of its headers."""
        if not self._handling and self._due is None:
            self._expect_headers()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._timer = None
        super().connection_lost(exc)

    def begin(self) -> None:
        """The headers of a request are here."""
        self._handling = True
        self._due = None

    def end(self) -> None:
        """The request is answered; the next one may take its time to begin."""
        self._handling = False

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """An error outside the handler, such as a request that is no HTTP."""
        del message  # it quotes the request
        _log.info("request refused: status=%d error=%s", status, type(exc).__name__)
        self._due = None
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was already on its way")
        code = "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad-request"
        detail = "The request can't be read."
        answer = problem(RefusedError(HTTPStatus(status), code, detail, close=True))
        answer.headers["Server"] = "hub"
        return answer

    def _expect_headers(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self.headers_s
        if self._timer is None:
            self._timer = loop.call_at(self._due, self._look)

    def _look(self) -> None:
        """See whether headers are late. One timer serves many requests: none is made for each."""
        self._timer = None
        if self._due is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._due:
            self._timer = loop.call_at(self._due, self._look)
            return
        _log.info("connection closed: no whole request headers in time")
        self.force_close()


class BoundedServer(web.Server):
    """A server of such connections; bodies are handed on as they came, never inflated."""

    connection: type[Connection] = Connection

    def __call__(self) -> RequestHandler:
        """One more connection."""
        return self.connection(self, loop=asyncio.get_running_loop(), **_SETTINGS)
