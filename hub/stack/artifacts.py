"""Fetches the files of the embedded stack once and proves on every start that they are ours.

`artifacts.json` pins each file by Maven coordinate, SHA-256 and size. A file is hashed when it
arrives and whenever its size or time of change differs from what was last verified; otherwise a
start costs one `stat` a file and needs no network at all.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.stack.errors import StackError
from hub.stack.lock import file_lock, require_space

__all__ = ["Artifacts", "cache_folder", "fetch"]

PINS_FILE = Path(__file__).with_name("artifacts.json")
ATTEMPTS = 3
DOWNLOADS = 4
TIMEOUT_S = 30

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Pin:
    """One file: where it belongs in a Maven repository, its size and its SHA-256."""

    coordinate: str
    sha256: str
    size: int

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        """Group, name, version, classifier and packaging."""
        group, name, version, *rest = self.coordinate.split(":")
        classifier, packaging = rest or ("", "jar")
        return group, name, version, classifier, packaging

    @property
    def path(self) -> str:
        """Path under the cache's repository folder, in Maven's own layout."""
        group, name, version, classifier, packaging = self.parts
        suffix = f"-{classifier}" if classifier else ""
        folder = f"{group.replace('.', '/')}/{name}/{version}"
        return f"{folder}/{name}-{version}{suffix}.{packaging}"


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Verified files, ready to run."""

    kafka: tuple[Path, ...]
    """The class path of the broker."""
    registry: Path | None
    """The unpacked folder of the registry, when it was asked for."""


