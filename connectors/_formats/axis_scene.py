"""Axis' own JSON of tracked objects: frames of a scene, and tracks that have ended.

Boxes are 0 to 1 with y downwards. Clothes of persons are not read, and their pictures are dropped.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.inline import inline_pictures
from connectors._formats.members import the_items, the_number, the_object, the_text
from connectors._formats.onvif_scene import Camera, shows
from connectors._formats.pictures import a_box
from connectors._formats.times import Stamp
from hub.connector import Event, Nothing, Outcome, Rejection

__all__ = ["scene", "track"]

_OBJECTS_MAX: Final = 1_000
_OPERATIONS: Final = {
    "DeleteOperation": ("id", ""),
    "RenameOperation": ("from", "object_renamed"),
    "MergeOperation": ("from", "object_merged"),
    "SplitOperation": ("from", "object_split"),
}
"""Where the id of an object stands that ends, and the flag of its end."""
_RULE: Final = "scene_description"


def scene(frame: Mapping[str, Any], camera: Camera) -> Iterator[Outcome]:
    """Every object of a frame, and those that end with it."""
    stamp = camera.stamp(the_text(frame, "timestamp"))
    seen, operations = the_items(frame, "observations"), the_items(frame, "operations")
    for place, each in enumerate(seen[:_OBJECTS_MAX]):
        id_ = the_text(each, "track_id") if isinstance(each, dict) else ""
        if id_:
            told = _best([the_object(each, "class")])
            yield _tracked(each, id_, *told, rule=(_RULE, "ONGOING"), seen=(stamp, camera))
        else:
            yield _unnamed(f"frame/observations[{place}]/track_id")
    for each in operations[:_OBJECTS_MAX]:
        member, flag = _OPERATIONS.get(the_text(each, "type"), ("", "")) if _is(each) else ("", "")
        stays = {the_text(each, "to")} if flag else set()
        for id_ in _ids(each, member) if member else ():
            if id_ not in stays:
                yield _event(id_, {"rule": _RULE, "state": "STOPPED"}, stamp, camera, flag)
    if len(seen) > _OBJECTS_MAX or len(operations) > _OBJECTS_MAX:
        message = f"more than {_OBJECTS_MAX} objects in one frame"
        yield Rejection(code="too-many-records", message=message, path="frame/observations")
    if not seen and not operations:
        yield Nothing(why="a frame without objects")


def track(document: Mapping[str, Any], camera: Camera) -> Iterator[Outcome]:
    """An object that has left: one event, of its end."""
    id_ = the_text(document, "id")
    if not id_:
        yield _unnamed("id")
        return
    end = the_text(document, "end_time") or the_text(document, "start_time")
    told = _best([each for each in the_items(document, "classes") if _is(each)])
    rule = ("consolidated_track", "STOPPED")
    yield _tracked(_last(document), id_, *told, rule=rule, seen=(camera.stamp(end), camera))


def _last(document: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of a track, and the box of its last observation."""
    observed = [each for each in the_items(document, "observations") if _is(each)]
    return {"image": document.get("image"), **(observed[-1] if observed else {})}


def _tracked(
    each: Mapping[str, Any],
    id_: str,
    target: str,
    score: float | None,
    *,
    rule: tuple[str, str],
    seen: tuple[Stamp, Camera],
) -> Event:
    pictures, flags = inline_pictures(
        [(shows(target), the_text(the_object(each, "image"), "data"))]
    )
    body = {
        "rule": rule[0],
        "state": rule[1],
        "target": target,
        "score": score if score is not None and 0 <= score <= 1 else None,
        "box": _box(the_object(each, "bounding_box")),
    }
    return _event(id_, body, *seen, *flags, pictures=pictures)


def _event(
    id_: str, body: Mapping[str, Any], stamp: Stamp, camera: Camera, *flags: str, pictures: Any = ()
) -> Event:
    device_ref = camera.ref()
    unnamed = () if device_ref else ("device_unnamed",)
    return Event(
        noun="detection",
        kind="camera.tracked_object",
        device_ref=device_ref,
        subject=("object", device_ref, str(body["rule"]), id_),
        native_id=id_,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        replayed=camera.replayed,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *filter(None, flags)),
        pictures=pictures,
        body=body,
    )


def _best(classes: list[Mapping[str, Any]]) -> tuple[str, float | None]:
    told = [(the_text(each, "type")[:128], the_number(each, "score")) for each in classes]
    return max(told, key=lambda each: each[1] or 0.0, default=("", None))


def _box(data: Mapping[str, Any]) -> dict[str, Any] | None:
    left, top, right, bottom = (
        the_number(data, side) for side in ("left", "top", "right", "bottom")
    )
    if left is None or top is None or right is None or bottom is None:
        return None
    return a_box([left, top, round(right - left, 6), round(bottom - top, 6)], "UNIT")


def _ids(operation: Mapping[str, Any], member: str) -> list[str]:
    value = operation.get(member)
    several = value if isinstance(value, list) else [value]
    ids = (the_text({"": each}, "") for each in several[:_OBJECTS_MAX])
    return [id_ for id_ in dict.fromkeys(ids) if id_]


def _unnamed(path: str) -> Rejection:
    message = "an object without an id can't be told from others"
    return Rejection(code="object-unnamed", message=message, path=path)


def _is(value: Any) -> bool:
    return isinstance(value, dict)
