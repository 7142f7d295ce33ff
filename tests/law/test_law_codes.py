"""Codes of violations: what they say, and what is told of one that is wrong."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import PayloadError
from hub.law import POINTS, Code, parse

numbered = st.builds("{}{}".format, st.integers(1, 999), st.sampled_from(["", *POINTS[:5]]))
codes = st.builds(
    Code,
    number=st.integers(1, 999),
    year=st.integers(2000, 2099),
    article=numbered,
    clause=numbered,
    point=st.sampled_from(POINTS),
    seq=st.integers(0, 99).map("{:02}".format),
)


def test_a_code_is_read_in_its_parts():
    code = parse("16824.7.7.c.01")
    assert Code(168, 2024, "7", "7", "c", "01") == code
    assert (code.namespace, code.decree) == ("16824", "168/2024/ND-CP")
    assert code.cited == "điểm c khoản 7 Điều 7 Nghị định 168/2024/NĐ-CP"
    assert parse("12321.5.3.a.01").decree == "123/2021/ND-CP"


def test_a_code_may_end_with_its_point_or_clause():
    assert (parse("16824.7.4.đ").point, parse("16824.7.4.đ").seq) == ("đ", "")
    assert parse("16824.12.4").cited == "khoản 4 Điều 12 Nghị định 168/2024/NĐ-CP"
    assert parse("16824.6.9.b.01").provision == parse("16824.6.9.b")


def test_a_clause_that_an_amendment_inserted_has_a_letter():
    assert parse("16824.6.1a.b.01").clause == "1a"


def test_a_d_with_a_stroke_is_another_point_than_d():
    assert parse("16824.6.3.đ.01") != parse("16824.6.3.d.01")
    assert str(parse("16824.6.3.đ.01")) == "16824.6.3.đ.01"


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_normal_form_is_the_same_code(form):
    assert parse(unicodedata.normalize(form, "16824.7.4.đ.01")) == parse("16824.7.4.đ.01")


@pytest.mark.parametrize("stroke", ["\u0335", "\u0336"])
def test_a_stroke_typed_over_a_d_is_a_d_with_stroke(stroke):
    assert parse(f" 16824.7.4.d{stroke}.01 ") == parse("16824.7.4.đ.01")


@given(codes)
def test_what_is_written_is_read_again(code):
    assert parse(str(code)) == code
    assert parse(str(code.provision)) == code.provision


@given(codes, codes)
def test_two_codes_are_written_alike_only_when_they_are_one(one, other):
    assert (str(one) == str(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("16824.7", "has 2 parts", "16824.7.7.c.01"),
        ("16824.7.7.c.01.x", "has 6 parts", "16824.7.7.c.01"),
        ("1682.7.7.c.01", "'1682' is no decree", "16824 for 168/2024"),
        ("00024.7.7.c.01", "'00024' is no decree", "16824 for 168/2024"),
        ("16824.0.7.c.01", "'0' is no article", "write its number"),
        ("16824.7.x.c.01", "'x' is no clause", "write its number"),
        ("16824.7.7.C.01", "'C' is a capital", "write c"),
        ("16824.7.7.Đ.01", "'Đ' is a capital", "write đ"),
        ("16824.7.7.dd.01", "how a keyboard writes đ", "write đ"),
        ("16824.7.7.f.01", "'f' is no point", "a b c d đ e g"),
        ("16824.7.7.ð.01", "LATIN SMALL LETTER ETH", "đ is U+0111"),
        ("16824.7.7..01", "'' is no point", "a b c d đ e g"),
        ("16824.7.7.c.1", "'1' is no sequence", "01"),
        ("16824.7.7.c.٠١", "is no sequence", "01"),
        ("", "has 1 parts", "16824.7.7.c.01"),
    ],
)
def test_a_wrong_code_is_told_which_part_and_how_to_write_it(text, what, fix):
    with pytest.raises(PayloadError) as caught:
        parse(text)
    assert caught.value.code == "law-code"
    assert what in caught.value.what.replace("the point ", "")
    assert fix in caught.value.fix


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_refused_in_words(text):
    try:
        code = parse(text)
    except PayloadError:
        return
    assert parse(str(code)) == code
