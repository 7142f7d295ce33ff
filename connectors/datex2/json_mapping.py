"""The JSON mapping of DATEX II 3.x, turned into the elements its XML would have.

The mapping marks attributes by a `G` (`idG`), wraps enumerations (`{"value": "real"}`), and names a
subtype by a wrapper with its namespace (`{"situationAccident": {…}}`) where XML has `xsi:type`.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from connectors._formats.json import an_object
from connectors._formats.text import clean
from connectors._formats.xml import XSI_TYPE, Node, as_node

__all__ = ["RECORDS", "as_xml"]

RECORDS = [
    (*around, *publication, "situation")
    for around in ((), ("payload",), ("messageContainer", "payload", None))
    for publication in ((), ("situationPublication",), ("situationSituationPublication",))
]
"""Where lists of situations may stand."""

_ATTRIBUTES = {"idG": "id", "versionG": "version", "id": "id", "version": "version", "lang": "lang"}
_INDEX = re.compile(r"(?:index|\w+Index|pageNumber|numberOfInputValuesUsed)G?")
_SUBTYPE = re.compile(
    r"(?:situation|locationReferencing|common|roadTrafficData|vms|trafficManagementPlan|"
    r"urbanExtensions)(?!Record|Version|Publication$)([A-Z]\w+)"
)


def as_xml(document: Any) -> Node:
    """The document as nodes; its only member is the root, several members get a `payload`."""
    members = an_object(document, ())
    name, value = next(iter(members.items())) if len(members) == 1 else ("payload", members)
    root = Element(_element_name(name))
    _fill(root, value)
    return as_node(root)


def _fill(element: Element, value: Any) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _add(element, key, member, alone=len(value) == 1)
    elif isinstance(value, list):
        for item in value:
            _fill(element, item)
    elif value is not None:
        element.text = str(value).lower() if isinstance(value, bool) else _text(str(value))


def _text(value: str) -> str:
    """The clean text with the blanks before it, which are layout on a sign."""
    return " " * (len(value) - len(value.lstrip(" "))) + clean(value)


def _add(element: Element, key: str, member: Any, *, alone: bool) -> None:
    if isinstance(member, dict):
        subtype = _SUBTYPE.fullmatch(key)
        if alone and subtype and not key.endswith("Publication"):
            element.set(XSI_TYPE, subtype[1])
            _fill(element, member)
        else:
            _fill(SubElement(element, _element_name(key)), member)
    elif isinstance(member, list):
        for item in member:
            _fill(SubElement(element, _element_name(key)), item)
    elif member is None:
        return
    elif key in _ATTRIBUTES:
        element.set(_ATTRIBUTES[key], clean(str(member)))
    elif _INDEX.fullmatch(key):
        element.set(key.removesuffix("G"), clean(str(member)))
    elif key == "value":
        _fill(element, member)
    else:
        _fill(SubElement(element, _element_name(key)), member)


def _element_name(key: str) -> str:
    """`situationSituationPublication` as the XML root `situationPublication`."""
    subtype = _SUBTYPE.fullmatch(key)
    if subtype and key.endswith("Publication"):
        return subtype[1][0].lower() + subtype[1][1:]
    return key
