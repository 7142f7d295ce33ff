"""Where a situation record is: coordinates, and codes that need a table to be placed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors._formats.coordinates import read_degrees, read_position
from connectors._formats.xml import Node
from hub.connector import Position

__all__ = ["Location", "read_location"]

_DIRECTIONS = (
    "alertCDirectionCoded",
    "tpegDirection",
    "directionRelativeAtPoint",
    "directionRelativeOnLinearSection",
    "directionBoundOnLinearSection",
    "directionBoundAtPoint",
)
_DISPLAYS = ("locationForDisplay", "coordinatesForDisplay")
_ALERT_C = ("alertCPoint", "alertCLinear", "alertCArea")
_ALONG = ("pointAlongLinearElement", "linearWithinLinearElement")
_POINTS_MAX = 2_000
_LANES_MAX = 200


@dataclass(slots=True)
class Location:
    """The location of one record, in the words of the event's body."""

    position: Position | None = None
    points: list[dict[str, float]] = field(default_factory=list)
    codes: list[dict[str, str]] = field(default_factory=list)
    road: str = ""
    direction: str = ""
    lanes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def read_location(record: Node, *, itself: bool = False) -> Location:
    """Everything the record says of its place (`groupOfLocations` in 2.x, later a reference).

    `itself` takes the node as the place, as elaborated data name it otherwise.
    """
    location = Location()
    if itself:
        _read(record, location)
    for name in ("groupOfLocations", "locationReference"):
        for node in record.findall(name):
            _read(node, location)
    location.flags = list(dict.fromkeys(location.flags))
    if location.position is None and location.points:
        first = location.points[0]
        location.position = Position(lat=first["lat"], lon=first["lon"])
    return location


def _read(node: Node, location: Location) -> None:
    for name in _DISPLAYS:
        for display in node.descendants(name):
            lat, lon = display.value("latitude"), display.value("longitude")
            location.position = location.position or read_position(lat, lon)[0]
    for lat, lon in _coordinates(node, location):
        if len(location.points) >= _POINTS_MAX:
            location.flags.append("points_cut")
            break
        degrees, flag = read_degrees(lat, lon)
        location.flags.extend([flag] if flag else [])
        if degrees:
            location.points.append({"lat": degrees[0], "lon": degrees[1]})
    location.codes.extend(_codes(node))
    location.road = location.road or _road(node)
    location.direction = location.direction or _first(node, _DIRECTIONS)
    for lane in node.descendants("lane"):
        text = lane.text or lane.value("laneUsage") or lane.value("laneNumber")
        if text and text not in location.lanes:
            if len(location.lanes) >= _LANES_MAX:
                location.flags.append("lanes_cut")
                break
            location.lanes.append(text)


def _coordinates(node: Node, location: Location) -> Iterator[tuple[str, str]]:
    """All pairs in document order: elements, and the lists of GML lines (latitude first)."""
    lats, lons = node.descendants("latitude"), node.descendants("longitude")
    if len(lats) == len(lons):
        for lat, lon in zip(lats, lons, strict=True):
            yield lat.text, lon.text
    else:
        location.flags.append("coordinates_invalid")
    for line in node.descendants("posList"):
        numbers = line.text.split()
        yield from zip(numbers[::2], numbers[1::2], strict=False)


def _codes(node: Node) -> Iterator[dict[str, Any]]:
    for name in _ALERT_C:
        for coded in node.descendants(name):
            parts = ("CountryCode", "TableNumber", "TableVersion")
            table = "-".join(coded.value(f"alertCLocation{part}") for part in parts)
            for code in coded.descendants("specificLocation"):
                yield {"scheme": "alert-c", "table": table, "code": code.text}
    for name in ("openlrBinary", "binary"):
        for code in node.descendants(name):
            if code.text:
                yield {"scheme": "openlr", "table": "", "code": "".join(code.text.split())}
    for reference in node.descendants("predefinedLocationReference"):
        table = reference.attr("version")
        yield {"scheme": "predefined", "table": table, "code": reference.attr("id")}
    for name in _ALONG:
        for along in node.descendants(name):
            yield from _along(along)


def _along(along: Node) -> Iterator[dict[str, str]]:
    """Places along a road: `A0004 94PR0G+628.0`, one for each end given."""
    element = along.find("linearElement")
    road = _road(element) if element else ""
    if not road:
        return
    table = element.value("linearElementReferenceModel") if element else ""
    for name in ("distanceAlongLinearElement", "fromPoint", "toPoint"):
        for place in along.findall(name):
            referent = place.value("fromReferent/referentIdentifier")
            distance = place.value("distanceAlong")
            code = f"{road} {referent}+{distance or 0}".replace(" +", " ")
            yield {"scheme": "linear", "table": table, "code": code}


def _road(node: Node) -> str:
    number = _first(node, ("roadNumber", "roadName", "linearElementIdentifier"))
    if number:
        return number
    for name in node.descendants("name"):
        if name.value("tpegOtherPointDescriptorType") in {"linkName", "roadNumber"}:
            return name.value("descriptor/values/value")
    return ""


def _first(node: Node, names: tuple[str, ...]) -> str:
    for name in names:
        for found in node.descendants(name):
            text = found.text or found.value("values/value")
            if text:
                return text
    return ""
