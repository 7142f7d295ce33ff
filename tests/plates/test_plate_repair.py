"""One misread character is repaired where its place contradicts it, marked, and never guessed."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plate_texts import PLATES

from hub.plates import look_alikes, read, reading
from hub.plates.repair import Repair, repairs
from hub.plates.tables import DIGIT_FOR, LETTER_FOR

# What a reader returns for a character of the other class.
LETTERS_OF = {digit: [a for a, b in DIGIT_FOR.items() if b == digit] for digit in "01245678"}
DIGIT_OF = {letter: digit for digit, letter in LETTER_FOR.items()}


@pytest.mark.parametrize(
    ("text", "repaired", "place", "was", "now"),
    [
        ("3OF05658", "30F05658", 2, "O", "0"),
        ("3DF05658", "30F05658", 2, "D", "0"),
        ("3QF05658", "30F05658", 2, "Q", "0"),
        ("30F0565B", "30F05658", 8, "B", "8"),
        ("30FI5658", "30F15658", 4, "I", "1"),
        ("30FZ565", "30F2565", 4, "Z", "2"),
        ("Z9H112345", "29H112345", 1, "Z", "2"),
        ("29H1123A5", "29H112345", 8, "A", "4"),
        ("29H11234S", "29H112345", 9, "S", "5"),
        ("G0H112345", "60H112345", 1, "G", "6"),
        ("T0H112345", "70H112345", 1, "T", "7"),
        ("80441N602", "80441NG02", 7, "6", "G"),
        ("30012345", "30D12345", 3, "0", "D"),
        ("30212345", "30Z12345", 3, "2", "Z"),
        ("30412345", "30A12345", 3, "4", "A"),
        ("30512345", "30S12345", 3, "5", "S"),
        ("30712345", "30T12345", 3, "7", "T"),
        ("30812345", "30B12345", 3, "8", "B"),
        ("7M1234", "TM1234", 1, "7", "T"),
        ("TM1Z34", "TM1234", 4, "Z", "2"),
    ],
)
def test_a_character_of_the_wrong_class_is_repaired_and_marked(text, repaired, place, was, now):
    found = read(text)
    assert found.repaired
    assert found.repair is not None
    assert found.repair[:4] == (place, was, now, repaired)
    assert (found.raw, found.norm, found.text) == (text, text, repaired)
    assert found.candidates == read(repaired).candidates != ()


@pytest.mark.parametrize(
    "text",
    [
        "30112345",  # 1 in a letter's place was no letter: I is in no series
        "30312345",
        "30912345",
        "30W12345",  # W, J, I, O, Q were misread, but nobody knows from what
        "30J12345",
        "30Q12345",
        "3OF0565B",  # two characters
        "I3A12345",  # would be a code that was never issued
        "30F0565X",  # X is like no digit
        "30F056",  # nothing to repair
    ],
)
def test_what_no_table_tells_is_not_repaired(text):
    found = read(text)
    assert not found.repaired
    assert found.text == text


def test_no_repair_is_made_where_none_is_allowed():
    assert read("3OF05658").repaired
    found = read("3OF05658", max_repairs=0)
    assert (found.repaired, found.candidates, found.text) == (False, (), "3OF05658")


def test_a_repaired_text_may_still_be_of_two_kinds():
    found = read("3OF25658")
    assert found.repaired
    assert found.ambiguous
    assert read("3OF25658", category="CAR").candidate.display == "30F-256.58"


def test_of_two_possible_repairs_none_is_made_and_both_are_listed(monkeypatch):
    # The present grammar has no such text (the next test but one): a later one may.
    two = tuple(
        Repair(1, "x", "y", text, read(text).candidates) for text in ("30AB26659", "TM1234")
    )
    monkeypatch.setattr(reading, "repairs", lambda _text, _on: two)
    found = read("30W12345")
    assert (found.repair, found.text) == (None, "30W12345")
    assert [each.display for each in found.candidates] == ["30-AB 266.59", "TM 12-34"]
    assert found.ambiguous


@settings(deadline=None)
@given(plate=PLATES, data=st.data())
def test_a_misread_character_is_repaired_or_listed_and_never_silently_another_plate(plate, data):
    _, text = plate
    at = data.draw(st.integers(0, len(text) - 1))
    misread = LETTERS_OF.get(text[at]) or [DIGIT_OF.get(text[at], "")]
    wrong = data.draw(st.sampled_from(misread))
    assume(wrong)
    corrupted = f"{text[:at]}{wrong}{text[at + 1 :]}"
    found = read(corrupted)
    if found.repaired:
        assert found.text == text
    else:
        # It is a plate as it stands: nothing contradicts it, but the true one is a look-alike.
        assert found.text == corrupted
        listed = (*found.candidates, *look_alikes(corrupted))
        assert text in {each.text for each in listed}


@settings(deadline=None)
@given(text=st.text("0123456789ABDGILNOQSTZCHR", min_size=6, max_size=10))
def test_no_text_that_is_no_plate_has_two_repairs(text):
    found = repairs(text)
    if not read(text, max_repairs=0).candidates:
        assert len({each.text for each in found}) <= 1
    for each in found:
        assert len(each.text) == len(text)
        assert sum(a != b for a, b in zip(text, each.text, strict=True)) == 1


@settings(deadline=None)
@given(plate=PLATES)
def test_a_plate_is_never_repaired(plate):
    found = read(plate[1])
    assert not found.repaired
    assert found.text == plate[1]


def test_an_old_motorbike_looks_like_a_new_one():
    assert [each.display for each in look_alikes("30A826659")] == ["30-AB 266.59"]
    assert [each.display for each in look_alikes("30AB26659")] == ["30-A8 266.59"]
    assert look_alikes("30F05658") == ()
