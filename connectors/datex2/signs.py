"""What variable message signs show, in DATEX II: units of 2.x and controllers of 3.x."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from connectors._formats.fitting import fitted
from connectors._formats.numbers import integer
from connectors._formats.text import clean, snake
from connectors._formats.times import Stamp
from connectors._formats.xml import Node
from connectors.datex2.location import Location, read_location
from connectors.datex2.record import STATUS, Context
from hub.connector import Event, Outcome, Rejection

__all__ = ["read_signs"]

_UNITS: Final = {
    "vmsUnit": ("vmsUnitReference", "vms", "vmsUnitFault"),
    "vmsControllerStatus": ("vmsControllerReference", "vmsStatus", "vmsControllerFault"),
}
"""Element of a unit: its reference, its signs, and its faults."""
_PLACES: Final = ("vmsLocationOverride", "vmsLocation")
_LINES: Final = ("vmsTextLine", "textLine")
_PICTOGRAMS: Final = ("pictogramCode", "pictogramDescription", "pictogramUrl")
_DARK: Final = frozenset({"blankVoid", "blank"})
_TRUE: Final = frozenset({"true", "1"})
_NOT_WORKING: Final = frozenset({"false", "0", "notWorking"})
_FLAGS_MAX: Final = 8
_PAGES_MAX: Final = 64
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


def read_signs(context: Context) -> Iterator[Outcome]:
    """One `sign_message` for each sign: of several copies the newest, else the last."""
    newest: dict[tuple[str, ...], Event] = {}
    for name, (reference_name, sign_name, fault_name) in _UNITS.items():
        for place, unit in enumerate(context.publication.findall(name)):
            reference = unit.find(reference_name)
            ref = reference.attr("id") if reference is not None else ""
            if not ref:
                yield _nameless(f"{name}[{place}]/{reference_name}/@id")
                continue
            faults = _faults(unit, fault_name)
            for sign in unit.findall(sign_name):
                event = _sign(sign, unit, ref, faults, context)
                known = newest.get(event.subject)
                if known is None or _at(event) >= _at(known):
                    newest[event.subject] = event
    yield from newest.values()


def _at(event: Event) -> datetime:
    return event.version_at or _EARLIEST


def _sign(outer: Node, unit: Node, ref: str, faults: list[str], context: Context) -> Event:
    sign = outer.find(outer.name) or outer
    index = outer.attr("vmsIndex")
    messages = [node.find("vmsMessage") or node for node in sign.findall("vmsMessage")]
    pages = [page for message in messages for page in _pages(message)]
    shown = [name for message in messages for name in _pictograms(message)]
    header = context.publication.value("headerInformation/informationStatus")
    flags = [] if header in STATUS else ["information_status_unknown"]
    working = sign.value("vmsWorking") or sign.value("workingStatus")
    flags.extend(["sign_not_working"] if working in _NOT_WORKING else [])
    flags.extend(["sign_covered"] if working == "covered" else [])
    flags.extend([*faults, *_faults(sign, "vmsFault")][:_FLAGS_MAX])
    flags.extend(["pages_cut"] if len(pages) > _PAGES_MAX else [])
    places = [node for name in _PLACES for node in sign.findall(name)]
    location = read_location(places[0], itself=True) if places else Location()
    stamp = _stamp(messages, sign, unit, context)
    body = {
        "controller_ref": ref,
        "sign_index": integer(index),
        "blank": not shown and not any(any(page["lines"]) for page in pages),
        "pages": pages[:_PAGES_MAX],
        "pictograms": shown[:_PAGES_MAX],
    }
    body = fitted(body, flags, whole=("controller_ref",))
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
        body=body,
    )


def _stamp(messages: list[Node], sign: Node, unit: Node, context: Context) -> Stamp:
    """When the sign was set, of several messages the last time; else when its status was told."""
    stamps = [context.stamp(text) for node in messages if (text := node.value("timeLastSet"))]
    known = [stamp for stamp in stamps if stamp.at is not None]
    if known:
        return max(known, key=lambda stamp: stamp.at or _EARLIEST)
    return context.stamp(sign.value("statusUpdateTime") or unit.value("statusUpdateTime"))


def _pages(message: Node) -> Iterator[dict[str, Any]]:
    """Pages in order: `textPage` of 2.x; text areas of 3.x, each with pages of its own or none."""
    for page in _in_order(message.findall("textPage"), "pageNumber"):
        yield from _page(page.findall("vmsText") or [page])
    for area in _in_order(message.findall("displayAreaSettings"), "displayAreaIndex"):
        yield from _area(area)


def _area(area: Node) -> Iterator[dict[str, Any]]:
    display = area.find("displayAreaSettings") or area
    if display.value("isBlank") in _TRUE:
        return
    inner = _in_order(display.findall("displayAreaSettings"), "pageNumber")
    if inner:
        for page in inner:
            yield from _area(page)
        return
    yield from _page([display])


def _page(texts: list[Node]) -> Iterator[dict[str, Any]]:
    lines = [
        _line(line)
        for text in texts
        for name in _LINES
        for line in _in_order(text.findall(name), "lineIndex")
    ]
    if lines:
        yield {"lines": lines, "seconds_on": None}


def _line(line: Node) -> str:
    """The text inside up to two elements of the line's own name; blanks before it are layout."""
    shown = line
    while (inner := shown.find(line.name)) is not None:
        shown = inner
    return "".join(sign for sign in shown.layout if sign.isprintable()).rstrip()


def _pictograms(message: Node) -> list[str]:
    names = (
        clean(node.text)
        for name in _PICTOGRAMS
        for node in message.descendants(name)
        if node.find(name) is None
    )
    return [name for name in names if name and name not in _DARK]


def _in_order(nodes: list[Node], attribute: str) -> list[Node]:
    return sorted(nodes, key=lambda node: integer(node.attr(attribute)) or 0)


def _faults(node: Node, name: str) -> list[str]:
    """`sign_fault_out_of_service`: a fault's own element has the name of the one around it."""
    words = (fault.value(name) or fault.value("vmsFault") for fault in node.findall(name))
    return [f"sign_fault_{snake(word)[:40]}" for word in words if word]


def _nameless(path: str) -> Rejection:
    return Rejection(
        code="missing-field",
        message="a sign's unit or controller has no id, so its messages belong nowhere",
        path=path,
        fix="let the publisher set the id attribute, as the DATEX II schema demands",
    )
