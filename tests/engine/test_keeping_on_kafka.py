"""Holds, erasures and expiry on a real Kafka: what is copied, what goes, what says so."""

import hashlib
import itertools
import json
import logging
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import ID_KEY, ROOT
from mending import killed

import schemas
from hub.cli import main
from hub.codec import RecordCodec
from hub.evidence import EvidenceStore
from hub.holds.area import HoldArea
from hub.ingest.records import RawRecord

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
RAW, PLATES, POLICE = "raw.hikvision_isapi.v1", "camera.plate_read.v1", "police.plate_read.v1"
SAMPLE = ROOT / "tests" / "samples" / "hikvision_isapi" / "anpr_push_with_pictures.bin"
SOURCE = "hik-police-centre"
BY = ("--by", "records office", "--reason", "request 2026/031")
CASE = ("--case", "2026/HS-117")
FACES = [
    "held",
    "again",
    "erased",
    "shared",
    "shared",
    "half",
    "half",
    "late",
    "reason",
    "killed",
    "past",
]
numbers = itertools.count(100)


@pytest.fixture(scope="module")
def cars(session_rig) -> dict[str, list[dict]]:
    """Vehicles that passed a camera; their payloads are in the evidence store as ingest puts them.

    By the face in their pictures: those with the same one share pictures.
    """
    rig, store = session_rig, EvidenceStore.open(session_rig.config.evidence())
    made: dict[str, list[dict]] = {}
    for face in FACES:
        number = next(numbers)
        name = store.put(_body(number, face), "body")
        rig.write([_raw(number, name)])
        car = {"plate": f"29C{number}16", "body": name, "number": number}
        made.setdefault(face, []).append(car)
    rig.stages()
    rig.until_drained()
    rig.stop_workers()
    codec = RecordCodec(schemas.built(POLICE), 0)
    records = {}
    for message in rig.read([POLICE])[POLICE]:
        record = codec.decode(message.value())
        records[(record["restricted"]["plate"] or {}).get("text")] = record
    for car in (each for together in made.values() for each in together):
        record = records[car["plate"]]
        car["id"] = str(uuid.UUID(bytes=record["header"]["event_id"]))
        car["subject"] = str(uuid.UUID(bytes=record["header"]["subject_id"]))
        pictures = record["restricted"]["pictures"]
        car["pictures"] = sorted({picture["sha256"].hex() for picture in pictures})
        assert len(car["pictures"]) > 1
    return made


@pytest.fixture
def plates(cars) -> list[str]:
    return [car["plate"] for together in cars.values() for car in together]


@pytest.fixture
def hub(rig, plates, monkeypatch, capsys, caplog):
    """Run a command as an operator does. Neither what it prints nor its log holds a plate."""
    monkeypatch.setenv("HUB_ID_KEY", ID_KEY)
    caplog.set_level(logging.INFO, "hub")

    def run(*words: object) -> tuple[int, str]:
        code = main(["--config", str(rig.config_file), *map(str, words)])
        told = capsys.readouterr()
        shown = told.out + told.err
        written = (shown + caplog.text).replace("-", "").replace(".", "")
        assert not [each for each in plates if each in written]
        return code, shown

    return run


def _body(number: int, face: str) -> bytes:
    body = SAMPLE.read_bytes()
    body = body.replace(b"29C-483.16", f"29C-{number}.16".encode())
    body = body.replace(b"20260314074512318K7hDqV2mTzR0aJ5sXnYw", f"{number:037d}".encode())
    minute = f"2026-03-14T07:{number % 60:02d}:12+07:00".encode()
    body = body.replace(b"2026-03-14T07:45:12+07:00", minute)
    assert body.count(b"3:J>36F7") >= 2
    return body.replace(b"3:J>36F7", face.encode().ljust(8, b"_"))


def _raw(number: int, name: str) -> tuple:
    headers = {
        "source_id": SOURCE,
        "payload_id": f"passage-{number}",
        "received_at": datetime.now(UTC).isoformat(),
        "content_type": json.loads(Path(f"{SAMPLE}.meta.json").read_text())["content_type"],
        "sha256": name,
        "transport": "http_push",
        "body": f"sha256:{name}",
    }
    pairs = [(key, text.encode()) for key, text in headers.items()]
    return RawRecord(RAW, f"{SOURCE}/1".encode(), b"", pairs)


