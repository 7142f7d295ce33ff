"""Names of the fields in which two records differ; never their values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["as_old", "differing"]

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


def as_old(old: Any, new: Any) -> Any:
    """A record without the fields that the other one, of an earlier release, does not have."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {name: as_old(old[name], each) for name, each in new.items() if name in old}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [as_old(*pair) for pair in zip(old, new, strict=True)]
    return new
