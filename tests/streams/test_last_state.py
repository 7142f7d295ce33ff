import copy

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.last_state import (
    CANCELLED,
    ENDED,
    EXPIRED,
    NEW,
    UNKNOWN,
    UPDATED,
    VANISHED,
    LastStates,
    Report,
    Word,
)


def id_of(text: str) -> bytes:
    return text.encode().ljust(16, b".")


def report(
    event: str, subject: str = "s", at: int = 0, content: str = "", **more: object
) -> Report:
    references = tuple(id_of(each) for each in more.pop("references", ()))
    return Report(
        event_id=id_of(event),
        subject=id_of(subject),
        lifecycle=more.pop("lifecycle", UNKNOWN),
        effective_us=at,
        version=more.pop("version", -1),
        digest=id_of(content or event),
        references=references,
        **more,
    )


def alert(event: str, at: int, *references: str, **more: object) -> Report:
    return report(event, event, at, chained=True, references=references, **more)


def decide(states: LastStates, given: Report) -> tuple[Word, bytes, int]:
    verdict = states.decide(given)
    return verdict.word, verdict.subject.rstrip(b"."), verdict.lifecycle


def test_a_state_is_new_then_updated_and_the_end_is_the_sources_word():
    states = LastStates(3_600)
    assert decide(states, report("a", at=1)) == (Word.DELIVER, b"s", NEW)
    assert decide(states, report("b", at=2)) == (Word.DELIVER, b"s", UPDATED)
    assert decide(states, report("c", at=3, lifecycle=ENDED)) == (Word.DELIVER, b"s", ENDED)


def test_equal_content_is_a_repeat_and_a_state_that_returns_is_delivered_anew():
    states = LastStates(3_600)
    words = [
        states.decide(report(f"e{at}", at=at, content=content)).word
        for at, content in enumerate(["red", "red", "green", "red"])
    ]
    assert words == [Word.DELIVER, Word.CONFIRMED, Word.DELIVER, Word.DELIVER]


def test_an_older_version_is_superseded_also_when_its_equal_came_later_as_a_repeat():
    states = LastStates(3_600)
    assert decide(states, report("a", at=5, content="red"))[0] is Word.DELIVER
    assert decide(states, report("b", at=9, content="red"))[0] is Word.CONFIRMED
    assert decide(states, report("c", at=7, content="green"))[0] is Word.SUPERSEDED


def test_of_one_time_the_higher_version_wins():
    states = LastStates(3_600)
    assert decide(states, report("a", at=5, version=2))[0] is Word.DELIVER
    assert decide(states, report("b", at=5, version=1))[0] is Word.SUPERSEDED
    assert decide(states, report("c", at=5, version=3))[0] is Word.DELIVER


def test_the_same_report_again_is_a_repeat():
    states = LastStates(3_600)
    assert decide(states, report("a", at=5))[0] is Word.DELIVER
    assert decide(states, report("a", at=5))[0] is Word.REPEAT


def test_an_alerts_messages_carry_the_subject_of_the_first():
    states = LastStates(3_600)
    assert decide(states, alert("one", 1)) == (Word.DELIVER, b"one", NEW)
    assert decide(states, alert("two", 2, "one")) == (Word.DELIVER, b"one", UPDATED)
    assert decide(states, alert("three", 3, "two", lifecycle=CANCELLED)) == (
        Word.DELIVER,
        b"one",
        CANCELLED,
    )


def test_an_update_that_comes_before_its_alert_gives_the_chain_its_subject():
    states = LastStates(3_600)
    assert decide(states, alert("two", 2, "one")) == (Word.DELIVER, b"one", NEW)
    assert decide(states, alert("one", 1)) == (Word.SUPERSEDED, b"one", UNKNOWN)
    assert decide(states, alert("three", 3, "one")) == (Word.DELIVER, b"one", UPDATED)


def test_an_alert_cancelled_before_it_came_is_delivered_cancelled():
    states = LastStates(3_600)
    assert decide(states, alert("two", 2, "one", lifecycle=CANCELLED))[2] == CANCELLED
    assert decide(states, alert("one", 1)) == (Word.DELIVER, b"one", CANCELLED)
    assert decide(states, alert("one", 1))[0] is Word.REPEAT


def test_a_cancel_holds_for_what_comes_late_to_its_chain():
    states = LastStates(3_600)
    decide(states, alert("one", 1))
    decide(states, alert("three", 3, "one", lifecycle=CANCELLED))
    assert decide(states, alert("two", 2, "one")) == (Word.DELIVER, b"one", CANCELLED)


def test_messages_that_name_the_same_unknown_alert_are_one_chain():
    states = LastStates(3_600)
    assert decide(states, alert("two", 2, "lost"))[1] == b"lost"
    assert decide(states, alert("three", 3, "lost"))[1] == b"lost"


def test_an_alert_pushed_again_after_its_chain_went_on_is_a_repeat():
    states = LastStates(3_600)
    one, two = alert("one", 1), alert("two", 2, "one")
    states.decide(one)
    states.decide(two)
    assert [states.decide(each).word for each in (one, two, one)] == [Word.REPEAT] * 3


HOUR = 3_600_000_000