def journal(rig, plates, topic: str) -> list[dict]:
    """The records of `hold.v1` or `erasure.v1`, none of which holds a plate."""
    codec = RecordCodec(schemas.built(topic), 0)
    messages = rig.read([topic])[topic]
    for message in messages:
        whole = message.value() + message.key()
        assert not [each for each in plates if each.encode() in whole]
    return [codec.decode(message.value()) for message in messages]


def test_a_held_event_is_copied_whole_and_readable_without_the_hub(rig, hub, cars, plates):
    (car,) = cars["held"]
    code, told = hub("hold", "add", car["id"], *CASE, *BY, "--until", "2027-03-31", "--json")
    assert code == 0, told
    manifest = json.loads(told)
    kinds = [part["kind"] for part in manifest["parts"]]
    assert {*kinds} == {"canonical", "subscriber", "raw", "body", "picture"}
    assert kinds.count("picture") == len(car["pictures"])
    assert manifest["missing"] == []
    folder = rig.folder / "data" / "holds" / manifest["hold_id"]
    objects = {each.name: each.read_bytes() for each in (folder / "objects").iterdir()}
    assert {hashlib.sha256(data).hexdigest() for data in objects.values()} == set(objects)
    # With nothing but the folder: the police's record, by the schema that lies beside it.
    part = next(each for each in manifest["parts"] if each["place"].startswith(POLICE))
    schema = json.loads(objects[part["schema"]])
    record = RecordCodec(schema, 0).decode(objects[part["value"]])
    assert record["restricted"]["plate"]["text"] == car["plate"]
    beside = json.loads(objects[part["record"]])
    assert (beside["topic"], beside["value_sha256"]) == (POLICE, part["value"])
    raw = next(each for each in manifest["parts"] if each["kind"] == "raw")
    names = [each["name"] for each in json.loads(objects[raw["record"]])["headers"]]
    assert {"source_id", "body", "sha256"} <= set(names)
    assert car["body"] in objects

    (row,) = [
        each
        for each in journal(rig, plates, "hold.v1")
        if str(uuid.UUID(bytes=each["hold_id"])) == manifest["hold_id"]
    ]
    assert (row["state"], row["case_ref"], row["by"]) == ("added", CASE[1], BY[1])
    assert (
        row["manifest_sha256"] == hashlib.sha256((folder / "manifest.json").read_bytes()).digest()
    )
    assert hub("hold", "release", manifest["hold_id"], *BY, "--apply")[0] == 0


def test_a_hold_is_kept_from_erasure_verified_and_released_with_a_record(rig, hub, cars, plates):
    (car,) = cars["again"]
    code, told = hub("hold", "add", car["id"], *CASE, *BY, "--json")
    assert code == 0, told
    manifest = json.loads(told)
    folder = rig.folder / "data" / "holds" / manifest["hold_id"]
    objects = {each.name: each.read_bytes() for each in (folder / "objects").iterdir()}
    # Again: it is the same hold. Asked for by its subject, it is another.
    code, told = hub("hold", "add", car["subject"], "--case", "other", *BY, "--json")
    second = json.loads(told)
    assert second["event_ids"] == manifest["event_ids"]
    assert hub("hold", "release", second["hold_id"], *BY, "--apply")[0] == 0
    code, told = hub("hold", "add", car["id"], *CASE, *BY)
    assert (code, told.splitlines()[0]) == (0, "it is held already")
    for words in (["erase", car["id"], *BY], ["erase", car["subject"], *BY, "--apply"]):
        code, told = hub(*words)
        assert code == 1
        assert f"hold {manifest['hold_id']} (case {CASE[1]})" in told
    code, told = hub("hold", "list")
    assert [code, "held" in told, CASE[1] in told] == [0, True, True]
    assert hub("hold", "verify", manifest["hold_id"])[0] == 0
    name = next(iter(objects))
    (folder / "objects" / name).write_bytes(objects[name] + b"?")
    code, told = hub("hold", "verify", manifest["hold_id"])
    assert (code, f"object {name} is damaged" in told) == (1, True)
    (folder / "objects" / name).unlink()
    assert f"object {name} is gone" in hub("hold", "verify")[1]

    code, told = hub("hold", "release", manifest["hold_id"][:8], *BY)
    assert (code, "--apply does it" in told, folder.exists()) == (0, True, True)
    code, told = hub("hold", "release", manifest["hold_id"], *BY, "--apply")
    assert (code, folder.exists()) == (0, False), told
    assert journal(rig, plates, "hold.v1")[-1]["state"] == "released"
    assert "released" in hub("hold", "list", "--all")[1]
    assert manifest["hold_id"] not in hub("hold", "list")[1]


