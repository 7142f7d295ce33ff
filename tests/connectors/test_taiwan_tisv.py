"""TISV: sentinels, status, three times, lanes and classes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.taiwan_tisv import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/taiwan_tisv"
SHARED = ROOT.parent / "shared/samples/traffic/taiwan_tisv"
AT = datetime(2026, 11, 20, 1, 16, 2, tzinfo=UTC)


def outcomes(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=AT), Options()))


def detector(*lanes, **more):
    flows = [{"LinkID": "L1", "Lanes": list(lanes)}]
    members = {"VDID": "VD-1", "Status": 0, "DataCollectTime": "2026-11-20T08:15:00+07:00"}
    return members | {"LinkFlows": flows} | more


def live(*detectors, **more):
    return {"UpdateTime": "2026-11-20T08:16:00+07:00", "VDLives": list(detectors)} | more


def lane(*vehicles, **more):
    return {"LaneID": 2, "Speed": 40, "Occupancy": 14, "Vehicles": list(vehicles)} | more


def vehicle(kind="S", volume=10, speed=40):
    return {"VehicleType": kind, "Volume": volume, "Speed": speed}


def one(*args, **more):
    (event,) = outcomes(live(detector(lane(*args, **more))))
    return event


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize(("name", "told"), [("cctv_list.json", "CCTVs"), ("vd_list.json", "VDs")])
def test_the_shared_inventories_are_named_and_give_no_event(name, told):
    found = outcomes((SHARED / name).read_bytes())
    assert [Nothing(why=f"a list of {told}, no live detectors")] == found


def test_a_lane_is_told_as_a_whole_and_by_class():
    found = outcomes(live(detector(lane(vehicle(), vehicle("M", 52, 43)))))
    told = [(e.body["vehicle_class"], e.body["vehicle_count"], e.body["speed_kmh"]) for e in found]
    assert told == [("", 62, 40.0), ("S", 10, 40.0), ("M", 52, 43.0)]
    assert [e.subject for e in found] == [("VD-1", "L1", "2", name) for name in ("", "S", "M")]
    assert (found[0].body["occupancy_ratio"], found[0].body["site_ref"]) == (0.14, "L1")
    assert "body.vehicle_class" in connector.identity["measurement"]


def test_xml_gives_what_json_gives():
    xml = outcomes((OWN / "vd_live.xml").read_bytes())
    vehicles = (vehicle("S", 3, 62), vehicle("L", 0, 0))
    json_lane = lane(*vehicles, LaneID=0, Speed=61.5, Occupancy=3)
    flows = [{"LinkID": "0000101145010N", "Lanes": [json_lane]}]
    assert xml == outcomes(live(detector(VDID="0042", Status=1, LinkFlows=flows)))


@pytest.mark.parametrize("missing", [-99, -99.0, -1, None, "-99"])
def test_a_sentinel_is_never_a_measurement(missing):
    event = one(Speed=missing)
    assert event.body["speed_kmh"] is None
    assert event.body["occupancy_ratio"] == 0.14
    assert event.quality_flags == (() if missing is None else ("sentinel_dropped",))


def test_a_missing_class_leaves_the_total_open():
    found = outcomes(live(detector(lane(vehicle(), vehicle("L", -99, -99)))))
    assert [event.body["vehicle_count"] for event in found] == [None, 10]


def test_a_lane_and_a_detector_without_values_give_no_event():
    nothing = lane(vehicle("S", -99, -99), Speed=-99, Occupancy=-99)
    assert outcomes(live(detector(nothing))) == [Nothing(why="a detector without a measured value")]
    assert len(outcomes(live(detector(nothing, lane())))) == 1


@pytest.mark.parametrize(
    ("fields", "field", "expected", "flags"),
    [
        ({"Occupancy": 120}, "occupancy_ratio", None, ("occupancy_invalid",)),
        ({"Occupancy": 100}, "occupancy_ratio", 1.0, ()),
        ({"Occupancy": 1}, "occupancy_ratio", 0.01, ()),
        ({"Speed": 900}, "speed_kmh", None, ("speed_invalid",)),
        ({"Speed": "61.5"}, "speed_kmh", 61.5, ()),
        ({"Speed": "fast"}, "speed_kmh", None, ("speed_invalid",)),
        ({"Speed": 0}, "speed_kmh", None, ("speed_missing",)),
        ({"Volume": 8}, "vehicle_count", 8, ()),
        ({"Volume": 8.5}, "vehicle_count", None, ("volume_invalid",)),
        ({"Volume": 0, "Speed": 30}, "speed_kmh", None, ()),
        ({"LaneID": "x"}, "lane", None, ()),
    ],
)
def test_what_is_no_measurement_is_null(fields, field, expected, flags):
    event = one(**fields)
    assert (event.body[field], event.quality_flags) == (expected, flags)


@pytest.mark.parametrize("told", [{"Volume": 0}, {"Vehicles": [vehicle("S", 0, 0)] * 2}])
def test_no_vehicle_and_always_occupied_is_a_stuck_detector(told):
    event = one(Speed=0, Occupancy=100, **told)
    names = ("vehicle_count", "speed_kmh", "occupancy_ratio", "vehicle_class")
    assert [event.body[name] for name in names] == [None, None, None, ""]
    assert event.quality_flags == ("detector_stuck",)


def test_a_jam_that_stands_is_no_stuck_detector():
    jam = one(Volume=1, Speed=2, Occupancy=100)
    assert (jam.body["occupancy_ratio"], jam.quality_flags) == (1.0, ())


@pytest.mark.parametrize(("status", "flags"), [(0, ()), (1, ("device_status_1",)), (None, ())])
def test_detectors_that_report_a_broken_line_go_on_measuring(status, flags):
    (event,) = outcomes(live(detector(lane(), Status=status)))
    assert (event.body["speed_kmh"], event.quality_flags) == (40.0, flags)


def test_three_times_are_kept_apart():
    source = "2026-11-20T08:15:30+07:00"
    (event,) = outcomes(live(detector(lane()), SrcUpdateTime=source))
    assert datetime(2026, 11, 20, 1, 15, tzinfo=UTC) == event.observed_at
    assert datetime(2026, 11, 20, 1, 15, 30, tzinfo=UTC) == event.published_at
    (event,) = outcomes(live(detector(lane())))
    assert datetime(2026, 11, 20, 1, 16, tzinfo=UTC) == event.published_at


def test_a_detector_days_behind_is_suspect_not_dropped():
    (event,) = outcomes(live(detector(lane(), DataCollectTime="2026-11-10T08:15:00+07:00")))
    assert (event.time_quality, event.quality_flags) == ("SUSPECT", ("clock_suspect",))


def test_an_id_with_chinese_letters_is_kept():
    (event,) = outcomes(live(detector(lane(), VDID="VD-N1-N-198-O-SE-21-北上出口-彰化")))
    assert event.device_ref == "VD-N1-N-198-O-SE-21-北上出口-彰化"


@pytest.mark.parametrize("bad", [{}, {"VDID": ""}, {"VDID": [1]}, 7, None])
def test_one_bad_detector_does_not_lose_its_neighbours(bad):
    first, refused, last = outcomes(live(detector(lane()), bad, detector(lane(), VDID="VD-2")))
    assert (type(first), type(last)) == (Event, Event)
    assert isinstance(refused, Rejection)
    assert refused.path == "VDLives[1]/VDID"


@pytest.mark.parametrize("value", [7, None, "x", [7], {"a": 1}, True])
@pytest.mark.parametrize("name", ["LinkFlows", "DataCollectTime", "Status"])
def test_a_value_of_any_kind_costs_at_most_its_detector(name, value):
    first, *_ = outcomes(live(detector(lane()), detector(lane(), **{name: value})))
    assert isinstance(first, Event)


def test_an_empty_list_is_nothing_and_an_error_is_not():
    assert outcomes(live()) == [Nothing(why="a list without detectors")]
    assert outcomes([detector(lane())])[0].device_ref == "VD-1"
    (refused,) = outcomes({"message": "Invalid token"})
    assert refused.code == "not-tisv"
    with pytest.raises(PayloadError):
        outcomes(b"plain words")
