"""ONVIF devices as they answer WS-Discovery: the probe, and what an answer says. Pure.

WS-Discovery (April 2005, sections 5.2 and 5.3) over SOAP 1.2; scopes as in the ONVIF Core
Specification, section 7.3. What answers is not known and may be hostile: bounded, no entities, no
DTD, and elements are found by their local names, as every vendor has prefixes of its own.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

__all__ = ["ANSWER_MAX", "Found", "matches", "probe"]

ANSWER_MAX = 65_507
"""Bytes of the largest UDP datagram."""
_TEXT_MAX = 200
_MATCHES_MAX = 16
_WORDS_MAX = 100
_SCOPE = re.compile(r"onvif://www\.onvif\.org/(\w+)/(.+)", re.IGNORECASE)
_TRANSMITTER = "NetworkVideoTransmitter"
_PROBE = """\
<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"\
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"\
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"\
 xmlns:n="http://www.onvif.org/ver10/network/wsdl"><s:Header>\
<a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>\
<a:MessageID>urn:uuid:{id}</a:MessageID>\
<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>\
</s:Header><s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body>\
</s:Envelope>"""


def probe(message_id: UUID) -> bytes:
    """The question to one address: is there a camera or an encoder?"""
    return _PROBE.format(id=message_id).encode()


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered; texts are its own, and empty where it says nothing."""

    address: str
    """Where the answer came from."""
    endpoint: str
    """Its UUID, the same under every address."""
    name: str
    hardware: str
    location: str
    services: tuple[str, ...]
    """Addresses of its services (XAddrs), without credentials."""

    def entry(self, at: datetime, source_id: str = "") -> dict[str, Any]:
        """A proposed entry; its address is its name only in the source that is named."""
        return {
            "device_id": f"onvif-{self.endpoint or self.address}",
            "valid_from": at,
            "name": self.name,
            "state": "PLANNED",
            "aliases": {source_id: self.address} if source_id else {},
        }

    def remark(self) -> str:
        """What it said of itself, for people."""
        told = (self.hardware, self.location, *self.services[:1])
        return ", ".join(["answered from " + self.address, *(each for each in told if each)])


def matches(answer: bytes, message_id: UUID, address: str) -> list[Found]:
    """The devices of one answer to a probe; none when it is anything else."""
    if len(answer) > ANSWER_MAX:
        return []
    try:
        envelope = fromstring(answer, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return []
    related = _text(envelope, "RelatesTo").lower()
    if not related.endswith(str(message_id)):
        return []
    found = []
    for match in _all(envelope, "ProbeMatch", _MATCHES_MAX):
        types = _words(match, "Types")
        scopes = dict[str, list[str]]()
        for scope in _words(match, "Scopes"):
            if known := _SCOPE.fullmatch(scope):
                scopes.setdefault(known[1].lower(), []).append(unquote(known[2]))
        if scopes or any(each.endswith(_TRANSMITTER) for each in types):
            found.append(
                Found(
                    address=address,
                    endpoint=_uuid(_text(match, "Address")),
                    name=_joined(scopes.get("name", ())),
                    hardware=_joined(scopes.get("hardware", ())),
                    location=_joined(
                        each.rpartition("/")[2] for each in scopes.get("location", ())
                    ),
                    services=tuple(_services(_words(match, "XAddrs"))),
                )
            )
    return found


def _uuid(text: str) -> str:
    """The UUID of an endpoint's address, however it is written; else nothing."""
    try:
        return str(UUID(text.strip().lower().rpartition("uuid:")[2]))
    except ValueError:
        return ""


def _services(urls: Iterable[str]) -> Iterator[str]:
    for url in urls:
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.hostname:
            yield parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()[:_TEXT_MAX]


def _joined(texts: Iterable[str]) -> str:
    text = " ".join(dict.fromkeys(each.strip() for each in texts))
    return "".join(each if each.isprintable() else " " for each in text)[:_TEXT_MAX].strip()


def _all(element: Element, name: str, limit: int) -> list[Element]:
    """Elements below one by their local name, in their order."""
    found = []
    for each in element.iter():
        if str(each.tag).rpartition("}")[2] == name:
            found.append(each)
            if len(found) == limit:
                break
    return found


def _text(element: Element, name: str) -> str:
    return next(((each.text or "").strip() for each in _all(element, name, 1)), "")


def _words(element: Element, name: str) -> list[str]:
    return _text(element, name).split()[:_WORDS_MAX]
