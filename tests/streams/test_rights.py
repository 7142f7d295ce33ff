"""Rights: what a subscriber may see, from when to when; and what no right gives is withheld."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import CANARY, Arrival, Steps, arrival

import schemas
from hub.codec import VARIABLE, RecordCodec, micros
from hub.config import TEST_ID_KEY
from hub.envelope import Canonical
from hub.plates import CATEGORIES, COLOURS, Pseudonyms, VehicleKey
from schemas.rights import PSEUDONYM, rights_of
from streams.pseudonym import NO_PSEUDONYM, pseudonym
from streams.view import Granted, Rights

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
PLATE, PICTURES, PERSONS = FIELDS = tuple(f"restricted.{name}" for name in
                                          schemas.restricted_fields())  # fmt: skip
DAY_US = 86_400_000_000
EVER = datetime(2020, 1, 1, tzinfo=HANOI)
NOON = datetime(2026, 5, 1, 12, tzinfo=HANOI)


def right(
    id_: str, *fields: str, since: datetime = EVER, until: datetime | None = None, **more: Any
) -> dict[str, Any]:
    table = {
        "id": id_, "nouns": ["plate_read"], "fields": list(fields), "purpose": "To test",
        "purpose_vi": "Để thử", "legal_basis": "None", "valid_from": since, **more,
    }  # fmt: skip
    return table if until is None else table | {"valid_to": until}


def made(*tables: dict[str, Any]) -> tuple[schemas.Right, ...]:
    return rights_of("x", tables, nouns=["plate_read"], fields={*FIELDS, PSEUDONYM})


def subscriber(*tables: dict[str, Any], id_: str = "x") -> schemas.SubscriberSpec:
    return schemas.SubscriberSpec(id_, "X", 7, ("plate_read",), made(*tables))


def granted(at: datetime, *tables: dict[str, Any]) -> Granted:
    return Rights(subscriber(*tables)).at("plate_read", micros(at))


# What a file of rights may say


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (right("a", "restricted.face"), "'restricted.face' is none of its fields"),
        (right("a", nouns=["plate"]), "'plate' is none of its nouns"),
        (right("a", purpose=""), "purpose is empty"),
        (right("a", legal_basis=""), "legal_basis is empty"),
        (right("a", basis="a law"), "unknown key 'basis'"),
        (right("a", valid_from="2026-01-01"), "valid_from is no time with an offset"),
        (right("a", until=EVER), "it ends before it begins"),
        ({"id": "a"}, "fields is missing"),
    ],
)
def test_a_right_that_can_be_none_is_named_with_what_is_wrong(table, told):
    with pytest.raises(ValueError, match="right 'a' of x: ") as error:
        made(table)
    assert told in str(error.value)
    assert "To mend it: " in str(error.value)


def test_successors_of_a_right_may_not_overlap():
    assert len(made(right("a", until=NOON), right("a", PLATE, since=NOON))) == 2
    with pytest.raises(ValueError, match="has ended"):
        made(right("a"), right("a", PLATE, since=NOON))


def test_a_noun_without_a_right_would_be_an_empty_topic():
    with pytest.raises(ValueError, match="no right gives plate_read"):
        made()


def test_every_shipped_right_names_a_law_and_holds_today():
    for each in schemas.subscribers().values():
        for one in each.rights:
            assert one.legal_basis.startswith(("Law ", "Circular ", "Decree "))
            assert one.holds(NOON)
            assert not one.holds(datetime(2025, 6, 30, tzinfo=HANOI))


def test_only_the_police_have_plates_pictures_and_persons():
    given_to = {
        (each.id, field) for each in schemas.subscribers().values()
        for one in each.rights for field in one.fields
    }  # fmt: skip
    assert given_to == {("htmoc", PSEUDONYM), *(("police", field) for field in FIELDS)}


# What they give


def test_a_view_tells_withheld_from_absent():
    view = granted(NOON, right("a", PICTURES, PERSONS)).view
    assert view is not None
    assert view.masks
    assert not view.masks_all
    assert view.kept({"plate": 1, "pictures": 2, "persons": None}) == {
        "plate": None, "pictures": 2, "persons": None,
    }  # fmt: skip
    held = {present: [each["field"] for each in view.record(present)["withheld"]]
            for present in (0, 1, 2, 7)}  # fmt: skip
    assert held == {0: [], 1: [PLATE], 2: [], 7: [PLATE]}


def test_a_view_shows_all_nothing_or_some():
    shown = [granted(NOON, right("a", *fields)).view for fields in (FIELDS, (), (PLATE,))]
    assert [(each.masks, each.masks_all) for each in shown if each] == [
        (False, False), (True, True), (True, False),
    ]  # fmt: skip


def test_what_is_withheld_names_the_right_that_would_open_it():
    tables = [
        right("none-of-it"),
        right("past", PLATE, PICTURES, until=NOON - timedelta(days=9)),
        right("later", PLATE, since=NOON + timedelta(days=9)),
        right("soon", PLATE, since=NOON + timedelta(days=1)),
    ]
    view = granted(NOON, *tables).view
    assert view is not None
    assert view.record(7)["withheld"] == [
        {"field": PLATE, "right": "soon"},
        {"field": PICTURES, "right": "past"},
        {"field": PERSONS, "right": "personal-data"},
    ]


def test_a_pseudonym_is_missed_only_by_those_who_have_it_at_another_time():
    before = granted(NOON, right("a"), right("b", PSEUDONYM, since=NOON + timedelta(days=1))).view
    assert before is not None
    assert before.record(1)["withheld"][1:] == [{"field": PSEUDONYM, "right": "b"}]
    assert [each["field"] for each in before.record(6)["withheld"]] == [PICTURES, PERSONS]
    never = granted(NOON, right("a")).view
    assert never is not None
    assert [each["field"] for each in never.record(1)["withheld"]] == [PLATE]


days = st.integers(0, 12)


@settings(deadline=None)
@given(
    spans=st.lists(st.tuples(days, days, st.sampled_from([*FIELDS, PSEUDONYM, ""])), min_size=1,
                   max_size=6),
    day=st.integers(-1, 13),
)  # fmt: skip
def test_at_any_time_exactly_what_a_right_in_force_gives_is_given(spans, day):
    tables = [
        right(f"r{number}", *([field] if field else []), since=EVER + timedelta(days=first),
              until=EVER + timedelta(days=first + length + 1))
        for number, (first, length, field) in enumerate(spans)
    ]  # fmt: skip
    found = granted(EVER + timedelta(days=day), *tables)
    held = [field for first, length, field in spans if first <= day < first + length + 1]
    assert (found.view is not None) == bool(held)
    if found.view is not None:
        assert found.view.given == set(held) - {""}
    assert found.from_us <= micros(EVER) + day * DAY_US < found.to_us
    edges = {edge for first, length, _ in spans for edge in (first, first + length + 1)}
    for edge in edges:
        assert not found.from_us < micros(EVER) + edge * DAY_US < found.to_us


# In the stage


MIDNIGHT = datetime(2026, 6, 1, tzinfo=HANOI)


@pytest.fixture
def htmoc(monkeypatch):
    """Gives HTMOC other rights to passages."""

    def give(*tables: dict[str, Any]) -> Steps:
        spec = subscriber(*tables, id_="htmoc")
        known = {**schemas.subscribers(), "htmoc": spec}
        monkeypatch.setattr(schemas, "subscribers", lambda: known)
        return Steps()

    return give


def read(number: int, **plate: str) -> Canonical:
    """One of the passages of a vehicle."""
    header = {
        "event_id": number.to_bytes(16), "subject_id": number.to_bytes(16), "status": "LIVE",
        "received_at": NOON, "source_id": "vms", "device_ref": "cam-1", "kind": "vehicle.passage",
        "origin": {"sha256": bytes(32)},
    }  # fmt: skip
    restricted = {"plate": {"raw": CANARY, "text": CANARY, "category": "CAR", **plate}}
    value, cut = steps.codec("plate_read").encode(header, restricted, {})
    return Canonical("plate_read", "camera.plate_read.v1", b"vms/cam-1", value, cut)


def passage(number: int, at: datetime) -> Arrival:
    return replace(arrival(read(number)), at_ms=micros(at) // 1000)


def shown(delivered: list[tuple[str, bytes, bytes]]) -> dict[str, Any] | None:
    """HTMOC's record, if it got one."""
    codec = RecordCodec(schemas.built("htmoc.plate_read.v1"), 0)
    found = [codec.decode(value) for topic, value, _ in delivered if topic.startswith("htmoc.")]
    return found[0] if found else None


