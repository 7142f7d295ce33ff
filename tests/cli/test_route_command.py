"""`hub route test|explain` on rules in a file: no broker is asked."""

import json
from pathlib import Path

import pytest

from hub.cli import main
from hub.routes import SHIPPED

RULES = """\
[[rule]]
id = "crowds"
text = "Crowds concern the police"
valid_from = 2026-01-01
nouns = ["detection"]
kinds = ["crowd.*"]
to = { subscriber = "police", recipients = ["{owner}", "duty"] }

[[rule]]
id = "crowds-htmoc"
text = "From spring on the traffic centre too"
valid_from = 2026-04-01T00:00:00+07:00
nouns = ["detection"]
kinds = ["crowd.*"]
areas = ["nso-2025-07:00008"]
to = { subscriber = "htmoc" }

[[rule]]
id = "not-ours"
text = "Defence is not ingested"
valid_from = 2026-01-01
owners = ["defence"]
drop = true
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


def ask(verb, rules, *more):
    facts = ["--noun", "detection", "--kind", "crowd.density"]
    return main(["route", verb, "--file", rules, *facts, "--at", "2026-03-01", *more])


def test_the_subscribers_their_rules_and_recipients_are_printed(rules, capsys):
    assert ask("test", rules, "--owner", "city-police", "--expect", "police") == 0
    assert capsys.readouterr().out == "→ police by crowds, for city-police, duty\n"


def test_another_answer_than_expected_is_exit_code_1(rules, capsys):
    assert ask("test", rules, "--expect", "htmoc,police") == 1
    assert "✗ expected htmoc, police" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("at", "found"),
    [("2026-03-31T16:59:59.999999Z", ["police"]), ("2026-03-31T17:00:00Z", ["htmoc", "police"])],
)
def test_a_rule_of_tomorrow_begins_at_midnight_in_hanoi(rules, capsys, at, found):
    assert ask("test", rules, "--area", "nso-2025-07:00008", "--at", at, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line["subscriber"] for line in lines) == found


def test_every_rule_says_why_it_does_not_match(rules, capsys):
    assert ask("explain", rules, "--at", "2026-05-01") == 0
    told = capsys.readouterr().out
    assert "✓ crowds (since 2025-12-31T17:00:00.000000Z) sends it to police" in told
    assert "crowds-htmoc wants areas nso-2025-07:00008 (it has none)" in told
    assert "not-ours wants owners defence (it has none)" in told


ASKS = """\
[[rule]]
id = "night"
text = "At night in Ba Đình and at one junction"
valid_from = 2026-01-01
nouns = ["detection"]
areas = ["nso-2024:001"]
junctions = ["Trần Duy Hưng - Hoàng Minh Giám"]
hours = ["22:00-05:00"]
weekdays = ["FRI"]
to = { subscriber = "police", recipients = ["ward-police:{area}"] }

