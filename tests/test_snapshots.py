"""What full snapshots tell by absence: the pure part, by a state machine against a plain model."""

import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import schemas
from hub.codec import EVENT_ID, LIFECYCLE, Cut, RecordCodec, from_micros, micros
from hub.connector import Nothing
from hub.envelope import Canonical
from hub.snapshots import Page, Snapshots, in_life, vanished

KEY = b"k" * 32
T0 = datetime(2026, 6, 1, 8, tzinfo=UTC)
UNKNOWN, ENDED = 0, 3
NEW_FIELDS = {"newest_at", "published_at"}


def id_of(text: str) -> bytes:
    return text.encode().ljust(16, b".")


def event(subject, version="1", lifecycle=UNKNOWN, noun="situation", published=None):
    """A record in the places that matter: ids, lifecycle, and something restricted."""
    head = b"\0\0\0\0\x07" + id_of(f"{subject}/{version}/{lifecycle}") + id_of(subject)
    value = head + bytes((lifecycle << 1,)) + b"rest" + b"a plate" + b"body"
    end = len(value) - 4
    at_us = 0 if published is None else micros(minute(published))
    cut = Cut(end - 7, end, 1, 0)
    return Canonical(noun, "topic", subject.encode(), value, cut, published_us=at_us)


def minute(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def made(at: int, *subjects: str) -> list[Canonical]:
    """The events of an answer that was published in that minute."""
    return [event(each, published=at) for each in subjects]


def page(snapshot: int, number: int = 1, *, complete: bool = True, at: int | None = None) -> Page:
    at_us = micros(T0 + timedelta(minutes=snapshot if at is None else at))
    return Page(f"snapshot-{snapshot}", number, complete, at_us)


def read(state: Snapshots, of: Page, *events: Canonical, refused: bool = False):
    """Read a page; the ids its events get, and the subjects that are gone."""
    reading = state.reading("feed", of)
    seen = [reading.see(each) for each in events]
    if refused:
        reading.refused()
    return seen, reading.end()


def gone_of(state: Snapshots, of: Page, *events: Canonical, refused: bool = False) -> list[str]:
    return [each.key.decode() for each in read(state, of, *events, refused=refused)[1]]


def test_what_is_missing_from_the_next_whole_snapshot_has_vanished_once():
    state = Snapshots(KEY)
    assert gone_of(state, page(1), event("a"), event("b")) == []
    assert gone_of(state, page(2), event("a")) == ["b"]
    assert gone_of(state, page(3), event("a")) == []
    assert gone_of(state, page(4)) == ["a"], "an empty feed is data: all clear"


def test_a_snapshot_with_a_part_that_was_refused_proves_nothing():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"), event("b"))
    assert gone_of(state, page(2), event("a"), refused=True) == []
    assert gone_of(state, page(3), event("a")) == ["b"]


def test_a_snapshot_whose_end_the_transport_could_not_check_proves_nothing():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"), event("b"))
    assert gone_of(state, page(2, complete=False), event("a")) == []


def test_the_pages_of_a_snapshot_count_together_and_only_with_the_last():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"), event("b"), event("c"))
    assert gone_of(state, page(2, 1, complete=False), event("c")) == []
    assert gone_of(state, page(2, 2, complete=False), event("a")) == []
    assert gone_of(state, page(2, 3)) == ["b"]


@pytest.mark.parametrize(
    "pages",
    [[1, 3], [2], [0], [1, 1, 3]],
    ids=["one is passed over", "the first is missing", "no number", "one comes twice, one not"],
)
def test_a_snapshot_with_a_page_missing_proves_nothing(pages):
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"))
    for number in pages[:-1]:
        assert gone_of(state, page(2, number, complete=False)) == []
    assert gone_of(state, page(2, pages[-1])) == []
    assert gone_of(state, page(3)) == ["a"], "the next whole one tells"


def test_a_page_that_comes_twice_changes_nothing():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"), event("b"))
    gone_of(state, page(2, 1, complete=False), event("a"))
    gone_of(state, page(2, 1, complete=False), event("a"))
    assert gone_of(state, page(2, 2), event("b")) == []
    # Redelivered, the last page alone holds half of the snapshot.
    assert gone_of(state, page(2, 2), event("b")) == []


def test_a_snapshot_that_was_received_before_the_last_one_proves_nothing():
    state = Snapshots(KEY)
    gone_of(state, page(2), event("a"))
    assert gone_of(state, page(1)) == []


def test_a_snapshot_that_was_published_before_the_newest_one_proves_nothing():
    state = Snapshots(KEY)
    gone_of(state, page(2), *made(2, "a", "b"))
    behind = state.reading("feed", page(3))
    behind.see(event("a", published=1))
    assert (behind.end(), behind.unproven) == ([], "published-before")
    assert gone_of(state, page(4), *made(2, "a")) == ["b"], "the same answer again is no older"


def test_an_answer_that_proved_nothing_is_the_newest_one_all_the_same():
    state = Snapshots(KEY)
    gone_of(state, page(1), *made(1, "a"))
    gone_of(state, page(2), *made(3, "a", "b"), refused=True)
    assert gone_of(state, page(3), *made(2, "a")) == []
    assert gone_of(state, page(4), *made(4, "a")) == ["b"]


def test_an_all_clear_that_is_behind_proves_nothing_either():
    state = Snapshots(KEY)
    gone_of(state, page(2), *made(2, "a"))
    reading = state.reading("feed", page(3))
    reading.nothing(Nothing(why="all clear", published_at=minute(1)))
    assert reading.end() == []
    assert gone_of(state, page(4)) == ["a"], "one that tells no time is as good as ever"


def test_a_snapshot_is_as_old_as_its_oldest_page():
    state = Snapshots(KEY)
    gone_of(state, page(3, 1, complete=False), *made(3, "a"))
    gone_of(state, page(3, 2), *made(2, "b"))
    gone_of(state, page(4, 1, complete=False), *made(4, "a"))
    assert gone_of(state, page(4, 2), *made(1, "c")) == [], "the other page came from another cache"
    gone_of(state, page(5, 1, complete=False), *made(5, "a"))
    assert gone_of(state, page(5, 2), *made(2, "c")) == ["b"], "a page may be as old as before"


def test_times_that_differ_are_those_of_the_parts_and_say_nothing_of_the_answer():
    state = Snapshots(KEY)
    gone_of(state, page(1), *made(1, "a"), *made(9, "b"))
    assert gone_of(state, page(2), *made(1, "a")) == ["b"], "the newest part has ended"


def test_a_source_whose_clock_was_set_back_is_not_behind_for_more_than_a_day():
    state = Snapshots(KEY)
    gone_of(state, page(1), *made(600, "a", "b"))
    assert gone_of(state, page(2), *made(2, "a")) == []
    assert gone_of(state, page(3, at=24 * 60), *made(3, "a")) == []
    assert gone_of(state, page(4, at=24 * 60 + 1), *made(4, "a")) == ["b"]
    gone_of(state, page(5, at=24 * 60 + 2), *made(24 * 60 * 365 * 57, "a", "c"))
    assert gone_of(state, page(6, at=24 * 60 + 3), *made(6, "a")) == ["c"], (
        "a time far ahead is none"
    )


def test_a_snapshot_that_ends_says_why_it_proves_nothing():
    for of, refused, why in (
        (page(2), False, ""),
        (page(2), True, "not-whole"),
        (page(2, 2), False, "not-whole"),
        (page(2, at=1), False, "received-before"),
        (page(2, complete=False), True, ""),
    ):
        state = Snapshots(KEY)
        gone_of(state, page(1), event("a"))
        reading = state.reading("feed", of)
        if refused:
            reading.refused()
        reading.end()
        assert reading.unproven == why


def test_what_the_source_ended_itself_goes_without_a_word_and_is_forgotten():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"))
    gone_of(state, page(2), event("a", lifecycle=ENDED))
    assert gone_of(state, page(3)) == []
    assert state.get("feed", id_of("a")) is None


def test_what_comes_back_has_other_ids_for_as_long_as_it_stays():
    state = Snapshots(KEY)
    (first,), _ = read(state, page(1), event("a"))
    _, (gone,) = read(state, page(2))
    (back,), none = read(state, page(3), event("a"))
    (stays,), _ = read(state, page(4), event("a"))
    _, (gone_again,) = read(state, page(5))
    (back_again,), _ = read(state, page(6), event("a"))

    assert first == event("a"), "the first life has the source's own ids"
    assert none == []
    assert stays.value == back.value
    ids = [each.value[EVENT_ID] for each in (first, back, back_again)]
    assert len({*ids, gone.event_id, gone_again.event_id}) == 5
    # Who holds the record and its header can tell which words of the source it is.
    assert back.life == first.value[EVENT_ID] + gone.event_id
    assert in_life(KEY, first.value, back.life[16:]) == back.value
    assert ("life", back.life) in back.headers


def test_a_life_that_is_long_over_is_forgotten():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"))
    gone_of(state, page(2))
    gone_of(state, page(3, at=34 * 24 * 60))
    assert state.get("feed", id_of("a")) is not None
    gone_of(state, page(4, at=36 * 24 * 60))
    assert state.get("feed", id_of("a")) is None


def test_readings_and_things_without_a_subject_of_their_own_never_vanish():
    state = Snapshots(KEY)
    own = event("a")
    own = Canonical(own.noun, own.topic, own.key, own.value[:5] + id_of("x") * 2, own.cut)
    gone_of(state, page(1), event("s", noun="measurement"), own)
    assert gone_of(state, page(2)) == []


def test_sources_of_one_partition_are_held_apart():
    state = Snapshots(KEY)
    read(state, page(1), event("a"))
    assert state.reading("another", page(9)).end() == []
    assert gone_of(state, page(2)) == ["a"]


def test_nothing_restricted_is_kept():
    state = Snapshots(KEY)
    gone_of(state, page(1), event("a"))
    kept = state.get("feed", id_of("a"))
    assert b"a plate" not in kept.event
    assert kept.event.endswith(b"body")


def test_the_time_of_vanishing_is_the_snapshots_but_never_before_the_last_version():
    gone = SimpleNamespace(event_id=b"i" * 16)
    last = {"observed_at": T0, "time_quality": "DEVICE", "kind": "road.works", "published_at": T0}
    later = vanished(gone, last, at=T0 + timedelta(hours=1), origin={})
    assert (later["observed_at"], later["time_quality"]) == (T0 + timedelta(hours=1), "RECEIVED")
    assert (later["lifecycle"], later["kind"], later["published_at"]) == (
        "VANISHED", "road.works", None,
    )  # fmt: skip
    ahead = vanished(gone, last, at=T0 - timedelta(minutes=1), origin={})
    assert (ahead["observed_at"], ahead["time_quality"]) == (T0, "DEVICE")
    suspect = vanished(gone, last | {"time_quality": "SUSPECT"}, at=T0 - timedelta(1), origin={})
    assert suspect["observed_at"] == T0 - timedelta(1)


def test_the_page_is_read_from_the_headers_that_ingest_wrote():
    headers = {
        "snapshot": b"s-1",
        "page": b"2",
        "complete": b"true",
        "received_at": b"2026-06-01T08:00:00Z",
    }
    assert Page.of(headers) == Page("s-1", 2, complete=True, received_us=micros(T0))
    assert Page.of(headers | {"complete": b"false"}).complete is False
    assert Page.of(headers | {"page": b"-1"}).number == 0
    assert Page.of(headers | {"snapshot": b""}) is None
    assert Page.of({"received_at": headers["received_at"]}) is None


SUBJECTS = ("a", "b", "c")


class Feed(RuleBasedStateMachine):
    """A feed, its snapshots whole and broken, crashes, and what a plain reading of them says."""

    def __init__(self) -> None:
        super().__init__()
        self.state = Snapshots(KEY)
        self.log: dict = {}
        self.committed = ({}, 0, [])
        self.there: dict[str, bool] = {}
        self.number = 0
        self.told: list[tuple[str, bool]] = []
        self.ids: set[bytes] = set()

    @rule(
        present=st.sets(st.sampled_from(SUBJECTS)),
        ended=st.sets(st.sampled_from(SUBJECTS)),
        split=st.integers(0, 3),
        broken=st.sampled_from(["", "", "", "refused", "cut", "page"]),
        commit=st.booleans(),
    )
    def snapshot(self, present, ended, split, broken, commit):
        self.number += 1
        events = [event(each, lifecycle=ENDED if each in ended else UNKNOWN)
                  for each in sorted(present)]  # fmt: skip
        first, rest = events[:split], events[split:]
        gone = []
        if split:
            reading = self.state.reading("feed", page(self.number, 1, complete=False))
            self.see(reading, first)
            gone += reading.end()
        number = (2 if split else 1) + (broken == "page")
        reading = self.state.reading("feed", page(self.number, number, complete=broken != "cut"))
        self.see(reading, rest)
        if broken == "refused":
            reading.refused()
        gone += reading.end()
        expected = set()
        for each in SUBJECTS:
            if each in present:
                self.there[each] = each not in ended
            elif not broken and self.there.pop(each, False):
                expected.add(each)
        assert {each.key.decode() for each in gone} == expected
        for each in gone:
            assert each.event_id not in self.ids
            self.ids.add(each.event_id)
        if commit:
            self.write()

    def see(self, reading, events):
        for each in events:
            self.ids.add(reading.see(each).value[EVENT_ID])

    def write(self):
        for name, fields in self.state.changes():
            if fields is None:
                self.log.pop(name, None)
            else:
                self.log[name] = {**fields, "subject": name[1]}
        self.state.commit()
        self.committed = (dict(self.there), self.number, copy.copy(self.ids))

    @rule()
    def roll_back(self):
        self.state.rollback()
        self.go_back()

    @rule()
    def another_worker_takes_over(self):
        self.state = Snapshots(KEY)
        for (source, _), record in self.log.items():
            self.state.restore(source, record)
        self.go_back()

    def go_back(self):
        there, self.number, ids = self.committed
        self.there, self.ids = dict(there), set(ids)

    @invariant()
    def what_is_there_is_known(self):
        for subject, alive in self.there.items():
            known = self.state.get("feed", id_of(subject))
            assert known is not None
            assert not known.gone_us
            assert known.over is not alive
            assert known.event[LIFECYCLE] >> 1 == (UNKNOWN if alive else ENDED)


TestFeed = Feed.TestCase


def test_what_is_kept_comes_back_from_the_changelog_as_it_was():
    state, other = Snapshots(KEY), Snapshots(KEY)
    read(state, page(1), event("a"), event("b"))
    read(state, page(2, 1, complete=False), event("b", "2", published=2))
    for (source, subject), fields in state.changes():
        other.restore(source, {**fields, "subject": subject})
    assert other._kept == state._kept
    assert from_micros(other.progress("feed").judged_us) == T0 + timedelta(minutes=1)
    assert from_micros(other.progress("feed").published_us) == minute(2)


def test_what_was_kept_before_publications_were_known_is_read_and_gone_on_with():
    topic = "state.normalise.snapshots.v1"
    now = schemas.built(topic)
    then = {**now, "fields": [each for each in now["fields"] if each["name"] not in NEW_FIELDS]}
    state, other = Snapshots(KEY), Snapshots(KEY)
    gone_of(state, page(1), event("a"), event("b"))
    for (source, subject), fields in state.changes():
        whose = {"topic": "raw", "partition": 0, "source_id": source, "subject": subject}
        value = RecordCodec(then, 1).encode({**whose, **fields})
        other.restore(source, RecordCodec(now, 1).decode(value, then))
    assert other._kept == state._kept
    assert gone_of(other, page(2), *made(2, "a")) == ["b"]
