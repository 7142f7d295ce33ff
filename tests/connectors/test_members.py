import math

from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.members import (
    the_integer,
    the_items,
    the_number,
    the_object,
    the_text,
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
