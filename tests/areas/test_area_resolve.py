"""Which area is meant, then and now; and that nothing uncertain is given out as certain."""

from collections import Counter

import pytest
from area_facts import AFTER_US, BEFORE_US, NEW, OLD, Squares, with_a_third_scheme
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from hub.areas.resolve import BY_DATE, Areas, Resolution, areas_at
from hub.areas.tables import shipped
from hub.errors import ConfigError, EnvironmentNotReadyError

HOAN_KIEM = (105.8522, 21.0287)
CUA_NAM = (105.8467, 21.0229)
NOWHERE = (105.5, 20.7)
POSITIONS = {HOAN_KIEM: "00070", CUA_NAM: "00082"}
AREAS = Areas()
WITH_PLACES = Areas(places=Squares(NEW, POSITIONS))


def codes(units):
    return [unit.code for unit in units]


def test_the_resolutions_are_those_of_the_schema():
    place = schemas.source("appended")[0]
    symbols = next(f for f in place["fields"] if f["name"] == "resolution")["type"]["symbols"]
    assert {*Resolution} == {*symbols} - {"UNREGISTERED"}


@pytest.mark.parametrize(
    ("code", "now", "resolution"),
    [
        ("00013", ["00004"], "WHOLE"),
        ("00001", ["00097"], "WHOLE"),
        ("00070", ["00070", "00082"], "AMBIGUOUS"),
        ("00019", ["00004", "00070", "00190", "00226"], "AMBIGUOUS"),
        ("00634", ["00622", "00634", "00637", "09556", "09886"], "AMBIGUOUS"),
        ("002", ["00004", "00070", "00082", "00097", "00226"], "AMBIGUOUS"),
        ("00556", ["00541", "00562"], "AMBIGUOUS"),
        ("99999", [], "UNKNOWN"),
    ],
)
def test_an_old_code_today(code, now, resolution):
    answer = AREAS.resolve(code=code, scheme=OLD)
    assert codes(answer.candidates) == now
    assert answer.resolution == resolution
    assert (codes(answer.now.units), answer.now.resolution) == (now, resolution)


def test_an_old_code_is_exact_in_its_own_time_and_mapped_for_today():
    answer = AREAS.resolve(code="00070", at_us=BEFORE_US)
    assert [(unit.scheme, unit.name) for unit in answer.candidates] == [(OLD, "Hàng Trống")]
    assert answer.resolution is Resolution.EXACT
    assert codes(answer.now.units) == ["00070", "00082"]
    assert answer.now.resolution is Resolution.AMBIGUOUS


def test_a_bare_code_is_read_in_the_scheme_of_its_date():
    answer = AREAS.resolve(code="00070", at_us=AFTER_US)
    assert [unit.full_name for unit in answer.candidates] == ["Phường Hoàn Kiếm"]
    assert answer.resolution is Resolution.EXACT


def test_a_bare_code_without_a_date_is_ambiguous():
    answer = AREAS.resolve(code="00070")
    assert [(unit.scheme, unit.name) for unit in answer.candidates] == [
        (OLD, "Hàng Trống"),
        (NEW, "Hoàn Kiếm"),
    ]
    assert answer.resolution is Resolution.AMBIGUOUS
    assert "name one, or a time" in answer.notes[0]


def test_a_code_that_only_one_scheme_has_needs_no_date():
    answer = AREAS.resolve(code="00013")
    assert (codes(answer.candidates), answer.resolution) == (["00004"], Resolution.WHOLE)
    later = AREAS.resolve(code="00013", at_us=AFTER_US)
    assert (codes(later.candidates), later.resolution) == (["00004"], Resolution.WHOLE)


@pytest.mark.parametrize(
    ("declared", "at_us", "name"),
    [
        (OLD, AFTER_US, "Hàng Trống"),
        (NEW, BEFORE_US, "Hoàn Kiếm"),
        (BY_DATE, BEFORE_US, "Hàng Trống"),
        (BY_DATE, AFTER_US, "Hoàn Kiếm"),
    ],
)
def test_what_the_source_declares_goes_before_the_date(declared, at_us, name):
    answer = AREAS.resolve(code="00070", declared=declared, at_us=at_us)
    assert [unit.name for unit in answer.meant] == [name]


def test_a_new_code_before_the_reform_is_ambiguous_among_what_it_was_made_of():
    answer = AREAS.resolve(code="00091", scheme=NEW, at_us=BEFORE_US)
    made_of = codes(shipped().predecessors(shipped().unit(NEW, "00091")))
    assert codes(answer.then.units) == made_of
    assert len(made_of) > 1
    assert answer.then.resolution is Resolution.AMBIGUOUS
    assert (codes(answer.now.units), answer.now.resolution) == (["00091"], Resolution.EXACT)


