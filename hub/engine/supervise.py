"""Runs a loop again after what a new start can mend."""

import logging
import threading
import time
from collections.abc import Callable

from hub.engine.loop import Loop
from hub.errors import FencedError, HubError, InvariantError, UnavailableError

__all__ = ["supervise"]

_log = logging.getLogger("hub.engine")


def supervise(
    start: Callable[[], Loop],
    stop: threading.Event,
    *,
    failed: Callable[[HubError], None] = lambda _error: None,
    fences_max: int = 3,
    window_s: float = 60,
) -> None:
    """Run a loop again after what a new start can mend; raise what it can't.

    Two processes in one slot fence each other for ever: `fences_max` fences within `window_s`
    end this one.
    """
    fenced: list[float] = []
    wait_s = 0.2
    while not stop.is_set():
        began = time.monotonic()
        try:
            start().run(stop)
        except InvariantError:
            raise
        except FencedError as error:
            failed(error)
            now = time.monotonic()
            fenced = [at for at in fenced if now - at < window_s] + [now]
            if len(fenced) >= fences_max:
                raise FencedError(
                    f"fenced {len(fenced)} times within {window_s:.0f} s: {error.what}",
                    fix="give every process a slot of its own (--slot, HUB_SLOT)",
                ) from error
            _log.warning("starting over: %s", error)
        except UnavailableError as error:
            failed(error)
            _log.warning("waiting %.1f s: %s", wait_s, error)
        wait_s = 0.2 if time.monotonic() - began > window_s else min(5.0, wait_s * 2)
        stop.wait(wait_s if not stop.is_set() else 0)
