"""What ingest has answered survives a power cut, which takes whatever was not synced.

Killing a process does not show a missing sync, because the kernel still writes its pages. So the
disk under the real log and server is one that knows what was synced, and loses its power at the
very moment the log says that a payload is safe.
"""

import threading
from pathlib import Path
from typing import Any

import pytest
from ingest_support import handle, logged, make_config, post, push_source
from mutants import MUTANTS, caught

from hub.ingest.disk import Disk
from hub.ingest.log import IngestLog
from hub.ingest.recovery import SegmentFile

ANSWERS = 5


class PowerCut:
    """Disks that lose their power when the log has called so many payloads safe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.off = threading.Event()
        self._left = after
        self._synced: dict[Path, int] = {}
        cut, submit = self, IngestLog.submit

        class Failing(Disk):
            def __init__(self) -> None:
                self._paths: dict[int, Path] = {}

            def create(self, folder: Path, first: int) -> tuple[SegmentFile, int]:
                segment, descriptor = super().create(folder, first)
                self._paths[descriptor] = segment.path
                cut.synced(segment.path)
                return segment, descriptor

            def sync(self, descriptor: int) -> None:
                super().sync(descriptor)
                cut.synced(self._paths[descriptor])

        def watched(log: IngestLog, record: bytes, token: Any, settle: Any) -> None:
            def told(results: Any) -> None:
                cut.safe(len(results))
                settle(results)

            submit(log, record, token, told)

        monkeypatch.setattr("hub.ingest.log.Disk", Failing)
        monkeypatch.setattr(IngestLog, "submit", watched)

    def synced(self, path: Path) -> None:
        """Everything written to a segment is on the disk, if there is power."""
        if not self.off.is_set():
            self._synced[path] = path.stat().st_size

    def safe(self, count: int) -> None:
        """The log says so of these many payloads."""
        self._left -= count
        if self._left <= 0:
            self.off.set()

    def restore_power(self) -> None:
        """On the disk is what was synced."""
        for path, size in self._synced.items():
            with path.open("r+b") as file:
                file.truncate(size)


def answers_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = PowerCut(monkeypatch, after=ANSWERS)
    config = make_config(tmp_path, {"s1": push_source()})
    answered = []
    with handle(config) as ingest:
        while not cut.off.is_set():
            answer = post(ingest.port, "/v1/ingest/s1", b"%d" % len(answered))
            assert answer.status == 200
            answered.append(answer.json["payload_id"])
    assert len(answered) == ANSWERS
    cut.restore_power()
    kept = [dict(record.headers)["payload_id"].decode() for record in logged(tmp_path)]
    lost = [each for each in answered if each not in kept]
    assert not lost, f"{len(lost)} of {len(answered)} answered payloads are gone"


def test_every_payload_that_was_answered_survives_a_power_cut(tmp_path, monkeypatch):
    answers_survive(tmp_path, monkeypatch)


@pytest.mark.xfail(strict=True, raises=AssertionError, reason=MUTANTS["answers-before-sync"].breaks)
def test_an_answer_before_the_sync_is_caught(tmp_path, monkeypatch):
    MUTANTS["answers-before-sync"].put_in(monkeypatch.setattr)
    with caught("1 of 5 answered payloads are gone"):
        answers_survive(tmp_path, monkeypatch)
