"""What is stored is there for all its days, whatever breaks off or comes between, then gone."""

import hashlib
import json
import os
import time
import uuid
from datetime import date, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.errors import RecordError
from hub.evidence import Erased, EvidenceStore, Past
from hub.evidence.store import files_at

START = date(2026, 3, 1)
DAYS = {"body": 3, "picture": 6}
MARKS = 20
CONTENTS = [b"a", b"bb", b"ccc", b"dddd"]
NAMES = [hashlib.sha256(data).hexdigest() for data in CONTENTS]
kinds = st.sampled_from(["body", "picture"])
which = st.integers(0, len(CONTENTS) - 1)
at = st.integers(0, 12)


class BreaksOff(Exception):  # noqa: N818 - a kill, no error of the hub
    pass


class Meddled:
    """The files of a store, where something happens before the nth operation."""

    def __init__(self, files):
        self.files, self.count, self.nth, self.happens = files, 0, None, None

    def __getattr__(self, name):
        method = getattr(self.files, name)

        def called(*arguments):
            self.count += 1
            if self.nth is not None and self.count > self.nth:
                self.nth, happens = None, self.happens
                happens()
            return method(*arguments)

        return called

    def before(self, nth, happens):
        self.count, self.nth, self.happens = 0, nth, happens

    def rest(self):
        self.nth = None


def breaks_off():
    raise BreaksOff


class StoreMachine(RuleBasedStateMachine):
    """Two processes share a store; one is killed, or the other puts something, at any operation."""

    def __init__(self):
        super().__init__()
        self.now = START
        self.until = {}
        self.erased = {}
        self.held = set()
        self.fresh = {}

    def start(self, place):
        self.meddled = Meddled(files_at(place))
        self.store = EvidenceStore(self.meddled, today=lambda: self.now)
        self.other = EvidenceStore(files_at(place), today=lambda: self.now)

    def needed(self, one, kind):
        barred = one in self.erased and self.now <= self.erased[one]
        if kind == "picture" and barred and self.fresh.get(one) != self.now:
            return
        self.kept(one, kind)

    def kept(self, one, kind):
        self.until[one, kind] = self.now + timedelta(days=DAYS[kind])
        if kind == "picture":
            self.fresh[one] = self.now

    @rule(days=st.integers(1, 4))
    def time_passes(self, days):
        self.now += timedelta(days=days)

    @rule(one=which, kind=kinds)
    def put(self, one, kind):
        assert self.store.put(CONTENTS[one], kind) == NAMES[one]
        self.needed(one, kind)

    @rule(one=which, kind=kinds, nth=at)
    def put_breaks_off(self, one, kind, nth):
        self.meddled.before(nth, breaks_off)
        try:
            self.store.put(CONTENTS[one], kind)
        except BreaksOff:
            return
        finally:
            self.meddled.rest()
        self.needed(one, kind)

    @rule(one=which, kind=kinds)
    def keep(self, one, kind):
        # What an erasure has left in no topic is not asked for again.
        if self.store.keep(NAMES[one], kind):
            self.kept(one, kind)
            assert self.store.get(NAMES[one]) == CONTENTS[one]
        else:
            assert not self.is_needed(one)

    def expire(self):
        for past in self.store.past(DAYS):
            self.store.drop(past, {NAMES[one] for one in self.held})
        self.store.sweep(MARKS)

    @rule()
    def expiry(self):
        self.expire()
        for kind, days in DAYS.items():
            for path, _ in self.meddled.files.walk(kind):
                _, day, two, rest = path.split("/")
                late = self.now > date.fromisoformat(day) + timedelta(days=days)
                assert not late or two + rest in {NAMES[one] for one in self.held}

    @rule(nth=at)
    def expiry_breaks_off(self, nth):
        self.meddled.before(nth, breaks_off)
        try:
            self.expire()
        except BreaksOff:
            return
        finally:
            self.meddled.rest()

    @rule(one=which, kind=kinds, nth=at)
    def expiry_while_another_process_puts(self, one, kind, nth):
        def put():
            self.other.put(CONTENTS[one], kind)
            self.needed(one, kind)

        self.meddled.before(nth, put)
        self.expire()
        self.meddled.rest()

    @precondition(lambda self: len(self.held) < 2)
    @rule(one=which)
    def hold(self, one):
        if self.store.exists(NAMES[one]):
            self.held.add(one)

    @precondition(lambda self: self.held)
    @rule()
    def release(self):
        self.held.clear()

    @rule(one=which, days=st.integers(0, 5), nth=at)
    def erasure_breaks_off_and_is_done_again(self, one, days, nth):
        if one in self.held:
            return
        self.erased[one] = self.now + timedelta(days=days)
        mark = Erased("e", self.now.isoformat(), self.erased[one].isoformat())
        self.meddled.before(nth, breaks_off)
        try:
            self.store.erase(NAMES[one], mark)
        except BreaksOff:
            self.meddled.rest()
            self.store.erase(NAMES[one], mark)
        self.meddled.rest()
        for kind in DAYS:
            self.until.pop((one, kind), None)
        self.fresh.pop(one, None)
        with pytest.raises(RecordError) as caught:
            self.store.get(NAMES[one])
        assert caught.value.code == "evidence-erased"
        assert self.now.isoformat() in caught.value.what

    def is_needed(self, one):
        return one in self.held or any(
            self.until.get((one, kind), date.min) >= self.now for kind in DAYS
        )

    @invariant()
    def what_is_needed_is_there(self):
        for one, name in enumerate(NAMES):
            if self.is_needed(one):
                assert self.other.get(name) == CONTENTS[one]
                assert self.other.exists(name)


