"""One name in all its spellings."""

import unicodedata

import pytest
from area_facts import NEW, OLD
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.areas.names import Names, key_of, readings
from hub.areas.tables import shipped

TONES = "\u0300\u0301\u0303\u0309\u0323"
SHORT = {
    "phường": "P.",
    "xã": "X.",
    "thị trấn": "TT.",
    "quận": "Q.",
    "huyện": "H.",
    "thị xã": "TX.",
}
INDEXES = {scheme: Names(shipped().communes(scheme)) for scheme in (OLD, NEW)}
UNITS = [unit for scheme in (OLD, NEW) for unit in shipped().communes(scheme)]


def plain(text):
    """Without any diacritics."""
    marked = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in marked if not unicodedata.combining(letter))


def other_tone_placement(text):
    """`hòa` for `hoà` and the reverse, `thụy` for `thuỵ`."""
    words = []
    for word in text.split(" "):
        letters = unicodedata.normalize("NFD", word)
        for pair in ("oa", "oe", "uy"):
            for tone in TONES:
                first, last = pair[0] + tone + pair[1], pair + tone
                if letters.endswith(first):
                    letters = letters.removesuffix(first) + last
                elif letters.endswith(last):
                    letters = letters.removesuffix(last) + first
                else:
                    continue
                break
        words.append(unicodedata.normalize("NFC", letters))
    return " ".join(words)


SPELLINGS = {
    "nfc": lambda name: name,
    "nfd": lambda name: unicodedata.normalize("NFD", name),
    "plain": plain,
    "tone": other_tone_placement,
}


def test_the_other_tone_placement_is_another_text():
    assert other_tone_placement("Hòa Lạc") == "Hoà Lạc"
    assert other_tone_placement("Gia Thụy") == "Gia Thuỵ"
    changed = [unit for unit in UNITS if other_tone_placement(unit.name) != unit.name]
    assert len(changed) > 30


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("prefix", ["none", "full", "short"])
def test_every_unit_is_found_by_every_spelling_of_its_name(spelling, prefix):
    wrong = []
    for unit in UNITS:
        text = SPELLINGS[spelling](unit.name)
        if prefix == "full":
            text = f"{SPELLINGS[spelling](unit.kind)} {text}"
        elif prefix == "short":
            text = f"{SHORT[unit.kind]}{text}"
        found = INDEXES[unit.scheme].find(text)
        # Others may share the name; with the diacritics none of another name does.
        same = {plain(each.name) for each in found}
        if unit not in found or same != {plain(unit.name)}:
            wrong.append((text, found))
        if spelling != "plain" and {each.name for each in found} != {unit.name}:
            wrong.append((text, found))
    assert wrong == []


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
def test_case_does_not_matter(change):
    wrong = [unit for unit in UNITS if unit not in INDEXES[unit.scheme].find(change(unit.name))]
    assert wrong == []


@pytest.mark.parametrize("joint", ["", "-", " - ", "  ", "\u00a0", "_", " \u2013 "])
def test_spaces_and_hyphens_do_not_matter(joint):
    found = INDEXES[NEW].find(joint.join(["Văn", "Miếu", "Quốc", "Tử", "Giám"]))
    assert [unit.code for unit in found] == ["00226"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Phường Phương Liệt", ["00352"]),
        ("Phuong Phuong Liet", ["00352"]),
        ("Phuong Liet", ["00352"]),
        ("P.Láng", ["00199"]),
        ("phường  Láng", ["00199"]),
        ("Lang", ["00199"]),
        ("Ðại Mỗ", ["00637"]),
        ("Dai Mỗ", ["00637"]),
        ("ＢＡ ＤＩＮＨ", ["00004"]),
        ("Yen Bai", ["09706"]),
        ("Yên Bái", []),
        ("Yên Bài", ["09706"]),
        ("Lãng", []),
        ("Xã Láng", ["00199"]),
        ("Hoà Xá", ["10417"]),
        ("Phường", []),
        ("", []),
        (" - ", []),
        ("\u0301", []),
        ("Tokyo", []),
    ],
)
def test_what_a_text_means_today(text, codes):
    assert codes == [unit.code for unit in INDEXES[NEW].find(text)]


def test_a_kind_decides_between_two_units_of_one_name():
    yen_vien = INDEXES[OLD]
    assert [unit.code for unit in yen_vien.find("TT Yên Viên")] == ["00526"]
    assert [unit.code for unit in yen_vien.find("xã Yên Viên")] == ["00532"]
    assert [unit.code for unit in yen_vien.find("Yên Viên")] == ["00526", "00532"]


def test_roman_and_arabic_numbers_are_one_name():
    assert key_of("Mỹ Đình 1") == key_of("Mỹ Đình I")
    assert [unit.name for unit in INDEXES[OLD].find("My Dinh II")] == ["Mỹ Đình 2"]


def test_a_prefix_without_diacritics_has_two_readings():
    assert [kind for kind, _ in readings("Phuong Mai")] == ["", "phường"]
    assert [kind for kind, _ in readings("Phương Mai")] == [""]
    assert [kind for kind, _ in readings("thi xa Son Tay")] == ["", "thị xã"]


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_has_one_key_in_both_normal_forms(text):
    composed = unicodedata.normalize("NFC", text)
    assert key_of(composed) == key_of(unicodedata.normalize("NFD", composed))
    assert INDEXES[OLD].find(composed) == INDEXES[OLD].find(unicodedata.normalize("NFD", text))
