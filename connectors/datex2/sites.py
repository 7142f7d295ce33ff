"""What the indices of measurement sites mean, as tables of sites tell it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field, PrivateAttr

import hub.connector
from connectors._formats.inflate import pieces_of
from connectors._formats.numbers import integer, number
from connectors._formats.xml import Node
from connectors._formats.xml_slices import XmlSlices
from connectors.datex2.location import read_location
from hub.connector import Position, Rejection
from hub.errors import ConfigError, PayloadError

__all__ = ["SITE_PARTS", "Meaning", "Options", "Sites", "vehicle_class"]

SITE_PARTS: Final = ("measurementSiteRecord", "measurementSite")
_SITES_MAX: Final = 200_000
_FILE_MAX: Final = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one index of a site measures."""

    lane: int | None
    vehicle_class: str
    period_s: float | None
    measures: str
    """`trafficFlow`, `trafficSpeed`: the table's word for the kind of value."""


@dataclass(frozen=True, slots=True)
class _Site:
    position: Position | None
    meanings: dict[str, Meaning]


class Sites:
    """Sites by id and version: a value is read only with the table of its own version."""

    def __init__(self, more: "Sites | None" = None) -> None:
        self._sites: dict[tuple[str, str], _Site] = {}
        self._more = more
        self._alike: dict[Meaning, Meaning] = {}

    def __len__(self) -> int:
        return len(self._sites)

    def add(self, site: Node, path: str) -> Rejection | None:
        """Remember a site of a table; a rejection when it has no id or there are too many."""
        if not site.attr("id"):
            what = "a measurement site without an id: no value can refer to it"
            return Rejection(code="missing-field", message=what, path=f"{path}/@id")
        if len(self._sites) >= _SITES_MAX:
            return Rejection(code="too-large", message=f"more than {_SITES_MAX} sites", path=path)
        meanings: dict[str, Meaning] = {}
        for outer in site.findall("measurementSpecificCharacteristics"):
            inner = outer.find("measurementSpecificCharacteristics") or outer
            meaning = _meaning(inner)
            meanings[outer.attr("index")] = self._alike.setdefault(meaning, meaning)
        place = site.find("measurementSiteLocation")
        position = read_location(place, itself=True).position if place is not None else None
        self._sites[site.attr("id"), site.attr("version")] = _Site(position, meanings)
        return None

    def find(self, id_: str, version: str) -> tuple[Position | None, dict[str, Meaning]]:
        """Where the site of this version is, and its indices; None and nothing when not known."""
        site = self._sites.get((id_, version))
        if site is not None:
            return site.position, site.meanings
        return self._more.find(id_, version) if self._more is not None else (None, {})


class Options(hub.connector.Options):
    """Where the sites' table is, as most publishers send it apart from the values."""

    site_table: str = Field(
        default="",
        description="File with the MeasurementSiteTablePublication (XML, also gzip) that says what "
        "the values' indices mean; read when the source starts",
    )
    _sites: Sites | None = PrivateAttr(default=None)

    def model_post_init(self, _context: Any, /) -> None:
        """Read the table once, so that reading a payload opens no file."""
        if self.site_table:
            self._sites = _sites_of(self.site_table)

    @property
    def sites(self) -> Sites | None:
        """The table's sites."""
        return self._sites


def vehicle_class(characteristics: Node | None) -> str:
    """The classes of vehicles counted; empty for all."""
    if characteristics is None:
        return ""
    classes = [node.text for node in characteristics.findall("vehicleType")]
    for length in characteristics.findall("lengthCharacteristic"):
        operator = length.value("comparisonOperator")
        classes.append(f"{operator} {length.value('vehicleLength')} m")
    return ",".join(name for name in classes if name and name != "anyVehicle")


def _meaning(node: Node) -> Meaning:
    lanes = [lane.text or lane.value("laneNumber") for lane in node.findall("specificLane")]
    return Meaning(
        lane=integer(lanes[0].removeprefix("lane")) if len(lanes) == 1 else None,
        vehicle_class=vehicle_class(node.find("specificVehicleCharacteristics")),
        period_s=number(node.value("period")),
        measures=node.value("specificMeasurementValueType"),
    )


def _sites_of(file: str) -> Sites:
    """The sites of a table in a file; those without an id are left out: nothing refers to them."""
    sites = Sites()
    fix = "name a file with a MeasurementSiteTablePublication of XML, whole or gzip"
    try:
        pieces = pieces_of(Path(file).read_bytes(), max_bytes=_FILE_MAX)
        for _, part in XmlSlices(pieces, frozenset(SITE_PARTS)):
            sites.add(part, part.name)
    except OSError as error:
        here = "name an existing file; a relative one counts from where the hub is started"
        raise ConfigError(f"can't read it: {error.strerror}", where=file, fix=here) from error
    except PayloadError as error:
        raise ConfigError(error.what, where=file, fix=fix) from error
    if not 0 < len(sites) < _SITES_MAX:
        what = f"{len(sites)} measurement sites in it, at least 1 and fewer than {_SITES_MAX} fit"
        raise ConfigError(what, where=file, fix=fix)
    return sites
