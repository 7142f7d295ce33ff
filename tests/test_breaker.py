"""When a source is paused and when it is read again, against a model that forgets nothing."""

import copy
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub import metrics
from hub.breaker import CLOSED, SET_ASIDE, Breaker, Closed, Open, Probing
from hub.cli.dead import paused
from hub.config import TEST_ID_KEY, Config
from hub.connector import Nothing, Rejection
from hub.engine.task import Partition
from hub.envelope import Canonical
from hub.metrics import StageMetrics
from hub.parsing import Parsed, RawRecord, described
from hub.pauses import Pauses
from hub.replayed import INDEXES

EVENT = Canonical("plate_read", "camera.plate_read.v1", b"", b"", None)
REFUSED = Rejection(code="malformed", message="")
HEARTBEAT = Nothing(why="heartbeat")
TRIAL_S = 30.0
SOURCES = ("a", "b")


def clock() -> float:
    return 0.0


def after(breaker: Breaker, verdicts: str):
    """The state after payloads that were read: `x` for a refused one, `.` for a good one."""
    state = CLOSED
    for each in verdicts:
        state = breaker.after(state, clock, refused=each == "x")
    return state


@pytest.mark.parametrize(
    ("share", "payloads", "verdicts", "opens"),
    [
        (0.5, 4, "xx", False),
        (0.5, 4, "xxx", True),
        (0.5, 4, "xx..x", False),
        (0.5, 4, "xx..xx", False),
        (0.5, 4, "xx.x", True),
        (0.5, 1, "x", True),
        (1.0, 3, "xxxxxxxx", False),
        # 0.29 of 100 is a little less than 29 in binary.
        (0.29, 100, "x" * 29, False),
        (0.29, 100, "x" * 30, True),
    ],
)
def test_it_opens_as_soon_as_more_than_the_share_of_the_last_payloads_is_refused(
    share, payloads, verdicts, opens
):
    assert isinstance(after(Breaker(share, payloads), verdicts), Open) is opens


@pytest.mark.parametrize(
    ("events", "refused", "counts"),
    [(0, 0, None), (1, 0, False), (0, 1, True), (1999, 1, False), (5, 5, False), (5, 6, True)],
)
def test_one_bad_record_in_each_list_of_thousands_pauses_nothing(events, refused, counts):
    assert Breaker(0.5, 100).verdict(events, refused) is counts


def test_a_source_with_nothing_refused_lately_is_as_a_new_one():
    assert after(Breaker(0.5, 4), "xx....") == CLOSED


@given(st.floats(0.001, 1), st.integers(1, 10_000))
def test_chance_hardly_closes_it_for_a_source_as_bad_as_the_share_allows(share, payloads):
    breaker = Breaker(share, payloads)
    assert 1 <= breaker.proof <= payloads
    assert breaker.proof == payloads or (1 - share) ** breaker.proof <= 1.001e-3


def test_by_default_ten_good_payloads_in_a_row_close_it():
    breaker = Breaker(0.5, 100)
    state = after(breaker, "x" * 51)
    for number in range(1, 10):
        state = breaker.after(state, clock, refused=False)
        assert state == Probing(number)
    assert breaker.after(state, clock, refused=True) == Open(0.0)
    assert breaker.after(state, clock, refused=False) == CLOSED


@dataclass
class Naive:
    """One source, by the words of the documentation."""

    share: float
    payloads: int
    closed: bool = True
    verdicts: list[bool] = field(default_factory=list)
    good: int = 0
    tried_at: float = 0.0
    aside: int = 0

    def reads(self, now: float) -> bool:
        waits = not self.closed and not self.good
        return not waits or self.aside == self.payloads or now >= self.tried_at + TRIAL_S

    def read(self, now: float, *, refused: bool) -> None:
        if self.closed:
            self.verdicts.append(refused)
            if sum(self.verdicts[-self.payloads :]) > self.share * self.payloads:
                self._open(now)
        elif refused:
            self._open(now)
        else:
            self.good += 1
            if self.good >= Breaker(self.share, self.payloads).proof:
                self.__init__(self.share, self.payloads)

    def _open(self, now: float) -> None:
        self.closed, self.good, self.aside, self.tried_at = False, 0, 0, now


