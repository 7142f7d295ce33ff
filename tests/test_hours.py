from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.codec import from_micros, micros
from hub.hours import DAYS, FOREVER_US, Hours, day_and_clock, minutes_of

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
FRIDAY = datetime(2026, 3, 6, tzinfo=HANOI)

clocks = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02}:{at[1]:02}")
hours = (
    st.tuples(clocks, clocks | st.just("24:00"))
    .filter(lambda both: both[0] != both[1])
    .map("-".join)
)
lists = st.lists(hours, max_size=3)
weekdays = st.lists(st.sampled_from(DAYS), max_size=3, unique=True)
# Any time since Hanoi has kept UTC+7.
moments = st.integers(micros(datetime(1976, 1, 1, tzinfo=UTC)), 2**52)


def held(texts, days, at):
    """Whether a local time is within hours on days: as a person would look it up."""
    minute = at.hour * 60 + at.minute
    for text in texts or ["00:00-24:00"]:
        begin, end = minutes_of(text)
        today = not days or DAYS[at.weekday()] in days
        yesterday = not days or DAYS[at.weekday() - 1] in days
        if begin < end:
            if today and begin <= minute < end:
                return True
        elif (today and minute >= begin) or (yesterday and minute < end):
            return True
    return False


@given(texts=lists, days=weekdays, at_us=moments)
def test_a_time_is_within_hours_by_the_clock_in_hanoi(texts, days, at_us):
    inside, low, high = Hours.of(texts, days).around(at_us)
    assert inside is held(texts, days, from_micros(at_us).astimezone(HANOI))
    assert low <= at_us < high


@given(texts=lists, days=weekdays, at_us=moments, other=st.floats(0, 1, exclude_max=True))
def test_an_answer_holds_for_as_long_as_it_says(texts, days, at_us, other):
    found = Hours.of(texts, days)
    inside, low, high = found.around(at_us)
    if found.always:
        assert (inside, low, high) == (True, -FOREVER_US, FOREVER_US)
    else:
        assert found.around(low + int((high - low) * other)) == (inside, low, high)


@given(one=st.tuples(lists, weekdays), other=st.tuples(lists, weekdays), at_us=moments)
def test_a_union_and_the_rest_are_what_they_say(one, other, at_us):
    a, b = Hours.of(*one), Hours.of(*other)
    both = Hours.union((a, b))
    assert both.around(at_us)[0] is (a.around(at_us)[0] or b.around(at_us)[0])
    assert a.rest().around(at_us)[0] is not a.around(at_us)[0]
    assert both.covers(a)
    assert both.covers(b)
    assert a.covers(b) is (both == a)
    assert a.covers(a.rest()) is (a.rest().parts == ())


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (timedelta(hours=21, minutes=59), False),
        (timedelta(hours=22), True),
        (timedelta(hours=28, minutes=59), True),
        (timedelta(hours=29), False),
        (timedelta(hours=2), False),
        (timedelta(hours=46), False),
    ],
)
def test_a_night_of_friday_ends_on_saturday_morning(at, inside):
    night = Hours.of(["22:00-05:00"], ["FRI"])
    assert night.around(micros(FRIDAY + at))[0] is inside


def test_a_night_of_sunday_ends_on_monday_of_the_next_week():
    night = Hours.of(["22:00-05:00"], ["SUN"])
    monday = FRIDAY + timedelta(days=3)
    found = [night.around(micros(monday + timedelta(hours=hour)))[0] for hour in (-2.5, -1, 4, 5)]
    assert found == [False, True, True, False]
    assert str(night) == "MON 00:00 to MON 05:00, SUN 22:00 to MON 00:00"


def test_without_hours_a_day_is_whole_and_without_days_every_day_is_meant():
    assert Hours.of().always
    assert Hours.of(["00:00-24:00"], DAYS).always
    assert Hours.of(["05:00-22:00", "22:00-05:00"]).always
    assert str(Hours.of(days=["TUE"])) == "TUE 00:00 to WED 00:00"
    assert str(Hours.of(["08:00-09:00"])).endswith("WED 08:00 to WED 09:00 and 4 more")


def test_a_time_is_told_as_day_and_clock_in_hanoi():
    assert day_and_clock(micros(FRIDAY + timedelta(hours=22, minutes=5))) == "FRI 22:05"


@pytest.mark.parametrize("text", ["", "22-05", "24:00-05:00", "8:00-9:00", "08:00-09:60", "8:00"])
def test_what_are_no_hours_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write 22:00-05:00"):
        minutes_of(text)
