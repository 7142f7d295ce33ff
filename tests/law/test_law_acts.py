"""The acts that cameras can see, as the table of the decree has them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.law import category_of, lookup, named, parse, rules, texts_of, words

AT = datetime(2026, 3, 1, tzinfo=UTC)
# Articles 6 (car), 7 (motorbike) and 12 of Decree 168/2024/ND-CP.
TABLE = {
    "red_light": ("6.9.b.01", "7.7.c.01"),
    "wrong_way": ("6.9.d", "7.7.a"),
    "wrong_lane": ("6.5.b", "7.3.d"),
    "lane_change": ("6.2.a", "7.1.e"),
    "banned_road": ("6.5.i", "7.6.b"),
    "stopping": ("6.2.d 6.2.đ 6.3.d 6.3.đ 6.3.e 6.4.b", "7.2.a 7.2.d 7.2.e 7.3.c"),
    "stopping_jam": ("6.5.k", ""),
    "u_turn": ("6.4.i 6.4.k", "7.2.k"),
    "pavement": ("6.6.d", "7.7.a"),
    "phone": ("6.5.h", "7.4.đ"),
    "seat_belt": ("6.3.k", ""),
    "seat_belt_carrying": ("6.3.l", ""),
    "seat_belt_passenger": ("12.4", ""),
    "helmet": ("", "7.2.h"),
    "helmet_carrying": ("", "7.2.i"),
    "helmet_passenger": ("", "12.5.b"),
    "two_passengers": ("", "7.2.g"),
    "three_passengers": ("", "7.3.b"),
    "pavement_trade": ("12.7 12.9", "12.7 12.9"),
    "dumping": ("17.4", "17.4"),
}


def codes(act, category, over_kmh=None, at=AT):
    found = lookup(act, category=category, at=at, over_kmh=over_kmh)
    return " ".join(str(rule.code).removeprefix("16824.") for rule in found)


@pytest.mark.parametrize("act", TABLE)
def test_an_act_has_the_codes_of_the_decree(act):
    assert TABLE[act] == (codes(act, "CAR"), codes(act, "MOTORBIKE"))


@pytest.mark.parametrize(
    ("over", "car", "motorbike"),
    [
        (4.9, "", ""),
        (5, "6.3.a", "7.2.b"),
        (9.9, "6.3.a", "7.2.b"),
        (10, "6.5.đ", "7.4.a"),
        (20, "6.5.đ", "7.4.a"),
        (20.1, "6.6.a", "7.8.a"),
        (35, "6.6.a", "7.8.a"),
        (35.1, "6.7.a", "7.8.a"),
    ],
)
def test_the_code_of_speeding_depends_on_how_far_over_the_limit(over, car, motorbike):
    assert (car, motorbike) == (
        codes("speeding", "CAR", over),
        codes("speeding", "MOTORBIKE", over),
    )


@given(st.floats(0, 500))
def test_a_speed_falls_into_one_band_at_most(over):
    for category in ("CAR", "MOTORBIKE"):
        assert len(lookup("speeding", category=category, at=AT, over_kmh=over)) == (over >= 5)


def test_without_a_category_the_codes_of_all_are_candidates():
    assert codes("red_light", None) == "6.9.b.01 7.7.c.01"


def test_acts_before_the_decree_are_not_modelled():
    assert codes("red_light", "CAR", at=datetime(2024, 12, 31, tzinfo=UTC)) == ""


def test_a_code_may_mean_several_acts():
    assert [rule.act for rule in named(parse("16824.7.7.a.02"))] == ["wrong_way", "pavement"]
    assert named(parse("16824.6.3.đ")) != named(parse("16824.6.3.d"))
    assert named(parse("16824.7.7.a"), datetime(2024, 1, 1, tzinfo=UTC)) == ()


def test_every_rule_is_of_a_decree_on_record_and_begins_with_it():
    for rule in rules():
        assert rule.valid_from == texts_of(rule.code)[0].valid_from
        assert rule.text


def test_every_word_is_a_word_of_an_events_kind():
    assert all(word.replace("_", "").isalpha() and word.islower() for word in words())


def test_only_cars_and_motorbikes_tell_the_category():
    assert category_of("CAR") == "CAR"
    assert [category_of(name) for name in ("UNKNOWN", "SPECIAL", "MILITARY")] == [None] * 3


def test_an_unknown_word_has_no_code():
    assert lookup("flying", category=None, at=AT) == ()
