"""The local log: what was acknowledged survives whatever happens to process, disk and files."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.errors import EnvironmentNotReadyError, InvariantError, UnavailableError
from hub.ingest import framing
from hub.ingest.disk import Disk
from hub.ingest.log import IngestLog, LogFullError
from hub.ingest.recovery import QUARANTINE

SMALL = {"max_bytes": 2**20, "segment_bytes": 4096, "group_commit_s": 0.0}


def drain(log: IngestLog) -> list[tuple[int, bytes]]:
    return log.read(log.start(), max_records=10**9, max_bytes=10**9)[0]


def bodies(log: IngestLog) -> list[bytes]:
    return [record for _, record in drain(log)]


def fill(folder: Path, records: list[bytes]) -> list[int]:
    log = IngestLog(folder, **SMALL)
    sequences = [log.append(record).result() for record in records]
    log.close()
    return sequences


def only_segment(folder: Path) -> Path:
    (path,) = [path for path in folder.glob("*.seg") if path.stat().st_size > framing.HEADER_LENGTH]
    return path


def test_records_come_back_in_order_with_rising_numbers(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    futures = [log.append(b"%d" % number) for number in range(500)]
    sequences = [future.result() for future in futures]
    assert sequences == sorted(set(sequences))
    assert drain(log) == list(zip(sequences, [b"%d" % n for n in range(500)], strict=True))
    log.close()


def test_appends_of_many_threads_share_a_sync(tmp_path):
    class Counting(Disk):
        syncs = 0
        gate = threading.Event()

        def sync(self, descriptor: int) -> None:
            # A disk that is slow until everyone has come: they must all go with the next sync.
            self.gate.wait(60)
            self.syncs += 1
            super().sync(descriptor)

    disk = Counting()
    log = IngestLog(tmp_path, max_bytes=2**24, group_commit_s=0.005, disk=disk)
    futures = [log.append(b"x" * 100) for _ in range(2_000)]
    disk.gate.set()
    for future in futures:
        future.result()
    log.close()
    assert disk.syncs < 10


def test_a_reopened_log_goes_on_with_numbers_never_used(tmp_path):
    first = fill(tmp_path, [b"a", b"b"])
    second = fill(tmp_path, [b"c"])
    assert second[0] > first[-1]
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"a", b"b", b"c"]
    log.close()


def test_a_wiped_folder_gives_no_number_twice(tmp_path):
    first = fill(tmp_path / "one", [b"a"] * 50)
    second = fill(tmp_path / "two", [b"a"])
    assert second[0] > first[-1]


def test_an_empty_log_keeps_its_numbers_when_the_clock_goes_back(tmp_path, monkeypatch):
    log = IngestLog(tmp_path, **SMALL)
    last = log.append(b"a").result()
    log.release(last)
    log.close()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    log = IngestLog(tmp_path, **SMALL)
    assert log.base > last
    log.close()


def test_a_torn_tail_is_moved_aside_and_said(tmp_path, caplog):
    fill(tmp_path, [b"first", b"second"])
    path = only_segment(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"first"]
    (aside,) = (tmp_path / QUARANTINE).iterdir()
    assert aside.read_bytes().endswith(b"sec")
    assert "moved aside" in caplog.text
    log.close()


def test_a_scrambled_tail_is_moved_aside(tmp_path):
    fill(tmp_path, [b"first"])
    path = only_segment(tmp_path)
    garbage = os.urandom(700)
    path.write_bytes(path.read_bytes() + garbage)
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"first"]
    (aside,) = (tmp_path / QUARANTINE).iterdir()
    assert aside.read_bytes() == garbage
    log.close()


def test_a_flipped_byte_costs_its_own_record_only(tmp_path, caplog):
    sequences = fill(tmp_path, [b"first", b"second", b"third"])
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"second")] ^= 1
    path.write_bytes(data)
    log = IngestLog(tmp_path, **SMALL)
    assert drain(log) == [(sequences[0], b"first"), (sequences[2], b"third")]
    assert any(record.levelname == "ERROR" for record in caplog.records)
    log.close()


@pytest.mark.parametrize("size", [0, 10, framing.HEADER_LENGTH - 1])
def test_a_file_without_a_whole_header_is_moved_aside(tmp_path, size):
    fill(tmp_path, [b"first"])
    later = tmp_path / f"{2**53:020d}.seg"
    later.write_bytes(b"HUBLOG1\n" + os.urandom(99)[: max(0, size - 8)] if size else b"")
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"first"]
    assert log.base > 2**53, "the lost file may have used numbers from its name on"
    assert not later.exists()
    log.close()


@pytest.mark.parametrize("at", range(0, framing.HEADER_LENGTH, 5))
def test_a_flipped_byte_in_a_header_loses_nothing(tmp_path, at):
    fill(tmp_path, [b"first", b"second"])
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"first", b"second"]
    log.close()


def test_a_payload_that_looks_like_a_frame_is_never_one(tmp_path):
    fill(tmp_path, [b"first"])
    path = only_segment(tmp_path)
    # A frame of another segment, as left on a disk or sent by somebody who knows the format.
    foreign = framing.encode(framing.new_segment(1), 2**60, b"forged")
    path.write_bytes(path.read_bytes() + foreign)
    log = IngestLog(tmp_path, **SMALL)
    assert bodies(log) == [b"first"]
    log.close()


def test_a_full_log_refuses_until_it_is_drained(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    accepted = []
    while log.used_bytes + 1100 < SMALL["max_bytes"]:
        accepted.append(log.append(b"x" * 1000).result())
    with pytest.raises(LogFullError):
        log.append(b"x" * 1100)
    assert log.used_bytes <= SMALL["max_bytes"]
    assert not log.has_room
    log.release(accepted[-1])
    assert log.has_room
    assert log.append(b"again").result() > accepted[-1]
    assert len(list(tmp_path.glob("*.seg"))) <= 3
    log.close()


class Faulty(Disk):
    """A disk that fails when it is told to."""

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.wrote_part = False

    def write(self, descriptor: int, data: memoryview) -> int:
        if code := self.fail.get("write"):
            if not self.wrote_part and len(data) > 1:
                self.wrote_part = True
                return super().write(descriptor, data[: len(data) // 2])
            self.wrote_part = False
            raise OSError(code, os.strerror(code))
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        if code := self.fail.get("sync"):
            raise OSError(code, os.strerror(code))
        super().sync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        if code := self.fail.get("truncate"):
            raise OSError(code, os.strerror(code))
        super().truncate(descriptor, length)


@pytest.mark.parametrize(
    "fail",
    [
        {"write": errno.ENOSPC},
        {"write": errno.EIO},
        {"sync": errno.EIO},
        {"sync": errno.ENOSPC},
        {"write": errno.ENOSPC, "truncate": errno.EIO},
    ],
)
def test_a_failing_disk_refuses_and_the_log_stays_whole(tmp_path, fail):
    disk = Faulty()
    log = IngestLog(tmp_path, disk=disk, **SMALL)
    kept = [log.append(b"before").result()]
    disk.fail = fail
    for _ in range(2):
        with pytest.raises(UnavailableError) as caught:
            log.append(b"refused").result()
        full = fail.get("write") == errno.ENOSPC or fail.get("sync") == errno.ENOSPC
        assert isinstance(caught.value, LogFullError) == full
    disk.fail = {}
    kept.append(log.append(b"after").result())
    assert drain(log) == [(kept[0], b"before"), (kept[1], b"after")]
    log.close()
    log = IngestLog(tmp_path, **SMALL)
    found = drain(log)
    assert [each for each in found if each[1] != b"refused"] == [
        (kept[0], b"before"),
        (kept[1], b"after"),
    ]
    assert len({sequence for sequence, _ in found}) == len(found)
    log.close()


def test_a_second_process_is_told_who_holds_the_log(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    code = (
        "import sys; from pathlib import Path; from hub.ingest.log import IngestLog;"
        "IngestLog(Path(sys.argv[1]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert f"process {os.getpid()} uses this ingest log" in run.stderr
    log.close()
    IngestLog(tmp_path, **SMALL).close()


def test_a_log_can_not_be_opened_twice_in_one_process(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    with pytest.raises(EnvironmentNotReadyError, match=str(os.getpid())):
        IngestLog(tmp_path, **SMALL)
    log.close()


def test_a_closed_log_takes_nothing(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    future = log.append(b"queued")
    log.close()
    assert future.result() > 0
    with pytest.raises(UnavailableError):
        log.append(b"late")


def test_a_reader_waits_for_the_next_record(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    position = log.start()
    assert not log.wait(position, 0.01)
    threading.Timer(0.05, lambda: log.append(b"x")).start()
    assert log.wait(position, 10)
    log.close()


def test_damage_under_a_running_reader_stops_it(tmp_path):
    log = IngestLog(tmp_path, **SMALL)
    log.append(b"first").result()
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvariantError, match="damaged"):
        drain(log)
    log.close()


@given(st.lists(st.binary(max_size=300), max_size=20), st.data())
def test_any_damage_keeps_every_record_it_does_not_touch(records, data):
    segment = framing.new_segment(1)
    whole = segment.header() + b"".join(
        framing.encode(segment, 1 + index, record) for index, record in enumerate(records)
    )
    frames = list(framing.scan(segment, whole))
    assert [frame.record for frame in frames] == records
    start = data.draw(st.integers(framing.HEADER_LENGTH, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    damaged = whole[:start] + bytes(byte ^ 0x5A for byte in whole[start:end]) + whole[end:]
    found = list(framing.scan(segment, damaged))
    kept = [piece.record for piece in found if isinstance(piece, framing.Frame)]
    assert kept == [
        frame.record for frame in frames if start == end or frame.end <= start or frame.start >= end
    ]
    pieces = [(piece.start, piece.end) for piece in found]
    assert all(one[1] == two[0] for one, two in pairwise(pieces))


class LogMachine(RuleBasedStateMachine):
    """Append, crash at any byte, reopen and drain, in any order."""

    @initialize(folder=st.uuids())
    def opened(self, folder) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"log-{folder.hex[:6]}"))
        self.acknowledged: list[tuple[int, bytes]] = []
        self.released = -1
        self.open()

    def open(self) -> None:
        self.log = IngestLog(self.folder, max_bytes=2**20, segment_bytes=600, group_commit_s=0.0)
        assert self.log.base > max([self.released, *(s for s, _ in self.acknowledged)])

    @rule(records=st.lists(st.binary(max_size=200), min_size=1, max_size=8))
    def append(self, records) -> None:
        futures = [self.log.append(record) for record in records]
        self.acknowledged += [
            (future.result(), record) for future, record in zip(futures, records, strict=True)
        ]

    @rule(count=st.integers(1, 10))
    def drain(self, count) -> None:
        position = self.log.after(self.released)
        found, _ = self.log.read(position, max_records=count, max_bytes=10**6)
        expected = [each for each in self.acknowledged if each[0] > self.released]
        assert found == expected[: len(found)]
        assert bool(found) == bool(expected)
        if found:
            self.released = found[-1][0]
            self.log.release(self.released)
            assert self.log.covers(self.released)

    @rule(
        unacknowledged=st.binary(min_size=1, max_size=80),
        keep=st.floats(0, 1),
        scramble=st.binary(max_size=60),
    )
    def crash(self, unacknowledged, keep, scramble) -> None:
        """A write that was never synced is on the disk in part, or as something else."""
        active = self.log._segments[-1]
        frame = framing.encode(active.head, self.log._next, unacknowledged)
        self.log.close()
        with active.path.open("ab") as file:
            file.write(frame[: int(len(frame) * min(keep, 0.99))] + scramble)
        self.open()

    @rule()
    def restart(self) -> None:
        self.log.close()
        self.open()

    @precondition(lambda self: hasattr(self, "log"))
    @invariant()
    def everything_acknowledged_is_there_once_and_in_order(self) -> None:
        position = self.log.after(self.released)
        found, _ = self.log.read(position, max_records=10**6, max_bytes=10**9)
        assert found == [each for each in self.acknowledged if each[0] > self.released]

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            shutil.rmtree(self.folder)


LogMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLogMachine = LogMachine.TestCase
