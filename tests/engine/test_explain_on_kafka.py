"""`hub explain` on a real Kafka: what became of events whose end is known."""

import hashlib
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from harness import ID_KEY
from oracle import BY_HAND

import schemas
from hub import routes
from hub.cli import main
from hub.codec import EVENT_ID, EventCodec
from hub.identity import record_key
from hub.likeness import HEADER as LIKE
from hub.likeness import Likeness, Phase

pytestmark = pytest.mark.kafka
PLATES, DETECTIONS, HEALTH = "camera.plate_read.v1", "camera.detection.v1", "camera.health.v1"
NOUNS = {noun.topic: noun.name for noun in schemas.nouns().values()}
SOURCE = "explained"
CANARY = "CANARY29A99999"


@pytest.fixture
def explain(rig, monkeypatch, capsys):
    """Run the command as an operator does: exit code, and what it printed."""
    monkeypatch.setenv("HUB_CONFIG", str(rig.config_file))
    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)

    def run(*words: str) -> tuple[int, str]:
        code = main(["explain", *words])
        shown = capsys.readouterr()
        assert CANARY not in shown.out + shown.err
        return code, shown.out

    return run


@pytest.fixture
def asked(explain):
    """The same, as the object that `--json` prints."""

    def run(*words: str) -> tuple[int, dict]:
        code, out = explain(*words, "--json")
        return code, json.loads(out)

    return run


def event(rig, topic, *, restricted=None, body=None, like=None, **header):
    """A canonical record made by hand, and the text of its event id."""
    codec = EventCodec(schemas.built(topic), rig.ids.current(topic))
    id_ = header.pop("event_id", None) or uuid.uuid4().bytes
    whole = {
        "event_id": id_,
        "subject_id": id_,
        "status": "LIVE",
        "time_quality": "DEVICE",
        "received_at": datetime.now(UTC),
        "observed_at": datetime.now(UTC),
        "source_id": SOURCE,
        "device_ref": f"cam-{uuid.uuid4().hex[:6]}",
        "kind": "explained.here",
        "origin": {"sha256": bytes(32)},
        **header,
    }
    value, cut = codec.encode(whole, restricted or {}, body or {})
    headers = [BY_HAND, ("cut", cut.pack()), *([(LIKE, like.pack())] if like else [])]
    key = record_key(SOURCE, whole["device_ref"])
    return (topic, key, value, headers), str(uuid.UUID(bytes=id_))


def handled(rig, *records):
    """Write records one after the other, and let process handle them."""
    for each in records:
        rig.write([each])
    rig.worker("process")
    rig.until_drained()


def got(way):
    return {each["subscriber"] for each in way["subscribers"] if each["spot"]}


def test_a_delivered_event_is_told_from_its_payload_to_its_subscribers(
    rig, explain, asked, monkeypatch
):
    rig.stages()
    rig.feed(40)
    rig.until_drained()
    record = rig.read(["htmoc.plate_read.v1"])["htmoc.plate_read.v1"][-1]
    id_ = str(uuid.UUID(bytes=record.value()[EVENT_ID]))
    code, told = asked(id_)
    assert code == 0, told["problems"]
    way = next(each for each in told["ways"] if each["decision"]["outcome"] == "delivered")
    assert way["payload"]["spot"]["topic"] == "raw.hikvision_isapi.v1"
    assert way["payload"]["bytes_in"] == "the record"
    assert way["parse"]["check"]["result"] == "same bytes"
    assert way["parse"]["connector"] == "hikvision_isapi"
    assert way["spot"]["topic"] == PLATES
    by_name = {each["subscriber"]: each for each in way["subscribers"]}
    assert by_name["htmoc"]["spot"]["offset"] == record.offset()
    assert {name: each["withheld"] for name, each in by_name.items()} == {
        "police": [],
        "htmoc": ["restricted.plate"],
        "ops": [],
    }
    assert by_name["police"]["check"]["result"] == by_name["htmoc"]["check"]["result"]
    assert by_name["htmoc"]["check"]["result"] == "same bytes"
    assert [each["id"] for each in by_name["police"]["rules"]] == ["plates-police"]
    assert by_name["ops"]["why"] == "no rule sends it plate_read"
    # The same answer to any way of writing the id, and near its time.
    around = ("--around", way["appended_at"])
    assert asked(id_.replace("-", ""), *around)[1]["ways"] == told["ways"]
    code, out = explain(id_, *around)
    assert code == 0
    assert "run again: same bytes" in out
    assert "✓ consistent" in out
    # What is not as it was is named: here, the key that ids are made with.
    monkeypatch.setenv("HUB_ID_KEY", "not the key that this site had before")
    code, out = explain(id_, *around)
    assert code == 1
    assert "✗ run again: DIFFERS in header.event_id, header.subject_id: is HUB_ID_KEY" in out


