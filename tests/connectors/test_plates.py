"""Plates: one spelling for comparing, the source's own kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.plates import normalise, read_plate, without_plate


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("30F-256.58", "30F25658"),
        ("30-AB 266.59", "30AB26659"),
        ("29-H1\n123.45", "29H112345"),
        ("80-441-NG-02", "80441NG02"),
        ("TM 12-34", "TM1234"),
        ("29MĐ-012.34", "29MD01234"),
        ("29mđ-012.34", "29MD01234"),
        ("29M\u00d0 01234", "29MD01234"),
        ("\uff12\uff19\uff21-123.45", "29A12345"),
        ("29\u0410-123.45", "29A12345"),
        ("30\u039a-970.21", "30K97021"),
        ("30\u041d\u0421 111.22", "30HC11122"),
        ("30\u0421\u0422-222.33", "30CT22233"),
    ],
)
def test_a_plate_is_upper_case_letters_and_digits(raw, text):
    assert text == normalise(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "-",
        "--",
        "?",
        "unknown",
        "Unknown",
        "UNKNOW",
        "unlicensed",
        "UNK-M-0",
        "none",
        "null",
        "No Plate",
        "N/A",
        "无车牌",
    ],
)
def test_a_word_for_no_plate_is_no_plate(raw):
    assert normalise(raw) == ""


@settings(max_examples=200, deadline=None)
@given(raw=st.text(max_size=40))
def test_normalising_twice_changes_nothing(raw):
    once = normalise(raw)
    assert once == normalise(once)
    assert once.isascii()
    assert not once or once.isalnum()


def test_an_unread_plate_keeps_the_source_word_and_has_no_confidence():
    plate, flags = read_plate("unknown", confidence=0.0)
    assert tuple(plate[key] for key in ("raw", "text", "confidence", "colour")) == (
        "unknown",
        "",
        None,
        "UNKNOWN",
    )
    assert flags == ("plate_unread",)


def test_a_read_plate_keeps_a_confidence_of_nought_and_its_colour():
    plate, flags = read_plate("29A-123.45", colour="Yellow", confidence=0.0)
    assert (plate["confidence"], plate["colour"], flags) == (0.0, "YELLOW", ())


@pytest.mark.parametrize("colour", ["", "unknown", "other", "pink"])
def test_an_unlisted_colour_is_unknown(colour):
    assert read_plate("29A-123.45", colour=colour)[0]["colour"] == "UNKNOWN"


def test_an_id_that_spells_the_plate_is_withheld():
    assert without_plate("20260314_29a-123.45", "29A12345") == (None, ("native_id_withheld",))
    assert without_plate("20260314", "29A12345") == ("20260314", ())
    assert without_plate("20260314", "26") == ("20260314", ())
    assert without_plate("", "29A12345") == (None, ())
