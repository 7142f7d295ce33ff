"""Files by path: written whole and durably, listed, copied, removed. In a folder, or elsewhere."""

import logging
import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.errors import EnvironmentNotReadyError, HubError, UnavailableError

__all__ = ["Files", "FolderFiles", "Place"]

_log = logging.getLogger("hub.evidence")
_TEMPORARY = "tmp"
_ABANDONED_S = 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """What the files are, in the words of errors."""

    what: str
    setting: str


class Files(ABC):
    """Files below one root, by paths such as `body/2026-03-14/ab/cdef`."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all; returns when it is durable."""

    @abstractmethod
    def holds(self, path: str, size: int) -> bool:
        """Whether there is a file of that size, durably."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes of a file; `FileNotFoundError` when there is none."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def copy(self, path: str, to: str) -> None:
        """Make a second file of the same bytes, durably; `FileNotFoundError` when there is none."""

    @abstractmethod
    def move(self, path: str, to: str) -> None:
        """Give a file another path."""

    @abstractmethod
    def names(self, path: str) -> list[str]:
        """Names of files and folders in a folder; none when there is no such folder."""

    @abstractmethod
    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        """Paths and sizes of all files below a folder."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_all(self, path: str) -> None:
        """Remove a folder with everything in it, if it is there."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove what writes that broke off over a day ago have left; how many files."""


class FolderFiles(Files):
    """Files in a local folder."""

    def __init__(self, root: Path, place: Place) -> None:
        self._root = root
        self._place = place
        self._made: set[Path] = set()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_ready(error, root) from error

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all; returns when it is durable."""
        target = self._root / path
        try:
            self._make_folder(target.parent)
            temporary = self._filled(data)
        except OSError as error:
            raise self._unavailable(error, target.parent) from error
        try:
            temporary.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._unavailable(error, target.parent) from error

    def holds(self, path: str, size: int) -> bool:
        """Whether there is a file of that size, durably."""
        target = self._root / path
        try:
            found = target.stat().st_size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unavailable(error, target.parent) from error
        if found != size:
            _log.warning("a stored file has a wrong size and is written anew: %s", path)
            return False
        # Another thread may have renamed it and not yet synced the folder.
        _sync_folder(target.parent)
        return True

    def read(self, path: str) -> bytes:
        """The bytes of a file; `FileNotFoundError` when there is none."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            self._check_mounted()
            raise
        except OSError as error:
            raise self._not_ready(error, self._root / path) from error

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self._root / path).is_file()

    def copy(self, path: str, to: str) -> None:
        """Make a second file of the same bytes, durably; `FileNotFoundError` when there is none."""
        source, target = self._root / path, self._root / to
        if not source.is_file():
            raise FileNotFoundError(path)
        try:
            self._make_folder(target.parent)
            target.hardlink_to(source)
            _sync_folder(target.parent)
        except FileExistsError:
            return
        except FileNotFoundError:
            raise
        except OSError:
            # Not every file system has links.
            self.write(to, self.read(path))

    def move(self, path: str, to: str) -> None:
        """Give a file another path."""
        source, target = self._root / path, self._root / to
        try:
            self._make_folder(target.parent)
            source.rename(target)
            _sync_folder(target.parent)
            _sync_folder(source.parent)
        except OSError as error:
            raise self._unavailable(error, target.parent) from error

    def names(self, path: str) -> list[str]:
        """Names of files and folders in a folder; none when there is no such folder."""
        try:
            return sorted(each.name for each in (self._root / path).iterdir())
        except FileNotFoundError:
            self._check_mounted()
            return []
        except OSError as error:
            raise self._not_ready(error, self._root / path) from error

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        """Paths and sizes of all files below a folder."""
        for folder, _, names in os.walk(self._root / path):
            for name in sorted(names):
                file = Path(folder, name)
                try:
                    size = file.stat().st_size
                except FileNotFoundError:
                    continue
                yield file.relative_to(self._root).as_posix(), size

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        target = self._root / path
        try:
            target.unlink()
            _sync_folder(target.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error, target) from error

    def remove_all(self, path: str) -> None:
        """Remove a folder with everything in it, if it is there."""
        folder = self._root / path
        # What another process puts there in this moment stays, and its folder with it.
        for at, folders, names in os.walk(folder, topdown=False):
            try:
                for name in names:
                    Path(at, name).unlink(missing_ok=True)
                for name in folders:
                    _remove_empty(Path(at, name))
            except OSError as error:
                raise self._unavailable(error, Path(at)) from error
        if folder.is_dir():
            _remove_empty(folder)
            _sync_folder(folder.parent)

    def sweep(self) -> int:
        """Remove what writes that broke off over a day ago have left; how many files."""
        before = time.time() - _ABANDONED_S
        found = 0
        # Releases up to 0.1 kept them beside the files.
        for pattern in (f"{_TEMPORARY}/.*.tmp", "[0-9a-f][0-9a-f]/.*.tmp", ".*.tmp"):
            for path in self._root.glob(pattern):
                try:
                    if path.stat().st_mtime < before:
                        path.unlink()
                        found += 1
                except FileNotFoundError:
                    continue
        return found

    def _filled(self, data: bytes) -> Path:
        """A temporary file of these bytes, synced."""
        # In a folder of the same file system: only so is a rename atomic.
        folder = self._root / _TEMPORARY
        self._make_folder(folder)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
        path, rest = Path(name), memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return path

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with those above it, durably."""
        # Synced once by every process: that another one has made it does not make it durable.
        if folder == self._root or (folder in self._made and folder.is_dir()):
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)
        self._made.add(folder)

    def _check_mounted(self) -> None:
        if not self._root.is_dir():
            raise EnvironmentNotReadyError(
                f"the folder of the {self._place.what} is gone",
                where=str(self._root),
                fix=f"mount it, or correct {self._place.setting}",
            )

    def _unavailable(self, error: OSError, where: Path) -> HubError:
        return UnavailableError(
            f"the {self._place.what} can't be written: {error.strerror}",
            where=str(where),
            fix="free space on this disk, or check that it is mounted and writable",
        )

    def _not_ready(self, error: OSError, where: Path) -> HubError:
        return EnvironmentNotReadyError(
            f"the {self._place.what} can't be used: {error.strerror}",
            where=str(where),
            fix="check that the folder is mounted and belongs to this user",
        )


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        # Something was put there since.
        _log.info("a folder is not empty and stays: %s", folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
