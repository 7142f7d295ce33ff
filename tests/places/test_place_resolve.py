"""What texts mean by the register of places, on their date."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from place_facts import AT_US, HEAD, LINES, located

from hub.places.resolve import JUNCTIONS, ROADS, Found, Ids, Locations

NOWHERE = ("", "")
JULY_US = 1_751_302_800_000_000  # 2025-07-01T00:00+07:00
PLACES = located(*LINES)


def answer(text, **how):
    found = PLACES.resolve(text, how.pop("at_us", AT_US), **how)
    return [each.id for each in found.candidates], found.method, found.resolution.value


@pytest.mark.parametrize(
    ("text", "ids", "method", "resolution"),
    [
        ("Phạm Văn Bạch - Hoàng Quán Chi", ["j-1"], "name", "exact"),
        ("Đ. Hoàng Quán Chi/Đ. Phạm Văn Bạch, Phường X", ["j-1"], "name", "exact"),
        ("ngã tư hoang quan chi – pham van bach", ["j-1"], "name", "exact"),
        ("Mễ Trì - Vành đai 3", ["j-2"], "roads", "exact"),
        ("Mễ Trì - Phạm Hùng", ["j-2"], "roads", "alias"),
        ("Phạm Hùng - Khuất Duy Tiến", [], "", "unknown"),
        ("Vành đai 3 - Pháp Vân - Cầu Giẽ", ["j-3"], "roads", "alias"),
        ("Pháp Vân - Cầu Giẽ", ["phap-van-cau-gie"], "name", "alias"),
        ("Phố Khuất Duy Tiến", ["ring-3"], "name", "alias"),
        ("Mễ Trì", ["j-2", "me-tri"], "name", "ambiguous"),
        ("Ngã ba Mễ Trì", ["j-2"], "name", "exact"),
        ("Đường Mễ Trì", ["me-tri"], "name", "exact"),
        ("Km1716+005, Quốc lộ 1A", ["ql1a"], "milestone", "exact"),
        ("Km 1716 + 5 QL1", ["ql1a"], "milestone", "alias"),
        ("VT87", ["p-87"], "position", "exact"),
        ("Phạm Văn Bạch - Hoàng Quán Chi (VT88)", ["p-88"], "position", "exact"),
        ("Phạm Văn Bạch - Hoàng Quán Chi (VT87, VT88)", ["j-1"], "name", "exact"),
        ("Đường Phạm Văn Bạch (VT87)", ["p-87"], "position", "exact"),
        ("Mễ Trì - Phạm Hùng (VT87)", ["j-2", "p-87"], "position", "ambiguous"),
        ("Phạm Hùng - Cầu Giấy (VT87)", ["p-87", "ring-3"], "position", "ambiguous"),
        ("Mễ Trì - Phạm Hùng (VT1)", ["j-2"], "roads", "alias"),
        ("Quang Trung", ["quang-trung-1", "quang-trung-2"], "name", "ambiguous"),
        ("Quang Trung, Phường Hà Đông", ["quang-trung-2"], "name and area", "exact"),
        ("Quang Trung, Quận Hà Đông", ["quang-trung-2"], "name and area", "exact"),
        ("Quang Trung, Xã Sóc Sơn", ["quang-trung-1", "quang-trung-2"], "name", "ambiguous"),
        ("Đường Nào Đó", [], "", "unknown"),
        ("VT1", [], "", "unknown"),
        ("", [], "", "unknown"),
    ],
)
def test_a_text_means_what_the_register_says(text, ids, method, resolution):
    assert answer(text) == (ids, method, resolution)
    assert answer(unicodedata.normalize("NFD", text)) == (ids, method, resolution)


def test_what_speaks_against_an_answer_is_said():
    assert PLACES.resolve("Mễ Trì - Phạm Hùng (VT1)", AT_US).notes == (
        "the register knows no VT1 then",
    )
    assert PLACES.resolve("Mễ Trì - Phạm Hùng (VT87)", AT_US).notes == (
        "the position stands elsewhere than the names say",
    )
    assert PLACES.resolve("A - B (VT87)", AT_US).notes == ("the register knows no A - B then",)


def test_diacritics_that_are_there_decide_and_without_them_both_may_be_meant():
    places = located("a,2025-07-01,,road,Phạm Hùng,,,,,,,", "b,2025-07-01,,road,Phạm Hưng,,,,,,,")
    assert [each.id for each in places.resolve("Phạm Hưng", AT_US).candidates] == ["b"]
    plain = places.resolve("Pham Hung", AT_US)
    assert (len(plain.candidates), plain.resolution, plain.one) == (2, Found.AMBIGUOUS, None)


def test_the_area_of_a_device_decides_between_roads_of_one_name():
    hint = {"kinds": ROADS, "area": ("nso-2025-07", "09556")}
    assert answer("Quang Trung", **hint) == (["quang-trung-2"], "name and area", "exact")
    assert PLACES.ids("Quang Trung", "", ("nso-2025-07", "09556"), AT_US).road == "quang-trung-2"
    elsewhere = PLACES.ids("Quang Trung", "", ("nso-2025-07", "00376"), AT_US)
    assert elsewhere.notes == ("road 'Quang Trung' is ambiguous: quang-trung-1, quang-trung-2",)


def test_two_crossings_of_the_same_roads_stay_open():
    again = "j-9,2025-07-01,,junction,Nút giao Trung Hòa,,ring-3; me-tri,,,,,"
    found = located(*LINES, again).resolve("Mễ Trì/Vành đai 3", AT_US)
    assert ([each.id for each in found.candidates], found.resolution) == (
        ["j-2", "j-9"],
        Found.AMBIGUOUS,
    )


def test_an_entry_answers_from_its_first_microsecond_to_the_last():
    places = located(
        "old,2025-01-01,2025-07-01,road,Láng,,,,,,,", "new,2025-07-01,,road,Láng,,,,,,,"
    )
    found = [places.resolve("Láng", JULY_US + late).one for late in (-1, 0)]
    assert [one and one.id for one in found] == ["old", "new"]
    assert places.resolve("Láng", 0).resolution is Found.UNKNOWN
    assert places.span(JULY_US) == (JULY_US, 2**62)


def test_an_event_is_told_the_ids_of_what_its_device_names():
    hoang = "Phạm Văn Bạch - Hoàng Quán Chi"
    assert PLACES.ids("Phạm Hùng", hoang, NOWHERE, AT_US) == Ids("ring-3", "j-1", "")
    assert PLACES.ids("", f"{hoang} (VT87)", NOWHERE, AT_US) == Ids("pham-van-bach", "j-1", "VT87")
    assert PLACES.ids("Km5, QL1A (VT9)", "", NOWHERE, AT_US) == Ids("ql1a", "", "VT9")
    assert PLACES.ids("Phạm Văn Bạch (VT87)", "", NOWHERE, AT_US) == Ids(
        "pham-van-bach", "j-1", "VT87"
    )
    unknown = PLACES.ids("", "Láng - Huế (VT7)", NOWHERE, AT_US)
    assert unknown[:3] == ("", "", "VT7")
    assert unknown.notes == ("junction 'Láng - Huế (VT7)' is not in the register of places then",)


def test_without_a_register_the_position_is_what_the_text_says():
    empty = Locations()
    assert empty.ids("Láng", "A - B (VT7)", NOWHERE, AT_US) == Ids("", "", "VT7", ())
    assert empty.ids("Láng", "A - B (VT7)", NOWHERE, AT_US) == Ids("", "", "VT7", ())
    assert empty.ids("", "", NOWHERE, AT_US) == Ids()
    assert len(empty) == 0


def test_an_answer_is_kept_no_longer_than_the_areas_that_helped_to_decide_it():
    assert Locations().span(JULY_US - 1) == (-(2**62), JULY_US)
    assert Locations().span(JULY_US) == (JULY_US, 2**62)
    same = ",2025-01-01,,road,Quang Trung,,,,,,,"
    places = located(f"a{same}nso-2024:00070", f"b{same}nso-2025-07:00082")
    # A device in old 00070: until June it may be either road, since July the one in what it became.
    asked = [places.ids("Quang Trung", "", ("nso-2024", "00070"), JULY_US + us) for us in (0, -1)]
    assert [each.road for each in asked] == ["b", ""]


def test_a_change_of_the_register_changes_what_was_answered_before():
    places = located(*LINES)
    before = places.revision
    key = b"ring-3@2025-06-30T17:00:00.000000Z"
    assert places.ids("Vành đai 3", "", NOWHERE, AT_US).road == "ring-3"
    places.put(key, None, 0, 1)
    assert places.ids("Vành đai 3", "", NOWHERE, AT_US).road == ""
    assert (places.revision, len(places)) == (before + 1, len(LINES) - 1)


def test_texts_are_kept_up_to_a_bound(monkeypatch):
    monkeypatch.setattr("hub.places.resolve._CACHED_MAX", 2)
    places = located(*LINES)
    asked = [places.ids("Vành đai 3", f"VT{number}", NOWHERE, AT_US) for number in (7, 8, 9)]
    assert [each.position for each in asked] == ["VT7", "VT8", "VT9"]
    assert len(places._told) == 1


names = st.sampled_from(["A", "B", "C", "A - B", "B - C", "Ngã tư A", "Đường A", "A - B - C"])
spans = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda span: span[0] < span[1])
entries = st.lists(
    st.tuples(st.sampled_from(["ROAD", "JUNCTION"]), names, spans, st.permutations("abc")),
    max_size=8,
)


@given(entries=entries, text=names, at=st.integers(0, 9), other=st.integers(0, 9))
def test_within_its_span_an_answer_stays_and_one_answer_is_one_place(entries, text, at, other):
    places = Locations()
    for number, (kind, name, span, roads) in enumerate(entries):
        places.put(
            b"%d" % number,
            {
                "location_id": "abc"[number % 3], "kind": kind, "name": name, "aliases": [],
                "roads": list(roads[:2]) if kind == "JUNCTION" else [], "junction": "",
                "position_code": "", "areas": [],
            },
            *span,
        )  # fmt: skip
    found = places.resolve(text, at)
    low, high = places.span(at)
    assert low <= at < high
    if low <= other < high:
        assert places.resolve(text, other).candidates == found.candidates
    assert all(each.holds(at) for each in found.candidates)
    assert (len(found.candidates) == 1) == (found.one is not None)
    for kinds in (ROADS, JUNCTIONS):
        only = places.resolve(text, at, kinds=kinds)
        assert {each.entry["kind"] for each in only.candidates} <= kinds


def test_the_columns_of_the_register_are_the_fields_of_its_schema():
    import schemas

    fields = {field["name"] for field in schemas.source("location")["fields"]}
    assert set(HEAD.split(",")) == fields
