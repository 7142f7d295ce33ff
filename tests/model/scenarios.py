"""Courses of events on a site, each of which one promise stands against."""

from collections.abc import Callable

from events import plate_read, poison, signal_state
from hub_in_memory import GROUP, PLACES, Site, Worker


def fill(worker: Worker, site: Site) -> None:
    """Have a worker with a batch in an open transaction, and more records to come.

    All of them are of the partition that a second worker would be given.
    """
    for number in range(60):
        record = plate_read(number)
        if site.cluster.place(record.topic, -1, record.key) == PLACES[1]:
            site.feed(*record)
    for _ in range(50):
        worker.turn()
        site.check()
        if worker.loop._spans:
            return
    raise AssertionError("no transaction stays open")


def a_failed_commit(site: Site) -> None:
    """A transaction with records, states and a dead letter in it is rolled back."""
    worker = site.start("one")
    for number in range(9):
        site.feed(*plate_read(number))
        site.feed(*signal_state(number))
        site.feed(*poison(number))
    worker.life.faults.add("commit fails")
    while worker.life.faults:
        worker.turn()
        site.check()
    site.drain()


def a_second_arrival(site: Site) -> None:
    """Everything comes again, after the worker was started again."""
    for _ in range(2):
        for number in range(9):
            site.feed(*plate_read(number))
            site.feed(*signal_state(number))
        site.drain()
        for worker in site.workers.values():
            worker.kill()


def a_death(site: Site, point: str) -> None:
    """A worker dies in the middle of a transaction, and its next start finds what it left."""
    worker = site.start("one")
    for number in range(9):
        site.feed(*plate_read(number))
        site.feed(*signal_state(number))
    worker.die_at = point
    while not worker.ended:
        worker.turn()
    site.check()
    site.drain()


def a_death_before_the_commit(site: Site) -> None:
    """All is written then, and nothing committed."""
    a_death(site, "before-commit")


def a_death_after_the_offsets(site: Site) -> None:
    """The coordinator knows of the offsets then, and waits for the decision."""
    a_death(site, "offsets-added")


def a_late_commit(site: Site) -> None:
    """A commit is held on the wire and arrives in the middle of a later transaction."""
    worker = site.start("one")
    worker.life.faults.add("commit slow")
    for _ in range(50):
        fill(worker, site)
        if not worker.life.faults:
            break
        worker.turn()
    assert not worker.life.faults
    site.cluster.deliver_late()
    site.check()
    worker.kill()
    site.drain()


def a_zombie(site: Site) -> None:
    """A worker stands still before its commit; another takes over, and then it goes on."""
    worker = site.start("one")
    fill(worker, site)
    worker.park_at = "before-commit"
    while not worker.parked:
        worker.turn()
    site.end_session(worker)
    other = site.start("two")
    for _ in range(30):
        other.turn()
        site.check()
    assert any(site.cluster.decided(GROUP, place) for place in PLACES)
    worker.turn()
    site.check()
    site.drain()


def a_slow_restore(site: Site) -> None:
    """A worker stands still before it reads state; another takes over, and has gone on by then."""
    worker = site.start("one")
    site.end_session(worker)
    worker.park_at = "in-restore"
    while not worker.parked:
        worker.turn()
    site.end_session(worker)
    for _ in range(4):
        site.feed(*plate_read(0))
    other = site.start("two")
    while not any(site.cluster.decided(GROUP, place) for place in PLACES):
        other.turn()
        site.check()
    # What the other one committed can be read, its state too.
    site.cluster.write_markers(9)
    worker.turn()
    site.check()
    site.drain()


def a_slow_farewell(site: Site) -> None:
    """A worker stands still while it gives partitions up, for longer than its session."""
    worker = site.start("one")
    for number in range(9):
        site.feed(*plate_read(number))
    worker.park_at = "in-revoke"
    other = site.start("two")
    while not worker.parked:
        worker.turn()
        site.check()
    site.end_session(worker)
    for _ in range(30):
        other.turn()
        site.check()
    worker.turn()
    site.check()
    site.drain()


def a_newcomer(site: Site) -> None:
    """A second worker joins while the first has a transaction open, which it commits slowly."""
    worker = site.start("one")
    fill(worker, site)
    other = site.start("two")
    worker.park_at = "before-commit"
    while not worker.parked:
        worker.turn()
        site.check()
    for _ in range(30):
        other.turn()
        site.check()
    worker.turn()
    site.check()
    site.drain()


SCENARIOS: tuple[Callable[[Site], None], ...] = (
    a_failed_commit,
    a_second_arrival,
    a_death_before_the_commit,
    a_death_after_the_offsets,
    a_late_commit,
    a_zombie,
    a_slow_restore,
    a_slow_farewell,
    a_newcomer,
)
