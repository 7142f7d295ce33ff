"""What may happen to the stage, in any order; after each step everything must hold."""

from events import plate_read, poison, signal_state
from hub_in_memory import SLOTS, Site
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

numbers = st.integers(0, 40)
slots = st.sampled_from(SLOTS)
turns = st.integers(1, 12)
# Where a worker can die or be stopped: the failpoints, and between the requests of a commit.
POINTS = (
    "before-produce",
    "after-produce",
    "before-mark",
    "before-commit",
    "offsets-added",
    "committed",
    "after-commit",
    "in-revoke",
    "in-restore",
    "after-restore",
)
points = st.sampled_from(POINTS)
faults = st.sampled_from(("commit fails", "commit slow", "queue full"))


class StageMachine(RuleBasedStateMachine):
    """Two slots of the process stage, and everything that can go wrong around them."""

    @initialize()
    def begin(self) -> None:
        self.site = Site()
        self.site.start("one")

    def teardown(self) -> None:
        site = getattr(self, "site", None)
        if site is None:
            return
        try:
            site.drain()
            site.check()
        finally:
            site.close()

    # Input

    @rule(chosen=st.lists(numbers, min_size=4, max_size=12))
    def plates_come(self, chosen: list[int]) -> None:
        for number in chosen:
            self.site.feed(*plate_read(number))

    @rule(chosen=st.lists(numbers, min_size=2, max_size=6))
    def signals_come(self, chosen: list[int]) -> None:
        for number in chosen:
            self.site.feed(*signal_state(number))

    @rule(number=numbers)
    def poison_comes(self, number: int) -> None:
        self.site.feed(*poison(number))

    # Workers

    @rule(slot=slots, turns=turns)
    def work(self, slot: str, turns: int) -> None:
        worker = self.site.alive(slot) or self.site.start(slot)
        for _ in range(turns):
            worker.turn()
            self.site.check()

    @rule(slot=slots, turns=turns, fault=faults)
    def work_while_something_fails(self, slot: str, turns: int, fault: str) -> None:
        worker = self.site.alive(slot) or self.site.start(slot)
        worker.life.faults.add(fault)
        self.work(slot, turns)

    @rule(slot=slots, turns=turns, point=points)
    def work_and_die(self, slot: str, turns: int, point: str) -> None:
        worker = self.site.alive(slot) or self.site.start(slot)
        worker.die_at = point
        self.work(slot, turns)

    @rule(slot=slots, turns=turns, point=points)
    def work_and_stand_still(self, slot: str, turns: int, point: str) -> None:
        """It stands there until it works again; others go on."""
        worker = self.site.alive(slot) or self.site.start(slot)
        worker.park_at = point
        while turns and not worker.parked:
            turns -= 1
            self.work(slot, 1)
            worker = self.site.alive(slot) or self.site.start(slot)

    @rule(slot=slots)
    def leave(self, slot: str) -> None:
        worker = self.site.alive(slot)
        while worker and not worker.ended:
            worker.stopping = True
            worker.turn()

    @rule(slot=slots)
    def kill(self, slot: str) -> None:
        worker = self.site.alive(slot)
        if worker:
            worker.kill()

    @rule(slot=slots)
    def end_session(self, slot: str) -> None:
        if slot in self.site.workers:
            self.site.end_session(self.site.workers[slot])

    # The cluster

    @rule()
    def late_commits_arrive(self) -> None:
        self.site.cluster.deliver_late()

    @rule(slot=slots)
    def another_takes_the_slot(self, slot: str) -> None:
        self.site.cluster.take_over(f"hub-process-bulk-{slot}")

    @rule(count=st.integers(1, 9))
    def markers_are_written(self, count: int) -> None:
        self.site.cluster.write_markers(count)

    @rule(seconds=st.sampled_from((0.2, 11.0)))
    def time_passes(self, seconds: float) -> None:
        self.site.cluster.clock.sleep(seconds)

    @invariant()
    def output_and_state_are_the_function_of_the_input(self) -> None:
        if hasattr(self, "site"):
            self.site.check()
