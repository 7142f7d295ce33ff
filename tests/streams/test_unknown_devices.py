"""Devices that the register does not know: told once an hour, whatever shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import FOREVER_US, NOW_US, Arrival, Steps, codec

import schemas
from hub.areas.resolve import Areas
from hub.codec import RecordCodec, from_micros
from hub.unknown import record_key
from streams.unknown import HOUR_MS

START_MS = NOW_US // 1000 // HOUR_MS * HOUR_MS
NOTHING = {"plate": None, "pictures": None, "persons": None}


class Site(Steps):
    """The steps, with the rows they give."""

    def __post_init__(self):
        super().__post_init__()
        self.rows = []
        self.numbers = iter(range(1, 10_000))

    def show(self, noun="plate_read", device="cam 1", *, at_ms=START_MS, broken=False, **more):
        """An event of a device; the rows that it gives."""
        number = next(self.numbers)
        at = from_micros(at_ms * 1000)
        header = {
            "event_id": number.to_bytes(16, "big"), "subject_id": number.to_bytes(16, "big"),
            "lifecycle": "NEW", "status": "LIVE", "severity": "INFO", "time_quality": "DEVICE",
            "replayed": False, "received_at": at, "observed_at": at, "source_id": "vms",
            "device_ref": device, "kind": f"kind {number % 2}", "origin": {"sha256": bytes(32)},
            **more,
        }  # fmt: skip
        value, _ = codec(noun).encode(header, NOTHING, {})
        before = len(self.rows)
        self.process.handle(
            schemas.nouns()[noun].topic,
            0,
            [Arrival(f"vms/{device}".encode(), value[:-1] if broken else value, None, at_ms)],
            now_us=NOW_US,
            emit=lambda topic, value, key: self.delivered.append((topic, value, key)),
            refuse=lambda _arrival, error: self.refused.append(error),
            unknown=self.rows.append,
        )
        return self.rows[before:]


@pytest.fixture
def site():
    return Site()


def entry(name="cam 1", **more):
    texts = ("name", "owner_agency", "purpose", "road", "junction", "area_name", "legacy_district",
             "area_scheme", "area_code")  # fmt: skip
    return {
        "device_id": "registered", "lane": None, "lanes": [], "lat": None, "lon": None,
        "aliases": [{"source_id": "vms", "device_ref": name}], **dict.fromkeys(texts, ""), **more,
    }  # fmt: skip


def test_an_unknown_device_is_told_once_an_hour_and_its_events_are_delivered_all_the_same(site):
    minutes = range(0, 180, 7)
    told = [len(site.show(at_ms=START_MS + minute * 60_000)) for minute in minutes]
    assert [minute for minute, count in zip(minutes, told, strict=True) if count] == [0, 63, 126]
    assert site.outcomes("plate_read") == {"delivered": len(minutes)}
    assert len({record_key(row) for row in site.rows}) == 3


def test_the_very_edge_of_the_hour_of_arrival_decides(site):
    told = [len(site.show(at_ms=START_MS + ms)) for ms in (0, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1)]
    assert told == [1, 0, 1, 0]


@pytest.mark.parametrize("noun", ["plate_read", "detection", "violation", "health", "situation"])
def test_events_of_every_kind_show_a_device(site, noun):
    (row,) = site.show(noun)
    assert (row["noun"], row["source_id"], row["device_ref"]) == (noun, "vms", "cam 1")
    assert site.show(noun) == []
    codec_ = RecordCodec(schemas.built("ops.unknown_device.v1"), 1)
    assert codec_.decode(codec_.encode(row)) == {**row, "areas_reported": []}


def test_all_kinds_of_event_of_one_worker_give_one_row(site):
    for noun in ("health", "plate_read", "detection"):
        site.show(noun)
    assert [row["noun"] for row in site.rows] == ["health"]


def test_neither_a_registered_device_nor_an_event_without_one_is_told(site):
    site.register.put(b"a", entry(), 0, FOREVER_US)
    assert site.show() == site.show("health") == []
    assert site.show(device="") == site.show("health", device="") == []


def test_what_arrives_after_the_import_is_known_and_a_device_that_ends_is_told_with_its_id(site):
    assert len(site.show()) == 1
    site.register.put(b"a", entry(), 0, (START_MS + HOUR_MS) * 1000)
    assert site.show(at_ms=START_MS + HOUR_MS - 1) == []
    (row,) = site.show(at_ms=START_MS + HOUR_MS)
    assert row["registered_as"] == row["suggested"]["device_id"] == "registered"


def test_a_change_of_one_device_leaves_the_plans_of_the_others(site):
    plans = site.process.state(schemas.nouns()["plate_read"].topic, 0).plans
    for name in ("cam 1", "cam 2", "cam 1"):
        site.show(device=name)
    kept = {name: plan for name, plan in plans.items() if b"cam 2" in name[0]}
    site.register.put(b"a", entry("cam 1"), 0, FOREVER_US)
    site.show(device="cam 3")
    assert {name: plans[name] for name in kept} == kept
    assert not any(b"cam 1" in name[0] for name in plans)
    site.register.put(b"a", None, 0, 1)
    site.show(device="cam 3")
    assert site.register.changed == set()


def test_a_rollback_takes_back_what_was_told(site):
    site.process.commit()
    for noun in ("plate_read", "health"):
        assert len(site.show(noun, device=noun)) == 1
        site.process.rollback()
        assert len(site.show(noun, device=noun)) == 1
        site.process.commit()
        assert site.show(noun, device=noun) == []


def test_a_record_that_is_refused_tells_nothing(site):
    assert site.show(broken=True) == []
    assert [error.code for error in site.refused] == ["not-avro"]
    assert len(site.show()) == 1


@pytest.mark.parametrize("noun", ["plate_read", "health"])
def test_whoever_takes_the_partition_over_tells_nothing_twice(site, noun):
    site.show(noun)
    before, heir = site.process.state(schemas.nouns()[noun].topic, 0), Site()
    after = heir.process.state(schemas.nouns()[noun].topic, 0)
    after.window.restore(before.window.changes())
    for subject, packed in before.states.changes():
        after.states.restore(subject, packed)
    heir.numbers = iter(range(100, 200))
    assert heir.show(noun, at_ms=START_MS + HOUR_MS - 1) == []
    assert len(heir.show(noun, at_ms=START_MS + HOUR_MS)) == 1


def test_the_suggestion_holds_what_the_event_tells(site):
    area = {"scheme": "nso-2025-07", "code": "00070", "name": "Hoàn Kiếm"}
    where = {"lat": 21.0287, "lon": 105.8522, "accuracy_m": None, "method": ""}
    (row,) = site.show(position=where, areas_reported=[area])
    assert row["suggested"] == {
        "device_id": "vms/cam 1", "valid_from": from_micros(START_MS * 1000), "lat": 21.0287,
        "lon": 105.8522, "area_scheme": "nso-2025-07", "area_code": "00070",
        "area_name": "Hoàn Kiếm",
    }  # fmt: skip
    (two,) = site.show(device="cam 2", areas_reported=[area, area])
    assert two["suggested"]["area_code"] == ""


class Square:
    """Boundaries of one ward: everything."""

    schemes = ("nso-2025-07",)

    def locate(self, _scheme, _point):
        return "00082"


def test_a_position_decides_the_area_where_boundaries_are_imported(site):
    site.register.areas = Areas(places=Square())
    area = {"scheme": "nso-2025-07", "code": "00070", "name": "Hoàn Kiếm"}
    where = {"lat": 21.0, "lon": 105.8, "accuracy_m": None, "method": ""}
    (row,) = site.show(position=where, areas_reported=[area])
    assert (row["suggested"]["area_code"], row["suggested"]["area_name"]) == ("00082", "Cửa Nam")


seconds = st.lists(st.integers(0, 4 * 3600), max_size=30).map(sorted)


@given(seconds=seconds, nouns=st.lists(st.sampled_from(["plate_read", "health"]), min_size=30))
def test_there_is_one_row_for_each_hour_that_shows_the_device(seconds, nouns):
    site = Site()
    for at, noun in zip(seconds, nouns, strict=False):
        site.show(noun, at_ms=START_MS + at * 1000)
    assert [row["hour"] for row in site.rows] == [
        from_micros((START_MS + hour * HOUR_MS) * 1000)
        for hour in sorted({at // 3600 for at in seconds})
    ]
