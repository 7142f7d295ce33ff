"""GB/T 28181 devices: alarms and keep-alive messages, XML inside SIP messages (MANSCDP).

Traps handled: what an alarm means, method and type say together, and the type may stand inside
`Info` or be absent; times are local without an offset; bytes are GB 2312, declared or not; a
serial number (`SN`) is unique with the device alone; priority 1 is the highest.

Source: GB/T 28181-2016 and -2022 as far as public texts show them, and a captured message. SIP
itself is the transport's: hand over the body. Catalogues, records and positions are no events.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from connectors._formats.coordinates import read_position
from connectors._formats.numbers import integer
from connectors._formats.times import read_stamp
from connectors._formats.xml import Node, parse_xml
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Position
from hub.connector import Severity

__all__ = ["Options", "connector", "parse"]

_DECLARATION: Final = re.compile(rb"^\s*<\?xml[^>]*\?>")
_HEALTH: Final = {
    ("2", "1"): ("video", "OFFLINE", "video loss"),
    ("2", "2"): ("device", "DEGRADED", "tampering"),
    ("2", "3"): ("storage", "DEGRADED", "storage full"),
    ("2", "4"): ("device", "DEGRADED", "temperature too high"),
    ("2", "5"): ("device", "DEGRADED", "temperature too low"),
    ("5", "11"): ("video", "DEGRADED", "video abnormal"),
    ("6", "1"): ("storage", "FAULT", "disk fault"),
    ("6", "2"): ("device", "DEGRADED", "fan fault"),
}
"""Method and type of alarms of the device itself: component, state, words."""
_KINDS: Final = {
    ("5", "1"): "manual", ("5", "2"): "motion", ("5", "3"): "object_left",
    ("5", "4"): "object_removed", ("5", "5"): "line_crossed", ("5", "6"): "intrusion",
    ("5", "7"): "wrong_way", ("5", "8"): "loitering", ("5", "9"): "traffic_count",
    ("5", "10"): "density", ("5", "12"): "fast_movement",
}  # fmt: skip
_METHODS: Final = {"1": "telephone", "2": "device", "3": "sms", "4": "gps", "5": "video",
                   "6": "fault", "7": "other"}  # fmt: skip
_SEVERITY: Final[dict[str, Severity]] = {
    "1": "SEVERE", "2": "MODERATE", "3": "MINOR", "4": "INFO",
}  # fmt: skip
_NO_EVENT: Final = frozenset({"keepalive", "catalog", "deviceinfo", "devicestatus", "recordinfo",
                              "mobileposition", "mediastatus", "broadcast"})  # fmt: skip


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The event of one message."""
    root = parse_xml(_as_utf8(payload.body))
    command = root.value("CmdType").lower()
    if command in _NO_EVENT or root.name in {"Response", "Query", "Control"}:
        yield Nothing(why=f"{command or root.name.lower()}: part of the protocol, not an event")
        return
    if root.name != "Notify" or not root.value("AlarmMethod"):
        raise PayloadError(
            "no alarm",
            code="no-event",
            path=f"{root.path}/AlarmMethod",
            fix="subscribe to alarms, and hand over the bodies of the messages",
        )
    yield _alarm(root, payload, options)


def _as_utf8(body: bytes) -> bytes:
    """GB 2312 (read as GB 18030, which holds it) as UTF-8; the declaration may be wrong."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        plain = _DECLARATION.sub(b"", body)
        try:
            return plain.decode("gb18030").encode()
        except UnicodeDecodeError:
            return body
    return body


def _alarm(root: Node, payload: Payload, options: Options) -> Event:
    device = root.value("DeviceID")
    if not device:
        raise PayloadError("an alarm without a device", code="missing-field", path="DeviceID")
    method = root.value("AlarmMethod")
    kind = root.value("AlarmType") or root.value("Info/AlarmType")
    stamp = read_stamp(root.value("AlarmTime"), received_at=payload.received_at, options=options)
    position: Position | None = None
    flags: tuple[str, ...] = ()
    if root.value("Longitude") and root.value("Latitude"):
        position, flags = read_position(root.value("Latitude"), root.value("Longitude"))
    common: dict[str, Any] = {
        "device_ref": device,
        "native_id": root.value("SN") or None,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "severity": _SEVERITY.get(root.value("AlarmPriority"), "UNKNOWN"),
        "position": position,
        "quality_flags": (*stamp.flags, *flags),
    }
    known = _HEALTH.get((method, kind))
    if known is not None:
        component, state, words = known
        return Event(
            noun="health",
            kind="device.health",
            subject=(device, component, words),
            body={
                "state": state,
                "component": component,
                "detail": root.value("AlarmDescription") or words,
            },
            **common,
        )
    meaning = _KINDS.get((method, kind), f"alarm_{_METHODS.get(method, 'other')}")
    count = integer(root.value("Info/AlarmTypeParam/EventType"))
    states = {1: "STARTED", 2: "STOPPED"}
    return Event(
        noun="detection",
        kind=f"camera.{meaning}",
        body={
            "rule": f"{method}/{kind}".rstrip("/"),
            "state": states.get(count or 0, "PULSE"),
        },
        **common,
    )


connector = Connector(
    name="gb28181",
    title="GB/T 28181 devices, alarms in SIP messages (MANSCDP, XML)",
    parse=parse,
    emits=("detection", "health"),
    identity={
        "detection": ("body.rule", "body.state"),
        "health": ("body.component", "body.state", "body.detail"),
    },
)
