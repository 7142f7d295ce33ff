"""What is kept by its hash, until when, and what was erased."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

from hub.errors import RecordError
from hub.evidence.files import Files, FolderFiles, Place
from hub.evidence.remote import RemoteFiles

__all__ = ["KINDS", "Erased", "EvidenceStore", "Kind", "Past", "checked_name", "files_at"]

Kind = Literal["body", "picture"]
KINDS: tuple[Kind, ...] = ("body", "picture")
# What a store of releases up to 0.1 holds, without a kind, is taken for the one kept longest.
_LONGEST: Kind = "picture"
_PLACE = Place("evidence store", "evidence_url")
_HEX = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


@dataclass(frozen=True, slots=True)
class Erased:
    """That bytes were erased: when, by which record of `erasure.v1`, until when they stay away."""

    erasure_id: str
    on: str
    """Day, UTC."""
    barred_until: str
    """Up to this day a topic may still hold the payload they came in, and give them again."""


@dataclass(frozen=True, slots=True)
class Past:
    """A day's files of one kind that are past their class."""

    kind: Kind
    day: date


def today_utc() -> date:
    """The day by this machine's clock."""
    return datetime.now(UTC).date()


def files_at(place: str, words: Place = _PLACE) -> Files:
    """Files in a folder, or at an fsspec URL; `ConfigError` when its package is missing."""
    protocol, separator, rest = place.partition("://")
    if not separator:
        return FolderFiles(Path(place), words)
    if protocol in {"file", "local"}:
        return FolderFiles(Path(rest), words)
    return RemoteFiles(place, words)


