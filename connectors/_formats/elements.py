"""JSON that mirrors an XML format, as the elements it stands for, so that one reader serves both.

A list is its element repeated, a number keeps its digits, null is left out, and members that can
name no element are attributes (`@id`) or the text beside them (`#text`).
"""

from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

from connectors._formats.text import clean
from connectors._formats.xml import Node, as_node

__all__ = ["as_elements"]

_DEPTH_MAX: Final = 60


def as_elements(name: str, value: Any) -> Node:
    """`{"info": [{"language": "vi"}, …]}` named `alert` as `<alert><info>…`."""
    root = Element(name)
    _fill(root, value, 0)
    return as_node(root)


def _fill(element: Element, value: Any, depth: int) -> None:
    if isinstance(value, dict) and depth < _DEPTH_MAX:
        for key, member in value.items():
            if key.startswith("@"):
                if isinstance(member, str | int | float):
                    element.set(key[1:], _text(member))
                continue
            if key == "#text" and isinstance(member, str | int | float):
                element.text = _text(member)
                continue
            for item in member if isinstance(member, list) else (member,):
                if item is not None:
                    _fill(SubElement(element, key), item, depth + 1)
    elif isinstance(value, str | int | float):
        element.text = _text(value)


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else clean(str(value))
