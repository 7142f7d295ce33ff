import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.areas.resolve import Areas
from streams.place import DeviceRegister, place_of
from streams.route import Facts, RuleBook, Target

FOREVER = 2**62
REFORM_US = 1_751_302_800_000_000


def device(id_: str, *, scheme: str = "nso-2025-07", code: str = "00070") -> dict:
    texts = ("name", "owner_agency", "purpose", "road", "junction", "area_name", "legacy_district")
    return {
        "device_id": id_,
        "aliases": [{"source_id": "vms", "device_ref": "7"}],
        "lane": None,
        "lat": None,
        "lon": None,
        "area_scheme": scheme,
        "area_code": code,
        **dict.fromkeys(texts, ""),
    }


def test_an_entry_holds_from_its_first_microsecond_to_the_last_before_its_successor():
    register = DeviceRegister()
    register.put(b"a@1", device("a"), 100, 200)
    register.put(b"a@2", device("b"), 200, FOREVER)
    found = [register.find("vms", "7", at) for at in (99, 100, 199, 200)]
    assert [entry and entry.device["device_id"] for entry in found] == [None, "a", "a", "b"]
    assert register.find("vms", "8", 150) is None


def test_an_entry_put_again_or_removed_takes_its_aliases_along():
    register = DeviceRegister()
    register.put(b"a@1", device("a"), 100, FOREVER)
    register.put(b"a@1", {**device("a"), "aliases": []}, 100, FOREVER)
    assert register.find("vms", "7", 150) is None
    register.put(b"a@1", device("a"), 100, FOREVER)
    register.put(b"a@1", None, 0, 1)
    assert (register.find("vms", "7", 150), len(register)) == (None, 0)


def test_the_register_gathers_the_names_that_a_change_concerns():
    register = DeviceRegister()
    register.put(b"a@1", device("a"), 100, FOREVER)
    other = [{"source_id": "vms", "device_ref": "8"}, {"source_id": "isapi", "device_ref": "8"}]
    register.changed.clear()
    register.put(b"a@1", {**device("a"), "aliases": other}, 100, FOREVER)
    assert register.changed == {("vms", "7"), ("vms", "8"), ("isapi", "8")}
    register.changed.clear()
    register.put(b"b@1", None, 0, 1)
    assert register.changed == set()


def test_an_entry_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends before"):
        DeviceRegister().put(b"a", device("a"), 5, 5)


times = st.integers(0, 40)
spans = st.lists(st.tuples(times, times).filter(lambda span: span[0] < span[1]), max_size=5)


@given(spans=spans, at=times, other=times)
def test_within_its_span_an_answer_stays_the_same(spans, at, other):
    register = DeviceRegister()
    for number, (start, end) in enumerate(spans):
        register.put(str(number).encode(), device(str(number)), start, end)
    low, high = register.span("vms", "7", at)
    assert low <= at < high
    if low <= other < high:
        assert register.find("vms", "7", other) is register.find("vms", "7", at)


AREAS = Areas()


def placed(at_us, now_us=REFORM_US, **fields):
    register = DeviceRegister()
    register.put(b"a", device("a") | fields, 0, FOREVER)
    entry = register.find("vms", "7", at_us)
    return place_of(entry, "7", at_us, now_us=now_us, areas=AREAS)


def codes(areas):
    return [f"{area['scheme']}:{area['code']}" for area in areas]


def test_a_ward_of_today_is_told_in_the_units_of_then_when_it_happened_before_the_reform():
    fields = {"area_scheme": "nso-2025-07", "area_code": "00097", "area_name": "Hồng Hà"}
    before, after = placed(REFORM_US - 1, **fields), placed(REFORM_US, **fields)
    assert (after["resolution"], codes(after["areas_then"])) == ("EXACT", ["nso-2025-07:00097"])
    assert before["resolution"] == "AMBIGUOUS"
    assert "nso-2024:00001" in codes(before["areas_then"])
    assert before["areas_now"] == after["areas_now"] == after["areas_then"]


def test_a_commune_of_before_is_told_in_the_wards_of_now():
    whole = placed(REFORM_US - 1, area_scheme="nso-2024", area_code="00013")
    assert codes(whole["areas_then"]) == ["nso-2024:00013"]
    assert (codes(whole["areas_now"]), whole["resolution"]) == (["nso-2025-07:00004"], "WHOLE")
    split = placed(REFORM_US - 1, area_scheme="nso-2024", area_code="00070")
    assert codes(split["areas_now"]) == ["nso-2025-07:00070", "nso-2025-07:00082"]
    assert split["resolution"] == "AMBIGUOUS"


def test_now_is_when_the_hub_wrote_the_event():
    fields = {"area_scheme": "nso-2024", "area_code": "00013"}
    early = placed(REFORM_US - 2, REFORM_US - 1, **fields)
    assert codes(early["areas_now"]) == codes(early["areas_then"]) == ["nso-2024:00013"]


