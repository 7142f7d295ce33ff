"""How far each source was read: one small file each, written after the payload is durable.

A crash between the payload and its cursor makes the same page come again. It is then taken a second
time under the **same** `payload_id` (see `page_payload_id`), and its events have the ids they had.

One process at a time reads a source: locks on bytes of one file, which end with their process, so
that a second ingest on this machine takes over where a dead one stopped.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

from hub.errors import EnvironmentNotReadyError, UnavailableError
from hub.ingest.recovery import sync_folder

__all__ = ["Cursors"]

_log = logging.getLogger("hub.ingest.sources")


class Cursors:
    """The cursors of a site's sources in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claims: Counter[str] = Counter()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentNotReadyError(
                f"can't use the folder of the sources' cursors: {error.strerror}",
                where=str(folder),
                fix="check that it exists and belongs to this user",
            ) from error

    def close(self) -> None:
        """Let go of every source."""
        os.close(self._lock)

    def claim(self, source_id: str) -> bool:
        """Whether this process may read the source; from then on no other one may."""
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(source_id))
        except OSError:
            return False
        self._claims[source_id] += 1
        return True

    def release(self, source_id: str) -> None:
        """Another process may read it, unless this one has begun anew with it."""
        self._claims[source_id] -= 1
        if self._claims[source_id] == 0:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, _place(source_id))

    def load(self, source_id: str) -> dict[str, Any]:
        """The source's cursor; empty when it has none, or none that can be read."""
        path = self._path(source_id)
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            # Reading from the start repeats what has ids; not reading at all would lose.
            _log.warning("a cursor can't be read, starting over: file=%s: %s", path, error)
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, source_id: str, cursor: dict[str, Any]) -> None:
        """Replace the cursor durably: after a crash it is the old one or this one, whole."""
        path = self._path(source_id)
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                file.write(json.dumps(cursor).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(self._folder)
        except OSError as error:
            raise UnavailableError(
                f"can't write the cursor: {error.strerror}", where=str(path), fix="check this disk"
            ) from error

    def _path(self, source_id: str) -> Path:
        return self._folder / f"{source_id}.json"


def _place(source_id: str) -> int:
    """Its byte in the lock file, far apart from every other one's."""
    return int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:7], "big")
