"""Counts over the merge of 1 July 2025 add up to their parts."""

import doctest
import json
from collections import Counter

import pytest
from area_facts import AFTER_US, BEFORE_US, NEW, OLD, with_a_third_scheme
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.areas import statistics
from hub.areas.resolve import Areas
from hub.areas.statistics import Row, Tally, of_events, told_in
from hub.areas.tables import shipped
from hub.cli import main
from hub.errors import ConfigError, PayloadError
from streams.place import DeviceRegister, place_of

AREAS = Areas()
HOAN_KIEM, CUA_NAM, NOWHERE = (105.853, 21.030), (105.845, 21.025), (105.0, 20.0)
OLD_COMMUNES = shipped().communes(OLD)
OLD_CODES = [unit.code for unit in shipped().units(OLD)]


class Boundaries:
    """Two wards' boundaries, as far as these tests look."""

    schemes = frozenset({NEW})

    def locate(self, scheme, point):
        assert scheme == NEW
        return {HOAN_KIEM: "00070", CUA_NAM: "00082"}.get(point)


def told(*rows, areas=AREAS, from_=OLD, to=NEW):
    return told_in(rows, areas, from_scheme=from_, to_scheme=to)


def shown(tally: Tally):
    return {"|".join(unit.code for unit in units): n for units, n in tally.counts.items()}


def unit(code):
    return shipped().unit(NEW, code)


def test_a_whole_unit_gives_its_count_and_a_split_one_keeps_a_sum_of_its_own():
    june = told(Row(("00013",), 7), Row(("00070",), 5), Row(("00001",), 2), Row(("00013",), 1))
    assert shown(june) == {"00004": 8, "00097": 2, "00070|00082": 5}
    assert (june.total, june.sure, june.unknown) == (15, 10, {})
    assert [june.of(unit(code)) for code in ("00004", "00070", "00082")] == [(8, 8), (0, 5), (0, 5)]


def test_positions_decide_between_the_parts_where_boundaries_are_there():
    rows = [Row(("00070",), n, at) for n, at in ((5, CUA_NAM), (3, HOAN_KIEM), (2, NOWHERE))]
    assert shown(told(*rows)) == {"00070|00082": 10}
    placed = told(*rows, areas=Areas(places=Boundaries()))
    assert shown(placed) == {"00070": 3, "00082": 5, "00070|00082": 2}
    assert placed.of(unit("00082")) == (5, 7)


def test_what_no_list_has_is_kept_apart_and_counted():
    june = told(Row(("99999",), 4), Row((), 3), Row(("00013", "99999"), 2))
    assert (shown(june), june.unknown, june.total) == ({}, {"99999": 4, "": 3, "00013;99999": 2}, 9)
    with pytest.raises(ConfigError, match="no scheme is named"):
        told(Row(("00013",), 1), to="nso-2030")


def test_a_district_is_all_it_went_into_and_back_again_is_all_it_came_from():
    assert shown(told(Row(("002",), 9))) == {"00004|00070|00082|00097|00226": 9}
    back = told(Row(("00097",), 4), from_=NEW, to=OLD)
    ((units, count),) = back.counts.items()
    assert (count, len(units) > 1, back.total) == (4, True, 4)


def test_the_next_decree_needs_no_other_code(tmp_path):
    areas = Areas(with_a_third_scheme(tmp_path))
    newest = areas.register.newest.name
    tally = told(Row(("00013",), 7), Row(("00070",), 5), areas=areas, to=newest)
    assert tally.total == 12


rows = st.lists(
    st.builds(
        Row,
        st.lists(st.sampled_from([*OLD_CODES, "99999"]), max_size=3, unique=True).map(tuple),
        st.integers(0, 10**6),
        st.sampled_from([None, HOAN_KIEM, CUA_NAM, NOWHERE]),
    ),
    max_size=20,
)


@settings(max_examples=50, deadline=None)
@given(rows=rows, cut=st.integers(0, 20), with_boundaries=st.booleans())
def test_for_any_counts_the_sum_after_is_the_sum_before(rows, cut, with_boundaries):
    areas = Areas(places=Boundaries()) if with_boundaries else AREAS
    tally = told(*rows, areas=areas)
    assert tally.total == sum(row.number for row in rows)
    assert tally.sure <= tally.total
    # In parts it is the same, so months add up to years.
    assert told(*rows[:cut], areas=areas) + told(*rows[cut:], areas=areas) == tally
    # Nothing is assigned in silence: one unit alone is its whole successor, or where it was seen.
    for row in rows:
        ((units, _),) = told(row, areas=areas).counts.items() or [((), 0)]
        whole = {
            each for code in row.codes if (old := shipped().unit(OLD, code))
            for each in shipped().successors(old)
        }  # fmt: skip
        decided = with_boundaries and row.point in (HOAN_KIEM, CUA_NAM)
        assert set(units) <= whole
        assert len(units) != 1 or len(whole) == 1 or decided
        assert "99999" not in row.codes or not units


def test_counts_of_other_schemes_are_not_added():
    with pytest.raises(ValueError, match="no areas in common"):
        told() + told(to=OLD)


def device(code, *, scheme=OLD, point=None):
    lon, lat = point or (None, None)
    texts = ("name", "owner_agency", "purpose", "road", "junction", "area_name", "legacy_district")
    return {
        "device_id": f"cam-{code}", "aliases": [{"source_id": "vms", "device_ref": code}],
        "lane": None, "lon": lon, "lat": lat, "area_scheme": scheme, "area_code": code,
        **dict.fromkeys(texts, ""),
    }  # fmt: skip


