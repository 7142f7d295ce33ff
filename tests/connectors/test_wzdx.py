"""`wzdx` against the versions of the specification; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.wzdx import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "wzdx"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
# Of each shared sample: what its features are, with the words that matter.
SHARED_FEATURES = {
    "v3.1_linestring.geojson": [
        ("12345", "ENDED", "some-lanes-closed", 48.3),
        ("67890", "ENDED", "all-lanes-open", 48.3),
    ],
    "v4.1_shoulder_bidirectional.geojson": [
        ("a2183b6b-befa-48ac-b6b5-3ee5e8a806e9", "UNKNOWN", "all-lanes-open", None),
        ("62c5fa4b-11ee-45e6-a740-bc32d3b846e9", "UNKNOWN", "all-lanes-open", None),
    ],
    "v4.2_laneshift.geojson": [
        ("85912735-7a36-45f5-b644-41b0203ae400", "UNKNOWN", "all-lanes-open-shift-right", 88.5)
    ],
    "v4.2_multilane_closure.geojson": [
        ("8fed746d-8f4f-4e0c-8d9b-fa4db7c3c2d8", "UNKNOWN", "some-lanes-closed", 88.5)
    ],
}
SHARED_DEVICES = {
    "v4.2_device_arrow_board_ok.geojson": "ONLINE",
    "v4.2_device_camera_error.geojson": "FAULT",
}
CORE = {"data_source_id": "1", "event_type": "work-zone", "update_date": "2026-03-13T10:00:00Z"}


def feature(core=None, *, id_="gp-1", **flat):
    properties = {"core_details": CORE | (core or {})} | flat
    return {"id": id_, "properties": properties, "geometry": None}


def feed(*features, **head):
    return {"feed_info": {"update_date": "2026-03-14T00:45:00Z"} | head, "features": [*features]}


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options()))


def one(document):
    (outcome,) = read(document)
    return outcome


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_FEATURES)
def test_every_shared_work_zone_gives_what_is_written_of_it(name):
    found = [
        (each.native_id, each.lifecycle, each.body["impact"], each.body["speed_limit_kmh"])
        for each in read((SHARED / name).read_bytes())
    ]
    assert found == SHARED_FEATURES[name]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_DEVICES)
def test_a_device_in_a_traffic_feed_is_its_health(name):
    found = one((SHARED / name).read_bytes())
    assert (found.noun, found.body["state"]) == ("health", SHARED_DEVICES[name])


def test_names_that_moved_between_versions_are_found():
    old = {
        "road_event_feed_info": {"version": "2.0"},
        "features": [{"properties": {"road_event_id": "x", "event_type": "work-zone"}}],
    }
    assert one(old).native_id == "x"
    assert one(feed(feature(id_="y"))).native_id == "y"


ACTIVITY = {
    "identifier": "HN-7",
    "startDateTime": {"startDateTime-ver": "2026-03-12T08:00:00+07:00"},
    "endDateTime": {"endDateTime-est": "2026-03-13T17:00:00+07:00"},
    "beginLocation": {
        "roadName": "Phạm Hùng", "roadNum": "VĐ3", "roadDirection": "southbound",
        "latitude-est": "21.0290", "longitude-est": 105.7795, "milepost-est": "4.5",
        "crossStreet": "Dương Đình Nghệ",
    },
    "endLocation": {
        "latitude-ver": 21.0170, "longitude-ver": 105.7842, "crossStreet": "Mễ Trì",
    },
    "wz_status": "active",
    "closedLanes": ["left1", "left2"],
    "closedShoulders": "none",
    "reducedSpdPosted": 30,
    "issuingOrganization": "Sở Xây dựng",
    "timeStampEventUpdate": "2026-03-13T18:00:00",
}  # fmt: skip


def first_version(activity=ACTIVITY, **more):
    head = {"timeStampUpdate": "2026-03-14T00:45:00Z"}
    return {"WZDx": {"Header": head, "WorkZoneActivity": activity | more}}


def as_xml(name, value):
    if isinstance(value, list):
        return "".join(as_xml(name, each) for each in value)
    inner = (
        "".join(as_xml(each, inside) for each, inside in value.items())
        if isinstance(value, dict)
        else value
    )
    return f"<{name}>{inner}</{name}>"


@pytest.mark.parametrize("spelling", ["json", "xml"])
def test_the_first_version_has_objects_of_its_own_in_json_and_xml(spelling):
    document = first_version()
    found = one(document if spelling == "json" else as_xml("WZDx", document["WZDx"]).encode())
    assert (found.kind, found.native_id) == ("road.work_zone", "HN-7")
    assert found.subject == ("Sở Xây dựng", "HN-7")
    # Without an offset: the source's zone.
    assert found.version_at == datetime(2026, 3, 13, 11, tzinfo=UTC)
    assert found.body["valid_to"] == datetime(2026, 3, 13, 10, tzinfo=UTC)
    assert found.body["lanes"] == ["left1 closed", "left2 closed"]
    assert (found.body["road"], found.body["direction"]) == ("Phạm Hùng; VĐ3", "southbound")
    assert found.body["points"] == [
        {"lat": 21.029, "lon": 105.7795}, {"lat": 21.017, "lon": 105.7842},
    ]  # fmt: skip
    assert found.body["texts"] == [
        {"language": "", "text": "Dương Đình Nghệ - Mễ Trì", "role": "location"}
    ]
    assert found.body["location_codes"] == [
        {"scheme": "linear", "table": "", "code": "Phạm Hùng; VĐ3 4.5"}
    ]
    assert found.body["source_name"] == "Sở Xây dựng"


def test_a_speed_without_a_unit_is_left_out():
    assert one(first_version()).body["speed_limit_kmh"] is None


def test_in_the_first_version_the_end_of_a_name_says_what_a_time_is():
    past = "2026-03-13T00:00:00Z"
    assert one(first_version(endDateTime={"endDateTime-est": past})).lifecycle == "UNKNOWN"
    assert one(first_version(endDateTime={"endDateTime-ver": past})).lifecycle == "ENDED"
    cancelled = one(first_version(startDateTime={"startDateTime-cancelled": past}))
    assert cancelled.lifecycle == "CANCELLED"


def test_activities_of_one_project_are_told_apart_by_the_second_identifier():
    ids = [one(first_version(subidentifier=name)).native_id for name in ("", "A", "B")]
    assert ids == ["HN-7", "HN-7/A", "HN-7/B"]


def test_a_bad_activity_hides_no_other():
    document = first_version()
    document["WZDx"]["WorkZoneActivity"] = [7, ACTIVITY | {"identifier": ""}, ACTIVITY]
    outcomes = read(document)
    assert [type(each) for each in outcomes] == [Rejection, Rejection, Event]
    assert isinstance(read({"WZDx": {"Header": {}}})[0], Nothing)


def test_cross_streets_and_mileposts_say_where_along_the_road():
    found = one(
        feed(
            feature(
                {"road_names": ["QL5"]},
                beginning_cross_street="Nguyễn Văn Linh",
                beginning_milepost=4.5,
                ending_milepost=6,
            )
        )
    )
    assert found.body["texts"][0] == {"language": "", "text": "Nguyễn Văn Linh", "role": "location"}
    assert [code["code"] for code in found.body["location_codes"]] == ["QL5 4.5", "QL5 6"]


def test_one_id_of_two_data_sources_is_two_things():
    one_, other = read(feed(feature(), feature({"data_source_id": "2"})))
    assert one_.subject != other.subject


def test_planned_dates_end_nothing_and_verified_ones_do():
    past = {"end_date": "2026-03-13T00:00:00Z"}
    assert one(feed(feature(**past))).lifecycle == "UNKNOWN"
    assert one(feed(feature(**past, is_end_date_verified="false"))).lifecycle == "UNKNOWN"
    assert one(feed(feature(**past, is_end_date_verified="true"))).lifecycle == "ENDED"
    future = {"end_date": "2026-03-15T00:00:00Z", "is_end_date_verified": True}
    assert one(feed(feature(**future))).lifecycle == "UNKNOWN"


@pytest.mark.parametrize(
    ("status", "lifecycle"),
    [("completed", "ENDED"), ("cancelled", "CANCELLED"), ("active", "UNKNOWN"), ("", "UNKNOWN")],
)
def test_a_status_that_is_stated_ends_or_cancels(status, lifecycle):
    assert one(feed(feature(event_status=status))).lifecycle == lifecycle


def test_the_feeds_own_time_is_no_version_of_an_event():
    core = {key: value for key, value in CORE.items() if key != "update_date"}
    found = one(feed({"id": "x", "properties": {"core_details": core}}))
    assert found.version_at is None
    assert found.published_at == datetime(2026, 3, 14, 0, 45, tzinfo=UTC)


def test_a_limit_is_in_miles_or_kilometres_as_its_name_says():
    assert one(feed(feature(reduced_speed_limit=30))).body["speed_limit_kmh"] == 48.3
    assert one(feed(feature(reduced_speed_limit_kph=40))).body["speed_limit_kmh"] == 40
    assert one(feed(feature(reduced_speed_limit_kph=-1))).body["speed_limit_kmh"] is None


def test_swapped_axes_are_flagged_and_give_no_position():
    swapped = feature() | {"geometry": {"type": "Point", "coordinates": [21.003, 105.841]}}
    found = one(feed(swapped))
    assert (found.position, found.quality_flags) == (None, ("axes_swapped_suspect",))


def test_contacts_of_a_feed_are_not_read_and_those_in_prose_are_masked():
    found = one(
        feed(feature({"description": "gọi 0912 345 678"}), contact_name="B", contact_email="b@x.vn")
    )
    assert "b@x.vn" not in str(found)
    assert "0912" not in str(found)
    assert "contact_masked" in found.quality_flags


def test_an_empty_feed_is_all_clear():
    assert isinstance(one(feed()), Nothing)


def test_a_bad_feature_hides_no_other():
    outcomes = read(feed(feature(), feature(id_=""), "broken", feature(id_="z")))
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert [outcomes[1].path, outcomes[2].path] == ["features[1]/id", "features[2]"]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "missing-field"),
        ({"WZDx": 7}, "wrong-type"),
        (b"<html/>", "not-wzdx"),
        (b"login", "malformed"),
    ],
)
def test_what_is_no_feed_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code
