"""Open311: ids, duplicates, times, errors, and no reporter beyond raw."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors._formats.contacts import MASK, without_contacts
from connectors._formats.json import parse_json
from connectors._formats.leading_zeros import parse_with_zeros
from connectors.open311 import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/open311"
SHARED = ROOT.parent / "shared/samples/alert/open311"
AT = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
ROW = {
    "service_request_id": "7",
    "status": "open",
    "service_code": "A",
    "requested_datetime": "2026-11-20T08:00:00+07:00",
    "updated_datetime": "2026-11-20T08:10:00+07:00",
}


def outcomes(body, received_at=AT, **options):
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return list(parse(Payload(body=body, received_at=received_at), Options(**options)))


def event_of(row, **options):
    (event,) = outcomes([ROW | row], **options)
    return event


# Ids, status, the time that orders versions (UTC) and flags, read from each file by hand.
SHARED_EVENTS = {
    "chicago_requests.json": [
        ("14-01100669", "UNKNOWN", "2014-07-12T16:08:21+00:00", ("outside_hanoi",)),
        ("14-01100627", "UNKNOWN", "2014-07-12T16:08:20+00:00", ("outside_hanoi",)),
    ],
    "spec_json-service-requests.json": [
        (
            "638344",
            "ENDED",
            "2010-04-14T14:37:38+00:00",
            ("json_repaired", "outside_hanoi", "duplicate_request"),
        ),
        ("638349", "UNKNOWN", "2010-04-19T14:37:38+00:00", ("json_repaired", "outside_hanoi")),
    ],
    "spec_xml-service-requests.xml": [
        ("638344", "ENDED", "2010-04-14T14:37:38+00:00", ("outside_hanoi", "duplicate_request")),
        ("638349", "UNKNOWN", "2010-04-19T14:37:38+00:00", ("outside_hanoi",)),
    ],
    "spec_xml-service-list.xml": [],
    "toronto_single.xml": [
        ("101005420892", "UNKNOWN", "2018-07-30T04:01:00+00:00", ("outside_hanoi",))
    ],
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_EVENTS)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found = outcomes((SHARED / name).read_bytes())
    events = [
        (e.native_id, e.lifecycle, e.observed_at.isoformat(), e.quality_flags)
        for e in found
        if isinstance(e, Event)
    ]
    assert SHARED_EVENTS[name] == events
    assert events or [Nothing(why="a list of services, no request")] == found
    assert set(SHARED_EVENTS) == {f.name for f in SHARED.iterdir()} - {"SOURCES.tsv"}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_specifications_json_and_xml_tell_the_same():
    of_json = outcomes((SHARED / "spec_json-service-requests.json").read_bytes())
    of_xml = outcomes((SHARED / "spec_xml-service-requests.xml").read_bytes())
    assert [event.body for event in of_json] == [event.body for event in of_xml]
    assert of_json[0].body["detail"] == "006"


@pytest.mark.parametrize("id_", [638344, "638344"])
def test_an_id_is_a_text_whatever_it_was(id_):
    event = event_of({"service_request_id": id_}, jurisdiction="hanoi.example")
    assert event.subject == ("hanoi.example", "638344")
    assert event.native_id == "hanoi.example/638344"


@pytest.mark.parametrize("id_", [True, ["7"], {"a": 1}])
def test_an_id_that_is_none_refuses_its_row_alone(id_):
    refused, event = outcomes([ROW | {"service_request_id": id_}, ROW])
    assert (refused.code, refused.path) == ("wrong-type", "[0]/service_request_id")
    assert event.native_id == "7"


@pytest.mark.parametrize(
    "row", [{"token": "9f1c"}, ROW | {"service_request_id": None}, ROW | {"service_request_id": ""}]
)
def test_a_token_or_a_row_without_id_waits_for_its_id(row):
    (found,) = outcomes([row])
    assert "told again" in found.why
    assert "9f1c" not in found.why


@pytest.mark.parametrize(
    "row", [{"service_request_id": 7, "token": "9f1c"}, {"service_request_id": 7, "account_id": 1}]
)
def test_an_answer_to_a_post_is_no_request(row):
    assert "answer to a post" in outcomes([row])[0].why


@pytest.mark.parametrize(
    ("row", "parent"),
    [
        ({"status_notes": "Duplicate request."}, "7"),
        ({"status_notes": "Bị trùng"}, "7"),
        ({"extended_attributes": {"duplicate": "true"}}, "7"),
        ({"extended_attributes": {"duplicate": True, "parent_service_request_id": 5}}, "5"),
        ({"parent_service_request_id": "5"}, "5"),
    ],
)
def test_a_duplicate_is_flagged_and_points_to_what_it_repeats(row, parent):
    event = event_of(row)
    assert event.quality_flags == ("duplicate_request",)
    assert (event.body["situation_ref"], event.body["record_ref"]) == (parent, "7")
    assert event.subject == event_of({}).subject


@pytest.mark.parametrize(
    ("status", "lifecycle", "flags"),
    [
        ("open", "UNKNOWN", ()),
        ("CLOSED", "ENDED", ()),
        ("đang xử lý", "UNKNOWN", ("status_unknown",)),
        (None, "UNKNOWN", ("status_missing",)),
    ],
)
def test_only_closed_ends_a_request(status, lifecycle, flags):
    event = event_of({"status": status})
    assert (event.lifecycle, event.quality_flags) == (lifecycle, flags)


@pytest.mark.parametrize(
    ("requested", "updated", "at", "flags"),
    [
        ("2026-11-20T08:00:00+07:00", "2026-11-20T08:10:00+07:00", "01:10:00", ()),
        ("2026-11-20T08:00:00+07:00", "", "01:00:00", ()),
        ("2026-11-20T08:00:00+07:00", "hôm nay", "01:00:00", ("updated_unreadable",)),
        (
            "2026-11-20T08:00:00+07:00",
            "2026-11-20T07:59:58+07:00",
            "01:00:00",
            ("updated_before_requested",),
        ),
        ("", "2026-11-20T08:10:00+07:00", "01:10:00", ()),
    ],
)
def test_the_later_of_request_and_update_orders_versions(requested, updated, at, flags):
    event = event_of({"requested_datetime": requested, "updated_datetime": updated})
    assert datetime.fromisoformat(f"2026-11-20T{at}+00:00") == event.version_at
    assert event.quality_flags == flags


def test_a_local_time_labelled_utc_lies_in_the_future_and_is_suspect():
    event = event_of({"updated_datetime": "2026-11-20T08:10:00Z"})
    assert (event.time_quality, event.quality_flags) == ("SUSPECT", ("clock_suspect",))


def test_a_request_open_for_years_has_a_right_clock():
    event = event_of({"requested_datetime": "2014-07-12T10:58:43-05:00", "updated_datetime": ""})
    assert (event.time_quality, event.quality_flags) == ("DEVICE", ())


def test_content_that_changed_without_its_time_is_another_event():
    assert "body.texts" in connector.identity["situation"]
    one, other = event_of({}), event_of({"status_notes": "Đã giao việc"})
    assert (one.version_at, one.body == other.body) == (other.version_at, False)


def test_no_reporter_goes_beyond_raw():
    persons = {
        "first_name": "Bịa",
        "last_name": "Nguyễn",
        "email": "bia@thu.example",
        "phone": "0910000000",
        "account_id": "acc-77",
        "device_id": "dev-77",
        "media_url": "https://a.example/bia.jpg ",
        "description": "Gọi anh Bịa",
        "status_notes": "Đã gọi 0910 000 000",
    }
    event = event_of(persons)
    told = str(event)
    hidden = ("Bịa", "Nguyễn", "bia@", "0910", "acc-77", "dev-77", "bia.jpg")
    assert not [word for word in hidden if word in told]
    assert event.quality_flags == ("free_text_withheld", "contact_masked")


def test_what_reporters_wrote_is_carried_where_the_site_asks_for_it():
    event = event_of({"description": "Cống tắc, gọi 024.0000.0000"}, free_text=True)
    assert [text["text"] for text in event.body["texts"]] == [f"Cống tắc, gọi {MASK}"]
    assert event.quality_flags == ("contact_masked",)


def test_a_text_of_megabytes_is_cut():
    event = event_of({"status_notes": "a b " * 500_000})
    assert len(event.body["texts"][0]["text"]) == 8_000
    assert event.quality_flags == ("text_cut",)


@pytest.mark.parametrize(
    ("lat", "long", "flags"),
    [
        ("21.03", "105.85", ()),
        (105.85, 21.03, ("axes_swapped_suspect",)),
        (0, 0, ("coordinates_invalid",)),
        ("", "", ()),
        (2326366.3, 588383.9, ("coordinates_projected",)),
    ],
)
def test_positions_are_checked_before_they_are_believed(lat, long, flags):
    event = event_of({"lat": lat, "long": long})
    assert (event.quality_flags, len(event.body["points"])) == (flags, 0 if flags or not lat else 1)


@pytest.mark.parametrize(
    "body",
    [
        [{"code": 403, "description": "Missing key"}],
        {"errors": [{"code": "403", "description": "Missing key"}]},
        "<errors><error><code>403</code><description>Missing key</description></error></errors>",
    ],
)
def test_an_error_document_is_no_empty_list(body):
    (refused,) = outcomes(body)
    assert (refused.code, "403" in refused.message) == ("source-error", True)


@pytest.mark.parametrize("body", ["[]", '{"service_requests": []}', "<service_requests/>"])
def test_an_empty_list_is_nothing(body):
    assert outcomes(body) == [Nothing(why="a list without requests")]


@pytest.mark.parametrize(
    ("body", "code"),
    [("<html/>", "not-open311"), ('["x"]', "wrong-type"), ("[[]]", "wrong-type")],
)
def test_another_document_is_refused(body, code):
    (refused,) = outcomes(body)
    assert isinstance(refused, Rejection)
    assert refused.code == code


def test_services_on_offer_are_no_requests():
    assert "service" in outcomes([{"service_code": "001", "type": "realtime"}])[0].why


def test_kinds_come_from_the_sites_codes():
    assert event_of({}, kinds={"A": "order.litter"}).kind == "order.litter"
    assert event_of({}).kind == "city.request"
    with pytest.raises(ValidationError, match=r"order\.litter"):
        Options(kinds={"A": "Order Litter"})


# The shared readers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gọi 0910 000 000 nhé", f"gọi {MASK} nhé"),
        ("gọi +84 (0)910-000-000", f"gọi {MASK}"),
        ("+84910000000", MASK),
        ("Call (202) 555-0199", f"Call {MASK}"),
        ("thư: an.bia@thu.example.", f"thư: {MASK}."),
        ("từ 05.12.2026 14:30 đến 08:00", "từ 05.12.2026 14:30 đến 08:00"),
        ("số 12 ngõ 034, mã 00199", "số 12 ngõ 034, mã 00199"),
        ("2026-11-20 14:05:00", "2026-11-20 14:05:00"),
    ],
)
def test_contacts_are_masked_and_other_numbers_stay(text, expected):
    assert without_contacts(text) == (expected, MASK in expected)


@given(st.text(max_size=60))
def test_masking_twice_changes_nothing(text):
    once, _ = without_contacts(text)
    assert without_contacts(once)[0] == once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(JSON)
def test_json_that_is_right_is_not_touched(value):
    body = json.dumps(value).encode()
    assert parse_with_zeros(body) == (parse_json(body), False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":006}', {"a": "006"}),
        ('{"a": [-07, 0, 10, 0.5]}', {"a": ["-07", 0, 10, 0.5]}),
        (r'{"a": "x:006 \" 007", "b":00}', {"a": 'x:006 " 007', "b": "00"}),
    ],
)
def test_numbers_that_begin_with_zero_become_texts(text, expected):
    assert parse_with_zeros(text.encode())[0] == expected


@pytest.mark.parametrize("text", ["{", '{"a":006', '{"a" 006}', "[00.5]"])
def test_what_is_broken_otherwise_stays_refused(text):
    with pytest.raises(PayloadError) as error:
        parse_with_zeros(text.encode())
    assert error.value.code == "malformed"
