"""Cases: what may follow what, what is void and why, and that every reader sees the same."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from review_records import ACT, EVENT, START, decision, logged

from hub.law import limitation_ends
from hub.reviews.case import NEXT, STATES, Case, fold

PATHS = {
    "CANDIDATE": (),
    "UNDER_REVIEW": ("UNDER_REVIEW",),
    "APPROVED": ("UNDER_REVIEW", "APPROVED"),
    "REJECTED": ("UNDER_REVIEW", "REJECTED"),
    "NOTIFIED": ("UNDER_REVIEW", "APPROVED", "NOTIFIED"),
    "CONTESTED": ("UNDER_REVIEW", "APPROVED", "NOTIFIED", "CONTESTED"),
    "FINED": ("UNDER_REVIEW", "APPROVED", "NOTIFIED", "FINED"),
    "CLOSED": ("UNDER_REVIEW", "REJECTED", "CLOSED"),
}


def chain(*states):
    return [decision(n, state, n - 1 or None) for n, state in enumerate(states, 1)]


def case(*states):
    return fold(EVENT, logged(*chain(*states)))


def refusal(before, state, **changed):
    """Why a state can't follow; the decision is right in all else."""
    number = len(before.decisions) + 1
    new = decision(number, state, number - 1 or None, **changed)
    return before.refusal(new, new["decided_at"])


def test_a_case_without_decisions_is_a_candidate():
    assert (case().state, case().last_id) == ("CANDIDATE", None)


@pytest.mark.parametrize("before", PATHS)
def test_only_the_next_states_may_follow(before):
    held = case(*PATHS[before])
    assert held.state == before
    assert {state for state in STATES if not refusal(held, state)} == set(NEXT[before])


def test_a_state_that_is_skipped_is_refused_with_what_may_come():
    assert refusal(case(), "APPROVED") == "what is candidate becomes under review, not approved"
    assert (
        refusal(case(*PATHS["CLOSED"]), "FINED") == "what is closed becomes nothing else, not fined"
    )


def test_a_state_of_a_later_version_is_refused():
    assert "not unknown" in refusal(case(), "UNKNOWN")


def test_the_same_record_again_changes_nothing():
    records = chain("UNDER_REVIEW", "APPROVED")
    assert fold(EVENT, logged(*records, *records)) == fold(EVENT, logged(*records))


def test_an_id_that_is_used_twice_is_void():
    first, other = decision(1, "UNDER_REVIEW"), decision(1, "UNDER_REVIEW", reviewer="CB-7")
    held = fold(EVENT, logged(first, other))
    assert (len(held.decisions), held.void[0].why) == (1, "another decision has the same id")


def test_of_two_decisions_at_once_the_first_in_the_log_holds():
    one, other = decision(1, "UNDER_REVIEW"), decision(2, "UNDER_REVIEW", reviewer="CB-7")
    for first, second in ((one, other), (other, one)):
        held = fold(EVENT, logged(first, second))
        assert held.decisions == (first,)
        assert held.void[0].decision == second
        assert held.void[0].why.startswith("another decision came first: under review at ")
        assert first["reviewer"] in held.void[0].why


def test_what_builds_on_a_void_decision_is_void_too():
    one, lost = decision(1, "UNDER_REVIEW"), decision(2, "UNDER_REVIEW", reviewer="CB-7")
    held = fold(EVENT, logged(one, lost, decision(3, "REJECTED", 2)))
    assert held.state == "UNDER_REVIEW"
    assert held.void[1].why.startswith("it builds on a decision that does not hold, ")


def test_a_decision_on_what_has_moved_on_is_void():
    records = chain("UNDER_REVIEW", "APPROVED")
    held = fold(EVENT, logged(*records, decision(3, "REJECTED", 1)))
    assert (held.state, held.void[0].why[:42]) == (
        "APPROVED",
        "another decision came first: approved at 2",
    )


def test_a_decision_from_before_the_one_it_builds_on_is_refused():
    assert "before the one it builds on" in refusal(case("UNDER_REVIEW"), "REJECTED", minutes=0)


def test_a_decision_from_the_future_or_from_before_the_act_is_refused():
    early = decision(1, "UNDER_REVIEW", decided_at=ACT - timedelta(seconds=1))
    assert "before the act" in case().refusal(early, START)
    new = decision(1, "UNDER_REVIEW")
    assert "in the future" in case().refusal(new, new["decided_at"] - timedelta(minutes=6))
    assert case().refusal(new, new["decided_at"] - timedelta(minutes=5)) == ""


def test_the_time_of_the_act_does_not_move():
    moved = ACT + timedelta(minutes=1)
    assert "at another time" in refusal(case("UNDER_REVIEW"), "REJECTED", act_at=moved)
    assert refusal(case("UNDER_REVIEW"), "REJECTED", act_at=None) == ""


def test_a_decision_about_another_violation_is_void():
    other = decision(1, "UNDER_REVIEW", event_id=bytes(16))
    assert "another violation" in fold(EVENT, logged(other)).void[0].why


@pytest.mark.parametrize("name", ["Nguyen Van A", "lan", "", "CB 12", "CB-12\n", "x" * 65 + "1"])
def test_a_reviewer_is_a_number_and_never_a_name(name):
    assert "never a name" in refusal(case(), "UNDER_REVIEW", reviewer=name)


