"""Proposed entries of the device register as TOML, for people to look at and `import` to take."""

from collections.abc import Iterable, Mapping
from typing import Any

import tomli_w

__all__ = ["printable", "toml_of"]


def toml_of(proposed: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Remark and entry of each device; what is empty is left out."""
    return "\n".join(
        f"# {printable(remark)}\n"
        + tomli_w.dumps({"device": [{name: each for name, each in entry.items() if _given(each)}]})
        for remark, entry in proposed
    )


def printable(text: str) -> str:
    """A text of somebody else's as one line of a remark, or of a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _given(value: Any) -> bool:
    return value is not None and value not in ("", {})
