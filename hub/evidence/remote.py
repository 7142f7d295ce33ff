"""Files behind an fsspec file system; an error never holds the URL, which may hold a key."""

from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
from fsspec.registry import known_implementations

from hub.errors import ConfigError, UnavailableError
from hub.evidence.files import Files, Place

__all__ = ["RemoteFiles"]


class RemoteFiles(Files):
    """Files in an object store, or whatever else fsspec reaches."""

    def __init__(self, url: str, place: Place) -> None:
        self._protocol = url.partition("://")[0]
        self._place = place
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            package = _package(self._protocol)
            raise ConfigError(
                f"{place.what} at {self._protocol}:// needs the package {package}",
                where=place.setting,
                fix=f"pip install {package}",
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"{self._protocol}:// is no kind of store that fsspec knows",
                where=place.setting,
                fix="give a folder, or a URL such as s3://bucket/prefix",
            ) from error
        self._root = str(root).rstrip("/")

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all; returns when it is durable."""
        with self._reached():
            self._fs.makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(self._at(path), data)

    def holds(self, path: str, size: int) -> bool:
        """Whether there is a file of that size, durably."""
        # A put that broke off may have left a part: only the right size counts as stored.
        with self._reached():
            try:
                found: object = self._fs.info(self._at(path))["size"]
            except FileNotFoundError:
                return False
        return found == size

    def read(self, path: str) -> bytes:
        """The bytes of a file; `FileNotFoundError` when there is none."""
        with self._reached():
            data: bytes = self._fs.cat_file(self._at(path))
        return data

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        with self._reached():
            return bool(self._fs.isfile(self._at(path)))

    def copy(self, path: str, to: str) -> None:
        """Make a second file of the same bytes, durably; `FileNotFoundError` when there is none."""
        with self._reached():
            self._fs.makedirs(self._at(to).rpartition("/")[0], exist_ok=True)
            self._fs.cp_file(self._at(path), self._at(to))

    def move(self, path: str, to: str) -> None:
        """Give a file another path."""
        self.copy(path, to)
        self.remove(path)

    def names(self, path: str) -> list[str]:
        """Names of files and folders in a folder; none when there is no such folder."""
        with self._reached():
            # What another process made since the last look counts.
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._at(path), detail=False)
            except FileNotFoundError:
                return []
        return sorted(str(each).rstrip("/").rpartition("/")[2] for each in found)

    def walk(self, path: str) -> Iterator[tuple[str, int]]:
        """Paths and sizes of all files below a folder."""
        with self._reached():
            self._fs.invalidate_cache()
            found = self._fs.find(self._at(path), detail=True)
        # Some backends name things with the bucket in front, some with a slash.
        start = len(self._root.strip("/"))
        for name, info in sorted(found.items()):
            yield name.strip("/")[start:].lstrip("/"), int(info["size"])

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with self._reached():
            try:
                self._fs.rm_file(self._at(path))
            except FileNotFoundError:
                return

    def remove_all(self, path: str) -> None:
        """Remove a folder with everything in it, if it is there."""
        with self._reached():
            try:
                self._fs.rm(self._at(path), recursive=True)
            except FileNotFoundError:
                return

    def sweep(self) -> int:
        """Remove what writes that broke off have left: an object store shows none."""
        return 0

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # backends raise their own kinds of exception
            raise UnavailableError(
                f"the {self._place.what} does not answer ({type(error).__name__})",
                where=f"{self._protocol}://",
                fix="check that the store can be reached and that its credentials are valid",
            ) from error


def _package(protocol: str) -> str:
    """The package that fsspec would import for a protocol."""
    known = known_implementations.get(protocol, {}).get("class", protocol)
    return str(known).partition(".")[0]
