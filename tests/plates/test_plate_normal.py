"""One spelling for comparing, the source's own kept, and what was folded or lost told."""

from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.plates import normalise as as_connectors_do
from hub.plates import read
from hub.plates.tables import LOOK_ALIKES

PLATE_LIKE = st.text(
    st.sampled_from(" -.\n\t•·_'0123456789abzABZđĐ\u0110\u00d0" + "".join(LOOK_ALIKES)), max_size=14
)


@pytest.mark.parametrize(
    ("raw", "norm"),
    [
        ("30F-256.58", "30F25658"),
        (" 30f-256.58\r\n", "30F25658"),
        ("29-H1\n123.45", "29H112345"),
        ("29-H1 • 123·45", "29H112345"),
        ("29★A 123.45", "29A12345"),
        ("30F_256_58", "30F25658"),
        ("29MĐ-012.34", "29MD01234"),
        ("29mđ-012.34", "29MD01234"),
        ("29A\x00123\u202e45", "29A12345"),
    ],
)
def test_separators_badges_and_line_ends_are_left_out_unmarked(raw, norm):
    reading = read(raw)
    assert (reading.norm, reading.raw) == (norm, raw)
    assert (reading.folded, reading.dropped) == ((), "")


@pytest.mark.parametrize(
    ("raw", "norm", "folded"),
    [
        ("29\u0410-123.45", "29A12345", (("\u0410", "A"),)),
        ("29\u0430-123.45", "29A12345", (("\u0430", "A"),)),
        ("30\u039a-970.21", "30K97021", (("\u039a", "K"),)),
        ("29M\u00d0 01234", "29MD01234", (("\u00d0", "D"),)),
        ("\uff12\uff19A12345", "29A12345", (("\uff12", "2"), ("\uff19", "9"))),
        ("29\uff41 12345", "29A12345", (("\uff41", "A"),)),
    ],
)
def test_letters_of_other_scripts_and_widths_are_folded_and_marked(raw, norm, folded):
    reading = read(raw)
    assert (reading.norm, reading.folded, reading.raw) == (norm, folded, raw)


@pytest.mark.parametrize(
    ("raw", "dropped"),
    [("浙BY1234", "浙"), ("29Д12345", "Д"), ("29\u00c112345", "\u00c1"), ("29ß12345", "ß"),
     ("29A1234\u0665", "\u0665"), ("TM12-34京", "京")],
)  # fmt: skip
def test_a_letter_without_a_plain_form_is_told_and_the_rest_is_no_plate(raw, dropped):
    reading = read(raw)
    assert reading.dropped == dropped
    assert reading.candidates == ()
    assert not reading.repaired


@pytest.mark.parametrize(
    "raw",
    ["", " ", "-", "--", "?", "unknown", "Unknown", "UNKNOW", "UNK", "unk-m-0", "unlicensed",
     "none", "null", "No Plate", "noPlate", "no_plate", "N/A", "not read", "unrecognised",
     "0", "000000", "00-000.00", "无车牌", "未识别", "\u202e"],
)  # fmt: skip
def test_a_device_word_for_nothing_is_a_sentinel_and_no_plate(raw):
    reading = read(raw)
    assert reading.sentinel
    assert (reading.raw, reading.norm, reading.text, reading.candidates) == (raw, "", "", ())


@settings(deadline=None)
@given(text=st.text("0123456789ABNGKLUO", min_size=6, max_size=9).filter(lambda t: t.strip("0")))
def test_what_has_a_character_of_a_plate_is_no_sentinel(text):
    assert read(text).sentinel is text.startswith(("UNKNO", "NOPLATE"))


@settings(deadline=None)
@given(raw=st.text(max_size=40) | PLATE_LIKE)
def test_normalising_twice_changes_nothing(raw):
    once = read(raw)
    assert once.raw == raw
    again = read(once.norm)
    assert (again.norm, again.folded, again.dropped) == (once.norm, (), "")
    assert again.sentinel is once.sentinel


@settings(deadline=None)
@given(raw=st.text(max_size=40) | PLATE_LIKE)
def test_normalising_and_repairing_never_lengthen(raw):
    reading = read(raw)
    assert len(reading.norm) <= len(normalize("NFC", raw))
    assert len(reading.text) == len(reading.norm)
    assert not reading.norm or (reading.norm.isascii() and reading.norm.isalnum())


@settings(deadline=None)
@given(raw=PLATE_LIKE)
def test_composed_and_decomposed_texts_read_alike(raw):
    composed, apart = read(normalize("NFC", raw)), read(normalize("NFD", raw))
    assert (composed.norm, composed.candidates) == (apart.norm, apart.candidates)


@settings(deadline=None)
@given(raw=PLATE_LIKE)
def test_connectors_spell_a_plate_in_the_same_way(raw):
    reading = read(raw)
    spelt = as_connectors_do(raw)
    assert reading.norm == (spelt if spelt.strip("0") else "")


def test_a_text_of_ten_thousand_characters_is_no_plate():
    reading = read("29A12345" * 1250)
    assert (len(reading.norm), reading.candidates, reading.repair) == (10_000, (), None)


def test_a_lone_surrogate_is_no_letter():
    assert read("29A\ud800-123.45").norm == "29A12345"