def test_a_right_begins_and_ends_by_the_append_time_without_a_restart(htmoc):
    hub = htmoc(
        right("passages"),
        right("named", PSEUDONYM, since=MIDNIGHT, until=MIDNIGHT + timedelta(days=1)),
    )
    millisecond = timedelta(milliseconds=1)
    times = [MIDNIGHT - millisecond, MIDNIGHT, MIDNIGHT + timedelta(days=1) - millisecond,
             MIDNIGHT + timedelta(days=1), MIDNIGHT - timedelta(days=1)]  # fmt: skip
    named = []
    for number, at in enumerate(times):
        record = shown(hub.take("plate_read", passage(number, at)))
        assert record is not None
        assert record["restricted"]["plate"] is None
        listed = {each["field"]: each["right"] for each in record["view"]["withheld"]}
        named.append(record["view"]["pseudonym"] is not None)
        assert (listed.get(PSEUDONYM) == "named") != named[-1]
    assert named == [False, True, True, False, False]


def test_a_noun_that_no_right_gives_is_not_delivered_whatever_the_rules_say(htmoc):
    hub = htmoc(right("passages", since=MIDNIGHT))
    before = hub.take("plate_read", passage(1, MIDNIGHT - timedelta(milliseconds=1)))
    assert sorted(topic for topic, *_ in before) == ["ops.plate_read.v1", "police.plate_read.v1"]
    assert shown(hub.take("plate_read", passage(2, MIDNIGHT))) is not None
    assert hub.outcomes("plate_read") == {"delivered": 2}


