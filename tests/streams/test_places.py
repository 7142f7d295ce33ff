"""Events carry the ids of the road, junction and position that their device's entry names."""

import steps
from hypothesis import given
from hypothesis import strategies as st
from steps import Steps, arrival

import schemas
from hub.areas.resolve import Areas
from hub.codec import RecordCodec, micros
from hub.places import register
from hub.places.resolve import Locations
from streams.place import DeviceRegister, place_of

FOREVER_US = 2**62
SPRING_US = 1_740_762_000_000_000  # 2025-03-01T00:00+07:00
JUNCTION = "Đường Phạm Văn Bạch - Đường Hoàng Quán Chi (VT87), Phường Yên Hòa"
CSV = """location_id,valid_from,kind,name,roads
pham-van-bach,2025-01-01,road,Phạm Văn Bạch,
hoang-quan-chi,2025-01-01,road,Hoàng Quán Chi,
j-1,2025-01-01,junction,Hoàng Quán Chi / Phạm Văn Bạch,pham-van-bach;hoang-quan-chi
"""


def fill(locations: Locations, text: str = CSV) -> None:
    for entry in register.read(text, "places.csv"):
        key = register.record_key(entry)
        locations.put(key, entry, micros(entry["valid_from"]), FOREVER_US)


def device(source: str, ref: str, *, road: str = "", junction: str = "") -> dict:
    texts = ("name", "owner_agency", "purpose", "area_name", "legacy_district")
    return {
        "device_id": "cam-1",
        "aliases": [{"source_id": source, "device_ref": ref}],
        "road": road,
        "junction": junction,
        "lane": None,
        "lat": None,
        "lon": None,
        "area_scheme": "nso-2025-07",
        "area_code": "00175",
        **dict.fromkeys(texts, ""),
    }


def ids(place: dict) -> tuple[str, str, str]:
    return place["road_id"], place["junction_id"], place["position_code"]


def test_an_event_carries_the_ids_and_a_change_of_the_register_reaches_the_next_one():
    hub = Steps()
    devices = hub.process._planner.register
    event = next(each for each in steps.samples() if each.noun == "plate_read")
    header = steps.canonical(event.value, "plate_read")["header"]
    entry = device(header["source_id"], header["device_ref"], road="Đ. PVB", junction=JUNCTION)
    devices.put(b"cam-1", entry, 0, FOREVER_US)

    def told(number: int) -> tuple[str, str, str]:
        record = steps.canonical(event.value, "plate_read")
        record["header"]["event_id"] = bytes([number]) * 16
        value, cut = steps.codec("plate_read").encode(*record.values())
        again = type(event)("plate_read", event.topic, event.key, value, cut)
        (_, sent, _), *_ = hub.take("plate_read", arrival(again))
        topic = schemas.subscriber_topic("police", "plate_read")
        return ids(RecordCodec(schemas.built(topic), 0).decode(sent)["place"])

    assert told(1) == ("", "", "VT87")
    fill(devices.locations)
    assert told(2) == ("", "j-1", "VT87")
    fill(devices.locations, CSV + "pvb,2025-01-01,road,PVB,\n")
    assert told(3) == ("pvb", "j-1", "VT87")


def test_what_the_register_leaves_open_stays_empty():
    locations = Locations()
    fill(locations, CSV + "j-2,2025-01-01,junction,A,pham-van-bach;hoang-quan-chi\n")
    devices = DeviceRegister(locations=locations)
    both = "Phạm Văn Bạch - Hoàng Quán Chi"
    for junction, wanted in ((both, "j-1"), ("A", "j-2"), ("B", ""), ("Phạm Văn Bạch", "")):
        devices.put(b"cam-1", device("vms", "7", junction=junction), 0, FOREVER_US)
        entry = devices.find("vms", "7", SPRING_US)
        place = place_of(
            entry, "7", SPRING_US, now_us=SPRING_US, areas=Areas(), locations=locations
        )
        assert ids(place) == ("", wanted, "")


times = st.integers(0, 9)
spans = st.lists(st.tuples(times, times).filter(lambda span: span[0] < span[1]), max_size=4)


@given(devices=spans, roads=spans, at=times, other=times)
def test_within_its_span_a_place_stays_the_same(devices, roads, at, other):
    found = DeviceRegister()
    road = register.read(CSV, "places.csv")[0]
    for number, span in enumerate(devices):
        found.put(b"%d" % number, device("vms", "7", road="Phạm Văn Bạch"), *span)
    for number, span in enumerate(roads):
        entry = {**road, "location_id": f"r{number}"}
        found.locations.put(b"%d" % number, entry, *span)
    low, high = found.span("vms", "7", at)
    assert low <= at < high
    if low <= other < high:
        places = [
            place_of(
                found.find("vms", "7", us),
                "7",
                us,
                now_us=0,
                areas=found.areas,
                locations=found.locations,
            )
            for us in (at, other)
        ]
        assert places[0] == places[1]


def test_every_change_of_the_register_of_places_is_a_new_revision():
    planner = Steps().process._planner
    seen = {planner.revision()}
    fill(planner.register.locations)
    seen.add(planner.revision())
    planner.register.locations.put(b"gone", None, 0, 1)
    assert len(seen | {planner.revision()}) == 3
