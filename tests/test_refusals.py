from hypothesis import given, settings
from hypothesis import strategies as st

from hub.connector import Nothing, Rejection
from hub.refusals import SINGLE_MAX, in_runs

BAD, GOOD = Rejection(code="bad", message="no"), Nothing(why="fine")
BROKEN_OFF = Rejection(code="parser-defect", message="it broke off")


def told(results):
    return [(part.place, part.last) for part in in_runs(results)]


def test_the_first_refusals_of_a_payload_have_a_letter_each_and_the_others_share_one():
    parts = list(in_runs((place, BAD) for place in range(20_000)))
    assert len(parts) == SINGLE_MAX + 1
    assert (parts[-1].place, parts[-1].last) == (SINGLE_MAX, 19_999)
    assert parts[-1].result.message == (
        "no; 18999 more up to place 19999 are refused too, for this or other causes"
    )
    assert parts[-1].result.code == "bad"


def test_what_is_good_ends_a_run_and_a_run_of_one_is_a_refusal_like_any_other():
    many = [(place, BAD) for place in range(SINGLE_MAX)]
    more = [BAD, GOOD, BAD, BAD, GOOD]
    rest = told([*many, *enumerate(more, SINGLE_MAX)])[SINGLE_MAX:]
    first = SINGLE_MAX
    assert rest == [
        (first, None),
        (first + 1, None),
        (first + 2, first + 3),
        (first + 4, None),
    ]


def test_a_connector_that_broke_off_has_a_letter_of_its_own():
    many = [(place, BAD) for place in range(SINGLE_MAX + 2)]
    parts = list(in_runs([*many, (SINGLE_MAX + 2, BROKEN_OFF)]))
    assert parts[-1] == (SINGLE_MAX + 2, BROKEN_OFF, None)
    assert (parts[-2].place, parts[-2].last) == (SINGLE_MAX, SINGLE_MAX + 1)


def test_a_refusal_of_the_whole_payload_passes_as_it_is():
    assert list(in_runs([(None, BAD)])) == [(None, BAD, None)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([BAD, BAD, GOOD, BROKEN_OFF]), max_size=60),
    st.lists(st.integers(0, 3), min_size=60, max_size=60),
)
def test_each_place_is_told_of_once_and_in_order(outcomes, gaps):
    before = [(place, BAD) for place in range(SINGLE_MAX - 9)]
    place, results = len(before), list(before)
    for outcome, gap in zip(outcomes, gaps, strict=False):
        place += gap
        results.append((place, outcome))
        place += 1
    parts = list(in_runs(results))
    covered = [each for part in parts for each in range(part.place, part.place + part.size)]
    assert covered == [place for place, _ in results]
    assert [part.result for part in parts if part.result is GOOD] == [
        result for _, result in results if result is GOOD
    ]