class EvidenceStore:
    """Bytes by their SHA-256; `put` returns only when they are durable, `get` checks the hash."""

    def __init__(self, files: Files, *, today: Callable[[], date] = today_utc) -> None:
        self._files = files
        self._today = today

    @classmethod
    def open(cls, place: str, *, today: Callable[[], date] = today_utc) -> "EvidenceStore":
        """A store in a folder, or at an fsspec URL."""
        return cls(files_at(place), today=today)

    def put(self, data: bytes, kind: Kind) -> str:
        """Store durably among today's, unless it is there; the name is the SHA-256 in hex.

        An erased picture is not taken back while a topic may hold the payload that it came in. A
        body is: it was accepted, so it is kept.
        """
        name = hashlib.sha256(data).hexdigest()
        path = _path(kind, self._today(), name)
        if not self._files.holds(path, len(data)) and not (kind == "picture" and self._bars(name)):
            self._files.write(path, data)
        return name

    def keep(self, name: str, kind: Kind) -> bool:
        """Keep what is stored as if it were put today; whether it is there."""
        name = checked_name(name)
        to = _path(kind, self._today(), name)
        if self._files.exists(to):
            return True
        for path in self._paths(name):
            try:
                self._files.copy(path, to)
            except FileNotFoundError:
                continue
            return True
        return False

    def get(self, name: str) -> bytes:
        """The bytes of that name (`sha256:` in front is allowed), checked against it."""
        name = checked_name(name)
        for path in self._paths(name):
            try:
                data = self._files.read(path)
            except FileNotFoundError:
                continue
            if hashlib.sha256(data).hexdigest() != name:
                raise RecordError(
                    "the stored bytes are damaged: their SHA-256 differs",
                    code="evidence-corrupt",
                    where=name,
                    fix="restore the object from a copy",
                )
            return data
        mark = self.erased(name)
        if mark is not None:
            raise RecordError(
                f"erased on {mark.on}",
                code="evidence-erased",
                where=name,
                fix=f"nothing: erasure {mark.erasure_id} in erasure.v1 says who and why",
            )
        raise RecordError(
            "no such bytes in the evidence store",
            code="evidence-missing",
            where=name,
            fix="check evidence_url; bodies are kept as long as their raw topic",
        )

    def exists(self, name: str) -> bool:
        """Whether there are bytes of that name."""
        name = checked_name(name)
        return any(self._files.exists(path) for path in self._paths(name))

    def erase(self, name: str, mark: Erased) -> int:
        """Remove every copy, and mark the name as erased before; how many copies there were."""
        name = checked_name(name)
        self._files.write(_mark_path(name), json.dumps(asdict(mark)).encode())
        found = [path for path in self._paths(name) if self._files.exists(path)]
        for path in found:
            self._files.remove(path)
        return len(found)

    def erased(self, name: str) -> Erased | None:
        """The mark of a name that was erased."""
        try:
            return Erased(**json.loads(self._files.read(_mark_path(checked_name(name)))))
        except FileNotFoundError:
            return None

    def past(self, kept_days: Mapping[str, int]) -> list[Past]:
        """The days that are past their class; `kept_days` says how long each kind is kept."""
        return [
            Past(kind, day)
            for kind in KINDS
            for day in sorted(self._days(kind))
            # Put in the last second of its day, an object is kept all those days.
            if self._today() > day + timedelta(days=kept_days[kind])
        ]

    def sizes(self, past: Past) -> dict[str, int]:
        """Names and sizes of a day's objects."""
        return {
            "".join(path.split("/")[-2:]): size
            for path, size in self._files.walk(_folder(past.kind, past.day))
        }

    def drop(self, past: Past, held: Collection[str]) -> None:
        """Remove a day's objects, except those that are held."""
        names = set(self.sizes(past)) if held else set()
        if names.isdisjoint(held):
            self._files.remove_all(_folder(past.kind, past.day))
            return
        for name in names.difference(held):
            self._files.remove(_path(past.kind, past.day, name))

    def sweep(self, marks_days: int) -> int:
        """Remove what broken-off puts have left, and marks of erasures that are past; how many.

        Objects of releases up to 0.1, which have no day, are kept from now on as if put today.
        """
        swept = self._files.sweep()
        for path, _ in list(self._files.walk("erased")):
            mark = Erased(**json.loads(self._files.read(path)))
            if self._today() > date.fromisoformat(mark.on) + timedelta(days=marks_days):
                self._files.remove(path)
                swept += 1
        for prefix in self._files.names("") if self._old else ():
            if not _PREFIX.fullmatch(prefix):
                continue
            for rest in self._files.names(prefix):
                if _REST.fullmatch(rest):
                    to = _path(_LONGEST, self._today(), prefix + rest)
                    self._files.move(f"{prefix}/{rest}", to)
        return swept

    @cached_property
    def _old(self) -> bool:
        """Whether it holds objects without a day; asked late, as it may be away at the start."""
        return any(_PREFIX.fullmatch(name) for name in self._files.names(""))

    def _bars(self, name: str) -> bool:
        mark = self.erased(name)
        return mark is not None and self._today() <= date.fromisoformat(mark.barred_until)

    def _paths(self, name: str) -> Iterator[str]:
        """Where an object may be, the likeliest first; days are listed only when those fail."""
        today = self._today()
        if self._old:
            # Before the days: what is moved to today meanwhile is found there.
            yield f"{name[:2]}/{name[2:]}"
        near = [today, today - timedelta(days=1)]
        for day in near:
            for kind in KINDS:
                yield _path(kind, day, name)
        for kind in KINDS:
            for day in sorted(self._days(kind).difference(near), reverse=True):
                yield _path(kind, day, name)

    def _days(self, kind: Kind) -> set[date]:
        found = set()
        for name in self._files.names(kind):
            try:
                found.add(date.fromisoformat(name))
            except ValueError:
                continue
        return found


def checked_name(name: str) -> str:
    """The 64 hex digits of a name; `RecordError` for anything else, which is never a path."""
    digits = name.removeprefix("sha256:")
    if not _HEX.fullmatch(digits):
        raise RecordError("not a SHA-256 in lower-case hex", code="evidence-name")
    return digits


def _folder(kind: Kind, day: date) -> str:
    return f"{kind}/{day.isoformat()}"


def _path(kind: Kind, day: date, name: str) -> str:
    return f"{_folder(kind, day)}/{name[:2]}/{name[2:]}"


def _mark_path(name: str) -> str:
    return f"erased/{name[:2]}/{name[2:]}"
