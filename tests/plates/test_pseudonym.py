"""Pseudonyms: one vehicle within a month and a view, nothing across them, no plate in them."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plate_texts import PLATES

from hub.plates import Pseudonyms, VehicleKey
from hub.plates.pseudonym import parts

KEY = b"a key of a test site"
AT = datetime(2026, 3, 14, 0, 46, tzinfo=UTC)
CAR = VehicleKey("30F25658", "CAR", "WHITE")
PLATE_LIKE = re.compile(r"\d{2}[A-Z]{1,2}\d{3,}|[A-Z]{2}\d{4}", re.IGNORECASE)


def of(vehicle=CAR, at=AT, *, key=KEY, subscriber="htmoc"):
    return Pseudonyms(key, subscriber).of(vehicle, at)


def test_a_pseudonym_is_32_letters_and_stays_what_it_is():
    # Frozen: views of an earlier release must join within the month.
    assert of() == "rjxpprugpjvkjxmghvxytjvgxmwjmrpy"


def test_one_vehicle_subscriber_and_month_have_one_pseudonym():
    one = Pseudonyms(KEY, "htmoc")
    assert one.of(CAR, AT) == one.of(CAR, AT + timedelta(days=10)) == of()
    assert one.of(VehicleKey("30F25658", "CAR", "WHITE", ("weak",)), AT) == of()


@pytest.mark.parametrize(
    "other",
    [
        {"vehicle": VehicleKey("30F25659", "CAR", "WHITE")},
        {"vehicle": VehicleKey("30F25658", "MOTORBIKE", "WHITE")},
        {"vehicle": VehicleKey("30F25658", "CAR", "BLUE")},
        {"subscriber": "ioc"},
        {"at": AT + timedelta(days=31)},
        {"at": AT + timedelta(days=366)},
        {"key": b"the key of another site"},
    ],
)
def test_another_vehicle_view_month_or_site_has_another(other):
    assert of(**other) != of()


def test_the_month_is_the_calendar_month_in_hanoi():
    last = datetime(2026, 3, 31, 16, 59, 59, tzinfo=UTC)
    first = datetime(2026, 3, 31, 17, 0, tzinfo=UTC)
    assert of(at=last) == of()
    assert of(at=first) == of(at=datetime(2026, 4, 30, 16, 59, tzinfo=UTC)) != of()
    assert of(at=AT.astimezone(timezone(timedelta(hours=-8)))) == of()


def test_what_was_not_read_has_no_pseudonym():
    assert of(VehicleKey("", "CAR", "WHITE")) is None


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="offset"):
        of(at=datetime(2026, 3, 1))  # noqa: DTZ001 - the point


@settings(deadline=None)
@given(
    times=st.lists(
        st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
        | st.integers(-3, 3).map(lambda us: datetime(2026, 3, 31, 17, tzinfo=UTC)
                                 + timedelta(microseconds=us)),
        max_size=9,
    )
)  # fmt: skip
def test_the_quick_way_gives_the_same_whatever_it_was_asked_before(times):
    one, vehicle = Pseudonyms(KEY, "htmoc"), parts(CAR.text, CAR.category, CAR.colour)
    for at in times:
        at_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert one.letters(vehicle, at_us).decode() == of(at=at)


def test_the_ends_of_the_calendar_have_a_month_too():
    assert of(at=datetime.max.replace(tzinfo=UTC)) != of(at=datetime.min.replace(tzinfo=UTC))


def test_wrong_clocks_do_not_fill_the_memory():
    one = Pseudonyms(KEY, "htmoc")
    for year in range(1000, 1100):
        one.of(CAR, AT.replace(year=year))
        one.letters(b"", int(AT.replace(year=year + 900).timestamp()) * 1_000_000)
    assert len(one._months) <= 24
    assert len(one._hours) <= 1_000
    assert one.of(CAR, AT) == of()


def test_parts_do_not_run_into_each_other():
    assert of(VehicleKey("AB", "CAR", "WHITE")) != of(VehicleKey("A", "BCAR", "WHITE"))
    assert of(subscriber="x2026") != of(subscriber="x")


@settings(deadline=None)
@given(plates=st.lists(PLATES.map(lambda plate: plate[1]), min_size=2, max_size=20, unique=True))
def test_pseudonyms_differ_and_none_looks_like_a_plate_or_holds_one(plates):
    one = Pseudonyms(KEY, "htmoc")
    made = [one.of(VehicleKey(text, "CAR", "WHITE"), AT) for text in plates]
    assert len(set(made)) == len(plates)
    for text, pseudonym in zip(plates, made, strict=True):
        assert re.fullmatch(r"[ghjkmnpqrstuvwxy]{32}", pseudonym)
        assert not PLATE_LIKE.search(pseudonym)
        assert text not in pseudonym.upper()


def test_the_key_is_not_shown():
    shown = repr(Pseudonyms(KEY, "htmoc"))
    assert KEY.decode() not in shown
    assert "htmoc" in shown
