"""Near duplicates: what is merged, what goes out as an update, and that only the log decides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import schemas
from hub.config import TEST_ID_KEY
from hub.connector import Event
from hub.likeness import NO_SCORE, Likeness, Phase, likeness
from streams.merge import Merged, Merger

SPEC = schemas.MergeSpec(gap_s=5, span_s=60, better=0.1)
NOON = datetime(2026, 3, 1, 5, tzinfo=UTC)


def passage(plate: str, at_s: float = 0, *, score: float | None = 0.9, **other: Any) -> Event:
    event: dict[str, Any] = {
        "noun": "plate_read",
        "kind": "vehicle.passage",
        "device_ref": "gate",
        "observed_at": NOON + timedelta(seconds=at_s),
        "body": {},
        "restricted": {"plate": {"text": plate, "confidence": score}},
    }
    return Event(**event | other)


def alarm(at_s: float, state: str, count: int | None = 2, *, region: str = "1") -> Event:
    return Event(
        noun="detection",
        kind="camera.linedetection",
        device_ref="gate",
        observed_at=NOON + timedelta(seconds=at_s),
        body={"rule": "linedetection", "state": state, "region": region, "post_count": count},
    )


class Reports:
    """Sends events to a merger and says what becomes of each."""

    def __init__(self) -> None:
        self.merger = Merger(SPEC)
        self.number = 0

    def send(self, event: Event, *, arrived_s: float = 0, source: str = "vms") -> str:
        like = likeness(event, source, NOON, TEST_ID_KEY)
        if like is None:
            return "as it is"
        self.number += 1
        id_ = self.number.to_bytes(16, "big")
        merged = self.merger.report(like.pack(), id_, int(arrived_s * 1000))
        self.merger.accept()
        if merged is None:
            return "new"
        thing = merged.thing
        if not merged.deliver:
            return f"merged into {int.from_bytes(thing.subject, 'big')}"
        end = ", over" if thing.over else ""
        return f"update of {int.from_bytes(thing.subject, 'big')}, {thing.reports} reports{end}"

    def send_all(self, *events: Event) -> list[str]:
        return [self.send(event) for event in events]


def test_a_second_read_within_seconds_is_merged_and_a_surer_one_is_an_update_of_the_first():
    assert Reports().send_all(
        passage("29A12345", 0, score=0.7),
        passage("29A12345", 1, score=0.75),
        passage("29A12345", 2, score=0.9),
        passage("29A12345", 3, score=0.95),
    ) == ["new", "merged into 1", "update of 1, 3 reports", "merged into 1"]


def test_letters_that_are_read_for_each_other_are_the_same_vehicle():
    assert Reports().send_all(passage("29A12O45"), passage("29AI2045", 1)) == [
        "new",
        "merged into 1",
    ]


def test_a_read_that_lost_its_first_character_is_merged_whichever_comes_first():
    assert Reports().send_all(passage("29A12345"), passage("9A12345", 1)) == [
        "new",
        "merged into 1",
    ]
    assert Reports().send_all(
        passage("9A12345"), passage("29A12345", 1), passage("9A12345", 2)
    ) == ["new", "update of 1, 2 reports", "merged into 1"]


def test_two_vehicles_that_end_alike_do_not_become_one_over_a_read_that_lost_its_start():
    reports = Reports()
    assert reports.send_all(passage("9A12345"), passage("29A12345", 1), passage("39A12345", 2)) == [
        "new",
        "update of 1, 2 reports",
        "new",
    ]


def test_other_vehicles_that_look_alike_are_not_merged():
    reports = Reports()
    others = ["29A12345", "29A12346", "30A12345", "29B12345", "39A12345"]
    assert reports.send_all(*(passage(plate) for plate in others)) == ["new"] * 5


def test_the_same_vehicle_at_another_camera_or_source_is_another_event():
    reports = Reports()
    assert reports.send(passage("29A12345")) == "new"
    assert reports.send(passage("29A12345", device_ref="bridge")) == "new"
    assert reports.send(passage("29A12345"), source="other") == "new"
    assert reports.send(passage("29A12345", status="TEST")) == "new"


def test_a_camera_without_a_name_and_a_plate_that_was_not_read_are_never_merged():
    reports = Reports()
    for event in (passage("29A12345", device_ref=""), passage(""), passage("A1234")):
        assert [reports.send(event), reports.send(event)] == ["as it is"] * 2


def test_a_vehicle_that_returns_later_is_a_new_event():
    assert Reports().send_all(passage("29A12345"), passage("29A12345", 6)) == ["new", "new"]


def test_reports_out_of_order_are_merged_by_the_time_they_tell_of():
    reports = Reports()
    late = [passage("29A12345", at) for at in (0, 4, 2, -3, 8)]
    assert reports.send_all(*late) == ["new"] + ["merged into 1"] * 4
    hours = [passage("29A12345", at - 3600) for at in (4, 2)]
    assert reports.send_all(*hours) == ["new", "merged into 6"]


def test_what_stays_in_view_is_reported_once_a_minute_with_its_count():
    reports = Reports()
    said = [reports.send(passage("29A12345", at), arrived_s=at) for at in range(0, 130, 2)]
    assert [each for each in said if "merged" not in each] == [
        "new",
        "update of 1, 31 reports",
        "update of 1, 61 reports",
    ]


def test_a_thing_is_forgotten_a_minute_after_its_last_report_arrived():
    reports = Reports()
    assert reports.send(passage("29A12345"), arrived_s=0) == "new"
    assert reports.send(passage("29A12345", 1), arrived_s=60) == "merged into 1"
    assert reports.send(passage("29A12345", 2), arrived_s=131) == "new"
    reports.merger.commit()
    assert len(reports.merger) == 1


def test_an_alarm_repeated_every_second_is_one_event_and_its_end_is_told_at_once():
    reports = Reports()
    said = [reports.send(alarm(at, "ONGOING", at + 2)) for at in range(4)]
    assert said == ["new"] + ["merged into 1"] * 3
    assert reports.send(alarm(4, "STOPPED")) == "update of 1, 5 reports, over"
    assert reports.send(alarm(5, "STOPPED")) == "merged into 1"
    assert reports.send(alarm(6, "ONGOING")) == "new"


def test_an_alarm_that_says_it_begins_is_never_merged():
    reports = Reports()
    assert reports.send_all(alarm(0, "STARTED", 1), alarm(1, "STARTED", 1)) == ["new", "new"]
    assert reports.send(alarm(2, "ONGOING", 2)) == "merged into 2"
    # A recorder that counts nothing says the same every second.
    assert reports.send(alarm(3, "STARTED", None)) == "merged into 2"
    assert reports.send_all(alarm(0, "PULSE"), alarm(0, "UNKNOWN")) == ["as it is"] * 2


def test_alarms_of_other_regions_are_others():
    assert Reports().send_all(alarm(0, "ONGOING"), alarm(0, "ONGOING", region="2")) == [
        "new",
        "new",
    ]


def test_a_likeness_gives_no_plate_away_and_depends_on_the_sites_key():
    like = likeness(passage("29A12345"), "vms", NOON, TEST_ID_KEY)
    other = likeness(passage("29A12345"), "vms", NOON, b"another site's key, as long as that")
    assert like
    assert other
    assert b"12345" not in like.pack()
    assert like.whole != other.whole
    assert Likeness._make((*like[:2], 90, Phase.READING, like.at_us)) == like


# The end of a text is told by the text: so one name has one tail.
TAILS = {b"a" * 8: b"b" * 8, b"b" * 8: bytes(8), b"c" * 8: b"x" * 8, b"d" * 8: b"b" * 8}


@st.composite
def likenesses(draw: st.DrawFn) -> Likeness:
    whole = draw(st.sampled_from(sorted(TAILS)))
    return Likeness(
        whole,
        TAILS[whole],
        draw(st.sampled_from([50, 55, 70, NO_SCORE])),
        draw(st.sampled_from([Phase.READING, Phase.BEGINS, Phase.GOES_ON, Phase.ENDS])),
        draw(st.integers(0, 20_000_000)),
    )


likes = likenesses()


class Transactions(RuleBasedStateMachine):
    """However transactions end, decisions are those of one that never failed."""

    def __init__(self) -> None:
        super().__init__()
        self.merger = Merger(SPEC)
        self.log: list[bytes] = []
        self.clock_ms = 0
        self.number = 0
        self.committed: list[tuple[bytes, bytes, int]] = []
        self.open: list[tuple[bytes, bytes, int]] = []
        self.said: list[Merged | None] = []

    @rule(
        like=likes, step_ms=st.sampled_from([0, 5, 3_000, 25_000, 75_000]), accepted=st.booleans()
    )
    def report(self, like: Likeness, step_ms: int, *, accepted: bool) -> None:
        self.clock_ms += step_ms
        self.number += 1
        record = (like.pack(), self.number.to_bytes(16, "big"), self.clock_ms)
        merged = self.merger.report(*record)
        if accepted:
            self.merger.accept()
            self.open.append(record)
            self.said.append(merged)

    @rule()
    def commit(self) -> None:
        self.log.append(self.merger.changes())
        self.merger.commit()
        self.committed += self.open
        self.open, self.said = [], []

    @rule()
    def roll_back(self) -> None:
        self.merger.rollback()
        self.open, self.said = [], []

    @rule()
    def crash(self) -> None:
        self.merger = Merger(SPEC)
        for packed in self.log:
            self.merger.restore(packed)
        self.open, self.said = [], []

    @invariant()
    def decisions_depend_on_the_log_alone(self) -> None:
        steady = Merger(SPEC)
        said = []
        for record in (*self.committed, *self.open):
            said.append(steady.report(*record))
            steady.accept()
        assert said[len(self.committed) :] == self.said


TestTransactions = Transactions.TestCase


@given(stream=st.lists(st.tuples(likes, st.integers(0, 2_000)), max_size=40))
def test_nothing_is_merged_without_a_thing_that_was_delivered_before(stream):
    merger, clock_ms, delivered = Merger(SPEC), 0, {}
    for number, (like, step_ms) in enumerate(stream):
        clock_ms += step_ms
        id_ = number.to_bytes(16, "big")
        merged = merger.report(like.pack(), id_, clock_ms)
        merger.accept()
        if merged is None:
            delivered[id_] = 1
        else:
            delivered[merged.thing.subject] += 1
            assert merged.thing.reports == delivered[merged.thing.subject]
            assert like.phase != Phase.BEGINS