def places(at_us, codes, *, areas=AREAS, point=None):
    """What events of one device in each of these old communes carry at a time."""
    register = DeviceRegister(areas=areas)
    for code in codes:
        register.put(code.encode(), device(code, point=point), 0, 2**62)
    return [
        place_of(
            register.find("vms", code, at_us), code, at_us, now_us=AFTER_US, areas=areas
        )
        for code in codes
    ]  # fmt: skip


def test_events_of_30_june_and_1_july_are_told_apart_and_add_up():
    codes = ["00013", "00070", "00001"]
    june, july = places(BEFORE_US, codes), places(AFTER_US, codes)
    # The same devices, in other areas: resolved differently on the two days.
    assert [place["areas_then"][0]["scheme"] for place in june] == [OLD] * 3
    assert {area["scheme"] for place in july for area in place["areas_then"]} == {NEW}
    assert [place["resolution"] for place in june] == ["WHOLE", "AMBIGUOUS", "WHOLE"]
    each = [of_events(day, AREAS, to_scheme=NEW) for day in (june, july)]
    assert [shown(day) for day in each] == [{"00004": 1, "00097": 1, "00070|00082": 1}] * 2
    both = of_events([*june, *july], AREAS, to_scheme=NEW)
    assert both == each[0] + each[1]
    assert (both.total, both.sure, both.of(unit("00070"))) == (6, 4, (0, 2))


def test_every_commune_of_before_adds_up_on_both_days_as_its_events_say():
    codes = [unit.code for unit in OLD_COMMUNES]
    june, july = places(BEFORE_US, codes), places(AFTER_US, codes)
    both = of_events([*june, *july], AREAS, to_scheme=NEW)
    said = Counter(
        "|".join(area["code"] for area in place["areas_now"]) for place in (*june, *july)
    )
    assert shown(both) == said
    assert both.total == 2 * 526
    assert both.sure == 2 * sum(len(shipped().successors(unit)) == 1 for unit in OLD_COMMUNES)


def test_the_position_of_a_device_decides_for_its_events():
    areas = Areas(places=Boundaries())
    days = [places(at, ["00070"], areas=areas, point=CUA_NAM) for at in (BEFORE_US, AFTER_US)]
    assert shown(of_events([*days[0], *days[1]], areas, to_scheme=NEW)) == {"00082": 2}


def test_events_without_an_area_count_too():
    unplaced = [{"resolution": "UNREGISTERED"}, {}]
    odd = {"areas_then": [{"scheme": "cadastre", "code": "X1", "name": "Somewhere"}]}
    found = of_events([*unplaced, odd], AREAS, to_scheme=NEW)
    assert (found.total, found.unknown) == (3, {":": 2, "cadastre:X1": 1})


def refusal(text):
    with pytest.raises(PayloadError) as caught:
        statistics.read(text, "june.csv")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("code\n00013\n", "line 1: there is no column 'count'"),
        ("code,count,cout\n", "line 1: unknown column 'cout'"),
        ("code,count,count\n", "line 1: a column is there twice"),
        ("code,count,lon\n", "line 1: lon and lat belong together"),
        ("code,count\n70,1\n", "line 2, column code: '70' is no code"),
        ("code,count\n00070;,1\n", "line 2, column code: '' is no code"),
        ("code,count\n00070,1.5\n", "line 2, column count: '1.5' is no count"),
        ("code,count\n00070,-1\n", "line 2, column count: '-1' is no count"),
        ("code,count,lon,lat\n00070,1,east,21\n", "columns lon, lat: 'east', '21' is no position"),
        ("code,count,lon,lat\n00070,1,21.03,105.85\n", "its axes swapped"),
        ("", "it is empty"),
    ],
)
def test_a_wrong_cell_is_named(text, what):
    assert what in refusal(text)


def test_rows_are_read_with_several_codes_and_positions():
    text = "name,code,count,lon,lat\nx,00082; 00070,3,,\n,00013,0,105.85,21.03\n"
    assert statistics.read(text, "june.csv") == [
        Row(("00070", "00082"), 3),
        Row(("00013",), 0, (105.85, 21.03)),
    ]


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "june.csv").write_text("code,count\n00013,7\n00070,5\n00082,1\n", "utf-8")
    return tmp_path


def test_the_command_prints_areas_what_is_open_and_the_total(site, capsys):
    assert main(["area", "statistics", "june.csv", "--from", OLD]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "00004  Phường Ba Đình    7",
        "00070  Phường Hoàn Kiếm  0  to 5",
        "00082  Phường Cửa Nam    1  to 6",
        "open: 5 in 00070 Phường Hoàn Kiếm or 00082 Phường Cửa Nam",
        "total: 13 = 8 sure + 5 open + 0 unknown",
    ]


def test_the_command_prints_json_lines_that_add_up(site, capsys):
    (site / "june.csv").write_text("code,count\n00013,7\n00070,5\n99999,2\n", "utf-8")
    assert main(["area", "statistics", "june.csv", "--from", OLD, "--to", NEW, "--json"]) == 1
    *lines, sums = map(json.loads, capsys.readouterr().out.splitlines())
    assert sums == {"total": 14, "exact": 7, "ambiguous": 5, "unknown": 2}
    assert sum(line["count"] for line in lines) == sums["total"]
    assert main(["area", "statistics", "june.csv", "--from", OLD]) == 1
    assert "unknown: 2 under 99999, which is not in nso-2024" in capsys.readouterr().out


def test_positions_without_boundaries_are_not_passed_over(site, capsys):
    (site / "june.csv").write_text("code,count,lon,lat\n00070,5,105.845,21.025\n", "utf-8")
    assert main(["area", "statistics", "june.csv", "--from", OLD]) == 3
    assert "no boundaries are imported" in capsys.readouterr().err


def test_the_example_of_the_documentation_holds():
    found = doctest.testmod(statistics)
    assert (found.attempted, found.failed) == (5, 0)
