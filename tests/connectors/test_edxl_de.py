"""EDXL-DE: an envelope's status and type, and the alerts' own."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.cap import parse as parse_cap
from connectors.edxl_de import connector, parse
from hub.connector import Event, Nothing, Options, Payload, Rejection

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/edxl_de"
SHARED = ROOT.parent / "shared/samples/alert/edxl_de/bushfire_valid.xml"
AT = datetime(2026, 11, 20, 3, 1, tzinfo=UTC)
ALERT = (
    "<alert><identifier>A-1</identifier><sender>s@hanoi.example</sender>"
    "<sent>2026-11-20T09:00:00+07:00</sent><status>{}</status><msgType>{}</msgType>"
    "<scope>Public</scope></alert>"
)


def outcomes(body, by=parse):
    body = body if isinstance(body, bytes) else body.encode()
    return list(by(Payload(body=body, received_at=AT), Options()))


def embedded(content):
    inner = f"<embeddedXMLContent>{content}</embeddedXMLContent>"
    return f"<contentObject><xmlContent>{inner}</xmlContent></contentObject>"


def distribution(*objects, **more):
    fields = {
        "distributionID": "D-1",
        "senderID": "s@hanoi.example",
        "dateTimeSent": "2026-11-20T09:05:00+07:00",
        "distributionStatus": "Actual",
        "distributionType": "Report",
    } | more
    texts = "".join(f"<{k}>{v}</{k}>" for k, v in fields.items() if v is not None)
    return f"<EDXLDistribution>{texts}{''.join(objects)}</EDXLDistribution>"


def alert(status="Actual", kind="Alert"):
    return embedded(ALERT.format(status, kind))


def event_of(*objects, **more):
    (event,) = outcomes(distribution(*objects, **more))
    return event


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_report_fans_out_to_its_seven_alerts():
    found = outcomes(SHARED.read_bytes())
    prefix = "tag:www.rfs.nsw.gov.au2011-10-18:"
    numbers = (40500, 40444, 40394, 40428, 40484, 40487, 40435)
    assert [f"{prefix}{number}" for number in numbers] == [event.native_id for event in found]
    assert [event.severity for event in found] == ["MINOR", *["MODERATE"] * 6]
    assert {event.status for event in found} == {"LIVE"}
    assert {event.kind for event in found} == {"alert.fire"}
    assert {event.published_at for event in found} == {datetime(2011, 10, 17, 11, 18, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("envelope", "own", "expected"),
    [
        ("Actual", "Actual", "LIVE"),
        ("Test", "Actual", "TEST"),
        ("Exercise", "Actual", "EXERCISE"),
        ("System", "Actual", "SYSTEM"),
        ("Actual", "Exercise", "EXERCISE"),
        ("Test", "Exercise", "EXERCISE"),
        ("Thật", "Actual", "UNKNOWN"),
        ("Thật", "Test", "TEST"),
        (None, "Actual", "LIVE"),
        (None, "Test", "TEST"),
    ],
)
def test_an_alert_is_live_only_where_envelope_and_alert_say_so(envelope, own, expected):
    assert event_of(alert(own), distributionStatus=envelope).status == expected


def test_a_rehearsal_shares_no_subject_with_the_real_alert_and_its_chain():
    chain = "<references>s,A-0,2026-11-20T08:00:00+07:00</references></alert>"
    cancel = ALERT.format("Actual", "Cancel").replace("</alert>", chain)
    real = event_of(embedded(cancel))
    rehearsed = event_of(embedded(cancel), distributionStatus="Exercise")
    assert (real.subject, rehearsed.subject) == (("A-1",), ("A-1", "EXERCISE"))
    told = [event.body["references"][0]["subject"] for event in (real, rehearsed)]
    assert told == [("A-0",), ("A-0", "EXERCISE")]


@pytest.mark.parametrize("kind", ["Report", "Update", "Request", "Response", "Dispatch"])
@pytest.mark.parametrize(("own", "expected"), [("Alert", "NEW"), ("Cancel", "CANCELLED")])
def test_the_type_of_the_envelope_says_nothing_of_its_alerts(kind, own, expected):
    assert event_of(alert(kind=own), distributionType=kind).lifecycle == expected


def test_a_cancel_withdraws_the_alerts_it_holds():
    event = event_of(alert(), distributionType="Cancel")
    assert (event.lifecycle, event.body["message_type"]) == ("CANCELLED", "ALERT")
    assert event.quality_flags == ("cancelled_by_envelope",)
    assert event.subject == event_of(alert()).subject


def test_a_cancel_without_content_is_refused_as_nobody_knows_what_it_withdraws():
    (refused,) = outcomes(distribution(distributionType="Cancel", distributionReference="D-0,s,t"))
    assert (refused.code, "D-0" in refused.message) == ("cancel-without-alerts", True)


@pytest.mark.parametrize("kind", ["Ack", "Error"])
def test_protocol_traffic_is_no_alert(kind):
    assert isinstance(event_of(alert(), distributionType=kind), Nothing)


def test_one_broken_alert_costs_only_itself():
    found = outcomes((OWN / "report_bach_mai.xml").read_bytes())
    assert [type(each) for each in found] == [Event, Rejection, Nothing, Event, Event]
    assert found[1].path == "EDXLDistribution/contentObject[1]/alert/scope"


def test_an_excerpt_in_key_xml_content_is_not_a_second_alert():
    found = outcomes((OWN / "report_bach_mai.xml").read_bytes())
    assert [e.native_id for e in found if isinstance(e, Event)].count("HN114-A1") == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (base64.b64encode(ALERT.format("Actual", "Alert").encode()).decode(), Event),
        (base64.b64encode(b"<EDXLHaveReport/>").decode(), Nothing),
        (base64.b64encode(b"<alert>").decode(), Rejection),
        ("%%%", Rejection),
        ("", Nothing),
    ],
)
def test_an_alert_in_base64_is_read(data, expected):
    content = f"<mimeType>application/cap+xml</mimeType><contentData>{data}</contentData>"
    body = f"<contentObject><nonXMLContent>{content}</nonXMLContent></contentObject>"
    assert isinstance(event_of(body), expected)


@pytest.mark.parametrize("body", [embedded("<EDXLHaveReport/>"), embedded(""), "<contentObject/>"])
def test_content_without_an_alert_is_nothing(body):
    assert isinstance(event_of(body), Nothing)


def test_an_empty_distribution_is_nothing_and_another_document_is_refused():
    assert isinstance(event_of(), Nothing)
    (refused,) = outcomes("<alert/>")
    assert refused.code == "not-edxl"


@pytest.mark.parametrize("name", ["distributionID", "senderID", "dateTimeSent"])
def test_a_gap_in_the_envelope_costs_no_alert(name):
    assert event_of(alert(), **{name: None}).quality_flags == ("envelope_incomplete",)


def test_the_sender_of_the_envelope_never_leaves_it():
    assert "le.van.bia" not in str(outcomes((OWN / "report_bach_mai.xml").read_bytes()))


def test_an_alert_passed_on_is_the_alert_its_sender_published():
    (direct,) = outcomes(ALERT.format("Actual", "Alert"), parse_cap)
    passed_on = event_of(alert())
    assert (direct.subject, direct.body) == (passed_on.subject, passed_on.body)
    assert connector.identity["alert"][0] == "body.identifier"
