"""A plan that is kept says what a fresh one would, for as long as it is kept."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from steps import Arrival, Steps, codec
from test_rule_matches import (
    DAY_US,
    MONDAY_US,
    at,
    book_of,
    dated,
    device,
    header,
    keyed,
    rule,
    times,
)

from hub.codec import from_micros
from streams.head import COARSE_US
from streams.place import DeviceRegister
from streams.route import RuleBook

FOREVER = 2**62
HOUR_US = DAY_US // 24
entries = st.sampled_from(
    [
        at("nso-2025-07:00004", owner_agency="o", junction="A - B"),
        at("nso-2024:00070", purpose="traffic"),
        at("nso-2024:00013", owner_agency="p", legacy_district="Ba Đình"),
        device(),
    ]
)
# Two entries of one device, one after the other.
registers = st.tuples(entries, entries, times)
# Near the edges of hours and days, where a plan ends.
edges = st.tuples(
    st.integers(0, 14 * 24 * 2).map(lambda half_hours: MONDAY_US + half_hours * DAY_US // 48),
    st.integers(-2 * COARSE_US, 2 * COARSE_US),
).map(sum)
happened = times | edges


def register_of(first, second, from_us):
    register = DeviceRegister()
    register.put(b"1", first, 0, from_us)
    register.put(b"2", second, from_us, FOREVER)
    return register


def hub_of(drawn, entered):
    return Steps(rules=book_of(keyed(drawn)), register=register_of(*entered))


@given(drawn=dated, entered=registers, one=st.tuples(happened, times),
       other=st.tuples(happened, times))  # fmt: skip
@settings(deadline=None)
def test_a_plan_equals_a_fresh_one_at_every_time_of_its_validity(drawn, entered, one, other):
    planner = hub_of(drawn, entered).process._planner

    def plan(happened_us, appended_us):
        return planner.plan(header(happened_us), "plate_read", appended_us)

    kept = plan(*one)
    assert kept.low_us <= one[0] < kept.high_us
    assert kept.from_us <= one[1] < kept.to_us
    if kept.low_us <= other[0] < kept.high_us and kept.from_us <= other[1] < kept.to_us:
        assert kept.targets == plan(*other).targets


def plate_read(number, happened_us):
    seen = from_micros(happened_us)
    whole = {
        **header(happened_us),
        "event_id": number.to_bytes(16, "big"),
        "subject_id": bytes(16),
        "lifecycle": "NEW",
        "observed_at": seen,
        # Long after, so that nothing but the time it happened decides.
        "received_at": datetime(2026, 4, 1, tzinfo=UTC),
        "origin": {"sha256": bytes(32)},
    }
    nothing = {"plate": None, "pictures": None, "persons": None}
    return codec("plate_read").encode(whole, nothing, {})[0]


@given(drawn=dated, entered=registers,
       arrivals=st.lists(st.tuples(happened, times), min_size=2, max_size=8))  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_one_worker_delivers_in_a_row_what_a_new_one_delivers_for_each_event(
    drawn, entered, arrivals
):
    records = [
        Arrival(b"vms/7", plate_read(number, seen), None, written // 1000)
        for number, (seen, written) in enumerate(sorted(arrivals, key=lambda pair: pair[1]))
    ]
    worker = hub_of(drawn, entered)
    in_a_row = worker.take("plate_read", *records)
    each = [out for one in records for out in hub_of(drawn, entered).take("plate_read", one)]
    assert not worker.refused
    assert in_a_row == each


class Counted(RuleBook):
    """Rules that know how often they were asked."""

    asked = 0

    def choose(self, facts, at_us):
        self.asked += 1
        return super().choose(facts, at_us)


def test_hours_cost_a_plan_for_each_part_of_a_day_and_not_for_each_event():
    book = Counted()
    book.put(b"a", rule(hours=["22:00-05:00"]), 0, FOREVER)
    hub = Steps(rules=book, register=register_of(device(), device(), MONDAY_US))
    evening_us, minute_us = MONDAY_US + 20 * HOUR_US, HOUR_US // 60
    records = [
        Arrival(b"vms/7", plate_read(number, evening_us + number * minute_us))
        for number in range(10 * 60)
    ]
    delivered = hub.take("plate_read", *records)
    # One before 22:00, one for the night, one after 05:00.
    assert (len(delivered), book.asked) == (7 * 60, 3)
