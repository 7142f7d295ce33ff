"""The system calls under the ingest log: appending to files, and holding a folder alone."""

import fcntl
import os
from pathlib import Path

from hub.errors import EnvironmentNotReadyError
from hub.ingest.recovery import SegmentFile, create

__all__ = ["Disk", "lock_folder"]


class Disk:
    """The system calls of appending, in one place so that a test can make them fail."""

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Return when the data is on the disk."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file back."""
        os.ftruncate(descriptor, length)

    def create(self, folder: Path, first: int) -> tuple[SegmentFile, int]:
        """Make a new segment."""
        return create(folder, first)


def lock_folder(folder: Path) -> int:
    """Hold the folder for this process; the descriptor keeps it until it is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EnvironmentNotReadyError(
            f"can't use the folder of the ingest log: {error.strerror}",
            where=str(folder),
            fix="check that it exists and belongs to this user",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise EnvironmentNotReadyError(
            f"process {owner} uses this ingest log",
            where=str(folder),
            fix="stop that process, or give this one a slot of its own (--slot, HUB_SLOT)",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
