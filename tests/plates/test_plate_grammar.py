"""Which kinds of plate a text can be: the vectors of the rules, and every plate they make."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plate_texts import KINDS, PLATES

from hub.plates import CATEGORIES, COLOURS, Kind, read
from hub.plates.grammar import match
from hub.plates.tables import ISSUED, LOCAL_CODES
from schemas import models

# The rules as they are written down, apart from the code.
CAR = re.compile(r"\d{2}[A-HK-NPSTUVXYZ]\d{3,5}")
SPECIAL = re.compile(r"\d{2}(CD|RM|HC|KT|MK|TD|LD|DA|MD|R|CT|LB)\d{3,5}")
MOTORBIKE_NEW = re.compile(r"\d{2}[A-HK-NPSTUVXYZ][A-HK-NPRSTUVXYZ]\d{5}")
MOTORBIKE_OLD = re.compile(r"\d{2}[A-HK-NPSTUVXYZ][1-9]\d{3,5}")
DIPLOMATIC = re.compile(r"\d{2}(?:\d{3}(NG|QT|CV)|(NG|QT|CV)\d{3})\d{2,3}")
FOREIGN = re.compile(r"\d{2}(?:\d{3}NN|NN\d{3})\d{2,3}")
MILITARY = re.compile(r"[A-Z]{2}\d{4}")
RULES = {
    "car": CAR,
    "motorbike_new": MOTORBIKE_NEW,
    "motorbike_old": MOTORBIKE_OLD,
    "special": SPECIAL,
    "diplomatic": DIPLOMATIC,
    "foreign": FOREIGN,
    "military": MILITARY,
}
NEVER_ISSUED = ("13", "42", "44", "45", "46", "87", "91", "96")


def told(text, **known):
    return [(each.kind.value, each.display) for each in read(text, **known).candidates]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("29A12345", [("car", "29A-123.45"), ("motorbike_old", "29-A1 2345")]),
        ("29HC12345", [("motorbike_new", "29-HC 123.45"), ("special", "29HC-123.45")]),
        ("29LD01234", [("motorbike_new", "29-LD 012.34"), ("special", "29LD-012.34")]),
        ("29NN12345", [("motorbike_new", "29-NN 123.45"), ("foreign", "29-NN-123-45")]),
    ],
)
def test_a_text_of_two_kinds_is_ambiguous_and_names_both(text, kinds):
    reading = read(text)
    assert told(text) == kinds
    assert reading.ambiguous
    assert reading.candidate is None


@pytest.mark.parametrize(
    ("raw", "kind", "display", "category"),
    [
        ("30F-056.58", "car", "30F-056.58", "CAR"),
        ("30F 0565", "car", "30F-0565", "CAR"),
        ("30F-056", "car", "30F-056", "CAR"),
        ("30-AB 266.59", "motorbike_new", "30-AB 266.59", "MOTORBIKE"),
        ("30-AG 266.59", "motorbike_new", "30-AG 266.59", "MOTORBIKE"),
        ("30-AR 266.59", "motorbike_new", "30-AR 266.59", "MOTORBIKE"),
        ("29-H1\n123.45", "motorbike_old", "29-H1 123.45", "MOTORBIKE"),
        ("29RM 012.34", "special", "29RM-012.34", "SPECIAL"),
        ("29R-012.34", "special", "29R-012.34", "SPECIAL"),
        ("29KT0123", "special", "29KT-0123", "SPECIAL"),
        ("29TĐ 0123", "special", "29TĐ-0123", "SPECIAL"),
        ("80-441-NG-02", "diplomatic", "80-441-NG-02", "DIPLOMATIC"),
        ("80-NG-441-002", "diplomatic", "80-NG-441-002", "DIPLOMATIC"),
        ("29-781-QT-01", "diplomatic", "29-781-QT-01", "DIPLOMATIC"),
        ("29-441-CV-123", "diplomatic", "29-441-CV-123", "DIPLOMATIC"),
        ("29-441-NN-12", "foreign", "29-441-NN-12", "FOREIGN"),
        ("TM 12-34", "military", "TM 12-34", "MILITARY"),
    ],
)
def test_a_text_of_one_kind_is_that_plate(raw, kind, display, category):
    candidate = read(raw).candidate
    assert candidate is not None
    assert (candidate.kind, candidate.display, candidate.category) == (kind, display, category)


@pytest.mark.parametrize(
    "text",
    ["29W12345", "29J12345", "29I12345", "29Q12345", "29WA12345", "29A0123456", "29", "A12345",
     "29A12", "29A123456789", "TM12345", "2912345", "29AB1234", "80441AB02", "30A\u0661\u0662345"],
)  # fmt: skip
def test_a_text_of_no_kind_is_kept_and_has_no_candidate(text):
    reading = read(text, max_repairs=0)
    assert reading.candidates == ()
    assert reading.raw == text
    assert reading.norm != ""
    assert not reading.sentinel


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_every_plate_of_every_kind_is_found(kind, data):
    _, text = data.draw(KINDS[kind])
    reading = read(text)
    assert kind in {each.kind for each in reading.candidates}
    assert not reading.repaired
    assert {each.text for each in reading.candidates} == {text}


@settings(deadline=None)
@given(text=st.text("0123456789ABNGQTVRDHCW", min_size=5, max_size=11))
def test_the_kinds_of_a_text_are_those_of_the_written_rules(text):
    wanted = {
        kind
        for kind, rule in RULES.items()
        if rule.fullmatch(text) and (kind == "military" or text[:2] in ISSUED)
    }
    assert {each.kind.value for each in match(text)} == wanted


@settings(deadline=None)
@given(plate=PLATES)
def test_the_display_of_a_candidate_reads_as_the_same_candidates(plate):
    candidates = read(plate[1]).candidates
    for each in candidates:
        assert read(each.display).candidates == candidates


@settings(deadline=None)
@given(plate=PLATES)
def test_a_candidate_holds_every_character_of_its_text(plate):
    for each in read(plate[1]).candidates:
        parts = [each.local, each.series, each.country, each.number]
        assert sorted("".join(parts)) == sorted(plate[1])


# Local codes


@pytest.mark.parametrize("code", NEVER_ISSUED)
def test_a_code_that_was_never_issued_is_no_plate_and_says_so(code):
    reading = read(f"{code}A12345")
    assert reading.candidates == ()
    assert reading.contradictions == (f"local code {code} was never issued",)


def test_only_a_plate_but_for_its_code_says_that_the_code_was_never_issued():
    assert read("13WW").contradictions == ()
    assert read("1312345").contradictions == ()


@pytest.mark.parametrize("code", ["29", "30", "31", "32", "33", "40"])
def test_a_code_of_hanoi_names_it(code):
    assert {each.province for each in match(f"{code}A12345")} == {"Hà Nội"}


def test_other_codes_are_accepted_without_a_name_and_central_bodies_have_one():
    assert {each.province for each in match("51A12345")} == {""}
    assert {each.province for each in match("80A12345")} == {"Cục Cảnh sát giao thông"}
    assert {row.code for row in LOCAL_CODES} <= ISSUED
    assert ISSUED.isdisjoint(NEVER_ISSUED)
    assert len(ISSUED) == 81


def test_a_province_is_that_of_the_day_in_hanoi():
    def of(at):
        return read("30F05658", at=at).candidates[0].province

    assert of(datetime(2024, 12, 31, 16, 59, tzinfo=UTC)) == ""
    assert of(datetime(2024, 12, 31, 17, 0, tzinfo=UTC)) == "Hà Nội"
    assert of(datetime(9999, 12, 31, 23, 0, tzinfo=UTC)) == "Hà Nội"
    assert of(datetime(1, 1, 1, tzinfo=UTC)) == ""
    assert of(None) == "Hà Nội"


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="offset"):
        read("30F05658", at=datetime(2026, 3, 1))  # noqa: DTZ001 - the point


# Category and colour


@pytest.mark.parametrize(
    ("text", "known", "kind"),
    [
        ("29A12345", {"category": "CAR"}, "car"),
        ("29A12345", {"category": "MOTORBIKE"}, "motorbike_old"),
        ("29A12345", {"colour": "YELLOW"}, "car"),
        ("29HC12345", {"category": "CAR"}, "special"),
        ("29HC12345", {"category": "SPECIAL"}, "special"),
        ("29HC12345", {"category": "MOTORBIKE"}, "motorbike_new"),
        ("29HC12345", {"colour": "BLUE"}, "special"),
        ("29LD01234", {"colour": "YELLOW"}, "special"),
        ("29NN12345", {"category": "FOREIGN"}, "foreign"),
        ("29NN12345", {"category": "DIPLOMATIC"}, "foreign"),
        ("29NN12345", {"category": "CAR"}, "foreign"),
        ("29NN12345", {"category": "MOTORBIKE"}, "motorbike_new"),
    ],
)
def test_category_or_colour_decides_where_only_one_kind_has_it(text, known, kind):
    reading = read(text, **known)
    assert reading.candidate is not None
    assert reading.candidate.kind == kind
    assert reading.contradictions == ()
    assert len(reading.candidates) == 2


@pytest.mark.parametrize("known", [{"colour": "WHITE"}, {"colour": "BLUE"}, {}])
def test_what_two_kinds_have_does_not_decide(known):
    assert read("29A12345", **known).ambiguous


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("29N12345", {"colour": "BLUE"}, "not given in BLUE"),
        ("29-N1 123.45", {"colour": "BLUE"}, "not given in BLUE"),
        ("30-AB 266.59", {"colour": "BLUE"}, "not given in BLUE"),
        ("TM1234", {"colour": "WHITE"}, "kind military is not given in WHITE"),
        ("29A12345", {"colour": "RED"}, "not given in RED"),
        ("80441NG02", {"colour": "BLUE"}, "not given in BLUE"),
        ("80441NG02", {"category": "MOTORBIKE"}, "not of category MOTORBIKE"),
        ("30-AB 266.59", {"category": "CAR"}, "not of category CAR"),
        ("29A12345", {"category": "MILITARY"}, "not of category MILITARY"),
        ("29A12345", {"category": "MOTORBIKE", "colour": "YELLOW"}, "not given in YELLOW"),
        ("30F05658", {"colour": "GREEN"}, "no plate is GREEN"),
        ("30F05658", {"colour": "BLACK"}, "no plate is BLACK"),
        ("ABC", {"category": "MILITARY", "colour": "WHITE"}, "of category MILITARY is WHITE"),
        ("", {"category": "DIPLOMATIC", "colour": "RED"}, "of category DIPLOMATIC is RED"),
    ],
)
def test_what_contradicts_is_told_and_not_corrected(text, known, words):
    reading = read(text, **known)
    assert len(reading.contradictions) == 1
    assert words in reading.contradictions[0]
    assert {"category": reading.category, "colour": reading.colour} == {
        "category": "UNKNOWN",
        "colour": "UNKNOWN",
        **known,
    }
    assert reading.fitting or not reading.candidates


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("29M12345", {"colour": "BLUE", "category": "CAR"}),
        ("29-M1 123.45", {"colour": "BLUE", "category": "MOTORBIKE"}),
        ("TM1234", {"colour": "RED", "category": "CAR"}),
        ("TM1234", {"colour": "RED", "category": "MILITARY"}),
        ("80441NG02", {"colour": "WHITE", "category": "CAR"}),
        ("80441NG002", {"colour": "WHITE", "category": "MOTORBIKE"}),
        ("ABC", {"colour": "WHITE", "category": "CAR"}),
        ("ABC", {"colour": "RED"}),
        ("ABC", {"category": "MILITARY"}),
    ],
)
def test_what_goes_together_contradicts_nothing(text, known):
    assert read(text, **known).contradictions == ()


@settings(deadline=None)
@given(
    plate=PLATES,
    category=st.sampled_from(CATEGORIES),
    colour=st.sampled_from(COLOURS),
)
def test_contradictions_never_spell_the_plate(plate, category, colour):
    reading = read(plate[1], category=category, colour=colour)
    assert set(reading.fitting) <= set(reading.candidates)
    assert all(plate[1][2:] not in each and "-" not in each for each in reading.contradictions)


def test_names_are_those_of_the_schema():
    assert set(CATEGORIES) == {*models.PlateCategory.__args__}
    assert set(COLOURS) == {*models.PlateColour.__args__}
    assert {read("TM1234").candidates[0].category for _ in Kind} <= set(CATEGORIES)


@pytest.mark.parametrize(
    "wrong", [{"category": "TRUCK"}, {"colour": "white"}, {"max_repairs": 2}, {"max_repairs": -1}]
)
def test_a_name_or_a_number_that_is_not_allowed_is_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        read("29A12345", **wrong)