def test_passages_of_one_vehicle_join_within_a_view_and_month_and_never_hold_its_plate():
    hub = Steps()
    codec = RecordCodec(schemas.built("htmoc.plate_read.v1"), 0)
    found = []
    for number in (1, 2, 3):
        delivered = hub.take("plate_read", passage(number, NOON))
        (value,) = [value for topic, value, _ in delivered if topic.startswith("htmoc.")]
        assert b"CANARY" not in value
        found.append(codec.decode(value)["view"]["pseudonym"])
    assert len(set(found)) == 1
    assert all(found)


def test_what_can_not_be_read_is_refused_for_all_subscribers_or_for_none():
    event = read(1)
    # The category of the plate is one that the schema does not have.
    at = event.value.rindex(CANARY.encode()) + len(CANARY)
    broken = event.value[:at] + b"\x7e" + event.value[at + 1 :]
    cut = event.cut._replace(check=crc32(broken[VARIABLE:]))
    hub = Steps()
    assert hub.take("plate_read", Arrival(event.key, broken, [("cut", cut.pack())])) == []
    assert [error.code for error in hub.refused] == ["not-avro"]
    assert hub.outcomes("plate_read") == {}


@settings(deadline=None)
@given(
    raw=st.text(max_size=80),
    text=st.text(max_size=80),
    category=st.sampled_from(CATEGORIES),
    colour=st.sampled_from(COLOURS),
)
def test_what_is_read_in_place_gives_the_pseudonym_of_the_decoded_plate(
    raw, text, category, colour
):
    event = read(1, raw=raw, text=text, category=category, colour=colour)
    known = Pseudonyms(TEST_ID_KEY, "htmoc")
    found = pseudonym(event.value, event.cut.start, event.cut.end, known, micros(NOON))
    expected = known.of(VehicleKey(text, category, colour), NOON)
    assert found == (b"\x02\x40" + expected.encode() if expected else NO_PSEUDONYM)


@settings(deadline=None)
@given(kept=st.integers(0, 60), junk=st.binary(max_size=40))
def test_bytes_that_are_no_plate_are_told_from_a_plate(kept, junk):
    event = read(1)
    spoilt = event.value[: event.cut.start + kept] + junk
    known = Pseudonyms(TEST_ID_KEY, "htmoc")
    try:
        made_up = pseudonym(spoilt, event.cut.start, len(spoilt), known, micros(NOON))
    except (ValueError, IndexError, KeyError):
        return
    assert made_up == NO_PSEUDONYM or (made_up.startswith(b"\x02\x40") and len(made_up) == 34)
