"""`hub explain`: how ids are written, why rules do not match, and what is printed."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from hub.breaker import SET_ASIDE
from hub.cli import main
from hub.cli.explain import digest_of, id_of
from hub.codec import micros
from hub.errors import ConfigError
from hub.explain.difference import as_old, differing
from hub.explain.model import (
    Check,
    Decision,
    Explanation,
    Letter,
    Parse,
    Payload,
    PayloadWay,
    PlaceStep,
    Searched,
    Spot,
    Subscriber,
    Way,
    as_object,
)
from hub.explain.reasons import Registered, Rule, dropping, place_step, why_not
from hub.explain.text import text
from hub.explain.told import duration
from hub.render import json_line
from streams.place import DeviceRegister

AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
AT_US = micros(AT)
ID = uuid.UUID("5b1f0c9e-3d52-8a41-9c7e-0d4f6a2b8e11")
HEADER = {
    "source_id": "gate-vms",
    "device_ref": "cam-7",
    "kind": "vehicle.passage",
    "lifecycle": "UNKNOWN",
    "status": "LIVE",
    "severity": "INFO",
    "time_quality": "DEVICE",
    "replayed": False,
    "observed_at": AT,
    "received_at": AT + timedelta(milliseconds=150),
}
DEVICE = {
    "device_id": "hn-0007",
    "aliases": [{"source_id": "gate-vms", "device_ref": "cam-7"}],
    "name": "West gate",
    "owner_agency": "csgt",
    "purpose": "traffic",
    "road": "",
    "junction": "",
    "lane": None,
    "lat": None,
    "lon": None,
    "area_scheme": "nso-2025-07",
    "area_code": "00004",
    "area_name": "Ba Đình",
    "legacy_district": "",
}


def test_an_id_is_read_with_dashes_without_them_and_in_capitals():
    assert id_of(str(ID)) == ID.bytes
    assert id_of(ID.hex) == ID.bytes
    assert id_of(str(ID).upper()) == ID.bytes
    assert digest_of("sha256:" + "0a" * 32) == b"\n" * 32


@pytest.mark.parametrize("wrong", ["", "5b1f", "g" * 32, ID.hex + "0", str(ID) + "\n"])
def test_anything_else_is_no_id(wrong):
    with pytest.raises(ConfigError, match="is none"):
        id_of(wrong)
    with pytest.raises(ConfigError, match="is none"):
        digest_of(wrong)


def test_wrong_use_is_exit_code_2_without_asking_any_broker(capsys):
    assert main(["explain"]) == 2
    assert main(["explain", str(ID), "--payload", "00" * 32]) == 2
    assert main(["explain", str(ID), "--around", "yesterday"]) == 2
    assert "--around" in capsys.readouterr().err


def test_only_names_of_fields_tell_two_records_apart():
    one = {"header": {"kind": "a", "areas": [{"code": "1"}]}, "body": {"x": 1.5}}
    other = {"header": {"kind": "b", "areas": [{"code": "2"}]}, "body": {"x": 1.5, "y": None}}
    assert differing(one, other) == ["header.kind", "header.areas[0].code", "body.y"]
    assert differing({"all": [1]}, {"all": [1, 2]}) == ["all"]
    assert differing(one, one) == []


def rule(subscriber, *, from_=AT_US - 1, to=2**62, drop=False, id_="r1", **asks):
    lists = ("nouns", "kinds", "severities", "owners", "purposes", "areas", "recipients")
    given = {"rule_id": id_, "subscriber": subscriber, "drop": drop}
    return Rule({**given, **{name: [] for name in lists}, **asks}, from_, to)


def registered():
    """The register with one device, and when its entry was written."""
    register = DeviceRegister()
    register.put(b"k", DEVICE, AT_US - 10, 2**62)
    entered = {("hn-0007", AT_US - 10): AT - timedelta(days=3)}
    return Registered(register, None, [], entered)


def facts_of(header, noun="plate_read"):
    return place_step(header, noun, registered(), AT_US)[1]


FACTS = facts_of(HEADER)


@pytest.mark.parametrize(
    ("subscriber", "rules", "why"),
    [
        ("police", [], "no rule sends it plate_read"),
        ("police", [rule("htmoc")], "no rule sends it plate_read"),
        ("police", [rule("police", nouns=["alert"])], "no rule sends it plate_read"),
        ("police", [rule("police", from_=AT_US + 1)], "only from 2026-03-01T01:15:00.000001Z"),
        ("police", [rule("police", to=AT_US)], "r1 ended 2026-03-01T01:15:00.000000Z"),
        (
            "police",
            [rule("police", severities=["SEVERE"], owners=["csgt"], areas=["nso-2025-07:00070"])],
            "SEVERE (it has INFO) and areas nso-2025-07:00070 (it has nso-2025-07:00004,",
        ),
        ("police", [rule("police"), rule("", drop=True, id_="night")], "dropped by rule night"),
    ],
)  # fmt: skip
def test_who_did_not_get_an_event_is_told_why(subscriber, rules, why):
    assert why in why_not(subscriber, rules, FACTS, "LIVE", AT_US)


def test_views_and_status_come_before_the_rules():
    health = facts_of(HEADER, "health")
    assert why_not("police", [rule("police")], health, "LIVE", AT_US) == "its view has no health"
    test = facts_of({**HEADER, "status": "TEST"})
    told = why_not("police", [rule("police")], test, "TEST", AT_US)
    assert told == "status TEST is not LIVE: it goes to ops only"


def test_a_noun_without_a_right_is_told_before_the_rules():
    before = micros(datetime(2025, 6, 30, 16, 59, tzinfo=UTC))
    told = why_not("police", [rule("police", from_=0)], FACTS, "LIVE", before)
    assert told == "no right gives it plate_read then"


def test_a_record_of_an_earlier_release_is_compared_by_the_fields_it_has():
    old = {"view": {"id": "htmoc"}, "areas": [{"code": "1"}], "gone": 1}
    new = {"view": {"id": "htmoc", "pseudonym": "x"}, "areas": [{"code": "2", "more": 1}], "top": 1}
    assert differing(old, as_old(old, new)) == ["areas[0].code", "gone"]
    assert as_old([1], [1, {"a": 1}]) == [1, {"a": 1}]


def test_a_rule_that_drops_is_found_when_it_matches():
    drops = rule("", drop=True, kinds=["vehicle.*"], id_="quiet")
    assert [each.record["rule_id"] for each in dropping([drops], FACTS, AT_US)] == ["quiet"]
    assert dropping([drops._replace(to_us=AT_US)], FACTS, AT_US) == []


def test_a_device_is_told_with_its_entry_and_the_time_it_was_entered():
    step, facts = place_step(HEADER, "plate_read", registered(), AT_US)
    assert (step.device_id, step.resolution) == ("hn-0007", "EXACT")
    assert step.entered_at == AT - timedelta(days=3)
    assert facts.wards == ("nso-2025-07:00004",)
    step, facts = place_step({**HEADER, "device_ref": "x"}, "plate_read", registered(), AT_US)
    assert (step.device_id, step.resolution, facts.areas) == ("", "UNREGISTERED", ())


def test_road_and_junction_are_told_with_their_ids_or_why_they_have_none():
    register = DeviceRegister()
    named = {**DEVICE, "road": "Đường Láng", "junction": "A - B (VT7)"}
    register.put(b"k", named, 0, 2**62)
    road = {
        "location_id": "lang", "kind": "ROAD", "name": "Láng", "aliases": [], "roads": [],
        "junction": "", "position_code": "", "areas": [],
    }  # fmt: skip
    register.locations.put(b"lang", road, 0, 2**62)
    step, _ = place_step(HEADER, "plate_read", Registered(register, None, [], {}), AT_US)
    assert (step.road_id, step.junction_id, step.position_code) == ("lang", "", "VT7")
    note = "junction 'A - B (VT7)' is not in the register of places then"
    assert step.notes == [note]
    told = text(Explanation({"id": str(ID)}, ways=[Way(event_id=ID.bytes, place=step)]))
    assert "              road lang, position VT7" in told.splitlines()
    assert f"              {note}" in told.splitlines()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0354, "35 ms"), (4.24, "4.2 s"), (90, "90 s"), (600, "10 min"), (3600, "1 h"),
     (259_200, "72 h"), (604_800, "7 days"), (-2, "-2 s")],
)  # fmt: skip
def test_spans_are_shown_in_the_unit_that_fits(seconds, shown):
    assert duration(seconds) == shown


def way() -> Way:
    """A plate read that police got and HTMOC did not."""
    spot = Spot("raw.hikvision_isapi.v1", 2, 1234)
    return Way(
        event_id=ID.bytes,
        subject_id=ID.bytes,
        noun="plate_read",
        header=HEADER,
        holds=["restricted.plate"],
        spot=Spot("camera.plate_read.v1", 1, 88),
        appended_at=AT + timedelta(milliseconds=250),
        payload=Payload(
            spot,
            "ab" * 32,
            source_id="gate-vms",
            transport="http_push",
            content_type="application/xml",
            payload_id="p-1",
            received_at=HEADER["received_at"],
            appended_at=AT + timedelta(milliseconds=170),
            size_bytes=2310,
            bytes_in="the record",
        ),
        parse=Parse("events", "hikvision_isapi", "1", "2", 0, "a", None, Check("same bytes")),
        decision=Decision("delivered", slot="a", written_at=AT + timedelta(milliseconds=300)),
        place=PlaceStep("cam-7", "hn-0007", "West gate", AT, AT, "EXACT", ["nso-2025-07:00004"]),
        subscribers=[
            Subscriber(
                "police",
                Spot("police.plate_read.v1", 0, 7),
                AT + timedelta(milliseconds=310),
                AT + timedelta(milliseconds=290),
                "a",
                "UPDATED",
                bytes(16),
                [{"id": "plates-police", "valid_from": AT}],
                ["police"],
                reports=3,
                rights=[
                    {
                        "id": "police-plates",
                        "fields": ["restricted.plate"],
                        "valid_from": AT,
                        "valid_to": None,
                        "purpose": "Order",
                        "legal_basis": "Law 36/2024/QH15",
                    }
                ],
                check=Check("same bytes"),
            ),
            Subscriber("htmoc", why="no rule sends it plate_read"),
        ],
    )


def test_an_event_is_told_step_by_step_with_times_and_what_differs():
    event = way()
    told = text(Explanation({"id": str(ID)}, ways=[event]))
    lines = told.splitlines()
    assert lines[0] == f"event {ID}  plate_read vehicle.passage of gate-vms/cam-7"
    for shown in (
        "2026-03-01T01:15:00.150000Z (+150 ms)  received from gate-vms by http_push",
        "application/xml, 2,310 bytes in the record, payload id p-1",
        "(+20 ms)  raw.hikvision_isapi.v1/2 offset 1234",
        "connector hikvision_isapi 1, now 2, place 0 in the payload, by slot a",
        "hn-0007 West gate: EXACT in nso-2025-07:00004",
        "✓ police.plate_read.v1/0 offset 7",
        "as UPDATED of subject 00000000-0000-0000-0000-000000000000 standing for 3 reports",
        "right police-plates (since 2026-03-01T01:15:00.000000Z) gives restricted.plate: Order",
        "on the basis of Law 36/2024/QH15",
        "htmoc       - no rule sends it plate_read",
    ):
        assert shown in told
    assert lines[-1] == "✓ consistent: every step agrees with what the topics hold"
    event.decision.check = Check("DIFFERS", "run again, it is dropped")
    event.problems.append("it is delivered; run again, it is dropped")
    told = text(Explanation({"id": str(ID)}, ways=[event]))
    assert "✗ run again: DIFFERS: run again, it is dropped" in told
    assert told.endswith("✗ it is delivered; run again, it is dropped")


def test_the_events_of_a_subject_are_told_in_short():
    first, second = way(), way()
    second.event_id = bytes(16)
    second.subscribers = []
    second.decision = Decision(
        "superseded", "a newer version of its subject had arrived before",
        {"event_id": ID.bytes, "spot": first.spot, "appended_at": AT},
    )  # fmt: skip
    told = text(Explanation({"id": str(ID)}, ways=[first, second], left_out=4))
    assert told.splitlines()[0] == f"subject {ID}: 2 events, after 4 earlier ones"
    assert "delivered to police as UPDATED" in told
    assert f"by {ID}, camera.plate_read.v1/1 offset 88, 250 ms before" in told


def test_a_payload_is_told_with_its_events_and_dead_letters():
    event = way()
    letter = Letter(
        ID.bytes, "normalise", "malformed", "no well-formed XML", "document[0]", "", AT,
        "hikvision_isapi 1", event.payload.spot, 1, 7, "ab" * 32,
    )  # fmt: skip
    parse = Parse("events", "hikvision_isapi", "1", "1", slot="a", written_at=AT)
    payload = PayloadWay(event.payload, parse, [event], [letter], [1])
    told = text(Explanation({"payload": "ab" * 32}, payloads=[payload]))
    assert "connector hikvision_isapi 1: 1 event and 1 dead letter, by slot a" in told
    assert "places 1 to 7" in told
    assert f"its bytes: hub dead show {ID}" in told
    assert "replay it with `hub dead replay`" in told


def test_a_payload_that_was_set_aside_is_told_as_not_read_yet():
    payload = way().payload
    letter = Letter(
        ID.bytes, "normalise", SET_ASIDE, "it was not read: its source is paused", "", "mend it",
        AT, "hikvision_isapi 1", payload.spot, None, None, "ab" * 32,
    )  # fmt: skip
    parse = Parse("set aside", "hikvision_isapi", "1", "2", slot="a", written_at=AT)
    arrival = PayloadWay(payload, parse, [], [letter], [None])
    told = text(Explanation({"payload": "ab" * 32}, payloads=[arrival]))
    assert "set aside unread, as its source was paused, by slot a" in told
    assert "source-paused: it was not read: its source is paused" in told
    assert "the current parser reads it: replay it with `hub dead replay`" in told


def test_what_is_not_found_is_told_with_what_was_searched():
    searched = Searched(["dead_letter.v1"], AT, AT + timedelta(hours=2), 12_000, AT)
    explanation = Explanation({"id": str(ID), "around": AT}, searched=[searched])
    assert not explanation.consistent
    told = text(explanation)
    assert (
        "dead_letter.v1: 12,000 records, 2026-03-01T01:15:00.000000Z to "
        "2026-03-01T03:15:00.000000Z; kept from 2026-03-01T01:15:00.000000Z on"
    ) in told
    assert "without --around" in told


def test_the_object_for_scripts_holds_the_same_with_a_verdict():
    event = way()
    event.problems.append("lost between process and htmoc.plate_read.v1")
    told = json.loads(json_line(as_object(Explanation({"id": str(ID)}, ways=[event]))))
    assert told["consistent"] is False
    assert told["problems"] == event.problems
    (shown,) = told["ways"]
    assert shown["event_id"] == str(ID)
    assert shown["spot"] == {"topic": "camera.plate_read.v1", "partition": 1, "offset": 88}
    assert shown["subscribers"][0]["processed_at"] == "2026-03-01T01:15:00.290000Z"
