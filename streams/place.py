"""Where an event happened and whose device saw it, by the dated registers of the city."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.areas.resolve import Areas, areas_at
from hub.places.resolve import Ids, Locations

__all__ = ["DeviceRegister", "Entry", "ids_of", "place_of"]

_FOREVER_US = 2**62


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the register, true for `from_us <= observed_at < to_us`."""

    device: Mapping[str, Any]
    from_us: int
    to_us: int

    def __post_init__(self) -> None:
        if self.from_us >= self.to_us:
            raise ValueError(f"device {self.device['device_id']} ends before it begins")


@dataclass(slots=True)
class DeviceRegister:
    """Finds the entry of a device by source, name and time.

    `changed` gathers the sources and names whose answer may be another one now, so that what was
    looked up earlier can be dropped; whoever drops it empties the set.
    """

    changed: set[tuple[str, str]] = field(default_factory=set)
    areas: Areas = field(default_factory=Areas)
    """The city's units by date; with boundaries, a position decides which part of a split one."""
    locations: Locations = field(default_factory=Locations)
    """Roads, junctions and positions by date: what a device's `road` and `junction` mean."""
    _by_key: dict[bytes, Entry] = field(default_factory=dict)
    _by_alias: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    def put(self, key: bytes, device: Mapping[str, Any] | None, from_us: int, to_us: int) -> None:
        """Set (or with None, remove) the entry stored under a record key."""
        before = self._by_key.pop(key, None)
        if before is not None:
            for name in _names(before):
                self._by_alias[name].remove(before)
                self.changed.add(name)
        if device is not None:
            entry = self._by_key[key] = Entry(device, from_us, to_us)
            for name in _names(entry):
                self._by_alias.setdefault(name, []).append(entry)
                self.changed.add(name)

    def find(self, source_id: str, device_ref: str, at_us: int) -> Entry | None:
        """The entry that was true at a time, or None."""
        for entry in self._by_alias.get((source_id, device_ref), ()):
            if entry.from_us <= at_us < entry.to_us:
                return entry
        return None

    def named(self, source_id: str, device_ref: str) -> list[Entry]:
        """Every entry of that name, whenever it is true; the one that begins last stands last."""
        found = self._by_alias.get((source_id, device_ref), ())
        return sorted(found, key=lambda entry: entry.from_us)

    def span(self, source_id: str, device_ref: str, at_us: int) -> tuple[int, int]:
        """Times around `at_us` between which `find` gives the same answer in the same areas."""
        edges = [
            edge
            for entry in self._by_alias.get((source_id, device_ref), ())
            for edge in (entry.from_us, entry.to_us)
        ]
        places = self.locations.span(at_us)
        return _around(at_us, (*edges, *self.areas.register.edges_us, *places))

    def decrees(self, at_us: int) -> tuple[int, int]:
        """Times around `at_us` between which the city's units stay as they are."""
        return _around(at_us, self.areas.register.edges_us)

    def __len__(self) -> int:
        return len(self._by_key)


def _names(entry: Entry) -> list[tuple[str, str]]:
    return [(alias["source_id"], alias["device_ref"]) for alias in entry.device["aliases"]]


def _around(at_us: int, edges: Iterable[int]) -> tuple[int, int]:
    low, high = -_FOREVER_US, _FOREVER_US
    for edge in edges:
        if edge <= at_us:
            low = max(low, edge)
        else:
            high = min(high, edge)
    return low, high


def ids_of(entry: Entry, at_us: int, locations: Locations) -> Ids:
    """The road, junction and position that a device's entry names, at a time."""
    device = entry.device
    area = (device["area_scheme"], device["area_code"])
    return locations.ids(device["road"], device["junction"], area, at_us)


def place_of(
    entry: Entry | None,
    device_ref: str,
    at_us: int,
    *,
    now_us: int | None,
    areas: Areas,
    locations: Locations | None = None,
) -> dict[str, Any]:
    """The record `Place` of an event: from the register, or saying that it knows no such device.

    `at_us` is when it happened, `now_us` when the hub wrote it (None: by the newest decree): the
    area is told in the units of both times. An area that is in no list of units is kept as the
    register has it, with the resolution UNKNOWN. `locations` tells which road and junction the
    entry names; what it leaves open stays empty.
    """
    if entry is None:
        return {"resolution": "UNREGISTERED"} if device_ref else {}
    device = entry.device
    position = None
    if device["lat"] is not None and device["lon"] is not None:
        position = {"lat": device["lat"], "lon": device["lon"], "method": "register"}
    area = {
        "scheme": device["area_scheme"],
        "code": device["area_code"],
        "name": device["area_name"],
    }
    point = (device["lon"], device["lat"]) if position else None
    then, now, resolution = areas_at(
        area["scheme"], area["code"], at_us, point, now_us=now_us, areas=areas
    )
    ids = ids_of(entry, at_us, locations) if locations is not None else Ids()
    if not then and area["code"]:
        then = [area]
    return {
        "device_id": device["device_id"],
        "name": device["name"],
        "owner_agency": device["owner_agency"],
        "purpose": device["purpose"],
        "road": device["road"],
        "junction": device["junction"],
        "lane": device["lane"],
        "position": position,
        "areas_then": then,
        "areas_now": now,
        "legacy_district": device["legacy_district"],
        "resolution": resolution,
        "road_id": ids.road,
        "junction_id": ids.junction,
        "position_code": ids.position,
    }
