"""An ONVIF camera on a real socket, which keeps its own clock, checks proofs and misbehaves."""

import asyncio
import contextlib
import re
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import md5, sha1
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from sources_rig import Request, http

from hub.ingest.records import RawRecord

USER, PASSWORD = "hub", "right password"
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope'
    ' xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:wsa5="http://www.w3.org/2005/08/addressing"'
    ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
    ' xmlns:tev="http://www.onvif.org/ver10/events/wsdl"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:tns1="http://www.onvif.org/ver10/topics"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema"><SOAP-ENV:Body>{}</SOAP-ENV:Body>'
    "</SOAP-ENV:Envelope>"
)


def soap(body: str, status: str = "200 OK", **headers: str) -> bytes:
    """An answer."""
    given = {"Content-Type": "application/soap+xml; charset=utf-8", **headers}
    return http(ENVELOPE.format(body).encode(), status, given)


def fault(*codes: str, detail: str = "", status: str = "400 Bad Request", **headers: str) -> bytes:
    """A fault, with its codes inside one another."""
    inner = ""
    for code in reversed(codes):
        wrapped = f"<SOAP-ENV:Subcode>{inner}</SOAP-ENV:Subcode>" if inner else ""
        inner = f"<SOAP-ENV:Value>{code}</SOAP-ENV:Value>{wrapped}"
    reason = "<SOAP-ENV:Reason><SOAP-ENV:Text>secret words</SOAP-ENV:Text></SOAP-ENV:Reason>"
    told = f"<SOAP-ENV:Code>{inner}</SOAP-ENV:Code>{reason}"
    if detail:
        told += f"<SOAP-ENV:Detail>{detail}</SOAP-ENV:Detail>"
    return soap(f"<SOAP-ENV:Fault>{told}</SOAP-ENV:Fault>", status, **headers)


NOT_AUTHORIZED = ("SOAP-ENV:Sender", "ter:NotAuthorized")
UNKNOWN = fault(
    "SOAP-ENV:Receiver",
    detail='<wsrf-rw:ResourceUnknownFault xmlns:wsrf-rw="http://docs.oasis-open.org/wsrf/rw-2"/>',
)
UNSUPPORTED = fault("SOAP-ENV:Receiver", "ter:ActionNotSupported")


def crossing(number: int) -> str:
    """A line crossed."""
    return (
        "<wsnt:NotificationMessage><wsnt:Topic>tns1:RuleEngine/LineDetector/Crossed</wsnt:Topic>"
        f'<wsnt:Message><tt:Message UtcTime="2026-03-14T00:46:{number:02}Z"><tt:Source>'
        '<tt:SimpleItem Name="VideoSourceConfigurationToken" Value="vsc0"/>'
        '<tt:SimpleItem Name="Rule" Value="Vach-dung-Kim-Ma"/></tt:Source><tt:Data>'
        f'<tt:SimpleItem Name="ObjectId" Value="{number}"/></tt:Data></tt:Message></wsnt:Message>'
        "</wsnt:NotificationMessage>"
    )


Instead = Callable[[Request, asyncio.StreamWriter], bytes | None]


