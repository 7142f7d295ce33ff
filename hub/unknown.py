"""Devices that events came from and the register did not know: `ops.unknown_device.v1`, read. Pure.

`streams.unknown` decides when one is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hub.render import rfc3339

__all__ = ["TOPIC", "Seen", "record_key", "still_unknown"]

TOPIC = "ops.unknown_device.v1"


def record_key(row: Mapping[str, Any]) -> bytes:
    """Key of a row: whoever tells a device twice within an hour writes the same one."""
    source, device = (quote(row[name], safe="") for name in ("source_id", "device_ref"))
    return f"{source}/{device}@{rfc3339(row['hour'])}".encode()


@dataclass(frozen=True, slots=True)
class Seen:
    """A device that is still unknown."""

    row: Mapping[str, Any]
    """The row of the last hour."""
    since: datetime
    """Begin of the first hour."""
    hours: int

    def entry(self, owner: str = "", purpose: str = "") -> dict[str, Any]:
        """The suggested entry; owner and purpose are what `hub.toml` says of its source."""
        given = {"owner_agency": owner, "purpose": purpose}
        return {
            **self.row["suggested"],
            **given,
            "aliases": {self.row["source_id"]: self.row["device_ref"]},
        }

    def remark(self) -> str:
        """What speaks for the entry, and what to look at first."""
        row = self.row
        hours = "1 hour" if self.hours == 1 else f"{self.hours} hours"
        text = f"seen in {hours} since {rfc3339(self.since)[:16]}Z, last as {row['kind']}"
        if row["registered_as"]:
            text += f"; the register knows it as {row['registered_as']} at other times"
        return text


def still_unknown(
    rows: Iterable[Mapping[str, Any]], devices: Iterable[Mapping[str, Any]]
) -> list[Seen]:
    """The devices of the rows that no entry explains by now, the longest known first."""
    latest: dict[tuple[str, str], dict[datetime, Mapping[str, Any]]] = {}
    for row in rows:
        latest.setdefault((row["source_id"], row["device_ref"]), {})[row["hour"]] = row
    entries: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for device in devices:
        for alias in device["aliases"]:
            entries.setdefault((alias["source_id"], alias["device_ref"]), []).append(device)
    found = []
    for name, hours in latest.items():
        row = hours[max(hours)]
        at = row["suggested"]["valid_from"]
        if not any(
            each["valid_from"] <= at and (each["valid_to"] is None or at < each["valid_to"])
            for each in entries.get(name, ())
        ):
            found.append(Seen(row, min(hours), len(hours)))
    return sorted(found, key=lambda each: (each.since, each.row["source_id"]))
