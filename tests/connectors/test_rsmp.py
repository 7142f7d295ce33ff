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
    "tlc_S0014_2.json": ("health", "UNKNOWN"),
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


def test_old_and_recent_values_of_one_message_are_told_apart():
    old, recent = read(
        update(
            status("vehicles", "3", code="S0201", quality="old"),
            status("speed", "31", code="S0202"),
        )
    )
    assert (old.replayed, recent.replayed) == (True, False)


def test_values_kept_for_a_day_and_more_are_old_but_their_clock_is_right():
    kept = update(status(quality="old")) | {"sTs": "2026-03-12T00:00:00.000Z"}
    assert one(kept).time_quality == "DEVICE"
    assert one(update(status()) | {"sTs": "2026-03-12T00:00:00.000Z"}).time_quality == "SUSPECT"


@pytest.mark.parametrize("unknown", [status(quality="unknown"), status(value=None)])
def test_a_value_that_the_site_does_not_know_is_none_and_said(unknown):
    found = one(update(unknown))
    assert (found.body["groups"], found.quality_flags) == ([], ("value_unknown",))
    found = one(update({**unknown, "sCI": "S0203", "n": "occupancy"}))
    assert ("occupancy_ratio" in found.body, found.quality_flags) == (False, ("value_unknown",))


def test_a_status_of_a_component_that_does_not_exist_is_refused_and_hides_no_other():
    refused, event = read(update(status(quality="undefined"), status("status", "9", code="S0014")))
    assert (refused.code, refused.path) == ("undefined-component", "sS[0]")
    assert event.body["component"] == "time_plan"


def test_a_group_that_does_not_exist_keeps_its_number_free():
    found = one(update(status(value="A-1")))
    assert [group["signal_group"] for group in found.body["groups"]] == [1, 3]
    assert found.quality_flags == ()


def test_a_detectors_values_are_texts_with_units_of_the_list():
    count, speed, occupancy = read(
        update(
            status("starttime", "2026-03-14T00:44:58.120Z", code="S0201"),
            status("vehicles", "12", code="S0201"),
            status("speed", "31", code="S0202"),
            status("occupancy", "17", code="S0203"),
        )
    )
    base = {"site_ref": "HN+KM=001TC000", "vehicle_class": "", "period_s": None}
    assert count.body == base | {"vehicle_count": 12, "period_s": 60.0}
    assert speed.body == base | {"speed_kmh": 31.0}
    assert occupancy.body == base | {"occupancy_ratio": 0.17}
    assert len({each.subject for each in (count, speed, occupancy)}) == 3


def test_a_detector_tells_vehicles_by_class():
    found = read(update(*(status(name, "2", code="S0204") for name in ("P", "MC", "C", "SP"))))
    assert [each.body["vehicle_class"] for each in found] == [
        "car", "motorcycle", "bicycle", "tram",
    ]  # fmt: skip


def test_one_text_holds_all_detectors_and_minus_one_is_not_measured():
    statuses = [status("start", "2026-03-14T00:44:58.120Z", code="S0205"),
                status("vehicles", "4,-1,0", code="S0205")]  # fmt: skip
    found = read(update(*statuses))
    assert [each.body.get("vehicle_count") for each in found] == [4, None, 0]
    assert [each.quality_flags for each in found] == [(), ("not_measured",), ()]
    assert [each.body["site_ref"] for each in found] == [
        "HN+KM=001TC000/1", "HN+KM=001TC000/2", "HN+KM=001TC000/3",
    ]  # fmt: skip
    assert {each.body["period_s"] for each in found} == {60.0}


