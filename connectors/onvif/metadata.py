"""Frames of metadata: each object once, as its last frame shows it, and the plates that were read.

XML becomes the JSON that Profile M writes over MQTT (`@name` for attributes, `#text` for texts), so
one reader serves both.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.members import the_number, the_object, the_text
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate
from connectors._formats.xml import Node
from connectors.onvif.events import stamp_of
from hub import Event, Nothing, Options, Outcome, Payload, PayloadError

__all__ = ["frames", "tree"]

_FRAMES_MAX: Final = 1_000
_OBJECTS_MAX: Final = 5_000
_ENDS: Final = ("Removed", "Deleted")


def tree(node: Node) -> Any:
    """An element as Profile M's JSON has it."""
    found: dict[str, Any] = {f"@{name}": value for name, value in node.attributes.items()}
    for child in node.children:
        value = tree(child)
        if child.name not in found:
            found[child.name] = value
        elif isinstance(found[child.name], list):
            found[child.name].append(value)
        else:
            found[child.name] = [found[child.name], value]
    if not found:
        return node.text
    if node.text:
        found["#text"] = node.text
    return found


def frames(
    analytics: list[Any], prefix: str, payload: Payload, options: Options
) -> Iterator[Outcome]:
    """The objects of all frames, in the order of their last frames."""
    seen: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    known: dict[str, Mapping[str, Any]] = {}
    count = 0
    for document in analytics:
        if not isinstance(document, dict):
            raise PayloadError("expected an object", code="wrong-type", path="Frame")
        for frame in _listed(document, "Frame")[:_FRAMES_MAX]:
            for each in _listed(frame, "Object"):
                count += 1
                if count > _OBJECTS_MAX:
                    raise PayloadError("more objects than can be", code="too-many", path="Object")
                id_ = the_text(each, "@ObjectId")
                known[id_] = each
                seen.pop(id_, None)
                seen[id_] = (frame, each)
    if not seen:
        yield Nothing(why="frames without objects")
    for id_, (frame, each) in seen.items():
        yield _object(id_, frame, each, known, prefix, payload, options)


def _listed(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A member that is one object, or a list of them."""
    value = data.get(name)
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, dict)]


def _object(  # noqa: PLR0917 - what one object is told by
    id_: str,
    frame: Mapping[str, Any],
    each: Mapping[str, Any],
    known: Mapping[str, Mapping[str, Any]],
    prefix: str,
    payload: Payload,
    options: Options,
) -> Event:
    stamp = stamp_of(the_text(frame, "@UtcTime"), payload, options)
    look = the_object(each, "Appearance")
    parent = the_object(known.get(the_text(each, "@Parent"), {}), "Appearance")
    box = _box(look, frame)
    common: dict[str, Any] = {
        "device_ref": "/".join(filter(None, (prefix, the_text(frame, "@Source")))),
        "native_id": id_ or None,
        "observed_at": stamp.at,
        "time_quality": stamp.quality,
        "quality_flags": stamp.flags,
        "severity": "INFO",
    }
    plate = the_object(look, "LicensePlateInfo")
    if plate:
        raw, likelihood = _likely(plate.get("PlateNumber"))
        read, flags = read_plate(raw, confidence=likelihood)
        vehicle = the_object(look, "VehicleInfo") or the_object(parent, "VehicleInfo")
        common["quality_flags"] += flags
        # An object's number is a stream's own; it never spells the plate.
        return Event(
            noun="plate_read",
            kind="vehicle.passage",
            restricted={"plate": read},
            body={
                "vehicle_type": _likely(vehicle.get("Type"))[0],
                "vehicle_make": _likely(vehicle.get("Brand"))[0],
                "country": _likely(plate.get("CountryCode"))[0],
                "plate_box": box,
            },
            **common,
        )
    target, score = _class(look)
    behaviour = the_object(each, "Behaviour")
    gone = any(name in behaviour for name in _ENDS)
    return Event(
        noun="detection",
        kind="camera.tracked_object",
        subject=(common["device_ref"], id_),
        body={
            "rule": "Frame",
            "state": "STOPPED" if gone else "ONGOING",
            "target": target,
            "score": score,
            "box": box,
        },
        **common,
    )


def _class(look: Mapping[str, Any]) -> tuple[str, float | None]:
    """The likeliest class; vehicles without one are told by their kind."""
    told = the_object(look, "Class").get("Type")
    found = [_likely(each) for each in (told if isinstance(told, list) else [told])]
    best = max(found, key=lambda each: each[1] or 0.0)
    if best[0]:
        return best
    return _likely(the_object(look, "VehicleInfo").get("Type"))


def _likely(value: Any) -> tuple[str, float | None]:
    """A text with its likelihood, 0 to 1."""
    if isinstance(value, dict):
        score = the_number(value, "@Likelihood")
        return the_text(value, "#text"), score if score is not None and 0 <= score <= 1 else None
    return (the_text({"": value}, ""), None)


def _box(look: Mapping[str, Any], frame: Mapping[str, Any]) -> dict[str, Any] | None:
    """A box of 0 to 1 from the left and from above, as the transformation places it."""
    corners = the_object(the_object(look, "Shape"), "BoundingBox")
    left, top, right, bottom = (
        the_number(corners, f"@{name}") for name in ("left", "top", "right", "bottom")
    )
    if left is None or top is None or right is None or bottom is None:
        return None
    moved = the_object(frame, "Transformation")
    scale, shift = the_object(moved, "Scale"), the_object(moved, "Translate")
    scale_x, scale_y = (the_number(scale, f"@{axis}") for axis in "xy")
    shift_x, shift_y = (the_number(shift, f"@{axis}") for axis in "xy")
    left, right = (each * (scale_x or 1.0) + (shift_x or 0.0) for each in (left, right))
    top, bottom = (each * (scale_y or 1.0) + (shift_y or 0.0) for each in (top, bottom))
    # From -1 to 1 and upwards, to 0 to 1 and downwards.
    return a_box(
        [
            round((left + 1) / 2, 6),
            round((1 - max(top, bottom)) / 2, 6),
            round(abs(right - left) / 2, 6),
            round(abs(top - bottom) / 2, 6),
        ],
        "UNIT",
    )
