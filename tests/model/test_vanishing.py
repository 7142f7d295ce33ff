"""What is missing from a full snapshot, through both stages as they are: VANISHED, and back."""

from collections import Counter
from datetime import timedelta

import pytest
from whole_way import AT, WholeWay

from hub import metrics
from hub.codec import EVENT_ID
from hub.replayed import INDEXES
from hub.snapshots import in_life

SITUATIONS, POLICE, ALERTS = "traffic.situation.v1", "police.situation.v1", "area.alert.v1"


class Feed:
    """A source that sends full snapshots; a minute lies between two."""

    def __init__(self, way: WholeWay) -> None:
        self.way, self.number = way, 0

    def whole(self, *parts, complete: bool = True, **more) -> None:
        self.number += 1
        headers = {
            "snapshot": f"s-{self.number}",
            "page": "1",
            "complete": str(complete).lower(),
        }
        at = AT + timedelta(minutes=self.number)
        self.way.send(*parts, received_at=at, more=headers | more.pop("more", {}), **more)


@pytest.fixture
def feed(tmp_path, monkeypatch):
    return Feed(WholeWay(tmp_path, monkeypatch))


def roadworks(name: str, version: str = "1", **more):
    return {"noun": "situation", "id": name, "subject": ["subject", name], "version": version,
            "body": {"detail": f"works {name}"}, **more}  # fmt: skip


def told(feed: Feed, topic: str) -> list[tuple[str, str]]:
    return [(each["header"]["native_id"], each["header"]["lifecycle"])
            for each in feed.way.decoded(topic)]  # fmt: skip


def test_a_subscriber_hears_of_what_is_gone_with_all_that_was_last_said_of_it(feed):
    feed.whole(roadworks("a"), roadworks("b", "2"))
    feed.whole(roadworks("a"))

    assert told(feed, POLICE) == [("a", "NEW"), ("b", "NEW"), ("b", "VANISHED")]
    new, gone = feed.way.decoded(POLICE)[1:]
    assert gone["body"] == new["body"]
    header = gone["header"]
    assert header["subject_id"] == new["header"]["subject_id"]
    assert header["event_id"] != new["header"]["event_id"]
    assert header["received_at"] == header["observed_at"] == AT + timedelta(minutes=2)
    assert header["native_version"] == "2"
    # It stands in the second payload, behind the one event that is there.
    assert (header["origin"]["offset"], header["origin"]["index"]) == (1, 1)
    assert feed.way.written[SITUATIONS][1][0] == feed.way.written[SITUATIONS][3][0]


def test_what_comes_back_is_delivered_again_in_the_version_that_was_there_before(feed):
    feed.whole(roadworks("a"))
    feed.whole()
    feed.whole(roadworks("a"))
    feed.whole(roadworks("a"))
    feed.whole(roadworks("a", "2", body={"detail": "longer than planned"}))
    feed.whole()

    assert told(feed, POLICE) == [
        ("a", "NEW"), ("a", "VANISHED"), ("a", "UPDATED"), ("a", "UPDATED"), ("a", "VANISHED"),
    ]  # fmt: skip
    ids = [each["header"]["event_id"] for each in feed.way.decoded(POLICE)]
    assert len(set(ids)) == 5, "no subscriber gets an id twice"


def test_an_event_of_a_later_life_carries_what_leads_back_to_the_sources_words(feed):
    feed.whole(roadworks("a"))
    feed.whole()
    feed.whole(roadworks("a"))
    first, gone, back = feed.way.written[SITUATIONS]
    life = dict(back[2])["life"]
    assert life == first[1][EVENT_ID] + gone[1][EVENT_ID]
    again = in_life(feed.way.config.site_key(), first[1], life[16:])
    assert again[EVENT_ID] == back[1][EVENT_ID]


