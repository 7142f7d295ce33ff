"""LILIN cameras that read plates: the list that a poll gets, newest first.

Traps handled: `TS` is microseconds as a text, and right; `MOD_TS` calls itself GMT and is not
always, so alone it is suspect; a list repeats what an earlier poll got (the same entry, the same
id); numbers are texts; `COUNTRY` is unreliable by the manual and not read; the camera's lists of
known plates (`list=black`) come in the same shape, and what was never seen is no passage; an answer
names no camera (option `device`). Names, telephone numbers and addresses of registered owners
(`LPR_USER` and others) are not read.

Known from the vendor's manual alone, whose sample breaks off: such a body is refused. Not read: the
text of `getalarmmotion`, which repeats the last plates without ids.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import Field

import hub
from connectors._formats.json import Path, a_list, an_object, parse_json, shown
from connectors._formats.members import the_number, the_text
from connectors._formats.pictures import a_box
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp, read_epoch, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_MICROSECONDS: Final = 1e6


class Options(hub.Options):
    """What a site may say of a LILIN source."""

    device: str = Field(
        default="",
        max_length=128,
        description="What the camera is called (`device_ref`): its answers do not say",
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """One passage for each entry."""
    document = an_object(parse_json(payload.body, records=[("INFORMATION",)]), ())
    entries = a_list(document.get("INFORMATION"), ("INFORMATION",))
    if not entries:
        yield Nothing(why="the poll brought no plate")
    for place, entry in enumerate(entries):
        path: Path = ("INFORMATION", place)
        try:
            yield _passage(an_object(entry, path), path, payload, options)
        except PayloadError as error:
            yield Rejection.of(error)


def _passage(entry: Mapping[str, Any], path: Path, payload: Payload, options: Options) -> Outcome:
    if "LPR" not in entry:
        what = "an entry without a plate, not even an empty one"
        raise PayloadError(what, code="missing-field", path=shown((*path, "LPR")))
    if not any(the_text(entry, name) for name in ("TS", "MOD_TS", "CAR_ID")):
        return Nothing(why="a plate of the camera's own list, which was not seen")
    stamp = _stamp(entry, payload, options)
    score = the_number(entry, "THRESHOLD")
    plate, flags = read_plate(
        the_text(entry, "LPR"),
        confidence=score if score is not None and 0 <= score <= 1 else None,
    )
    # Without a time, a car's number alone would make all that bear it one.
    native_id, withheld = without_plate(
        the_text(entry, "CAR_ID") if stamp.at else "", plate["text"]
    )
    unnamed = () if options.device else ("device_unnamed",)
    numbers = [the_number(entry, f"LP_{name}") for name in ("X", "Y", "W", "H")]
    return Event(
        noun="plate_read",
        kind="vehicle.passage",
        device_ref=options.device,
        native_id=native_id,
        observed_at=stamp.at,
        time_quality=stamp.quality,
        severity="INFO",
        quality_flags=(*stamp.flags, *unnamed, *flags, *withheld),
        restricted={"plate": plate},
        body={
            "plate_box": a_box(numbers, "PIXEL"),
            "list_name": the_text(entry, "ACT_PARAM"),
        },
    )


def _stamp(entry: Mapping[str, Any], payload: Payload, options: Options) -> Stamp:
    """`TS`; else `MOD_TS`, whose GMT may be the time of another zone."""
    microseconds = the_number(entry, "TS")
    stamp = read_epoch(
        microseconds and microseconds / _MICROSECONDS,
        received_at=payload.received_at,
        options=options,
    )
    labelled = the_text(entry, "MOD_TS")
    if stamp.at is not None or not labelled:
        return stamp
    found = read_stamp(labelled, received_at=payload.received_at, options=options)
    if found.at is None:
        return found
    return replace(found, quality="SUSPECT", flags=(*found.flags, "zone_doubtful"))


connector = Connector(
    name="lilin",
    title="LILIN cameras that read plates, list by poll (JSON)",
    parse=parse,
    emits=("plate_read",),
    identity={"plate_read": ("restricted.plate.raw",)},
    options=Options,
    transports=("http_push", "drop_folder", "http_poll"),
)
