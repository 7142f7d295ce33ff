"""Digitraffic's simple JSON: versions, ends, phases of works, and what must not be read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.digitraffic import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/traffic/digitraffic_json"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def outcomes(document, received_at=AT):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def feature(id_="H1", announcement=None, at="2026-11-20T11:00:00Z", **members):
    properties = {"situationId": id_, "version": 1, "versionTime": at}
    properties["announcements"] = [{"language": "fi", "title": "T"} | (announcement or {})]
    return {"type": "Feature", "geometry": None, "properties": properties | members}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def event_of(*arguments, **members):
    (event,) = outcomes(feature(*arguments, **members))
    return event


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize(
    ("name", "refs", "road", "lifecycle", "flags"),
    [
        ("feature_example.json", ["GUID50001238"], "130", "UNKNOWN",
         ("outside_hanoi", "drill_suspected")),
        ("feature_collection_example.json", ["GUID50001238", "GUID12345678"], "130", "UNKNOWN",
         ("outside_hanoi", "drill_suspected")),
        ("roadwork_lane_closed.json", ["GUID50456026", "GUID50460480"], "Länsiväylä", "ENDED",
         ("outside_hanoi",)),
    ],
)  # fmt: skip
def test_the_published_documents_give_what_stands_in_them(name, refs, road, lifecycle, flags):
    found = outcomes((SHARED / name).read_bytes())
    assert [event.body["record_ref"] for event in found] == refs
    assert (found[0].body["road"], found[0].lifecycle) == (road, lifecycle)
    assert found[0].quality_flags[:2] == flags
    assert not any("0206373328" in str(event) or "@" in str(event.body) for event in found)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_published_works_have_severity_impact_and_times():
    works, phase = outcomes((SHARED / "roadwork_lane_closed.json").read_bytes())
    assert (works.kind, works.severity, phase.severity) == ("road.road_work", "SEVERE", "SEVERE")
    assert (phase.body["impact"], phase.body["detail"]) == ("single lane closed", "measurement")
    assert phase.body["valid_to"] == datetime(2025, 11, 10, 23, tzinfo=UTC)
    assert works.version_at == datetime(2025, 11, 10, 12, 29, 26, 417000, tzinfo=UTC)
    codes = [code["code"] for code in works.body["location_codes"]]
    assert codes == ["2852", "51 6+0", "2851", "51 5+0"]


def test_of_copies_the_newest_by_time_is_taken_then_by_version_as_a_number():
    copies = [feature(version=9), feature(version=61), feature(version=7)]
    assert [e.native_version for e in outcomes(collection(*copies))] == ["61"]
    copies = [feature(at="2026-11-20T11:30:00Z"), feature(version=61)]
    assert [e.native_version for e in outcomes(collection(*copies))] == ["1"]


def test_without_a_version_time_the_release_orders():
    event = event_of(at=None, releaseTime="2026-11-20T10:00:00+02:00")
    assert event.version_at == datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("announcement", "members", "lifecycle"),
    [
        ({"timeAndDuration": {"endTime": "2026-11-20T11:59:00Z"}}, {}, "ENDED"),
        ({"timeAndDuration": {"endTime": "2026-11-20T12:01:00Z"}}, {}, "UNKNOWN"),
        ({"earlyClosing": "CLOSED"}, {}, "ENDED"),
        ({"earlyClosing": "canceled"}, {}, "CANCELLED"),
        ({}, {"trafficAnnouncementType": "ended"}, "ENDED"),
        ({}, {"trafficAnnouncementType": "retracted"}, "CANCELLED"),
        ({}, {}, "UNKNOWN"),
    ],
)
def test_an_end_is_no_cancel_and_silence_is_neither(announcement, members, lifecycle):
    assert event_of(announcement=announcement, **members).lifecycle == lifecycle


def test_features_may_be_texts_or_objects_with_a_quantity():
    items = ["Huono ajokeli", {"name": "Nopeusrajoitus", "quantity": 50.0, "unit": "km/h"}, 7]
    texts = event_of(announcement={"features": items}).body["texts"]
    assert [t["text"] for t in texts if t["role"] == "feature"] == [
        "Huono ajokeli",
        "Nopeusrajoitus 50 km/h",
    ]


def test_contacts_and_an_operator_s_comment_are_not_read():
    told = {"comment": "NV Long", "additionalInformation": "Goi 0912 345 678 hay a@b.vn"}
    event = event_of(announcement=told, contact={"email": "c@d.vn"})
    assert not any(word in str(event) for word in ("Long", "0912", "@"))
    assert "contact_masked" in event.quality_flags


def test_all_languages_are_in_one_event():
    document = feature()
    document["properties"]["announcements"].append({"language": "en", "title": "Accident"})
    (event,) = outcomes(document)
    assert [t["language"] for t in event.body["texts"]] == ["fi", "en"]


def test_a_bad_feature_costs_only_itself():
    found = outcomes(collection(feature("A"), feature(""), 7, feature("B")))
    assert sorted(type(one).__name__ for one in found) == [
        "Event",
        "Event",
        "Rejection",
        "Rejection",
    ]
    paths = [one.path for one in found if isinstance(one, Rejection)]
    assert paths == ["features[1]/properties/situationId", "features[2]"]


def test_an_empty_collection_is_all_clear_and_a_login_page_is_not():
    assert isinstance(outcomes(collection())[0], Nothing)
    for body in (b"<html/>", b'{"type": "Topology"}', b""):
        with pytest.raises(PayloadError):
            outcomes(body)


def test_phases_are_records_of_their_situation():
    phase = {
        "id": "P1",
        "severity": "highest",
        "timeAndDuration": {"endTime": "2026-11-19T00:00:00Z"},
    }
    whole, part = outcomes(feature(announcement={"roadWorkPhases": [phase, {"severity": "low"}]}))
    assert isinstance(whole, Event)
    assert (whole.lifecycle, whole.severity) == ("UNKNOWN", "EXTREME")
    assert (part.subject, part.lifecycle) == (("H1", "P1"), "ENDED")


def test_words_in_capitals_mean_what_they_mean_in_the_messages_themselves():
    phase = {
        "id": "P1",
        "severity": "HIGHEST",
        "workTypes": [{"type": "BRIDGE", "description": "Cầu"}],
    }
    whole, part = outcomes(
        feature(announcement={"roadWorkPhases": [phase]}, situationType="ROAD_WORK")
    )
    assert (whole.kind, whole.severity, part.severity) == ("road.road_work", "EXTREME", "EXTREME")
    assert part.body["detail"] == "BRIDGE"
    assert {"language": "fi", "text": "Cầu", "role": "work"} in part.body["texts"]
    for word in ("special transport", "exempted transport", "EXEMPTED_TRANSPORT"):
        assert event_of(situationType=word).kind == "road.exempted_transport"


@pytest.mark.parametrize(
    ("word", "probability"),
    [
        ("UNCONFIRMED_OBSERVATION", "probable"),
        ("preliminary accident report", "probable"),
        ("ACCIDENT_REPORT", ""),
        ("GENERAL", ""),
    ],
)
def test_what_is_not_confirmed_is_only_probable(word, probability):
    assert event_of(trafficAnnouncementType=word).body["probability"] == probability


def test_an_area_is_a_place_too():
    areas = [{"name": "Lempäälä", "locationCode": 408, "type": "MUNICIPALITY"}, 7]
    place = {"countryCode": 6, "locationTableNumber": 17, "locationTableVersion": "1.11.37"}
    told = {"location": place, "locationDetails": {"areaLocation": {"areas": areas}}}
    event = event_of(announcement=told)
    assert [area.name for area in event.areas_reported] == ["Lempäälä"]
    assert event.body["location_codes"] == [
        {"scheme": "alert-c", "table": "6-17-1.11.37", "code": "408"}
    ]


@pytest.mark.parametrize(
    ("quantity", "limit"), [(50.0, 50.0), ("40", 40.0), (-1, None), ("?", None)]
)
def test_a_speed_limit_of_a_phase_is_a_speed(quantity, limit):
    restriction = {"type": "SPEED_LIMIT", "restriction": {"name": "N", "quantity": quantity}}
    phase = {"id": "P1", "restrictions": [restriction, {"type": "DETOUR"}, 7]}
    _, part = outcomes(feature(announcement={"roadWorkPhases": [phase]}))
    assert part.body["speed_limit_kmh"] == limit


def test_how_long_it_may_last_is_told_in_words():
    times = {"estimatedDuration": {"minimum": "PT1H", "informal": "1 - 3 tuntia"}}
    texts = event_of(announcement={"timeAndDuration": times}).body["texts"]
    assert {"language": "fi", "text": "1 - 3 tuntia", "role": "duration"} in texts


def test_a_poll_of_the_same_announcement_gives_the_same_id_and_another_content_does_not():
    identity = Identity(b"k" * 32, connector, "fi")
    one, again, changed = (
        identity.event(event_of(announcement={"features": [text]}), payload_id=payload, index=0)
        for text, payload in (("A", "p1"), ("A", "p2"), ("B", "p1"))
    )
    assert (one == again, one == changed) == (True, False)
