import unicodedata

import pytest

from hub.junctions import same_junction

ONE = "Trần Duy Hưng - Hoàng Minh Giám"


@pytest.mark.parametrize(
    "other",
    [
        "Hoàng Minh Giám - Trần Duy Hưng",
        "trần duy hưng/hoàng minh giám",
        "Tran Duy Hung – Hoang Minh Giam",
        "TRẦN DUY HƯNG — HOÀNG MINH GIÁM (VT12)",
        "Trần Duy Hưng - Hoàng Minh Giám (VT12), Phường Yên Hòa, Thành phố Hà Nội",
        unicodedata.normalize("NFD", ONE),
    ],
)
def test_one_junction_is_known_in_every_spelling(other):
    assert same_junction(ONE, other)
    assert same_junction(other, ONE)


@pytest.mark.parametrize(
    "other",
    [
        "Trần Duy Hưng",
        "Trần Duy Hưng - Nguyễn Chánh",
        "Trần Duy Hưng - Hoàng Minh Giám - Nguyễn Chánh",
        "Trần Duy Hùng - Hoàng Minh Giám",
        "",
    ],
)
def test_another_junction_is_another_one(other):
    assert not same_junction(ONE, other)
    assert not same_junction(other, ONE)


def test_a_name_without_letters_means_no_junction():
    assert not same_junction("", "")
    assert not same_junction("-", "(VT1)")


def test_a_road_written_twice_is_one_and_of_two_spellings_each_finds_its_own():
    assert same_junction("Láng - Láng", "Lang")
    assert same_junction("Hoa Lư - Hoà Lu", "Hòa Lu - Hoa Lư")
