"""Message signs whose text is MULTI (NTCIP 1203), as JSON of traffic centres such as DriveBC.

One `sign_message` for each sign of an object, a list or a page of results (`results`).

Traps handled:

- The text is mark-up: pages, lines, page times and pictures are read, fonts and colours are not.
  What a tag means that is not known, or a bracket that never closes, is a flag and loses no text.
- `updated_datetime_utc` carries an offset such as -08:00: the offset counts, and the flag
  `zone_contradicts_name` says so. Without one, the field's name does: UTC.
- An empty text is a dark sign and so the end of a message; `is_on` false and a message after its
  expiry are dark too, the latter with lifecycle EXPIRED.
- A status other than OK is the flag `sign_not_ok`: the text may not be what the sign shows.
- Lists of every sign hold unreadable ones: each is refused alone. Of copies of one sign the newest
  is taken, else the last.
- A text of megabytes is cut to what a record has room for (`text_cut`, `pages_cut`, `lines_cut`).
- Coordinates are lon, lat.

Known: one published sign of DriveBC. Inferred: lists and `results`, as its interface pages them.
Not read: what the fixed panel says (`static_text`), copies of the text (`message_display_1` to 3).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from connectors._formats.coordinates import read_position
from connectors._formats.fitting import fitted
from connectors._formats.json import Path, a_list, a_text, an_object, parse_json, shown
from connectors._formats.members import the_items, the_object, the_text
from connectors._formats.multi import read_multi
from connectors._formats.times import Stamp, read_stamp
from hub.connector import (
    Connector,
    Event,
    Lifecycle,
    Nothing,
    Options,
    Outcome,
    Payload,
    Position,
    Rejection,
)
from hub.errors import PayloadError

__all__ = ["Options", "connector", "parse"]

_OFFSET: Final = re.compile(r"[+-]\d{1,2}:?\d{2}\s*$")
_UTC: Final = re.compile(r"(?:[Zz]|[+-]00:?00)\s*$")
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400
_STANDS_S: Final = 366 * _DAY_S  # a text may have stood for a year


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The sign messages of a document; a bad one never hides its neighbours."""
    document = parse_json(payload.body, records=[(), ("results",)])
    path: Path = ()
    if isinstance(document, dict) and "results" in document:
        document, path = a_list(document["results"], ("results",)), ("results",)
    signs = document if isinstance(document, list) else [document]
    if not signs:
        yield Nothing(why="a list without signs")
    newest: dict[str, Event] = {}
    for place, item in enumerate(signs):
        here: Path = (*path, place) if signs is document else path
        try:
            event = _sign(an_object(item, here), here, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)
            continue
        known = newest.get(event.device_ref)
        if known is None or _at(event) >= _at(known):
            newest[event.device_ref] = event
    yield from newest.values()


def _at(event: Event) -> datetime:
    return event.version_at or _EARLIEST


def _sign(sign: dict[str, Any], path: Path, payload: Payload, options: Options) -> Event:
    ref = the_text(sign, "id")
    if not ref:
        what = "a sign without an id: its messages could not be told from another's"
        raise PayloadError(what, code="missing-field", path=shown((*path, "id")))
    if "message_text" not in sign:
        what = "a sign without message_text: an empty text would be a dark sign, none is not"
        raise PayloadError(what, code="missing-field", path=shown((*path, "message_text")))
    message = read_multi(a_text(sign["message_text"], (*path, "message_text")))
    stamp = _stamp(the_text(sign, "updated_datetime_utc"), payload, options)
    expiry = _stamp(the_text(sign, "message_expiry_datetime_utc"), payload, options)
    lifecycle: Lifecycle = "UNKNOWN"
    if expiry.at is not None and expiry.at <= payload.received_at:
        lifecycle = "EXPIRED"
    dark = lifecycle == "EXPIRED" or the_text(sign, "is_on").lower() == "false"
    doubts = [] if the_text(sign, "status").upper() in {"", "OK"} else ["sign_not_ok"]
    position, flags = _position(sign)
    body = {
        "controller_ref": ref,
        "blank": dark or not (message.pages or message.pictograms),
        "pages": [] if dark else message.pages,
        "pictograms": [] if dark else message.pictograms,
    }
    body = fitted(body, message.flags, whole=("controller_ref", "pictograms"))
    return Event(
        noun="sign_message",
        kind="sign.message",
        device_ref=ref,
        subject=(ref,),
        native_id=ref,
        version_at=stamp.at,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        lifecycle=lifecycle,
        position=position,
        quality_flags=tuple(dict.fromkeys([*stamp.flags, *message.flags, *doubts, *flags])),
        body=body,
    )


def _stamp(text: str, payload: Payload, options: Options) -> Stamp:
    offset = _OFFSET.search(text)
    if text and not offset and not _UTC.search(text):
        text += "Z"
    stamp = read_stamp(
        text,
        received_at=payload.received_at,
        options=options,
        replayed=True,
        late_ok_s=_STANDS_S,
    )
    if offset and not _UTC.search(text) and stamp.at is not None:
        flags = (*stamp.flags, "zone_contradicts_name")
        return Stamp(stamp.at, stamp.quality, flags, stamp.raw)
    return stamp


def _position(sign: dict[str, Any]) -> tuple[Position | None, tuple[str, ...]]:
    pair = the_items(the_object(sign, "location"), "coordinates")
    if not pair:
        return None, ()
    lon, lat = (*pair, None)[:2]
    return read_position(lat if _is_number(lat) else "", lon if _is_number(lon) else "")


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


connector = Connector(
    name="vms_multi",
    title="Message signs with NTCIP 1203 MULTI texts (JSON)",
    parse=parse,
    emits=("sign_message",),
    identity={"sign_message": ("body.pages", "body.pictograms", "body.blank")},
    transports=("http_poll", "http_push", "drop_folder"),
)
