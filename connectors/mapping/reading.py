"""Records made into events, refusals or nothing, one after the other, by a mapping's rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connectors._formats.coordinates import read_position
from connectors._formats.plates import read_plate, without_plate
from connectors._formats.times import Stamp
from connectors.mapping.spec import Spec
from connectors.mapping.tree import MISSING, Record, read_records
from connectors.mapping.values import Read
from hub.connector import Area, Event, Nothing, Options, Outcome, Payload, Rejection
from hub.errors import PayloadError

__all__ = ["Parts", "outcomes", "present"]


class Parts(NamedTuple):
    """The compiled rules of a mapping, by what they fill."""

    skips: Sequence[Callable[[Record], str]]
    header: Mapping[str, Read]
    times: Mapping[str, Callable[[Record], Stamp | None]]
    subject: Sequence[tuple[str, Read]]
    body: Read
    plate: Mapping[str, Read]
    position: Mapping[str, Read]
    areas: Sequence[Mapping[str, Read]]


def outcomes(payload: Payload, spec: Spec, parts: Parts, options: Options) -> Iterator[Outcome]:
    """What the mapping makes of each record of a payload."""
    for record in read_records(payload, spec, options):
        if isinstance(record, PayloadError):
            yield _refusal(record)
            continue
        try:
            yield _outcome(record, spec, parts)
        except PayloadError as error:
            yield _refusal(error, record.where)


def _refusal(error: PayloadError, where: str = "") -> Rejection:
    return Rejection.of(error, path=error.path or where)


def _outcome(record: Record, spec: Spec, parts: Parts) -> Outcome:
    for skip in parts.skips:
        if why := skip(record):
            return Nothing(why=why)
    record.found = 0
    body = parts.body(record)
    header = present(parts.header, record)
    stamps = {name: read(record) for name, read in parts.times.items()}
    plate, flags = _plate(record, parts.plate)
    record.flags += flags
    native_id, withheld = without_plate(header.pop("native_id", ""), plate.get("text", ""))
    subject = tuple(_named(read(record), record, path) for path, read in parts.subject)
    observed = stamps.pop("observed_at", None) or Stamp(None, "RECEIVED", ("time_missing",), "")
    header |= {name: stamp.at for name, stamp in stamps.items() if stamp is not None}
    position, doubts = _position(record, parts.position)
    if not record.found:
        raise PayloadError(
            "nothing that the mapping reads is there",
            code="nothing-mapped",
            fix="check `records` and the paths in the mapping against this payload",
        )
    return Event(
        noun=spec.event.noun,
        subject=subject,
        native_id=native_id,
        observed_at=observed.at,
        time_quality=observed.quality,
        position=position,
        areas_reported=tuple(Area(**area) for area in _areas(record, parts.areas)),
        quality_flags=tuple(dict.fromkeys((*observed.flags, *record.flags, *withheld, *doubts))),
        body=body,
        restricted={"plate": plate} if plate else {},
        **header,
    )


def present(reads: Mapping[str, Read], record: Record) -> dict[str, Any]:
    """The values that are there, by name."""
    found = ((name, read(record)) for name, read in reads.items())
    return {name: value for name, value in found if value is not MISSING}


def _named(value: Any, record: Record, path: str) -> str:
    if value is MISSING:
        where = f"{record.where}/{path}" if record.where else path
        raise PayloadError("the subject has no name", code="missing-field", path=where)
    return str(value)


def _plate(record: Record, reads: Mapping[str, Read]) -> tuple[dict[str, Any], tuple[str, ...]]:
    if not reads:
        return {}, ()
    found = present(reads, record)
    return read_plate(found.pop("raw", ""), **found)


def _position(record: Record, reads: Mapping[str, Read]) -> tuple[Any, tuple[str, ...]]:
    found = present(reads, record)
    if "lat" not in found or "lon" not in found:
        return None, ()
    return read_position(found["lat"], found["lon"], accuracy_m=found.get("accuracy_m"))


def _areas(record: Record, areas: Sequence[Mapping[str, Read]]) -> Iterator[dict[str, Any]]:
    for reads in areas:
        found = present(reads, record)
        if found.get("code") or found.get("name"):
            scheme = record.options.area_scheme if found.get("code") else ""
            yield {"scheme": scheme, "code": "", **found}
