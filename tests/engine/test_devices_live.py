"""The register of devices while process runs: what it learns at once, and whom it does not know."""

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from harness import Rig

import schemas
from hub import register
from hub.cli import main
from hub.codec import EventCodec, RecordCodec
from hub.unknown import TOPIC

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
READS, DELIVERED = "camera.plate_read.v1", "police.plate_read.v1"
JULY = datetime(2025, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def emptied(session_rig: Rig):
    """Afterwards nobody has a place any more, as the oracle of the other tests expects."""
    yield session_rig
    session_rig.stop_workers()
    session_rig.reset()


@pytest.fixture
def site(emptied: Rig, monkeypatch):
    monkeypatch.setenv("HUB_CONFIG", str(emptied.config_file))
    yield emptied
    emptied.stop_workers()


def reads(rig: Rig, device: str, count: int) -> None:
    """Plate reads of a device, on the canonical topic."""
    codec = EventCodec(schemas.built(READS), rig.ids.current(READS))
    records = []
    for _ in range(count):
        header = {
            "event_id": uuid.uuid4().bytes, "subject_id": uuid.uuid4().bytes, "lifecycle": "NEW",
            "status": "LIVE", "severity": "INFO", "time_quality": "DEVICE", "replayed": False,
            "received_at": datetime.now(UTC), "observed_at": datetime.now(UTC),
            "source_id": "vms", "device_ref": device, "kind": "vehicle.passage",
            "position": {"lat": 21.0287, "lon": 105.8522, "accuracy_m": None, "method": ""},
            "origin": {"sha256": bytes(32)},
        }  # fmt: skip
        restricted = {"plate": None, "pictures": None, "persons": None}
        value, cut = codec.encode(header, restricted, {})
        records.append((READS, f"vms/{device}".encode(), value, [("cut", cut.pack())]))
    rig.write(records)


def devices_of(rig: Rig, device: str) -> list[str]:
    """The register's ids in the place of a device's events, in the order of delivery."""
    codec = RecordCodec(schemas.built(DELIVERED), 0)
    key = f"vms/{device}".encode()
    return [
        codec.decode(each.value())["place"]["device_id"]
        for each in rig.read([DELIVERED])[DELIVERED]
        if each.key() == key
    ]


def entries(device: str, count: int):
    """A register of so many devices, one of them with this name."""
    names = [device, *(f"{device} {number}" for number in range(1, count))]
    return register.entries(
        [
            {"device_id": f"id of {name}", "valid_from": "2025-07-01", "aliases": {"vms": name}}
            for name in names
        ],
        "test",
    )


def rows(rig: Rig) -> Counter[bytes]:
    return Counter(each.key() for each in rig.read([TOPIC])[TOPIC])


def test_events_after_an_import_carry_the_new_place_without_a_restart(site):
    device = uuid.uuid4().hex
    worker = site.worker("process")
    reads(site, device, 50)
    site.until(lambda: len(devices_of(site, device)) == 50, "the first events are delivered")
    assert set(devices_of(site, device)) == {""}
    register.publish(site.config, site.registry, entries(device, 2_000))

    def known() -> bool:
        reads(site, device, 10)
        return devices_of(site, device)[-1] != ""

    site.until(known, "an event carries the new place")
    reads(site, device, 50)
    site.until_handled([("process", "bulk")])
    told = devices_of(site, device)
    changed = told.index(f"id of {device}")
    assert set(told[:changed]) == {""}
    assert set(told[changed:]) == {f"id of {device}"}
    assert worker.pid is not None


def test_an_unknown_device_is_told_once_whoever_dies_and_its_proposal_is_imported(
    site, capsys, tmp_path
):
    names = [uuid.uuid4().hex for _ in range(6)]
    before = rows(site)
    for point in ("after-produce:2", "before-commit:2", "after-commit:2"):
        worker = site.worker("process", failpoint=point)

        def dead(worker=worker) -> bool:
            for name in names:
                reads(site, name, 1)
            return site.died(worker)

        site.until(dead, f"it dies {point}")
        site.workers.remove(worker)
    site.worker("process")
    for name in names:
        reads(site, name, 1)
    site.until_handled([("process", "bulk")])
    site.check(oracle=False)
    told = rows(site) - before
    hours = {key.split(b"@")[1] for key in told}
    assert {key.split(b"@")[0] for key in told} == {f"vms/{name}".encode() for name in names}
    assert len(hours) <= 2, "the test takes minutes"
    assert set(told.values()) == {1}

    capsys.readouterr()
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    assert main(["device", "unknown", "--json", "--since", since]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(names) <= {each["device_ref"] for each in listed}
    assert main(["device", "unknown", "--toml"]) == 0
    proposed = tmp_path / "proposed.toml"
    proposed.write_text(capsys.readouterr().out, "utf-8")
    assert main(["device", "import", str(proposed)]) == 0
    capsys.readouterr()
    assert main(["device", "unknown"]) == 0
    assert not any(name in capsys.readouterr().out for name in names)