def test_a_duplicate_names_the_arrival_that_came_first(rig, explain, asked):
    rig.stages()
    rig.write(rig.feed(30))
    rig.until_drained()
    ids = Counter(each.value()[EVENT_ID] for each in rig.read([PLATES])[PLATES])
    id_ = next(str(uuid.UUID(bytes=each)) for each, count in ids.items() if count > 1)
    code, told = asked(id_)
    assert code == 0, told["problems"]
    first, second = told["ways"][:2]
    assert second["decision"]["outcome"] == "duplicate"
    assert second["decision"]["other"]["spot"] == first["spot"]
    assert second["decision"]["check"]["result"] == "same decision"
    assert second["subscribers"] == []
    assert "within the window of 1 h" in explain(id_)[1]


def test_a_superseded_state_names_the_version_that_came_before(rig, asked):
    subject, ref, at = uuid.uuid4().bytes, "signal-1", datetime.now(UTC)
    common = {"subject_id": subject, "device_ref": ref}
    newer, newer_id = event(rig, HEALTH, observed_at=at, **common)
    older, older_id = event(
        rig, HEALTH, observed_at=at - timedelta(minutes=5), severity="MINOR", **common
    )
    same, same_id = event(rig, HEALTH, observed_at=at + timedelta(minutes=5), **common)
    handled(rig, newer, older, same)
    code, told = asked(older_id)
    assert code == 0, told["problems"]
    decision = told["ways"][0]["decision"]
    assert decision["outcome"] == "superseded"
    assert decision["other"]["event_id"] == newer_id
    code, told = asked(same_id)
    assert (code, told["ways"][0]["decision"]["outcome"]) == (0, "merged")
    assert told["ways"][0]["decision"]["other"]["event_id"] == newer_id
    # The subject leads to all of them.
    code, told = asked(str(uuid.UUID(bytes=subject)))
    assert code == 0
    assert [each["event_id"] for each in told["ways"]] == [newer_id, older_id, same_id]


def test_a_near_duplicate_names_what_it_was_merged_into(rig, explain, asked):
    at, ref = datetime.now(UTC), "gate-7"
    records, ids = [], []
    for seconds, score in ((0, 60), (1, 61), (2, 95)):
        when = at + timedelta(seconds=seconds)
        like = Likeness(b"sameplat", bytes(8), score, Phase.READING, int(when.timestamp() * 1e6))
        record, id_ = event(
            rig, PLATES, like=like, observed_at=when, device_ref=ref,
            restricted={"plate": {"raw": CANARY, "text": CANARY}},
        )  # fmt: skip
        records.append(record)
        ids.append(id_)
    handled(rig, *records)
    code, told = asked(ids[1])
    assert code == 0, told["problems"]
    decision = told["ways"][0]["decision"]
    assert decision["outcome"] == "merged"
    assert decision["other"]["event_id"] == ids[0]
    assert "at most 5 s apart" in decision["because"]
    # A surer reading goes out, as an update of the first one's subject.
    code, told = asked(ids[2])
    assert code == 0, told["problems"]
    assert {(each["lifecycle"], each["subject_id"], each["reports"])
            for each in told["ways"][0]["subscribers"] if each["spot"]} == {
        ("UPDATED", ids[0], 3)
    }  # fmt: skip
    out = explain(ids[2])[1]
    assert "as UPDATED of subject" in out
    assert "holds restricted.plate (never shown here)" in out
    # The first one's id is that of the subject, under which only subscribers know the update.
    code, told = asked(ids[0])
    assert code == 0, told["problems"]
    assert [each["event_id"] for each in told["ways"]] == [ids[0]]
    assert [each["event_id"] for each in told["others"]] == [ids[2]]