@pytest.mark.parametrize(
    ("code", "name", "value", "component", "state"),
    [
        ("S0020", "controlmode", "control", "control_mode", "ONLINE"),
        ("S0020", "controlmode", "control,failure", "control_mode", "FAULT"),
        ("S0020", "controlmode", "control,standby", "control_mode", "UNKNOWN"),
        ("S0011", "status", "True", "yellow_flash", "UNKNOWN"),
        ("S0013", "status", "2", "police_key", "UNKNOWN"),
        ("S0007", "status", False, "switched_on", "UNKNOWN"),
        ("S0014", "status", 9, "time_plan", "UNKNOWN"),
        ("S0035", "emergencyroutes", [{"id": 3}], "emergency_route", "UNKNOWN"),
    ],
)
def test_how_a_controller_is_run_is_health_and_only_its_control_mode_is_well_or_not(
    code, name, value, component, state
):
    found = one(update(status(name, value, code=code), status("source", "forced", code=code)))
    assert (found.noun, found.kind) == ("health", "signal.mode")
    assert (found.body["component"], found.body["state"]) == (component, state)
    assert found.subject == ("HN+KM=001TC000", code, name)


def test_values_are_texts_numbers_or_lists():
    details = [
        one(update(status("status", value, code="S0014"))).body["detail"] for value in ("9", 9)
    ]
    assert details == ["9", "9"]
    routes = one(update(status("emergencyroutes", [{"id": 3}], code="S0035")))
    assert routes.body["detail"] == '[{"id":3}]'


def test_the_version_of_a_controller_is_its_firmware():
    found = one(update(status("status", "Đèn VN TLC-7 4.2.1", code="S0095")))
    assert found.body["firmware"] == "Đèn VN TLC-7 4.2.1"


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


def test_acknowledging_and_suspending_are_told_though_they_change_no_state():
    returned = [{"n": "color", "v": "red"}, {"n": "detector", "v": "1"}]
    told = [
        one(each).body["detail"]
        for each in (
            alarm(xACId="Đèn hỏng", rvs=returned),
            alarm(xACId="Đèn hỏng", ack="Acknowledged"),
            alarm(xACId="Đèn hỏng", sS="Suspended"),
        )
    ]
    assert told == [
        "Đèn hỏng; color=red, detector=1", "Đèn hỏng; acknowledged", "Đèn hỏng; suspended",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["Request", "Acknowledge", "Suspend", "Resume"])
def test_what_a_supervision_asks_of_an_alarm_is_no_state(word):
    (found,) = read(message("Alarm", aCId="A0001", aSp=word))
    assert isinstance(found, Nothing)


def test_an_alarm_that_stands_for_months_is_sent_again_with_a_right_time():
    found = one(alarm() | {"aTs": "2025-09-26T12:43:49.889Z"})
    assert found.time_quality == "DEVICE"
    assert found.observed_at == datetime(2025, 9, 26, 12, 43, 49, 889_000, tzinfo=UTC)


def test_priority_is_the_severity_and_an_end_has_none():
    found = [one(alarm(pri=priority)).severity for priority in ("1", "2", "3", "x")]
    assert found == ["SEVERE", "MODERATE", "MINOR", "UNKNOWN"]
    assert one(alarm("inActive")).severity == "INFO"


def test_a_message_that_comes_again_after_a_reconnect_has_the_same_id():
    again = [alarm(), alarm(), alarm() | {"mId": "m-2"}]  # also under a GUID of its own
    runs = [
        next(iter(dry_run(connector, Sample(name="x", body=json.dumps(each).encode()))))
        for each in again
    ]
    assert len({run.value[5:21] for run in runs}) == 1


def test_the_worst_switch_of_an_aggregated_status_is_its_state():
    def state(*on):
        bits = [place in on for place in range(8)]
        return one(message("AggregatedStatus", aSTS=AT, se=bits)).body["state"]

    assert [state(*on) for on in ((5,), (0, 5), (2, 4), (1, 2), (7,), ())] == [
        "ONLINE", "DEGRADED", "FAULT", "OFFLINE", "OFFLINE", "UNKNOWN",
    ]  # fmt: skip


def test_all_switches_that_are_on_are_told_and_missing_ones_said():
    bits = [True, False, False, False, True, True, False, False]
    found = one(message("AggregatedStatus", aSTS=AT, se=bits, fP="Trafikstyrning"))
    assert found.body["detail"] == "low priority fault, local mode, normal, Trafikstyrning"
    found = one(message("AggregatedStatus", aSTS=AT, se=bits[:6]))
    assert found.quality_flags == ("switches_missing",)


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
