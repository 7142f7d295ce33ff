"""ONVIF PullPoint: subscribes at a camera, and asks it again and again what has happened.

A camera has few places for subscribers, so there is one subscription, short-lived and renewed at
half of its life as the camera's own clock has it; it is ended when the hub stops, and taken up
again after a broken connection or a crash (its address and end are the cursor). Where the camera
can't renew, another one is made before it ends, and the old one is read out and ended after that.
A camera that has forgotten it gets another one at once. After each connect the camera is asked for
its states (SetSynchronizationPoint); the connector knows them as replayed.

An answer is handed on as it came, durable before the next is asked; one without a notification is
a heartbeat. What a camera has told it does not tell again: what was under way when the hub was
killed is lost, and what it forgets while it is not asked.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Any

import httpx

from hub.errors import ConfigError, HubError
from hub.ingest.intake import Source
from hub.ingest.sources.http_client import Access, translated
from hub.ingest.sources.inlet import Inlet, to_its_end
from hub.ingest.sources.onvif_camera import Answer, Camera, DeclinedError, Login, NoAnswerError
from hub.ingest.sources.onvif_soap import (
    SYNCHRONIZE,
    UNSUBSCRIBE,
    Fault,
    Lease,
    Target,
    create,
    lease_of,
    pull,
    renew,
    target_of,
    utc,
)
from hub.ingest.sources.tls import tls_context
from hub.ingest.sources.transport import SourceDownError
from hub.secrets import secret
from hub.transports import OnvifPullpoint

__all__ = ["PullPoint", "connect"]

_log = logging.getLogger("hub.ingest.sources")

_TNS1 = {"tns1": "http://www.onvif.org/ver10/topics"}
# Cameras that do not wait for something to happen are asked no more often than this.
_PACE_S = 1.0
# A new subscription is first asked for so long: the states come at once, and prove that it works.
_FIRST_S = 2.0
# A subscription that is lost sooner than this is an outage, with its pauses; else it is life.
_SETTLED_S = 10.0
# How long a camera may take to hear that the hub leaves.
_LEAVE_S = 2.0
# Shares of its life before the end of a subscription: to renew it, or to make another one.
_RENEW, _REPLACE, _NOT_BEFORE = 1 / 2, 1 / 6, 1 / 4


def connect(source: Source) -> "PullPoint":
    """The subscription of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, OnvifPullpoint)
    where = f"source.{source.id}.transport"
    if bool(settings.user) != bool(settings.secret):
        raise ConfigError(
            "`user` and `secret` go together", where=where, fix="write both, or neither"
        )
    password = secret(settings.secret, where=f"{where}.secret") if settings.secret else None
    headers = {"User-Agent": "hanoi-event-hub", "Accept-Encoding": "identity"}
    access = Access(headers, {}, None, tls_context(settings.tls, where=f"{where}.tls"))
    return PullPoint(source.id, settings, access, Login(settings.user, password))


@dataclass(slots=True)
class _Point:
    """A subscription; times are this process's (monotonic), translated from the camera's clock."""

    target: Target
    granted_s: float
    """Its whole life when it was last made or renewed."""
    made_at: float
    ends_at: float
    clock_s: float
    """The camera's clock minus this process's."""
    renewed_at: float = 0.0
    renewable: bool = True
    heard: bool = False

    def live_on(self, lease: Lease | None, now: float) -> None:
        """Take what the camera says of its end; an answer may say nothing."""
        if lease is not None:
            self.clock_s = lease.now - now
            self.ends_at = now + lease.left_s

    @property
    def due_at(self) -> float:
        """When something must be done for it to live on."""
        share = _RENEW if self.renewable else _REPLACE
        earliest = self.renewed_at + self.granted_s * _NOT_BEFORE
        return max(self.ends_at - self.granted_s * share, earliest)