class FolderMachine(StoreMachine):
    @initialize(folder=st.uuids())
    def opened(self, folder):
        self.start(f"{FOLDERS}/{folder}-{uuid.uuid4()}")


class MemoryMachine(StoreMachine):
    @initialize()
    def opened(self):
        self.start(f"memory://days-{uuid.uuid4()}")


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory):
    global FOLDERS  # noqa: PLW0603 - machines take no fixtures
    FOLDERS = tmp_path_factory.mktemp("stores")


TestFolder = FolderMachine.TestCase
TestMemory = MemoryMachine.TestCase
TestFolder.settings = TestMemory.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None
)


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path):
    return str(tmp_path / "e") if request.param == "folder" else f"memory://{uuid.uuid4()}"


def on(place, day):
    return EvidenceStore.open(place, today=lambda: day)


def test_an_object_is_kept_for_its_days_after_its_own_and_no_longer(place):
    name = on(place, START).put(b"x", "picture")
    last = START + timedelta(days=DAYS["picture"])
    assert on(place, last).past(DAYS) == []
    assert on(place, last + timedelta(days=1)).past(DAYS) == [Past("picture", START)]
    on(place, last).drop(Past("picture", START), set())
    assert not on(place, last).exists(name)


def test_the_longest_need_wins(place):
    """A body that is a picture too outlives its days, and so does one that comes again."""
    name = on(place, START).put(b"x", "body")
    assert on(place, START).put(b"x", "picture") == name
    late = on(place, START + timedelta(days=5))
    for past in late.past(DAYS):
        late.drop(past, set())
    assert late.get(name) == b"x"
    late.put(b"x", "body")
    later = on(place, START + timedelta(days=8))
    for past in later.past(DAYS):
        later.drop(past, set())
    assert later.get(name) == b"x"


def test_a_picture_that_was_erased_stays_away_while_a_topic_may_give_it_again(place):
    name = on(place, START).put(b"x", "picture")
    until = START + timedelta(days=30)
    on(place, START).erase(name, Erased("e", START.isoformat(), until.isoformat()))
    assert on(place, until).put(b"x", "picture") == name
    assert not on(place, until).exists(name)
    after = on(place, until + timedelta(days=1))
    after.put(b"x", "picture")
    assert after.get(name) == b"x"


def test_a_body_that_was_erased_and_comes_again_is_kept_as_it_was_accepted(place):
    name = on(place, START).put(b"x", "body")
    on(place, START).erase(name, Erased("e", START.isoformat(), START.isoformat()))
    on(place, START).put(b"x", "body")
    assert on(place, START).get(name) == b"x"


def test_marks_of_erasures_go_when_they_are_past(place):
    store = on(place, START)
    store.erase("0" * 64, Erased("e", START.isoformat(), START.isoformat()))
    assert on(place, START + timedelta(days=MARKS)).sweep(MARKS) == 0
    assert on(place, START + timedelta(days=MARKS + 1)).sweep(MARKS) == 1
    assert store.erased("0" * 64) is None


def test_objects_of_an_older_release_are_kept_as_if_put_on_the_day_of_the_first_expiry(place):
    name = hashlib.sha256(b"old").hexdigest()
    files_at(place).write(f"{name[:2]}/{name[2:]}", b"old")
    store = on(place, START)
    assert store.get(name) == b"old"
    store.sweep(MARKS)
    assert store.get(name) == b"old"
    assert on(place, START + timedelta(days=DAYS["picture"])).past(DAYS) == []
    assert store.past({"body": 0, "picture": -1}) == [Past("picture", START)]


def test_what_a_killed_put_has_left_goes_after_a_day_and_no_sooner(tmp_path):
    store = on(str(tmp_path), START)
    store.put(b"x", "body")
    old, young, beside = (
        tmp_path / "tmp" / ".old.tmp",
        tmp_path / "tmp" / ".young.tmp",
        tmp_path / "ab" / ".before-0.2.tmp",
    )
    beside.parent.mkdir()
    for path in (old, young, beside):
        path.write_bytes(b"half")
    yesterday = time.time() - 90_000
    for path in (old, beside):
        os.utime(path, (yesterday, yesterday))
    assert store.sweep(MARKS) == 2
    assert young.exists()
    assert not old.exists()


def test_what_is_erased_says_so_and_by_which_record(place):
    store = on(place, START)
    name = store.put(b"x", "picture")
    assert store.erase(name, Erased("record-7", "2026-03-01", "2026-03-31")) == 1
    with pytest.raises(RecordError, match="erased on 2026-03-01") as caught:
        store.get(name)
    assert "record-7" in caught.value.fix
    assert json.dumps(store.erased(name).barred_until) == '"2026-03-31"'


def test_only_what_is_there_can_be_kept_longer(place):
    store = on(place, START)
    assert not store.keep("0" * 64, "body")
    name = store.put(b"x", "body")
    later = on(place, START + timedelta(days=3))
    assert later.keep(name, "body")
    for past in on(place, START + timedelta(days=5)).past(DAYS):
        later.drop(past, set())
    assert later.get(name) == b"x"