def test_one_report_an_hour_of_a_state_that_does_not_change_keeps_it_alive():
    states = LastStates(3_600)
    verdicts = [
        states.decide(report(f"e{n}", at=n * HOUR // 4, content="green")) for n in range(10)
    ]
    delivered = {n: each for n, each in enumerate(verdicts) if each.word is Word.DELIVER}
    assert {n: (each.lifecycle, each.reports) for n, each in delivered.items()} == {
        0: (NEW, 1),
        4: (UPDATED, 4),
        8: (UPDATED, 4),
    }
    assert {each.word for n, each in enumerate(verdicts) if n not in delivered} == {Word.CONFIRMED}


def test_a_sign_of_life_that_comes_again_is_not_delivered_again():
    states = LastStates(3_600)
    states.decide(report("a", at=0, content="green"))
    assert decide(states, report("b", at=HOUR, content="green"))[0] is Word.DELIVER
    assert decide(states, report("b", at=HOUR, content="green"))[0] is Word.CONFIRMED


def test_the_hour_begins_anew_with_each_change():
    states = LastStates(3_600)
    words = [
        states.decide(report(f"e{n}", at=at, content=content)).word
        for n, (at, content) in enumerate(
            [(0, "green"), (1, "green"), (HOUR - 1, "red"), (HOUR, "red"), (2 * HOUR - 1, "red")]
        )
    ]
    assert words == [
        Word.DELIVER,
        Word.CONFIRMED,
        Word.DELIVER,
        Word.CONFIRMED,
        Word.DELIVER,
    ]


@pytest.mark.parametrize("end", [ENDED, CANCELLED, EXPIRED, VANISHED])
def test_what_is_over_gives_no_sign_of_life(end):
    states = LastStates(3_600)
    states.decide(report("a", at=0, content="over", lifecycle=end))
    again = report("b", at=9 * HOUR, content="over", lifecycle=end)
    assert decide(states, again)[0] is Word.CONFIRMED


@examples(st.lists(st.integers(0, 2 * HOUR), max_size=20))
def test_each_report_of_an_unchanged_state_is_counted_once(waits):
    states, at, heard, counted = LastStates(3_600), 0, 0, 0
    states.decide(report("first", at=0, content="green"))
    for n, wait in enumerate(waits):
        at += wait
        verdict = states.decide(report(f"e{n}", at=at, content="green"))
        assert (verdict.word is Word.DELIVER) == (at - heard >= HOUR)
        if verdict.word is Word.DELIVER:
            heard, counted = at, counted + verdict.reports
    merged = states.decide(report("last", at=at + HOUR, content="green")).reports - 1
    assert counted + merged == len(waits)


seconds = st.integers(0, 5).map(lambda each: each * 1_000_000)
names = st.sampled_from("abcde")
plain = st.builds(
    report,
    st.sampled_from([f"e{n}" for n in range(12)]),
    names,
    seconds,
    st.sampled_from(["red", "green"]),
    lifecycle=st.sampled_from([UNKNOWN, ENDED, CANCELLED]),
    version=st.sampled_from([-1, 0, 1]),
)
chained = st.builds(
    lambda name, at, references, lifecycle: alert(name, at, *references, lifecycle=lifecycle),
    names,
    seconds,
    st.lists(names, max_size=2, unique=True),
    st.sampled_from([UNKNOWN, CANCELLED]),
)


class StatesMachine(RuleBasedStateMachine):
    """Rolled back and decided again, or restored from the changelog, the answers are the same."""

    @initialize()
    def begin(self) -> None:
        self.states, self.calm = LastStates(2), LastStates(2)
        self.committed = LastStates(2)
        self.log: dict[bytes, bytes] = {}

    @rule(given=st.one_of(plain, chained))
    def report(self, given: Report) -> None:
        assert self.states.decide(given) == self.calm.decide(given)

    @rule()
    def commit(self) -> None:
        # A compacted topic keeps the last value of each key.
        self.log |= dict(self.states.changes())
        self.states.commit()
        self.committed = copy.deepcopy(self.calm)

    @rule()
    def roll_back(self) -> None:
        self.states.rollback()
        self.calm = copy.deepcopy(self.committed)

    @rule()
    def restart(self) -> None:
        self.states = LastStates(2)
        for subject, packed in self.log.items():
            self.states.restore(subject, packed)
        self.calm = copy.deepcopy(self.committed)

    @invariant()
    def holds_the_same_entries(self) -> None:
        assert self.states._entries == self.calm._entries


TestStates = StatesMachine.TestCase


def test_content_that_changes_while_time_and_version_stay_is_an_update():
    states = LastStates(3_600)
    assert decide(states, report("a", at=5, version=1, content="red"))[2] == NEW
    assert decide(states, report("b", at=5, version=1, content="green")) == (
        Word.DELIVER,
        b"s",
        UPDATED,
    )


def test_a_cancel_holds_for_all_chains_that_it_names():
    states = LastStates(3_600)
    states.decide(alert("one", 1))
    states.decide(alert("two", 2))
    states.decide(alert("cancel", 5, "one", "two", lifecycle=CANCELLED))
    assert decide(states, alert("late one", 3, "one"))[2] == CANCELLED
    assert decide(states, alert("late two", 4, "two"))[2] == CANCELLED


def test_an_update_supersedes_all_chains_that_it_names():
    states = LastStates(3_600)
    states.decide(alert("one", 1))
    states.decide(alert("two", 2))
    states.decide(alert("both", 5, "one", "two"))
    assert decide(states, alert("late one", 3, "one"))[0] is Word.SUPERSEDED
    assert decide(states, alert("late two", 4, "two"))[0] is Word.SUPERSEDED


def test_chains_that_were_joined_are_one_whichever_of_them_is_named_later():
    states = LastStates(3_600)
    for event in ("one", "two", "three"):
        states.decide(alert(event, 1))
    states.decide(alert("a", 2, "two", "three"))
    assert decide(states, alert("b", 3, "one", "three")) == (Word.DELIVER, b"one", UPDATED)
    assert decide(states, alert("c", 4, "two")) == (Word.DELIVER, b"one", UPDATED)
    assert decide(states, alert("late", 3, "a"))[0] is Word.SUPERSEDED
