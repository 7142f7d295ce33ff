"""`tmdd` against stored full event updates; each trap of the field has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.tmdd import parse
from hub import Event, Nothing, Options, Payload, PayloadError, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "samples" / "tmdd"
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "tmdd"
NAD27 = "<horizontal-datum>nad27</horizontal-datum>"
NOW = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)


def read(body, received_at=NOW, **options):
    body = body if isinstance(body, bytes) else body.encode()
    return list(parse(Payload(body=body, received_at=received_at), Options(**options)))


def at(date="20261120", time="082000", offset="+0700"):
    zone = f"<offset>{offset}</offset>" if offset else ""
    return f"<date>{date}</date><time>{time}</time>{zone}"


def feu(detail="", indicators="", *, id_="7", update="1", updated=None, head=""):
    elements = f"<event-element-detail>{detail}</event-element-detail>" if detail else ""
    return (
        f"<FEU><message-header><organization-sending><organization-id>HN</organization-id>{head}"
        f"</organization-sending></message-header><event-reference><event-id>{id_}</event-id>"
        f"<event-update>{update}</event-update><update-time>{updated or at()}</update-time>"
        f"</event-reference><event-indicators><event-indicator>{indicators}</event-indicator>"
        f"</event-indicators><event-element-details>{elements}</event-element-details></FEU>"
    )


def one(*args, options=None, **kwargs):
    (outcome,) = read(f"<fEUMsg>{feu(*args, **kwargs)}</fEUMsg>", **(options or {}))
    return outcome


def place(lat, lon, more=""):
    geo = f"<geo-location><latitude>{lat}</latitude><longitude>{lon}</longitude>{more}"
    return (
        f"<event-locations><event-location>{geo}</geo-location></event-location></event-locations>"
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
def test_the_shared_document_gives_what_its_oracle_says():
    (oracle,) = json.loads((SHARED / "feu_2_expected_open511.json").read_text())["events"]
    (event,) = read((SHARED / "feu_2.xml").read_bytes(), datetime(2010, 4, 21, 13, 28, tzinfo=UTC))
    (road,) = oracle["roads"]
    texts = {text["role"]: text["text"] for text in event.body["texts"]}
    lon, lat = oracle["geography"]["coordinates"]
    assert event.version_at == datetime.fromisoformat(oracle["updated"])
    assert (texts["headline"], texts["description"]) == (oracle["headline"], oracle["description"])
    assert (event.position.lat, event.position.lon) == (lat, lon)
    assert (event.body["road"], event.body["direction"].upper()) == (
        road["name"],
        road["direction"],
    )
    assert texts["location"] == f"{road['from']} - {road['to']}"
    assert (event.kind, event.body["detail"], event.severity) == (
        "road.incident",
        "accident",
        "SEVERE",
    )
    # The oracle leaves the offset of its intervals out.
    assert event.body["valid_from"] == datetime(2010, 4, 21, 13, tzinfo=UTC)
    assert event.body["valid_to"] == datetime(2010, 4, 21, 14, 20, tzinfo=UTC)
    assert event.subject == ("Orgid", "", "91", "")
    assert (event.native_version, event.lifecycle) == ("2", "UNKNOWN")
    assert event.body["lanes"] == ["w 5,4 of 5"]
    assert "test_suspected" in event.quality_flags


@pytest.mark.parametrize(
    ("date", "time", "offset", "expected"),
    [
        ("20261120", "0820150000", "+0700", datetime(2026, 11, 20, 1, 20, 15, tzinfo=UTC)),
        ("20261120", "082015250", "+0700", datetime(2026, 11, 20, 1, 20, 15, 250_000, tzinfo=UTC)),
        ("20261120", "082015", "-0700", datetime(2026, 11, 20, 15, 20, 15, tzinfo=UTC)),
        ("20261120", "0820", "+0700", datetime(2026, 11, 20, 1, 20, tzinfo=UTC)),
        ("2026-11-20", "082015", "", datetime(2026, 11, 20, 1, 20, 15, tzinfo=UTC)),
    ],
)
def test_date_time_and_offset_are_three_elements(date, time, offset, expected):
    assert one(updated=at(date, time, offset)).version_at == expected


@pytest.mark.parametrize(
    ("date", "time", "flag"), [("", "", "time_missing"), ("20261320", "0820", "time_unreadable")]
)
def test_a_time_without_text_is_not_known_and_a_wrong_one_flagged(date, time, flag):
    event = one(updated=at(date, time))
    assert (event.version_at, event.quality_flags) == (None, (flag,))


@pytest.mark.parametrize(
    ("lat", "lon", "more", "expected", "flags"),
    [
        ("21027800", "105834200", "", (21.0278, 105.8342), ()),
        ("21.0278", "105.8342", "", (21.0278, 105.8342), ("degrees_not_micro",)),
        ("105834200", "21027800", "", None, ("axes_swapped_suspect",)),
        ("0", "0", "", None, ("coordinates_invalid",)),
        ("x", "105834200", "", None, ("coordinates_invalid",)),
        ("", "", "", None, ()),
        ("21027800", "105834200", NAD27, None, ("datum_unknown",)),
    ],
)  # fmt: skip
def test_positions_are_microdegrees(lat, lon, more, expected, flags):
    event = one(place(lat, lon, more))
    found = event.position and (event.position.lat, event.position.lon)
    assert (found, event.quality_flags) == (expected, flags)


@pytest.mark.parametrize(
    ("indicators", "expected"),
    [
        ("", "UNKNOWN"),
        ("<active-flag>yes</active-flag>", "UNKNOWN"),
        ("<active-flag>no</active-flag>", "ENDED"),
        ("<active-flag>2</active-flag>", "ENDED"),
        ("<status>Cleared</status>", "ENDED"),
        ("<status>false alarm</status><active-flag>no</active-flag>", "CANCELLED"),
        ("<status>confirmed</status>", "UNKNOWN"),
    ],
)
def test_the_end_stands_in_a_flag_or_in_a_status(indicators, expected):
    assert one(indicators=indicators).lifecycle == expected


def test_what_an_event_is_may_stand_in_one_indicator_each():
    indicators = "<status>confirmed</status></event-indicator><event-indicator>"
    event = one(indicators=f"{indicators}<severity>natural-disaster</severity>")
    assert (event.body["validity_status"], event.severity) == ("confirmed", "EXTREME")


def test_an_expected_end_ends_nothing_and_a_valid_period_expires():
    past = at(time="080000")
    expected = f"<event-times><expected-end-time>{past}</expected-end-time></event-times>"
    assert one(expected).lifecycle == "UNKNOWN"
    end = f"<valid-period><expected-end-time>{past}</expected-end-time></valid-period>"
    valid = f"<event-times>{end}</event-times>"
    assert one(valid).lifecycle == "EXPIRED"


def test_an_event_that_stands_twice_is_folded_to_the_newest_as_a_number():
    copies = "".join(feu(update=update) for update in ("9", "61", "10"))
    (event,) = read(f"<fEUMsg>{copies}</fEUMsg>")
    assert event.native_version == "61"
    late = feu(update="2", updated=at(time="082100")) + feu(update="70")
    assert read(f"<fEUMsg>{late}</fEUMsg>")[0].native_version == "2"


def test_elements_of_an_event_are_records_of_their_own():
    between = "</event-element-detail><event-element-detail>"
    more = f"<event-name>A</event-name>{between}<event-name>B</event-name>"
    events = read(f"<fEUMsg>{feu(more)}</fEUMsg>")
    assert [event.body["record_ref"] for event in events] == ["7/0", "7/1"]
    assert {event.body["situation_ref"] for event in events} == {"7"}


def test_the_same_id_of_another_organisation_or_centre_is_another_event():
    centre = "<center-contact-details><center-id>2</center-id></center-contact-details>"
    centre = f"<center-contact-list>{centre}</center-contact-list>"
    assert one(head=centre).subject == ("HN", "2", "7", "")
    assert one().subject == ("HN", "", "7", "")


def test_credentials_and_contacts_are_never_read():
    texts = str(read((OWN / "wrapped_test.xml").read_bytes()))
    texts += str(read((OWN / "feu_soap.xml").read_bytes()))
    assert not [word for word in ("never-read", "Nguyễn Văn Mẫu", "0900 000 000") if word in texts]


def test_a_bad_event_hides_no_other():
    outcomes = read(f"<fEUMsg>{feu()}{feu(id_='')}{feu(id_='8')}</fEUMsg>")
    assert [type(each) for each in outcomes] == [Rejection, Event, Event]
    assert outcomes[0].path == "fEUMsg/FEU[1]/event-reference/event-id"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<fEUMsg/>", "all clear"),
        ("<Envelope><Body><fEUMsg/></Body></Envelope>", "all clear"),
        ("<Envelope><Body><eventRequestMsg/></Body></Envelope>", "eventRequestMsg"),
        ("<dMSStatusMsg/>", "dMSStatusMsg"),
    ],
)
def test_a_message_without_events_is_none(body, why):
    (outcome,) = read(body)
    assert isinstance(outcome, Nothing)
    assert why in outcome.why


def test_a_fault_and_another_document_are_refused():
    fault = (
        "<Envelope><Body><Fault><faultstring>no such user</faultstring></Fault></Body></Envelope>"
    )
    assert read(fault)[0].code == "soap-fault"
    with pytest.raises(PayloadError) as refused:
        read("<html><body>login</body></html>")
    assert refused.value.code == "not-tmdd"
