"""Numbers in texts, and those that stand for none."""

import math

from hypothesis import given
from hypothesis import strategies as st

from connectors._formats.numbers import integer, measured, not_negative, number, percent

told = st.none() | st.floats(allow_nan=False)


@given(st.text() | st.floats().map(repr) | st.integers().map(str))
def test_any_text_is_a_finite_number_or_none(text):
    for read in (number, integer, percent):
        value = read(text)
        assert value is None or math.isfinite(value)


def test_of_two_places_of_a_speed_the_first_that_was_measured_counts():
    assert measured(0.0, 41.5) == measured(-1.0, 41.5) == measured(None, 41.5) == 41.5
    assert measured(30.0, 41.5) == 30.0
    assert measured(0.0, -1.0) is measured(None) is measured() is None


def test_a_vehicle_may_stand_but_not_be_slower():
    assert not_negative(0.0) == 0.0
    assert not_negative(-1.0) is not_negative(None) is None


@given(told, told)
def test_no_speed_is_below_nothing(one, other):
    for value in (measured(one, other), not_negative(one)):
        assert value is None or value >= 0
