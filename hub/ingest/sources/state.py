"""How each source stands, since when, and why: for `/sources`, `/metrics` and the log.

An outage is one line in the log and its end another, however often was tried between them.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

from hub.ingest.intake import Source

__all__ = ["SourceState", "Word"]

_log = logging.getLogger("hub.ingest.sources")

Word = Literal["connecting", "up", "down", "not-taken", "standby"]


class SourceState:
    """One source's state; used from the event loop only."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self.word: Word = "connecting"
        self.reason = ""
        self.since = clock()
        self.outages = 0

    def begin(self) -> None:
        """Its task runs."""
        self._enter("connecting")

    def up(self) -> None:
        """It works; ends an outage."""
        if self.word == "up":
            return
        lasted_s = self._clock() - self.since
        if self.word == "down":
            _log.info("source is back: source=%s down_s=%.0f", self._source.id, lasted_s)
        self._enter("up")

    def down(self, reason: str) -> None:
        """It does not work; the first time of an outage is logged."""
        if self.word == "down":
            self.reason = reason
            return
        self._enter("down", reason)
        self.outages += 1
        kind = self._source.config.transport.kind
        _log.warning("source is down: source=%s by=%s: %s", self._source.id, kind, reason)

    def aside(self, word: Word, reason: str) -> None:
        """It is not gone to: its data are not taken, or another process does it."""
        if self.word != word:
            self._enter(word, reason)
            _log.info("source is not read: source=%s: %s", self._source.id, reason)

    def gone(self) -> None:
        """Its entry was removed, or became another one."""
        self._source.metrics.source_gone(self._source.id)

    def report(self) -> dict[str, Any]:
        """What `/sources` says of it."""
        return {
            "transport": self._source.config.transport.kind,
            "state": self.word,
            "since": round(self.since, 3),
            "reason": self.reason,
            "outages": self.outages,
        }

    def _enter(self, word: Word, reason: str = "") -> None:
        self.word, self.reason, self.since = word, reason, self._clock()
        self._measure()

    def _measure(self) -> None:
        self._source.metrics.source_state(self._source.id, up=self.word == "up", since=self.since)
