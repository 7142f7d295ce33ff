"""Which text held when, and how long an act can be fined."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.law import hanoi_day, limitation_ends, parse, text_at, texts, texts_of

RED_LIGHT, BEFORE = parse("16824.7.7.c.01"), parse("12321.5.3.a.01")
AMENDED = "168/2024/ND-CP+238/2026/ND-CP"


def version(code, stamp):
    text = text_at(code, datetime.fromisoformat(stamp))
    return text.version if text else None


@pytest.mark.parametrize(
    ("code", "act", "expected"),
    [
        (BEFORE, "2024-12-31T23:59:59+07:00", "123/2021/ND-CP"),
        (BEFORE, "2025-01-01T00:00:00+07:00", None),
        (RED_LIGHT, "2024-12-31T23:59:59+07:00", None),
        (RED_LIGHT, "2025-01-01T00:00:00+07:00", "168/2024/ND-CP"),
        (RED_LIGHT, "2026-08-14T23:59:59+07:00", "168/2024/ND-CP"),
        (RED_LIGHT, "2026-08-15T00:00:00+07:00", AMENDED),
        # The days are Hanoi's: 17:00 UTC is the next one.
        (RED_LIGHT, "2026-08-14T16:59:59+00:00", "168/2024/ND-CP"),
        (RED_LIGHT, "2026-08-14T17:00:00+00:00", AMENDED),
    ],
)
def test_an_act_is_judged_by_the_text_of_its_day_in_hanoi(code, act, expected):
    assert version(code, act) == expected


def test_a_decree_that_is_not_on_record_has_no_text_and_is_no_error():
    assert texts_of(parse("04522.7.1.a")) == ()
    assert version(parse("04522.7.1.a"), "2026-03-01T00:00:00+07:00") is None


def test_the_texts_of_a_decree_follow_each_other_without_a_gap():
    for namespace in {text.namespace for text in texts()}:
        mine = [text for text in texts() if text.namespace == namespace]
        assert all(before.valid_to == after.valid_from for before, after in pairwise(mine))
        assert all(text.source for text in mine)


@given(st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_at_no_time_do_two_texts_of_a_decree_hold(at):
    held = [text.namespace for text in texts() if text.holds(hanoi_day(at))]
    assert len(held) == len(set(held))


@pytest.mark.parametrize(
    ("act", "last_day"),
    [("2026-03-01T23:30:00+07:00", (2027, 3, 1)), ("2028-02-29T12:00:00+07:00", (2029, 2, 28))],
)
def test_an_act_can_be_fined_for_a_year_to_the_end_of_its_last_day(act, last_day):
    ends = limitation_ends(datetime.fromisoformat(act))
    assert hanoi_day(ends - timedelta(microseconds=1)) == date(*last_day)
    assert hanoi_day(ends) == date(*last_day) + timedelta(days=1)


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_clock_is_too_wrong_for_a_limitation(at):
    assert limitation_ends(at) > at


def test_a_time_without_an_offset_has_no_day():
    with pytest.raises(ValueError, match="without an offset"):
        hanoi_day(datetime(2026, 3, 1))  # noqa: DTZ001 - that is what is refused
