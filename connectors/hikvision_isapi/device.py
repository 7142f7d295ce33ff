"""What an alarm says of the device that sent it: its name, and how it is.

A name is what tells devices apart for good: the MAC address, else the serial number (of NVRs it
stands only in `Extensions`, of some only inside `eventPush`), else the address, which NAT may
share, else what people typed into the camera.
"""

import re
from typing import Any, Final

from connectors._formats.numbers import integer
from connectors._formats.xml import Node
from hub import Event
from hub.connector import Severity

__all__ = ["HEALTH", "device_ref", "health", "is_heartbeat"]

HEALTH: Final = {
    "videoloss": ("video", "OFFLINE"),
    "badvideo": ("video", "DEGRADED"),
    "videomismatch": ("video", "DEGRADED"),
    "vimismatch": ("video", "DEGRADED"),
    "viexception": ("video", "DEGRADED"),
    "shelteralarm": ("video", "DEGRADED"),
    "tamperdetection": ("video", "DEGRADED"),
    "scenechangedetection": ("video", "DEGRADED"),
    "defocus": ("video", "DEGRADED"),
    "defocusdetection": ("video", "DEGRADED"),
    "diskfull": ("storage", "DEGRADED"),
    "hdfull": ("storage", "DEGRADED"),
    "diskerror": ("storage", "FAULT"),
    "hderror": ("storage", "FAULT"),
    "raidexception": ("storage", "FAULT"),
    "recordingfailure": ("storage", "FAULT"),
    "recordexception": ("storage", "FAULT"),
    "nicbroken": ("network", "OFFLINE"),
    "netbroken": ("network", "OFFLINE"),
    "ipconflict": ("network", "DEGRADED"),
    "illaccess": ("device", "DEGRADED"),
    "ipcdisconnect": ("device", "OFFLINE"),
}
"""Event types that tell of the device itself: (component, state while the alarm is active)."""
_SEVERITY: Final[dict[str, Severity]] = {
    "ONLINE": "INFO",
    "DEGRADED": "MINOR",
    "OFFLINE": "MODERATE",
    "FAULT": "MODERATE",
}
_ORDER: Final = {
    "mac": ("mac", "serial", "ip"),
    "ip": ("ip", "mac", "serial"),
    "channel": ("mac", "serial", "ip"),
}
_ABSENT = frozenset({"", "0.0.0.0", "::", "00:00:00:00:00:00"})  # noqa: S104 - read, not bound
_PUSHED_BY = re.compile(r"&&([^,&]{1,128}),")


def is_heartbeat(node: Node, kind: str) -> bool:
    """Whether an alarm only says that its device is alive.

    `alertStream` sends a loss of video that is inactive, and was never posted or is of no channel;
    another one is the end of a real loss. `subscribeEvent` sends `heartBeat`, active.
    """
    if kind == "heartbeat":
        return True
    if kind != "videoloss" or node.value("eventState").lower() != "inactive":
        return False
    return not integer(node.value("activePostCount")) or not _channel(node)


def health(node: Node, kind: str, common: dict[str, Any]) -> Event:
    """How a part of the device is, from an alarm whose type is one of `HEALTH`."""
    component, trouble = HEALTH[kind.lower()]
    state = "ONLINE" if node.value("eventState").lower() == "inactive" else trouble
    return Event(
        noun="health",
        kind="device.health",
        subject=(common["device_ref"], component),
        severity=_SEVERITY[state],
        body={
            "state": state,
            "component": component,
            "detail": node.value("eventDescription") or kind,
        },
        **common,
    )


def device_ref(node: Node, first: str) -> str:
    """`mac/channel` or what stands in for it; channel 0 or none is the recorder as a whole."""
    channel = _channel(node)
    if first == "channel" and channel:
        return channel
    names = {
        "mac": node.value("macAddress").lower(),
        "serial": node.value("Extensions/serialNumber") or node.value("serialNumber"),
        "ip": node.value("ipAddress") or node.value("ipv6Address"),
    }
    found = next((names[name] for name in _ORDER[first] if names[name] not in _ABSENT), "")
    return "/".join(filter(None, (found or _seldom_named(node), channel)))


def _channel(node: Node) -> str:
    channel = node.value("channelID") or node.value("dynChannelID")
    return channel if channel.strip("0") else ""


def _seldom_named(node: Node) -> str:
    pushed = _PUSHED_BY.search(node.value("Extensions/eventPush"))
    named = (node.value(name) for name in ("deviceUUID", "deviceID", "monitoringSiteID"))
    return pushed[1].strip() if pushed else next(filter(None, named), "")
