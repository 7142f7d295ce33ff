"""The simulated city: its cameras, signal cabinets and feeds, all invented from one seed."""

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from hub.simulator.places import AGENCIES, AREA_SCHEME, JUNCTIONS, Junction
from hub.simulator.wire.isapi import Sender

__all__ = [
    "REGION",
    "REGISTER_COLUMNS",
    "Cabinet",
    "Camera",
    "City",
    "Credential",
    "Feed",
    "build",
    "credentials",
    "register_csv",
    "sources",
]

REGION = 704
"""The signal centre's region number in SPaT."""

_NAMESPACES = (
    "http://www.hikvision.com/ver20/XMLSchema",
    "http://www.isapi.org/ver20/XMLSchema",
    "http://www.std-cgi.com/ver20/XMLSchema",
)
_BOUNDARIES = ("boundary", "MIME_boundary", "---------------------------7e13971310878")


@dataclass(frozen=True, slots=True)
class Feed:
    """One source: a feed of one owner."""

    source_id: str
    connector: str
    owner: str
    purpose: str
    lane: str
    by_path: bool
    """Whether its secret is the last path segment; else it is a bearer key."""
    share: int = 0
    """Share of the city's cameras, in per cent."""


FEEDS = (
    Feed("hik-police-centre", "hikvision_isapi", AGENCIES["police"], "enforcement", "bulk",
         by_path=True, share=34),
    Feed("hik-police-ring3", "hikvision_isapi", AGENCIES["police"], "enforcement", "bulk",
         by_path=True, share=20),
    Feed("hik-construction", "hikvision_isapi", AGENCIES["construction"], "traffic_management",
         "bulk", by_path=True, share=22),
    Feed("hik-commune-00070", "hikvision_isapi", "H26.UB.00070", "public_order", "bulk",
         by_path=True, share=8),
    Feed("hik-commune-00004", "hikvision_isapi", "H26.UB.00004", "public_order", "bulk",
         by_path=True, share=8),
    Feed("hik-commune-00367", "hikvision_isapi", "H26.UB.00367", "public_order", "bulk",
         by_path=True, share=8),
    Feed("spat-centre", "spat", AGENCIES["police"], "traffic_management", "bulk", by_path=False),
    Feed("datex2-centre", "datex2", AGENCIES["construction"], "traffic_management", "urgent",
         by_path=False),
    Feed("cap-wards", "cap", "H26.UB", "public_warning", "urgent", by_path=False),
    Feed("cap-warning-office", "cap", AGENCIES["warning"], "public_warning", "urgent",
         by_path=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Camera:
    """A Hikvision camera, direct or as a channel of a recorder."""

    device_id: str
    source_id: str
    owner: str
    purpose: str
    mac: str
    channel: int
    ip: str
    junction: Junction
    heading_deg: int
    lane: int
    lat: float
    lon: float
    firmware: str
    registered: bool
    offset: bool
    """Whether its stamps say their offset."""
    clock_error: timedelta
    sends_pictures: bool
    boundary: str
    namespace: str

    @property
    def ref(self) -> str:
        """The device as its events name it."""
        return f"{self.mac}/{self.channel}"

    @property
    def sender(self) -> Sender:
        """What its notifications say of it."""
        name = f"{self.junction.roads[0]} {self.heading_deg}"
        return Sender(self.ip, self.mac, self.channel, name, self.namespace)


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The signal controller of a junction: a fixed-time plan of two stages."""

    device_id: str
    junction: Junction
    offset_s: int
    green_s: tuple[int, int]
    revision: int

    @property
    def ref(self) -> str:
        """The controller as its messages name it."""
        return f"{REGION}/{self.junction.number}"


@dataclass(frozen=True, slots=True)
class City:
    """Everything that sends."""

    seed: int
    cameras: tuple[Camera, ...]
    cabinets: tuple[Cabinet, ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """How a source proves who it is."""

    secret: str
    by_path: bool


def build(
    seed: int,
    *,
    cameras: int = 300,
    junctions: int = 60,
    unknown: float = 0.01,
    wrong_clock: float = 0.01,
) -> City:
    """The city of a seed: signals at the first of its junctions, cameras at all of them.

    `unknown` and `wrong_clock` are shares of its cameras, and at least one when above 0.
    """
    random = Random(f"{seed}/city")  # noqa: S311 - a simulation repeats itself by design
    places = random.sample(JUNCTIONS, len(JUNCTIONS))
    odd = random.sample(range(cameras), cameras)
    strangers = set(odd[: round(cameras * unknown) or (unknown > 0)])
    wrong = set(odd[len(strangers) :][: round(cameras * wrong_clock) or (wrong_clock > 0)])
    silent = set(odd[len(strangers) + len(wrong) :][: max(1, cameras // 20)])
    feeds = [feed for feed in FEEDS if feed.share for _ in range(feed.share)]
    made = []
    for number in range(cameras):
        feed = feeds[number * len(feeds) // cameras]
        camera = _camera(random, number, feed, places[number % len(places)])
        error = random.choice((timedelta(days=-6_135), timedelta(days=2_922)))
        made.append(
            replace(
                camera,
                registered=number not in strangers,
                clock_error=error if number in wrong else timedelta(),
                offset=number not in silent,
            )
        )
    return City(seed, tuple(made), tuple(_cabinet(random, place) for place in places[:junctions]))


def sources(seed: int) -> dict[str, dict[str, Any]]:
    """The `[source.*]` tables of `hub.toml` for this city, with the hashes of its secrets."""
    keys = credentials(seed)
    tables: dict[str, dict[str, Any]] = {}
    for feed in FEEDS:
        key = keys[feed.source_id]
        digest = hashlib.sha256(key.secret.encode()).hexdigest()
        auth: dict[str, Any] = {"bearer_sha256": [digest]}
        if feed.by_path:
            auth = {"path_sha256": [digest], "allow": ["127.0.0.0/8", "::1/128"]}
        tables[feed.source_id] = {
            "connector": feed.connector,
            "lane": feed.lane,
            "owner": feed.owner,
            "purpose": feed.purpose,
            "area_scheme": AREA_SCHEME,
            "auth": auth,
            "limits": {"per_second": 20_000, "burst": 40_000},
        }
    return tables


def credentials(seed: int) -> dict[str, Credential]:
    """The secrets of the city's sources; invented with the city, so fit for nothing else."""
    random = Random(f"{seed}/secrets")  # noqa: S311 - no secret of a real source
    return {feed.source_id: Credential(random.randbytes(24).hex(), feed.by_path) for feed in FEEDS}


REGISTER_COLUMNS = (
    "device_id", "valid_from", "valid_to", "source_id", "device_ref", "name", "owner_agency",
    "managing_unit", "purpose", "road", "junction", "lane", "heading_deg", "lat", "lon",
    "area_scheme", "area_code", "area_name", "legacy_district", "state", "firmware",
    "qcvn135_conformity", "lanes", "zone",
)  # fmt: skip


def register_csv(seed: int, city: City | None = None) -> str:
    """The device register: the fields of `device.avsc`, one row for each alias of a device."""
    city = city or build(seed)
    text = io.StringIO()
    writer = csv.DictWriter(text, REGISTER_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for camera in city.cameras:
        if camera.registered:
            writer.writerow(_camera_row(camera))
    for cabinet in city.cabinets:
        place = cabinet.junction
        writer.writerow(
            _place_row(place)
            | {
                "device_id": cabinet.device_id,
                "source_id": "spat-centre",
                "device_ref": cabinet.ref,
                "name": f"Tủ điều khiển đèn {place.name}",
                "owner_agency": AGENCIES["police"],
                "managing_unit": AGENCIES["police"],
                "purpose": "traffic_management",
                "lat": place.lat,
                "lon": place.lon,
            }
        )
    return text.getvalue()


def _camera(random: Random, number: int, feed: Feed, place: Junction) -> Camera:
    recorder = feed.owner.startswith("H26.UB")
    mac = f"44:19:b6:{random.randrange(256):02x}:{number // 256:02x}:{number % 256:02x}"
    return Camera(
        device_id=f"CAM-{place.ward.code}-{number + 1:04d}",
        source_id=feed.source_id,
        owner=feed.owner,
        purpose=feed.purpose,
        mac=mac,
        channel=random.randrange(1, 17) if recorder else 1,
        ip=f"10.{24 + number // 250}.{random.randrange(1, 250)}.{number % 250 + 1}",
        junction=place,
        heading_deg=random.choice((0, 90, 180, 270)),
        lane=random.randrange(1, 4),
        lat=round(place.lat + random.uniform(-0.0004, 0.0004), 6),
        lon=round(place.lon + random.uniform(-0.0004, 0.0004), 6),
        firmware=random.choice(("V5.7.3 build 220112", "V5.8.2 build 240318", "V4.62.210")),
        registered=True,
        offset=True,
        clock_error=timedelta(),
        sends_pictures=feed.purpose == "enforcement" and random.random() < 0.5,
        boundary=random.choice(_BOUNDARIES),
        namespace=random.choice(_NAMESPACES),
    )


def _cabinet(random: Random, place: Junction) -> Cabinet:
    first = random.randrange(36, 48)
    return Cabinet(
        device_id=f"SIG-{place.number}",
        junction=place,
        offset_s=random.randrange(90),
        green_s=(first, 80 - first),
        revision=random.randrange(128),
    )


def _place_row(place: Junction) -> dict[str, Any]:
    return {
        "valid_from": "2025-07-01T00:00:00+07:00",
        "road": place.roads[0],
        "junction": place.name,
        "area_scheme": AREA_SCHEME,
        "area_code": place.ward.code,
        "area_name": place.ward.name,
        "legacy_district": place.ward.legacy_district,
        "state": "ACTIVE",
        "qcvn135_conformity": "unknown",
    }


def _camera_row(camera: Camera) -> dict[str, Any]:
    return _place_row(camera.junction) | {
        "device_id": camera.device_id,
        "source_id": camera.source_id,
        "device_ref": camera.ref,
        "name": f"{camera.junction.name} {camera.heading_deg}°",
        "owner_agency": camera.owner,
        "managing_unit": camera.owner,
        "purpose": camera.purpose,
        "lane": camera.lane,
        "heading_deg": camera.heading_deg,
        "lat": camera.lat,
        "lon": camera.lon,
        "firmware": camera.firmware,
    }
