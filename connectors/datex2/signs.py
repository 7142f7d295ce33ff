"""What variable message signs show, in DATEX II: units of 2.x and controllers of 3.x."""

from collections.abc import Iterator
from typing import Any, Final

from connectors._formats.numbers import integer, number
from connectors._formats.text import clean
from connectors._formats.xml import Node
from connectors.datex2.location import Location, read_location
from connectors.datex2.record import STATUS, Context
from hub.connector import Event, Outcome, Rejection

__all__ = ["read_signs"]

_UNITS: Final = ("vmsUnit", "vmsControllerStatus")
_SIGNS: Final = ("vms", "vmsStatus")
_REFERENCES: Final = ("vmsUnitReference", "vmsControllerReference")
_PLACES: Final = ("vmsLocationOverride", "vmsLocation")
_PAGES: Final = ("textPage", "page")
_LINES: Final = frozenset({"vmsTextLine", "textLine"})
_PICTOGRAMS: Final = frozenset({"pictogramDescription", "pictogramCode", "pictogramUrl"})
_DARK: Final = frozenset({"blankVoid", "blank"})
_TIMES: Final = ("vmsMessage/vmsMessage/timeLastSet", "vmsMessage/timeLastSet", "statusUpdateTime")


def read_signs(context: Context) -> Iterator[Outcome]:
    """One `sign_message` for each sign of each unit or controller."""
    for name in _UNITS:
        for place, unit in enumerate(context.publication.findall(name)):
            references = (unit.find(reference) for reference in _REFERENCES)
            reference = next((node for node in references if node is not None), None)
            ref = reference.attr("id") if reference is not None else ""
            if not ref:
                yield _nameless(f"{name}[{place}]/{name}Reference/@id")
                continue
            for sign in (node for kind in _SIGNS for node in unit.findall(kind)):
                yield _sign(sign, unit, ref, context)


def _sign(outer: Node, unit: Node, ref: str, context: Context) -> Event:
    sign = outer.find(outer.name) or outer
    index = outer.attr("vmsIndex")
    pages = [page for message in sign.findall("vmsMessage") for page in _pages(message)]
    pictograms = [clean(node.text) for name in sorted(_PICTOGRAMS) for node in _leaves(sign, name)]
    shown = [name for name in pictograms if name and name not in _DARK]
    header = context.publication.value("headerInformation/informationStatus")
    flags = [] if header in STATUS else ["information_status_unknown"]
    if sign.value("vmsWorking") in {"false", "0"}:
        flags.append("sign_not_working")
    places = [node for name in _PLACES for node in sign.findall(name)]
    location = read_location(places[0], itself=True) if places else Location()
    texts = (sign.value(path) for path in _TIMES)
    stamp = context.stamp(next((text for text in texts if text), unit.value("statusUpdateTime")))
    return Event(
        noun="sign_message",
        kind="sign.message",
        device_ref=f"{ref}/{index}",
        subject=(ref, index),
        native_id=f"{ref}/{index}",
        version_at=stamp.at,
        observed_at=stamp.at,
        published_at=context.published_at,
        time_quality=stamp.quality,
        status=STATUS.get(header, "UNKNOWN"),
        position=location.position,
        quality_flags=tuple(dict.fromkeys([*stamp.flags, *flags, *location.flags])),
        body={
            "controller_ref": ref,
            "sign_index": integer(index),
            "blank": not shown and not any(any(page["lines"]) for page in pages),
            "pages": pages,
            "pictograms": shown,
        },
    )


def _pages(message: Node) -> Iterator[dict[str, Any]]:
    found = [node for name in _PAGES for node in message.descendants(name)]
    outer = [node for node in found if node.attr("pageNumber")] or found
    for page in sorted(outer, key=lambda node: integer(node.attr("pageNumber")) or 0):
        lines = list(_lines(page))
        if lines:
            yield {"lines": lines, "seconds_on": number(page.value("displayDuration"))}
    if not outer:
        lines = list(_lines(message))
        if lines:
            yield {"lines": lines, "seconds_on": None}


def _lines(node: Node) -> Iterator[str]:
    """Lines by their index; a line is wrapped once or twice in elements of its own name."""
    lines = [line for name in sorted(_LINES) for line in node.descendants(name)]
    numbered = [line for line in lines if line.attr("lineIndex")] or [
        line for line in lines if not line.find(line.name)
    ]
    for line in sorted(numbered, key=lambda one: integer(one.attr("lineIndex")) or 0):
        innermost = next(iter(reversed(line.descendants(line.name))))
        shown = innermost.find("values/value") or innermost
        yield "".join(sign for sign in shown.layout if sign.isprintable()).rstrip()


def _leaves(node: Node, name: str) -> Iterator[Node]:
    return (found for found in node.descendants(name) if not found.find(name))


def _nameless(path: str) -> Rejection:
    return Rejection(
        code="missing-field",
        message="a sign's unit or controller has no id, so its messages belong nowhere",
        path=path,
        fix="let the publisher set the id attribute, as the DATEX II schema demands",
    )
