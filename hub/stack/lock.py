"""Who may use a folder: file locks, the owner of a data folder, free space."""

import contextlib
import errno
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hub.stack.errors import StackError

__all__ = ["file_lock", "require_space", "try_lock"]

FREE_BYTES_MIN = 1 << 30


def require_space(folder: Path, what: str) -> None:
    """Refuse early when less than 1 GiB is free: Kafka stops hard on a full disk."""
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        raise StackError(
            f"only {free / (1 << 20):.0f} MiB are free, {what} needs 1 GiB",
            where=str(folder),
            fix="free some space, or choose a folder on another disk",
        )


def try_lock(path: Path) -> IO[str] | None:
    """Lock a file without waiting; None when another process holds it.

    The kernel drops the lock with its process, so a lock is never stale. The file is never
    deleted: a second process could then lock another file of the same name.
    """
    if sys.platform == "win32":
        raise StackError(
            "the embedded stack does not run on Windows itself",
            where=sys.platform,
            fix="use WSL, or point the hub at another Kafka",
        )
    import fcntl

    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return None
        raise
    return file


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Lock a file, waiting for whoever holds it; says so when it has to wait."""
    file = try_lock(path)
    if file is None:
        import fcntl

        sys.stderr.write(f"Waiting for another process that is fetching into {path.parent} ...\n")
        file = path.open("a+", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
    with file:
        yield
