"""The evidence store: payloads and pictures by the SHA-256 of their bytes.

What is in it can't change without its name no longer fitting, so every read checks the hash, and
storing the same bytes twice is one object. `put` returns only when the bytes are durable. The
default is a folder; any fsspec URL (`s3://bucket/prefix`, …) works with its package installed.
"""

import hashlib
import logging
import os
import re
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

import fsspec
from fsspec.registry import known_implementations

from hub.errors import (
    ConfigError,
    EnvironmentNotReadyError,
    HubError,
    RecordError,
    UnavailableError,
)

__all__ = ["EvidenceStore", "FolderStore", "RemoteStore"]

_log = logging.getLogger("hub.evidence")
_HEX = re.compile(r"[0-9a-f]{64}")
_PIECE = 2**20


class EvidenceStore(ABC):
    """Bytes by their SHA-256; `EvidenceStore.open` chooses the kind."""

    @staticmethod
    def open(place: str) -> "EvidenceStore":
        """A store in a folder, or at an fsspec URL; `ConfigError` when its package is missing."""
        protocol, separator, rest = place.partition("://")
        if not separator:
            return FolderStore(Path(place))
        if protocol in {"file", "local"}:
            return FolderStore(Path(rest))
        return RemoteStore(place)

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Store durably, unless it is there; the name is the SHA-256 in hex."""

    @abstractmethod
    def put_file(self, path: Path) -> str:
        """Store a file's bytes, read in pieces."""

    @abstractmethod
    def _read(self, name: str) -> bytes:
        """The stored bytes; `FileNotFoundError` when there are none."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there are bytes of that name."""

    def get(self, name: str) -> bytes:
        """The bytes of that name (`sha256:` in front is allowed), checked against it."""
        name = checked_name(name)
        try:
            data = self._read(name)
        except FileNotFoundError as error:
            raise RecordError(
                "no such bytes in the evidence store",
                code="evidence-missing",
                where=name,
                fix="check evidence_url; bodies are kept as long as their raw topic",
            ) from error
        if hashlib.sha256(data).hexdigest() != name:
            raise RecordError(
                "the stored bytes are damaged: their SHA-256 differs",
                code="evidence-corrupt",
                where=name,
                fix="restore the object from a copy",
            )
        return data


def checked_name(name: str) -> str:
    """The 64 hex digits of a name; `RecordError` for anything else, which is never a path."""
    digits = name.removeprefix("sha256:")
    if not _HEX.fullmatch(digits):
        raise RecordError("not a SHA-256 in lower-case hex", code="evidence-name")
    return digits


class FolderStore(EvidenceStore):
    """A store in a local folder: `ab/` and the other 62 digits."""

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_ready(error, root) from error

    def put(self, data: bytes) -> str:
        """Store durably, unless it is there; the name is the SHA-256 in hex."""
        name = hashlib.sha256(data).hexdigest()
        if not self._already(name, len(data)):
            descriptor, temporary = self._temporary(name)
            try:
                self._fill(descriptor, temporary, data)
            finally:
                os.close(descriptor)
            self._publish(temporary, name)
        return name

    def put_file(self, path: Path) -> str:
        """Store a file's bytes, read in pieces."""
        digest = hashlib.sha256()
        with path.open("rb") as source:
            descriptor, temporary = self._temporary("")
            try:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    self._fill(descriptor, temporary, piece)
            finally:
                os.close(descriptor)
        name = digest.hexdigest()
        if self._already(name, temporary.stat().st_size):
            temporary.unlink()
        else:
            self._publish(temporary, name)
        return name

    def exists(self, name: str) -> bool:
        """Whether there are bytes of that name."""
        return self._path(checked_name(name)).is_file()

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            if not self._root.is_dir():
                raise EnvironmentNotReadyError(
                    "the folder of the evidence store is gone",
                    where=str(self._root),
                    fix="mount it, or correct evidence_url",
                ) from None
            raise
        except OSError as error:
            raise _not_ready(error, self._path(name)) from error

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name[2:]

    def _already(self, name: str, size: int) -> bool:
        """Whether the object is there whole; its rename is made durable in any case."""
        path = self._path(name)
        try:
            if path.stat().st_size != size:
                _log.warning(
                    "evidence object has a wrong size and is written anew", extra={"sha256": name}
                )
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unavailable(error, path.parent) from error
        # Another thread may have renamed it and not yet synced the folder.
        _sync_folder(path.parent)
        return True

    def _temporary(self, name: str) -> tuple[int, Path]:
        # In the object's own folder: a rename is atomic only within one file system.
        folder = self._root / name[:2]
        try:
            if name and not folder.is_dir():
                folder.mkdir(exist_ok=True)
                _sync_folder(self._root)
            descriptor, text = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
        except OSError as error:
            raise _unavailable(error, folder) from error
        return descriptor, Path(text)

    def _fill(self, descriptor: int, path: Path, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _unavailable(error, path.parent) from error

    def _publish(self, temporary: Path, name: str) -> None:
        path = self._path(name)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
                _sync_folder(self._root)
            temporary.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _unavailable(error, path.parent) from error


class RemoteStore(EvidenceStore):
    """A store behind an fsspec file system; an error never holds the URL, which may hold a key."""

    def __init__(self, url: str) -> None:
        self._protocol = url.partition("://")[0]
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            package = _package(self._protocol)
            raise ConfigError(
                f"evidence at {self._protocol}:// needs the package {package}",
                where="evidence_url",
                fix=f"pip install {package}",
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"{self._protocol}:// is no kind of store that fsspec knows",
                where="evidence_url",
                fix="give a folder, or a URL such as s3://bucket/prefix",
            ) from error

    def put(self, data: bytes) -> str:
        """Store durably, unless it is there; the name is the SHA-256 in hex."""
        name = hashlib.sha256(data).hexdigest()
        path = self._path(name)
        try:
            # A put that broke off may have left a part: only the right size counts as stored.
            if not (self._fs.exists(path) and self._fs.size(path) == len(data)):
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(path, data)
        except Exception as error:  # backends raise their own kinds of exception
            raise self._unreachable(error) from error
        return name

    def put_file(self, path: Path) -> str:
        """Store a file's bytes; payloads are bounded, so the file is read at once."""
        return self.put(path.read_bytes())

    def exists(self, name: str) -> bool:
        """Whether there are bytes of that name."""
        path = self._path(checked_name(name))
        try:
            return bool(self._fs.exists(path))
        except Exception as error:
            raise self._unreachable(error) from error

    def _read(self, name: str) -> bytes:
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error
        return data

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name[:2]}/{name[2:]}"

    def _unreachable(self, error: Exception) -> HubError:
        return UnavailableError(
            f"the evidence store does not answer ({type(error).__name__})",
            where=f"{self._protocol}://",
            fix="check that the store can be reached and that its credentials are valid",
        )


def _package(protocol: str) -> str:
    """The package that fsspec would import for a protocol."""
    known = known_implementations.get(protocol, {}).get("class", protocol)
    return str(known).partition(".")[0]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError, where: Path) -> HubError:
    return UnavailableError(
        f"can't store evidence: {error.strerror}",
        where=str(where),
        fix="free space on this disk, or check that it is mounted and writable",
    )


def _not_ready(error: OSError, where: Path) -> HubError:
    return EnvironmentNotReadyError(
        f"the evidence store can't be used: {error.strerror}",
        where=str(where),
        fix="check that the folder is mounted and belongs to this user",
    )