def cache_folder() -> Path:
    """Where fetched and unpacked files live: `HUB_CACHE`, else a folder under `~/.cache`."""
    named = os.environ.get("HUB_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "hanoi-event-hub"


def fetch(*, registry: bool = True) -> Artifacts:
    """Return verified files, downloading only what is missing or was changed."""
    pins = json.loads(PINS_FILE.read_text(encoding="utf-8"))
    groups = {
        kind: [Pin(coordinate, **values) for coordinate, values in pins[kind].items()]
        for kind in ("kafka", "registry")
    }
    wanted = groups["kafka"] + (groups["registry"] if registry else [])
    cache = _Cache(cache_folder())
    # The fast path takes no lock: two verified starts never wait for each other.
    if not cache.unverified(wanted) and (not registry or cache.is_unpacked(groups["registry"][0])):
        return cache.artifacts(groups, registry=registry)
    cache.prepare()
    with file_lock(cache.folder / "fetch.lock"):
        missing = cache.unverified(wanted)
        if missing:
            cache.download(missing)
        if registry and not cache.is_unpacked(groups["registry"][0]):
            cache.unpack(groups["registry"][0])
    return cache.artifacts(groups, registry=registry)


class _Cache:
    """The folder of fetched files and the marker that remembers what was verified."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.marker = folder / "verified.json"

    def prepare(self) -> None:
        try:
            self.repository.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"the cache folder cannot be made ({error.strerror})",
                where=str(self.folder),
                fix="set HUB_CACHE to a folder you may write to",
            ) from error

    def artifacts(self, groups: dict[str, list[Pin]], *, registry: bool) -> Artifacts:
        jars = tuple(self.repository / pin.path for pin in groups["kafka"])
        return Artifacts(jars, self._unpacked(groups["registry"][0]) if registry else None)

    def unverified(self, pins: list[Pin]) -> list[Pin]:
        """Pins whose file is missing or is not the very file that was verified before."""
        known = _read_json(self.marker)
        return [
            pin
            for pin in pins
            if known.get(pin.path) != [pin.sha256, *_size_and_time(self.repository / pin.path)]
        ]

    def download(self, pins: list[Pin]) -> None:
        """Fetch what is missing; a file already there is only hashed."""
        absent = [pin for pin in pins if not self._is_as_pinned(pin)]
        if absent:
            require_space(self.folder, "the files of the embedded stack")
            with _progress(sum(pin.size for pin in absent), self.folder) as advance:
                self._download_all(absent, advance)
        known = _read_json(self.marker)
        for pin in pins:
            known[pin.path] = [pin.sha256, *_size_and_time(self.repository / pin.path)]
        _write_json(self.marker, known)

    def _download_all(self, pins: list[Pin], advance: Advance) -> None:
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            futures = [pool.submit(self._download_one, pin, advance) for pin in pins]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _download_one(self, pin: Pin, advance: Advance) -> None:
        reason: Exception | None = None
        path = self.repository / pin.path
        for _ in range(ATTEMPTS):
            # What an interrupted download left would be taken for the whole file.
            path.unlink(missing_ok=True)
            try:
                _resolve(pin, self.repository, advance)
            except OSError as error:  # requests' own errors are OSErrors too
                if error.errno == errno.ENOSPC:
                    raise _disk_full(self.folder) from error
                reason = error
            except RuntimeError as error:  # jgo found it in no repository
                reason = error
            else:
                if self._is_as_pinned(pin):
                    return
                path.unlink(missing_ok=True)
                reason = ValueError("its SHA-256 differs from the pinned one")
        raise StackError(
            f"{pin.coordinate} could not be fetched after {ATTEMPTS} attempts: "
            f"{type(reason).__name__}: {reason}",
            where=str(self.folder),
            fix="check the network (a proxy is taken from HTTPS_PROXY) and start again, what has "
            "arrived is kept; or copy this folder from a machine that has fetched it",
        ) from reason

    def _is_as_pinned(self, pin: Pin) -> bool:
        path = self.repository / pin.path
        if not path.is_file() or path.stat().st_size != pin.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == pin.sha256

    def _unpacked(self, pin: Pin) -> Path:
        return self.folder / f"{pin.parts[1]}-{pin.parts[2]}-{pin.sha256[:12]}"

    def is_unpacked(self, pin: Pin) -> bool:
        """Whether the unpacked files are those that were written when it was unpacked."""
        folder = self._unpacked(pin)
        mark = _read_json(self.marker).get(folder.name)
        return mark is not None and mark == _fingerprint(folder)

    def unpack(self, pin: Pin) -> None:
        """Unpack beside the final place and move, so that half a folder is never used."""
        folder = self._unpacked(pin)
        require_space(self.folder, "the unpacked registry")
        _say(f"Unpacking {pin.coordinate} ...")
        work = Path(tempfile.mkdtemp(prefix="unpack-", dir=self.folder))
        try:
            with tarfile.open(self.repository / pin.path) as archive:
                archive.extractall(work, filter="data")
            shutil.rmtree(folder, ignore_errors=True)
            work.replace(folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(self.folder) from error
            raise StackError(
                f"{pin.coordinate} could not be unpacked: {error}",
                where=str(self.folder),
                fix="make the folder writable, or set HUB_CACHE to another one",
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _write_json(self.marker, {**_read_json(self.marker), folder.name: _fingerprint(folder)})


def _resolve(pin: Pin, repository: Path, advance: Advance) -> None:
    # Imported here: a start from verified files does without jgo and its half second of imports.
    from jgo.maven import MavenContext, PythonResolver

    @contextlib.contextmanager
    def report(_name: str, _size: int) -> Iterator[Advance]:
        yield advance

    context = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=repository,
        timeout=TIMEOUT_S,
    )
    group, name, version, classifier, packaging = pin.parts
    component = context.project(group, name).at_version(version)
    component.artifact(classifier=classifier, packaging=packaging).resolve()


@contextlib.contextmanager
def _progress(total: int, folder: Path) -> Iterator[Advance]:
    """A bar on a terminal, a line every tenth elsewhere; the callback is safe from any thread."""
    megabytes = total / 1e6
    _say(
        f"Fetching Apache Kafka and the schema registry ({megabytes:.0f} MB, once) into {folder}: "
        "they run here as ordinary processes, later starts need no network."
    )
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=total)
            yield lambda count: bar.advance(task, count)
        return
    lock = threading.Lock()
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        with lock:
            before, done = done, done + count
            if done * 10 // total > before * 10 // total:
                _say(f"  {done / 1e6:.0f} of {megabytes:.0f} MB")

    yield advance


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _disk_full(folder: Path) -> StackError:
    return StackError(
        "the disk is full",
        where=str(folder),
        fix="free 1 GiB there, or set HUB_CACHE to a folder on another disk",
    )


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (-1, -1)
    return found.st_size, found.st_mtime_ns


def _fingerprint(folder: Path) -> str:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{_size_and_time(folder / name)}\n".encode())
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        # A missing or torn marker only means that everything is verified once more.
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    work = path.with_suffix(".new")
    work.write_text(json.dumps(content, indent=1), encoding="utf-8")
    work.replace(path)
