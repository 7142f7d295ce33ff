"""The books of a city in memory: they balance, or the ledger names what is wrong with them."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from ledger_model import CANONICAL, CONNECTOR, NOON, RAW, SOURCE, City, Place

from hub.ledger import check
from hub.ledger.rows import Spans

FAULTS = [
    "skip payload", "skip event", "lose event", "double event", "lose copy", "double copy",
    "lose letter", "double letter", "no row", "double row",
]  # fmt: skip


def books(city, *, since=None, now=NOON + timedelta(hours=1)):
    return check(city.memory, [CONNECTOR], since=since, now=now)


def run(city, *bodies, minute=0):
    for body in bodies:
        city.receive(body, minute=minute)
    city.normalise()
    city.process()
    return city


def test_everything_that_may_become_of_a_record_balances():
    result = books(run(City(), "eed", "r", "er", "ob", ""))
    assert result.problems == []
    assert result.totals()["normalise"] == {"in": 5, "events": 3, "refused": 1, "nothing": 1}
    assert result.totals()["process"] == {
        "in": 6, "delivered": 3, "merged": 0, "duplicate": 1, "superseded": 0, "dropped": 1,
        "dead": 1,
    }  # fmt: skip


def test_what_is_withheld_is_told_beside_the_sum_and_explains_no_payload():
    result = books(run(City(), "ww", "ewr", "w", "e"))
    assert result.problems == []
    assert result.totals()["normalise"] == {"in": 4, "events": 2, "refused": 0, "nothing": 2}
    (line,) = [each for each in result.lines if each.stage == "normalise"]
    assert (line.taken, line.accounted, line.as_dict()["withheld"]) == (4, 4, 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_named_with_what_it_hit(fault):
    city = run(City(), "eee", "ebr")
    city.fault = fault
    run(city, "eeo", "ebr", "e")
    assert len(city.seeded) == 1
    problems = "\n".join(books(city).problems)
    assert city.seeded[0] in problems, problems


def test_an_event_that_was_passed_over_is_named_also_when_its_repeat_was_delivered():
    city = City(fault="skip event")
    problems = "\n".join(books(run(city, "edo")).problems)
    (name,) = city.seeded
    assert f"{name}, but a repeat of it was delivered" in problems, problems


def test_what_waits_is_open_and_no_fault():
    city = run(City(), "ee")
    city.receive("e")
    city.normalise()
    city.receive("e", minute=1)
    result = books(city)
    assert result.problems == []
    shown = {(line.stage, line.minute.minute): (line.waiting, line.open) for line in result.lines}
    assert shown == {
        ("normalise", 0): (0, True),
        ("normalise", 1): (1, True),
        ("process", 0): (1, True),
    }


def test_a_minute_closes_when_nothing_of_it_waits_and_it_is_not_young():
    city = run(City(), "ee")
    assert [line.open for line in books(city).lines] == [False, False]
    assert [line.open for line in books(city, now=NOON + timedelta(seconds=90)).lines] == [True] * 2


def test_stages_that_go_on_while_they_are_checked_look_right():
    city = run(City(), "ee", "er")
    city.memory.meanwhile = [lambda: run(city, "e", "rb"), lambda: run(city, "oe")]
    assert books(city).problems == []
    assert not city.memory.meanwhile


def test_a_loss_is_seen_while_the_stages_go_on():
    city = run(City(), "ee", "er")
    city.fault = "lose copy"
    run(city, "e")
    city.memory.meanwhile = [lambda: run(city, "e", minute=1)]
    problems = "\n".join(books(city).problems)
    assert city.seeded[0] in problems, problems


def test_a_gap_between_rows_that_holds_markers_alone_is_no_fault():
    city = run(City(), "e")
    city.memory.logs[Place(RAW, 0)] += [None, None]
    run(city, "e")
    assert books(city).problems == []


def test_no_row_at_all_is_named_with_the_slot_that_went_on():
    city = City(fault="no row", slot="two")
    run(city, "ee")
    run(city, "e")
    problems = "\n".join(books(city).problems)
    assert f"normalise: no row explains {RAW}/0 offset 0 (payload payload-1; slot two" in problems


def test_with_since_only_what_came_later_is_read_and_still_compared_with_the_topics():
    city = run(City(), "ee", "b")
    city.memory.now = NOON + timedelta(hours=2)
    city.fault = "double copy"
    run(city, "e", minute=121)
    since = NOON + timedelta(hours=1)
    result = books(city, since=since, now=NOON + timedelta(hours=3))
    assert {line.minute for line in result.lines} == {NOON + timedelta(minutes=121)}
    assert city.seeded[0] in "\n".join(result.problems)
    assert not result.notes


def test_a_payload_that_comes_late_into_an_old_minute_is_no_fault():
    city = run(City(), "ee")
    city.memory.now = NOON + timedelta(hours=2)
    run(city, "er")
    run(city, "e", minute=121)
    assert books(city, since=NOON + timedelta(hours=1)).problems == []


def test_what_retention_took_is_named_and_not_called_lost():
    city = run(City(), "ee", "r")
    city.memory.now = NOON + timedelta(days=10)
    run(city, "e", minute=14_400)
    for place, log in city.memory.logs.items():
        if place.topic != "ledger.v1":
            city.memory.kept[place] = next(
                (n for n, each in enumerate(log) if each and each.appended_at > NOON), len(log)
            )
    result = books(city, now=NOON + timedelta(days=10, hours=1))
    assert result.problems == []
    assert result.notes[0].startswith("not provable any more: minutes before 2026-03-05T13:00")


def test_a_topic_that_was_cut_short_leaves_out_the_minutes_it_can_not_prove():
    city = run(City(), "e", "e")
    city.memory.now = NOON + timedelta(minutes=10)
    run(city, "e", minute=10)
    city.memory.kept[Place(CANONICAL, 0)] = 2
    result = books(city)
    assert result.problems == []
    assert any(
        note.startswith("not provable any more: detection before 2026-03-01T12:10")
        for note in result.notes
    ), result.notes
    city.fault = "lose event"
    run(city, "e", minute=11)
    assert city.seeded[0] in "\n".join(books(city).problems)


def test_a_record_that_no_stage_wrote_is_named():
    city = run(City(), "e")
    copy = city.memory.logs[Place("police.detection.v1", 0)][0]
    city.memory.append("htmoc.detection.v1", 1, copy.value(), copy.key())
    problems = "\n".join(books(city).problems)
    assert "2 times on htmoc.detection.v1" in problems, problems


@pytest.mark.parametrize("topic", ["ledger.v1", "dead_letter.v1"])
def test_what_is_no_row_and_no_dead_letter_is_named(topic):
    city = run(City(), "er")
    at = city.memory.append(topic, 0, b"\xff" * 40).offset()
    assert books(city).problems == [
        f"{topic}/0 offset {at} can't be read: no stage of the hub wrote it"
    ]


def test_what_a_source_calls_itself_can_not_command_a_terminal():
    city = run(City(fault="skip payload"))
    city.receive("e", source="\x1b[2J")
    city.normalise()
    result = books(city)
    assert "\x1b" not in "".join(result.problems) + "".join(line.source_id for line in result.lines)


def test_rows_that_follow_on_each_other_take_no_memory():
    spans = Spans(0)
    for start in range(0, 1000, 10):
        assert spans.add(start, start + 10, "one")
    assert len(spans._starts) == 1
    assert spans.end == 1000
    assert all(spans.covers(offset) for offset in (0, 555, 999))
    assert not spans.covers(1000)


def test_a_row_that_reaches_over_the_beginning_is_left_out():
    spans = Spans(100)
    assert not spans.add(90, 110, "one")
    assert spans.begin == 110
    assert spans.add(110, 120, "one")


class Books(RuleBasedStateMachine):
    """Payloads, stages and at most one fault, in any order: red if and only if it was seeded."""

    def __init__(self):
        super().__init__()
        self.city = City()

    @initialize(body=st.sampled_from(["erb", "ed", "o", ""]), fault=st.sampled_from(["", *FAULTS]))
    def begin(self, body, fault):
        self.city.receive(body)
        self.city.fault = fault

    @rule(
        body=st.text("eedorb", max_size=4),
        number=st.integers(0, 1),
        minute=st.integers(-3, 3),
        source=st.sampled_from([SOURCE, "other"]),
    )
    def receive(self, body, number, minute, source):
        self.city.receive(body, number=number, minute=minute, source=source)

    @rule(number=st.integers(0, 1), count=st.integers(1, 5))
    def normalise(self, number, count):
        self.city.normalise(number, count)

    @rule(number=st.integers(0, 1), count=st.integers(1, 5))
    def process(self, number, count):
        self.city.process(number, count)

    @precondition(lambda self: not self.city.seeded)
    @rule(fault=st.sampled_from(FAULTS))
    def seed(self, fault):
        self.city.fault = fault

    @rule(slot=st.sampled_from(["one", "two"]))
    def restart(self, slot):
        if self.city.fault != "double row":
            self.city.slot = slot

    @invariant()
    def the_ledger_is_red_exactly_when_something_is_wrong_and_names_it(self):
        problems = "\n".join(books(self.city).problems)
        if self.city.seeded:
            assert self.city.seeded[0].replace("slot one", "slot") in problems.replace(
                f"slot {self.city.slot}", "slot"
            ), problems
        else:
            assert not problems, problems


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
