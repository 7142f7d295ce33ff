"""NSW RFS: facts in HTML, three dates, an empty collection."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.html_text import html_text
from connectors.nsw_rfs import Options, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/nsw_rfs"
SHARED = ROOT.parent / "shared/samples/alert/nsw_rfs/incidents_1.json"
AT = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
INCIDENT = {
    "guid": "7",
    "title": "Cháy",
    "category": "Advice",
    "pubDate": "20/11/2026 12:11:00 AM",
    "description": "ALERT LEVEL: Advice <br />TYPE: Bush Fire <br />FIRE: Yes",
}


def outcomes(document, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=AT), Options(**options)))


def collection(*incidents, geometry=None):
    return {"features": [{"geometry": geometry, "properties": each} for each in incidents]}


def event_of(geometry=None, **more):
    (event,) = outcomes(collection(INCIDENT | more, geometry=geometry))
    return event


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_incidents_give_what_is_written_of_them():
    found = outcomes(SHARED.read_bytes())
    told = [(e.native_id, e.kind, e.severity, e.observed_at.isoformat()) for e in found]
    assert told == [
        ("1234", "alert.fire", "UNKNOWN", "2018-09-21T06:30:00+00:00"),
        ("2345", "alert.type_2", "UNKNOWN", "2018-09-21T06:35:00+00:00"),
        ("3456", "alert.fire", "UNKNOWN", "2018-09-21T06:40:00+00:00"),
        (
            "https://incidents.rfs.nsw.gov.au/api/v1/incidents/366937",
            "alert.fire",
            "MODERATE",
            "2018-02-18T00:11:00+00:00",
        ),
    ]
    block = found[3].body["infos"][0]
    assert (block["event"], block["sender_name"]) == ("Bush Fire", "Rural Fire Service")
    assert {"name": "SIZE", "value": "315512 ha"} in block["parameters"]
    assert [len(area["polygons"]) for area in block["areas"]] == [3]
    assert (round(found[3].position.lat, 3), round(found[3].position.lon, 3)) == (-36.255, 149.924)
    assert [area.name for area in found[3].areas_reported] == ["Eurobodalla"]


def test_pub_date_is_utc_and_updated_is_local_time_of_the_same_moment():
    by_publication = event_of(pubDate="18/02/2018 12:11:00 AM")
    by_update = event_of(pubDate="", description="UPDATED: 18 Feb 2018 11:11")
    assert datetime(2018, 2, 18, 0, 11, tzinfo=UTC) == by_publication.observed_at
    assert by_publication.observed_at == by_update.observed_at
    assert (by_publication.time_quality, by_update.time_quality) == ("DEVICE", "ASSUMED_ZONE")


def test_an_unreadable_pub_date_leaves_the_update():
    event = event_of(pubDate="hôm nay", description="UPDATED: 20 Nov 2026 11:20")
    assert datetime(2026, 11, 20, 0, 20, tzinfo=UTC) == event.observed_at
    assert event.quality_flags == ("pub_date_unreadable",)


def test_no_date_at_all_is_no_reason_to_drop_an_incident():
    event = event_of(pubDate="?", description="")
    assert (event.observed_at, event.time_quality) == (None, "RECEIVED")


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("Not Applicable", "MINOR"),
        ("Advice", "MODERATE"),
        ("Watch and Act", "SEVERE"),
        ("Emergency Warning", "EXTREME"),
        ("Khác", "UNKNOWN"),
    ],
)
def test_the_alert_level_is_the_severity(level, severity):
    assert event_of(description=f"ALERT LEVEL: {level}").severity == severity
    assert event_of(description="", category=level).severity == severity


def test_an_update_has_the_same_subject_and_no_status_claims_an_end():
    first = outcomes((OWN / "incidents.json").read_bytes())[0]
    (update,) = outcomes((OWN / "update.json").read_bytes())
    assert (first.subject, first.lifecycle) == (update.subject, update.lifecycle)
    assert (update.lifecycle, update.version_at > first.version_at) == ("UNKNOWN", True)


def test_one_bad_incident_does_not_lose_its_neighbours():
    found = outcomes((OWN / "incidents.json").read_bytes())
    assert [type(each) for each in found] == [Event, Rejection, Event]
    assert found[1].path == "features[1]/properties/guid"


def test_contacts_in_the_text_stay_in_raw():
    found = outcomes((OWN / "incidents.json").read_bytes())[0]
    assert "0910" not in str(found)
    assert "contact_masked" in found.quality_flags


def test_an_empty_collection_is_an_all_clear_and_another_document_is_not():
    assert isinstance(outcomes({"features": []})[0], Nothing)
    with pytest.raises(PayloadError, match="a list"):
        outcomes({"message": "rate limit"})
    with pytest.raises(PayloadError):
        outcomes(b"<html>")


@pytest.mark.parametrize("value", [7, None, [], {"a": 1}, True])
@pytest.mark.parametrize("name", list(INCIDENT))
def test_a_value_of_any_kind_costs_at_most_its_incident(name, value):
    first, _ = outcomes(collection(INCIDENT, INCIDENT | {name: value}))
    assert isinstance(first, Event)


@pytest.mark.parametrize("feature", [7, None, {}, {"properties": 1}])
def test_what_is_no_feature_is_refused_alone(feature):
    refused, event = outcomes({"features": [feature, {"properties": INCIDENT}]})
    assert (type(refused), type(event)) == (Rejection, Event)


def test_a_fact_may_hold_colons_and_entities():
    event = event_of(description="LOCATION: Km 12: Ba V&igrave; &amp; Suối Hai<br>FIRE: No")
    assert event.body["infos"][0]["areas"][0]["description"] == "Km 12: Ba Vì & Suối Hai"


# The shared reader


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<p>The road is open.</p><p><br></p><p>Chains &amp; care</p>",
            "The road is open.\nChains & care",
        ),
        ("a<br/>b<BR />c", "a\nb\nc"),
        ("<script>alert('x')</script>Đường <b>đóng</b>", "Đường đóng"),
        ("1 < 2 và 3 > 2", "1 < 2 và 3 > 2"),
        ("&lt;b&gt;", "<b>"),
        ("plain", "plain"),
    ],
)
def test_html_is_told_as_text(html, text):
    assert html_text(html) == text


@given(st.text(alphabet="<>/abp&;\n ", max_size=80))
def test_no_fragment_raises_or_keeps_blank_lines(html):
    assert "\n\n" not in html_text(html)


def test_a_megabyte_of_brackets_is_read_in_time():
    for part in ("<", "<b", "<script>", "<br", "&"):
        assert isinstance(html_text(part * 200_000), str)
