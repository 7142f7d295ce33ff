"""`hub violation review|show` on a real broker: what people decide, also at once."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

import schemas
from hub import topics
from hub.cli import main
from hub.codec import RecordCodec
from hub.config import load
from hub.errors import RecordError
from hub.kafka.records import read, write
from hub.registry import Registry
from hub.reviews import log
from hub.schema_ids import SchemaIds

pytestmark = pytest.mark.kafka
ACT = datetime(2026, 3, 1, 1, 14, 58, tzinfo=UTC)
PLATE = "30K00001"


@pytest.fixture
def config(stack, tmp_path, monkeypatch):
    path = tmp_path / "hub.toml"
    path.write_text(
        f'data = "{tmp_path}/data"\nregistry_url = "{stack.registry_url}"\n[kafka]\n'
        f'bootstrap = "{stack.bootstrap}"\nreplication_factor = 1\nmin_insync_replicas = 1\n'
    )
    monkeypatch.setenv("HUB_CONFIG", str(path))
    for name in ("HUB_KAFKA_BOOTSTRAP", "HUB_REGISTRY_URL", "HUB_ID_KEY", "HUB_ID_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = load(path, {})
    registry = Registry(found.registry_url)
    wanted = {log.TOPIC, log.CANDIDATES}
    specs = [spec for spec in topics.declared(found, ()) if spec.name in wanted]
    topics.apply(found, registry, specs=specs)
    registry.close()
    return found


@pytest.fixture
def registry(config):
    found = Registry(config.registry_url)
    yield found
    found.close()


@pytest.fixture
def candidate(config, registry):
    """The id of a candidate that the police have on their topic."""
    event_id = uuid.uuid4()
    codec = RecordCodec(schemas.built(log.CANDIDATES), SchemaIds(registry).current(log.CANDIDATES))
    record = {
        "header": {
            "event_id": event_id.bytes,
            "subject_id": event_id.bytes,
            "time_quality": "DEVICE",
            "received_at": ACT + timedelta(seconds=2),
            "observed_at": ACT,
            "source_id": "kim-ma",
            "device_ref": "cam/1",
            "kind": "vehicle.violation",
            "origin": {"sha256": bytes(32)},
        },
        "restricted": {"plate": {"raw": "30K-000.01", "text": PLATE}},
        "body": {"act_word": "red_light", "law_code": "16824.6.9.b.01", "red_elapsed_s": 1.8},
    }
    write(config.kafka, log.CANDIDATES, [(b"kim-ma/cam%2F1", codec.encode(record))])
    return str(event_id)


@pytest.fixture
def run(capsys):
    def run(*words):
        code = main(["violation", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def review(event_id, state, *more, by="CB-1204"):
    return ("review", event_id, "--to", state, "--by", by, "--unit", "csgt-d3", *more)


def shown(run, event_id):
    code, out, _ = run("show", event_id, "--json")
    assert code == 0
    return json.loads(out)


def test_a_case_goes_its_way_and_shows_it(run, candidate):
    assert (0, f"{candidate} is under_review\n") == run(*review(candidate, "under_review"))[:2]
    assert run(*review(candidate, "approved", "--code", "16824.6.9.b.01"))[0] == 0
    assert run(*review(candidate, "notified", "--case", "QD-2026-17"))[0] == 0
    found = shown(run, candidate)
    assert (found["state"], found["void"]) == ("NOTIFIED", [])
    states = [each["state"] for each in found["decisions"]]
    assert states == ["UNDER_REVIEW", "APPROVED", "NOTIFIED"]
    approved = found["decisions"][1]
    assert (approved["law_namespace"], approved["law_version"]) == ("vn", "168/2024/ND-CP")
    assert approved["act_at"] == "2026-03-01T01:14:58.000000Z"
    assert found["limitation_ends"] == "2027-03-01T17:00:00.000000Z"
    _, out, _ = run("show", candidate)
    assert "approved  by CB-1204 (csgt-d3): 16824.6.9.b.01; 168/2024/ND-CP" in out
    assert "red_elapsed_s       1.8" in out


def test_no_personal_data_is_shown(run, candidate, tmp_path):
    file = tmp_path / "plate"
    file.write_text("30K-000.07\n")
    assert run(*review(candidate, "under_review", "--plate-from", str(file)))[0] == 0
    for words in (("show", candidate), ("show", candidate, "--json")):
        _, out, _ = run(*words)
        assert PLATE not in out.replace("-", "").replace(".", "")
        assert "30K00007" not in out
        assert "plate" in out
    assert shown(run, candidate)["decisions"][0]["plate_corrected"] is True


def test_a_corrected_plate_stands_in_the_restricted_part_only(
    run, candidate, config, registry, tmp_path
):
    file = tmp_path / "plate"
    file.write_text("30K-000.07\n")
    words = ("--plate-from", str(file), "--plate-category", "car", "--plate-colour", "white")
    assert run(*review(candidate, "under_review", *words))[0] == 0
    (decision,) = log.case_of(config, registry, uuid.UUID(candidate).bytes).decisions
    plate = decision["restricted"]["plate"]
    assert plate == {"text": "30K00007", "category": "CAR", "colour": "WHITE"}
    assert "30K00007" not in repr({**decision, "restricted": None})


def test_the_same_decision_again_writes_nothing(run, candidate, config):
    assert run(*review(candidate, "under_review"))[0] == 0
    before = len(list(read(config.kafka, log.TOPIC)))
    code, out, _ = run(*review(candidate, "under_review"))
    assert (code, out) == (0, f"{candidate} is under_review already; nothing written\n")
    assert len(list(read(config.kafka, log.TOPIC))) == before


def test_what_may_not_come_next_is_refused_and_not_written(run, candidate):
    code, _, err = run(*review(candidate, "approved", "--code", "16824.6.9.b.01"))
    assert code == 1
    assert "what is candidate becomes under review, not approved" in err
    assert f"hub violation show {candidate}" in err
    assert shown(run, candidate)["decisions"] == shown(run, candidate)["void"] == []


def test_a_colleague_who_comes_second_is_told_who_came_first(run, candidate):
    assert run(*review(candidate, "under_review"))[0] == 0
    code, _, err = run(*review(candidate, "under_review", by="CB-7"))
    assert code == 1
    assert "becomes approved or rejected, not under review" in err


def proposal(number, at):
    """What officer `number` wants to decide."""
    return log.Proposal(
        state="UNDER_REVIEW", reviewer=f"CB-{number}", unit="csgt-d3", decided_at=at
    )


def test_of_two_who_write_at_once_one_holds_and_the_other_hears_it(candidate, config, registry):
    event_id, now = uuid.UUID(candidate).bytes, datetime.now(UTC)
    # Both looked when there was no decision yet.
    looked = log.case_of(config, registry, event_id)
    decisions = [proposal(n, now).record(looked, event_id, ACT) for n in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: log.append(config, registry, each), decisions))
    case = log.case_of(config, registry, event_id)
    assert len(case.decisions) == len(case.void) == 1
    assert case.void[0].why.startswith("another decision came first: under review at ")
    assert case.decisions[0]["reviewer"] in case.void[0].why


def test_many_who_decide_at_once_leave_one_decision_and_one_exit_code_0(candidate, config):
    event_id = uuid.UUID(candidate).bytes

    def decide(number):
        registry = Registry(config.registry_url)
        now = datetime.now(UTC)
        try:
            log.decide(config, registry, event_id, proposal(number, now), now)
        except RecordError as error:
            return error.what
        finally:
            registry.close()
        return ""

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(decide, range(1, 5)))
    assert told.count("") == 1
    registry = Registry(config.registry_url)
    case = log.case_of(config, registry, event_id)
    registry.close()
    assert [each["reviewer"] for each in case.decisions] == [f"CB-{told.index('') + 1}"]


def test_a_record_that_is_no_decision_is_shown_and_does_not_end_the_case(run, candidate, config):
    write(config.kafka, log.TOPIC, [(candidate.encode(), b"by hand"), (candidate.encode(), None)])
    assert run(*review(candidate, "under_review"))[0] == 0
    assert len(shown(run, candidate)["unreadable"]) == 2
    _, out, _ = run("show", candidate)
    assert f"unreadable: {log.TOPIC}/0 offset " in out
    assert "under_review  by CB-1204" in out


def test_a_violation_that_nobody_reported_has_no_case(run, config):
    unknown = str(uuid.uuid4())
    assert run("show", unknown)[0] == 2
    code, _, err = run(*review(unknown, "under_review"))
    assert (code, "holds no such candidate" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (review("88767242", "under_review"), "36 characters"),
        (review(str(uuid.UUID(int=1)), "approve"), "approved"),
        (review(str(uuid.UUID(int=1)), "candidate"), "under_review"),
    ],
)
def test_wrong_use_is_exit_code_2_and_names_the_right_one(run, config, words, fix):
    code, _, err = run(*words)
    assert (code, fix in err) == (2, True)


def test_a_plate_that_is_none_is_refused_without_repeating_it(run, candidate, tmp_path):
    file = tmp_path / "plate"
    file.write_text("a letter about somebody, with a name")
    code, _, err = run(*review(candidate, "under_review", "--plate-from", str(file)))
    assert (code, "somebody" in err) == (2, False)
