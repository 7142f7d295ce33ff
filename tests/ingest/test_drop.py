"""Drop folders: a settled file becomes one payload, whatever happens in between."""

import os
import time
from pathlib import Path

import pytest
from ingest_support import handle, logged, make_config

from hub import metrics
from hub.evidence import EvidenceStore
from hub.ingest.drop import DropFolder
from hub.ingest.intake import Intake
from hub.ingest.log import IngestLog
from hub.ingest.records import RawRecord, unpack


class Drop:
    """A folder, its watcher without a thread, and the log it fills."""

    def __init__(self, place: Path, settle_s: float = 0, purpose: str = "", **limits) -> None:
        self.folder = place / "inbox"
        source = {
            "purpose": purpose,
            "connector": "plain_test",
            "transport": {
                "kind": "drop_folder",
                "folder": str(self.folder),
                "settle_s": settle_s,
            },
            "shard": "path",
            "limits": {"body_bytes": 100_000, **limits},
        }
        self.config = make_config(place, {"files": source})
        self.log = IngestLog(place / "log")
        self.evidence = EvidenceStore.open(str(place / "evidence"))
        self.watch()

    def watch(self) -> None:
        """As after a restart: nothing is remembered but the disk."""
        logs = {"bulk": self.log, "urgent": self.log}
        intake = Intake(self.config, logs, self.evidence)
        self.watcher = DropFolder(intake, intake.sources["files"])
        self.watcher.finish()

    def write(self, name: str, body: bytes = b"{}") -> Path:
        path = self.folder / name
        path.write_bytes(body)
        return path

    def records(self) -> list[RawRecord]:
        entries, _ = self.log.read(self.log.start(), max_records=10**6, max_bytes=10**9)
        return [unpack(entry) for _, entry in entries]


@pytest.fixture
def drop(tmp_path):
    made = Drop(tmp_path)
    yield made
    made.log.close()


def header(record: RawRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


def test_a_file_becomes_a_payload_and_moves_to_done(drop):
    drop.write("a b.json", b'{"speed": 1}')
    assert drop.watcher.scan() == 1
    (record,) = drop.records()
    assert record.value == b'{"speed": 1}'
    assert record.key == b"files/a%20b.json"
    assert header(record, "transport") == "drop_folder"
    assert header(record, "content_type") == "application/json"
    assert header(record, "meta.path") == "a b.json"
    assert (drop.folder / "done" / "a b.json").read_bytes() == b'{"speed": 1}'
    assert drop.watcher.scan() == 0


def test_files_are_taken_oldest_first(drop):
    for age, name in enumerate(["new", "middle", "old"]):
        os.utime(drop.write(name), (10**9 - age, 10**9 - age))
    drop.watcher.scan()
    assert [header(record, "meta.path") for record in drop.records()] == ["old", "middle", "new"]


def test_unfinished_hidden_and_linked_files_are_left_alone(drop):
    for name in (".hidden", "a.part", "b.TMP"):
        drop.write(name)
    (drop.folder / "link").symlink_to(drop.folder / ".hidden")
    (drop.folder / "folder").mkdir()
    assert drop.watcher.scan() == 0
    assert drop.records() == []


def test_a_file_that_still_changes_waits(tmp_path):
    drop = Drop(tmp_path, settle_s=3600)
    path = drop.write("growing")
    assert drop.watcher.scan() == 0
    path.write_bytes(b"more")
    assert drop.watcher.scan() == 0
    assert path.exists()
    drop.log.close()


def test_a_name_that_is_taken_in_done_gets_a_number(drop):
    for body in (b"1", b"2", b"3"):
        drop.write("same", body)
        drop.watcher.scan()
    done = drop.folder / "done"
    assert {path.name: path.read_bytes() for path in done.iterdir()} == {
        "same": b"1",
        "same.1": b"2",
        "same.2": b"3",
    }
    assert len({header(record, "payload_id") for record in drop.records()}) == 3


def test_a_file_above_the_limit_is_refused_with_its_reason(drop):
    drop.write("large", b"x" * 100_001)
    assert drop.watcher.scan() == 1
    assert drop.records() == []
    refused = drop.folder / "refused"
    assert (refused / "large").stat().st_size == 100_001
    assert "100001 bytes" in (refused / "large.reason.txt").read_text()


def test_a_large_file_goes_to_the_evidence_store(drop):
    drop.write("picture.jpg", b"x" * 80_000)
    drop.watcher.scan()
    (record,) = drop.records()
    assert record.value == b""
    assert drop.evidence.get(header(record, "body")) == b"x" * 80_000


@pytest.fixture
def dying(drop, monkeypatch):
    """A folder whose watcher died between the log and the move of a file."""
    drop.write("first", b"other")
    drop.watcher.scan()
    drop.write("once", b"body")

    def die(*_):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr("hub.ingest.drop._move", die)
        with pytest.raises(SystemExit):
            drop.watcher.scan()
    assert (drop.folder / "once").exists()
    return drop


def test_a_file_that_was_durable_at_a_death_is_only_moved(dying):
    dying.watch()
    assert dying.watcher.scan() == 0
    assert [record.value for record in dying.records()] == [b"other", b"body"]
    assert (dying.folder / "done" / "once").exists()


def test_another_file_of_that_name_is_another_payload(dying):
    dying.write("once", b"new")
    dying.watch()
    assert dying.watcher.scan() == 1
    assert [record.value for record in dying.records()] == [b"other", b"body", b"new"]


def test_a_death_before_the_log_loses_no_file(drop):
    drop.write("first", b"other")
    drop.watcher.scan()
    drop.write("once", b"body")
    drop.watch()
    assert drop.watcher.scan() == 1
    assert [record.value for record in drop.records()] == [b"other", b"body"]


def test_a_move_that_a_power_cut_undid_repeats_the_payload_under_its_id(drop):
    for name in ("once", "later"):
        drop.write(name, b"body")
        drop.watcher.scan()
    (drop.folder / "done" / "once").rename(drop.folder / "once")
    drop.watch()
    drop.watcher.scan()
    first, _, again = drop.records()
    assert header(first, "payload_id") == header(again, "payload_id")
    assert first.value == again.value


def test_a_full_log_leaves_the_files_where_they_are(tmp_path):
    source = {
        "connector": "plain_test",
        "transport": {"kind": "drop_folder", "folder": str(tmp_path / "in"), "settle_s": 0},
    }
    config = make_config(tmp_path, {"files": source}, log_max_bytes=2**20, log_segment_bytes=2**16)
    (tmp_path / "in").mkdir()
    for number in range(40):
        (tmp_path / "in" / f"{number:02}").write_bytes(b"x" * 50_000)
    running = handle(config).start()
    done = tmp_path / "in" / "done"
    while not done.is_dir() or len(list(done.iterdir())) < 10:
        time.sleep(0.01)
    running.stop()
    taken = len(logged(tmp_path))
    waiting = [path for path in (tmp_path / "in").iterdir() if path.is_file()]
    assert len(waiting) + len(list(done.iterdir())) == 40
    assert taken >= len(list(done.iterdir()))


def test_files_of_a_source_of_defence_are_not_even_opened(tmp_path):
    drop = Drop(tmp_path, purpose="defence")
    path = drop.write("cam-9.json", b"29A-123.45")
    path.chmod(0)
    assert drop.watcher.scan() == 1
    assert drop.records() == []
    refused = drop.folder / "refused"
    reason = (refused / "cam-9.json.reason.txt").read_text()
    assert reason == "this hub takes nothing from this source\n"
    assert metrics.value("hub_records_dropped_total", reason="not-taken", source_id="files") == 1
    drop.log.close()