class PullPoint:
    """One camera's subscription, which outlasts connections."""

    def __init__(
        self, source_id: str, settings: OnvifPullpoint, access: Access, login: Login
    ) -> None:
        self._id = source_id
        self._settings = settings
        self._access = access
        self._login = login
        asks = settings.model_dump_json(
            include={"url", "user", "events", "keep_port", "topics", "prefixes"}
        )
        self._asks = hashlib.sha256(asks.encode()).hexdigest()
        self._wait_s, self._messages = settings.wait_s, settings.messages
        self._point: _Point | None = None
        self._is_read = False
        """Whether the cursor, of a process before this one, was looked at."""

    async def run(self, inlet: Inlet) -> None:
        """Ask until the connection ends; being cancelled, tell the camera."""
        settings = self._settings
        with translated():
            timeout_s = settings.wait_s + settings.timeout_s
            async with self._access.client(timeout_s=timeout_s) as client:
                camera = Camera(client, settings, self._login, inlet)
                try:
                    await self._serve(camera, inlet)
                except asyncio.CancelledError:
                    await self._leave(camera, inlet)
                    raise

    async def _serve(self, camera: Camera, inlet: Inlet) -> None:
        await camera.set_clock()
        point = await self._kept(camera, inlet) or await self._created(camera, inlet)
        while True:
            point = await self._alive(camera, inlet, point)
            if not point.heard:
                await _synchronize(camera, point)
            try:
                await self._pull(camera, inlet, point)
            except DeclinedError as error:
                self._point = None
                if not error.is_unknown:
                    await _end(camera, point)
                    raise
                if time.monotonic() - point.made_at < _SETTLED_S:
                    raise
                _log.info("the camera has forgotten its subscription: source=%s", self._id)
                point = await self._created(camera, inlet)

    async def _kept(self, camera: Camera, inlet: Inlet) -> _Point | None:
        """The subscription of the connection before, if it still lives.

        It is tried once: what its address leads to may be gone for good.
        """
        point, self._point = self._point, None
        if not self._is_read:
            self._is_read = True
            point = self._stored(await inlet.cursor(), self._login.now)
        if point is None or time.monotonic() >= point.ends_at:
            return None
        if not (point.renewable and await self._renewed(camera, inlet, point)):
            await _end(camera, point)
            return None
        self._point, point.heard = point, False
        return point

    async def _created(self, camera: Camera, inlet: Inlet) -> _Point:
        """A new subscription, for a while from now; in the form that this camera takes."""
        settings = self._settings
        service = await camera.event_service()
        prefixes = {**_TNS1, **settings.prefixes}
        until = f"PT{settings.lifetime_s}S"
        try:
            async with camera.asked(create(settings.topics, prefixes, until), service) as answer:
                point = self._made(camera, answer)
        except DeclinedError:
            until = utc(camera.login.now + settings.lifetime_s)
            async with camera.asked(create(settings.topics, prefixes, until), service) as answer:
                point = self._made(camera, answer)
        self._point = point
        await self._commit(inlet, point)
        return point

    def _made(self, camera: Camera, answer: Answer) -> _Point:
        now, lifetime_s = time.monotonic(), float(self._settings.lifetime_s)
        try:
            address, parameters = target_of(answer.document)
        except ValueError as error:
            raise SourceDownError(f"its subscription can't be used: {error}") from None
        camera_now = camera.login.now
        lease = lease_of(answer.document) or Lease(camera_now, camera_now + lifetime_s)
        target = Target(camera.reach(address), address, parameters)
        return _Point(target, lease.left_s, now, now + lease.left_s, lease.now - now, now)

    async def _alive(self, camera: Camera, inlet: Inlet, point: _Point) -> _Point:
        """This subscription, renewed if it is time to, or the one that takes its place."""
        if time.monotonic() < point.due_at:
            return point
        if point.renewable and await self._renewed(camera, inlet, point):
            return point
        if time.monotonic() < point.due_at:
            return point
        try:
            successor = await self._created(camera, inlet)
        except DeclinedError:
            # It may have no place for two.
            await _end(camera, point)
            successor = await self._created(camera, inlet)
        else:
            with contextlib.suppress(DeclinedError, NoAnswerError):
                await self._ask(camera, inlet, point, wait_s=0.0)
            await _end(camera, point)
        successor.renewable = point.renewable
        return successor

    async def _renewed(self, camera: Camera, inlet: Inlet, point: _Point) -> bool:
        """Whether it lives on. A time first: many refuse a duration here, some a time."""
        lifetime_s = self._settings.lifetime_s
        now = time.monotonic()
        for until in (utc(now + point.clock_s + lifetime_s), f"PT{lifetime_s}S"):
            try:
                async with camera.asked(renew(until), point.target) as answer:
                    told = lease_of(answer.document, now=now + point.clock_s)
            except DeclinedError as error:
                if error.is_unknown:
                    point.ends_at = point.renewed_at = float("-inf")
                    return False
                continue
            except NoAnswerError:
                # That may be its way to refuse, or chance: a successor can try again.
                return False
            lease = told or Lease(now + point.clock_s, now + point.clock_s + lifetime_s)
            point.live_on(lease, now)
            point.granted_s, point.renewed_at = lease.left_s, now
            await self._commit(inlet, point)
            return True
        point.renewable = False
        return False

    async def _pull(self, camera: Camera, inlet: Inlet, point: _Point) -> None:
        """One answer, and no more of them than the camera should give."""
        started = time.monotonic()
        wait_s = min(self._wait_s, max(_PACE_S, point.due_at - started))
        if not point.heard:
            wait_s = min(wait_s, _FIRST_S)
        try:
            has_told = await self._ask(camera, inlet, point, wait_s=wait_s)
        except NoAnswerError:
            # Some end the connection when nothing has happened; that it is there, Renew can say.
            if not (point.renewable and await self._renewed(camera, inlet, point)):
                raise
            has_told = False
        except DeclinedError as error:
            if not self._asks_less(error.fault):
                raise
            return
        point.heard = True
        inlet.up()
        if not has_told:
            await asyncio.sleep(max(0.0, started + min(_PACE_S, wait_s) - time.monotonic()))

    async def _ask(self, camera: Camera, inlet: Inlet, point: _Point, *, wait_s: float) -> bool:
        """One answer, durable; whether it told anything."""
        request = pull(wait_s, self._messages)
        within_s = wait_s + self._settings.timeout_s
        async with camera.asked(request, point.target, within_s=within_s) as answer:
            has_told = answer.holds_notifications
            if answer.root is not None:
                point.live_on(lease_of(answer.root), time.monotonic())
            elif not has_told:
                raise SourceDownError(f"its answer to {request.name} is no SOAP")
            if has_told:
                inlet.up()
                await to_its_end(inlet.put(answer.body, content_type=answer.content_type))
        return has_told

    def _asks_less(self, fault: Fault) -> bool:
        """Whether the camera has said what it can do, and that is less than was asked."""
        wait_s = min(self._wait_s, fault.wait_s or self._wait_s)
        messages = min(self._messages, fault.limit or self._messages)
        is_less = (wait_s, messages) != (self._wait_s, self._messages)
        self._wait_s, self._messages = wait_s, messages
        return is_less

    async def _leave(self, camera: Camera, inlet: Inlet) -> None:
        """Give the camera its place back."""
        point, self._point = self._point, None
        with contextlib.suppress(HubError, httpx.HTTPError, httpx.InvalidURL, OSError):
            async with asyncio.timeout(_LEAVE_S):
                if point is not None and await _end(camera, point):
                    await inlet.commit({})

    async def _commit(self, inlet: Inlet, point: _Point) -> None:
        """Keep where it is and how long it lives, for whoever comes after a crash."""
        left_s = point.ends_at - time.monotonic()
        await inlet.commit(
            {
                "asks": self._asks,
                "url": point.target.url,
                "to": point.target.to,
                "parameters": point.target.parameters,
                "ends": time.time() + left_s,
                "granted_s": point.granted_s,
            }
        )

    def _stored(self, stored: dict[str, Any], camera_now: float) -> _Point | None:
        if stored.get("asks") != self._asks:
            return None
        now, left_s = time.monotonic(), float(stored["ends"]) - time.time()
        granted_s = float(stored["granted_s"])
        if not 0 < left_s <= granted_s:
            return None
        target = Target(*(str(stored[name]) for name in ("url", "to", "parameters")))
        return _Point(target, granted_s, now, now + left_s, camera_now - now)


async def _synchronize(camera: Camera, point: _Point) -> None:
    """Have it tell all its states; a camera that can't, in whatever way, tells them as they change.

    If there is more wrong with it than that, it shows at the next question.
    """
    with contextlib.suppress(SourceDownError, TimeoutError, httpx.TimeoutException):
        async with camera.asked(SYNCHRONIZE, point.target):
            pass


async def _end(camera: Camera, point: _Point) -> bool:
    """Free its place; whether the camera said so."""
    try:
        async with camera.asked(UNSUBSCRIBE, point.target):
            return True
    except (DeclinedError, NoAnswerError):
        return False
