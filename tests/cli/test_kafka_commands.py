"""`topics`, `device`, `place`, `route`, `tail`, `dead`, `doctor` on a real broker and registry."""

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import schemas
from hub import topics
from hub.cli import main
from hub.codec import EventCodec, RecordCodec
from hub.config import load
from hub.kafka.clients import consumer, producer
from hub.kafka.records import write
from hub.kafka.transaction import TransactionalProducer
from hub.registry import Registry
from hub.testing.masking import GREY_JPEG

pytestmark = pytest.mark.kafka
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples"
NO_CONNECTORS: tuple[str, ...] = ()


@pytest.fixture
def config(stack, tmp_path, monkeypatch):
    path = tmp_path / "hub.toml"
    path.write_text(
        f'data = "{tmp_path}/data"\nregistry_url = "{stack.registry_url}"\n[kafka]\n'
        f'bootstrap = "{stack.bootstrap}"\nreplication_factor = 1\nmin_insync_replicas = 1\n'
        "[ingest]\nport = 1\n"
    )
    monkeypatch.setenv("HUB_CONFIG", str(path))
    for name in ("HUB_KAFKA_BOOTSTRAP", "HUB_REGISTRY_URL", "HUB_ID_KEY", "HUB_ID_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return load(path, {})


@pytest.fixture
def registry(config):
    found = Registry(config.registry_url)
    yield found
    found.close()


@pytest.fixture
def made(config, registry):
    """The hub's own topics and the canonical ones."""
    wanted = [spec for spec in topics.declared(config, NO_CONNECTORS) if spec.kind != "subscriber"]
    topics.apply(config, registry, specs=wanted)
    return config


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_plan_and_apply_bring_the_cluster_to_the_declaration(config, capsys):
    assert main(["topics", "apply"]) == 0
    capsys.readouterr()
    assert main(["topics", "plan", "--json"]) == 0
    assert lines(capsys) == []
    assert main(["topics", "apply"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_an_import_shows_the_difference_before_it_writes(made, capsys, tmp_path):
    id_ = f"cam-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "devices.csv"
    head = "device_id,valid_from,source_id,device_ref,name\n"
    file.write_text(f"{head}{id_},2025-07-01,vms,{id_},One\n")
    assert main(["device", "import", str(file), "--dry-run"]) == 0
    assert "1 added, 0 changed, 0 unchanged (nothing was written)" in capsys.readouterr().out
    assert main(["device", "import", str(file), "--json"]) == 0
    (line,) = lines(capsys)
    assert (line["change"], line["device_id"]) == ("added", id_)
    file.write_text(f"{head}{id_},2025-07-01,vms,{id_},Two\n")
    assert main(["device", "import", str(file)]) == 0
    out = capsys.readouterr().out
    assert f"~ {id_}@2025-06-30T17:00:00.000000Z Two: name" in out
    assert main(["device", "import", str(file)]) == 0
    assert "0 added, 0 changed, 1 unchanged" in capsys.readouterr().out
    assert main(["device", "list", "--json"]) == 0
    assert {each["device_id"]: each["name"] for each in lines(capsys)}[id_] == "Two"


def test_places_are_compared_written_and_resolved(made, capsys, tmp_path):
    one, two = (f"r{uuid.uuid4().hex[:8]}" for _ in range(2))
    file = tmp_path / "places.csv"
    file.write_text(
        "location_id,valid_from,kind,name,roads\n"
        f"{one},2025-07-01,road,Đường {one},\n{two},2025-07-01,road,{two},\n"
        f"j-{one},2025-07-01,junction,{one} - {two} (VT{int(one[1:5], 16) % 10_000}),{one};{two}\n",
        "utf-8",
    )
    assert main(["place", "import", str(file), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert f"+ {one}@2025-06-30T17:00:00.000000Z road Đường {one}" in out
    assert "3 added, 0 changed, 0 unchanged (nothing was written)" in out
    assert main(["place", "resolve", f"{two}/{one}"]) == 1
    capsys.readouterr()
    assert main(["place", "import", str(file), "--json"]) == 0
    assert [line["location_id"] for line in lines(capsys)] == [one, two, f"j-{one}"]
    assert main(["place", "resolve", f"Ngã tư {two}/{one}", "--json"]) == 0
    (answer,) = lines(capsys)
    assert [each["location_id"] for each in answer["candidates"]] == [f"j-{one}"]
    file.write_text(f"location_id,valid_from,kind,name\n{one},2025-07-01,road,{one} mới\n", "utf-8")
    assert main(["place", "import", str(file)]) == 0
    assert f"~ {one}@2025-06-30T17:00:00.000000Z road {one} mới: name" in capsys.readouterr().out
    assert main(["place", "list", "--json"]) == 0
    assert {each["location_id"]: each["name"] for each in lines(capsys)}[one] == f"{one} mới"
    assert main(["place", "list"]) == 0
    assert f"{one}, {two}" in capsys.readouterr().out


def test_a_faulty_register_is_exit_code_1_and_writes_nothing(made, capsys, tmp_path):
    file = tmp_path / "devices.csv"
    file.write_text("device_id,valid_from\ncam-x,yesterday\n")
    assert main(["device", "import", str(file)]) == 1
    assert "line 2, column valid_from" in capsys.readouterr().err


def test_rules_that_hold_already_need_now(made, capsys, tmp_path):
    id_ = f"rule-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "rules.toml"
    file.write_text(
        f'[[rule]]\nid = "{id_}"\ntext = "t"\nvalid_from = 2025-07-01\nnouns = ["violation"]\n'
        'kinds = ["none.such"]\nto = { subscriber = "police" }\n'
    )
    assert main(["route", "load", str(file)]) == 1
    assert "less than 60 s ahead" in capsys.readouterr().err
    assert main(["route", "load", str(file), "--now"]) == 0
    assert "1 written, 0 unchanged" in capsys.readouterr().out
    assert main(["route", "load", str(file)]) == 0
    assert main(["route", "list", "--json"]) == 0
    assert any('"rule_id":"' + id_ in line for line in capsys.readouterr().out.splitlines())


def put_events(config, registry, *kinds):
    """Detections of these kinds, on the canonical topic."""
    topic = "camera.detection.v1"
    schema = schemas.built(topic)
    codec = EventCodec(schema, registry.id_of(f"{topic}-value", schema))
    values = []
    for kind in kinds:
        header = {
            "event_id": uuid.uuid4().bytes,
            "subject_id": uuid.uuid4().bytes,
            "received_at": AT,
            "source_id": "s",
            "kind": kind,
            "origin": {"sha256": bytes(32)},
        }
        values.append((b"s/d", codec.encode(header, {}, {})[0]))
    write(config.kafka, topic, values)


def test_tail_prints_decoded_events_that_match(made, registry, capsys):
    kind = f"test.k{uuid.uuid4().hex[:8]}"
    put_events(made, registry, kind, "test.other", kind)
    words = ["tail", "camera.detection.v1", "--from-beginning", "--timeout", "20"]
    assert main([*words, "--limit", "2", "--where", f"header.kind = {kind}"]) == 0
    found = lines(capsys)
    assert [each["header"]["kind"] for each in found] == [kind, kind]
    assert found[0]["header"]["received_at"] == "2026-03-01T01:15:00.000000Z"


def test_tail_says_when_a_limit_was_not_reached(made, capsys):
    words = ["tail", "camera.violation.v1", "--limit", "1", "--timeout", "0.5"]
    assert main(words) == 1
    assert "0 of 1 after 0.5 s" in capsys.readouterr().err
    assert main(words[:2] + words[4:]) == 0


def test_tail_of_a_raw_topic_shows_headers_and_size(config, registry, capsys):
    spec = topics.declared(config, NO_CONNECTORS)[0]
    name = f"raw.test{uuid.uuid4().hex[:8]}.v1"
    raw = topics.TopicSpec(name, "raw", 1, 1, spec.config, personal_data=True)
    topics.apply(config, registry, specs=[raw])
    write(config.kafka, name, [(b"k", b"secret plate")])
    assert main(["tail", name, "--from-beginning", "--limit", "1", "--timeout", "20"]) == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    assert json.loads(out)["size_bytes"] == 12


def test_tail_shows_a_record_that_can_not_be_read_and_goes_on(made, registry, capsys):
    kind = f"test.k{uuid.uuid4().hex[:8]}"
    write(made.kafka, "camera.detection.v1", [(b"s/d", b"not avro")])
    put_events(made, registry, kind)
    words = ["tail", "camera.detection.v1", "--from-beginning", "--timeout", "20", "--limit", "1"]
    assert main([*words, "--where", "unreadable ~ wire"]) == 0
    assert "wire format" in capsys.readouterr().out
    assert main([*words, "--where", f"header.kind = {kind}"]) == 0


def test_tail_of_an_unknown_topic_names_near_ones(made, capsys):
    assert main(["tail", "camera.detecton.v1"]) == 2
    assert "did you mean camera.detection.v1" in capsys.readouterr().err


def test_tail_refuses_a_faulty_expression_before_it_reads(capsys):
    assert main(["tail", "x", "--where", "a ="]) == 2
    assert "column 4" in capsys.readouterr().err


@pytest.fixture
def letters(made, registry):
    """Three dead letters of two causes from a source of their own."""
    source = f"src-{uuid.uuid4().hex[:8]}"
    schema = schemas.built("dead_letter.v1")
    codec = RecordCodec(schema, registry.id_of("dead_letter.v1-value", schema))
    found = []
    for number, (code, body) in enumerate(
        [("malformed", b"<a>Kim M\xc3\xa3</a>"), ("malformed", b"\x00\xff" * 300), ("opaque", b"x")]
    ):
        found.append(
            {
                "dead_id": uuid.uuid4().bytes,
                "stage": "normalise",
                "code": code,
                "message": "it is broken",
                "fix": "mend the source" if code == "malformed" else "",
                "source_id": source,
                "component": "cap",
                "component_version": "1",
                "topic": "raw.cap.v1",
                "offset": number,
                "failed_at": AT + timedelta(seconds=number),
                "sha256": bytes(32),
                "body": body,
                "record_headers": [{"name": "content_type", "value": b"application/xml"}],
            }
        )
    write(made.kafka, "dead_letter.v1", [(source.encode(), codec.encode(each)) for each in found])
    return source, found


def test_dead_letters_are_grouped_by_cause_source_and_component(letters, capsys):
    source, found = letters
    assert main(["dead", "list", "--json"]) == 0
    groups = [each for each in lines(capsys) if each["source_id"] == source]
    assert [(each["code"], each["count"], each["component"]) for each in groups] == [
        ("malformed", 2, "cap 1"),
        ("opaque", 1, "cap 1"),
    ]
    assert groups[0]["newest"] == "2026-03-01T01:15:01.000000Z"
    assert groups[0]["example"] == str(uuid.UUID(bytes=found[1]["dead_id"]))
    assert main(["dead", "list", "--by", "source"]) == 0
    assert source in capsys.readouterr().out
    assert main(["dead", "list", "--since", "2100-01-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out == "no dead letters\n"


def test_a_dead_letter_is_shown_with_its_bytes_and_how_to_mend_it(letters, capsys):
    _, (text, binary, _) = letters
    assert main(["dead", "show", str(uuid.UUID(bytes=text["dead_id"]))]) == 0
    out = capsys.readouterr().out
    assert "<a>Kim Mã</a>" in out
    assert "fix: mend the source" in out
    assert "header content_type: application/xml" in out
    assert main(["dead", "show", str(uuid.UUID(bytes=binary["dead_id"]))[:13]]) == 0
    out = capsys.readouterr().out
    assert "00000000  00 ff 00 ff" in out
    assert "600 bytes in all" in out


def test_an_unknown_dead_letter_is_exit_code_2(made, capsys):
    assert main(["dead", "show", "no-such-id"]) == 2
    assert "hub dead list" in capsys.readouterr().err


def test_doctor_names_what_is_not_ready(made, capsys):
    assert main(["doctor", "--json"]) == 3
    found = {each["check"]: each for each in lines(capsys)}
    assert {name: found[name]["state"] for name in ("id key", "kafka", "registry", "ingest")} == {
        "id key": "wrong",
        "kafka": "ok",
        "registry": "ok",
        "ingest": "wrong",
    }
    assert "openssl" in found["id key"]["fix"]


def test_doctor_names_a_transaction_that_nobody_ends(made, capsys, monkeypatch):
    monkeypatch.setattr("hub.doctor._TRANSACTION_OVERDUE_S", 2.0)
    producer = TransactionalProducer(made.kafka, "left-open", timeout_ms=60_000)
    producer.open()
    producer.begin()
    producer.produce("device.v1", b"never committed", b"x", partition=0)
    producer._client().flush(20)
    main(["doctor"])
    told = capsys.readouterr().out
    assert "✗ open transactions: device.v1/0: readers stop at offset" in told
    assert "--topic device.v1 --partition 0 --start-offset" in told
    producer.close()
    main(["doctor"])
    assert "✓ open transactions: none holds readers back" in capsys.readouterr().out


def test_doctor_names_topics_that_one_of_several_workers_has_alone(made, capsys):
    names = ["area.alert.v1", "camera.plate_read.v1"]
    members = []
    for _ in range(2):
        members.append(consumer(made.kafka, "hub.process.shared"))
        members[-1].subscribe(names)
        # The second comes when the first has everything, and takes over a topic.
        while not members[-1].assignment():
            for each in members:
                each.poll(0.1)
    main(["doctor"])
    told = capsys.readouterr().out
    assert "shares of workers: hub.process.shared: of 2 workers, one alone has all of" in told
    assert "Add a worker" in told
    members.pop().close()
    while len(members[0].assignment()) < 12:
        members[0].poll(0.1)
    main(["doctor"])
    assert "shares of workers: no worker has a topic to itself" in capsys.readouterr().out
    members[0].close()


def test_doctor_names_a_faulty_configuration(capsys, tmp_path):
    (tmp_path / "bad.toml").write_text("x = 1")
    assert main(["--config", str(tmp_path / "bad.toml"), "doctor"]) == 3
    assert "✗ configuration: unknown key" in capsys.readouterr().out


def sent(config, source, payload_id, body, *, topic="raw.hikvision_isapi.v1"):
    """A raw record as ingest writes it."""
    client = producer(config.kafka)
    headers = {
        "source_id": source.encode(),
        "payload_id": payload_id.encode(),
        "received_at": b"2026-03-14T00:45:13+00:00",
        "content_type": b"multipart/form-data; boundary=boundary",
        "sha256": hashlib.sha256(body).hexdigest().encode(),
        "meta.peer": b"10.20.0.7",
    }
    client.produce(topic, body, source.encode(), headers=list(headers.items()))
    client.flush()


def test_what_a_source_sends_is_tried_and_recorded_without_plates_and_pictures(
    config, registry, capsys, tmp_path, monkeypatch
):
    wanted = [
        spec
        for spec in topics.declared(config, ("hikvision_isapi",))
        if spec.kind == "raw" or spec.name == "device.v1"
    ]
    topics.apply(config, registry, specs=wanted)
    hub_toml = tmp_path / "hub.toml"
    entry = '[source.{0}]\nconnector = "hikvision_isapi"\npurpose = "{1}"\n'
    hub_toml.write_text(
        hub_toml.read_text() + entry.format("gate", "traffic") + entry.format("army", "defence")
    )
    sample = SAMPLES / "hikvision_isapi" / "anpr_push_with_pictures.bin"
    sent(config, "other", "p-000001", sample.read_bytes())
    sent(config, "gate", "p-000002", sample.read_bytes())
    words = ["gate", "--from-beginning", "--limit", "1", "--timeout", "30"]

    try_live = ["connector", "try", "hikvision_isapi", "--live", *words]
    assert main(try_live) == 0
    found = capsys.readouterr()
    (line,) = map(json.loads, found.out.splitlines())
    assert "ids are of a test key" in found.err
    assert (line["payload"], line["event"]["header"]["source_id"]) == ("p-000002", "gate")
    assert line["event"]["restricted"]["plate"]["raw"] == "29C-483.16"
    monkeypatch.setenv("HUB_ID_KEY", "a key of the site itself")
    assert main(try_live) == 0
    found = capsys.readouterr()
    (own,) = map(json.loads, found.out.splitlines())
    assert "test key" not in found.err
    assert own["event"]["header"]["event_id"] != line["event"]["header"]["event_id"]

    into = tmp_path / "samples"
    assert main(["connector", "record", *words, "--into", str(into), "--recorded", "DS-X 1"]) == 0
    found = capsys.readouterr()
    file = into / "gate-20260314T004513-000002.bin"
    assert found.out.split() == [str(file)]
    assert "1 plates" in found.err or "2 plates" in found.err
    assert "It can't know persons named in prose" in found.err
    body = file.read_bytes()
    assert b"483.16" not in body
    assert b"10.20.0.7" not in file.with_name(f"{file.name}.meta.json").read_bytes()
    assert body.count(GREY_JPEG) == sample.read_bytes().count(b"\xff\xd8\xff") > 0

    for name, why in (("army", "source of defence"), ("gone", "has no source 'gone'")):
        assert main(["connector", "record", name]) == 2
        assert why in capsys.readouterr().err
