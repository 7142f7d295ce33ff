"""What a crash, a full disk or a failing disk left of a log, made readable again.

Whole records stay, in order. Everything that is none, a torn or scrambled tail or flipped bytes,
is moved aside into `quarantine/`, with a log line, and never silently dropped.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hub.ingest import framing

__all__ = ["QUARANTINE", "SUFFIX", "Recovered", "SegmentFile", "create", "recover", "sync_folder"]

_log = logging.getLogger("hub.ingest.recovery")

SUFFIX = ".seg"
QUARANTINE = "quarantine"
_TEMPORARY = ".tmp"


@dataclass(slots=True)
class SegmentFile:
    """A segment on disk: its header, its durable length and its records."""

    path: Path
    head: framing.Segment
    end: int = framing.HEADER_LENGTH
    last: int = -1
    """Sequence number of its last record; one below its first while it has none."""
    count: int = 0
    ceiling: int = -1
    """No number above it or its last can have been used here; set where damage took some away."""

    @property
    def first(self) -> int:
        """Sequence number that its first record has or would have had."""
        return self.head.first


def create(folder: Path, first: int) -> tuple[SegmentFile, int]:
    """A new segment, durable with its header, and its open descriptor.

    It takes its name only once it is whole, so a crash leaves no half of a header.
    """
    head = framing.new_segment(first)
    path = folder / f"{first:020d}{SUFFIX}"
    temporary = path.with_suffix(_TEMPORARY)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        _write_all(descriptor, head.header())
        os.fsync(descriptor)
        temporary.rename(path)
        sync_folder(folder)
    except OSError:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
        raise
    return SegmentFile(path, head, last=first - 1), descriptor


class Recovered(NamedTuple):
    """What `recover` found."""

    segments: list[SegmentFile]
    """With at least one whole record, in order."""
    unused: int
    """The lowest sequence number that was certainly never used."""
    empty: list[Path]
    """Files without a record, to be deleted once a newer segment keeps the numbers."""


def recover(folder: Path) -> Recovered:
    """Read all segments of a log, mend them, and say where the numbers go on."""
    for temporary in folder.glob(f"*{_TEMPORARY}"):
        temporary.unlink()
    segments: list[SegmentFile] = []
    empty: list[Path] = []
    unused = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        found, ceiling = _recover_segment(path, unused)
        unused = max(unused, ceiling)
        if found is not None and found.count:
            segments.append(found)
        else:
            empty.append(path)
    return Recovered(segments, unused, empty)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _recover_segment(path: Path, unused: int) -> tuple[SegmentFile | None, int]:
    """One file's records and the lowest number that it can't have used."""
    data = path.read_bytes()
    head = framing.segment_of(data)
    # However short the records were, it can't have held more than this many.
    most = len(data) // framing.FRAME_OVERHEAD + 1
    if head is None:
        _set_aside(path, data, [framing.Damage(0, len(data))], kept=0)
        first = int(path.stem) if path.stem.isdecimal() else unused
        return None, first + most
    segment = SegmentFile(path, head, last=head.first - 1)
    damages: list[framing.Damage] = []
    for piece in framing.scan(head, data):
        if isinstance(piece, framing.Damage):
            damages.append(piece)
        else:
            segment.last = piece.sequence
            segment.count += 1
            segment.end = piece.end
    if data[: framing.HEADER_LENGTH] != head.header():
        damages.insert(0, framing.Damage(0, framing.HEADER_LENGTH))
    if damages:
        _set_aside(path, data, damages, kept=segment.count)
        _rewrite(segment, data)
        segment.ceiling = segment.last + most
        return segment, segment.ceiling + 1
    return segment, segment.last + 1


def _set_aside(path: Path, data: bytes, damages: list[framing.Damage], *, kept: int) -> None:
    folder = path.parent / QUARANTINE
    folder.mkdir(exist_ok=True)
    for damage in damages:
        target = folder / f"{path.stem}-{damage.start}.bad"
        number = 0
        while target.exists():
            number += 1
            target = folder / f"{path.stem}-{damage.start}.{number}.bad"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write_all(descriptor, data[damage.start : damage.end])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # In the middle it can only be the disk: those bytes were acknowledged once.
        middle = damage.end < len(data) or kept == 0
        _log.log(
            logging.ERROR if middle else logging.WARNING,
            "bytes that are no record were moved aside: segment=%s offset=%d bytes=%d "
            "records_kept=%d quarantine=%s",
            path.name,
            damage.start,
            damage.end - damage.start,
            kept,
            target,
        )
    sync_folder(folder)
    sync_folder(path.parent)


def _rewrite(segment: SegmentFile, data: bytes) -> None:
    """Replace a damaged segment by one with its whole records only."""
    temporary = segment.path.with_suffix(_TEMPORARY)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write_all(descriptor, segment.head.header())
        segment.end = framing.HEADER_LENGTH
        for piece in framing.scan(segment.head, data):
            if isinstance(piece, framing.Frame):
                _write_all(descriptor, data[piece.start : piece.end])
                segment.end += piece.end - piece.start
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(segment.path)
    sync_folder(segment.path.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
