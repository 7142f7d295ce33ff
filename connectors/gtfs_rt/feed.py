"""The entities of a GTFS Realtime feed as objects, from Protocol Buffers or from JSON.

Field numbers are those of `gtfs-realtime.proto` as of 2025. Members keep the standard's names in
Protocol Buffers; JSON keeps its own.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from connectors._formats.json import Path, a_list, an_object, parse_json
from connectors._formats.members import the_number
from connectors._formats.protobuf import Fields, Member, fields_of, read_message
from hub.errors import PayloadError

__all__ = ["entities"]

_BYTES_MAX: Final = 16 * 1024 * 1024
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"\0\0\0{")
_HEAD: Final = 64  # bytes; the version's length, 3, is among them, and no letter of a text

_TRANSLATED: Final[Fields] = {
    1: Member("translation", {1: Member("text", "text"), 2: Member("language", "text")}, many=True)
}
_PERIOD: Final[Fields] = {1: Member("start", "integer"), 2: Member("end", "integer")}
_TRIP: Final[Fields] = {
    1: Member("trip_id", "text"),
    2: Member("start_time", "text"),
    3: Member("start_date", "text"),
    5: Member("route_id", "text"),
    6: Member("direction_id", "integer"),
}
_SELECTOR: Final[Fields] = {
    1: Member("agency_id", "text"),
    2: Member("route_id", "text"),
    3: Member("route_type", "integer"),
    4: Member("trip", _TRIP),
    5: Member("stop_id", "text"),
    6: Member("direction_id", "integer"),
}
_ALERT: Final[Fields] = {
    1: Member("active_period", _PERIOD, many=True),
    3: Member("impact_period", _PERIOD, many=True),
    5: Member("informed_entity", _SELECTOR, many=True),
    6: Member("cause", "integer"),
    7: Member("effect", "integer"),
    8: Member("url", _TRANSLATED),
    10: Member("header_text", _TRANSLATED),
    11: Member("description_text", _TRANSLATED),
    14: Member("severity_level", "integer"),
    17: Member("cause_detail", _TRANSLATED),
    18: Member("effect_detail", _TRANSLATED),
}
_ENTITY: Final[Fields] = {
    1: Member("id", "text"),
    2: Member("is_deleted", "integer"),
    5: Member("alert", _ALERT),
}
_HEADER: Final[Fields] = {
    1: Member("gtfs_realtime_version", "text"),
    3: Member("timestamp", "integer"),
}

Opens = Callable[[float | None], None]
"""Told the time at which the feed was made, before its first entity comes."""


def entities(body: bytes, opens: Opens) -> Iterator[tuple[Path, Any]]:
    """Each entity with its place, or why it is none; `PayloadError` when there is no feed."""
    binary = _BINARY.search(body[:_HEAD]) is not None
    if body.startswith(_WIDE) or (not binary and body.lstrip(_BLANK)[:1] == b"{"):
        yield from _of_json(parse_json(body, records=[("entity",)]), opens)
    elif not body.strip(_BLANK):
        raise PayloadError("an empty body instead of a feed", code="empty")
    elif not binary:
        raise _no_feed(body)
    elif len(body) > _BYTES_MAX:
        raise PayloadError(f"{len(body)} bytes, at most {_BYTES_MAX}", code="too-large")
    else:
        yield from _of_wire(body, opens)


def _of_json(value: Any, opens: Opens) -> Iterator[tuple[Path, Any]]:
    document = an_object(value, ())
    header = an_object(document.get("header"), ("header",))
    opens(the_number(header, "timestamp"))
    for place, entity in enumerate(a_list(document.get("entity", []), ("entity",))):
        yield ("entity", place), entity


def _of_wire(body: bytes, opens: Opens) -> Iterator[tuple[Path, Any]]:
    header: dict[str, Any] = {}
    place = 0
    try:
        for number, value in fields_of(body):
            if number == 1 and isinstance(value, bytes):
                read_message(value, _HEADER, header)
                opens(header.get("timestamp"))
            elif number == 2 and isinstance(value, bytes):
                yield ("entity", place), _entity(value)
                place += 1
    except PayloadError as error:
        if not header:
            raise
        yield ("entity", place), error
    if not header.get("gtfs_realtime_version"):
        raise PayloadError("no header of a feed", code="not-gtfs-rt", path="header")


def _entity(value: bytes) -> dict[str, Any] | PayloadError:
    try:
        return read_message(value, _ENTITY)
    except PayloadError as error:
        return error


def _no_feed(body: bytes) -> PayloadError:
    text = body.lstrip(_BLANK)
    if text.startswith((b"header", b"#", b"entity")):
        return PayloadError(
            "the text format of Protocol Buffers, which is for people",
            code="text-format",
            fix="ask for the feed itself, without a parameter such as ?debug",
        )
    what = "a page or an XML document" if text.startswith(b"<") else "a text"
    return PayloadError(
        f"{what} instead of a feed",
        code="not-gtfs-rt",
        fix="look whether the address wants a key, or has moved",
    )
