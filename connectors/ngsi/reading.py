"""What it takes to read one entity: its attributes, the payload, and what was doubtful."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connectors._formats.contacts import without_contacts
from connectors._formats.text import snake
from connectors._formats.times import Stamp, read_stamp
from connectors.ngsi.entity import Entity
from hub.connector import Options, Payload, Severity

__all__ = ["ALWAYS_OK_S", "Reading"]

_SEVERITY: Final[dict[str, Severity]] = {
    "informational": "INFO",
    "low": "MINOR",
    "medium": "MODERATE",
    "high": "SEVERE",
    "critical": "EXTREME",
}
_MODIFIED: Final = ("dateModified", "modifiedAt", "deletedAt", "observedAt", "TimeInstant")
ALWAYS_OK_S: Final = 10**10
"""Seconds an alert or a work may have been entered before it is told."""

_TEXT_MAX: Final = 8_000


@dataclass(slots=True)
class Reading:
    """What it takes to read one entity, and the flags found on the way."""

    entity: Entity
    payload: Payload
    options: Options
    late_ok_s: int = 0
    flags: list[str] = field(default_factory=list)

    def stamp(self, text: str) -> Stamp:
        """A time in an attribute."""
        return read_stamp(
            text,
            received_at=self.payload.received_at,
            options=self.options,
            replayed=True,
            late_ok_s=self.late_ok_s,
        )

    def at(self, *names: str) -> datetime | None:
        """The instant in the first of the attributes; a flag where it can't be read."""
        text = self.entity.text(*names)
        at = self.stamp(text).at if text else None
        if text and at is None:
            self.flags.append(f"{snake(names[0])}_unreadable")
        return at

    def latest(self, texts: list[str]) -> Stamp:
        """The latest of the times that can be read; its flags are the entity's."""
        stamps = [self.stamp(text) for text in texts if text]
        found = [stamp for stamp in stamps if stamp.at is not None]
        if not found:
            stamp = stamps[0] if stamps else self.stamp("")
        else:
            stamp = max(found, key=lambda each: each.at or self.payload.received_at)
        self.flags.extend(stamp.flags)
        return stamp

    def deleted(self) -> bool:
        """Whether the broker tells that the entity is gone."""
        return "deletedAt" in self.entity or self.entity.text("alterationType") == "entityDelete"

    def severity(self) -> Severity:
        """The severity in the models' words."""
        return _SEVERITY.get(self.entity.text("severity").lower(), "UNKNOWN")

    def texts(self, name: str, role: str) -> list[dict[str, str]]:
        """An attribute's texts, without contacts."""
        texts = []
        for language, text in self.entity.languages(name):
            shown, masked = without_contacts(text[:_TEXT_MAX])
            self.flags.extend(["text_cut"] if len(text) > _TEXT_MAX else [])
            self.flags.extend(["contact_masked"] if masked else [])
            texts.append({"language": language, "text": shown, "role": role})
        return texts

    def street(self) -> str:
        """The street of the address."""
        address = self.entity.value("address")
        street = address.get("streetAddress") if isinstance(address, dict) else ""
        return street if isinstance(street, str) else ""

    def unique_flags(self) -> tuple[str, ...]:
        """The flags, each once."""
        return tuple(dict.fromkeys(self.flags))

    def changes(self) -> Iterator[str]:
        """All times at which something of the entity was observed or changed."""
        yield from self.entity.observed()
        for name in _MODIFIED:
            yield self.entity.text(name)
