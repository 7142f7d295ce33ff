"""`gtfs_rt` against the standard and what feeds send; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.gtfs_rt import connector, parse
from hub import Event, Nothing, Options, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "samples" / "gtfs_rt"
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "gtfs_rt_alerts"
MADE = 1_795_139_700  # 2026-11-20T01:55:00Z
NOW = datetime(2026, 11, 20, 1, 55, 4, tzinfo=UTC)
# Of each alert of the Brest feed: cause, effect, routes. Read with the standard's own library.
BREST = [
    *[("CONSTRUCTION", "DETOUR", 1)] * 5,
    ("OTHER_CAUSE", "REDUCED_SERVICE", 1),
    ("CONSTRUCTION", "DETOUR", 1),
    ("CONSTRUCTION", "DETOUR", 3),
    *[("CONSTRUCTION", "DETOUR", 1)] * 4,
]
# Of each alert of the MBTA: kind, cause, periods, selectors that differ.
MBTA = {
    "116292": ("transit.no_service", "CONSTRUCTION", 8, 8),
    "116369": ("transit.alert", "MAINTENANCE", 1, 2),
    "116373": ("transit.alert", "MAINTENANCE", 1, 0),
    "116374": ("transit.alert", "MAINTENANCE", 1, 3),
    "116375": ("transit.no_service", "UNKNOWN_CAUSE", 1, 4),
    "116376": ("transit.no_service", "UNKNOWN_CAUSE", 1, 4),
}


def read(body, received_at=NOW):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def feed(*entities, timestamp=MADE, **header):
    head = {"gtfs_realtime_version": "2.0", "timestamp": timestamp} | header
    return {"header": head, "entity": list(entities)}


def entity(id_="A", **alert):
    return {"id": id_, "alert": alert}


def one(id_="A", **alert):
    (outcome,) = read(feed(entity(id_, **alert)))
    return outcome


def translated(text, language="vi"):
    return {"translation": [{"text": text, "language": language}]}


def event_ids(*bodies):
    results = [
        dry_run(connector, Sample(name="x", body=json.dumps(each).encode())) for each in bodies
    ]
    return [[each.value[5:21] for each in found] for found in results]


def periods(event):
    told = [text["text"] for text in event.body["texts"] if text["role"] == "periods"]
    return len(told[0].split()) if told else 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_binary_feed_gives_what_the_standards_own_library_reads():
    events = read((SHARED / "brest_alerts.pb").read_bytes(), datetime(2021, 12, 16, 16, tzinfo=UTC))
    assert [
        (each.body["record_type"], each.body["impact"], len(each.body["location_codes"]))
        for each in events
    ] == BREST
    first = events[0]
    assert first.native_id == "2ea09850-74d9-4db7-a537-d97d821956e8"
    assert first.published_at == datetime(2021, 12, 16, 15, 29, 2, tzinfo=UTC)
    assert first.body["valid_to"] == datetime(2021, 12, 24, 17, tzinfo=UTC)
    assert [text["role"] for text in first.body["texts"]] == ["header", "description", "url"]
    assert {"UNKNOWN"} == {each.lifecycle for each in events}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_vendors_json_gives_what_is_written_of_it():
    events = read((SHARED / "mbta_alerts_enhanced.json").read_bytes())
    found = {
        each.native_id: (
            each.kind, each.body["record_type"], periods(each), len(each.body["location_codes"]),
        )
        for each in events
    }  # fmt: skip
    assert found == MBTA
    assert events[0].version_at == datetime(2017, 12, 21, 18, 30, 2, tzinfo=UTC)
    assert (
        (events[0].body["location_codes"][0]["code"])
        == "agency_id=1 route_type=0 route_id=Green-B stop_id=70209"
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_text_format_is_refused_by_name():
    with pytest.raises(PayloadError, match="for people") as refused:
        read((SHARED / "google_alerts.asciipb").read_bytes())
    assert refused.value.code == "text-format"


def test_an_alert_that_is_polled_again_keeps_its_id_whatever_the_feeds_time():
    alert = entity(header_text=translated("Tuyến 32 đi vòng"))
    (first,), (again,) = event_ids(feed(alert), feed(alert, timestamp=MADE + 60))
    assert first == again


@pytest.mark.parametrize(
    "change", [{"cause": "STRIKE"}, {"severity_level": "SEVERE"}, {"header_text": translated("B")}]
)
def test_changed_content_without_a_version_is_an_event_of_its_own(change):
    (first,), (other,) = event_ids(
        feed(entity(effect="DETOUR")), feed(entity(effect="DETOUR", **change))
    )
    assert first != other


def test_hundreds_of_periods_and_selectors_stay_one_event():
    spans = [
        {"start": MADE + day * 86_400, "end": MADE + day * 86_400 + 3_600} for day in range(260)
    ]
    event = one(
        active_period=spans, informed_entity=[{"stop_id": f"S{place}"} for place in range(54)]
    )
    assert (periods(event), len(event.body["location_codes"])) == (260, 54)
    assert event.quality_flags == ("time_missing", "periods_merged")
    assert event.body["valid_to"] == datetime.fromtimestamp(MADE + 259 * 86_400 + 3_600, UTC)


def test_more_periods_and_selectors_than_anybody_needs_are_cut_with_a_flag():
    event = one(
        active_period=[{"start": MADE}] * 500,
        informed_entity=[{"stop_id": f"S{place}"} for place in range(2_000)],
    )
    assert (periods(event), len(event.body["location_codes"])) == (400, 1_000)
    assert {"periods_cut", "selectors_cut"} <= set(event.quality_flags)


def test_an_alert_of_megabytes_fits_into_a_record_of_kafka_with_its_texts_cut():
    texts = [{"language": f"l{each}", "text": "Đường " * 4_000} for each in range(20)]
    wide = entity(
        header_text={"translation": texts},
        description_text={"translation": texts},
        active_period=[{"start": MADE + each, "end": MADE + each + 1} for each in range(500)],
        informed_entity=[{"stop_id": f"S{each}"} for each in range(2_000)],
    )
    body = json.dumps(feed(wide)).encode()
    (found,) = dry_run(connector, Sample(name="x", body=body))
    assert len(found.value) < 1_000_000
    (event,) = read(body)
    assert "text_cut" in event.quality_flags
    assert [text["language"] for text in event.body["texts"][:2]] == ["l0", "l1"]


@pytest.mark.parametrize(
    ("spans", "lifecycle"),
    [
        ([], "UNKNOWN"),
        ([{"start": MADE - 7_200}], "UNKNOWN"),
        ([{"end": MADE}], "EXPIRED"),
        ([{"end": MADE + 1}], "UNKNOWN"),
        ([{"end": MADE - 7_200}, {"start": MADE + 60, "end": MADE + 120}], "UNKNOWN"),
        ([{"end": MADE - 7_200}, {"start": MADE - 3_600}], "UNKNOWN"),
        ([{"end": "1795139700"}], "EXPIRED"),
        ([{"end": 0}], "UNKNOWN"),
    ],
)
def test_an_alert_expires_when_its_last_period_has_run_out(spans, lifecycle):
    assert lifecycle == one(active_period=spans).lifecycle


def test_the_period_of_the_impact_goes_before_that_of_the_display():
    event = one(active_period=[{"start": MADE - 60}], impact_period=[{"start": MADE + 3_600}])
    assert event.body["valid_from"] == datetime.fromtimestamp(MADE + 3_600, UTC)


def test_a_deleted_entity_and_a_closed_one_are_ends_of_the_same_subject():
    deleted, closed = read(
        feed({"id": "A", "is_deleted": True}, entity("B", closed_timestamp=MADE - 1))
    )
    assert (deleted.lifecycle, closed.lifecycle) == ("ENDED", "ENDED")
    assert deleted.subject == one().subject


def test_of_an_id_that_stands_twice_the_last_is_taken():
    (event,) = read(feed(entity(effect="DETOUR"), entity(effect="NO_SERVICE")))
    assert event.kind == "transit.no_service"


def test_enumerations_come_by_name_or_number_and_unknown_ones_as_they_are():
    assert "transit.stop_moved" == one(effect=9).kind == one(effect="STOP_MOVED").kind
    assert (one(cause=99).body["record_type"], one(severity_level=9).severity) == ("99", "UNKNOWN")
    assert "transit.alert" == one(effect="UNKNOWN_EFFECT").kind == one().kind


def test_html_beside_a_plain_text_is_left_out_and_read_where_it_stands_alone():
    both = {
        "translation": [
            {"text": "Closed", "language": "en"},
            {"text": "<p>Closed</p>", "language": "en-html"},
            {"text": "<p>Đóng&nbsp;ga</p>", "language": "vi-html"},
        ]
    }
    assert [(text["language"], text["text"]) for text in one(header_text=both).body["texts"]] == [
        ("en", "Closed"),
        ("vi", "Đóng ga"),
    ]


def test_contacts_in_prose_are_masked_and_addresses_kept():
    event = one(
        description_text=translated("Gọi 024 3843 6393"),
        url=translated("https://a.example/0243843"),
    )
    assert [t["text"] for t in event.body["texts"]] == ["Gọi […]", "https://a.example/0243843"]
    assert "contact_masked" in event.quality_flags


def test_trips_and_vehicles_are_no_alerts_and_their_plates_are_not_read():
    outcomes = read((OWN / "alerts.pb").read_bytes())
    assert [Rejection, Event, Event, Nothing] == [type(each) for each in outcomes]
    assert "29B" not in str(outcomes)


def test_an_empty_feed_is_all_clear():
    (outcome,) = read((OWN / "all_clear.pb").read_bytes())
    assert "all clear" in outcome.why
    assert "all clear" in read(feed())[0].why


def test_a_feed_that_breaks_off_gives_what_came_before_and_says_so():
    body = (OWN / "alerts.pb").read_bytes()
    outcomes = read(body[: body.index(b"HN-TB-0460") + 40])
    assert [Rejection, Rejection, Event, Nothing] == [type(each) for each in outcomes]
    assert (outcomes[1].code, outcomes[2].native_id) == ("truncated", "HN-TB-0457")


def test_a_bad_entity_hides_no_other():
    outcomes = read(feed(entity("A"), {"id": "B", "alert": 7}, 7, entity(""), entity("C")))
    assert [Rejection] * 3 + [Event] * 2 == [type(each) for each in outcomes]
    assert [each.path for each in outcomes[:3]] == ["entity[1]/alert", "entity[2]", "entity[3]/id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"<html>login</html>", "not-gtfs-rt"),
        (b"quota exceeded", "not-gtfs-rt"),
        (b"{}", "missing-field"),
        (b"\x12\x02\x0a\x00", "not-gtfs-rt"),
        (b"\x0a\x05\x0a\x03", "truncated"),
        (b"\x0a\x05\x0a\x03\xff\xff\xff", "encoding"),
    ],
)
def test_what_is_no_feed_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        read(body)
    assert code == refused.value.code
