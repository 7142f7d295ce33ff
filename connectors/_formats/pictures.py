"""Pictures beside an event: what they show, which must not be kept, and boxes in them.

Pictures of a driver or any person's face are dropped before anything else sees them. A part that
only claims to be a picture is left out with a flag.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors._formats.multipart import Part
from hub.connector import Picture

__all__ = ["a_box", "is_picture", "take_pictures"]

_LARGEST = {"UNIT": 1.0, "PERMILLE": 1000.0, "GRID_8192": 8192.0}
_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
_SUFFIXES = (".jpg", ".jpeg", ".png", "picture", "image")
# What a picture shows, by a word in its names; the first that fits. '' is a person.
_ROLES = (
    (("pilot", "driver", "passenger", "face", "person", "human", "pedestrian", "rider"), ""),
    (("plate",), "plate"),
    (("vehicle", "car"), "vehicle"),
    (("detection", "background", "scene"), "scene"),
)


def is_picture(part: Part) -> bool:
    """Whether the part is a picture, or claims to be one."""
    return (
        bool(_type(part.data))
        or part.content_type.startswith("image/")
        or (part.data[:1] not in b"<{[" and any(n.lower().endswith(_SUFFIXES) for n in part.names))
    )


def take_pictures(
    parts: Iterable[Part], types: Mapping[str, str], *, otherwise: str = "scene"
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The pictures to keep, and quality flags.

    `types` is what the event says of a picture by its name; `otherwise` is the role of one nobody
    names, '' when that must be taken for a person's.
    """
    pictures: list[Picture] = []
    flags: list[str] = []
    for part in parts:
        content_type = _type(part.data)
        role = _role(part, types, otherwise)
        if not role:
            flags.append("person_picture_dropped")
        elif not content_type:
            flags.append("picture_unreadable")
        else:
            pictures.append(Picture(role=role, content_type=content_type, data=part.data))
            if content_type == "image/jpeg" and not part.data.rstrip(b"\r\n").endswith(b"\xff\xd9"):
                flags.append("picture_truncated")
    return tuple(pictures), tuple(dict.fromkeys(flags))


def a_box(
    numbers: Sequence[float | None], scale: str, size: Sequence[int | None] = (None, None)
) -> dict[str, Any] | None:
    """Left, top, width, height as an event's box; None when one is missing or it has no area.

    A scale the numbers do not fit becomes UNKNOWN: they are kept as given.
    """
    if None in numbers or not all(numbers[2:]):
        return None
    largest = max(abs(value or 0.0) for value in numbers)
    return {
        **dict(zip(("x", "y", "width", "height"), numbers, strict=True)),
        "scale": scale if largest <= _LARGEST.get(scale, largest) else "UNKNOWN",
        "picture_width_px": size[0],
        "picture_height_px": size[1],
    }


def _type(data: bytes) -> str:
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")


def _role(part: Part, types: Mapping[str, str], otherwise: str) -> str:
    told = " ".join((*part.names, *(types.get(name, "") for name in part.names))).lower()
    found = (role for words, role in _ROLES if any(word in told for word in words))
    return next(found, otherwise)
