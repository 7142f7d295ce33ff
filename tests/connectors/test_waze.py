"""`waze` against a stored feed and the partner's documents; each trap of the field has a test."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.waze import Options, connector, parse
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.testing import Sample, dry_run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/samples/traffic/waze/jakarta_partner_feed_load.json"
NOW = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
AT = 1773449100000


def read(document, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(parse(Payload(body=body, received_at=NOW), Options(**options)))


def alert(**more):
    return {"uuid": "a1", "type": "HAZARD", "location": {"x": 105.84, "y": 21.0},
            "pubMillis": AT} | more  # fmt: skip


def jam(**more):
    return {"uuid": 7, "level": 3, "delay": 60, "speed": 2.5, "pubMillis": AT} | more


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_feed_gives_an_event_for_each_entry():
    """285 alerts, 965 jams of which 38 are blocked, 37 irregularities."""
    outcomes = read(SHARED.read_bytes())
    assert Counter(each.noun for each in outcomes) == {
        "situation": 285 + 965 + 37, "measurement": 965 - 38,
    }  # fmt: skip
    assert sum(each.body.get("impact") == "blocked" for each in outcomes) == 38
    assert len({(each.noun, each.subject) for each in outcomes}) == len(outcomes)


def test_an_id_is_unique_in_its_list_only_and_may_be_a_number():
    document = {"alerts": [alert(uuid="7")], "jams": [jam(uuid=7, delay=-1)],
                "irregularities": [{"id": 7, "detectionDateMillis": AT}]}  # fmt: skip
    assert [each.subject for each in read(document)] == [
        ("alert", "7"), ("jam", "7"), ("irregularity", "7"),
    ]  # fmt: skip


def test_content_that_changes_under_the_same_time_is_an_event_of_its_own():
    ids = set()
    for level in (3, 4):
        body = json.dumps({"jams": [jam(level=level, delay=-1)]}).encode()
        ids.add(next(iter(dry_run(connector, Sample(name="x", body=body)))).value[5:21])
    assert len(ids) == 2
    assert read({"jams": [jam()]})[0].version_at is None


def test_a_delay_of_minus_one_is_a_blocked_road_and_no_speed():
    (blocked,) = read({"jams": [jam(delay=-1, speed=0)]})
    assert blocked.body["impact"] == "blocked"
    situation, speed = read({"jams": [jam()]})
    assert (situation.body["impact"], speed.body["speed_kmh"]) == ("", 9.0)


def test_a_speed_in_kmh_is_believed_before_one_in_metres():
    assert read({"jams": [jam(speedKMH=12.5)]})[1].body["speed_kmh"] == 12.5


def test_two_names_of_one_type_are_one_kind():
    kinds = {read({"alerts": [alert(type=name)]})[0].kind for name in ("HAZARD", "WEATHERHAZARD")}
    assert kinds == {"road.hazard"}


def test_longitude_is_x():
    (found,) = read({"alerts": [alert()]})
    assert (found.position.lat, found.position.lon) == (21.0, 105.84)


def test_who_reported_is_not_read_and_texts_only_where_asked_for():
    told = alert(reportBy="tai_xe_9", reportDescription="gọi 0912 345 678 anh Ba")
    (silent,) = read({"alerts": [told]})
    assert "Ba" not in str(silent)
    assert "tai_xe_9" not in str(silent)
    (asked,) = read({"alerts": [told]}, free_text=True)
    assert "0912" not in str(asked)
    assert asked.quality_flags == ("contact_masked",)


def test_an_empty_window_is_all_clear():
    assert [type(each) for each in read({"alerts": [], "jams": []})] == [Nothing]


def test_a_bad_entry_hides_no_other():
    outcomes = read({"alerts": [alert(), {"type": "JAM"}, 3, alert(uuid="z")]})
    assert [type(each) for each in outcomes] == [Event, Rejection, Rejection, Event]
    assert outcomes[1].path == "alerts[1]/uuid"


@pytest.mark.parametrize(
    ("document", "code"), [({}, "missing-field"), (b"<html/>", "malformed"), ([], "wrong-type")]
)
def test_what_is_no_feed_is_refused(document, code):
    with pytest.raises(PayloadError) as refused:
        read(document)
    assert refused.value.code == code
