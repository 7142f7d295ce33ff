"""Names of the fields in which two records differ; never their values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["differing"]

_ABSENT = object()


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Paths of the fields that differ, as `header.kind` or `routing.rules[1].id`."""
    return list(_differing(one, other, path))


def _differing(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in dict.fromkeys((*one, *other)):
            below = f"{path}.{name}" if path else str(name)
            yield from _differing(one.get(name, _ABSENT), other.get(name, _ABSENT), below)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(mine, theirs, f"{path}[{index}]")
    elif one != other:
        yield path