def test_erased_objects_are_gone_at_once_and_whoever_asks_hears_when(rig, hub, cars, plates):
    (car,) = cars["erased"]
    store = EvidenceStore.open(rig.config.evidence())
    code, told = hub("erase", car["id"], *BY)
    assert (code, told.count("would be deleted")) == (0, 1 + len(car["pictures"])), told
    assert store.exists(car["body"])
    rows = len(journal(rig, plates, "erasure.v1"))
    code, told = hub("erase", car["id"], *BY, "--apply", "--json")
    assert code == 0, told
    plan = json.loads(told)
    assert {each["outcome"] for each in plan["objects"]} == {"deleted"}
    left = {each["topic"]: each["gone_by"] for each in plan["records"]}
    assert {RAW, PLATES, POLICE} <= set(left)
    kept = timedelta(days=30 + 1)
    assert datetime.fromisoformat(left[POLICE]) > datetime.now(UTC) + kept - timedelta(hours=1)
    assert not [each for each in (car["body"], *car["pictures"]) if store.exists(each)]
    begun, done = journal(rig, plates, "erasure.v1")[rows:]
    assert (begun["state"], done["state"], done["cause"]) == ("begun", "done", "request")
    assert {each["sha256"].hex() for each in done["objects"]} == {car["body"], *car["pictures"]}
    assert (done["by"], done["reason"]) == (BY[1], BY[3])

    today = datetime.now(UTC).date().isoformat()
    code, told = hub("explain", car["id"])
    assert f"erased on {today}" in told
    # Its payload is parsed again: refused as erased, and the pictures stay away.
    rig.write([_raw(car["number"], car["body"])])
    rig.stages()
    rig.until_drained()
    rig.stop_workers()
    letters = [each for each in rig.dead_letters() if each["code"] == "evidence-erased"]
    assert [each["message"] for each in letters] == [f"erased on {today}"]
    code, told = hub("dead", "replay", "--code", "evidence-erased")
    assert (code, f"its bytes were erased on {today}" in told) == (1, True), told
    # Done again, there is nothing left to delete.
    _, told = hub("erase", car["id"], *BY, "--json")
    assert {each["outcome"] for each in json.loads(told)["objects"]} == {"absent"}


def test_what_another_event_needs_stays_until_that_is_erased_too(rig, hub, cars, plates):
    one, other = cars["shared"]
    store = EvidenceStore.open(rig.config.evidence())
    shared = set(one["pictures"]) & set(other["pictures"])
    assert shared
    _, told = hub("erase", one["id"], *BY, "--apply", "--json")
    fates = {each["sha256"]: each for each in json.loads(told)["objects"]}
    assert {fates[name]["outcome"] for name in shared} == {"kept"}
    assert {fates[name]["why"] for name in shared} == {f"also of event {other['id']}"}
    assert fates[one["body"]]["outcome"] == "deleted"
    assert all(store.exists(name) for name in shared)
    _, told = hub("erase", other["id"], *BY, "--apply", "--json")
    fates = {each["sha256"]: each["outcome"] for each in json.loads(told)["objects"]}
    assert {fates[name] for name in shared} == {"deleted"}
    assert not any(store.exists(name) for name in shared)


def test_what_another_events_hold_needs_is_left_and_the_hold_is_named(rig, hub, cars, plates):
    one, other = cars["half"]
    hub("hold", "add", other["id"], *CASE, *BY)
    code, told = hub("erase", one["id"], *BY)
    assert code == 0
    assert "kept: held by hold" in told
    assert CASE[1] in told
    hold_id = json.loads(hub("hold", "list", "--json")[1].splitlines()[-1])["hold_id"]
    hub("hold", "release", hold_id, *BY, "--apply")


def test_a_hold_names_what_was_gone_already(rig, hub, cars, plates):
    (car,) = cars["late"]
    hub("erase", car["id"], *BY, "--apply")
    _, told = hub("hold", "add", car["id"], *CASE, *BY, "--json")
    manifest = json.loads(told)
    today = datetime.now(UTC).date().isoformat()
    gone = {each["what"]: each["why"] for each in manifest["missing"]}
    assert gone[f"body sha256:{car['body']}"] == f"erased on {today}"
    assert {part["kind"] for part in manifest["parts"]} == {"canonical", "subscriber", "raw"}
    hub("hold", "release", manifest["hold_id"], *BY, "--apply")


