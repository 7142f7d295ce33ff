"""Feeds of WZDx 1.0 and 1.1, JSON or XML, as features of version 2.

One header and activities, each with a begin and an end location. A time or a place is estimated
(`-est`), verified (`-ver`) or cancelled (`-cancelled`), as the end of its name says. What has no
unit there, the posted speed, is left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.xml import Node

__all__ = ["as_second_version", "of_xml"]

_LANES: Final = (
    ("openLanes", "open"),
    ("closedLanes", "closed"),
    ("closedShoulders", "closed"),
)
_NOTHING: Final = frozenset({"", "none", "n/a"})


def as_second_version(feed: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the member `WZDx` as a feed of version 2."""
    activities = feed.get("WorkZoneActivity")
    header = the_object(feed, "Header")
    return {
        "road_event_feed_info": {"update_date": _first(header, "timeStampUpdate")},
        "features": [
            _feature(each) if isinstance(each, dict) else each
            for each in (activities if isinstance(activities, list) else [activities])
            if each is not None
        ],
    }


def of_xml(node: Node) -> Any:
    """An element as its JSON twin; what stands several times is a list."""
    if not node.children:
        return node.text
    found: dict[str, Any] = {}
    for child in node.children:
        value = of_xml(child)
        if child.name not in found:
            found[child.name] = value
        elif isinstance(found[child.name], list):
            found[child.name].append(value)
        else:
            found[child.name] = [found[child.name], value]
    return found


def _feature(activity: Mapping[str, Any]) -> dict[str, Any]:
    begin, end = (the_object(activity, f"{name}Location") for name in ("begin", "end"))
    start_date, start_accuracy = _time(activity, "startDateTime")
    end_date, end_accuracy = _time(activity, "endDateTime")
    status = _first(activity, "wz_status", "wz-Status")
    if "cancelled" in {start_accuracy, end_accuracy}:
        status = "cancelled"
    ids = (the_text(activity, name) for name in ("identifier", "subidentifier"))
    return {
        "id": "/".join(filter(None, ids)) if the_text(activity, "identifier") else "",
        "properties": {
            "data_source_id": the_text(activity, "issuingOrganization"),
            "organization_name": the_text(activity, "issuingOrganization"),
            "event_type": "work-zone",
            "road_names": [
                text for name in ("roadName", "roadNum") if (text := the_text(begin, name))
            ],
            "direction": the_text(begin, "roadDirection"),
            "beginning_cross_street": the_text(begin, "crossStreet"),
            "ending_cross_street": the_text(end, "crossStreet"),
            "beginning_milepost": _either(begin, "milepost"),
            "ending_milepost": _either(end, "milepost"),
            "start_date": start_date,
            "end_date": end_date,
            "end_date_accuracy": end_accuracy,
            "event_status": status,
            "lanes": list(_lanes(activity)),
            "description": the_text(activity, "description"),
            "update_date": _first(activity, "timestampEventUpdate"),
            "creation_date": _first(activity, "timestampEventCreation"),
        },
        "geometry": {
            "type": "MultiPoint",
            "coordinates": [pair for place in (begin, end) if (pair := _pair(place))],
        },
    }


def _first(data: Mapping[str, Any], *names: str) -> str:
    """A member whose name is spelt in more than one way, `timeStampEventUpdate` too."""
    spelt = {name.lower(): name for name in data}
    found = (the_text(data, spelt[name.lower()]) for name in names if name.lower() in spelt)
    return next(filter(None, found), "")


def _time(activity: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A time, and whether it is verified, estimated or cancelled."""
    frame = the_object(activity, name)
    for ending, accuracy in (("ver", "verified"), ("est", "estimated"), ("cancelled", "cancelled")):
        text = the_text(frame, f"{name}-{ending}")
        if text:
            return text, accuracy
    return "", ""


def _either(place: Mapping[str, Any], name: str) -> str:
    return the_text(place, f"{name}-ver") or the_text(place, f"{name}-est")


def _pair(place: Mapping[str, Any]) -> list[float] | None:
    """Longitude and latitude, which may be texts."""
    pair = [the_number({name: _either(place, name)}, name) for name in ("longitude", "latitude")]
    known = [number for number in pair if number is not None]
    return known if len(known) == 2 else None


def _lanes(activity: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Lanes by type, `closed right-lane`; of shoulders the side."""
    for name, status in _LANES:
        listed = the_items(activity, name) or [the_text(activity, name)]
        for lane in listed:
            if isinstance(lane, str) and lane.lower() not in _NOTHING:
                shoulder = "shoulder " if name == "closedShoulders" else ""
                yield {"type": f"{shoulder}{lane}", "status": status}
