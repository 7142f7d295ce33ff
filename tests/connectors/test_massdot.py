"""The events feed of MassDOT: times without zone, ends, names that stand twice, kinds of place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.massdot import connector, parse
from hub import Event, Nothing, Options, Payload, PayloadError, Rejection
from hub.connector import Area
from hub.identity import Identity

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "samples" / "massdot"
SHARED = ROOT.parent / "shared/samples/traffic/massdot_xml/events_feed_sample.xml"
AT = datetime(2026, 3, 14, 0, 46, 5, tzinfo=UTC)
CRASH = '<CategorySpecific type="CRASH"><Subtype/></CategorySpecific>'


def outcomes(document, **options):
    body = document.encode() if isinstance(document, str) else document
    return list(parse(Payload(body=body, received_at=AT), Options(**options)))


def feed(*events):
    return (
        "<EventsFeed><UpdateTimestamp>2026-03-14T07:46:00.0</UpdateTimestamp>"
        f"<Events>{''.join(events)}</Events></EventsFeed>"
    )


def unplanned(name="Tai nạn", more=CRASH, status="ACTIVE", updated="2026-03-14T07:40:00.0"):
    return (
        f'<UnplannedEvent category="ROADWAY/TRAFFIC"><Name>{name}</Name>'
        f"<UpdatedAt>{updated}</UpdatedAt><Status>{status}</Status>{more}</UnplannedEvent>"
    )


def planned(status, ends, kind="CONSTRUCTION/MAINTENANCE", subtype="ROADWAY_ACTIVITY", name="Sửa"):
    return (
        f'<PlannedEvent type="{kind}"><Name>{name}</Name><UpdatedAt>2026-03-13T07:00:00</UpdatedAt>'
        f"<Status>{status}</Status><EndDate>{ends}</EndDate>"
        f'<TypeSpecific subtype="{subtype}"/></PlannedEvent>'
    )


def one(event):
    (found,) = outcomes(feed(event))
    return found


def id_of(event):
    return Identity(b"k" * 32, connector, "s").event(event, payload_id="p", index=0)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_the_shared_feed_is_two_events_of_a_zone_that_only_the_source_knows():
    works, crash = outcomes(SHARED.read_bytes(), zone="America/New_York")
    at = datetime(2006, 5, 4, 22, 13, 51, tzinfo=UTC)
    assert (works.native_id, works.kind, works.body["detail"]) == (
        "Name0",
        "road.works",
        "ROADWAY_ACTIVITY",
    )
    assert (works.version_at, works.published_at, works.body["valid_to"]) == (at, at, at)
    assert works.time_quality == "ASSUMED_ZONE"
    assert set(works.quality_flags) == {"end_passed", "coordinates_invalid"}
    assert [each["role"] for each in works.body["texts"]] == ["name"] + ["occurrence"] * 3
    assert (works.body["road"], works.body["points"], works.position) == ("RoadwayName0", [], None)
    assert (crash.native_id, crash.kind, crash.body["detail"]) == (
        "Name1",
        "road.accident",
        "VEHICLE_FIRE",
    )
    assert [area.name for area in crash.areas_reported] == ["Area0", "Area1", "Area2"]
    assert (crash.body["direction"], crash.body["lanes"]) == ("Direction1", ["LanesAffected1"])
    assert (crash.body["impact"], crash.lifecycle) == ("", "UNKNOWN")


def test_stamps_without_zone_are_read_in_that_of_the_source():
    found = one(unplanned())
    assert found.version_at == datetime(2026, 3, 14, 0, 40, tzinfo=UTC)
    assert found.published_at == datetime(2026, 3, 14, 0, 46, tzinfo=UTC)


def test_the_newest_of_one_name_counts_wherever_it_stands():
    older, newer = (unplanned(updated=f"2026-03-14T07:{minute}:00") for minute in (20, 40))
    for events in ((older, newer), (newer, older), (newer, newer)):
        (found,) = outcomes(feed(*events))
        assert found.version_at.minute == 40


def test_two_events_of_one_name_and_time_are_not_taken_for_one():
    other = '<CategorySpecific type="FIRE"><Subtype>VEHICLE_FIRE</Subtype></CategorySpecific>'
    refused, found = outcomes(feed(unplanned(), unplanned(more=other)))
    assert isinstance(refused, Rejection)
    assert refused.code == "duplicate-name"
    assert found.kind == "road.accident"


def test_content_that_changes_while_its_time_stays_is_an_update():
    lanes = "<LaneInfo><Direction>NN</Direction><LanesAffected>XO</LanesAffected></LaneInfo>"
    before, after = one(unplanned()), one(unplanned(more=lanes + CRASH))
    assert before.subject == after.subject
    assert id_of(before) != id_of(after)
    areas = '<Location><Area type="TOWN">Kim Liên</Area></Location>'
    assert id_of(one(unplanned(more=areas + CRASH))) != id_of(before)


def test_terminated_ends_an_event_and_no_other_status_does():
    found = [one(unplanned(status=word)).lifecycle for word in ("TERMINATED", "ACTIVE", "FUTURE")]
    assert found == ["ENDED", "UNKNOWN", "UNKNOWN"]


def test_an_end_that_has_passed_expires_what_is_not_called_active():
    past, ahead = "2026-03-14T07:00:00", "2026-03-14T08:00:00"
    overrun = one(planned("ACTIVE", past))
    assert (overrun.lifecycle, overrun.quality_flags) == ("UNKNOWN", ("end_passed",))
    assert one(planned("FUTURE", past)).lifecycle == "EXPIRED"
    assert one(planned("FUTURE", ahead)).lifecycle == "UNKNOWN"
    assert one(planned("TERMINATED", past)).lifecycle == "ENDED"


def test_a_feed_without_events_is_all_clear_and_one_without_their_list_is_refused():
    (clear,) = outcomes(feed())
    assert isinstance(clear, Nothing)
    with pytest.raises(PayloadError) as refused:
        outcomes("<EventsFeed><UpdateTimestamp/></EventsFeed>")
    assert (refused.value.code, refused.value.path) == ("missing-field", "Events")


def test_a_range_is_its_points_in_order_and_its_roads():
    refused, works, crash = outcomes((OWN / "events.xml").read_bytes())
    assert (refused.code, refused.path) == (
        "missing-field",
        "EventsFeed/Events/UnplannedEvent[0]/Name",
    )
    assert [point["lat"] for point in works.body["points"]] == [21.0862, 21.0951, 21.106]
    texts = {each["role"]: each["text"] for each in works.body["texts"]}
    assert texts["location"] == "Võ Chí Công NB - Cầu Nhật Tân NB - Võ Nguyên Giáp NB"
    assert texts["occurrence"] == "2026-03-15T22:00:00.0/2026-03-16T05:00:00.0"
    assert (works.body["direction"], works.body["lanes"]) == ("NNN", ["OXX"])
    assert crash.body["impact"] == "HasSpeedRestriction, IsBoreClosureRequired"
    assert (crash.body["probability"], crash.version_at.minute) == ("certain", 40)


def test_a_point_at_zero_is_none():
    ended, *_ = outcomes((OWN / "ended_and_weather.xml").read_bytes())
    assert (ended.position, ended.body["points"]) == (None, [])
    assert ended.quality_flags == ("contact_masked", "coordinates_invalid")
    assert ended.lifecycle == "ENDED"


def test_the_id_of_a_weather_warning_is_not_that_of_its_event():
    _, rain, _ = outcomes((OWN / "ended_and_weather.xml").read_bytes())
    assert (rain.native_id, rain.kind) == ("Mưa lớn", "road.weather")
    assert rain.body["detail"] == "WARNING, Heavy rain"
    assert rain.areas_reported == tuple(
        Area(scheme="", code="", name=name)
        for name in ("Phường Kim Liên", "Phường Đống Đa", "Hà Nội")
    )
    assert "DISTRICT Phường Kim Liên" in [each["text"] for each in rain.body["texts"]]


def test_an_id_of_the_events_own_counts_before_its_name():
    found = one(unplanned(more=f"<Id>E-17</Id>{CRASH}"))
    assert (found.native_id, found.subject) == ("E-17", ("E-17",))


@pytest.mark.parametrize("subtype", ["VIP_VISIT", "FUNERAL_PROCESSION"])
def test_names_of_visits_and_funerals_stand_nowhere(subtype):
    event = planned("ACTIVE", "2026-03-15T08:00:00", "SPECIAL_EVENT", subtype, "Nguyễn Văn Mẫu")
    found = one(event)
    assert (found.native_id, found.body["texts"]) == (None, [])
    assert "Mẫu" not in repr(found.body)
    assert "name_withheld" in found.quality_flags
    assert id_of(found) == id_of(one(event))


def test_contacts_in_a_name_are_masked_and_a_test_is_suspected():
    found = one(unplanned(name="TEST, gọi 0910 000 000"))
    assert "0910" not in repr(found)
    assert set(found.quality_flags) == {"contact_masked", "test_suspected"}


def test_a_type_that_nobody_lists_is_passed_on():
    more = '<CategorySpecific type="SINKHOLE"><Subtype>DEEP</Subtype></CategorySpecific>'
    found = one(unplanned(more=more))
    assert (found.kind, found.body["record_type"]) == ("road.sinkhole", "SINKHOLE")


def test_a_time_that_is_none_drops_nothing():
    found = one(unplanned(updated="soon"))
    assert (found.version_at, found.quality_flags) == (None, ("time_unreadable",))


def test_a_bad_event_hides_no_other():
    found = outcomes(feed(unplanned("a"), unplanned(""), unplanned("b")))
    assert [type(each) for each in found] == [Rejection, Event, Event]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b"<html><body>Sign in</body></html>", "not-massdot"),
        (b"<EventsFeed><Events><PlannedEvent>", "malformed"),
    ],
)
def test_what_is_no_whole_feed_is_refused(body, code):
    with pytest.raises(PayloadError) as refused:
        outcomes(body)
    assert refused.value.code == code
