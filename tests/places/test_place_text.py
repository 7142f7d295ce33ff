"""Texts of places, in every form that they arrive in."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.places.text import Milestone, bare, parse, position_code

OFFICIAL = "Đường Phạm Văn Bạch - Đường Hoàng Quán Chi (VT87), Phường Yên Hòa, Thành phố Hà Nội"
DASHES = ["-", " - ", "–", " – ", " — ", "/", " / ", "\u2011"]
ROADS = [
    "Phạm Văn Bạch", "Hoàng Quán Chi", "Láng", "Dương Đình Nghệ", "Phó Đức Chính", "Xã Đàn",
    "Vành đai 3", "Vành đai 3,5", "Quốc lộ 1A", "Đường 19/5", "Huế", "Ngã Tư Sở", "Văn Miếu",
]  # fmt: skip


def plain(text):
    marked = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in marked if not unicodedata.combining(letter))


SPELLINGS = [lambda text: text, plain, str.upper, lambda text: unicodedata.normalize("NFD", text)]
roads = st.lists(st.sampled_from(ROADS), min_size=2, max_size=3, unique=True)
kinds = st.sampled_from(["", "Đường ", "Phố ", "Đ. ", "đường "])
nodes = st.sampled_from(["", "Nút giao ", "Nút giao thông ", "Ngã tư ", "ngã ba "])
texts = st.text(st.sampled_from("ABVTKkm0123 +-–/(),.[]đĐườngÁ\u0300"), max_size=40) | st.text()


def test_the_pattern_of_records_is_read_in_all_its_parts():
    place = parse(OFFICIAL)
    assert place.names == ("Đường Phạm Văn Bạch", "Đường Hoàng Quán Chi")
    assert (place.codes, place.areas, place.milestone) == (("VT87",), ("Phường Yên Hòa",), None)
    assert place.says == "junction"
    assert place.canonical == ("Đường Hoàng Quán Chi - Đường Phạm Văn Bạch (VT87), Phường Yên Hòa")


@pytest.mark.parametrize(
    "text",
    [
        "Phạm Văn Bạch - Hoàng Quán Chi",
        "Hoàng Quán Chi/Phạm Văn Bạch",
        "Hoang Quan Chi–Pham Van Bach VT 87",
        "Nút giao Phạm Văn Bạch – Hoàng Quán Chi (vt-087)",
        "VT87: ngã tư phố Hoàng Quán Chi - đ. Phạm Văn Bạch, P. Yên Hoà, Hà Nội",
        "Đ.Phạm Văn Bạch, Đ.Hoàng Quán Chi",
        unicodedata.normalize("NFD", OFFICIAL.upper()),
    ],
)
def test_one_junction_has_one_key_however_it_is_written(text):
    assert parse(text).key == parse(OFFICIAL).key


def test_other_junctions_have_other_keys():
    assert parse("A - B").key != parse("A - C").key
    assert parse("A").key != parse("A - B").key
    assert parse("(VT87)").key == "vt87"
    assert parse("QL1A, km 1716 + 5").key == "km1716+005|quoclo1a"
    assert parse(" , - () ").key == ""


@pytest.mark.parametrize(
    ("text", "names", "areas"),
    [
        ("Văn Miếu - Quốc Tử Giám", ("Văn Miếu", "Quốc Tử Giám"), ()),
        ("Phường Văn Miếu - Quốc Tử Giám", (), ("Phường Văn Miếu - Quốc Tử Giám",)),
        (
            "Văn Miếu - Quốc Tử Giám, Văn Miếu - Quốc Tử Giám",
            ("Văn Miếu", "Quốc Tử Giám"),
            ("Văn Miếu - Quốc Tử Giám",),
        ),
        ("Xã Đàn, Phường Phương Liên, Quận Đống Đa", ("Xã Đàn",),
         ("Phường Phương Liên", "Quận Đống Đa")),
        ("Đường 19/5 - Phùng Hưng", ("Đường 19/5", "Phùng Hưng"), ()),
        ("Vành đai 3,5/Tố Hữu", ("Vành đai 3,5", "Tố Hữu"), ()),
        ("QL-1A/VĐ3 - TL.70", ("Quốc lộ 1A", "Vành đai 3", "Tỉnh lộ 70"), ()),
        ("Láng (A - B) - Huế", ("Láng (A - B)", "Huế"), ()),
        ("Láng (A - Huế", ("Láng A", "Huế"), ()),
        ("Nút giao Ngã Tư Sở - ngã tư Láng", ("Ngã Tư Sở", "Láng"), ()),
    ],
)  # fmt: skip
def test_a_dash_separates_roads_and_no_more_than_that(text, names, areas):
    place = parse(text)
    assert (place.names, place.areas) == (names, areas)


@pytest.mark.parametrize(
    "text",
    [
        "Km1716+005, Quốc lộ 1A",
        "Km 1716 + 5 QL1A",
        "Quốc lộ 1A, km1716+05",
        "KM1716 +005 QL.1A, Thành phố Hà Nội",
        unicodedata.normalize("NFD", "Km1716+005, Quốc lộ 1A"),
    ],
)
def test_a_milestone_is_a_road_a_kilometre_and_metres(text):
    place = parse(text)
    assert (place.milestone, place.names) == (Milestone(1716, 5), ("Quốc lộ 1A",))
    assert place.canonical == "Km1716+005, Quốc lộ 1A"
    assert place.says == "road"


@pytest.mark.parametrize(
    "text", ["Km12,5 QL1A", "Km12.5 QL1A", "Km1716+1005, QL1A", "Km1+100 - Km2+200, QL1A", "kmx"]
)
def test_what_is_no_plain_milestone_stays_in_the_names(text):
    assert parse(text).milestone is None
    assert parse(text).names


@pytest.mark.parametrize(
    ("text", "code"),
    [("VT87", "VT87"), ("vt 087", "VT87"), ("VT87a", None), ("CVT87", None), ("VT87 A", None),
     ("", None)],
)  # fmt: skip
def test_a_position_is_its_number_alone(text, code):
    assert position_code(text) == code


def test_a_name_that_begins_like_a_kind_is_the_same_with_and_without_one():
    assert bare("Dương Đình Nghệ") == bare("Đường Dương Đình Nghệ")
    assert bare("Duong Dinh Nghe").may_be(bare("Dương Đình Nghệ"))
    assert bare("Phố Huế") == bare("Huế") != bare("Hue")
    assert bare("Đường").letters == "duong"


@given(
    names=roads.flatmap(st.permutations),
    dash=st.sampled_from(DASHES),
    kind=kinds,
    around=st.tuples(nodes, st.sampled_from(["", " (VT87)", " VT 87"])),
    spelled=st.sampled_from(SPELLINGS),
)
def test_order_dash_kind_spelling_and_position_do_not_matter(names, dash, kind, around, spelled):
    text = spelled(dash.join(kind + name for name in names).join(around))
    assert parse(text).key == parse(" - ".join(sorted(names))).key
    assert parse(text).says == "junction"


@given(names=roads.flatmap(st.permutations), dash=st.sampled_from(DASHES))
def test_the_canonical_form_does_not_depend_on_order_and_dash(names, dash):
    assert parse(dash.join(names)).canonical == parse(" - ".join(sorted(names))).canonical


@given(texts)
def test_any_text_is_read_and_its_canonical_form_says_the_same(text):
    place = parse(text)
    again = parse(place.canonical)
    assert place.raw == text
    assert again.canonical == place.canonical
    assert (again.codes, again.milestone, again.key) == (place.codes, place.milestone, place.key)


@given(st.integers(0, 9999), st.integers(0, 999), st.sampled_from(["", " "]))
def test_a_milestone_survives_its_canonical_form(km, metres, space):
    place = parse(f"Km{space}{km}{space}+{space}{metres} QL{space}1A")
    assert parse(place.canonical).milestone == place.milestone == (km, metres)
