"""What no end is told of, and what is told again and again: as subscribers see it."""

from datetime import timedelta

import pytest
from steps import Arrival, Steps, arrival
from told import HEARD, delivered, event

import schemas
from hub.envelope import LISTED
from streams.assumed_end import assumed_end

HAPPENED = HEARD - timedelta(hours=5)
SITUATION = schemas.nouns()["situation"]


def header(kind: str = "road.flooding", **other: object) -> dict[str, object]:
    return {
        "kind": kind,
        "received_at": HEARD,
        "observed_at": HAPPENED,
        "replayed": False,
        **other,
    }


def hours(kind: str, **other: object) -> float:
    end = assumed_end(SITUATION, header(kind, **other), {"valid_to": None})
    return (end - HEARD) / timedelta(hours=1)


def test_a_kind_that_no_end_is_told_of_is_assumed_to_go_on_for_its_own_time():
    assert hours("road.flooding") == 24
    assert hours("road.jam") == 3
    assert hours("road.road_work.night") == 720


def test_the_longest_beginning_of_a_kind_decides():
    noun = schemas.NounSpec(
        "situation", "t", "R", "state", "urgent", "", "", ttl_h={"": 24, "a": 2, "a.b": 3}
    )
    ends = [assumed_end(noun, header(kind), {}) for kind in ("x", "a.c", "a.b.c")]
    assert [(end - HEARD) / timedelta(hours=1) for end in ends] == [24, 2, 3]


def test_a_site_that_takes_the_general_time_away_assumes_nothing_of_other_kinds():
    noun = schemas.NounSpec("situation", "t", "R", "state", "urgent", "", "", ttl_h={"a": 2})
    assert assumed_end(noun, header("b"), {}) is None


def test_the_time_counts_from_when_the_hub_heard_of_it_or_from_the_event_of_a_backlog():
    assert hours("road.jam") == 3
    assert hours("road.jam", replayed=True) == -2
    assert hours("road.jam", replayed=True, observed_at=None) == 3
    assert hours("road.jam", replayed=True, observed_at=HEARD + timedelta(days=9)) == 3


def test_an_end_or_expiry_that_the_source_tells_is_left_to_stand_alone():
    assert assumed_end(SITUATION, header(), {"valid_to": HEARD}) is None
    alert = schemas.nouns()["alert"]
    told, open_ = {"expires_at": HEARD}, {"expires_at": None}
    assert assumed_end(alert, header(), {"infos": [open_, told]}) is None
    assert assumed_end(alert, header(), {"infos": [open_]}) == HEARD + timedelta(hours=24)


def test_subscribers_are_told_when_to_take_a_situation_without_an_end_as_over():
    (got,) = delivered(Steps(), "situation", arrival(event("situation", {})))
    assert got["assumed_end_at"] == HEARD + timedelta(hours=24)
    assert got["reports"] == 1


@pytest.mark.parametrize(
    ("noun", "body", "other"),
    [
        ("situation", {"valid_to": HEARD + timedelta(days=2)}, {}),
        ("situation", {}, {"lifecycle": "ENDED"}),
        ("situation", {}, {"lifecycle": "VANISHED"}),
        ("signal_state", {}, {}),
        ("detection", {}, {}),
    ],
)
def test_of_what_has_an_end_is_over_or_merely_happened_no_end_is_assumed(noun, body, other):
    (got,) = delivered(Steps(), noun, arrival(event(noun, body, **other)))
    assert got["assumed_end_at"] is None


def test_of_what_a_full_snapshot_holds_no_end_is_assumed_as_leaving_it_out_tells_it():
    one = event("situation", {})
    listed = Arrival(one.key, one.value, [*arrival(one).headers_, (LISTED, b"")])
    (got,) = delivered(Steps(), "situation", listed)
    assert got["assumed_end_at"] is None


def test_a_situation_reported_again_and_again_is_updated_once_an_hour_with_a_later_end():
    hub = Steps()
    times = [HEARD + timedelta(minutes=20 * n) for n in range(8)]
    got = delivered(hub, "situation", *(arrival(event("situation", {}, at)) for at in times))
    assert [
        (each["header"]["observed_at"], each["header"]["lifecycle"], each["reports"])
        for each in got
    ] == [(times[0], "NEW", 1), (times[3], "UPDATED", 3), (times[6], "UPDATED", 3)]
    day = timedelta(hours=24)
    assert [each["assumed_end_at"] - day for each in got] == [times[0], times[3], times[6]]
    assert hub.outcomes("situation") == {"delivered": 3, "merged": 5}