def test_an_area_that_no_list_has_is_kept_as_the_register_has_it():
    odd = placed(REFORM_US, area_scheme="cadastre", area_code="X1", area_name="Somewhere")
    assert odd["areas_then"] == [{"scheme": "cadastre", "code": "X1", "name": "Somewhere"}]
    assert (odd["areas_now"], odd["resolution"]) == ([], "UNKNOWN")
    none = placed(REFORM_US, area_scheme="", area_code="")
    assert (none["areas_then"], none["areas_now"], none["resolution"]) == ([], [], "UNKNOWN")


def test_the_answer_changes_with_the_reform_and_says_so():
    register = DeviceRegister()
    register.put(b"a", device("a"), 0, FOREVER)
    assert register.span("vms", "7", REFORM_US - 1)[1] == REFORM_US
    assert register.decrees(REFORM_US)[0] == REFORM_US


def test_a_device_that_is_not_registered_is_told_so():
    assert place_of(None, "7", 0, now_us=0, areas=AREAS) == {"resolution": "UNREGISTERED"}
    assert place_of(None, "", 0, now_us=0, areas=AREAS) == {}


def facts(**more) -> Facts:
    return Facts(**{"noun": "plate_read", "kind": "vehicle.passage", "severity": "INFO",
                    **more})  # fmt: skip


def rule(id_: str, subscriber: str = "police", *, drop: bool = False, **more) -> dict:
    lists = ("nouns", "kinds", "severities", "owners", "purposes", "areas", "recipients")
    return {
        "rule_id": id_,
        "subscriber": subscriber,
        "drop": drop,
        **dict.fromkeys(lists, ()),
        **more,
    }


def chosen(book: RuleBook, at: int, **more) -> list[str]:
    return [target.subscriber for target in book.choose(facts(**more), at).targets]


def test_a_dated_rule_takes_effect_at_its_very_instant_of_append_time():
    book = RuleBook()
    book.put(b"a@1", rule("a", "police"), 100, 200)
    book.put(b"a@2", rule("a", "htmoc"), 200, FOREVER)
    assert [chosen(book, at) for at in (99, 100, 199, 200)] == [
        [], ["police"], ["police"], ["htmoc"],
    ]  # fmt: skip
    choice = book.choose(facts(), 150)
    assert (choice.from_us, choice.to_us) == (100, 200)


@given(spans=spans, at=times, other=times)
def test_a_choice_holds_for_as_long_as_it_says(spans, at, other):
    book = RuleBook()
    for number, (start, end) in enumerate(spans):
        who = ("police", "htmoc")[number % 2]
        drop = number == 3
        book.put(str(number).encode(), rule(str(number), who, drop=drop), start, end)
    choice = book.choose(facts(), at)
    assert choice.from_us <= at < choice.to_us
    if choice.from_us <= other < choice.to_us:
        assert book.choose(facts(), other).targets == choice.targets


def test_a_drop_ends_it_and_a_removed_rule_is_gone():
    book = RuleBook()
    book.put(b"a", rule("a"), 0, FOREVER)
    book.put(b"b", rule("b", "htmoc", drop=True, kinds=("vehicle.*",)), 0, FOREVER)
    assert chosen(book, 5) == []
    assert chosen(book, 5, kind="weather.flood") == ["police"]
    book.put(b"b", None, 0, 1)
    assert chosen(book, 5) == ["police"]


def test_what_is_not_live_goes_to_the_operators_alone_whatever_the_rules_say():
    book = RuleBook()
    book.put(b"a", rule("a"), 0, FOREVER)
    assert book.choose(facts(status="TEST"), 5).targets == (Target("ops", (("not-live", 0),), ()),)
    assert RuleBook().choose(facts(status="TEST"), 5).targets[0].subscriber == "ops"


def test_recipients_of_all_matching_rules_are_named_once_and_in_order():
    book = RuleBook()
    book.put(b"a", rule("a", recipients=("x", "{owner}", "{area}")), 0, FOREVER)
    book.put(b"b", rule("b", recipients=("y", "x")), 1, FOREVER)
    (target,) = book.choose(facts(owner="H26.CA", wards=("nso-2025-07:00070",)), 5).targets
    assert target.recipients == ("x", "H26.CA", "nso-2025-07:00070", "y")
    assert target.rules == (("a", 0), ("b", 1))
    (target,) = book.choose(facts(), 5).targets
    assert target.recipients == ("x", "y")


@pytest.mark.parametrize(
    ("more", "matches"),
    [
        ({"nouns": ("detection",)}, False),
        ({"kinds": ("vehicle.passage",)}, True),
        ({"kinds": ("vehicle.*",)}, True),
        ({"kinds": ("*",)}, True),
        ({"kinds": ("vehicle",)}, False),
        ({"severities": ("SEVERE",)}, False),
        ({"owners": ("H26.CA",)}, True),
        ({"purposes": ("enforcement",)}, False),
        ({"areas": ("nso-2025-07:1", "nso-2025-07:2")}, True),
    ],
)
def test_every_condition_of_a_rule_must_hold(more, matches):
    book = RuleBook()
    book.put(b"a", rule("a", **more), 0, FOREVER)
    found = chosen(book, 5, owner="H26.CA", areas=((frozenset(("nso-2025-07:2",)),),))
    assert found == (["police"] if matches else [])
