import math
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.members import (
    the_integer,
    the_items,
    the_number,
    the_object,
    the_text,
    the_truth,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(ANYTHING)
def test_nothing_makes_a_member_fail(value):
    data = {"x": value}
    assert isinstance(the_text(data, "x"), str)
    assert isinstance(the_object(data, "x"), dict)
    assert isinstance(the_items(data, "x"), list)
    assert the_truth(data, "x") in {True, False, None}
    number, integer = the_number(data, "x"), the_integer(data, "x")
    assert number is None or math.isfinite(number)
    assert integer is None or abs(integer) < 2**31


def test_numbers_may_be_written_as_texts_and_truths_are_none():
    assert the_number({"x": "0.5"}, "x") == 0.5
    assert the_integer({"x": "12"}, "x") == 12
    assert the_number({"x": True}, "x") is None
    assert the_integer({"x": 1.5}, "x") is None
    assert the_number({"x": "nan"}, "x") is None


def test_a_missing_member_is_empty():
    assert the_text({}, "x") == ""
    assert the_object({}, "x") == {}
    assert the_items({}, "x") == []
    assert the_truth({}, "x") is None


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *(("False", False), ("false", False), (False, False), ("0", False), (0, False)),
        *(("True", True), ("TRUE", True), (True, True), ("1", True), (1, True)),
        *(("", None), (None, None), ("unknown", None), ([], None), (2, None)),
    ],
)
def test_false_as_a_text_is_no(value, truth):
    assert the_truth({"x": value}, "x") is truth


def test_an_id_is_one_text_whether_it_came_as_a_number_or_a_text():
    assert the_text({"x": 1180392}, "x") == the_text({"x": "1180392"}, "x") == "1180392"


def test_an_id_of_more_digits_than_a_float_holds_stays_as_it_came():
    assert the_text({"x": 12_345_678_901_234_567_890}, "x") == "12345678901234567890"


@pytest.mark.parametrize("text", ["Cầu\r\nđóng", "Cầu\rđóng", " Cầu\nđóng\r\n", "Cầu\x00\r\nđóng"])
def test_line_ends_of_any_kind_are_line_feeds_and_control_characters_are_gone(text):
    assert the_text({"x": text}, "x") == "Cầu\nđóng"


def test_letters_that_come_apart_are_composed_and_radicals_stay_as_they_came():
    assert the_text({"x": normalize("NFD", "Phố Huế, Đống Đa")}, "x") == "Phố Huế, Đống Đa"
    assert the_text({"x": "\u2f47"}, "x") == "\u2f47"  # NFKC would make the letter 日 of it
