"""The work that every peer does, on bytes, and how it tells what it has done.

Needs nothing but the standard library, as each peer runs in an environment of its own. It is the
hub's work at its simplest: everything that the hub works out for a device (place, rules, view) is
looked up ready-made by the record's key, and there is no ledger.
"""

import json
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["Progress", "Work"]

_CUT = struct.Struct(">IIBI")
_PREFIX = 5
_ID = slice(5, 21)
_SAY_EVERY = 1_000


class Work:
    """The register and the two subscribers' frames, from the file that the benchmark wrote."""

    def __init__(self, file: Path) -> None:
        lines = [line.split("\t") for line in file.read_text("ascii").splitlines()]
        _, police, htmoc, nothing = lines[0]
        self._police, self._htmoc = bytes.fromhex(police), bytes.fromhex(htmoc)
        self._nothing = bytes.fromhex(nothing)
        self._tails = {
            (bytes.fromhex(key), int(present)): (bytes.fromhex(to_police), bytes.fromhex(to_htmoc))
            for key, present, to_police, to_htmoc in lines[1:]
        }

    @staticmethod
    def id_of(value: bytes) -> bytes:
        """The event id."""
        return value[_ID]

    def outputs(self, value: bytes, key: bytes, cut: bytes) -> tuple[bytes, bytes]:
        """What the two subscribers get of an event."""
        start, end, present, _ = _CUT.unpack(cut)
        police, htmoc = self._tails[key, present]
        return (
            self._police + value[_PREFIX:] + police,
            self._htmoc + value[_PREFIX:start] + self._nothing + value[end:] + htmoc,
        )


def cut_of(headers: Iterable[tuple[str, bytes]]) -> bytes:
    """The header that says where `restricted` stands."""
    return next(value for name, value in headers if name == "cut")


class Progress:
    """Tells the benchmark how far the peer is; a tenth of the events warms it up."""

    def __init__(self, count: int) -> None:
        self._count, self._warm = count, count // 10
        self._done = 0

    def ready(self) -> None:
        """Everything is loaded: wait for the start."""
        self._say("ready", partitions=0)
        sys.stdin.readline()

    def one(self) -> None:
        """One record was handled."""
        self._done += 1
        if self._done == self._warm:
            self._say("began", records=self._done)
        if self._done % _SAY_EVERY == 0 or self._done == self._count:
            self._say("done", records=self._done)

    @staticmethod
    def when_told(end: Callable[[], object]) -> None:
        """Call `end` once the benchmark has seen enough."""

        def wait() -> None:
            sys.stdin.read()
            end()

        threading.Thread(target=wait, daemon=True).start()

    @staticmethod
    def _say(what: str, **values: int) -> None:
        print(json.dumps({"say": what, "at": time.time(), **values}), flush=True)
