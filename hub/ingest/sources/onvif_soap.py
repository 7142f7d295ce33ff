"""ONVIF's SOAP, as far as a pull point needs it: what is asked, and what an answer says. Pure.

Written by hand: ONVIF Core (device and event services), WS-BaseNotification 1.3, WS-Addressing 1.0,
WS-Security UsernameToken 1.0. Requests have the prefixes of the specification's examples, as some
devices compare texts. Answers are not trusted: no entities, no DTD, elements by local names.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError, tostring
from xml.sax.saxutils import escape, quoteattr

from defusedxml.ElementTree import fromstring

__all__ = [
    "CAPABILITIES",
    "SERVICES",
    "SYNCHRONIZE",
    "SYSTEM_TIME",
    "UNSUBSCRIBE",
    "Fault",
    "Lease",
    "Request",
    "Target",
    "create",
    "envelope",
    "event_service",
    "fault_of",
    "holds_notifications",
    "lease_of",
    "pull",
    "reachable",
    "read",
    "renew",
    "seconds_of",
    "system_time",
    "target_of",
    "token",
    "utc",
]

_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_POINT = f"{_EVENTS}/PullPointSubscription"
_MANAGER = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_CONCRETE = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
_TEXT_MAX, _PARAMETERS_MAX, _CODES_MAX = 2_048, 4_096, 6
_LEASE_MAX_S = 86_400.0
_LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d{1,9})?)(?:Z|([+-])(\d\d):?(\d\d))?"
)
_DURATION = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6}(?:\.\d{1,9})?)S)?")
# As connectors know it, also as the specification's own example misspells it.
_NOTIFICATIONS = frozenset({"NotificationMessage", "NotficationMessage"})
_NOTIFICATION = re.compile(rb"<(?:[\w.-]{1,64}:)?Noti?ficationMessage[\s/>]")
# Words of the faults of a camera to which the proof of who asks does not do.
_REFUSALS = ("notauthorized", "failedauthentication", "invalidsecurity", "messageexpired")
_UNKNOWN = frozenset({"ResourceUnknownFault", "ResourceUnknown", "NoSubscription"})


class Request(NamedTuple):
    """What is asked."""

    action: str
    body: str
    addressed: bool = True
    """Whether it needs WS-Addressing, which the device service of older devices does not know."""
    waits: bool = False
    """Whether the camera answers only when it has something to tell."""

    @property
    def name(self) -> str:
        """As people know it."""
        return self.action.rpartition("/")[2].removesuffix("Request")


class Target(NamedTuple):
    """Whom it is asked."""

    url: str
    to: str = ""
    """Its address in its own words, which may be no URL; empty: the URL."""
    parameters: str = ""
    """What the camera wants to be given back with each request (XML)."""


SYSTEM_TIME = Request(
    f"{_DEVICE}/GetSystemDateAndTime", "<tds:GetSystemDateAndTime/>", addressed=False
)
SERVICES = Request(
    f"{_DEVICE}/GetServices",
    "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>",
    addressed=False,
)
CAPABILITIES = Request(
    f"{_DEVICE}/GetCapabilities",
    "<tds:GetCapabilities><tds:Category>Events</tds:Category></tds:GetCapabilities>",
    addressed=False,
)
SYNCHRONIZE = Request(f"{_POINT}/SetSynchronizationPointRequest", "<tev:SetSynchronizationPoint/>")
UNSUBSCRIBE = Request(f"{_MANAGER}/UnsubscribeRequest", "<wsnt:Unsubscribe/>")


def create(topics: Sequence[str], prefixes: Mapping[str, str], until: str) -> Request:
    """Subscribe; `until` is a duration or a time of the camera's clock."""
    wanted = ""
    if topics:
        names = "".join(f" xmlns:{name}={quoteattr(uri)}" for name, uri in sorted(prefixes.items()))
        wanted = (
            f'<tev:Filter><wsnt:TopicExpression Dialect="{_CONCRETE}"{names}>'
            f"{escape('|'.join(topics))}</wsnt:TopicExpression></tev:Filter>"
        )
    return Request(
        f"{_EVENTS}/EventPortType/CreatePullPointSubscriptionRequest",
        f"<tev:CreatePullPointSubscription>{wanted}<tev:InitialTerminationTime>{until}"
        "</tev:InitialTerminationTime></tev:CreatePullPointSubscription>",
    )


