"""HTTP to a source that is not trusted: bounded answers, no redirects, no proxies, no cookies.

A body is kept as received; its encoding is only checked, as for what is pushed.
"""

import ssl
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx

from hub.errors import ConfigError
from hub.ingest.sources.tls import tls_context
from hub.ingest.sources.transport import SourceDownError
from hub.secrets import secret
from hub.transports import Credentials, Http

__all__ = ["Access", "encoding_of", "refusal", "translated"]

_CONNECT_S = 10.0
# What an answer that is none of ours (an error page, a challenge) may hold.
_OTHER_MAX = 2**16
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Access(NamedTuple):
    """How the hub reaches one source; everything in it was checked."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    """Parameters that are secrets: in no log and in no id, only in what is sent."""
    auth: httpx.Auth | None
    context: ssl.SSLContext

    @classmethod
    def of(cls, source_id: str, settings: Http) -> "Access":
        """What a source's entry asks for; `ConfigError` when it can't be had."""
        where = f"source.{source_id}.transport"
        headers = {"User-Agent": "hanoi-event-hub", "Accept-Encoding": "gzip", **settings.headers}
        for name, wanted in settings.secret_headers.items():
            headers[name] = secret(wanted, where=f"{where}.secret_headers.{name}")
        for name, text in headers.items():
            if not (name.isascii() and text.isascii() and (name + text).isprintable()):
                raise ConfigError(
                    "it has letters that no header can hold",
                    where=f"{where}: header {name}",
                    fix="use printable ASCII",
                )
        query = {
            name: secret(wanted, where=f"{where}.secret_query.{name}")
            for name, wanted in settings.secret_query.items()
        }
        return cls(
            headers,
            query,
            _auth(settings.auth, where=f"{where}.auth"),
            tls_context(settings.tls, where=f"{where}.tls"),
        )

    def url(self, text: str) -> httpx.URL:
        """An address as it is asked."""
        return httpx.URL(text).copy_merge_params(self.query) if self.query else httpx.URL(text)

    @asynccontextmanager
    async def client(self, *, timeout_s: float) -> AsyncIterator[httpx.AsyncClient]:
        """A client with one connection; `timeout_s` is for each wait on it."""
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(
            auth=self.auth,
            headers=self.headers,
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
            transport=_Bounded(verify=self.context, limits=limits, trust_env=False),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
        ) as client:
            yield client


class _Bounded(httpx.AsyncHTTPTransport):
    """Answers other than 2xx are read to a bound: authentication reads a challenge whole.

    It has to: on some firmware a connection whose challenge was not drained stays silent.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if not response.is_success:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = _Capped(response.stream)
            response.headers.pop("content-encoding", None)
        return response


class _Capped(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = _OTHER_MAX
        async for piece in self._stream:
            room -= len(piece)
            if room < 0:
                raise httpx.RemoteProtocolError("an error page without end")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._authorization = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._authorization
        yield request


def _auth(credentials: Credentials | None, *, where: str) -> httpx.Auth | None:
    if credentials is None:
        return None
    word = secret(credentials.secret, where=f"{where}.secret")
    if credentials.kind == "basic":
        return httpx.BasicAuth(credentials.user, word)
    if credentials.kind == "digest":
        return httpx.DigestAuth(credentials.user, word)
    if not (word.isascii() and word.isprintable()):
        raise ConfigError(
            "the token has letters that no header can hold",
            where=f"{where}.secret",
            fix="use printable ASCII",
        )
    return _Bearer(word)


@contextmanager
def translated() -> Iterator[None]:
    """The client's errors as an outage; their texts may quote what the peer sent, so they stay."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise SourceDownError(f"no answer in time ({type(error).__name__})") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise SourceDownError(_why(error)) from error


def _why(error: Exception) -> str:
    """The system's or OpenSSL's own words where there are any."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS with it: {(cause.reason or 'it failed').lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.strerror:
            return f"no connection: {cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    return f"the connection failed ({type(error).__name__})"


def refusal(response: httpx.Response) -> SourceDownError:
    """What an answer other than 2xx says."""
    status = response.status_code
    retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if status in _REFUSED:
        return SourceDownError(f"it refuses the credentials ({status})", fix="check `auth`")
    if response.has_redirect_location:
        return SourceDownError(f"it has moved ({status})", fix="write its new address")
    return SourceDownError(f"it answers {status}", retry_after_s=retry_after_s)


def _retry_after_s(text: str) -> float | None:
    """Seconds that a `Retry-After` asks for; None when it has none that can be read."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())


def encoding_of(headers: httpx.Headers) -> str:
    """`gzip` or nothing; any other encoding was not asked for."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return ""
    if encoding in {"gzip", "x-gzip"}:
        return "gzip"
    raise SourceDownError("it answers in an encoding that was not asked for")
