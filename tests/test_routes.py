from datetime import UTC, datetime, timedelta

import pytest

import schemas
from hub import routes
from hub.codec import RecordCodec
from hub.errors import PayloadError
from streams.route import Facts, RuleBook

TO = 'to = { subscriber = "police", recipients = ["%s"] }'
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
            for target in book.choose(Facts(noun, "", "", owner="police"), 1).targets
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
    asks = (
        'nouns = ["alert"]\nkinds = ["weather.*"]\nareas = ["nso-2025-07:00008", "nso-2024:001"]\n'
        'hours = ["22:00-05:00"]\nweekdays = ["FRI"]\njunctions = ["A - B"]\nstatuses = ["LIVE"]\n'
    )
    (route,) = read(rule(asks, to=TO % "ward-police:{area}"))
    assert set(route) == {field["name"] for field in schemas.source("route")["fields"]}
    codec = RecordCodec(schemas.built("route.v1"), 1)
    assert codec.decode(codec.encode(route)) == route


def test_an_area_of_a_list_of_the_site_s_own_is_no_error():
    assert read(rule('areas = ["cadastre:X1"]'))[0]["areas"] == ["cadastre:X1"]


def test_a_rule_to_the_operators_may_ask_for_a_status():
    (route,) = read(rule('statuses = ["EXERCISE"]', to='to = { subscriber = "ops" }'))
    assert route["statuses"] == ["EXERCISE"]


def test_the_shipped_rules_name_the_police_of_the_ward_for_urban_order():
    book = RuleBook()
    for each in routes.read_toml(routes.SHIPPED.read_text("utf-8")):
        book.put(routes.record_key(each), each, 0, 2**62)
    ward = "nso-2025-07:00004"

    def meant(noun, kind):
        event = Facts(noun, kind, "", owner="H26.X", wards=(ward,))
        return {each.subscriber: {*each.recipients} for each in book.choose(event, 1).targets}

    police = {"police", f"ward-police:{ward}"}
    assert meant("violation", "order.pavement_trade") == {"police": police}
    assert meant("violation", "vehicle.violation") == {"police": {"police"}}
    assert meant("detection", "order.litter") == {"police": police, "htmoc": {"htmoc"}}
    assert meant("detection", "camera.parking")["police"] == {"police"}
    assert meant("health", "device.health") == {"ops": {"H26.X"}}


def test_a_date_is_its_start_in_hanoi():
    assert read(rule(start="2026-03-02"))[0]["valid_from"] == datetime(2026, 3, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (rule('nouns = ["plate"]'), "unknown noun 'plate'", "line 11, nouns"),
        (rule('nouns = ["signal_state"]'), "unknown noun of police", "line 11, nouns"),
        (rule('severity = ["SEVERE"]'), "did you mean severities?", "line 11, severity"),
        (rule('severities = ["BAD"]'), "unknown severity 'BAD'", "line 11, severities"),
        (rule('kinds = ["a b"]'), "is no kind", "line 11, kinds"),
        (rule('areas = ["00008"]'), "is no area", "line 11, areas"),
        (rule('areas = ["nso-2025-07:00013"]'), "did you mean nso-2024:00013?", "line 11, areas"),
        (rule('areas = ["nso-2025-07:99999"]'), "no unit 99999", "line 11, areas"),
        (rule('nouns = "alert"'), "must be a list", "line 11, nouns"),
        (rule('hours = ["22-5"]'), "write 22:00-05:00", "line 11, hours"),
        (rule('hours = ["25:00-26:00"]'), "are no hours", "line 11, hours"),
        (rule('hours = ["08:00-08:00"]'), "write 00:00-24:00 for", "line 11, hours"),
        (rule('weekdays = ["SAN"]'), "did you mean SUN?", "line 11, weekdays"),
        (rule('statuses = ["LIFE"]'), "did you mean LIVE?", "line 11, statuses"),
        (rule('statuses = ["LIVE", "TEST"]'), "goes to ops only", "line 11, statuses"),
        (rule('drop = true\nstatuses = ["TEST"]', to=""), "goes to ops only", "line 12, statuses"),
        (rule(to='to = { subscriber = "polise" }'), "did you mean police?", "line 12, to.subscr"),
        (rule(to=TO % "{ward}"), "unknown part of a recipient", "line 12, to.recipients"),
        (rule(to=TO % "ward:{area"), "unknown part of a recipient '{'", "line 12, to.recipients"),
        (rule(to=TO % "duty "), "is no recipient", "line 12, to.recipients"),
        (rule(to=TO % 'x", "x'), "'x' is there twice", "line 12, to.recipients"),
        (rule(to='to = "police"'), "must name a subscriber", "line 12, to"),
        (rule(to=""), "exactly one of", "line 8, drop"),
        (rule("drop = true"), "exactly one of", "line 11, drop"),
        (rule(id_="a b"), "id is missing or no name", "line 9, id"),
        (rule(start="2026-03-02T00:00:00"), "is no time", "line 10, valid_from"),
        (rule("valid_to = 2026-03-01"), "ends before", "line 11, valid_to"),
    ],
)
def test_what_is_wrong_is_named_with_line_key_and_rule(text, what, where):
    with pytest.raises(PayloadError) as caught:
        read(rule(id_="fine"), "\n# a comment\n", text)
    assert what in str(caught.value)
    assert f"rules.toml {where}" in str(caught.value)
    assert "(rule 'a" in str(caught.value)
    assert caught.value.fix


def test_rules_written_in_one_line_are_named_by_their_number():
    one = '{id = "a", valid_from = 2026-03-02, drop = true}'
    other = '{id = "b", valid_from = 2026-03-02, nouns = ["x"], drop = true}'
    with pytest.raises(PayloadError, match="rules rule 2, nouns"):
        routes.read_toml(f"rule = [{one}, {other}]")
    with pytest.raises(PayloadError, match="a rule is a table"):
        routes.read_toml("rule = [1]")


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
