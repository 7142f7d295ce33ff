"""Loop detectors of Caltrans PeMS: raw station files of 30 s, CSV as text or gzip.

One `measurement` for each lane of a row that was observed; the subject is station and lane.

Traps handled:

- No header, and lanes that a station does not have are empty columns: they give no event. A row
  always has 26 columns; one with another number is refused alone.
- Times are local, without a zone, month first: `01/21/2012 00:00:21`. The default of `zone` is
  California's, and the quality ASSUMED_ZONE.
- `0,1,0`, no vehicle and yet always occupied, is a stuck loop: all null, flag `detector_stuck`.
- Speed is in miles an hour and becomes km/h; without a vehicle there is none, whatever the column
  says. 0 with vehicles is a missing one (`speed_missing`), above 150 a fault (`speed_invalid`).
- `.0106` without a zero before the point is a number.
- A file is a day's archive: rows more than ten minutes old are marked as replayed.
- A gzip that breaks off gives the rows before the break and one rejection; inflating is bounded.

Known: a published file of district 5. Flow is the count of the 30 s, no hourly rate.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

import hub
from connectors._formats.inflate import lines_of
from connectors._formats.numbers import number
from connectors._formats.spelt import as_iso
from connectors._formats.times import Stamp, read_stamp
from hub import Connector, Event, Nothing, Outcome, Payload, PayloadError, Rejection

__all__ = ["Options", "connector", "parse"]

_COLUMNS: Final = 26
_PERIOD_S: Final = 30.0
_KMH_PER_MPH: Final = 1.609344
_FASTEST_MPH: Final = 150.0
_BACKLOG: Final = timedelta(minutes=10)

_Lane = tuple[str, str, str]


class Options(hub.Options):
    """What a site may say of this source."""

    zone: str = Field(
        default="America/Los_Angeles", description="IANA time zone of the rows' times"
    )


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """The lanes of each row; a bad row never hides its neighbours."""
    rows = _Rows(payload, options)
    row = -1
    for row, line in enumerate(lines_of(payload.body)):
        if row == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901 - the mark is no content
            if line.lstrip()[:1] in {b"<", b"{"}:
                what = "a page or a document instead of rows of a station file"
                raise PayloadError(what, code="not-pems", path="row[0]")
        if line.strip():
            yield from rows.read(line, row)
    if row < 0:
        yield Nothing(why="a file without rows")


class _Rows:
    """Reads rows; remembers the last time, which all stations of a tick share."""

    __slots__ = ("_options", "_payload", "_stamp")

    def __init__(self, payload: Payload, options: Options) -> None:
        self._payload = payload
        self._options = options
        self._stamp = Stamp(None, "RECEIVED", (), "")

    def read(self, line: bytes, row: int) -> Iterator[Outcome]:
        """The outcomes of one row."""
        cells = line.decode("utf-8", "replace").split(",")
        path = f"row[{row}]"
        if len(cells) != _COLUMNS:
            what = f"{len(cells)} columns, a row of a station file has {_COLUMNS}"
            yield Rejection(code="wrong-columns", message=what, path=path)
            return
        station = cells[1].strip()
        if not (station.isascii() and station.isdigit() and len(station) <= 12):
            what = f"{station[:20]!r} is no station"
            yield Rejection(code="wrong-type", message=what, path=f"{path}/station")
            return
        stamp = self._stamp_of(cells[0])
        none = True
        for lane, start in enumerate(range(2, _COLUMNS, 3), 1):
            told = (cells[start], cells[start + 1], cells[start + 2])
            if any(told):
                none = False
                yield self._lane(told, lane, station, stamp, f"{path}/lane[{lane}]")
        if none:
            yield Nothing(why="a station without an observed lane")

    def _stamp_of(self, text: str) -> Stamp:
        if self._stamp.raw != text:
            stamp = read_stamp(
                as_iso(text, "mdy"),
                received_at=self._payload.received_at,
                options=self._options,
                replayed=True,
            )
            self._stamp = Stamp(stamp.at, stamp.quality, stamp.flags, text)
        return self._stamp

    def _lane(self, told: _Lane, lane: int, station: str, stamp: Stamp, path: str) -> Outcome:
        values = [number(text) if text.strip() else None for text in told]
        wrong = [text for text, value in zip(told, values, strict=True) if text and value is None]
        if wrong:
            what = f"{wrong[0][:20]!r} is no number"
            return Rejection(code="wrong-type", message=what, path=path)
        count, occupancy, speed, flags = _measured(*values)
        return Event(
            noun="measurement",
            kind="traffic.flow",
            device_ref=station,
            subject=(station, str(lane)),
            observed_at=stamp.at,
            time_quality=stamp.quality,
            replayed=_is_backlog(stamp.at, self._payload.received_at),
            quality_flags=(*stamp.flags, *flags),
            body={
                "site_ref": station,
                "lane": lane,
                "vehicle_count": count,
                "occupancy_ratio": occupancy,
                "speed_kmh": speed,
                "period_s": _PERIOD_S,
            },
        )


def _is_backlog(at: datetime | None, received_at: datetime) -> bool:
    return at is not None and received_at - at > _BACKLOG


def _measured(
    flow: float | None, occupancy: float | None, speed: float | None
) -> tuple[int | None, float | None, float | None, list[str]]:
    """Count, occupancy, speed in km/h and flags, with all that is no measurement taken out."""
    flags: list[str] = []
    if flow == 0 and occupancy == 1.0:
        return None, None, None, ["detector_stuck"]
    if flow is not None and not (flow.is_integer() and 0 <= flow <= 1_000):
        flags.append("flow_invalid")
        flow = None
    if occupancy is not None and not 0 <= occupancy <= 1:
        flags.append("occupancy_invalid")
        occupancy = None
    if not flow or speed is None:
        speed = None
    elif speed == 0:
        flags.append("speed_missing")
        speed = None
    elif not 0 < speed <= _FASTEST_MPH:
        flags.append("speed_invalid")
        speed = None
    return (
        None if flow is None else int(flow),
        occupancy,
        None if speed is None else round(speed * _KMH_PER_MPH, 3),
        flags,
    )


connector = Connector(
    name="pems",
    title="Loop detectors, Caltrans PeMS raw station files (CSV, gzip)",
    parse=parse,
    emits=("measurement",),
    identity={
        "measurement": (
            "body.lane",
            "body.vehicle_count",
            "body.occupancy_ratio",
            "body.speed_kmh",
        )
    },
    options=Options,
    transports=("http_poll", "http_push", "drop_folder"),
)