def test_a_reason_that_repeats_the_plate_is_refused_before_it_is_written(rig, hub, cars, plates):
    (car,) = cars["reason"]
    texts = ("--by", "x", "--reason", f"owner of 29C-{car['number']}.16 asked")
    before = len(rig.read(["hold.v1"])["hold.v1"])
    for words in (["hold", "add", car["id"], *CASE], ["erase", car["id"], "--apply"]):
        code, told = hub(*words, *texts)
        assert (code, "--reason" in told, "plate" in told) == (2, True, True)
    assert len(rig.read(["hold.v1"])["hold.v1"]) == before


def test_an_addition_that_is_killed_leaves_no_hold_and_can_simply_be_done_again(
    rig, hub, cars, plates
):
    (car,) = cars["killed"]
    area = HoldArea.of(rig.config)
    holds = area.ids()
    killed(rig, "before-commit:1", "hold", "add", car["id"], *CASE, *BY)
    assert area.ids() == holds
    (left,) = area.unfinished()
    assert "broken off" in hub("hold", "list")[1]
    code, told = hub("hold", "add", car["id"], *CASE, *BY)
    assert (code, told.splitlines()[0]) == (0, "held")
    assert (area.unfinished(), set(area.ids()) - set(holds)) == ([], {left})
    # Killed after its record and before its manifest, it says so, and is done again too.
    hub("hold", "release", left, *BY, "--apply")
    killed(rig, "after-commit:1", "hold", "add", car["id"], *CASE, *BY)
    assert "NOT COPIED" in hub("hold", "list")[1]
    assert hub("hold", "verify")[0] == 1
    assert hub("erase", car["id"], *BY)[0] == 1
    assert hub("hold", "add", car["id"], *CASE, *BY)[0] == 0
    assert hub("hold", "verify")[0] == 0
    hub("hold", "release", left, *BY, "--apply")


def test_what_is_past_its_class_goes_with_a_record_and_what_is_held_stays(rig, hub, cars, plates):
    (car,) = cars["past"]
    _, told = hub("hold", "add", car["id"], *CASE, *BY, "--json")
    hold_id = json.loads(told)["hold_id"]
    long_ago = datetime.now(UTC).date() - timedelta(days=90)
    old = EvidenceStore.open(rig.config.evidence(), today=lambda: long_ago)
    store = EvidenceStore.open(rig.config.evidence())
    gone = old.put(b"nobody needs this", "picture")
    held = car["pictures"][0]
    data = store.get(held)
    for path in (Path(rig.config.evidence()) / "picture").rglob(held[2:]):
        path.unlink()
    old.put(data, "picture")
    code, told = hub("evidence", "expire", "--dry-run")
    assert (code, "1 objects, 17 bytes are past their class" in told) == (0, True), told
    assert store.exists(gone)
    rows = len(journal(rig, plates, "erasure.v1"))
    code, told = hub("evidence", "expire", "--json")
    (day,) = [json.loads(line) for line in told.splitlines()]
    assert day == {
        "kind": "picture",
        "day": long_ago.isoformat(),
        "objects": 1,
        "size_bytes": 17,
        "held": 1,
    }
    assert (store.exists(gone), store.exists(held)) == (False, True)
    begun, done = journal(rig, plates, "erasure.v1")[rows:]
    assert (begun["state"], done["state"], done["cause"]) == ("begun", "done", "expiry")
    assert done["expired"] == [day]
    # What is held is no news; once released it goes.
    code, told = hub("evidence", "expire")
    assert told == "removed 0 objects, 0 bytes\n"
    hub("hold", "release", hold_id, *BY, "--apply")
    assert "removed 1 objects" in hub("evidence", "expire")[1]
    assert not store.exists(held)


def test_an_unknown_id_says_where_it_was_looked_for(hub):
    for words in (["hold", "add", uuid.uuid4(), *CASE], ["erase", uuid.uuid4()]):
        code, told = hub(*words, *BY)
        assert (code, "no topic holds an event of this id" in told) == (1, True)
    assert hub("hold", "show", "0000")[0] == 2
