"""Hikvision ISAPI: event notifications as cameras post them, alone or with their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from hub.simulator.wire import jpeg

__all__ = [
    "ACTS",
    "XML",
    "Alarm",
    "Part",
    "Passage",
    "Sender",
    "alarm_xml",
    "anpr_xml",
    "multipart",
]

XML = "application/xml"


ACTS = {"1301": "Wrong-way driving", "1625": "Running the red light"}
"""Codes of the list that cameras come with, and the names they send along."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The part of a notification that says who sends it."""

    ip: str
    mac: str
    channel: int
    name: str
    namespace: str = "http://www.hikvision.com/ver20/XMLSchema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One vehicle as an ANPR camera saw it."""

    at: datetime
    offset: bool
    """Whether the stamp says its offset; many firmwares leave it out."""
    uuid: str
    plate: str
    colour: str
    motorbike: bool
    lane: int
    forward: bool
    confidence: int
    speed_kmh: int
    vehicle_colour: str
    illegal: str = ""
    """The camera's code of the act it saw; "" for none. A key of `ACTS`."""
    history: bool = False
    """Sent from the camera's memory after its line was down."""
    pictures: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One smart event, alarm or heartbeat."""

    at: datetime
    offset: bool
    kind: str
    active: bool
    count: int
    target: str = ""
    region: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A picture that travels with an event."""

    name: str
    data: bytes

    @classmethod
    def of(cls, role: str, seed: bytes) -> "Part":
        """The picture of that role, made of seeded bytes."""
        return cls(f"{role}.jpg", jpeg.picture(seed))


def anpr_xml(sender: Sender, passage: Passage) -> bytes:
    """An ANPR notification."""
    characters = ",".join(["99"] * max(1, len(passage.plate) - 1) + [str(passage.confidence)])
    head = Alarm(at=passage.at, offset=passage.offset, kind="ANPR", active=True, count=1)
    stamp = f"{passage.at:%Y%m%d%H%M%S}{passage.at.microsecond // 1000:03d}"
    pictures = "".join(
        f"<pictureInfo><fileName>{role}.jpg</fileName><type>{role}</type><dataType>0</dataType>"
        f"<absTime>{stamp}</absTime></pictureInfo>\n"
        for role in passage.pictures
    )
    illegal = (
        f"<illegalInfo>\n<illegalCode>{passage.illegal}</illegalCode>\n"
        f"<illegalName>{ACTS[passage.illegal]}</illegalName>\n</illegalInfo>\n"
        if passage.illegal
        else ""
    )
    listed = f"<pictureInfoList>\n{pictures}</pictureInfoList>\n" if pictures else ""
    history = int(passage.history)
    return (
        f"{_head(sender, head)}"
        f"<channelName>{escape(sender.name)}</channelName>\n"
        "<ANPR>\n<country>48</country>\n"
        f"<licensePlate>{passage.plate}</licensePlate>\n<line>{passage.lane}</line>\n"
        f"<direction>{'forward' if passage.forward else 'reverse'}</direction>\n"
        f"<confidenceLevel>{passage.confidence}</confidenceLevel>\n"
        f"<plateType>unknown</plateType>\n<plateColor>{passage.colour}</plateColor>\n"
        "<licenseBright>0</licenseBright>\n<dangmark>no</dangmark>\n"
        f"<twoWheelVehicle>{'yes' if passage.motorbike else 'no'}</twoWheelVehicle>\n"
        "<threeWheelVehicle>no</threeWheelVehicle>\n"
        f"<plateCharBelieve>{characters}</plateCharBelieve>\n{illegal}"
        f"<vehicleType>{'twoWheelVehicle' if passage.motorbike else 'vehicle'}</vehicleType>\n"
        f"<detectDir>8</detectDir>\n<detectType>0</detectType>\n"
        f"<alarmDataType>{history}</alarmDataType>\n"
        f"<vehicleInfo>\n<index>{passage.lane}</index>\n<colorDepth>1</colorDepth>\n"
        f"<color>{passage.vehicle_colour}</color>\n<speed>{passage.speed_kmh}</speed>\n"
        "<length>0</length>\n</vehicleInfo>\n"
        f"{listed}"
        f"<originalLicensePlate>{passage.plate}</originalLicensePlate>\n"
        "<vehicleListName>otherList</vehicleListName>\n</ANPR>\n"
        f"<UUID>{passage.uuid}</UUID>\n<picNum>{len(passage.pictures)}</picNum>\n"
        f"<isDataRetransmission>{'true' if history else 'false'}</isDataRetransmission>\n"
        "</EventNotificationAlert>\n"
    ).encode()


def alarm_xml(sender: Sender, alarm: Alarm) -> bytes:
    """A smart event, an alarm of the camera itself, or its heartbeat."""
    corners = "".join(
        f"<RegionCoordinates><positionX>{x}</positionX><positionY>{y}</positionY>"
        "</RegionCoordinates>\n"
        for x, y in alarm.region
    )
    region = (
        "<DetectionRegionList>\n<DetectionRegionEntry>\n<regionID>1</regionID>\n"
        "<sensitivityLevel>50</sensitivityLevel>\n"
        f"<RegionCoordinatesList>\n{corners}</RegionCoordinatesList>\n"
        f"<detectionTarget>{alarm.target}</detectionTarget>\n"
        "</DetectionRegionEntry>\n</DetectionRegionList>\n"
        if corners
        else ""
    )
    return (
        f"{_head(sender, alarm)}{region}"
        f"<channelName>{escape(sender.name)}</channelName>\n</EventNotificationAlert>\n"
    ).encode()


def multipart(xml: bytes, parts: Sequence[Part], boundary: str) -> tuple[str, bytes]:
    """Content type and body of a notification with pictures."""
    pieces = [_part("anpr.xml", XML, xml, boundary)]
    pieces += [_part(part.name, "image/jpeg", part.data, boundary) for part in parts]
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _part(name: str, content_type: str, data: bytes, boundary: str) -> bytes:
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data + b"\r\n"


def _head(sender: Sender, alarm: Alarm) -> str:
    stamp = f"{alarm.at:%Y-%m-%dT%H:%M:%S}" + ("+07:00" if alarm.offset else "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<EventNotificationAlert version="2.0" xmlns="{sender.namespace}">\n'
        f"<ipAddress>{sender.ip}</ipAddress>\n<portNo>80</portNo>\n<protocol>HTTP</protocol>\n"
        f"<macAddress>{sender.mac}</macAddress>\n<channelID>{sender.channel}</channelID>\n"
        f"<dateTime>{stamp}</dateTime>\n<activePostCount>{alarm.count}</activePostCount>\n"
        f"<eventType>{alarm.kind}</eventType>\n"
        f"<eventState>{'active' if alarm.active else 'inactive'}</eventState>\n"
        f"<eventDescription>{alarm.kind} alarm</eventDescription>\n"
    )
