"""An event in a file, as what `hub route test|explain` ask the rules."""

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from hub.cli.common import decoded_text, read_input
from hub.errors import ConfigError

__all__ = ["fill_from_event"]

# The options that say what the register knows of a device.
_OF_DEVICE = ("owner", "purpose", "area", "district", "junction")
Found = Mapping[str, Any] | None


def fill_from_event(
    arguments: argparse.Namespace, find: Callable[[str, str, str], Found] | None
) -> None:
    """Give the options that are not there the values of the event in `arguments.event`.

    The event is one as `hub tail`, `hub connector try` and `hub explain --json` print it. A
    subscriber's says itself where it happened; of a canonical one, `find` asks the register for the
    device by source, name and time (None: it is not asked). `ConfigError` for what is no event.
    """
    topic, event = _read(arguments.event)
    header = event["header"]
    happened = header.get("observed_at")
    if happened is None or header.get("time_quality") in ("SUSPECT", "RECEIVED"):
        happened = header.get("received_at")
    given = {
        "noun": topic.split(".")[1] if topic.count(".") == 2 else None,
        "kind": header.get("kind"),
        "severity": header.get("severity"),
        "status": header.get("status"),
        "happened": happened,
    }
    if not any(getattr(arguments, name) for name in _OF_DEVICE):
        place = event.get("place") or {}
        if not place and find is not None and happened and header.get("device_ref"):
            place = _as_place(find(header["source_id"], header["device_ref"], happened))
        given |= _of_place(place)
    for name, value in given.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def _read(file: str) -> tuple[str, Mapping[str, Any]]:
    """The topic, "" where the file does not say, and the event."""
    fix = "give one event as `hub tail TOPIC --limit 1` or `hub connector try` print it"
    try:
        found = json.loads(decoded_text(read_input(file), file))
    except ValueError as error:
        raise ConfigError(f"not one JSON object: {error}", where=file, fix=fix) from error
    event = found.get("event", found) if isinstance(found, dict) else None
    if not isinstance(event, dict) or not isinstance(event.get("header"), dict):
        raise ConfigError("no event: it has no `header`", where=file, fix=fix)
    return str(found.get("topic", "")), event


def _of_place(place: Mapping[str, Any]) -> dict[str, str]:
    areas = place.get("areas_then") or place.get("areas_now") or []
    # Of several that come into question none is the device's.
    area = f"{areas[0]['scheme']}:{areas[0]['code']}" if len(areas) == 1 else ""
    return {
        "owner": place.get("owner_agency", ""),
        "purpose": place.get("purpose", ""),
        "area": area,
        "district": place.get("legacy_district", ""),
        "junction": place.get("junction", ""),
    }


def _as_place(device: Found) -> Mapping[str, Any]:
    """An entry of the register in the words of an event's place."""
    if device is None:
        return {}
    area = {"scheme": device["area_scheme"], "code": device["area_code"]}
    return {**device, "areas_then": [area] if area["code"] else []}
