from datetime import UTC, datetime

import pytest

from hub import routes
from hub.route_checks import changes, doubts

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICE = 'to = { subscriber = "police" }'


def rule(id_, extra="", *, start="2026-01-01", to=POLICE):
    return f'[[rule]]\nid = "{id_}"\nvalid_from = {start}\n{extra}\n{to}\n'


def told(*rules):
    """Doubts about these rules beside the shipped ones, which bring every noun."""
    shipped = routes.SHIPPED.read_text("utf-8")
    known = routes.read_toml(shipped + "".join(rules))
    return [f"{doubt.rule}: {doubt.text}" for doubt in doubts(known, NOW)]


def test_the_shipped_rules_leave_no_doubt():
    assert told() == []


def test_versions_that_hold_at_the_same_time_are_wrong_and_named_first():
    nouns = 'nouns = ["alert"]\nkinds = ["weather.*"]'
    known = routes.read_toml(
        rule("z", nouns) + rule("z", 'nouns = ["violation"]', start="2026-02-01")
    )
    first = doubts(known, NOW)[0]
    assert (first.rule, first.wrong) == ("z", True)
    assert "the version of 2025-12-31T17:00:00" in first.text


def test_a_gap_between_versions_is_told_with_its_times():
    (line,) = told(
        rule("z", 'nouns = ["alert"]\nseverities = ["EXTREME"]\nvalid_to = 2026-02-01'
             '\nowners = ["a"]', to='to = { subscriber = "police", recipients = ["x"] }'),
        rule("z", 'nouns = ["alert"]\nowners = ["b"]', start="2026-02-03",
             to='to = { subscriber = "police", recipients = ["x"] }'),
    )  # fmt: skip
    assert line.startswith("z: no version of it holds from 2026-01-31T17:00:00")
    assert "to 2026-02-02T17:00:00" in line


@pytest.mark.parametrize(
    ("dropped", "told_so"),
    [
        ('nouns = ["alert"]\nkinds = ["weather.*"]', True),
        ('nouns = ["alert"]', True),
        ('kinds = ["weather.rain"]', True),
        ('nouns = ["alert"]\nkinds = ["weather.rain.heavy"]', False),
        ('nouns = ["alert"]\nvalid_to = 2026-02-01', False),
    ],
)
def test_a_rule_that_another_drops_whole_never_takes_effect(dropped, told_so):
    sent = rule(
        "rain", 'nouns = ["alert"]\nkinds = ["weather.rain"]',
        to='to = { subscriber = "police", recipients = ["x"] }',
    )  # fmt: skip
    lines = told(rule("no-rain", dropped + "\ndrop = true", to=""), sent)
    assert ("rain: never takes effect: no-rain drops it all" in lines) is told_so


def test_a_rule_that_adds_nothing_is_told_once():
    twin = 'nouns = ["violation"]\nowners = ["a"]'
    to = 'to = { subscriber = "police", recipients = ["x"] }'
    assert told(rule("b", twin, to=to), rule("c", twin, to=to)) == ["c: adds nothing to b"]


def test_a_narrower_rule_with_recipients_of_its_own_is_no_doubt():
    to = 'to = { subscriber = "police", recipients = ["{area}"] }'
    assert told(rule("b", 'nouns = ["violation"]\nkinds = ["order.*"]', to=to)) == []


def test_a_noun_that_no_rule_brings_is_told():
    (known,) = routes.read_toml(rule("a", 'nouns = ["alert"]'))
    lines = [doubt.text for doubt in doubts([known], NOW)]
    assert "no rule brings plate_read to htmoc" in lines
    assert "no rule brings alert to police" not in lines
    # Tests and exercises reach the operators without a rule; health is theirs alone.
    assert [line for line in lines if line.endswith("to ops")] == ["no rule brings health to ops"]


def test_a_rule_that_has_ended_brings_nothing():
    (known,) = routes.read_toml(rule("a", 'nouns = ["alert"]\nvalid_to = 2026-02-01'))
    assert "no rule brings alert to police" in [each.text for each in doubts([known], NOW)]


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ('areas = ["nso-2024:001"]', 'areas = ["nso-2024:00013"]', True),
        ('areas = ["nso-2024:002"]', 'areas = ["nso-2024:00013"]', False),
        ('hours = ["20:00-06:00"]', 'hours = ["22:00-05:00"]', True),
        ('hours = ["20:00-06:00"]', 'hours = ["22:00-05:00"]\nweekdays = ["SUN"]', True),
        ('hours = ["22:00-05:00"]', "", False),
        ('weekdays = ["SUN"]', 'hours = ["22:00-05:00"]\nweekdays = ["SUN"]', False),
        ('junctions = ["A - B", "C"]', 'junctions = ["b/a"]', True),
        ('junctions = ["A - B"]', 'junctions = ["A - B", "C"]', False),
        ('statuses = ["LIVE"]', "", True),
    ],
)
def test_a_rule_that_asks_for_less_covers_one_that_asks_for_more(wide, narrow, covers):
    to = 'to = { subscriber = "ops", recipients = ["x"] }'
    nouns = 'nouns = ["violation"]\n'
    lines = told(rule("wide", nouns + wide, to=to), rule("narrow", nouns + narrow, to=to))
    assert ("narrow: adds nothing to wide" in lines) is covers