class Device:
    """One camera; what it does wrong is set before it is asked."""

    def __init__(self, *, proof: str = "none", clock_off_s: float = 0.0) -> None:
        self.proof = proof
        """How the hub has to prove who it is: none, token, digest or both."""
        self.clock_off_s = clock_off_s
        self.lifetime_s = 60.0
        self.tells_clock = True
        self.address = "{url}/onvif/subscription/{id}"
        self.service = "{url}/onvif/event_service"
        self.parameters = ""
        self.places = 10
        self.waits_s = 0.05
        """How long a PullMessages is held at most, whatever is asked."""
        self.instead: dict[str, Any] = {}
        """Bytes, or what makes them, instead of the answer to a request of this name."""
        self.to_tell: asyncio.Queue[str] = asyncio.Queue()
        self.asked: list[str] = []
        self.requests: list[tuple[str, Request, Element]] = []
        self.refused: Counter[str] = Counter()
        self.living: dict[str, float] = {}
        self.made = 0
        self.nonce = "nonce-1"
        self.busy = 0
        """Requests that it has not yet answered."""
        self._nonces: set[str] = set()

    @property
    def now(self) -> float:
        """Its clock."""
        return time.time() + self.clock_off_s

    def of(self, name: str) -> list[Request]:
        """What was asked by this name."""
        return [request for asked, request, _ in self.requests if asked == name]

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        action = re.search(r'action="([^"]+)"', request.headers["content-type"])
        assert action
        name = action[1].rpartition("/")[2].removesuffix("Request")
        root = fromstring(request.body)
        self.asked.append(name)
        self.requests.append((name, request, root))
        refusal = b"" if name == "GetSystemDateAndTime" else self._refusal(request, root)
        said = refusal or self.instead.get(name)
        if callable(said):
            said = said(request, writer)
        self.busy += 1
        try:
            if said is None:
                said = await getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())(request)
            writer.write(said)
        finally:
            self.busy -= 1

    def _refusal(self, request: Request, root: Element) -> bytes:
        """Why it does not believe who asks; empty when it does."""
        if self.proof in {"digest", "both"} and not self._digest_is_right(request):
            self.refused["digest"] += 1
            challenge = f'Digest realm="", nonce="{self.nonce}", qop="auth", algorithm=MD5'
            return fault(*NOT_AUTHORIZED, status="401 No", **{"WWW-Authenticate": challenge})
        if self.proof in {"token", "both"} and not self._token_is_right(root):
            self.refused["token"] += 1
            return fault(*NOT_AUTHORIZED)
        return b""

    def _digest_is_right(self, request: Request) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("authorization", "")))
        if given.get("nonce") != self.nonce or given.get("username") != USER:
            return False
        own = md5(f"{USER}::{PASSWORD}".encode()).hexdigest()
        asked = md5(f"POST:{request.target}".encode()).hexdigest()
        words = f"{own}:{self.nonce}:{given['nc']}:{given['cnonce']}:auth:{asked}"
        return md5(words.encode()).hexdigest() == given["response"]

    def _token_is_right(self, root: Element) -> bool:
        told = {str(each.tag).rpartition("}")[2]: each.text or "" for each in root.iter()}
        if not {"Username", "Password", "Nonce", "Created"} <= set(told):
            return False
        created = datetime.fromisoformat(told["Created"]).timestamp()
        digest = sha1(b64decode(told["Nonce"]) + told["Created"].encode() + PASSWORD.encode())
        is_right = (
            told["Username"] == USER
            and told["Password"] == b64encode(digest.digest()).decode()
            and abs(created - self.now) < 60
            and told["Nonce"] not in self._nonces
        )
        self._nonces.add(told["Nonce"])
        return is_right

    async def get_system_date_and_time(self, _request: Request) -> bytes:
        if not self.tells_clock:
            date = f"{datetime.fromtimestamp(self.now, UTC):%a, %d %b %Y %H:%M:%S GMT}"
            return fault(*NOT_AUTHORIZED, Date=date)
        at = datetime.fromtimestamp(self.now, UTC)
        return soap(
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime><tt:Time>"
            f"<tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute>"
            f"<tt:Second>{at.second}</tt:Second></tt:Time><tt:Date><tt:Year>{at.year}</tt:Year>"
            f"<tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date></tt:UTCDateTime>"
            "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    async def get_capabilities(self, request: Request) -> bytes:
        return soap(
            "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Events>"
            f"<tt:XAddr>{self._filled(self.service, request)}</tt:XAddr></tt:Events>"
            "</tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    async def get_services(self, request: Request) -> bytes:
        service = "<tds:Service><tds:Namespace>{}</tds:Namespace><tds:XAddr>{}</tds:XAddr>"
        pairs = (
            ("http://www.onvif.org/ver10/media/wsdl", "http://127.0.0.1:1/media"),
            (
                "http://www.onvif.org/ver10/events/wsdl",
                self._filled(self.service, request),
            ),
        )
        told = "".join(service.format(*pair) + "</tds:Service>" for pair in pairs)
        return soap(f"<tds:GetServicesResponse>{told}</tds:GetServicesResponse>")

    async def create_pull_point_subscription(self, request: Request) -> bytes:
        if len(self.living) >= self.places:
            return fault("SOAP-ENV:Receiver", "ter:MaxPullPoints")
        self.made += 1
        id_ = str(self.made)
        self.living[id_] = self.now + self.lifetime_s
        parameters = self.parameters.format(id=id_)
        return soap(
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa5:Address>"
            f"{self._filled(self.address, request, id_)}</wsa5:Address>{parameters}"
            f"</tev:SubscriptionReference>{self._lease(id_, 'wsnt')}"
            "</tev:CreatePullPointSubscriptionResponse>"
        )

    async def set_synchronization_point(self, _request: Request) -> bytes:
        return soap("<tev:SetSynchronizationPointResponse/>")

    async def pull_messages(self, request: Request) -> bytes:
        id_ = self._id(request)
        if id_ is None:
            return UNKNOWN
        told = []
        wanted = re.search(rb"Timeout>PT([0-9.]+)S<", request.body)
        assert wanted
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self.waits_s, float(wanted[1])) or 0.01):
                told.append(await self.to_tell.get())
        if id_ not in self.living:
            return UNKNOWN
        while not self.to_tell.empty():
            told.append(self.to_tell.get_nowait())
        return soap(
            f"<tev:PullMessagesResponse>{self._lease(id_, 'tev')}{''.join(told)}"
            "</tev:PullMessagesResponse>"
        )

    async def renew(self, request: Request) -> bytes:
        id_ = self._id(request)
        if id_ is None:
            return UNKNOWN
        self.living[id_] = self.now + self.lifetime_s
        return soap(f"<wsnt:RenewResponse>{self._lease(id_, 'wsnt')}</wsnt:RenewResponse>")

    async def unsubscribe(self, request: Request) -> bytes:
        id_ = self._id(request)
        if id_ is None:
            return UNKNOWN
        del self.living[id_]
        return soap("<wsnt:UnsubscribeResponse/>")

    def _id(self, request: Request) -> str | None:
        """The subscription that a request is about, if it lives."""
        told = re.search(rb"SubscriptionId[^>]*>(\d+)<", request.body)
        id_ = told[1].decode() if told else request.target.rpartition("/")[2]
        if self.living.get(id_, 0.0) <= self.now:
            self.living.pop(id_, None)
            return None
        return id_

    def _lease(self, id_: str, prefix: str) -> str:
        def stamp(at: float) -> str:
            return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

        ends = stamp(self.living[id_])
        return (
            f"<{prefix}:CurrentTime>\n {stamp(self.now)}\n</{prefix}:CurrentTime>"
            f"<{prefix}:TerminationTime>{ends}</{prefix}:TerminationTime>"
        )

    def _filled(self, template: str, request: Request, id_: str = "") -> str:
        return template.format(url=f"http://{request.headers['host']}", id=id_)


def camera(url: str, **more: Any) -> dict[str, Any]:
    """The entry of a camera."""
    settings = {"kind": "onvif_pullpoint", "url": url, "wait_s": 1, "timeout_s": 5, **more}
    return {"cam": {"connector": "plain_test", "transport": settings}}


def tell(device: Device, *numbers: int) -> None:
    """Have lines crossed."""
    for number in numbers:
        device.to_tell.put_nowait(crossing(number))


def told(records: list[RawRecord]) -> list[int]:
    """Which crossings are in the log, in their order."""
    text = b"".join(record.value for record in records).decode()
    return [int(number) for number in re.findall(r'"ObjectId" Value="(\d+)"', text)]
