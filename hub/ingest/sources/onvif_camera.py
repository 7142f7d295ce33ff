"""One ONVIF camera on one connection: asked one thing at a time, in the way it wants it proven.

First with a WS-UsernameToken, signed with the camera's own clock: a camera refuses a stamp that is
minutes off, and its clock may be off by hours. When it challenges instead (401), with HTTP digest,
without the token, as ONVIF Core says; with both when it refuses that. At a refusal its clock is
read again, once.
"""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from xml.etree.ElementTree import Element

import httpx

from hub.ingest.sources.http_client import encoding_of, refusal
from hub.ingest.sources.inlet import Inlet
from hub.ingest.sources.onvif_soap import (
    CAPABILITIES,
    SERVICES,
    SYSTEM_TIME,
    Fault,
    Request,
    Target,
    envelope,
    event_service,
    fault_of,
    holds_notifications,
    reachable,
    read,
    system_time,
    token,
    utc,
)
from hub.ingest.sources.transport import SourceDownError
from hub.transports import OnvifPullpoint

__all__ = ["Answer", "Camera", "DeclinedError", "Login", "NoAnswerError"]

_DEVICE_SERVICE = b"/onvif/device_service"
_OFFLOAD_BYTES = 2**16
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class DeclinedError(SourceDownError):
    """The camera answered that it does not do this, or nothing that says that it did."""

    def __init__(self, what: str, fault: Fault, *, is_unknown: bool) -> None:
        super().__init__(what)
        self.fault = fault
        self.is_unknown = is_unknown
        """Whether what was asked is not there (any more)."""


class NoAnswerError(SourceDownError):
    """The camera ended the connection without any answer."""


class Answer(NamedTuple):
    """An answer that is no fault."""

    body: bytes
    content_type: str
    root: Element | None
    """Its document; None is possible only for what the connector must read, not the hub."""

    @property
    def document(self) -> Element:
        """The document of an answer that the hub must read."""
        assert self.root is not None
        return self.root

    @property
    def holds_notifications(self) -> bool:
        """Whether it tells something."""
        return holds_notifications(self.root, self.body)


class Login:
    """Who the hub is, and how this camera wants that proven; outlasts the connection."""

    def __init__(self, user: str, password: str | None) -> None:
        self._user = user
        self._password = password
        self.by_token = password is not None
        self.digest: httpx.DigestAuth | None = None
        self.offset_s = 0.0
        """The camera's clock minus this one."""

    @property
    def now(self) -> float:
        """The camera's clock, in seconds since 1970."""
        return time.time() + self.offset_s

    def token(self) -> str:
        """A fresh token; empty where none is wanted."""
        if self._password is None or not self.by_token:
            return ""
        return token(self._user, self._password, created=utc(self.now), nonce=os.urandom(16))

    def otherwise(self, *, challenged: bool) -> bool:
        """Whether there is another way to prove it than the one that was refused."""
        if self._password is None:
            return False
        if challenged and self.digest is None:
            self.digest = httpx.DigestAuth(self._user, self._password)
            self.by_token = False
            return True
        if not challenged and not self.by_token:
            self.by_token = True
            return True
        return False

    def forget(self) -> None:
        """Begin anew: nothing that was tried is believed."""
        self.by_token, self.digest = self._password is not None, None