class Sources(RuleBasedStateMachine):
    """Two sources of one worker: payloads, transactions that end either way, reloads."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.settings = dict.fromkeys(SOURCES, (0.5, 4))
        self.pauses = Pauses(self.config(), StageMetrics("normalise", "test"), lambda: self.now)
        self.open = {id_: Naive(*self.settings[id_]) for id_ in SOURCES}
        self.committed = copy.deepcopy(self.open)

    def config(self) -> Config:
        breakers = {
            id_: {"connector": "cap", "breaker": {"share": share, "payloads": payloads}}
            for id_, (share, payloads) in self.settings.items()
        }
        return Config.model_validate({"id_key": TEST_ID_KEY, "source": breakers})

    def raw(self, source: str, *more: tuple[str, bytes]) -> RawRecord:
        headers = [("source_id", source.encode()), *more]
        return RawRecord("raw.cap.v1", SOURCES.index(source), 0, None, b"", headers)

    def reading(self, raw: RawRecord, outcomes: list) -> list:
        parsed = Parsed(described(raw), b"", iter(enumerate(outcomes)))
        return [result for _, result in self.pauses.watched(parsed)]

    @rule(
        source=st.sampled_from(SOURCES),
        outcomes=st.sampled_from(
            [[EVENT], [REFUSED], [REFUSED], [REFUSED], [HEARTBEAT], [EVENT, REFUSED],
             [EVENT, REFUSED, REFUSED], [HEARTBEAT, REFUSED], []]
        ),
        seconds=st.sampled_from([0.0, 0.0, 0.0, 10.0, 30.0]),
        count=st.integers(1, 5),
    )  # fmt: skip
    def payloads(self, source, outcomes, seconds, count):
        for _ in range(count):
            self.now += seconds
            model, raw = self.open[source], self.raw(source)
            assert self.pauses.sets_aside(raw) is not model.reads(self.now)
            if not model.reads(self.now):
                model.aside += 1
                continue
            assert self.reading(raw, outcomes) == outcomes
            refused, events = outcomes.count(REFUSED), outcomes.count(EVENT)
            if refused or events:
                model.read(self.now, refused=refused > model.share * (refused + events))

    @rule(source=st.sampled_from(SOURCES), outcome=st.sampled_from([EVENT, REFUSED]))
    def replayed(self, source, outcome):
        """Is read whatever its source does, and says nothing of it."""
        raw = self.raw(source, (INDEXES, b"0-"))
        assert not self.pauses.sets_aside(raw)
        assert self.reading(raw, [outcome]) == [outcome]

    @rule(
        source=st.sampled_from(SOURCES),
        code=st.sampled_from(["evidence-missing", "evidence-erased", "bad-raw-record"]),
    )
    def bytes_that_are_not_there(self, source, code):
        """Are no parser's refusal."""
        if self.open[source].reads(self.now):
            self.reading(self.raw(source), [Rejection(code=code, message="")])

    @rule()
    def commits(self):
        self.pauses.committed()
        # As normalise does.
        self.pauses.rolled_back()
        self.committed = copy.deepcopy(self.open)

    @rule()
    def rolls_back(self):
        self.pauses.rolled_back()
        self.open = copy.deepcopy(self.committed)

    @rule(source=st.sampled_from(SOURCES), setting=st.sampled_from([(0.5, 4), (0.3, 5), (1.0, 2)]))
    def reloads(self, source, setting):
        """A changed entry starts anew, and of the others one payload is tried."""
        changed = setting != self.settings[source]
        self.settings[source] = setting
        self.pauses.take(self.config())
        for models in (self.open, self.committed):
            for model in models.values():
                model.tried_at, model.aside = float("-inf"), 0
            if changed:
                models[source] = Naive(*setting)

    @rule(source=st.sampled_from(SOURCES))
    def another_worker_takes_its_partition(self, source):
        """After a commit, as the loop does."""
        self.commits()
        self.pauses.forget(Partition("raw.cap.v1", SOURCES.index(source)))
        self.open[source] = Naive(*self.settings[source])
        self.committed[source] = Naive(*self.settings[source])

    @precondition(lambda self: self.open == self.committed)
    @invariant()
    def what_is_told_is_what_is_so(self):
        for source in SOURCES:
            told = metrics.value("hub_source_paused", source_id=source)
            assert told == (not self.committed[source].closed)


Sources.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestSources = Sources.TestCase