def test_what_is_dropped_by_area_still_goes_out_where_the_area_is_not_certain():
    to = 'to = { subscriber = "police", recipients = ["x"] }'
    asks = 'nouns = ["violation"]\nareas = ["nso-2024:00013"]'
    lines = told(rule("drops", asks + "\ndrop = true", to=""), rule("sent", asks, to=to))
    assert lines == [
        "sent: takes effect only where an area is not certain: drops drops it all"
    ]  # fmt: skip


def alone(*rules):
    """Doubts about alerts to the police, by these rules alone."""
    known = routes.read_toml("".join(rules))
    lines = (f"{doubt.rule}: {doubt.text}" for doubt in doubts(known, NOW))
    return [line for line in lines if "alert to police" in line]


def test_a_noun_that_comes_at_some_hours_only_is_told_with_the_others():
    day = rule("day", 'hours = ["05:00-22:00"]')
    hours = "MON 00:00 to MON 05:00, MON 22:00 to TUE 05:00, TUE 22:00 to WED 05:00 and 5 more"
    assert alone(day) == [f"-: no rule brings alert to police at {hours}"]
    assert alone(day, rule("night", 'hours = ["22:00-05:00"]')) == []


def test_a_noun_that_will_stop_to_come_is_told_with_the_time():
    until = rule("a", "valid_to = 2026-04-01")
    assert alone(until) == ["-: no rule brings alert to police from 2026-03-31T17:00:00.000000Z"]
    gap = "from 2026-03-31T17:00:00.000000Z until 2026-04-01T17:00:00.000000Z"
    assert alone(until, rule("b", start="2026-04-02")) == [
        f"-: no rule brings alert to police {gap}"
    ]
    assert alone(until, rule("b", start="2026-04-01")) == []
    assert alone(rule("b", start="2026-04-01")) == [
        "-: no rule brings alert to police until 2026-03-31T17:00:00.000000Z"
    ]


def test_a_noun_that_comes_only_in_part_is_told_with_the_rule():
    (line,) = alone(rule("a", 'severities = ["SEVERE"]\nkinds = ["alert.met"]'))
    assert "a: brings alert to police only in part (kinds and severities), and no" in line


def test_a_list_of_areas_that_the_hub_does_not_have_is_a_doubt():
    to = 'to = { subscriber = "police", recipients = ["x"] }'
    assert told(rule("a", 'nouns = ["alert"]\nareas = ["nso-2025-7:00004"]', to=to)) == [
        "a: no list of areas is named 'nso-2025-7'; did you mean nso-2025-07?"
    ]


def test_what_the_register_does_not_know_is_a_doubt_where_there_is_one():
    devices = [
        {"owner_agency": "H26.CA", "managing_unit": "PC08", "purpose": "traffic",
         "junction": "Trần Duy Hưng - Hoàng Minh Giám"},
    ]  # fmt: skip
    to = 'to = { subscriber = "police", recipients = ["police", "PC08", "PC8", "{owner}"] }'
    asks = (
        'owners = ["H26.CA", "H26.CB"]\npurposes = ["traffic", "traffik"]\n'
        'junctions = ["hoang minh giam/tran duy hung", "Láng - Láng Hạ"]'
    )
    known = routes.read_toml(rule("a", asks, to=to))
    found = [doubt.text for doubt in doubts(known, NOW, devices) if doubt.rule == "a"]
    assert [text for text in found if "in part" not in text] == [
        "no device of the register has the owner_agency 'H26.CB'; did you mean H26.CA?",
        "no device of the register has the purpose 'traffik'; did you mean traffic?",
        "no device of the register stands at the junction 'Láng - Láng Hạ'",
        "recipient 'PC8' is no subscriber, owner or managing unit; did you mean PC08?",
    ]
    assert not [doubt for doubt in doubts(known, NOW) if "register" in doubt.text]


def test_changes_show_what_goes_and_what_comes():
    (before,) = routes.read_toml(rule("a", 'nouns = ["alert"]'))
    (after,) = routes.read_toml(rule("a", 'nouns = ["alert"]\nvalid_to = 2026-04-01\ntext = "t"'))
    assert changes(before, after) == ["+ valid_to: 2026-03-31T17:00:00.000000Z", "+ text: t"]
    assert changes(after, before)[0] == "- valid_to: 2026-03-31T17:00:00.000000Z"
    assert "+ nouns: alert" in changes(None, before)
    assert changes(before, before) == []
