"""A rule of tomorrow 00:00 takes effect then, by append time: live, after a crash, in a re-run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from clients import Message
from cluster import PARTITIONS, Place
from events import Record, plate_read
from hub_in_memory import CONFIG, GROUP, IDS, Site

from hub import routes
from hub.codec import EVENT_ID, from_micros, micros
from hub.explain.again import Again, Registers
from hub.explain.reasons import choice_of, place_step, rules_of

TOPIC = "camera.plate_read.v1"
DAY, NIGHT = "htmoc.plate_read.v1", "police.plate_read.v1"
# The clock of the model starts on 29 May 2026 in Hanoi: this is the end of that day.
MIDNIGHT = datetime(2026, 5, 30, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
MIDNIGHT_MS = micros(MIDNIGHT) // 1000
SHIPPED_ENDS = """
[[rule]]
id = "plates-police"
text = "The police command centre gets every plate read"
valid_from = 2025-07-01
valid_to = 2026-05-29
nouns = ["plate_read"]
to = { subscriber = "police", recipients = ["police"] }

[[rule]]
id = "passages-htmoc"
text = "HTMOC gets every passage, without the plate and the pictures"
valid_from = 2025-07-01
valid_to = 2026-05-30
nouns = ["plate_read"]
to = { subscriber = "htmoc", recipients = ["htmoc"] }
"""
TOMORROW = """
[[rule]]
id = "plates-police"
text = "From midnight on the police alone"
valid_from = 2026-05-30
nouns = ["plate_read"]
to = { subscriber = "police", recipients = ["night-desk"] }
"""
# Milliseconds from midnight at which records are appended: around it, and at its very instant.
AROUND = (-9000, -900, -90, -9, -3, -2, -1, 0, 1, 2, 3, 9, 90, 900, 9000)


def passage(number: int) -> Record:
    """A read that resembles no other one, of one of three cameras."""
    whole = plate_read(number)
    return whole._replace(headers=[each for each in whole.headers if each[0] == "cut"])


@pytest.fixture
def site():
    """A site on which plate reads go to HTMOC until midnight and to the police from then on."""
    found = Site()
    try:
        found.load(routes.read_toml(SHIPPED_ENDS))
        yield found
    finally:
        found.close()


def load_tomorrow(site: Site) -> None:
    """As `hub route load` does it, the day before."""
    new = routes.read_toml(TOMORROW)
    routes.check_ahead({}, new, datetime.fromtimestamp(site.cluster.clock.now, UTC))
    site.load(new)


def append(site: Site, number: int, at_ms: int) -> bytes:
    """A record comes to the canonical topic at a time; its event id."""
    record = passage(number)
    site.cluster.clock.now = max(site.cluster.clock.now, at_ms / 1000)
    place = site.cluster.place(record.topic, -1, record.key)
    log = site.cluster.logs[place]
    entry = site.cluster.entry(record.key, record.value, record.headers)
    log.append(replace(entry, at_ms=at_ms))
    site.oracle.take(Message(place, len(log.entries) - 1, log.entries[-1]))
    return record.value[EVENT_ID]


def stream(site: Site) -> dict[bytes, int]:
    """A stream that crosses midnight, on both partitions: append time by event id."""
    return {
        append(site, 3 * number + camera, MIDNIGHT_MS + at): MIDNIGHT_MS + at
        for number, at in enumerate(AROUND)
        for camera in range(3)
    }


def delivered(site: Site) -> dict[bytes, list[str]]:
    """Topics of every committed record, by event id."""
    found: dict[bytes, list[str]] = {}
    for topic in (DAY, NIGHT):
        for number in range(PARTITIONS):
            for entry in site.cluster.logs[Place(topic, number)].entries:
                if entry is not None and entry.visible:
                    found.setdefault(entry.value[EVENT_ID], []).append(topic)
    return found


def by_append_time(appended: dict[bytes, int]) -> dict[bytes, list[str]]:
    return {id_: [NIGHT if at >= MIDNIGHT_MS else DAY] for id_, at in appended.items()}


def both_work(site: Site, turns: int = 12) -> None:
    """Two workers have joined, and share the partitions."""
    for slot in ("one", "two"):
        site.start(slot)
    for _ in range(turns):
        for worker in site.workers.values():
            worker.turn()
    owned = [set(worker.loop._owned) for worker in site.workers.values()]
    assert all(owned)
    assert not set.intersection(*owned)


def in_step(site: Site) -> dict[bytes, int]:
    """Workers handle each record soon after it came."""
    appended = {}
    for number, at in enumerate(AROUND):
        for camera in range(3):
            id_ = append(site, 3 * number + camera, MIDNIGHT_MS + at)
            appended[id_] = MIDNIGHT_MS + at
        for worker in site.workers.values():
            worker.turn()
            site.check()
    return appended


def hours_late(site: Site) -> dict[bytes, int]:
    """The stream waits until the night is half over."""
    appended = stream(site)
    site.cluster.clock.now += 4 * 3600
    return appended


def through_a_death(site: Site) -> dict[bytes, int]:
    """A worker dies with a transaction that crosses midnight; its records are handled again."""
    appended = stream(site)
    worker = site.workers["one"]
    worker.die_at = "before-commit"
    while not worker.ended:
        worker.turn()
    return appended


def through_a_rebalance(site: Site) -> dict[bytes, int]:
    """A worker goes in the middle of it, and the other takes its partitions."""
    appended = stream(site)
    for worker in site.workers.values():
        worker.turn()
    leaving = site.workers["two"]
    leaving.stopping = True
    while not leaving.ended:
        leaving.turn()
    return appended


@pytest.mark.parametrize("course", [in_step, hours_late, through_a_death, through_a_rebalance])
def test_each_event_goes_once_where_the_rules_of_its_append_time_send_it(site, course):
    both_work(site)
    load_tomorrow(site)
    appended = course(site)
    site.drain()
    site.check()
    assert delivered(site) == by_append_time(appended)


def test_a_worker_that_starts_after_midnight_treats_what_came_before_as_it_was_then(site):
    load_tomorrow(site)
    appended = stream(site)
    site.cluster.clock.now += 86_400
    site.drain()
    assert delivered(site) == by_append_time(appended)


def test_a_rule_for_tomorrow_changes_nothing_today(site):
    both_work(site)
    before = append(site, 0, MIDNIGHT_MS - 120_000)
    load_tomorrow(site)
    after = append(site, 1, MIDNIGHT_MS - 3_000)
    site.drain()
    assert delivered(site) == {before: [DAY], after: [DAY]}


class Kept:
    """What `hub explain` reads of the registers, from the cluster in memory."""

    config = CONFIG

    def __init__(self, site: Site) -> None:
        self._logs, self.history = site.cluster.logs, self

    def kept(self, topics: list[str]) -> list[Place]:
        return [Place(topic, 0) for topic in topics]

    def read(self, places: list[Place]) -> list[Message]:
        return [
            Message(place, offset, entry)
            for place in places
            for offset, entry in self._logs[place].read()
        ]


def messages_of(site: Site) -> dict[tuple[Place, bytes], list[Message]]:
    """The canonical records of each key, in their order."""
    found: dict[tuple[Place, bytes], list[Message]] = {}
    for number in range(PARTITIONS):
        place = Place(TOPIC, number)
        for offset, entry in site.cluster.logs[place].read():
            found.setdefault((place, entry.key), []).append(Message(place, offset, entry))
    return found


def test_a_re_run_chooses_alike_whenever_it_is_asked(site):
    both_work(site)
    load_tomorrow(site)
    appended = stream(site)
    site.drain()
    registers = Registers(Kept(site), IDS)
    again = Again(CONFIG, IDS._registry)
    chosen: dict[bytes, list[str]] = {}
    for messages in messages_of(site).values():
        # As the registers were when the last of them was decided, and as they are now.
        newest = from_micros(messages[-1].timestamp()[1] * 1000)
        wanted = [message.offset() for message in messages]
        then, now = (
            again.run("plate_read", messages, wanted, registers.as_of(at)) for at in (newest, None)
        )
        for message in messages:
            outcome = then[message.offset()]
            assert outcome.emitted == now[message.offset()].emitted
            chosen[message.value()[EVENT_ID]] = list(outcome.emitted)
    assert chosen == by_append_time(appended) == delivered(site)


def test_the_reason_that_is_told_is_the_rule_of_the_append_time(site):
    load_tomorrow(site)
    registered = Registers(Kept(site), IDS).as_of(None)
    header: dict[str, Any] = {
        "source_id": "model", "device_ref": "device-0", "kind": "vehicle.passage",
        "severity": "INFO", "status": "LIVE", "time_quality": "DEVICE",
        "observed_at": MIDNIGHT, "event_id": UUID(int=1).bytes,
    }  # fmt: skip
    for late, rule in ((-1, "passages-htmoc"), (0, "plates-police")):
        at_us = micros(MIDNIGHT + timedelta(microseconds=late))
        _, facts = place_step(header, "plate_read", registered, at_us)
        choice = choice_of(rules_of(each.record for each in registered.rules), facts, at_us)
        assert [name for target in choice.targets for name, _ in target.rules] == [rule]


def test_nothing_was_left_open_and_no_offset_was_skipped(site):
    both_work(site)
    load_tomorrow(site)
    stream(site)
    site.drain()
    ends = {place: len(log.entries) for place, log in site.cluster.logs.items()
            if place.topic == TOPIC}  # fmt: skip
    assert {place: site.cluster.decided(GROUP, place) for place in ends} == ends
    assert site.cluster.left_open == []