def of_one(**breaker) -> Config:
    source = {"connector": "cap", "breaker": breaker}
    return Config.model_validate({"id_key": TEST_ID_KEY, "source": {"a": source}})


def pauses_of_one(caplog, **breaker):
    caplog.set_level("INFO", "hub.pauses")
    return Pauses(of_one(**breaker), StageMetrics("normalise", "test"), clock)


RAW = RawRecord("raw.cap.v1", 0, 0, None, b"", [("source_id", b"a")])


def read(pauses: Pauses, *outcomes) -> None:
    assert not pauses.sets_aside(RAW)
    list(pauses.watched(Parsed(described(RAW), b"", iter(enumerate(outcomes)))))


def test_each_change_is_one_line_that_says_what_where_and_how_to_mend_it(caplog):
    pauses = pauses_of_one(caplog, payloads=1)
    read(pauses, REFUSED)
    assert not caplog.records
    pauses.committed()
    (line,) = caplog.messages
    assert "source='a' topic=raw.cap.v1" in line
    assert "more than 50 % of its last 1 payloads were refused, the last as malformed" in line
    assert "'A source is paused' in ops/README.md" in line
    pauses.take(of_one(payloads=1))
    read(pauses, EVENT)
    pauses.committed()
    assert len(caplog.messages) == 2
    assert "source is read again: source='a'" in caplog.messages[1]
    assert "hub dead replay" in caplog.messages[1]


def test_what_was_rolled_back_is_not_told(caplog):
    pauses = pauses_of_one(caplog, payloads=1)
    read(pauses, REFUSED)
    pauses.rolled_back()
    pauses.committed()
    assert not caplog.records


def test_an_entry_that_changes_in_the_middle_of_a_transaction_is_not_undone_by_its_rollback(caplog):
    pauses = pauses_of_one(caplog, payloads=1)
    read(pauses, REFUSED)
    pauses.committed()
    assert pauses.sets_aside(RAW)
    pauses.take(of_one(payloads=2))
    pauses.rolled_back()
    read(pauses, REFUSED)
    assert pauses.sets_aside(RAW) is False


def test_a_pause_that_was_over_before_its_commit_is_not_told(caplog):
    pauses = pauses_of_one(caplog, payloads=1)
    read(pauses, REFUSED)
    pauses.take(of_one(payloads=2))
    pauses.committed()
    assert metrics.value("hub_source_paused", source_id="a") == 0
    assert not caplog.records


def test_a_trial_that_a_reload_ordered_is_still_due_after_a_rollback(caplog):
    pauses = pauses_of_one(caplog, payloads=2)
    read(pauses, REFUSED)
    read(pauses, REFUSED)
    pauses.committed()
    assert pauses.sets_aside(RAW)
    pauses.take(of_one(payloads=2))
    pauses.rolled_back()
    read(pauses, EVENT)


def test_a_source_that_is_closed_costs_a_look_and_keeps_nothing(caplog):
    pauses = pauses_of_one(caplog)
    for _ in range(1_000):
        read(pauses, EVENT)
    assert (pauses._states, pauses._before, pauses._places) == ({}, {}, {})


def test_the_dead_letter_says_why_and_how_long_the_payload_is_kept(caplog):
    why = pauses_of_one(caplog, share=0.125).why("a")
    assert why.code == SET_ASIDE
    assert "more than 12.5 % of its last 100 payloads were refused" in why.message
    assert "`hub dead replay --source a`" in why.fix
    assert "7 days" in why.fix


def test_the_list_of_dead_letters_says_in_words_what_waits_unread():
    letters = {"count": 5, "replayed": 2, "code": SET_ASIDE, "source_id": "a"}
    (line,) = paused([letters, {**letters, "code": "malformed"}])
    assert line.startswith("3 were not read, as a was paused")
    assert "`hub dead replay --source a --apply`" in line
    assert list(paused([{**letters, "replayed": 5}])) == []
    # Grouped by cause, it names no source.
    assert "--code source-paused" in next(paused([{**letters, "source_id": ""}]))


def test_a_window_of_refusals_that_is_open_is_no_window_of_the_next_pause():
    breaker = Breaker(0.5, 4)
    assert after(breaker, "xxx" + "." * breaker.proof) == CLOSED
    assert after(breaker, "xxx" + "." * breaker.proof + "x") == Closed(1)
