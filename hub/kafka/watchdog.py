"""Ends a process in which a call of the client library never comes back.

Nothing else can: such a call holds neither to its own time limit nor to a signal. What is open then
is ended by the next start, as after any crash.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["EXIT_CODE", "Watchdog"]

EXIT_CODE = 3
_log = logging.getLogger("hub.kafka.watchdog")
_TICK_S = 1.0


class Watchdog:
    """Watches the calls of one client, one at a time; a thread of its own until `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._call: tuple[int, str, float] | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._run, name=f"watchdog {name}", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    @contextmanager
    def watch(self, doing: str, limit_s: float) -> Iterator[None]:
        """Let the process end when what stands inside takes longer."""
        self._number += 1
        self._call = self._number, doing, limit_s
        try:
            yield
        finally:
            self._call = None

    def _run(self) -> None:
        seen, ticks = 0, 0
        while not self._closed.wait(_TICK_S):
            call = self._call
            number = call[0] if call else 0
            # Ticks, not a clock: while the whole process was stopped none has passed.
            ticks = ticks + 1 if number and number == seen else 0
            seen = number
            if call and ticks * _TICK_S > call[2]:
                _log.critical(
                    "%s: %s hangs; this process ends, start it again", self._name, call[1]
                )
                logging.shutdown()
                os._exit(EXIT_CODE)
