# more than 400 lines: every trap of one format, in one place
"""CAP: chains, ends, languages, missing elements, and hostile bytes."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
from fastavro.validation import validate
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cap import connector, parse
from hub.connector import Area, Event, Nothing, Options, Payload, Position, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/cap"
SHARED = ROOT.parent / "shared/samples/alert/cap"
AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def _schema():
    named: dict = {}
    files = [ROOT / f"schemas/avro/{name}.avsc" for name in ("header", "alert")]
    return [fastavro.parse_schema(json.loads(file.read_text()), named) for file in files][-1]


SCHEMA = _schema()


def outcomes(body, received_at=AT, options=None):
    body = body if isinstance(body, bytes) else body.encode()
    found = list(parse(Payload(body=body, received_at=received_at), options or Options()))
    for event in found:
        if isinstance(event, Event):
            references = [
                {key: value for key, value in reference.items() if key != "subject"}
                | {"subject_id": bytes(16)}
                for reference in event.body["references"]
            ]
            assert validate({**event.body, "references": references}, SCHEMA)
            assert all(len(r["subject"]) == 1 for r in event.body["references"])
    return found


def event_of(body, received_at=AT, options=None):
    (event,) = outcomes(body, received_at, options)
    return event


def alert(*parts, **elements):
    texts = {
        "identifier": "A-1",
        "sender": "ttcb@hanoi.example",
        "sent": "2026-11-20T14:00:00+07:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
    } | elements
    fields = "".join(f"<{k}>{v}</{k}>" for k, v in texts.items() if v is not None)
    return f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{fields}{"".join(parts)}</alert>'


def info(*parts, **elements):
    texts = {"event": "Mưa", "urgency": "Expected", "severity": "Minor", "certainty": "Likely"}
    fields = "".join(f"<{k}>{v}</{k}>" for k, v in (texts | elements).items())
    return f"<info>{fields}{''.join(parts)}</info>"


def area(*parts):
    return f"<area><areaDesc>Phường Láng</areaDesc>{''.join(parts)}</area>"


@pytest.mark.parametrize("name", ["identifier", "sender", "sent", "status", "msgType", "scope"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_mandatory_element_is_named(name, value):
    (rejection,) = outcomes(alert(**{name: value}))
    assert (rejection.code, rejection.path) == ("missing-field", f"alert/{name}")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("status", "Real", "unknown-value"),
        ("msgType", "Replace", "unknown-value"),
        ("sent", "yesterday", "bad-time"),
    ],
)
def test_a_word_nobody_defined_is_refused(name, value, code):
    (rejection,) = outcomes(alert(**{name: value}))
    assert (rejection.code, rejection.path) == (code, f"alert/{name}")


@pytest.mark.parametrize("word", ["Ack", "Error"])
def test_protocol_traffic_is_no_alert(word):
    assert isinstance(outcomes(alert(msgType=word))[0], Nothing)


@pytest.mark.parametrize(
    "body", ["<services/>", "<html><body/></html>", "{}", '{"error": "no key"}']
)
def test_another_document_is_refused_as_such(body):
    assert outcomes(body)[0].code == "not-cap"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Actual", "LIVE"),
        ("Exercise", "EXERCISE"),
        ("System", "SYSTEM"),
        ("Test", "TEST"),
        ("Draft", "TEST"),
        ("actual", "LIVE"),
    ],
)
def test_status_keeps_tests_from_live_readers(status, expected):
    assert event_of(alert(status=status)).status == expected


@pytest.mark.parametrize(
    ("kind", "urgency", "response", "expires", "expected"),
    [
        ("Alert", "Expected", "Prepare", "2026-11-20T20:00:00+07:00", "NEW"),
        ("Update", "Expected", "Prepare", "2026-11-20T20:00:00+07:00", "UPDATED"),
        ("Cancel", "Past", "AllClear", "2026-11-20T10:00:00+07:00", "CANCELLED"),
        ("Update", "Past", "AllClear", "2026-11-20T10:00:00+07:00", "ENDED"),
        ("Alert", "Past", "Monitor", "2026-11-20T20:00:00+07:00", "NEW"),
        ("Alert", "Expected", "Prepare", "2026-11-20T14:59:59+07:00", "EXPIRED"),
        ("Update", "Expected", "Prepare", "2026-11-20T07:59:59Z", "EXPIRED"),
        ("Update", "Expected", "Prepare", "", "UPDATED"),
    ],
)
def test_the_lifecycle_follows_the_message_and_its_blocks(
    kind, urgency, response, expires, expected
):
    block = info(urgency=urgency, responseType=response, expires=expires)
    assert event_of(alert(block, msgType=kind)).lifecycle == expected


def test_one_block_that_still_holds_keeps_the_alert_from_expiring():
    blocks = [info(expires=f"2026-11-20T{hour}:00:00Z") for hour in ("05", "18")]
    assert event_of(alert(*blocks)).lifecycle == "NEW"


def test_an_alert_without_blocks_is_legal():
    event = event_of(alert())
    assert (event.kind, event.severity, event.lifecycle) == ("alert", "UNKNOWN", "NEW")
    assert event.body["infos"] == []


def test_the_gravest_block_gives_the_severity_and_the_first_category_the_kind():
    blocks = [
        info("<category>Met</category><category>Geo</category>", severity="Moderate"),
        info("<category>Fire</category>", severity="Extreme"),
        info(severity="Unknown"),
    ]
    event = event_of(alert(*blocks))
    assert (event.severity, event.kind) == ("EXTREME", "alert.met")
    assert event.body["infos"][0]["categories"] == ["Met", "Geo"]


def test_the_language_of_a_block_without_one_is_en_us():
    event = event_of(alert(info(), info(language="vi")))
    assert [block["language"] for block in event.body["infos"]] == ["en-US", "vi"]


@pytest.mark.parametrize(
    "sent", ["2026-11-20T07:00:00-00:00", "2026-11-20T07:00:00Z", "2026-11-20T14:00:00"]
)
def test_sent_is_read_in_every_spelling(sent):
    assert event_of(alert(sent=sent)).observed_at == datetime(2026, 11, 20, 7, tzinfo=UTC)


def test_an_alert_of_last_week_is_old_but_its_clock_is_right():
    event = event_of(alert(sent="2026-11-13T07:00:00Z"))
    assert (event.time_quality, event.quality_flags) == ("DEVICE", ())
    assert event_of(alert(sent="2026-11-20T15:10:00+07:00")).time_quality == "SUSPECT"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s,i,2026-01-01T00:00:00Z", [("s", "i", "2026-01-01T00:00:00Z")]),
        (
            "s,i,2026-01-01T00:00:00+07:00\n  t,j,2026-01-02T00:00:00-00:00 ",
            [("s", "i", "2026-01-01T00:00:00+07:00"), ("t", "j", "2026-01-02T00:00:00-00:00")],
        ),
        ("s,i, no 2, late,2026-01-01T00:00:00Z", [("s", "i, no 2, late", "2026-01-01T00:00:00Z")]),
        ("một phòng,số 7,2026-01-01T00:00:00Z", [("một phòng", "số 7", "2026-01-01T00:00:00Z")]),
        ("", []),
        (" , ", []),
    ],
)
def test_references_are_triples_parted_by_blanks(text, expected):
    references = event_of(alert(references=text)).body["references"]
    assert [(r["sender"], r["identifier"], r["sent"]) for r in references] == expected
    assert [r["subject"] for r in references] == [(identifier,) for _, identifier, _ in expected]


def test_references_without_a_time_are_taken_with_a_flag():
    event = event_of(alert(references="s,i,2026-01-01T00:00:00Z A-0 t,B-0,"))
    found = [(r["sender"], r["identifier"]) for r in event.body["references"]]
    assert found == [("s", "i"), ("", "A-0"), ("t", "B-0")]
    assert event.quality_flags == ("references_incomplete",)


def test_a_misspelt_references_element_is_read_with_a_flag():
    event = event_of(alert(reference="s,i,2026-01-01T00:00:00Z"))
    assert event.body["references"][0]["identifier"] == "i"
    assert event.quality_flags == ("references_misspelt",)


@pytest.mark.parametrize("sender", ["ttcb@hanoi.example", "PAAQ", ""])
@pytest.mark.parametrize("sent", ["2026-11-20T14:00:00+07:00", "2026-11-20T07:00:01Z"])
def test_a_reference_that_names_another_sender_or_second_still_finds_its_alert(sender, sent):
    chain = event_of(alert(identifier="A-2", msgType="Cancel", references=f"{sender},A-1,{sent}"))
    assert [each["subject"] for each in chain.body["references"]] == [event_of(alert()).subject]
    assert chain.quality_flags == ()


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
@pytest.mark.parametrize("references", ["", "  \n ", None])
def test_an_update_or_cancel_with_empty_references_says_that_nobody_knows_what_of(kind, references):
    event = event_of(alert(msgType=kind, references=references))
    assert event.body["references"] == []
    assert event.quality_flags == ("references_missing",)


def test_an_alert_is_judged_as_a_whole_before_it_is_cut():
    first = info(*[area("<circle>21.03,105.85 1</circle>")] * 20_000, severity="Minor")
    last = info(severity="Extreme", headline="Lũ quét", description="x" * 100_000)
    event = event_of(alert(first, last))
    assert (event.severity, event.position.lat) == ("EXTREME", 21.03)
    kept = event.body["infos"]
    assert (kept[1]["headline"], len(kept[1]["description"])) == ("Lũ quét", 100_000)
    assert len(kept[0]["areas"]) > 5_000
    assert event.quality_flags == ("areas_cut",)


def test_the_chain_of_the_samples_matches_by_identifier():
    first, update, cancel = (
        event_of((OWN / name).read_bytes(), datetime(2026, 11, 20, 10, 11, tzinfo=UTC))
        for name in ("1_alert.xml", "2_update.xml", "3_cancel.xml")
    )
    assert [r["subject"] for r in update.body["references"]] == [first.subject]
    assert [r["subject"] for r in cancel.body["references"]] == [first.subject, update.subject]
    assert [e.lifecycle for e in (first, update, cancel)] == ["NEW", "UPDATED", "CANCELLED"]


def test_an_identifier_with_forbidden_letters_is_kept_with_a_flag():
    event = event_of(alert(identifier="Số 7, ngày 20"))
    assert (event.subject, event.quality_flags) == (("Số 7, ngày 20",), ("identifier_illegal",))


def test_the_same_identifier_with_other_content_has_another_identity():
    # The frozen list: changing it gives every alert another id.
    assert connector.identity == {
        "alert": (
            "body.identifier",
            "body.sender",
            "body.sent_at",
            "body.message_type",
            "body.scope",
            "body.note",
            "body.references",
            "body.infos",
        )
    }
    one, other = event_of(alert()), event_of(alert(note="Sửa lỗi"))
    assert one.subject == other.subject
    assert one.body != other.body


@pytest.mark.parametrize(
    ("circles", "position", "flags"),
    [
        (["21.03,105.85 1.5"], Position(lat=21.03, lon=105.85, accuracy_m=1500.0), ()),
        (["21.03,105.85 2", "21.03,105.85 2"], Position(lat=21.03, lon=105.85, accuracy_m=2e3), ()),
        (["21.03,105.85 1", "21.04,105.85 1"], None, ()),
        (["21.03,105.85"], None, ("circle_invalid",)),
        (["21.03,105.85 -1"], None, ("circle_invalid",)),
        (["21.03,105.85 nan"], None, ("circle_invalid",)),
        (["105.85,21.03 1"], None, ("axes_swapped_suspect",)),
        ([], None, ()),
    ],
)
def test_only_a_single_circle_gives_a_position(circles, position, flags):
    areas = [area(f"<circle>{circle}</circle>") for circle in circles]
    event = event_of(alert(info(*areas)))
    assert (event.position, event.quality_flags) == (position, flags)


def test_a_polygon_with_swapped_axes_is_kept_and_flagged():
    outline = "105.8,21.0 105.9,21.0\n105.9,21.1 105.8,21.0"
    event = event_of(alert(info(area(f"<polygon>{outline}</polygon>"))))
    assert event.body["infos"][0]["areas"][0]["polygons"] == [outline.replace("\n", " ")]
    assert event.quality_flags == ("axes_swapped_suspect",)


def test_areas_are_reported_once_with_their_codes_or_their_words():
    code = "<geocode><valueName>{}</valueName><value>{}</value></geocode>"
    blocks = [
        info(area(code.format("nso-2025-07", "00118"), code.format("", "00119"))),
        info(area(code.format("nso-2025-07", "00118")), area()),
    ]
    event = event_of(alert(*blocks), options=Options(area_scheme="nso-2024"))
    assert event.areas_reported == (
        Area(scheme="nso-2025-07", code="00118", name="Phường Láng"),
        Area(scheme="nso-2024", code="00119", name="Phường Láng"),
        Area(scheme="", code="", name="Phường Láng"),
    )


@pytest.mark.parametrize(
    "name", ["Cấp độ rủi ro thiên tai", "CAP_DO_RUI_RO", "Disaster Level", "vn:disasterRiskLevel"]
)
def test_the_national_level_is_found_under_its_names(name):
    parameter = f"<parameter><valueName>{name}</valueName><value>3</value></parameter>"
    assert event_of(alert(info(parameter))).body["national_level"] == "3"
    assert event_of(alert(info())).body["national_level"] == ""


def test_bad_numbers_and_times_in_a_block_cost_only_themselves():
    block = info(
        area("<altitude>high</altitude><ceiling>1e9</ceiling>"),
        area("<altitude>2</altitude>"),
        onset="soon",
    )
    event = event_of(alert(block))
    first, second = event.body["infos"][0]["areas"]
    assert (first["altitude_ft"], first["ceiling_ft"], second["altitude_ft"]) == (None, None, 2.0)
    assert event.quality_flags == ("onset_unreadable", "altitude_invalid", "ceiling_invalid")


def test_named_values_of_cap_1_0_are_one_text():
    event = event_of(alert(info("<parameter>HSAS=ORANGE</parameter><eventCode/>")))
    assert event.body["infos"][0]["parameters"] == [{"name": "HSAS", "value": "ORANGE"}]
    assert event.body["infos"][0]["event_codes"] == []


def test_persons_and_addresses_are_dropped():
    body = alert(info(contact="Bà X, 090"), source="Ông Y", addresses="z@hanoi.example")
    assert not re.search("Bà X|Ông Y|z@hanoi", str(event_of(body)))


def test_texts_are_composed_and_incidents_parted():
    body = alert(info(headline="Mu\u031ba lo\u031b\u0301n"), incidents='a "b c" d')
    event = event_of(body)
    assert event.body["infos"][0]["headline"] == "Mưa lớn"
    assert event.body["incidents"] == ["a", "b c", "d"]


def samples():
    return sorted([*OWN.glob("*.xml"), *SHARED.glob("*.xml")])


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_shared_samples_give_an_event_or_name_the_missing_element():
    found = {file.name: outcomes(file.read_bytes())[0] for file in SHARED.glob("*.xml")}
    assert found.pop("google_invalid.xml").path == "alert/scope"
    assert all(isinstance(event, Event) for event in found.values())
    assert {event.status for name, event in found.items() if "sambro_" in name} == {"TEST", "LIVE"}
    canada = found["google_canada.xml"]
    assert [r["identifier"] for r in canada.body["references"]] == [
        "2.49.0.1.124.a3f342a4.2012",
        "2.49.0.1.124.60f31a3a.2012",
    ]
    assert canada.lifecycle == "ENDED"
    assert found["google_no_optional_fields.xml"].body["infos"] == []
    assert found["sambro_myanmar_flood_bom.xml"].body["infos"][1]["language"] == "my"
    assert found["taiwan_dgpa_closure.xml"].areas_reported[0].scheme == "Taiwan_Geocode_103"


@pytest.mark.parametrize("file", samples(), ids=lambda file: file.name)
def test_broken_bytes_never_raise_anything_but_a_payload_error(file):
    body = file.read_bytes()
    broken = [body[:end] for end in range(0, len(body), 64)]
    broken += [body[:i] + bytes([body[i] ^ 4]) + body[i + 1 :] for i in range(0, len(body), 61)]
    broken += [b"\xef\xbb\xbf" + body, body * 2, body.decode("utf-8-sig").encode("utf-16")]
    for one in broken:
        try:
            outcomes(one)
        except PayloadError as error:
            assert error.code  # noqa: PT017 - the other outcomes are as good


JUNK = st.sampled_from(
    ["", "<x/>", "-1", "1e999", "nan", ",,", "9999-12-31T23:59:59-14:00", "\x85"]
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_value_of_any_kind_anywhere_costs_at_most_its_alert(data):
    text = data.draw(st.sampled_from([f.read_text("utf-8-sig") for f in samples()]))
    spans = [found.span(1) for found in re.finditer(">([^<>]*)<", text)]
    start, end = data.draw(st.sampled_from(spans))
    junk = data.draw(JUNK)
    body = (text[:start] + junk + text[end:]).encode()
    try:
        outcomes(body)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcomes are as good


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<alert>" * 100_000,
        b"<alert>" * 65,
        b"ab" * 500_000,
        b"<alert>" + b"," * 1_000_000,
        b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///dev/null">]><alert>&x;</alert>',
    ],
)
def test_hostile_bytes_are_a_payload_error(body):
    with pytest.raises(PayloadError):
        outcomes(body)


def test_a_megabyte_of_commas_is_no_reference():
    event = event_of(alert(references="," * 1_000_000))
    assert event.body["references"] == []
    assert isinstance(outcomes(alert(identifier="x" * 1_000_000))[0], Event | Rejection)


def test_the_connector_says_what_it_emits():
    assert (connector.name, connector.emits, connector.lane) == ("cap", ("alert",), "urgent")
