"""`cifs` against the specification; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.cifs import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/traffic/waze_cifs/single_incident.xml"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
LATER = "2026-03-20T05:00:00+07:00"


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options()))


def one(**more):
    base = {"id": "1", "type": "HAZARD", "endtime": LATER}
    (outcome,) = read({"incidents": [base | more]})
    return outcome


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_incident_is_one_of_six_points():
    (found,) = read(SHARED.read_bytes())
    assert (found.native_id, found.kind, found.lifecycle) == ("101", "road.hazard", "EXPIRED")
    assert len(found.body["points"]) == 6
    assert found.body["points"][0] == {"lat": 51.510090, "lon": -0.006902}
    assert found.body["valid_from"] == datetime(2024, 12, 7, 8, tzinfo=UTC)


def test_latitude_comes_first_and_the_order_is_the_direction():
    points = one(polyline="21.031 105.815 21.032 105.820").body["points"]
    assert points == [{"lat": 21.031, "lon": 105.815}, {"lat": 21.032, "lon": 105.820}]


def test_a_polyline_that_breaks_off_keeps_its_points_and_says_so():
    found = one(polyline="21.031 105.815 21.032")
    assert len(found.body["points"]) == 1
    assert "polyline_odd" in found.quality_flags


def test_an_end_before_the_start_is_kept_and_ends_nothing():
    found = one(starttime="2026-03-13T09:00:00+07:00", endtime="2026-03-13T08:00:00+07:00")
    assert found.lifecycle == "UNKNOWN"
    assert "times_reversed" in found.quality_flags


def test_an_end_that_is_over_at_first_sight_has_expired():
    assert one(endtime="2026-03-13T08:00:00+07:00").lifecycle == "EXPIRED"
    assert one().lifecycle == "UNKNOWN"


def test_xml_and_json_say_the_same():
    inner = f"<type>HAZARD</type><endtime>{LATER}</endtime>"
    xml = f'<incidents><incident id="1">{inner}</incident></incidents>'
    (of_xml,) = read(xml.encode())
    assert of_xml == one()


def test_contacts_in_prose_are_masked():
    found = one(description="Gọi 024 3888 8888")
    assert "3888" not in str(found)
    assert "contact_masked" in found.quality_flags


def test_an_empty_feed_is_all_clear():
    assert isinstance(read({"incidents": []})[0], Nothing)


def test_a_bad_incident_hides_no_other():
    outcomes = read({"incidents": [{"id": "1"}, {"id": ""}, 3, {"id": "2"}]})
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert outcomes[1].path == "incidents[1]/id"


@pytest.mark.parametrize(
    ("document", "code"), [({}, "missing-field"), (b"<html/>", "not-cifs"), (b"", "empty")]
)
def test_what_is_no_feed_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code