def test_a_dropped_event_names_the_rule(rig, explain, asked):
    rule = f"explained-drop-{uuid.uuid4().hex[:6]}"
    kind = f"explained.{uuid.uuid4().hex[:6]}"
    drop = routes.read_toml(
        f'[[rule]]\nid = "{rule}"\nvalid_from = 2026-01-01T00:00:00Z\nkinds = ["{kind}"]\n'
        "drop = true\n"
    )
    routes.publish(rig.config, rig.registry, drop)
    rig.rules += drop
    record, id_ = event(rig, DETECTIONS, kind=kind)
    handled(rig, record)
    code, told = asked(id_)
    assert code == 0, told["problems"]
    (way,) = told["ways"]
    assert way["decision"]["outcome"] == "dropped"
    assert [each.split()[0] for each in way["dropped_by"]] == [rule]
    assert got(way) == set()
    assert f"dropped by rule {rule}" in explain(id_)[1]


def test_what_is_not_live_goes_to_the_operators_and_says_so(rig, asked):
    record, id_ = event(rig, DETECTIONS, status="TEST")
    handled(rig, record)
    code, told = asked(id_)
    assert code == 0, told["problems"]
    (way,) = told["ways"]
    assert got(way) == {"ops"}
    assert {each["why"] for each in way["subscribers"] if not each["spot"]} == {
        "status TEST is not LIVE: it goes to ops only"
    }