def test_half_an_answer_or_a_refused_part_ends_nothing(feed):
    feed.whole(roadworks("a"), roadworks("b"))
    feed.whole(complete=False)
    feed.whole(roadworks("a"), {"refuse": "this one"})
    feed.whole(body=b"<html>Please log in</html>")
    assert Counter(told(feed, POLICE)) == {("a", "NEW"): 1, ("b", "NEW"): 1}
    feed.whole(roadworks("a"))
    assert told(feed, POLICE)[2:] == [("b", "VANISHED")]


def test_an_answer_that_was_published_before_the_last_one_ends_nothing(feed):
    """One of a server's caches is behind: it still tells of before `b` began."""
    new, old = ({"published": (AT + timedelta(minutes=each)).isoformat()} for each in (3, 1))
    unproven = {"source_id": "vms", "reason": "published-before"}
    before = metrics.value("hub_snapshots_unproven_total", **unproven)
    feed.whole(roadworks("a", **old))
    feed.whole(roadworks("a", **new), roadworks("b", **new))
    feed.whole(roadworks("a", **old))
    feed.whole({"nothing": "all clear", **old})
    feed.whole(roadworks("a", **new), roadworks("b", **new))
    assert told(feed, POLICE) == [("a", "NEW"), ("b", "NEW")]
    assert metrics.value("hub_snapshots_unproven_total", **unproven) == before + 2
    feed.whole(roadworks("a", **new))
    assert told(feed, POLICE)[2:] == [("b", "VANISHED")]


def test_a_part_that_a_replay_sends_again_is_no_snapshot(feed):
    feed.whole(roadworks("a"), roadworks("b"))
    feed.whole(roadworks("b"), more={INDEXES: "0"})
    assert ("a", "VANISHED") not in told(feed, POLICE)


def test_a_source_that_sends_no_snapshots_ends_nothing_by_leaving_it_out(feed):
    feed.way.send(roadworks("a"))
    feed.way.send()
    assert told(feed, POLICE) == [("a", "NEW")]
    assert not feed.way.written["state.normalise.snapshots.v1"]


def test_a_warning_that_is_gone_is_told_in_its_chain(feed):
    fire = {"noun": "alert", "id": "f", "subject": ["subject", "f"], "version": "1"}
    feed.whole(fire)
    feed.whole()
    feed.whole(fire)
    assert told(feed, "police.alert.v1") == [("f", "NEW"), ("f", "VANISHED"), ("f", "UPDATED")]
    assert len({each["header"]["subject_id"] for each in feed.way.decoded("police.alert.v1")}) == 1


def test_what_was_ended_or_withdrawn_by_the_source_goes_without_another_word(feed):
    feed.whole(roadworks("a"), roadworks("b"))
    feed.whole(roadworks("a", lifecycle="ENDED"), roadworks("b", lifecycle="CANCELLED"))
    feed.whole()
    assert [life for _, life in told(feed, POLICE)] == ["NEW", "NEW", "ENDED", "CANCELLED"]


def test_the_books_count_what_has_vanished_like_what_was_found(feed):
    feed.whole(roadworks("a"))
    feed.whole()
    rows = [row for row in feed.way.decoded("ledger.v1") if row["stage"] == "normalise"]
    counts = [
        {(each["noun"], each["outcome"]): each["count"] for each in row["counts"]} for row in rows
    ]
    assert counts == [{("situation", "found"): 1, ("", "events"): 1}] * 2
    minutes = [{each["minute"] for each in row["counts"]} for row in rows]
    assert minutes[0] != minutes[1]


def test_what_a_rolled_back_transaction_found_missing_is_told_by_the_next(feed, monkeypatch):
    feed.whole(roadworks("a"))
    with monkeypatch.context() as patch:
        patch.setattr(feed.way.normalise, "committed", feed.way.normalise.rolled_back)
        feed.whole()
    feed.whole()
    # No broker is here to take the first one back; without the rollback there would be no second.
    assert [life for _, life in told(feed, SITUATIONS)] == ["UNKNOWN", "VANISHED", "VANISHED"]
    # Even so, nobody is told twice.
    assert told(feed, POLICE) == [("a", "NEW"), ("a", "VANISHED")]
