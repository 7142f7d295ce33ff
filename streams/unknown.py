"""Tells of the devices that the register does not know: once in each hour of arrival.

That a device was told is state of the partition whose record showed it: noted in that record's
transaction, restored with its offset and a function of the partition alone. So neither a crash nor
a rebalance tells it twice, and none loses it. Among the partitions of one worker (the nouns of a
device stand in several) only the first one gives a row. Two workers may each give one; it has the
same key, and compaction keeps the last.

Occurrences note it in their window of ids. Where a site's window is shorter than an hour, a restart
within the hour may tell a device again, by the same key too.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.codec import from_micros
from streams.partition import Partition
from streams.place import DeviceRegister
from streams.plan import Plan, place_time

__all__ = ["HOUR_MS", "Row", "Unknown"]

HOUR_MS = 3_600_000
Row = dict[str, Any]
"""A record of `schemas/avro/unknown_device.avsc`."""


@dataclass(slots=True)
class Unknown:
    """Notices unknown devices and gives `show` a row for each; `partitions` are the worker's."""

    register: DeviceRegister
    partitions: Mapping[tuple[str, int], Partition]
    show: Callable[[Row], None]

    def is_unknown(self, header: Mapping[str, Any]) -> bool:
        """Whether an event names a device that the register does not know at its time."""
        source, ref = header["source_id"], header["device_ref"]
        return bool(ref) and self.register.find(source, ref, place_time(header)) is None

    def within_hour(self, plan: Plan, appended_ms: int) -> Plan:
        """The plan of an unknown device: made anew every hour, so that it is told again."""
        from_us = (appended_ms - appended_ms % HOUR_MS) * 1000
        to_us = from_us + HOUR_MS * 1000
        return replace(plan, from_us=max(plan.from_us, from_us), to_us=min(plan.to_us, to_us))

    def tell(self, partition: Partition, header: Mapping[str, Any], appended_ms: int) -> None:
        """Note that an event shows an unknown device; a row unless it was told within the hour."""
        hour = appended_ms // HOUR_MS
        names = f"{header['source_id']}\0{header['device_ref']}".encode()
        device = hashlib.blake2b(names, digest_size=16, person=b"unknown").digest()
        if not _note(partition, device, hour, appended_ms):
            return
        others = (each for each in self.partitions.values() if each is not partition)
        if not any(_told(each, device, hour) for each in others):
            self.show(self._row(partition.noun.name, header, hour))

    def _row(self, noun: str, header: Mapping[str, Any], hour: int) -> Row:
        source, ref, position = header["source_id"], header["device_ref"], header["position"]
        at_us = place_time(header)
        others = self.register.named(source, ref)
        point = (position["lon"], position["lat"]) if position else None
        lon, lat = point or (None, None)
        registered_as = others[-1].device["device_id"] if others else ""
        return {
            "source_id": source,
            "device_ref": ref,
            "hour": from_micros(hour * HOUR_MS * 1000),
            "event_id": header["event_id"],
            "observed_at": header["observed_at"],
            "received_at": header["received_at"],
            "noun": noun,
            "kind": header["kind"],
            "lat": lat,
            "lon": lon,
            "areas_reported": header["areas_reported"],
            "registered_as": registered_as,
            "suggested": {
                "device_id": registered_as or f"{source}/{ref}",
                "valid_from": from_micros(at_us),
                "lat": lat,
                "lon": lon,
                **self._area(header["areas_reported"], at_us, point),
            },
        }

    def _area(
        self, reported: list[Mapping[str, str]], at_us: int, point: tuple[float, float] | None
    ) -> dict[str, str]:
        """The unit in which the position lies, else the only one reported, else none."""
        units = self.register.areas.at("", "", at_us, point)[1].units if point else ()
        if len(units) == 1:
            return _named(units[0].scheme, units[0].code, units[0].name)
        if len(reported) == 1:
            return _named(*(reported[0].get(name, "") for name in ("scheme", "code", "name")))
        return _named("", "", "")


def _named(scheme: str, code: str, name: str) -> dict[str, str]:
    return {"area_scheme": scheme, "area_code": code, "area_name": name}


def _told(partition: Partition, device: bytes, hour: int) -> bool:
    if partition.noun.family == "occurrence":
        return _in_hour(device, hour) in partition.window.seen
    return partition.states.told(device) == hour


def _note(partition: Partition, device: bytes, hour: int, appended_ms: int) -> bool:
    """Whether the partition's records show the device for the first time within the hour."""
    if partition.noun.family == "occurrence":
        return partition.window.first(_in_hour(device, hour), appended_ms)
    return partition.states.tell(device, hour)


def _in_hour(device: bytes, hour: int) -> bytes:
    """An id for the window, which forgets it with the ids of events."""
    return hashlib.blake2b(device + hour.to_bytes(8, "big", signed=True), digest_size=16).digest()