def test_a_payload_leads_to_its_events_and_to_what_was_refused(rig, explain, asked):
    broken = f"<EventNotificationAlert>{uuid.uuid4()}".encode()
    sha256 = hashlib.sha256(broken).hexdigest()
    source = next(
        name for name, each in rig.config.source.items() if each.connector == "hikvision_isapi"
    )
    headers = {
        "source_id": source,
        "payload_id": "by-hand",
        "received_at": datetime.now(UTC).isoformat(),
        "content_type": "application/xml",
        "sha256": sha256,
        "transport": "http_push",
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    rig.write([("raw.hikvision_isapi.v1", source.encode(), broken, pairs)])
    rig.stages()
    topic, _, body, _ = rig.feed(20)[0]
    rig.until_drained()
    code, told = asked("--payload", sha256)
    assert code == 0, told["problems"]
    (payload,) = told["payloads"]
    assert payload["parse"]["outcome"] == "refused"
    (letter,) = payload["letters"]
    assert letter["code"] == "malformed"
    # The dead letter's own id leads to the same place.
    code, out = explain(letter["dead_id"])
    assert code == 0
    assert f"hub dead show {letter['dead_id']}" in out

    code, told = asked("--payload", hashlib.sha256(body).hexdigest())
    assert code == 0, told["problems"]
    assert {each["payload"]["spot"]["topic"] for each in told["payloads"]} == {topic}
    assert {each["parse"]["outcome"] for each in told["payloads"]} <= {"events", "nothing"}


def test_a_record_that_process_refused_shows_its_dead_letter(rig, explain, asked):
    (topic, key, value, _), id_ = event(rig, DETECTIONS)
    handled(rig, (topic, key, value[:-3], [BY_HAND]))
    code, told = asked(id_)
    assert code == 0, told["problems"]
    (way,) = told["ways"]
    assert way["decision"]["outcome"] == "dead"
    assert way["letter"]["code"] == "not-avro"
    assert asked(way["letter"]["dead_id"])[1]["ways"] == told["ways"]
    assert "dead letter" in explain(id_)[1]


def test_an_unknown_id_is_exit_code_1_and_says_what_was_searched(rig, explain, asked):
    code, out = explain(str(uuid.uuid4()))
    assert code == 1
    assert "not found. Searched:" in out
    assert "dead_letter.v1" in out
    code, told = asked(str(uuid.uuid4()), "--around", "2026-01-01T00:00:00+07:00")
    assert code == 1
    assert told["found"] is False
    assert told["searched"][0]["since"] == "2025-12-31T16:00:00.000000Z"
    assert explain("no-id")[0] == 2
    assert explain()[0] == 2


def test_what_waits_is_no_fault(rig, asked):
    record, id_ = event(rig, DETECTIONS)
    rig.write([record])
    code, told = asked(id_)
    assert (code, told["ways"][0]["decision"]["outcome"]) == (0, "waiting")
    handled(rig)
    assert asked(id_)[1]["ways"][0]["decision"]["outcome"] == "delivered"


def raw_by_hand(rig, topic):
    """A raw record that no stage will read, its place and its digest."""
    body = uuid.uuid4().bytes
    sha256 = hashlib.sha256(body).digest()
    at = datetime.now(UTC).isoformat().encode()
    headers = [BY_HAND, ("sha256", sha256.hex().encode()), ("source_id", b"x"), ("received_at", at)]
    rig.write([(topic, b"x", body, headers)])
    place = next(each for each in rig.read([topic])[topic] if each.value() == body)
    return place, sha256


def cut(rig, place):
    """Let what stands up to a place expire."""
    admin = AdminClient({"bootstrap.servers": rig.stack.bootstrap})
    until = TopicPartition(place.topic(), place.partition(), place.offset() + 1)
    for future in admin.delete_records([until]).values():
        future.result(30)


def test_a_payload_that_has_expired_is_named_with_the_date(rig, explain, asked):
    place, sha256 = raw_by_hand(rig, "raw.cap.urgent.v1")
    origin = {
        "topic": place.topic(),
        "partition": place.partition(),
        "offset": place.offset(),
        "sha256": sha256,
        "connector": "cap",
        "connector_version": "1",
    }
    record, id_ = event(rig, DETECTIONS, origin=origin)
    handled(rig, record)
    cut(rig, place)
    code, told = asked(id_)
    assert code == 0, told["problems"]
    (way,) = told["ways"]
    assert way["payload"]["missing"].startswith("expired: raw.cap.urgent.v1 keeps 7 days")
    assert got(way) == {"police", "htmoc"}
    # The payload's digest still leads to what it gave.
    code, told = asked("--payload", sha256.hex())
    assert code == 0, told["problems"]
    assert [each["event_id"] for each in told["payloads"][0]["events"]] == [id_]
    assert "expired" in explain(id_)[1]


def test_a_payload_that_a_stage_skipped_is_lost_and_exit_code_1(rig, explain):
    place, sha256 = raw_by_hand(rig, "raw.cap.v1")
    code, out = explain("--payload", sha256.hex())
    assert (code, "normalise has not come to it yet" in out) == (0, True)
    # A worker that commits past a record it never handled.
    member = Consumer({"bootstrap.servers": rig.stack.bootstrap, "group.id": "hub.normalise.bulk"})
    behind = TopicPartition(place.topic(), place.partition(), place.offset() + 1)
    member.commit(offsets=[behind], asynchronous=False)
    member.close()
    code, out = explain("--payload", sha256.hex())
    # Other tests hold the books against what the topics keep.
    cut(rig, place)
    assert code == 1
    assert f"✗ lost at normalise: no row of the ledger explains {place.topic()}" in out
