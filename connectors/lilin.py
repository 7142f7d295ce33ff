"""LILIN cameras that read plates: the list that a poll gets, newest first.

Traps handled: `TS` is microseconds as a text, and right; `MOD_TS` calls itself GMT and is not
always; a list repeats what an earlier poll got (the same entry, the same id); numbers are texts;
`COUNTRY` is unreliable by the manual and not read. Names, telephone numbers and addresses of
registered owners (`LPR_USER` and others) are not read.

Known from the vendor's manual alone, whose sample breaks off: such a body is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_number, the_text
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import read_epoch
from hub import Connector, Event, Nothing, Options, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_MICROSECONDS: Final = 1e6


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage for each entry."""
    document = an_object(parse_json(payload.body), ())
    entries = a_list(document.get("INFORMATION"), ("INFORMATION",))
    if not entries:
        yield Nothing(why="the poll brought no plate")
    for place, entry in enumerate(entries):
        path: Path = ("INFORMATION", place)
        try:
            yield _passage(an_object(entry, path), path, payload, options)
        except PayloadError as error:
            yield Rejection(code=error.code, message=error.what, path=error.path, fix=error.fix)


def _passage(entry: Mapping[str, Any], path: Path, payload: Payload, options: Options) -> Event:
    if "LPR" not in entry:
        what = "an entry without a plate, not even an empty one"
        raise PayloadError(what, code="missing-field", path=shown((*path, "LPR")))
    microseconds = the_number(entry, "TS")
    stamp = read_epoch(
        microseconds and microseconds / _MICROSECONDS,
        received_at=payload.received_at,
        options=options,
    )
    score = the_number(entry, "THRESHOLD")
    plate, flags = read_plate(
        the_text(entry, "LPR"),
        confidence=score if score is not None and 0 <= score <= 1 else None,
    )
    native_id, withheld = without_plate(the_text(entry, "CAR_ID"), plate["text"])
    numbers = [the_number(entry, f"LP_{name}") for name in ("X", "Y", "W", "H")]
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *flags, *withheld),
        restricted={"plate": plate},
        body={
            "plate_box": a_box(numbers, "PIXEL"),
            "list_name": the_text(entry, "ACT_PARAM"),
        },
    )


connector = Connector(
    name="lilin",
    title="LILIN cameras that read plates, list by poll (JSON)",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw",)},
    options=Options,
    transports=("http_push", "drop_folder", "http_poll"),
)
