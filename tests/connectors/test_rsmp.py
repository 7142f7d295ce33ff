"""`rsmp` against the core of RSMP and the SXL for traffic lights; each trap has a test."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rsmp import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "samples" / "traffic" / "rsmp"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = "2026-03-14T00:45:58.120Z"
RED, GREEN = "STOP_AND_REMAIN", "PERMISSIVE_MOVEMENT_ALLOWED"
YELLOW, DARK = "PERMISSIVE_CLEARANCE", "DARK"
# What must come out of each shared sample, by the standard: the noun and what matters of it.
SHARED_OUTCOMES = {
    "core_ack.json": None,
    "core_agg-status.json": ("health", "DEGRADED"),
    "core_alarm-ack-resp.json": ("health", "DEGRADED"),
    "core_alarm-issue.json": ("health", "FAULT"),
    "core_notack.json": None,
    "core_status-update.json": (
        "signal_state",
        [RED, "PRE_MOVEMENT", GREEN, GREEN, RED, RED, "PRE_MOVEMENT", GREEN],
    ),
    "core_version.json": None,
    "core_watchdog.json": None,
    "tlc_A0001_1.json": ("health", "FAULT"),
    "tlc_A0301_1.json": ("health", "DEGRADED"),
    "tlc_S0001_1.json": None,
    "tlc_S0001_2.json": ("signal_state", [RED, RED, GREEN, RED, RED, RED, "PRE_MOVEMENT"]),
    "tlc_S0014_1.json": None,
    "tlc_S0014_2.json": None,
    "tlc_S0201_1.json": None,
    "tlc_S0201_2.json": ("measurement", 20),
}


def message(kind="StatusUpdate", **more):
    base = {"mType": "rSMsg", "type": kind, "mId": "m-1", "cId": "HN+KM=001TC000"}
    return base | more


def status(name="signalgroupstatus", value="A1", *, code="S0001", quality="recent"):
    return {"sCI": code, "n": name, "s": value, "q": quality}


def update(*statuses, **more):
    return message(sTs=AT, sS=list(statuses), **more)


def alarm(active="Active", **more):
    base = {"aCId": "A0001", "aSp": "Issue", "aS": active, "sS": "notSuspended", "aTs": AT}
    return message("Alarm", **base | {"pri": "2"} | more)


def read(*messages, **options):
    body = b"\x0c".join(
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages
    )
    return list(parse(Payload(body=body, received_at=NOW), Options(**options)))


def one(*messages, **options):
    (outcome,) = read(*messages, **options)
    return outcome


def phases(event):
    return [group["state"] for group in event.body["groups"]]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", SHARED_OUTCOMES)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found, wanted = one((SHARED / name).read_bytes()), SHARED_OUTCOMES[name]
    if wanted is None:
        assert isinstance(found, Nothing)
        return
    noun, value = wanted
    assert found.noun == noun
    told = {
        "health": lambda: found.body["state"],
        "signal_state": lambda: phases(found),
        "measurement": lambda: found.body["vehicle_count"],
    }
    assert told[noun]() == value


def test_each_letter_is_what_the_list_says_its_lamps_show():
    found = one(update(status(value="ABCDEFGPgh12345678NO9abcd0ef")))
    assert phases(found) == [
        *[RED] * 10, *[GREEN] * 8, *[YELLOW] * 3, DARK, DARK, "CAUTION_CONFLICTING_TRAFFIC",
        "STOP_THEN_PROCEED", "PRE_MOVEMENT", "UNAVAILABLE", "UNAVAILABLE",
    ]  # fmt: skip
    assert [group["signal_group"] for group in found.body["groups"]] == list(range(1, 29))


def test_a_letter_nobody_lists_is_unknown_and_said():
    found = one(update(status(value="AX")))
    assert phases(found) == [RED, "UNKNOWN"]
    assert "signal_group_unknown" in found.quality_flags


def test_an_update_without_the_groups_says_nothing_of_them():
    assert isinstance(one(update(status("cyclecounter", "20"))), Nothing)


def test_old_values_come_from_the_sites_memory_and_are_replayed():
    assert one(update(status(quality="old"))).replayed
    assert not one(update(status())).replayed


@pytest.mark.parametrize("quality", ["undefined", "unknown"])
def test_a_value_of_unknown_quality_is_none(quality):
    assert isinstance(one(update(status(quality=quality))), Nothing)
    assert isinstance(one(update(status(value=None))), Nothing)


def test_a_detectors_values_are_texts_with_units_of_the_list():
    found = one(
        update(
            status("starttime", "2026-03-14T00:44:58.120Z", code="S0201"),
            status("vehicles", "12", code="S0201"),
            status("speed", "31", code="S0202"),
            status("occupancy", "17", code="S0203"),
        )
    )
    assert found.body == {
        "site_ref": "HN+KM=001TC000", "period_s": 60.0, "vehicle_count": 12, "speed_kmh": 31.0,
        "occupancy_ratio": 0.17,
    }  # fmt: skip


def test_a_count_since_last_spring_has_no_period():
    statuses = [status("starttime", "2025-03-12T12:00:00.000Z", code="S0201"),
                status("vehicles", "20", code="S0201")]  # fmt: skip
    assert one(update(*statuses)).body["period_s"] is None


def test_what_is_no_number_is_left_out_and_said():
    found = one(update(status("vehicles", "many", code="S0201")))
    assert "vehicle_count" not in found.body
    assert found.quality_flags == ("vehicle_count_invalid",)


def test_of_an_alarms_three_switches_only_one_says_how_the_component_is():
    acknowledged = one(alarm(aSp="Acknowledge", ack="Acknowledged"))
    suspended = one(alarm(aSp="Suspend", sS="Suspended"))
    over = one(alarm("inActive"))
    assert [each.body["state"] for each in (acknowledged, suspended, over)] == [
        "FAULT", "FAULT", "ONLINE",
    ]  # fmt: skip
    assert suspended.quality_flags == ("alarm_suspended",)
    assert {each.subject for each in (acknowledged, suspended, over)} == {
        ("HN+KM=001TC000", "A0001")
    }


def test_priority_is_the_severity_and_an_end_has_none():
    found = [one(alarm(pri=priority)).severity for priority in ("1", "2", "3", "x")]
    assert found == ["SEVERE", "MODERATE", "MINOR", "UNKNOWN"]
    assert one(alarm("inActive")).severity == "INFO"


def test_a_message_that_comes_again_after_a_reconnect_has_the_same_id():
    body = json.dumps(alarm()).encode()
    runs = [list(dry_run(connector, Sample(name=name, body=body))) for name in ("a", "b")]
    assert runs[0][0].value[5:21] == runs[1][0].value[5:21]


def test_the_worst_switch_of_an_aggregated_status_is_its_state():
    def state(*on):
        bits = [place in on for place in range(8)]
        return one(message("AggregatedStatus", aSTS=AT, se=bits)).body["state"]

    assert [state(*on) for on in ((5,), (0, 5), (2, 4), (1, 2), (7,), ())] == [
        "ONLINE", "DEGRADED", "FAULT", "OFFLINE", "OFFLINE", "UNKNOWN",
    ]  # fmt: skip


def test_switches_may_be_written_as_texts():
    found = one(message("AggregatedStatus", aSTS=AT, se=["False", "True"] + ["False"] * 6))
    assert found.body["state"] == "OFFLINE"


def test_messages_are_closed_by_form_feeds_and_a_broken_one_hides_no_other():
    outcomes = read(alarm(), b'{"mType":', message("Watchdog"), alarm("inActive"))
    assert [type(each) for each in outcomes] == [Event, Rejection, Nothing, Event]
    assert outcomes[1].path == "[1]"


def test_a_test_bench_is_test_traffic_from_the_first_byte():
    found = one(alarm(), test_sites=["HN+KM"])
    assert found.status == "TEST"
    assert one(alarm(), test_sites=["", "HN+LB"]).status == "LIVE"


@pytest.mark.parametrize(
    "kind",
    ["MessageAck", "MessageNotAck", "Version", "Watchdog", "StatusRequest", "CommandResponse"],
)
def test_the_protocol_itself_is_no_event(kind):
    assert isinstance(one(message(kind)), Nothing)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "Alarm"}, "not-rsmp"),
        ({"mType": "rSMsg", "type": "Song"}, "unknown-type"),
        ({"mType": "rSMsg", "type": "Alarm", "aCId": "A1", "aS": "Active"}, "missing-field"),
        ({"mType": "rSMsg", "type": "StatusUpdate", "cId": "x"}, "missing-field"),
    ],
)
def test_what_is_no_message_is_refused(body, code):
    assert one(body).code == code


def test_an_empty_payload_is_refused():
    with pytest.raises(PayloadError):
        read(b" \x0c\r\n")


@given(st.text(max_size=300))
def test_no_letters_make_the_parser_fail(letters):
    for outcome in read(update(status(value=letters))):
        assert isinstance(outcome, Event | Nothing | Rejection)