def test_a_unit_is_an_agency_code():
    assert "agency code" in refusal(case(), "UNDER_REVIEW", unit="Đội 3")
    assert refusal(case(), "UNDER_REVIEW", unit="H26.12.3") == ""


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ("UNDER_REVIEW", "REJECTED"),
        ("REJECTED", "UNDER_REVIEW"),
        ("NOTIFIED", "CONTESTED"),
        ("APPROVED", "CLOSED"),
        ("CONTESTED", "CLOSED"),
    ],
)
def test_what_turns_a_case_needs_a_reason(before, state):
    assert refusal(case(*PATHS[before]), state, reason=" ").endswith("for a reason only")


def test_what_goes_on_as_usual_needs_none():
    for before, state in [("UNDER_REVIEW", "APPROVED"), ("NOTIFIED", "FINED"), ("FINED", "CLOSED")]:
        assert refusal(case(*PATHS[before]), state, reason="") == ""


def test_a_fine_after_the_limitation_needs_a_reason():
    ends = limitation_ends(ACT)
    notified = case(*PATHS["NOTIFIED"])
    last = ends - timedelta(microseconds=1)
    assert refusal(notified, "FINED", decided_at=last, reason="") == ""
    assert "could be fined until 2027-03-01T17:00" in refusal(
        notified, "FINED", decided_at=ends, reason=""
    )
    assert refusal(notified, "FINED", decided_at=ends, reason="evaded until then") == ""


def test_an_approval_names_a_code_that_held_at_the_act():
    held = case("UNDER_REVIEW")
    assert "names the code" in refusal(held, "APPROVED", law_code="")
    assert "no national code" in refusal(held, "APPROVED", law_code="16824.6.9.B.01")
    assert "Decree 123/2021/ND-CP was not in force" in refusal(
        held, "APPROVED", law_code="12321.5.3.a.01"
    )
    assert refusal(held, "APPROVED", law_code="04522.7.1.a.01") == ""


def test_a_code_of_another_list_is_taken_as_it_is():
    other = {"law_namespace": "hanoi.litter", "law_code": "VS-3"}
    assert refusal(case("UNDER_REVIEW"), "APPROVED", **other) == ""
    wrong = {**other, "law_namespace": ""}
    assert "no name of a list" in refusal(case("UNDER_REVIEW"), "APPROVED", **wrong)


def test_a_reason_has_an_end():
    assert "500 characters" in refusal(case(), "UNDER_REVIEW", reason="x" * 501)


class Cases(RuleBasedStateMachine):
    """People and machines that write whatever they like, against what a log of cases must keep."""

    def __init__(self):
        super().__init__()
        self.log = []
        self.case = Case(EVENT)

    def write(self, record):
        before = self.case
        self.log.append((record, START + timedelta(minutes=len(self.log))))
        self.case = self.case.after(*self.log[-1])
        return before

    def number(self):
        return len(self.log) + 1

    @rule(data=st.data())
    def somebody_decides_what_may_come(self, data):
        allowed = NEXT[self.case.state]
        if allowed:
            state = data.draw(st.sampled_from(allowed))
            previous = int.from_bytes(self.case.last_id or b"", "big") or None
            record = decision(self.number(), state, previous, minutes=len(self.log))
            before = self.write(record)
            assert self.case.decisions == (*before.decisions, record)

    @rule(state=st.sampled_from(STATES), data=st.data(), minutes=st.integers(-90, 90))
    def somebody_decides_anything(self, state, data, minutes):
        previous = data.draw(st.none() | st.integers(1, self.number()))
        self.write(
            decision(
                self.number(),
                state,
                previous,
                minutes=len(self.log) + minutes,
                reviewer=data.draw(st.sampled_from(["CB-1", "CB-2", "a name"])),
                reason=data.draw(st.sampled_from(["", "so"])),
            )
        )

    @rule(data=st.data())
    def a_record_is_written_again(self, data):
        if self.log:
            record, _ = data.draw(st.sampled_from(self.log))
            before = self.write(record)
            assert self.case == before

    @invariant()
    def each_decision_builds_on_the_one_before_and_may_follow_it(self):
        state, last = "CANDIDATE", None
        for each in self.case.decisions:
            assert each["previous_id"] == last
            assert each["state"] in NEXT[state]
            state, last = each["state"], each["review_id"]

    @invariant()
    def no_decision_is_older_than_the_one_before(self):
        times = [each["decided_at"] for each in self.case.decisions]
        assert times == sorted(times)

    @invariant()
    def nothing_is_lost_and_what_is_void_says_why(self):
        held = [*self.case.decisions, *(each.decision for each in self.case.void)]
        assert len(held) == len({each["review_id"] for each in held})
        assert {record["review_id"] for record, _ in self.log} == {
            each["review_id"] for each in held
        }
        assert all(each.why for each in self.case.void)

    @invariant()
    def a_reader_who_comes_later_sees_the_same(self):
        assert fold(EVENT, self.log) == self.case


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@given(st.lists(st.tuples(st.sampled_from(STATES), st.none() | st.integers(1, 6)), max_size=6))
def test_what_holds_is_never_taken_back(told):
    log = logged(*(decision(n, state, of) for n, (state, of) in enumerate(told, 1)))
    for end in range(len(log)):
        shorter, longer = fold(EVENT, log[:end]), fold(EVENT, log[: end + 1])
        assert longer.decisions[: len(shorter.decisions)] == shorter.decisions
        assert longer.void[: len(shorter.void)] == shorter.void
