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
    assert not [line for line in lines if line.endswith("to ops")]


def test_a_rule_that_has_ended_brings_nothing():
    (known,) = routes.read_toml(rule("a", 'nouns = ["alert"]\nvalid_to = 2026-02-01'))
    assert "no rule brings alert to police" in [each.text for each in doubts([known], NOW)]


def test_changes_show_what_goes_and_what_comes():
    (before,) = routes.read_toml(rule("a", 'nouns = ["alert"]'))
    (after,) = routes.read_toml(rule("a", 'nouns = ["alert"]\nvalid_to = 2026-04-01\ntext = "t"'))
    assert changes(before, after) == ["+ valid_to: 2026-03-31T17:00:00.000000Z", "+ text: t"]
    assert changes(after, before)[0] == "- valid_to: 2026-03-31T17:00:00.000000Z"
    assert "+ nouns: alert" in changes(None, before)
    assert changes(before, before) == []
