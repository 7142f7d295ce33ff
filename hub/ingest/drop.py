"""Watched folders: a file that no longer changes is a payload.

The folder is looked at again and again, which works on every file system, network shares too. A
file is read when its size, time and inode stay the same for `settle_s`, made durable, then moved to
`done/`. What can't be taken goes to `refused/` with the reason beside it. Names that begin with a
dot, or end in `.part` or `.tmp`, are still being written and are left alone.

The process may die at any moment. Before the move nothing is lost, as the file is still there.
After a death between the log and the move, the end of the log says that the file was taken, and it
is only moved: its `payload_id` is made of source, file name, modification time and SHA-256.
Remains: a power cut may undo the moves of the last seconds, and another ingest, with a log of its
own, may go on with the folder. Then a file is in raw a second time, under the **same** id.
"""

import hashlib
import logging
import os
import stat
import threading
import time
from pathlib import Path
from typing import NamedTuple

from hub import transports
from hub.errors import ConfigError, HubError
from hub.ingest.intake import Arrival, Intake, Source
from hub.ingest.records import file_payload_id, pack

__all__ = ["DropFolder"]

_log = logging.getLogger("hub.ingest.drop")

DONE, REFUSED = "done", "refused"
_POLL_S = 0.5
_BACKOFF_S = 2.0
_UNFINISHED = (".part", ".tmp")
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".xml": "application/xml",
    ".csv": "text/csv",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".zip": "application/zip",
}


class _Seen(NamedTuple):
    """A file as it was first seen in this state."""

    signature: tuple[int, int, int]
    since: float


class DropFolder:
    """One source's folder, watched by one thread."""

    def __init__(self, intake: Intake, source: Source) -> None:
        transport = source.config.transport
        assert isinstance(transport, transports.DropFolder)
        self._intake = intake
        self._source = source
        self._folder = transport.folder
        self._settle_s = transport.settle_s
        self._limit = source.config.limits.body_bytes
        self._seen: dict[str, _Seen] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"drop-{source.id}", daemon=True)
        try:
            for folder in (self._folder, self._folder / DONE, self._folder / REFUSED):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"can't use the folder: {error.strerror}",
                where=f"source.{source.id}.transport.folder",
                fix="make it, and give it to the user the hub runs as",
            ) from error

    def start(self) -> None:
        """Begin to watch, before anything is moved from the log to Kafka."""
        self.finish()
        self._thread.start()

    def stop(self) -> None:
        """End after the file at hand."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def scan(self) -> int:
        """Look once; how many files were taken or refused."""
        handled = 0
        now = time.monotonic()
        present: dict[str, _Seen] = {}
        for name, status in self._candidates():
            signature = (status.st_size, status.st_mtime_ns, status.st_ino)
            seen = self._seen.get(name)
            if seen is None or seen.signature != signature:
                seen = _Seen(signature, now)
            if now - seen.since < self._settle_s or self._stop.is_set():
                present[name] = seen
            elif self._handle(self._folder / name, status):
                handled += 1
        self._seen = present
        return handled

    def finish(self) -> None:
        """Move the file that was at hand at a death, if it is in the log."""
        taken = self._intake.at_hand.take(self._source.id)
        if not taken or self._source.refused:
            return
        path = self._folder / taken[-1].path
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > self._limit:
                return
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            if self._payload_id(path, status.st_mtime_ns, sha256) == taken[-1].payload_id:
                _move(path, self._folder / DONE)
        except OSError:
            return  # moved in time; or the watching goes on with it, and says what is wrong

    def _run(self) -> None:
        poll_s = min(_POLL_S, max(0.02, self._settle_s / 2))
        while not self._stop.wait(poll_s):
            try:
                self.scan()
            except (HubError, OSError) as error:
                # Full log, full disk or a share that is away: the files wait where they are.
                self._source.metrics.error(error)
                _log.warning("drop folder waits: source=%s %s", self._source.id, error)
                self._stop.wait(_BACKOFF_S)

    def _candidates(self) -> list[tuple[str, os.stat_result]]:
        """Files that may be payloads, oldest first."""
        found: list[tuple[str, os.stat_result]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue  # gone since it was listed: its writer renamed it
        return sorted(found, key=lambda each: (each[1].st_mtime_ns, each[0]))

    def _handle(self, path: Path, status: os.stat_result) -> bool:
        """Take a settled file, or refuse it; False when it changed after all."""
        if self._source.refused:
            self._refuse(path, "this hub takes nothing from this source", "not-taken")
            return True
        limit = self._limit
        if status.st_size > limit:
            self._refuse(path, f"{status.st_size} bytes; this source may send {limit}")
            return True
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._refuse(path, f"can't be read: {error.strerror}")
            return True
        with os.fdopen(descriptor, "rb") as file:
            body = file.read(limit + 1)
            after = os.fstat(file.fileno())
        if len(body) != status.st_size or after.st_mtime_ns != status.st_mtime_ns:
            return False
        self._take(path, body, status.st_mtime_ns)
        return True

    def _take(self, path: Path, body: bytes, modified_ns: int) -> None:
        sha256 = hashlib.sha256(body).hexdigest()
        content_type = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        arrival = Arrival(
            body,
            content_type,
            {"path": path.name},
            self._payload_id(path, modified_ns, sha256),
            time.time(),
        )
        stored = None
        if self._intake.belongs_in_evidence(len(body), content_type):
            stored = self._intake.evidence.put(body, "body")
        record = pack(self._intake.record(self._source, arrival, stored=stored))
        self._intake.log(self._source).append(record).result()
        _move(path, self._folder / DONE)
        self._intake.count(self._source, arrival)

    def _payload_id(self, path: Path, modified_ns: int, sha256: str) -> str:
        return file_payload_id(self._source.id, path.name, modified_ns, sha256)

    def _refuse(self, path: Path, reason: str, code: str = "file-refused") -> None:
        target = _move(path, self._folder / REFUSED)
        if target is None:
            return
        target.with_name(f"{target.name}.reason.txt").write_text(f"{reason}\n", "utf-8")
        self._source.metrics.dropped(1, code, topic=self._source.topic, source_id=self._source.id)
        _log.warning("file refused: source=%s reason=%s", self._source.id, reason)


def _move(path: Path, folder: Path) -> Path | None:
    """Move a file under its name, or with a number when that is taken; None when it is gone."""
    target, number = folder / path.name, 0
    while target.exists():
        number += 1
        target = folder / f"{path.name}.{number}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target