[[rule]]
id = "drills"
text = "Exercises concern the drill desk"
valid_from = 2026-01-01
statuses = ["EXERCISE"]
to = { subscriber = "ops", recipients = ["drill-desk"] }
"""
PLACE = ["--area", "nso-2024:00013", "--junction", "hoang minh giam/tran duy hung"]


@pytest.fixture
def asks(tmp_path):
    path = tmp_path / "asks.toml"
    path.write_text(ASKS)
    return str(path)


@pytest.mark.parametrize(
    ("happened", "found"),
    [
        ("2026-03-06T21:59:59+07:00", ""),
        ("2026-03-06T22:00:00+07:00", "police"),
        ("2026-03-07T04:59:59+07:00", "police"),
        ("2026-03-07T05:00:00+07:00", ""),
        ("2026-03-06T02:00:00+07:00", ""),
    ],
)
def test_hours_are_asked_of_the_time_at_which_it_happened(asks, capsys, happened, found):
    at = ["--happened", happened, "--at", "2026-03-07T12:00:00+07:00"]
    assert ask("test", asks, *PLACE, *at, "--expect", found) == 0
    assert "ward-police:nso-2025-07:00004" in capsys.readouterr().out or not found


def test_every_question_says_what_the_event_has_instead(asks, capsys):
    other = ["--area", "nso-2025-07:00565", "--junction", "X - Y"]
    at = ["--happened", "2026-03-07T12:00:00+07:00"]
    assert ask("explain", asks, *other, *at) == 0
    told = capsys.readouterr().out
    assert "areas nso-2024:001 (it has nso-2025-07:00565" in told
    assert "junctions Trần Duy Hưng - Hoàng Minh Giám (it has X - Y)" in told
    assert "hours FRI, 22:00-05:00 (it has SAT 12:00 in Hanoi)" in told
    assert "drills wants statuses EXERCISE (it has LIVE)" in told


def test_a_district_of_before_can_be_told(asks, capsys):
    ward = ["--area", "nso-2025-07:00097", "--happened", "2026-03-06T23:00:00+07:00"]
    place = [*ward, "--junction", PLACE[3], "--district"]
    assert ask("test", asks, *place, "Ba Đình", "--expect", "police") == 0
    assert ask("test", asks, *place, "Hoàn Kiếm", "--expect", "") == 0


def test_a_rule_for_a_status_names_recipients_and_the_others_want_what_is_live(asks, capsys):
    assert ask("explain", asks, *PLACE, "--status", "EXERCISE") == 0
    told = capsys.readouterr().out
    assert "→ ops by not-live, drills, for drill-desk" in told
    assert "statuses LIVE (it has EXERCISE)" in told


def test_a_rule_for_another_noun_says_no_more_than_that(asks, capsys):
    facts = ["--noun", "alert", "--kind", "alert.met", "--status", "TEST"]
    assert main(["route", "explain", "--file", str(SHIPPED), *facts]) == 0
    told = capsys.readouterr().out
    assert "· plates-police wants nouns plate_read (it has alert) and statuses LIVE" in told
    assert "· situations-alerts-police wants statuses LIVE (it has TEST)\n" in told


def test_what_a_rule_drops_goes_to_nobody(rules, capsys):
    assert ask("explain", rules, "--owner", "defence") == 0
    told = capsys.readouterr().out
    assert "✓ not-ours (since 2025-12-31T17:00:00.000000Z) drops it" in told
    assert told.endswith("→ nobody\n")


def test_exercises_go_to_the_operators_alone(rules, capsys):
    assert ask("test", rules, "--status", "EXERCISE", "--expect", "ops") == 0
    assert "→ ops by not-live" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--noun", "plate"], "unknown noun 'plate'"),
        (["--severity", "BAD"], "unknown severity 'BAD'"),
        (["--status", "REAL"], "unknown status 'REAL'"),
        (["--area", "00008"], "'00008' is no area"),
        (["--area", "nso-2025-07:00013"], "nso-2025-07 has no unit 00013"),
        (["--district", "Chelsea"], "there was no district 'Chelsea'"),
        (["--at", "yesterday"], "is no time"),
        (["--happened", "yesterday"], "--happened"),
    ],
)
def test_a_wrong_fact_is_exit_code_2_and_named(rules, capsys, wrong, told):
    assert ask("test", rules, *wrong) == 2
    assert told in capsys.readouterr().err


def test_the_shipped_rules_answer_as_their_texts_say(capsys):
    facts = ["--noun", "plate_read", "--at", "2026-03-01", "--expect", "police,htmoc"]
    assert main(["route", "test", "--file", str(SHIPPED), *facts]) == 0
    assert "police by plates-police" in capsys.readouterr().out


def test_an_explanation_names_the_rights_with_purpose_and_legal_basis(capsys):
    facts = ["--noun", "plate_read", "--at", "2026-03-01"]
    assert main(["route", "explain", "--file", str(SHIPPED), *facts]) == 0
    told = capsys.readouterr().out
    assert "right htmoc-passages (since 2025-07-01T00:00:00+07:00) gives view.pseudonym: " in told
    assert "[Law 36/2024/QH15, article 71(1)(c); " in told
    assert main(["route", "explain", "--file", str(SHIPPED), *facts, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rights = {each["subscriber"]: each["rights"] for each in lines if "subscriber" in each}
    assert [each["id"] for each in rights["police"]] == ["police-plates"]
    assert rights["htmoc"][0]["fields"] == ["view.pseudonym"]


def test_what_a_rule_sends_without_a_right_is_not_delivered(rules, capsys):
    text = RULES.replace("2026-01-01", "2025-01-01")
    Path(rules).write_text(text, "utf-8")
    assert ask("test", rules, "--at", "2025-06-30", "--expect", "") == 0
    told = capsys.readouterr().out
    assert "✗ not delivered: no right gives it detection then" in told


# An event in a file

EVENT = {
    "header": {
        "kind": "crowd.density", "severity": "MINOR", "status": "LIVE", "source_id": "vms",
        "device_ref": "cam 1", "observed_at": "2026-02-28T16:59:59.000000Z",
        "received_at": "2026-03-01T00:00:00.000000Z", "time_quality": "DEVICE",
    },
    "place": {
        "owner_agency": "city-police", "purpose": "security", "junction": "", "legacy_district": "",
        "areas_then": [{"scheme": "nso-2025-07", "code": "00008", "name": "Ngọc Hà"}],
    },
}  # fmt: skip


def event_file(tmp_path, event, topic="police.detection.v1"):
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"topic": topic, "event": event} if topic else event))
    return str(path)


def test_the_facts_of_an_event_in_a_file_are_asked(rules, tmp_path, capsys):
    words = ["route", "test", event_file(tmp_path, EVENT), "--file", rules, "--at", "2026-04-02"]
    assert main([*words, "--expect", "police,htmoc"]) == 0
    assert "→ police by crowds, for city-police, duty" in capsys.readouterr().out


def test_an_option_wins_over_the_event(rules, tmp_path):
    words = ["route", "test", event_file(tmp_path, EVENT), "--file", rules, "--at", "2026-04-02"]
    assert main([*words, "--kind", "fire.smoke", "--expect", ""]) == 0
    # What the device is, is either the event's word or the options'.
    assert main([*words, "--owner", "defence", "--expect", ""]) == 0


def test_what_a_connector_prints_is_asked_as_it_is(tmp_path, capsys):
    sample = Path(__file__).parents[1] / "samples" / "hikvision_isapi" / "anpr_push.json"
    words = ["connector", "try", "hikvision_isapi", str(sample), "--received-at", "2026-03-14"]
    main([*words[:-1], "2026-03-14T07:46:00+07:00"])
    path = tmp_path / "event.json"
    path.write_text(capsys.readouterr().out.splitlines()[0])
    shipped = ["--file", str(SHIPPED), "--at", "2026-03-14"]
    assert main(["route", "test", str(path), *shipped, "--expect", "police,htmoc"]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [("[]", "no event"), ("{", "not one JSON object"), ('{"topic": "x"}', "no event")],
)
def test_what_is_no_event_is_named(rules, tmp_path, capsys, text, told):
    path = tmp_path / "event.json"
    path.write_text(text)
    assert main(["route", "explain", str(path), "--file", rules]) == 2
    assert told in capsys.readouterr().err


def test_an_event_without_its_topic_needs_the_noun(rules, tmp_path, capsys):
    words = ["route", "test", event_file(tmp_path, EVENT, topic=""), "--file", rules]
    assert main(words) == 2
    assert "--noun" in capsys.readouterr().err
    assert main([*words, "--noun", "detection", "--at", "2026-03-01", "--expect", "police"]) == 0