def test_a_position_decides_between_the_parts():
    here = WITH_PLACES.resolve(code="00070", scheme=OLD, point=HOAN_KIEM)
    assert (codes(here.candidates), here.resolution) == (["00070"], Resolution.BY_POSITION)
    there = WITH_PLACES.resolve(code="00070", scheme=OLD, point=CUA_NAM)
    assert (codes(there.candidates), there.resolution) == (["00082"], Resolution.BY_POSITION)


def test_a_position_elsewhere_decides_nothing_and_is_said():
    answer = WITH_PLACES.resolve(code="00634", scheme=OLD, point=HOAN_KIEM)
    assert len(answer.candidates) == 5
    assert answer.resolution is Resolution.AMBIGUOUS
    assert "lies in 00070 Phường Hoàn Kiếm" in answer.notes[0]
    whole = WITH_PLACES.resolve(code="00013", scheme=OLD, point=NOWHERE)
    assert (codes(whole.candidates), whole.resolution) == (["00004"], Resolution.WHOLE)
    assert "lies in no unit" in whole.notes[0]


def test_a_position_without_the_boundaries_it_needs_is_not_passed_over_in_silence():
    for areas in (AREAS, Areas(places=Squares(OLD, {}))):
        answer = areas.resolve(code="00070", scheme=OLD, point=HOAN_KIEM)
        assert answer.resolution is Resolution.AMBIGUOUS
        assert "the point decides nothing" in answer.notes[0]


def test_a_point_alone_is_looked_up():
    answer = WITH_PLACES.resolve(point=CUA_NAM)
    assert (codes(answer.candidates), answer.resolution) == (["00082"], Resolution.BY_POSITION)
    assert answer.method == "point"
    before = WITH_PLACES.resolve(point=CUA_NAM, at_us=BEFORE_US)
    assert before.then.resolution is Resolution.AMBIGUOUS
    assert before.now.resolution is Resolution.BY_POSITION
    in_old = WITH_PLACES.resolve(point=CUA_NAM, scheme=OLD)
    assert in_old.then == before.then
    assert WITH_PLACES.resolve(point=NOWHERE).resolution is Resolution.UNKNOWN


def test_a_point_without_boundaries_says_how_to_import_them():
    with pytest.raises(EnvironmentNotReadyError, match="no boundaries") as caught:
        AREAS.resolve(point=HOAN_KIEM)
    assert "hub area import" in caught.value.fix


@pytest.mark.parametrize("name", ["Quang Trung", "MINH KHAI", "tam hiep", "Đồng Tâm"])
def test_an_old_name_that_repeats_is_ambiguous_without_its_district(name):
    answer = AREAS.resolve(name=name, at_us=BEFORE_US)
    assert len(answer.candidates) > 1
    assert answer.resolution is Resolution.AMBIGUOUS
    found = [
        AREAS.resolve(name=name, district=unit.district, at_us=BEFORE_US)
        for unit in answer.candidates
    ]
    assert [codes(each.candidates) for each in found] == [[u.code] for u in answer.candidates]
    assert {each.resolution for each in found} == {Resolution.EXACT}


def test_new_names_do_not_repeat():
    for unit in shipped().communes(NEW):
        answer = AREAS.resolve(name=unit.name, scheme=NEW)
        assert (answer.candidates, answer.resolution) == ((unit,), Resolution.EXACT)


@pytest.mark.parametrize("district", ["002", "Hoàn Kiếm", "Q. Hoan Kiem", "QUẬN HOÀN KIẾM"])
def test_a_district_is_many_new_units(district):
    answer = AREAS.resolve(district=district)
    assert codes(answer.candidates) == ["00004", "00070", "00082", "00097", "00226"]
    assert (answer.method, answer.resolution) == ("district", Resolution.AMBIGUOUS)
    with_point = WITH_PLACES.resolve(district=district, point=CUA_NAM)
    assert codes(with_point.candidates) == ["00082"]
    before = AREAS.resolve(district=district, at_us=BEFORE_US)
    assert (codes(before.candidates), before.resolution) == (["002"], Resolution.EXACT)


def test_a_new_unit_is_found_by_the_district_it_came_from():
    answer = AREAS.resolve(name="Hồng Hà", district="Hoàn Kiếm", scheme=NEW)
    assert codes(answer.candidates) == ["00097"]
    assert AREAS.resolve(name="Hồng Hà", district="Ba Vì").resolution is Resolution.UNKNOWN


def test_who_names_a_district_means_its_old_commune():
    answer = AREAS.resolve(name="Cửa Nam", district="Hoàn Kiếm", at_us=AFTER_US)
    assert [(unit.scheme, unit.code) for unit in answer.meant] == [(OLD, "00073")]