def pull(wait_s: float, limit: int) -> Request:
    """What has happened, at once or as soon as something does."""
    # Not all cameras read fractions of a second.
    seconds = f"{int(wait_s)}" if wait_s >= 1 else f"{wait_s:.2g}"
    return Request(
        f"{_POINT}/PullMessagesRequest",
        f"<tev:PullMessages><tev:Timeout>PT{seconds}S</tev:Timeout>"
        f"<tev:MessageLimit>{limit}</tev:MessageLimit></tev:PullMessages>",
        waits=True,
    )


def renew(until: str) -> Request:
    """Keep the subscription."""
    return Request(
        f"{_MANAGER}/RenewRequest",
        f"<wsnt:Renew><wsnt:TerminationTime>{until}</wsnt:TerminationTime></wsnt:Renew>",
    )


def envelope(request: Request, target: Target, *, message_id: str, proof: str = "") -> bytes:
    """A request as it is sent; `proof` is a token, or nothing."""
    addressing = ""
    if request.addressed:
        addressing = (
            f"<wsa:Action>{request.action}</wsa:Action>"
            f"<wsa:MessageID>urn:uuid:{message_id}</wsa:MessageID>"
            f"<wsa:ReplyTo><wsa:Address>{_ADDRESSING}/anonymous</wsa:Address></wsa:ReplyTo>"
            f"<wsa:To>{escape(target.to or target.url)}</wsa:To>{target.parameters}"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        f' xmlns:wsa="{_ADDRESSING}" xmlns:tds="{_DEVICE}" xmlns:tev="{_EVENTS}"'
        ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2">'
        f"<s:Header>{addressing}{proof}</s:Header><s:Body>{request.body}</s:Body></s:Envelope>"
    ).encode()


def token(user: str, password: str, *, created: str, nonce: bytes) -> str:
    """A UsernameToken with the password's digest, good for one request."""
    digest = hashlib.sha1(nonce + created.encode() + password.encode())  # noqa: S324 - as the profile says
    return (
        f'<wsse:Security xmlns:wsse="{_WSS}-wssecurity-secext-1.0.xsd"'
        f' xmlns:wsu="{_WSS}-wssecurity-utility-1.0.xsd"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(user)}</wsse:Username>"
        f'<wsse:Password Type="{_WSS}-username-token-profile-1.0#PasswordDigest">'
        f"{b64encode(digest.digest()).decode()}</wsse:Password>"
        f'<wsse:Nonce EncodingType="{_WSS}-soap-message-security-1.0#Base64Binary">'
        f"{b64encode(nonce).decode()}</wsse:Nonce><wsu:Created>{created}</wsu:Created>"
        "</wsse:UsernameToken></wsse:Security>"
    )


def utc(seconds: float) -> str:
    """Seconds since 1970 as cameras read them: whole ones, in UTC; none beyond year 9999."""
    at = datetime.fromtimestamp(min(max(int(seconds), 0), _LAST), UTC)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def seconds_of(text: str) -> float | None:
    """Seconds since 1970 of a stamp; one without a zone is UTC, and minute 61 is one too many."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, sign, *offset = found.groups()
    try:
        start = datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    seconds = start + 3_600 * int(hour) + 60 * int(minute) + float(second)
    if sign:
        seconds -= (3_600 * int(offset[0]) + 60 * int(offset[1])) * (-1 if sign == "-" else 1)
    return seconds


def read(body: bytes) -> Element | None:
    """An answer's document; None for what is none, and for one with a DTD or entities."""
    try:
        root: Element = fromstring(body.strip(_BLANK), forbid_dtd=True)
    except (ParseError, ValueError, LookupError, RecursionError):
        return None
    return root


def holds_notifications(root: Element | None, body: bytes) -> bool:
    """Whether an answer tells something; also one that only a more patient reader reads."""
    if root is None:
        return _NOTIFICATION.search(body) is not None
    return any(_local(each) in _NOTIFICATIONS for each in root.iter())


class Fault(NamedTuple):
    """Why a camera does not do what was asked."""

    codes: tuple[str, ...] = ()
    """Its codes without prefixes: what can be shown, as its other words may say anything."""
    wait_s: float | None = None
    limit: int | None = None
    """What it can do at most, where the fault says so."""

    @property
    def is_refusal(self) -> bool:
        """Whether it does not believe who asks."""
        return any(word in code.lower() for code in self.codes for word in _REFUSALS)

    @property
    def is_unknown(self) -> bool:
        """Whether it knows no such subscription (any more)."""
        return not _UNKNOWN.isdisjoint(self.codes)


