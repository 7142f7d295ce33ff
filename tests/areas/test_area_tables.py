"""The register of areas: its own tables, the published lists, and what a table may not say."""

import re
from collections import Counter

import pytest
from area_facts import DATA, GEO, NEW, OLD, REFORM_US, needs_geo, published, with_a_third_scheme

from hub.areas.tables import read, shipped
from hub.errors import ConfigError

TABLES = ("schemes.csv", "units.csv", "successions.csv")


def codes(units):
    return [unit.code for unit in units]


def test_there_are_526_communes_in_30_districts_and_126_units_since():
    register = shipped()
    assert len(register.communes(OLD)) == 526
    assert len([unit for unit in register.units(OLD) if unit.is_district]) == 30
    kinds = Counter(unit.kind for unit in register.units(NEW))
    assert kinds == {"phường": 51, "xã": 75}


def test_the_scheme_changes_at_midnight_in_hanoi():
    register = shipped()
    assert register.edges_us == (REFORM_US,)
    assert register.at(REFORM_US - 1).name == OLD
    assert register.at(REFORM_US).name == NEW
    assert register.at(0).name == OLD


def test_no_new_code_has_the_territory_it_had():
    register = shipped()
    same = [
        unit.code
        for unit in register.communes(NEW)
        if codes(register.predecessors(unit)) == [unit.code]
        and codes(register.successors(register.unit(OLD, unit.code))) == [unit.code]
    ]
    assert same == []
    assert all(register.unit(OLD, unit.code) for unit in register.communes(NEW))
    named_alike = [
        unit
        for unit in register.communes(NEW)
        if register.unit(OLD, unit.code).full_name == unit.full_name
    ]
    assert len(named_alike) == 23


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("00013", ["00004"]),
        ("00001", ["00097"]),
        ("00070", ["00070", "00082"]),
        ("00019", ["00004", "00070", "00190", "00226"]),
        ("00634", ["00622", "00634", "00637", "09556", "09886"]),
        ("002", ["00004", "00070", "00082", "00097", "00226"]),
    ],
)
def test_what_a_unit_went_into(old, new):
    register = shipped()
    assert new == codes(register.successors(register.unit(OLD, old)))


def test_a_district_went_into_3_to_13_units_and_64_units_cross_districts():
    register = shipped()
    districts = [unit for unit in register.units(OLD) if unit.is_district]
    spread = {unit.name: len(register.successors(unit)) for unit in districts}
    assert (min(spread.values()), max(spread.values())) == (3, 13)
    assert (spread["Phúc Thọ"], spread["Thanh Trì"]) == (3, 13)
    crossing = [
        unit
        for unit in register.communes(NEW)
        if len({old.district for old in register.predecessors(unit)}) > 1
    ]
    assert len(crossing) == 64


def test_predecessors_are_the_successions_read_backwards():
    register = shipped()
    forth = {(a, b) for a in register.communes(OLD) for b in register.successors(a)}
    back = {(a, b) for b in register.communes(NEW) for a in register.predecessors(b)}
    assert forth == back
    assert len(forth) == 796


@needs_geo
def test_every_row_of_the_published_conversion_sheet_is_in_the_table():
    rows = published("hanoi-succession-2025-07.csv")
    assert len(rows) == 795
    sheet = {(row["old_code"], row["new_code"]): row["note"].strip() for row in rows}
    register = shipped()
    table = {
        (a.code, b.code): len(register.successors(a)) == 1
        for a in register.communes(OLD)
        for b in register.successors(a)
    }
    # The sheet writes Đặng Xá (00556) under the code of Cổ Bi (00553) once: both are kept.
    assert {("00556", "00562")} == set(table) - set(sheet)
    assert set() == set(sheet) - set(table)
    assert {pair: note == "Nhập toàn bộ" for pair, note in sheet.items()} == {
        pair: whole for pair, whole in table.items() if pair in sheet
    }


@needs_geo
def test_every_name_and_district_is_the_published_one():
    from hub.areas.names import key_of

    register = shipped()
    for row in published("hanoi-units-2025-01.csv"):
        unit = register.unit(OLD, row["Mã PX"])
        assert row["Phường Xã"].startswith(unit.kind.capitalize())
        assert key_of(unit.full_name) == key_of(row["Phường Xã"])
        district = register.unit(OLD, unit.district)
        assert (row["Mã QH"], row["Quận Huyện"]) == (district.code, district.full_name)
    for row in published("hanoi-succession-2025-07.csv"):
        assert register.unit(NEW, row["new_code"]).full_name == row["new_name"]


def test_the_published_lists_are_not_copied_into_the_project():
    ours = {path.name for path in DATA.iterdir()}
    assert set(TABLES) == ours
    assert not ours & {path.name for path in GEO.glob("*")}


def test_the_next_decree_is_more_lines_in_the_tables(tmp_path):
    register = with_a_third_scheme(tmp_path)
    assert [scheme.name for scheme in register.schemes] == [OLD, NEW, "decree-2027"]
    assert codes(register.predecessors(register.unit("decree-2027", "00004"))) == ["00004", "00008"]
    assert codes(register.successors(register.unit(NEW, "00070"))) == ["00070", "00071"]
    assert register.newest.name == "decree-2027"


@pytest.mark.parametrize(
    ("table", "old", "new", "said"),
    [
        ("schemes.csv", "nso-2025-07,2025-07-01", "nso-2025-07,2025-07-02", "does not begin when"),
        ("schemes.csv", "2025-07-01,,", "2025-07-32,,", "is no date"),
        ("schemes.csv", "nso-2024,,2025-07-01", "nso-2024,2026-01-01,2025-07-01", "before it beg"),
        ("schemes.csv", "nso-2024,,", "nso-2024,2020-01-01,", "the first scheme must have no"),
        ("schemes.csv", "scheme,valid_from", "name,valid_from", "its first line is not"),
        ("units.csv", "nso-2024,00004,", "nso-2024,4,", "code of wrong length"),
        ("units.csv", "Trúc Bạch,phường,", "Trúc Bạch,phố,", "wrong kind"),
        ("units.csv", "nso-2024,00004,", "nso-2024,00001,", "is there twice"),
        ("units.csv", "00004,Trúc Bạch,", "00004,,", "a unit without a name"),
        ("units.csv", "Trúc Bạch,phường,001", "Trúc Bạch,phường,999", "no such district"),
        ("units.csv", "nso-2024,00004,", "nso-1999,00004,", "no such scheme"),
        ("units.csv", "Trúc Bạch,phường,001", "Trúc Bạch,phường", "4 cells"),
        ("successions.csv", "nso-2025-07,00004,whole", "nso-2025-07,00004,part", "needs one whole"),
        ("successions.csv", "nso-2025-07,00004,whole", "nso-2025-07,00004,most", "neither"),
        ("successions.csv", "00013,nso-2025-07", "99999,nso-2025-07", "not from a unit"),
        ("successions.csv", "00013,nso-2025-07", "00013,nso-2024", "not from a unit"),
        ("successions.csv", "00070,nso-2025-07,00082", "00070,nso-2025-07,00070", "there twice"),
    ],
)  # fmt: skip
def test_a_table_that_contradicts_itself_is_refused_by_name(tmp_path, table, old, new, said):
    for name in TABLES:
        text = (DATA / name).read_text("utf-8")
        if name == table:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        read(tmp_path)
    assert table in caught.value.where


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ConfigError, match="can't read it"):
        read(tmp_path)