@pytest.mark.parametrize(
    ("name", "at_us", "meant"),
    [
        ("Hoàn Kiếm", None, [(NEW, "00070")]),
        ("Quận Hoàn Kiếm", None, [(OLD, "002")]),
        ("Hoàn Kiếm", BEFORE_US, [(OLD, "002")]),
        ("Cửa Nam", None, [(OLD, "00073"), (NEW, "00082")]),
        ("Cửa Nam", AFTER_US, [(NEW, "00082")]),
        ("Hàng Trống", AFTER_US, [(OLD, "00070")]),
        ("Thị xã Sơn Tây", None, [(OLD, "269")]),
        ("Sơn Tây", AFTER_US, [(NEW, "09574")]),
    ],
)
def test_a_name_is_a_commune_unless_it_says_district(name, at_us, meant):
    answer = AREAS.resolve(name=name, at_us=at_us)
    assert [(unit.scheme, unit.code) for unit in answer.meant] == meant


def test_an_unknown_scheme_is_refused_and_nothing_asked_too():
    for wrong in ({"scheme": "gso"}, {"declared": "gso"}, {"to_scheme": "gso"}):
        with pytest.raises(ConfigError, match="no scheme is named 'gso'"):
            AREAS.resolve(code="00070", **wrong)
    with pytest.raises(ConfigError, match="nothing to resolve"):
        AREAS.resolve()


class TestAThirdScheme:
    """What an invented decree of 2027 changes: only tables."""

    @pytest.fixture
    def areas(self, tmp_path):
        register = with_a_third_scheme(tmp_path)
        return Areas(register, Squares("decree-2027", {HOAN_KIEM: "00071", CUA_NAM: "00082"}))

    def test_an_oldest_code_is_followed_through_both_decrees(self, areas):
        answer = areas.resolve(code="00013", scheme=OLD)
        assert answer.now.scheme == "decree-2027"
        assert (codes(answer.now.units), answer.now.resolution) == (["00004"], Resolution.WHOLE)
        split = areas.resolve(code="00070", scheme=OLD)
        assert codes(split.now.units) == ["00070", "00071", "00082"]
        assert split.now.resolution is Resolution.AMBIGUOUS

    def test_parts_that_come_together_again_are_whole(self, areas):
        joined = [
            unit
            for unit in areas.register.communes(OLD)
            if codes(areas.register.successors(unit)) == ["00004", "00008"]
        ]
        assert joined
        for unit in joined:
            answer = areas.resolve(code=unit.code, scheme=OLD)
            assert (codes(answer.now.units), answer.now.resolution) == (["00004"], Resolution.WHOLE)

    def test_a_position_decides_in_the_newest_boundaries(self, areas):
        answer = areas.resolve(code="00070", scheme=OLD, point=HOAN_KIEM)
        assert (codes(answer.now.units), answer.now.resolution) == (
            ["00071"],
            Resolution.BY_POSITION,
        )

    def test_now_is_what_is_in_force_when_it_is_asked(self, areas):
        before, after = (
            areas.at(NEW, "00008", AFTER_US, now_us=at_us)[1]
            for at_us in (1_798_736_399_999_999, 1_798_736_400_000_000)  # 2027-01-01T00:00+07:00
        )
        assert (before.scheme, codes(before.units)) == (NEW, ["00008"])
        assert (after.scheme, codes(after.units)) == ("decree-2027", ["00004"])

    def test_then_goes_back_over_both_decrees(self, areas):
        then, _ = areas.at("decree-2027", "00071", BEFORE_US)
        assert then.scheme == OLD
        assert codes(then.units) == codes(
            areas.register.predecessors(areas.register.unit(NEW, "00070"))
        )

    def test_a_third_reading_of_a_bare_code_is_a_third_candidate(self, areas):
        answer = areas.resolve(code="00004")
        assert [unit.scheme for unit in answer.meant] == [OLD, NEW, "decree-2027"]


