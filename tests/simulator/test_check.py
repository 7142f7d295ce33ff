"""The checker must bite: each fault a hub could have makes a report that is not ok."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.simulator import Plan, Rates, Shot, Truth, check

Record = dict[str, Any]
Delivered = list[tuple[str, Record]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def truth(plan: Plan) -> Truth:
    rates = Rates(plate_reads_per_s=15, heartbeats_per_s=1, broken=0.03)
    truth = Truth()
    for shot in Plan(seed=plan.seed, seconds=30, start=plan.start, rates=rates):
        truth.accept(shot)
    return truth


@pytest.fixture(scope="module")
def delivered(truth: Truth) -> Delivered:
    """What a hub without faults would deliver."""
    records = []
    for topic, items in truth.expected.items():
        masked = topic.startswith("htmoc.")
        for key, item in items.items():
            plate = {"raw": "x"} if topic == "police.plate_read.v1" else None
            resolution = "UNREGISTERED" if item.device_id == "" else "EXACT"
            header = {
                "event_id": bytes(16),
                "lifecycle": item.lifecycle,
                "observed_at": EPOCH + timedelta(microseconds=key.observed_us or 0),
                **{name: getattr(key, name) for name in ("source_id", "device_ref", "kind")},
                "native_id": key.native_id,
            }
            withheld = [{"field": name, "right": "r"} for name in item.withheld] if masked else []
            record = {
                "header": header,
                "restricted": {"plate": plate, "pictures": None, "persons": None},
                "body": {"country": "48"},
                "reports": item.reports,
                "place": {"device_id": item.device_id or "", "resolution": resolution},
                "view": {"id": topic.partition(".")[0], "withheld": withheld},
            }
            records += [(topic, record)] * item.count
    return records


@pytest.fixture(scope="module")
def letters(truth: Truth) -> list[dict[str, str]]:
    return [
        {"source_id": source, "code": code or "any"}
        for (source, code), count in truth.refused.items()
        for _ in range(count)
    ]


def some(delivered: Delivered, topic: str) -> int:
    return next(place for place, (name, _) in enumerate(delivered) if name == topic)


def drop(delivered: Delivered, _truth: Truth) -> None:
    del delivered[some(delivered, "htmoc.signal_state.v1")]


def double(delivered: Delivered, _truth: Truth) -> None:
    delivered.append(delivered[some(delivered, "police.alert.v1")])


def misroute(delivered: Delivered, _truth: Truth) -> None:
    place = some(delivered, "police.plate_read.v1")
    delivered.append(("ops.plate_read.v1", delivered[place][1]))


def send_an_exercise_to_the_police(delivered: Delivered, _truth: Truth) -> None:
    delivered.append(("police.alert.v1", delivered[some(delivered, "ops.alert.v1")][1]))


def invent(delivered: Delivered, _truth: Truth) -> None:
    record = deepcopy(delivered[some(delivered, "police.detection.v1")][1])
    record["header"]["observed_at"] += timedelta(microseconds=1)
    delivered.append(("police.detection.v1", record))


def leak_in_a_field(delivered: Delivered, truth: Truth) -> None:
    plate = max(sorted(truth.plates), key=len)
    shown = f"xe {plate[:3]}-{plate[3:6]}.{plate[6:].lower()}"
    _change(delivered, "htmoc.plate_read.v1", lambda record: record["body"].update(note=shown))


def leak_restricted(delivered: Delivered, _truth: Truth) -> None:
    _change(
        delivered,
        "htmoc.plate_read.v1",
        lambda record: record["restricted"].update(pictures=[{"sha256": bytes(32)}]),
    )


def tell_operators_a_plate(delivered: Delivered, truth: Truth) -> None:
    plate = max(sorted(truth.plates), key=len).encode()
    _change(delivered, "ops.health.v1", lambda record: record["header"].update(event_id=plate))


def forget_to_say_withheld(delivered: Delivered, _truth: Truth) -> None:
    _change(delivered, "htmoc.plate_read.v1", lambda record: record["view"].update(withheld=[]))


def misplace(delivered: Delivered, _truth: Truth) -> None:
    _change(
        delivered,
        "police.plate_read.v1",
        lambda record: record["place"].update(device_id="CAM-elsewhere", resolution="EXACT"),
    )


def miscall(delivered: Delivered, _truth: Truth) -> None:
    _change(
        delivered,
        "police.situation.v1",
        lambda record: record["header"].update(lifecycle="EXPIRED"),
    )


def _change(delivered: Delivered, topic: str, change: Callable[[Record], None]) -> None:
    place = some(delivered, topic)
    record = deepcopy(delivered[place][1])
    change(record)
    delivered[place] = (topic, record)


def test_a_hub_without_faults_is_ok(
    truth: Truth, delivered: Delivered, letters: list[dict[str, str]]
) -> None:
    report = check(truth, delivered, letters)
    assert report.ok, list(report.lines())
    assert report.as_dict()["topics"]["police.plate_read.v1"]["expected"] > 400
    assert list(report.lines())[-1] == "every event is where it belongs, once"
    again = check(Truth.from_json(truth.to_json()), delivered, letters)
    assert again.as_dict() == report.as_dict()


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (drop, "missing"),
        (double, "double"),
        (misroute, "misrouted"),
        (send_an_exercise_to_the_police, "misrouted"),
        (invent, "unexpected"),
        (leak_in_a_field, "leak"),
        (leak_restricted, "leak"),
        (tell_operators_a_plate, "leak"),
        (forget_to_say_withheld, "wrong view"),
        (misplace, "wrong place"),
        (miscall, "wrong lifecycle"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_one_fault_is_enough(
    truth: Truth,
    delivered: Delivered,
    letters: list[dict[str, str]],
    fault: Callable[[Delivered, Truth], None],
    problem: str,
) -> None:
    faulty = list(delivered)
    fault(faulty, truth)
    report = check(truth, faulty, letters)
    assert not report.ok
    assert report.problems[problem] == 1
    assert any(line.startswith(f"{problem}: 1") for line in report.lines())


def test_dead_letters_are_counted_by_source_and_code(
    truth: Truth, delivered: Delivered, letters: list[dict[str, str]]
) -> None:
    assert check(truth, delivered, letters[1:]).problems == {"dead letter missing": 1}
    extra = [*letters, {"source_id": "cap-wards", "code": "malformed"}]
    assert check(truth, delivered, extra).problems == {"dead letter unexpected": 1}
    place = next(n for n, each in enumerate(letters) if each["code"] == "event-type-missing")
    other = [*letters[:place], {**letters[place], "code": "odd"}, *letters[place + 1 :]]
    assert check(truth, delivered, other).problems == {"dead letter with another code": 1}


def test_a_payload_that_may_have_come_twice_may_have_two_dead_letters(
    shots: list[Shot],
) -> None:
    truth = Truth()
    shot = next(shot for shot in shots if shot.refusal is not None)
    truth.accept(shot, indeterminate=True)
    assert shot.refusal is not None
    letter = {"source_id": shot.source_id, "code": shot.refusal.code}
    assert check(truth, [], [letter]).ok
    assert check(truth, [], [letter, letter]).ok
    assert not check(truth, [], []).ok
    assert not check(truth, [], [letter] * 3).ok


def test_what_the_hub_turned_away_at_its_door_is_a_fault(shots: list[Shot]) -> None:
    truth = Truth()
    truth.turn_away(shots[0], 401)
    assert check(truth, [], []).problems == {"turned away": 1}


def test_a_truth_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        Truth.from_json('{"version": 3}')
