"""Notifications of ONVIF's kind: a topic, and items of source, key and data, by name.

Traps handled: blanks inside topics and vendors' prefixes on any step; a Message within a Message;
attributes and items in any order; stamps without Z, which are UTC by definition; states spelt as
true, 1, ON, active and their opposites, or as nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors._formats.json import an_object
from connectors._formats.members import the_object, the_text
from connectors._formats.text import clean
from connectors._formats.xml import Node
from hub.errors import PayloadError

__all__ = ["MESSAGES", "Notice", "is_true", "utc"]

MESSAGES: Final = ("NotificationMessage", "NotficationMessage")
"""As cameras call it, and as the specification's own example does."""
_ON: Final = frozenset({"true", "1", "on", "active"})
_OFF: Final = frozenset({"false", "0", "off", "inactive", ""})
_ZONED: Final = re.compile(r"(?:[Zz]|[+-]\d{1,2}:?\d{0,2})\s*$")
_ITEMS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification: its topic without prefixes, and its items by name."""

    topic: str
    utc: str = ""
    operation: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    key: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Whether a condition begins or ends; an event without a state is a pulse."""
        if self.operation == "Deleted":
            return "STOPPED"
        words = {value.strip().lower() for name, value in self.data.items() if name != "ObjectId"}
        if words & _ON:
            return "STARTED"
        return "STOPPED" if words & _OFF else "PULSE"

    @classmethod
    def of_xml(cls, node: Node) -> "Notice":
        """From a NotificationMessage; a second Message stands within the first."""
        message = node.find("Message/Message") or node.find("Message")
        topic = "".join(node.value("Topic").split())
        if message is None or not topic:
            missing = "Topic" if message is not None else "Message"
            raise PayloadError(
                f"a notification without its {missing}",
                code="missing-field",
                path=f"{node.path}/{missing}",
            )
        return cls(
            _plain(topic),
            message.attr("UtcTime"),
            message.attr("PropertyOperation"),
            *(_of_items(message.find(name)) for name in ("Source", "Key", "Data")),
        )

    @classmethod
    def of_json(cls, document: Any, topic: str) -> "Notice":
        """From MQTT: the topic ends with the values of the source; None is a deleted property."""
        steps = topic.split("/")
        cut = next((at for at, step in enumerate(steps) if step.startswith("&")), len(steps))
        values = [clean(step.removeprefix("&")) for step in steps[cut:]]
        named = {f"value{at}": value for at, value in enumerate(values) if value}
        plain = cls(_plain("/".join(steps[:cut])), operation="Deleted", source=named)
        if document is None:
            return plain
        data = an_object(document, ())
        # Axis writes them in lower case.
        parts = [
            _of_members(the_object(data, name) or the_object(data, name.lower()))
            for name in ("Source", "Key", "Data")
        ]
        return replace(
            plain,
            utc=the_text(data, "UtcTime"),
            operation=the_text(data, "PropertyOperation"),
            source=parts[0] or named,
            key=parts[1],
            data=parts[2],
        )


def _plain(topic: str) -> str:
    """A topic without the prefixes of its steps: `tns1:Device/Trigger/tnshik:AlarmIn`."""
    return "/".join(step.rpartition(":")[2] for step in clean(topic).split("/") if step)[:200]


def _of_items(node: Node | None) -> dict[str, str]:
    items = node.findall("SimpleItem")[:_ITEMS_MAX] if node is not None else []
    return {item.attr("Name"): item.attr("Value") for item in items if item.attr("Name")}


def _of_members(members: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in list(members)[:_ITEMS_MAX]:
        value = members[name]
        found[name] = value if isinstance(value, str) else the_text(members, name)
    return found


def utc(raw: str) -> str:
    """A stamp that is UTC by definition, with its Z."""
    text = raw.strip()
    return text if not text or _ZONED.search(text) else f"{text}Z"


def is_true(text: str) -> bool:
    """Whether a text says yes."""
    return text.strip().lower() in _ON