@pytest.mark.parametrize(
    ("asked", "then", "now", "resolution"),
    [
        ((NEW, "00070", AFTER_US), ["00070"], ["00070"], "EXACT"),
        ((OLD, "00013", BEFORE_US), ["00013"], ["00004"], "WHOLE"),
        ((OLD, "00013", AFTER_US), ["00004"], ["00004"], "WHOLE"),
        ((OLD, "00070", BEFORE_US), ["00070"], ["00070", "00082"], "AMBIGUOUS"),
        ((OLD, "00070", AFTER_US), ["00070", "00082"], ["00070", "00082"], "AMBIGUOUS"),
        (("", "00013", BEFORE_US), ["00013"], ["00004"], "WHOLE"),
        (("", "00070", AFTER_US), ["00070", "00082"], ["00070", "00082"], "AMBIGUOUS"),
        ((BY_DATE, "00070", AFTER_US), ["00070"], ["00070"], "EXACT"),
        ((BY_DATE, "00013", AFTER_US), [], [], "UNKNOWN"),
        (("ward-id", "14091", AFTER_US), [], [], "UNKNOWN"),
        ((OLD, "", AFTER_US), [], [], "UNKNOWN"),
    ],
)
def test_what_an_event_carries(asked, then, now, resolution):
    areas_then, areas_now, found = areas_at(*asked)
    assert [each["code"] for each in areas_then] == then
    assert [each["code"] for each in areas_now] == now
    assert found == resolution
    assert all(set(each) == {"scheme", "code", "name"} for each in (*areas_then, *areas_now))


def test_an_event_of_a_split_unit_is_placed_by_its_position():
    then, now, resolution = areas_at(OLD, "00070", BEFORE_US, CUA_NAM, areas=WITH_PLACES)
    assert then == [{"scheme": OLD, "code": "00070", "name": "Hàng Trống"}]
    assert now == [{"scheme": NEW, "code": "00082", "name": "Cửa Nam"}]
    assert resolution == "BY_POSITION"


def test_an_event_without_a_known_code_is_placed_by_its_position():
    for scheme, code in (("", ""), ("ward-id", "14091")):
        then, now, resolution = areas_at(scheme, code, AFTER_US, CUA_NAM, areas=WITH_PLACES)
        assert then == now == [{"scheme": NEW, "code": "00082", "name": "Cửa Nam"}]
        assert resolution == "BY_POSITION"
    assert areas_at("", "", AFTER_US, CUA_NAM) == ([], [], "UNKNOWN")


def test_the_cache_is_bounded_and_gives_the_same_answers(monkeypatch):
    monkeypatch.setattr("hub.areas.resolve._CACHED_MAX", 4)
    areas = Areas()
    fresh = [Areas().at(OLD, unit.code, BEFORE_US) for unit in shipped().communes(OLD)[:20]]
    again = [areas.at(OLD, unit.code, BEFORE_US) for unit in shipped().communes(OLD)[:20]]
    assert again == fresh
    assert len(areas._cached) <= 4


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [(OLD, unit.code) for unit in shipped().communes(OLD)]
            + [(NEW, unit.code) for unit in shipped().communes(NEW)]
        ),
        st.sampled_from([BEFORE_US, AFTER_US]),
        st.sampled_from([None, HOAN_KIEM, CUA_NAM, NOWHERE]),
    ),
    max_size=200,
)


def counted_under(code, areas_now):
    """Where a count by today's areas puts an event: its area, or the doubt it is in."""
    return areas_now[0]["code"] if len(areas_now) == 1 else f"ambiguous:{code}"


@settings(deadline=None)
@given(events=EVENTS)
def test_counts_across_the_reform_add_up_to_their_parts(events):
    counts, parts = Counter(), {BEFORE_US: Counter(), AFTER_US: Counter()}
    for (scheme, code), at_us, point in events:
        _, now, resolution = areas_at(scheme, code, at_us, point, areas=WITH_PLACES)
        bucket = counted_under(code, now)
        counts[bucket] += 1
        parts[at_us][bucket] += 1
        # A single area is never a guess.
        successors = shipped().successors(shipped().unit(scheme, code)) if scheme == OLD else ()
        assert (len(now) > 1) == (
            len(successors) > 1 and POSITIONS.get(point) not in codes(successors)
        )
        assert not (len(now) > 1 and resolution != "AMBIGUOUS")
    assert counts.total() == len(events)
    assert counts == parts[BEFORE_US] + parts[AFTER_US]


def test_one_day_on_each_side_of_the_reform_adds_up_for_every_area():
    """One event in each old unit on 30 June, one in each new unit on 1 July."""
    register = shipped()
    june = Counter(
        counted_under(unit.code, areas_at(OLD, unit.code, BEFORE_US)[1])
        for unit in register.communes(OLD)
    )
    july = Counter(
        counted_under(unit.code, areas_at(NEW, unit.code, AFTER_US)[1])
        for unit in register.communes(NEW)
    )
    both = june + july
    assert both.total() == 526 + 126
    for unit in register.communes(NEW):
        whole = [old for old in register.predecessors(unit) if len(register.successors(old)) == 1]
        assert both[unit.code] == len(whole) + 1
    split = [old for old in register.communes(OLD) if len(register.successors(old)) > 1]
    doubtful = {bucket: n for bucket, n in both.items() if bucket.startswith("ambiguous:")}
    assert doubtful == {f"ambiguous:{unit.code}": 1 for unit in split}
    assert len(split) == 199
