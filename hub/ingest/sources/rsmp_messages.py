"""RSMP's frames and messages, as a supervisor reads and writes them. Pure."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.transports import RsmpStatus

__all__ = ["VERSIONS", "Frames", "common_version", "made", "read", "subscription", "text_of"]

END = b"\x0c"
VERSIONS = ("3.1.1", "3.1.2", "3.1.3", "3.1.4", "3.1.5", "3.2.0", "3.2.1", "3.2.2")
# Sites write 3.2 where others write 3.2.0; sOc exists from 3.1.5 on.
_ALSO = {"3.2": "3.2.0"}
_WITH_ON_CHANGE = VERSIONS.index("3.1.5")


class Frames:
    """Cuts what comes into messages; empty ones, as of a doubled form feed, are left out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now; `ValueError` for one that is too large."""
        *whole, rest = data.split(END)
        if whole:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > self._most:
            raise ValueError("a message is too large")
        return [each for each in whole if each.strip()]


def read(frame: bytes) -> dict[str, Any]:
    """A message; `ValueError` says why it is none."""
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(message, dict) or message.get("mType") != "rSMsg":
        raise ValueError("not an RSMP message")
    if not text_of(message, "type"):
        raise ValueError("no type")
    key = "oMId" if message["type"] in {"MessageAck", "MessageNotAck"} else "mId"
    if not text_of(message, key):
        raise ValueError(f"no {key}")
    return message


def text_of(message: Any, name: str) -> str:
    """A text of a message; empty when there is none."""
    found = message.get(name) if isinstance(message, dict) else None
    return found if isinstance(found, str) else ""


def made(type_: str, **more: Any) -> dict[str, Any]:
    """A message of ours."""
    message = {"mType": "rSMsg", "type": type_, **more}
    if type_ not in {"MessageAck", "MessageNotAck"}:
        message["mId"] = str(uuid.uuid4())
    if type_ == "Watchdog":
        message["wTs"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    return message


def common_version(message: Mapping[str, Any]) -> str:
    """The latest version that both know; empty when there is none."""
    offered = message.get("RSMP")
    known = (
        {
            _ALSO.get(version, version)
            for version in (text_of(each, "vers") for each in offered or ())
        }
        if isinstance(offered, list)
        else set()
    )
    return max(known.intersection(VERSIONS), key=VERSIONS.index, default="")


def subscription(status: RsmpStatus, version: str) -> dict[str, Any]:
    """The request to send a status by itself."""
    wanted: dict[str, Any] = {"sCI": status.code, "uRt": f"{status.every_s:g}"}
    if VERSIONS.index(version) >= _WITH_ON_CHANGE:
        wanted["sOc"] = status.every_s == 0
    values = [{"n": name, **wanted} for name in status.names]
    return made("StatusSubscribe", ntsOId="", xNId="", cId=status.component, sS=values)