def fault_of(root: Element) -> Fault | None:
    """The fault in an answer, of SOAP 1.2 or 1.1; None when it is another answer."""
    body = _first(root, "Body")
    # Only there: what a camera tells of itself may have elements of any name.
    found = (each for each in ([root] if body is None else body) if _local(each) == "Fault")
    fault = next(found, None)
    if fault is None:
        return None
    told = [each.text or "" for each in fault.iter() if _local(each) in {"Value", "faultcode"}]
    details = [_local(each) for each in fault.iter() if "Fault" in _local(each)]
    codes = [each.strip().rpartition(":")[2] for each in told] + details[1:]
    known = dict.fromkeys(code for code in codes if _CODE.fullmatch(code))
    limit = _text(fault, "MaxMessageLimit")
    return Fault(
        tuple(known)[:_CODES_MAX],
        _duration(_text(fault, "MaxTimeout")),
        int(limit[:9]) if limit.isascii() and limit.isdigit() else None,
    )


class Lease(NamedTuple):
    """How long a subscription lives, by the camera's own clock, in seconds since 1970."""

    now: float
    ends: float

    @property
    def left_s(self) -> float:
        """From now on."""
        return self.ends - self.now


def lease_of(root: Element, *, now: float | None = None) -> Lease | None:
    """What an answer says of it; None where that can't be. `now` stands in for what is missing."""
    current = seconds_of(_text(root, "CurrentTime"))
    ends = seconds_of(_text(root, "TerminationTime"))
    current = now if current is None else current
    if current is None or ends is None or not 0 < ends - current <= _LEASE_MAX_S:
        return None
    return Lease(current, ends)


def system_time(root: Element) -> float | None:
    """The camera's clock, in seconds since 1970; None when it tells only its local time."""
    told = _first(root, "UTCDateTime")
    if told is None:
        return None
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    parts = [_text(told, name) for name in names]
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        return None
    year, *rest = (int(part) for part in parts)
    month, day, hour, minute, second = rest
    return seconds_of(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")


def event_service(root: Element) -> str:
    """Address of the event service in an answer to either question; empty when it has none."""
    for service in root.iter():
        if _local(service) == "Service" and _text(service, "Namespace") == _EVENTS:
            return _text(service, "XAddr")
    events = _first(root, "Events")
    return "" if events is None else _text(events, "XAddr")


def target_of(root: Element) -> tuple[str, str]:
    """Address and parameters of the subscription that was made; `ValueError` without any."""
    reference = _first(root, "SubscriptionReference")
    address = "" if reference is None else _text(reference, "Address")
    if reference is None or not address:
        raise ValueError("no address")
    parameters = ""
    for holder in reference.iter():
        if _local(holder) in {"ReferenceParameters", "ReferenceProperties"}:
            for each in holder:
                each.set(f"{{{_ADDRESSING}}}IsReferenceParameter", "true")
                each.tail = None
                parameters += _text_of(each)
                if len(parameters) > _PARAMETERS_MAX:
                    raise ValueError("too many parameters")
    return address, parameters


def reachable(told: str, asked: str, *, peer: str = "", keep_port: bool = False) -> str:
    """Where to go for an address that a camera tells: its path, never another host than `asked`.

    A camera behind NAT tells an address inside, a broken one none at all, and a hostile one
    whatever it wants to be asked. Another port is taken from a camera that names `asked`'s host, or
    `peer`, its address on the connection; `keep_port` takes none.
    """
    configured = urlsplit(asked)
    try:
        parts = urlsplit(told)
        port, host = parts.port, parts.hostname
    except ValueError:
        return asked
    if parts.scheme not in {"http", "https"}:
        return asked
    name = configured.hostname or ""
    netloc = f"[{name}]" if ":" in name else name
    is_its_own = host in {name, peer} and parts.scheme == configured.scheme
    port = port if port and is_its_own and not keep_port else configured.port
    if port:
        netloc = f"{netloc}:{port}"
    return parts._replace(scheme=configured.scheme, netloc=netloc, fragment="").geturl()


def _text_of(element: Element) -> str:
    try:
        return tostring(element, encoding="unicode")
    except RecursionError:
        raise ValueError("parameters that are too deep") from None


def _duration(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3_600 * hours + 60 * minutes + seconds


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _first(element: Element, name: str) -> Element | None:
    return next((each for each in element.iter() if _local(each) == name), None)


def _text(element: Element, name: str) -> str:
    """Text of the first element of this local name, without the blanks that cameras put in it."""
    found = _first(element, name)
    text = (found.text or "").strip() if found is not None else ""
    return text if len(text) <= _TEXT_MAX else ""
