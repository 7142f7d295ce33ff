"""CAP 1.2 messages as an alerting authority posts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

__all__ = ["XML", "Message", "cap_xml"]

XML = "application/cap+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chain."""

    identifier: str
    sender: str
    sender_name: str
    sent: datetime
    kind: str
    """`Alert`, `Update` or `Cancel`."""
    status: str = "Actual"
    references: Sequence[tuple[str, str, datetime]] = ()
    event: str = ""
    category: str = "Met"
    response: str = "Prepare"
    urgency: str = "Expected"
    severity: str = "Severe"
    certainty: str = "Likely"
    expires: datetime
    headline: str = ""
    description: str = ""
    instruction: str = ""
    area: str = ""
    ward_code: str = ""
    scheme: str = ""
    circle: tuple[float, float, float] = (21.03, 105.85, 1.0)
    note: str = ""


def cap_xml(message: Message) -> bytes:
    """The message, in Vietnamese, with one info block."""
    references = " ".join(
        f"{sender},{identifier},{_stamp(sent)}" for sender, identifier, sent in message.references
    )
    listed = f"\n  <references>{escape(references)}</references>" if references else ""
    note = f"\n  <note>{escape(message.note)}</note>" if message.note else ""
    lat, lon, radius = message.circle
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>{escape(message.identifier)}</identifier>
  <sender>{escape(message.sender)}</sender>
  <sent>{_stamp(message.sent)}</sent>
  <status>{message.status}</status>
  <msgType>{message.kind}</msgType>
  <scope>Public</scope>{note}{listed}
  <info>
    <language>vi-VN</language>
    <category>{message.category}</category>
    <event>{escape(message.event)}</event>
    <responseType>{message.response}</responseType>
    <urgency>{message.urgency}</urgency>
    <severity>{message.severity}</severity>
    <certainty>{message.certainty}</certainty>
    <expires>{_stamp(message.expires)}</expires>
    <senderName>{escape(message.sender_name)}</senderName>
    <headline>{escape(message.headline)}</headline>
    <description>{escape(message.description)}</description>
    <instruction>{escape(message.instruction)}</instruction>
    <area>
      <areaDesc>{escape(message.area)}</areaDesc>
      <circle>{lat:.4f},{lon:.4f} {radius:.1f}</circle>
      <geocode>
        <valueName>{message.scheme}</valueName>
        <value>{message.ward_code}</value>
      </geocode>
    </area>
  </info>
</alert>
""".encode()


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
