import copy

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.deduplicate import Window

SPAN_MS = 600  # buckets of 10 ms
WIDTH_MS = 10
IDS = [bytes([n]) * 16 for n in range(8)]
ids = st.sampled_from(IDS)
# Small steps stay in a bucket, large ones leave the window at once.
steps = st.one_of(st.integers(0, 15), st.integers(0, 250), st.integers(500, 1500))


class Model:
    """What a window is: the bucket in which an id was first seen, for as long as it counts."""

    def __init__(self) -> None:
        self.seen: dict[bytes, int] = {}
        self.now = -SPAN_MS

    def first(self, id_: bytes, at_ms: int) -> bool:
        self.now = at_ms - at_ms % WIDTH_MS
        if id_ in self.live():
            return False
        self.seen[id_] = self.now
        return True

    def live(self) -> set[bytes]:
        return {id_ for id_, start in self.seen.items() if start + SPAN_MS > self.now}


class WindowMachine(RuleBasedStateMachine):
    """Any mix of arrivals, commits, rollbacks, refusals and restarts decides as the model does."""

    @initialize()
    def begin(self) -> None:
        self.window, self.model = Window(SPAN_MS), Model()
        self.committed = copy.deepcopy(self.model)
        self.log: list[list[tuple[int, bytes]]] = []
        self.clock = self.committed_clock = 0

    @rule(id_=ids, step=steps)
    def arrive(self, id_: bytes, step: int) -> None:
        self.clock += step
        assert self.window.first(id_, self.clock) == self.model.first(id_, self.clock)

    @rule(id_=ids, step=steps)
    def arrive_and_be_refused(self, id_: bytes, step: int) -> None:
        self.clock += step
        known = dict(self.model.seen)
        first = self.model.first(id_, self.clock)
        assert self.window.first(id_, self.clock) == first
        if first:
            self.window.forget_last()
            self.model.seen = known

    @rule()
    def commit(self) -> None:
        self.log.append(self.window.changes())
        self.window.commit()
        self.committed, self.committed_clock = copy.deepcopy(self.model), self.clock

    @rule()
    def roll_back(self) -> None:
        self.window.rollback()
        # The same records come again: the clock of the log goes back with them.
        self.model, self.clock = copy.deepcopy(self.committed), self.committed_clock

    @rule()
    def restart(self) -> None:
        self.window = Window(SPAN_MS)
        for changes in self.log:
            self.window.restore(changes)
        self.model, self.clock = copy.deepcopy(self.committed), self.committed_clock

    @invariant()
    def knows_at_least_what_counts(self) -> None:
        assert self.model.live() <= self.window.seen


TestWindow = WindowMachine.TestCase

arrivals = st.lists(st.tuples(ids, steps), max_size=60)


def decisions(stream, cuts) -> list[bool]:
    window, clock, found = Window(SPAN_MS), 0, []
    for index, (id_, step) in enumerate(stream):
        clock += step
        found.append(window.first(id_, clock))
        if index in cuts:
            window.commit()
    return found


@given(stream=arrivals, cuts=st.sets(st.integers(0, 60)))
def test_where_transactions_end_decides_nothing(stream, cuts):
    assert decisions(stream, cuts) == decisions(stream, set())


@given(stream=arrivals, cuts=st.sets(st.integers(0, 60)))
def test_the_changes_of_all_commits_restore_the_live_window(stream, cuts):
    window, log, clock = Window(SPAN_MS), [], 0
    for index, (id_, step) in enumerate(stream):
        clock += step
        window.first(id_, clock)
        if index in cuts or index == len(stream) - 1:
            log.append(window.changes())
            window.commit()
    again = Window(SPAN_MS)
    for changes in log:
        again.restore(changes)
    again.first(bytes(16), clock)
    window.first(bytes(16), clock)
    assert again.seen == window.seen


def test_an_id_that_returned_after_the_window_is_still_known_after_a_restart():
    window, log = Window(SPAN_MS), []
    for at_ms in (0, SPAN_MS + 20):
        assert window.first(IDS[0], at_ms)
        log.append(window.changes())
        window.commit()
    again = Window(SPAN_MS)
    for changes in log:
        again.restore(changes)
    assert not again.first(IDS[0], SPAN_MS + 40)


def test_a_transaction_longer_than_the_window_forgets_its_own_first_ids():
    window = Window(SPAN_MS)
    assert window.first(IDS[0], 0)
    assert window.first(IDS[0], SPAN_MS + WIDTH_MS)


def test_a_clock_that_steps_back_never_drops_a_first_arrival():
    window = Window(SPAN_MS)
    assert window.first(IDS[0], 5000)
    assert window.first(IDS[1], 4000)
    assert not window.first(IDS[1], 5001)
    assert not window.first(IDS[0], 4999)
