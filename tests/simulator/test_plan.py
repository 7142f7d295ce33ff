import io
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connectors import cap, datex2, hikvision_isapi, spat
from connectors._formats.multipart import split
from hub import Event, Nothing, Payload, PayloadError, Rejection
from hub.simulator import Plan, Rates, Shot, Truth
from hub.simulator.schedule import Clock
from hub.simulator.wire import jpeg

CONNECTORS = {"hik": hikvision_isapi, "spat": spat, "datex2": datex2, "cap": cap}


def outcomes(shot: Shot, start: datetime) -> list[Event | Nothing | Rejection]:
    module = CONNECTORS[shot.source_id.partition("-")[0]]
    payload = Payload(
        body=shot.body,
        content_type=shot.content_type,
        received_at=start + timedelta(seconds=shot.at_s),
        source_id=shot.source_id,
    )
    try:
        return list(module.parse(payload, module.connector.options()))
    except PayloadError as error:
        return [Rejection(code=error.code, message=error.what)]


def test_the_same_seed_and_start_give_the_same_bytes(plan: Plan) -> None:
    short = replace_seconds(plan, 8)
    assert list(short) == list(short) == list(replace_seconds(plan, 8))


def test_another_seed_gives_another_city(plan: Plan) -> None:
    one, other = replace_seconds(plan, 3), Plan(seed=plan.seed + 1, seconds=3, start=plan.start)
    assert not {shot.body for shot in one} & {shot.body for shot in other}


def test_a_plan_is_the_beginning_of_a_longer_one(plan: Plan, shots: list[Shot]) -> None:
    short = list(replace_seconds(plan, 10))
    assert shots[: len(short)] == short


def test_a_plan_without_a_zone_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="time zone"):
        Plan(seed=1, seconds=1, start=plan.start.replace(tzinfo=None))


def test_payloads_come_in_order_of_time_at_the_rate_of_a_city(shots: list[Shot]) -> None:
    assert [shot.at_s for shot in shots] == sorted(shot.at_s for shot in shots)
    assert 150 * 30 <= len(shots) <= 250 * 30
    assert {shot.source_id for shot in shots} == {
        "hik-police-centre",
        "hik-police-ring3",
        "hik-construction",
        "hik-commune-00070",
        "hik-commune-00004",
        "hik-commune-00367",
        "spat-centre",
        "datex2-centre",
        "cap-wards",
        "cap-warning-office",
    }


def test_every_kind_of_trouble_is_in_the_plan(shots: list[Shot], truth: Truth) -> None:
    kinds = Counter(shot.kind for shot in shots)
    assert set(kinds) == {
        "plate_read", "plate_read_with_pictures", "detection", "camera_alarm", "heartbeat",
        "signal_state", "situation", "situation_test", "alert", "alert_test", "overtaken",
        "retransmission", "broken",
    }  # fmt: skip
    assert all(truth.outcomes[name] for name in ("duplicate", "repeat", "superseded", "refused"))
    assert all(f"ops.{noun}.v1" in truth.expected for noun in ("health", "situation", "alert"))
    assert truth.expected["police.violation.v1"]


def test_connectors_find_in_every_payload_what_the_truth_says(
    plan: Plan, shots: list[Shot]
) -> None:
    for shot in shots:
        found = outcomes(shot, plan.start)
        if shot.refusal is not None:
            assert [type(each) for each in found] == [Rejection], shot
            assert shot.refusal.code in ("", found[0].code), shot
            continue
        events = [each for each in found if isinstance(each, Event)]
        assert len(events) == len(shot.facts), (shot, found)
        assert all(isinstance(each, Event | Nothing) for each in found), (shot, found)
        for event, fact in zip(events, shot.facts, strict=True):
            observed_us = Clock.micros(event.observed_at)
            assert (event.noun, event.kind, event.device_ref, event.native_id, observed_us) == (
                fact.noun, fact.kind, fact.device_ref, fact.native_id, fact.observed_us
            ), (shot, event)  # fmt: skip
            assert event.status == fact.status
            held = [f"restricted.{name}" for name, value in event.restricted.items() if value]
            held += ["restricted.pictures"] if event.pictures else []
            assert tuple(held) == fact.withheld
            assert fact.plate in ("", event.restricted.get("plate", {}).get("text"))
            if event.subject:
                assert event.subject == fact.subject
                assert fact.lifecycle in ("", event.lifecycle)
                assert (event.time_quality != "SUSPECT") == fact.trusted


def test_equal_states_have_equal_content_and_others_do_not(plan: Plan, shots: list[Shot]) -> None:
    bodies: dict[tuple[str, ...], set[str]] = {}
    contents: dict[str, set[tuple[str, ...]]] = {}
    for shot in shots:
        for fact in shot.facts:
            if not fact.subject:
                continue
            (event,) = (each for each in outcomes(shot, plan.start) if isinstance(each, Event))
            key = (fact.noun, *fact.subject, fact.content)
            content = repr((event.body, event.kind, event.severity, event.status, event.lifecycle))
            bodies.setdefault(key, set()).add(content)
            contents.setdefault(f"{fact.subject} {content}", set()).add(key)
    assert [key for key, found in bodies.items() if len(found) > 1] == []
    assert [content for content, found in contents.items() if len(found) > 1] == []


def test_pictures_are_small_jpegs_that_differ_and_their_multiparts_parse(
    shots: list[Shot],
) -> None:
    from PIL import Image

    seen = set()
    for shot in shots:
        if shot.kind != "plate_read_with_pictures":
            continue
        parts = split(shot.body, shot.content_type)
        assert parts[0].data.startswith(b"<?xml")
        for part in parts[1:]:
            assert part.data.startswith(b"\xff\xd8")
            assert part.data.endswith(b"\xff\xd9")
            assert part.data not in seen
            seen.add(part.data)
    assert len(seen) > 100
    with Image.open(io.BytesIO(seen.pop())) as picture:
        picture.load()
        assert picture.size == (8, 8)
    with pytest.raises(ValueError, match="comment"):
        jpeg.picture(bytes(70_000))


def test_rates_of_zero_silence_what_they_rate(plan: Plan) -> None:
    rates = Rates(
        plate_reads_per_s=2, detections_per_s=0, alarms_per_s=0, heartbeats_per_s=0,
        situations_per_s=0, alert_chains_per_s=0, pictures=0, retransmitted=0, broken=0,
        unknown_cameras=0, wrong_clocks=0,
    )  # fmt: skip
    quiet = Plan(seed=1, seconds=5, start=plan.start, rates=rates, cameras=10, junctions=0)
    assert Counter(shot.kind for shot in quiet) == {"plate_read": 10}
    assert all(camera.registered for camera in quiet.city.cameras)


def replace_seconds(plan: Plan, seconds: int) -> Plan:
    return Plan(seed=plan.seed, seconds=seconds, start=plan.start, rates=replace(plan.rates))
