"""What a rule asks of an event: areas of then and now, junctions, hours, statuses, recipients."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.codec import from_micros, micros
from hub.hours import DAYS, Hours
from hub.junctions import same_junction
from streams.place import DeviceRegister
from streams.plan import look_up
from streams.route import Facts, RuleBook, Target, matches

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
FOREVER = 2**62
REFORM_US = micros(datetime(2025, 7, 1, tzinfo=HANOI))
DAY_US = 86_400_000_000
BEFORE, AFTER = REFORM_US - DAY_US, REFORM_US + DAY_US


def rule(**more):
    lists = ("nouns", "kinds", "severities", "owners", "purposes", "areas", "recipients")
    lists += ("junctions", "hours", "weekdays", "statuses")
    whole = {"rule_id": "a", "subscriber": "police", "drop": False, **dict.fromkeys(lists, ())}
    return {**whole, **more}


def device(**more):
    texts = ("name", "owner_agency", "purpose", "road", "junction", "area_name", "legacy_district")
    return {
        "device_id": "cam-1",
        "aliases": [{"source_id": "vms", "device_ref": "7"}],
        "lane": None,
        "lat": None,
        "lon": None,
        "area_scheme": "",
        "area_code": "",
        **dict.fromkeys(texts, ""),
        **more,
    }


def at(area="", **more):
    """A device of an area, `scheme:code`."""
    scheme, _, code = area.partition(":")
    return device(area_scheme=scheme, area_code=code, **more)


def header(happened_us=AFTER, **more):
    moment = from_micros(happened_us)
    return {
        "source_id": "vms",
        "device_ref": "7",
        "kind": "vehicle.passage",
        "severity": "INFO",
        "status": "LIVE",
        "observed_at": moment,
        "received_at": moment,
        "time_quality": "DEVICE",
        **more,
    }


def facts(entry, happened_us=AFTER, appended_us=AFTER):
    register = DeviceRegister()
    register.put(b"1", entry, 0, FOREVER)
    return look_up(header(happened_us), "plate_read", register, appended_us).facts


# Areas

WARD, COMMUNE = "nso-2025-07:00004", "nso-2024:00013"  # Ba Đình; Quán Thánh, which went into it
BA_DINH, HOAN_KIEM = "nso-2024:001", "nso-2024:002"  # districts
SPLIT = "nso-2024:00070"  # Hàng Trống: into two wards


@pytest.mark.parametrize("happened_us", [BEFORE, AFTER])
@pytest.mark.parametrize("area", [WARD, COMMUNE, BA_DINH])
def test_an_event_lies_in_its_area_by_the_names_of_then_and_of_now(area, happened_us):
    found = facts(at(COMMUNE), happened_us)
    assert matches(rule(areas=[area]), found)
    assert not matches(rule(areas=["nso-2025-07:00070", HOAN_KIEM, "nso-2024:00004"]), found)


def test_one_code_is_another_area_in_another_list():
    found = facts(at("nso-2025-07:00070"))
    assert not matches(rule(areas=["nso-2024:00013"]), found)
    assert matches(rule(areas=["nso-2025-07:00070"]), found)


def test_a_district_of_before_holds_every_ward_that_took_any_of_it():
    for code in ("00004", "00070", "00082", "00097", "00226"):
        assert matches(rule(areas=[HOAN_KIEM]), facts(at(f"nso-2025-07:{code}")))
    assert not matches(rule(areas=[HOAN_KIEM]), facts(at("nso-2025-07:00565")))


@pytest.mark.parametrize("text", ["Hoàn Kiếm", "hoan kiem", "002", "Quận Hoàn Kiếm"])
def test_the_district_of_the_register_decides_between_candidates(text):
    found = facts(at("nso-2025-07:00097", legacy_district=text))
    assert matches(rule(areas=[HOAN_KIEM]), found)
    assert not matches(rule(areas=["nso-2024:003"]), found)
    assert matches(rule(areas=["nso-2024:003"]), facts(at("nso-2025-07:00097")))


def test_where_several_units_come_into_question_each_of_them_is_delivered_and_none_is_dropped():
    found = facts(at(SPLIT))
    wards = ["nso-2025-07:00070", "nso-2025-07:00082"]
    for ward in wards:
        assert matches(rule(areas=[ward]), found)
        assert not matches(rule(areas=[ward], drop=True), found)
    assert matches(rule(areas=wards, drop=True), found)
    assert matches(rule(areas=[SPLIT], drop=True), found)
    assert matches(rule(areas=[HOAN_KIEM], drop=True), found)


def test_an_area_that_no_list_has_is_compared_as_the_register_has_it():
    found = facts(at("cadastre:X1"))
    assert matches(rule(areas=["cadastre:X1"]), found)
    assert not matches(rule(areas=["cadastre:X2", WARD]), found)


def test_an_event_of_no_known_place_lies_in_no_area():
    for found in (facts(at("")), facts(device(aliases=[]))):
        assert found.areas == ()
        assert not matches(rule(areas=[WARD]), found)
        assert not matches(rule(areas=[WARD], drop=True), found)


# Recipients


def recipients(found, *named):
    book = RuleBook()
    book.put(b"a", rule(recipients=named), 0, FOREVER)
    (target,) = book.choose(found, AFTER).targets
    return target.recipients


def test_the_police_of_a_ward_are_those_of_now_whenever_it_happened():
    for happened_us in (BEFORE, AFTER):
        found = facts(at(COMMUNE), happened_us)
        assert recipients(found, "police", "ward-police:{area}") == (
            "police",
            f"ward-police:{WARD}",
        )


def test_the_police_of_each_ward_that_comes_into_question_are_told():
    assert recipients(facts(at(SPLIT)), "ward-police:{area}") == (
        "ward-police:nso-2025-07:00070",
        "ward-police:nso-2025-07:00082",
    )


def test_what_is_not_known_stands_for_nobody():
    named = ("{owner}", "ward-police:{area}", "{owner}/{area}", "duty")
    assert recipients(facts(at("")), *named) == ("duty",)
    assert recipients(facts(at(WARD, owner_agency="H26.X")), *named) == (
        "H26.X", f"ward-police:{WARD}", f"H26.X/{WARD}", "duty",
    )  # fmt: skip


# Junctions, hours, statuses


def test_a_junction_is_found_whatever_the_order_of_its_roads():
    found = facts(at(junction="Trần Duy Hưng - Hoàng Minh Giám (VT12)"))
    assert matches(rule(junctions=["A - B", "hoang minh giam/tran duy hung"]), found)
    assert not matches(rule(junctions=["Trần Duy Hưng"]), found)
    assert not matches(rule(junctions=["A - B"]), facts(at("")))


def test_hours_are_those_at_which_it_happened_not_those_at_which_the_hub_wrote_it():
    night = rule(hours=["22:00-05:00"])
    noon = micros(datetime(2026, 3, 6, 12, tzinfo=HANOI))
    midnight = micros(datetime(2026, 3, 6, 23, tzinfo=HANOI))
    assert matches(night, facts(at(""), midnight, noon))
    assert not matches(night, facts(at(""), noon, midnight))


def test_hours_are_those_of_receipt_when_the_time_of_the_source_is_suspect():
    register = DeviceRegister()
    register.put(b"1", at(""), 0, FOREVER)
    noon = datetime(2026, 3, 6, 12, tzinfo=HANOI)
    told = header(received_at=noon, observed_at=noon + timedelta(hours=11), time_quality="SUSPECT")
    found = look_up(told, "plate_read", register, AFTER).facts
    assert not matches(rule(hours=["22:00-05:00"]), found)
    assert matches(rule(hours=["08:00-17:00"], weekdays=["FRI"]), found)


def test_a_rule_of_the_operators_may_ask_for_a_status_and_no_rule_widens_who_gets_it():
    book = RuleBook()
    book.put(b"1", rule(rule_id="drills", subscriber="ops", statuses=["EXERCISE"],
                        recipients=["drill-desk"]), 0, FOREVER)  # fmt: skip
    book.put(b"2", rule(rule_id="police", statuses=["LIVE", "EXERCISE"]), 0, FOREVER)
    book.put(b"3", rule(rule_id="health", subscriber="ops", recipients=["x"]), 0, FOREVER)
    book.put(b"4", rule(rule_id="gone", drop=True, statuses=["TEST"]), 0, FOREVER)

    def chosen(status):
        return book.choose(Facts("health", "", "", status=status), 5).targets

    assert chosen("EXERCISE") == (
        Target("ops", (("not-live", 0), ("drills", 0)), ("drill-desk",)),
    )  # fmt: skip
    assert chosen("TEST") == (Target("ops", (("not-live", 0),), ()),)
    assert [target.subscriber for target in chosen("LIVE")] == ["police", "ops"]


# Whatever the rules, facts and times

MONDAY_US = micros(datetime(2026, 3, 2, tzinfo=HANOI))
codes = st.sampled_from([WARD, COMMUNE, BA_DINH, HOAN_KIEM, SPLIT, "nso-2025-07:00070", "x:1"])
junction_names = st.sampled_from(["A - B", "b/a", "C", ""])
hours = st.sampled_from(["22:00-05:00", "00:00-12:00", "12:00-24:00", "07:30-07:31"])
statuses = st.sampled_from(["LIVE", "TEST", "EXERCISE"])


def some(strategy):
    return st.lists(strategy, max_size=2, unique=True)


rules = st.fixed_dictionaries(
    {
        "rule_id": st.sampled_from(["a", "b", "c"]),
        "subscriber": st.sampled_from(["police", "htmoc", "ops"]),
        "drop": st.sampled_from([False, False, False, True]),
        "nouns": some(st.sampled_from(["plate_read", "alert"])),
        "kinds": some(st.sampled_from(["vehicle.passage", "vehicle.*", "*", "weather.*"])),
        "severities": some(st.sampled_from(["INFO", "SEVERE"])),
        "owners": some(st.sampled_from(["o", "p"])),
        "purposes": some(st.sampled_from(["traffic"])),
        "areas": some(codes),
        "junctions": some(junction_names.filter(bool)),
        "hours": some(hours),
        "weekdays": some(st.sampled_from(DAYS)),
        "statuses": some(statuses),
        "recipients": some(st.sampled_from(["x", "{owner}", "ward:{area}"])),
    }
)
# Two weeks: what happened, and when it was written.
times = st.integers(MONDAY_US, MONDAY_US + 14 * DAY_US)
spans = st.tuples(times, times).filter(lambda span: span[0] < span[1])
dated = st.lists(st.tuples(rules, spans), max_size=5)
candidates = st.lists(st.sets(codes, min_size=1, max_size=2).map(frozenset), min_size=1, max_size=2)
any_facts = st.builds(
    Facts,
    noun=st.sampled_from(["plate_read", "alert"]),
    kind=st.sampled_from(["vehicle.passage", "weather.flood", ""]),
    severity=st.sampled_from(["INFO", "SEVERE"]),
    status=statuses,
    owner=st.sampled_from(["o", ""]),
    purpose=st.sampled_from(["traffic", ""]),
    junction=junction_names,
    areas=st.lists(candidates.map(tuple), max_size=2).map(tuple),
    wards=st.lists(codes, max_size=2, unique=True).map(tuple),
    happened_us=times,
)


def naively(known, event, appended_us):
    """Who gets an event and for whom, as the words of a rule say it."""
    ordered = [(each, span) for _, each, span in sorted(known, key=lambda three: three[0])]
    fit = [each for each, span in ordered if span[0] <= appended_us < span[1] and asks(each, event)]
    if event.status == "LIVE" and any(each["drop"] for each in fit):
        return {}
    found = {} if event.status == "LIVE" else {"ops": []}
    for each in fit:
        if event.status != "LIVE" and (each["drop"] or each["subscriber"] != "ops"):
            continue
        meant = found.setdefault(each["subscriber"], [])
        for named in each["recipients"]:
            for ward in event.wards if "{area}" in named else [""]:
                text = named.replace("{owner}", event.owner).replace("{area}", ward)
                if text and text not in meant:
                    meant.append(text)
    return found


def asks(each, event):
    kinds = [kind.removesuffix("*") if kind.endswith("*") else f"{kind}$" for kind in each["kinds"]]
    lies = all if each["drop"] else any
    wanted = set(each["areas"])
    inside, _, _ = Hours.of(each["hours"], each["weekdays"]).around(event.happened_us)
    return (
        event.noun in (each["nouns"] or [event.noun])
        and (not kinds or any(f"{event.kind}$".startswith(kind) for kind in kinds))
        and event.severity in (each["severities"] or [event.severity])
        and event.owner in (each["owners"] or [event.owner])
        and event.purpose in (each["purposes"] or [event.purpose])
        and event.status in (each["statuses"] or ["LIVE"])
        and (not wanted or any(lies(wanted & one for one in of) for of in event.areas))
        and (not each["junctions"]
             or any(same_junction(name, event.junction) for name in each["junctions"]))
        and inside
    )  # fmt: skip


def book_of(known):
    book = RuleBook()
    for key, each, span in known:
        book.put(key, each, *span)
    return book


def keyed(drawn):
    return [(b"%d" % number, each, span) for number, (each, span) in enumerate(drawn)]


@given(drawn=dated, event=any_facts, appended_us=times)
def test_a_choice_is_what_the_words_of_the_rules_say(drawn, event, appended_us):
    known = keyed(drawn)
    choice = book_of(known).choose(event, appended_us)
    found = {target.subscriber: list(target.recipients) for target in choice.targets}
    assert naively(known, event, appended_us) == found


@given(drawn=dated, event=any_facts, appended_us=times, other=st.tuples(times, times))
def test_a_choice_holds_for_as_long_as_it_says(drawn, event, appended_us, other):
    book = book_of(keyed(drawn))
    choice = book.choose(event, appended_us)
    assert choice.from_us <= appended_us < choice.to_us
    assert choice.low_us <= event.happened_us < choice.high_us
    later = Facts(**{name: getattr(event, name) for name in Facts.__slots__
                     if name != "happened_us"}, happened_us=other[0])  # fmt: skip
    if choice.low_us <= other[0] < choice.high_us and choice.from_us <= other[1] < choice.to_us:
        assert choice.targets == book.choose(later, other[1]).targets
