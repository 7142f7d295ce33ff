from datetime import UTC, datetime, timedelta

import pytest

import schemas
from hub import routes
from hub.codec import RecordCodec
from hub.errors import PayloadError
from streams.route import Facts, RuleBook

NOW = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)


def rule(extra="", *, id_="a", start="2026-03-02", to='to = { subscriber = "police" }'):
    return f'[[rule]]\nid = "{id_}"\nvalid_from = {start}\n{extra}\n{to}\n'


def read(*rules):
    return routes.read_toml("".join(rules), "rules.toml")


def keyed(found):
    return {routes.record_key(each): each for each in found}


def test_the_shipped_rules_bring_every_noun_to_whom_it_concerns():
    found = routes.read_toml(routes.SHIPPED.read_text("utf-8"))
    book = RuleBook()
    for each in found:
        assert each["text"]
        book.put(routes.record_key(each), each, 0, 2**62)
    reached = {
        noun: {
            target.subscriber
            for target in book.choose(Facts(noun, "", "", live=True, owner="police"), 1).targets
        }
        for noun in schemas.nouns()
    }
    both = {"police", "htmoc"}
    assert reached == {
        "plate_read": both,
        "detection": both,
        "violation": {"police"},
        "health": {"ops"},
        "signal_state": {"htmoc"},
        "measurement": {"htmoc"},
        "sign_message": {"htmoc"},
        "situation": both,
        "alert": both,
    }


def test_a_rule_has_every_field_of_the_schema():
    (route,) = read(rule('nouns = ["alert"]\nkinds = ["weather.*"]\nareas = ["nso-2025-07:00008"]'))
    assert set(route) == {field["name"] for field in schemas.source("route")["fields"]}
    codec = RecordCodec(schemas.built("route.v1"), 1)
    assert codec.decode(codec.encode(route)) == route


def test_a_date_is_its_start_in_hanoi():
    assert read(rule(start="2026-03-02"))[0]["valid_from"] == datetime(2026, 3, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rule('nouns = ["plate"]'), "unknown noun 'plate'"),
        (rule('nouns = ["signal_state"]'), "unknown noun of police 'signal_state'"),
        (rule('severity = ["SEVERE"]'), "did you mean severities?"),
        (rule('severities = ["BAD"]'), "unknown severity 'BAD'"),
        (rule('kinds = ["a b"]'), "is no kind"),
        (rule('areas = ["00008"]'), "is no area"),
        (rule('nouns = "alert"'), "must be a list"),
        (rule(to='to = { subscriber = "polise" }'), "did you mean police?"),
        (rule(to='to = { subscriber = "police", recipients = ["{ward}"] }'), "unknown recipient"),
        (rule(to='to = "police"'), "must name a subscriber"),
        (rule(to=""), "exactly one of"),
        (rule("drop = true"), "exactly one of"),
        (rule(id_="a b"), "id is missing or no name"),
        (rule(start="2026-03-02T00:00:00"), "valid_from"),
        (rule("valid_to = 2026-03-01"), "ends before"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_rule(text, what):
    with pytest.raises(PayloadError) as caught:
        read(rule(id_="fine"), "\n# a comment\n", text)
    assert what in str(caught.value)
    assert "rules.toml line 8" in str(caught.value)


def test_a_file_without_rules_or_with_broken_toml_is_refused():
    for text, what in (("", "must hold"), ("x = 1", "must hold"), ("[[rule", "not TOML")):
        with pytest.raises(PayloadError, match=what):
            routes.read_toml(text)


def test_the_same_rule_twice_is_refused():
    with pytest.raises(PayloadError, match="there twice"):
        read(rule(), rule())


def test_a_rule_that_drops_names_no_subscriber():
    (route,) = read(rule("drop = true", to=""))
    assert (route["drop"], route["subscriber"]) == (True, "")


def test_a_new_rule_must_begin_a_minute_ahead():
    (route,) = read(rule())
    routes.check_ahead({}, [route], route["valid_from"] - routes.AHEAD)
    with pytest.raises(PayloadError, match="begins less than 60 s ahead"):
        routes.check_ahead({}, [route], route["valid_from"] - timedelta(seconds=59))


def test_a_rule_in_force_may_only_be_ended_and_that_a_minute_ahead():
    held = keyed(read(rule(start="2026-01-01")))
    routes.check_ahead(held, read(rule("valid_to = 2026-04-01", start="2026-01-01")), NOW)
    routes.check_ahead(held, held.values(), NOW)
    for changed in ("valid_to = 2026-02-01", 'kinds = ["x"]'):
        with pytest.raises(PayloadError, match="less than 60 s ahead"):
            routes.check_ahead(held, read(rule(changed, start="2026-01-01")), NOW)