class Camera:
    """What the hub asks of a camera."""

    def __init__(
        self, client: httpx.AsyncClient, settings: OnvifPullpoint, login: Login, inlet: Inlet
    ) -> None:
        self._client = client
        self._settings = settings
        self._inlet = inlet
        self.login = login
        url = httpx.URL(settings.url)
        if url.path in {"", "/"}:
            url = url.copy_with(raw_path=_DEVICE_SERVICE)
        self._device = Target(str(url))
        self._events: Target | None = None
        if settings.events:
            self._events = Target(str(url.copy_with(raw_path=settings.events.encode())))
        self._peer = ""
        self._was_asked = False

    @asynccontextmanager
    async def asked(
        self, request: Request, target: Target, *, within_s: float = 0.0
    ) -> AsyncIterator[Answer]:
        """Ask, holding the memory of the answer; `DeclinedError` when it says no."""
        body = bytearray()
        try:
            async with asyncio.timeout(within_s or self._settings.timeout_s):
                response, root = await self._proven(request, target, body)
            content_type = response.headers.get("Content-Type", "")
            yield Answer(bytes(body), content_type, root)
        finally:
            self._inlet.give_back(len(body))

    async def set_clock(self) -> None:
        """Read the camera's clock, which needs no proof; from any answer's `Date` if need be."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._post(SYSTEM_TIME, self._device, body, proven=False)
            root = read(bytes(body))
        finally:
            self._inlet.give_back(len(body))
        told = system_time(root) if root is not None else None
        told = _date(response) if told is None else told
        self.login.offset_s = 0.0 if told is None else told - time.time()

    async def event_service(self) -> Target:
        """Where its events are to be had."""
        if self._events is None:
            told = ""
            # The first is old, and known to all but a few of the newest.
            for request in (CAPABILITIES, SERVICES):
                try:
                    async with self.asked(request, self._device) as answer:
                        told = event_service(answer.document)
                except DeclinedError:
                    continue
                if told:
                    break
            else:
                raise SourceDownError("it names no event service: if it has one, write `events`")
            self._events = Target(self.reach(told))
        return self._events

    def reach(self, told: str) -> str:
        """Where to go for an address that the camera tells: to no other host."""
        url = self._events.url if self._events else self._device.url
        return reachable(told, url, peer=self._peer, keep_port=self._settings.keep_port)

    async def _proven(
        self, request: Request, target: Target, body: bytearray
    ) -> tuple[httpx.Response, Element | None]:
        """The answer to a request whose proof the camera took."""
        clock_is_fresh = False
        while True:
            response = await self._post(request, target, body)
            root = await self._read(body)
            fault = fault_of(root) if root is not None else None
            if response.status_code not in _REFUSED and not (fault and fault.is_refusal):
                break
            challenges = response.headers.get_list("WWW-Authenticate")
            challenged = any(each.lower().startswith("digest ") for each in challenges)
            if not self.login.otherwise(challenged=challenged):
                if clock_is_fresh or challenged or not self.login.by_token:
                    self.login.forget()
                    raise SourceDownError(
                        f"it refuses the credentials ({response.status_code})",
                        fix="check `user`, `secret` and what this user may do",
                    )
                await self.set_clock()
                clock_is_fresh = True
            self._inlet.give_back(len(body))
            body.clear()
        self._check(request, response, root, fault)
        return response, root

    def _check(
        self,
        request: Request,
        response: httpx.Response,
        root: Element | None,
        fault: Fault | None,
    ) -> None:
        """Refuse what is no answer to it."""
        status = response.status_code
        if fault is not None:
            told = ", ".join(fault.codes) or "without a code"
            text = f"it answers {request.name} with a fault ({told})"
            raise DeclinedError(text, fault, is_unknown=fault.is_unknown)
        if status in _BUSY or response.has_redirect_location:
            raise refusal(response)
        if not response.is_success:
            text = f"it answers {request.name} with {status}"
            raise DeclinedError(text, Fault(), is_unknown=status in _GONE)
        if root is None and not request.waits:
            text = f"its answer to {request.name} is no SOAP"
            raise DeclinedError(text, Fault(), is_unknown=False)

    async def _read(self, body: bytearray) -> Element | None:
        data = bytes(body)
        if len(data) > _OFFLOAD_BYTES:
            return await self._inlet.in_thread(lambda: read(data))
        return read(data)

    async def _post(
        self, request: Request, target: Target, body: bytearray, *, proven: bool = True
    ) -> httpx.Response:
        """Ask once, and take the answer into `body`, whatever it is."""
        headers = {
            "Content-Type": f'application/soap+xml; charset=utf-8; action="{request.action}"',
            # Of SOAP 1.1; some devices look for nothing else.
            "SOAPAction": f'"{request.action}"',
        }

        def made() -> httpx.Request:
            proof = self.login.token() if proven else ""
            content = envelope(request, target, message_id=str(uuid.uuid4()), proof=proof)
            return self._client.build_request("POST", target.url, content=content, headers=headers)

        response = await self._opened(
            made, self.login.digest if proven else None, again=self._was_asked and not request.waits
        )
        try:
            stream = response.extensions.get("network_stream")
            if stream is not None:
                self._peer = str((stream.get_extra_info("server_addr") or ("",))[0])
            await self._take(response, body)
        finally:
            await response.aclose()
        self._was_asked = True
        return response

    async def _opened(
        self, made: Callable[[], httpx.Request], auth: httpx.Auth | None, *, again: bool
    ) -> httpx.Response:
        """Cameras end idle connections without a word: what was asked on one is asked again."""
        while True:
            try:
                return await self._client.send(made(), auth=auth, stream=True)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                if not again:
                    text = "it ended the connection instead of answering"
                    raise NoAnswerError(text) from error
                again = False
            except (ValueError, LookupError, NotImplementedError) as error:
                # What the client's digest makes of a challenge that is none.
                raise SourceDownError("its challenge for a password can't be read") from error

    async def _take(self, response: httpx.Response, body: bytearray) -> None:
        if encoding_of(response.headers):
            raise SourceDownError("it answers in an encoding that was not asked for")
        limit = self._inlet.body_bytes
        async for piece in response.aiter_raw():
            if len(body) + len(piece) > limit:
                self._inlet.refuse("too-large")
                raise SourceDownError(f"an answer of more than {limit} bytes")
            if not await self._inlet.reserve(len(piece)):
                raise SourceDownError("the hub holds as many bodies as it can")
            body += piece


def _date(response: httpx.Response) -> float | None:
    try:
        at = parsedate_to_datetime(response.headers.get("Date", ""))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
