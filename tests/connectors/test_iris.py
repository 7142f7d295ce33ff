"""IRIS: the DTD's defaults, Java's dates, sentinels, both encodings; incidents and signs."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.iris import iso_of_java, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError

OWN = Path(__file__).parents[2] / "tests/samples/iris"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def outcomes(body):
    body = body if isinstance(body, bytes) else body.encode()
    return list(parse(Payload(body=body, received_at=AT), Options()))


def sample(attributes, time="Fri Nov 20 11:59:30 UTC 2026", period="30"):
    (outcome,) = outcomes(
        f"<traffic_sample time_stamp='{time}' period='{period}'>"
        f"<sample sensor='D1' {attributes}/></traffic_sample>"
    )
    return outcome


def test_the_internal_dtd_is_read_and_its_default_unknown_is_no_value():
    found = outcomes((OWN / "det_sample.xml").read_bytes())
    assert [event.device_ref for event in found if isinstance(event, Event)] == [
        "VD3-11", "VD3-13", "VD3-14",
    ]  # fmt: skip
    assert [one.path for one in found if isinstance(one, Rejection)] == [
        "sample[4]/sensor", "sample[5]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "dtd",
    [
        "<!DOCTYPE traffic_sample [<!ENTITY a 'b'>]>",
        "<!DOCTYPE traffic_sample SYSTEM 'http://invalid/a.dtd'>",
    ],
)
def test_entities_and_external_dtds_are_refused_beside_it(dtd):
    with pytest.raises(PayloadError) as caught:
        outcomes(f"{dtd}<traffic_sample/>")
    assert caught.value.code == "xml-entities"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Thu Aug 20 10:00:00 CDT 2026", "2026-08-20T10:00:00-05:00"),
        ("Fri Nov 20 18:59:30 ICT 2026", "2026-11-20T18:59:30+07:00"),
        ("Fri Nov 20 18:59:30 GMT+07:00 2026", "2026-11-20T18:59:30+07:00"),
        ("Fri Nov 20 18:59:30 XYZ 2026", "2026-11-20T18:59:30"),
        ("2026-11-20T18:59:30.000+07:00", "2026-11-20T18:59:30.000+07:00"),
        ("yesterday", "yesterday"),
    ],
)
def test_java_s_date_names_month_and_zone(text, iso):
    assert iso_of_java(text) == iso


def test_a_zone_nobody_knows_is_the_source_s_own():
    event = sample("flow='60'", time="Fri Nov 20 18:59:30 XYZ 2026")
    assert event.observed_at == datetime(2026, 11, 20, 11, 59, 30, tzinfo=UTC)
    assert event.time_quality == "ASSUMED_ZONE"


def test_miles_become_kilometres_and_per_cent_a_share():
    body = sample("flow='1440' speed='50' occ='12.5'").body
    assert (body["flow_veh_h"], body["speed_kmh"], body["occupancy_ratio"]) == (1440, 80.467, 0.125)
    assert body["period_s"] == 30.0


@pytest.mark.parametrize(
    ("attributes", "flow", "speed", "occupancy", "flags"),
    [
        ("flow='0' speed='40' occ='0'", 0.0, None, 0.0, ()),
        ("flow='60' speed='0'", 60.0, None, None, ("speed_missing",)),
        ("flow='0' occ='100'", None, None, None, ("detector_stuck",)),
        ("flow='60' speed='-1' occ='UNKNOWN'", 60.0, None, None, ()),
        ("flow='60' speed='451' occ='101'", 60.0, None, None, ("speed_invalid", "occ_invalid")),
    ],
)
def test_sentinels_become_null_and_faults_a_flag(attributes, flow, speed, occupancy, flags):
    event = sample(attributes)
    names = ("flow_veh_h", "speed_kmh", "occupancy_ratio")
    assert tuple(event.body[name] for name in names) == (flow, speed, occupancy)
    assert event.quality_flags == flags


def test_a_detector_that_says_nothing_gives_no_event():
    for attributes in ("", "flow='UNKNOWN' speed='UNKNOWN'", "flow='-1'"):
        assert isinstance(sample(attributes), Nothing)


def test_test_sensors_have_their_own_status():
    assert [e.status for e in outcomes((OWN / "stat_sample.xml").read_bytes())] == ["LIVE", "TEST"]


def test_json_of_newer_versions_has_flow_and_speed_by_name():
    found = outcomes((OWN / "station_sample.json").read_bytes())
    assert [one.body["flow_veh_h"] for one in found[:3]] == [2160.0, None, 120.0]
    assert [one.body["speed_kmh"] for one in found[:3]] == [45.062, 49.89, None]
    assert (found[3].code, found[3].path) == ("wrong-type", "samples/S104")


def test_gzip_is_read_and_a_broken_one_is_an_error():
    body = (OWN / "det_sample.xml").read_bytes()
    assert outcomes(gzip.compress(body)) == outcomes(body)
    with pytest.raises(PayloadError) as caught:
        outcomes(gzip.compress(body)[:-20])
    assert caught.value.code in {"gzip", "gzip-truncated"}


def test_a_sensor_that_stands_twice_is_refused_once():
    rows = "<sample sensor='A' flow='1'/>" * 2
    found = outcomes(f"<traffic_sample time_stamp='' period=''>{rows}</traffic_sample>")
    assert [type(one) for one in found] == [Event, Rejection]


@pytest.mark.parametrize("body", ["<html/>", json.dumps({"incidents": []}), "7", ""])
def test_what_is_no_sample_is_refused(body):
    with pytest.raises(PayloadError):
        outcomes(body)


def incident(**members):
    row = {
        "name": "I2",
        "event_date": "2026-11-20T18:40:00.5+07:00",
        "description": "Incident CRASH",
    }
    (event,) = outcomes(json.dumps([row | members]))
    return event


def test_an_incident_that_was_edited_is_still_the_first_one():
    assert incident().subject == ("I2",)
    edited = incident(name="I3", replaces="I2")
    assert (edited.subject, edited.native_id, edited.native_version) == (("I2",), "I2", "I3")


def test_of_an_incident_and_the_one_it_replaces_the_later_is_taken():
    old = {"name": "I2", "event_date": "2026-11-20T11:00:00Z", "cleared": True}
    new = {"name": "I3", "event_date": "2026-11-20T11:30:00Z", "replaces": "I2", "cleared": False}
    for order in ([old, new], [new, old]):
        (event,) = outcomes(json.dumps(order))
        assert (event.native_version, event.lifecycle) == ("I3", "UNKNOWN")


@pytest.mark.parametrize(("cleared", "expected"), [(True, "ENDED"), (False, "UNKNOWN")])
def test_a_cleared_incident_has_ended(cleared, expected):
    assert incident(cleared=cleared).lifecycle == expected


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("Incident CRASH", "road.accident"),
        ("INCIDENT_STALL", "road.vehicle_obstruction"),
        ("Incident HAZARD", "road.hazard"),
        ("Incident ROADWORK", "road.works"),
        ("Incident FLOOD", "road.incident"),
    ],
)
def test_the_kind_of_an_incident_is_told_in_two_spellings(description, kind):
    assert incident(description=description).kind == kind


def test_xml_and_json_of_an_incident_tell_the_same():
    xml = (OWN / "incident.xml").read_bytes()
    refused, first, ended, test = outcomes(xml)
    assert first.position.lat == 21.00734
    assert (first.body["impact"], first.body["lanes"]) == (".!?.", ["MAINLINE"])
    assert (first.body["probability"], first.published_at.minute) == ("certain", 59)
    assert [one.lifecycle for one in (first, ended)] == ["UNKNOWN", "ENDED"]
    assert (test.status, refused.path) == ("TEST", "[3]/name")
    twin = incident(
        name="I1", event_date="2026-11-20T11:40:00Z", road="Vành đai 3", direction="EB",
        lane_type="MAINLINE", impact=".!?.", confirmed=True, detail="", lat=21.00734, lon=105.81622,
    )  # fmt: skip
    told = {
        name: value for name, value in first.body.items() if name not in {"texts", "record_type"}
    }
    assert told == {name: twin.body[name] for name in told}


def test_who_saw_an_incident_is_not_read():
    assert "nvlong" not in str(incident(user_id="nvlong", camera="C07"))


def test_contacts_in_the_detail_of_an_incident_are_masked():
    event = incident(detail="Xe tải chết máy, gọi 0910 000 000", lat=21.007, lon=105.816)
    assert event.body["detail"] == "Xe tải chết máy, gọi […]"
    assert event.quality_flags == ("contact_masked",)


def test_an_incident_that_lasts_for_weeks_has_no_wrong_clock():
    assert incident(event_date="2026-10-01T00:00:00Z").time_quality == "DEVICE"


@pytest.mark.parametrize(
    ("failed", "state"), [(True, "FAULT"), (False, "ONLINE"), (None, "UNKNOWN")]
)
def test_a_sign_tells_whether_it_failed_and_never_a_text_it_has_not(failed, state):
    row = {"name": "V7", "msg_current": "sys_7_1", "failed": failed, "expire_time": None}
    (event,) = outcomes(json.dumps([row]))
    assert (event.noun, event.body["state"]) == ("health", state)
    assert (event.device_ref, event.body["detail"]) == ("V7", "sys_7_1")


def test_an_empty_list_is_no_incident():
    assert isinstance(outcomes("[]")[0], Nothing)


def test_a_row_that_is_neither_costs_only_itself():
    found = outcomes(json.dumps([7, {"name": "x"}, {"name": "V7", "msg_current": ""}]))
    assert [type(one) for one in found] == [Rejection, Rejection, Event]
    assert [one.path for one in found[:2]] == ["[0]", "[1]"]
