import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plate_texts import PLATES

from hub.plates import CATEGORIES, COLOURS, VehicleKey, read, reading, vehicle_key
from hub.plates.repair import Repair


def key_of(text, category="CAR", colour="WHITE"):
    return vehicle_key(read(text, category=category, colour=colour))


def test_text_category_and_colour_make_a_strong_key():
    key = key_of("30F-256.58")
    assert (key.text, key.category, key.colour) == ("30F25658", "CAR", "WHITE")
    assert not key.weak
    assert key.reasons == ()


def test_one_text_of_two_categories_or_colours_is_two_vehicles():
    keys = {
        key_of("29A12345"),
        key_of("29A12345", category="MOTORBIKE"),
        key_of("29A12345", colour="BLUE"),
    }
    assert len(keys) == 3
    assert not any(key.weak for key in keys)


@pytest.mark.parametrize(
    ("text", "category", "colour", "reason"),
    [
        ("30F25658", "UNKNOWN", "WHITE", "the category is UNKNOWN"),
        ("30F25658", "CAR", "UNKNOWN", "the colour is UNKNOWN"),
        ("unknown", "CAR", "WHITE", "nothing was read"),
        ("", "CAR", "WHITE", "nothing was read"),
        ("浙BY1234", "CAR", "WHITE", "the text is no plate of the grammar"),
        ("ABC", "CAR", "WHITE", "the text is no plate of the grammar"),
        ("3OF25658", "CAR", "WHITE", "a character was repaired"),
        ("30F25658", "CAR", "RED", "a plate of kind car is not given in RED"),
        ("30F25658", "CAR", "GREEN", "no plate is GREEN"),
    ],
)
def test_a_key_is_weak_for_a_reason(text, category, colour, reason):
    key = key_of(text, category, colour)
    assert key.weak
    assert key.reasons == (reason,)


def test_a_text_that_several_repairs_would_mend_has_a_weak_key(monkeypatch):
    two = tuple(Repair(1, "x", "y", text, read(text).candidates) for text in ("30F05658", "TM1234"))
    monkeypatch.setattr(reading, "repairs", lambda _text, _on: two)
    key = key_of("30W12345")
    assert key.text == "30W12345"
    assert key.reasons == ("the text is no plate before a repair, and several would do",)


def test_a_repaired_reading_has_the_key_of_the_plate():
    assert key_of("3OF25658") == key_of("30F25658")
    assert key_of("3OF25658").weak


def test_the_category_is_not_taken_from_the_text():
    key = vehicle_key(read("TM1234", colour="RED"))
    assert key == VehicleKey("TM1234", "UNKNOWN", "RED")
    assert key.weak


@settings(deadline=None)
@given(plate=PLATES, category=st.sampled_from(CATEGORIES), colour=st.sampled_from(COLOURS))
def test_a_key_without_category_or_colour_is_never_strong(plate, category, colour):
    found = read(plate[1], category=category, colour=colour)
    key = vehicle_key(found)
    assert (key.text, key.category, key.colour) == (plate[1], category, colour)
    unknown = "UNKNOWN" in (category, colour)
    assert key.weak is (unknown or bool(found.contradictions))
