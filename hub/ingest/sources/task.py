"""Keeps one source going: connects, waits after a failure, connects again, until cancelled."""

import asyncio
import logging
import random

from hub.errors import HubError
from hub.ingest.intake import Source
from hub.ingest.sources.backoff import Backoff
from hub.ingest.sources.inlet import Inlet, Services
from hub.ingest.sources.state import SourceState
from hub.ingest.sources.transport import SourceDownError, Transport

__all__ = ["SourceTask"]

_log = logging.getLogger("hub.ingest.sources")

# A process with a thousand sources does not go to all of them in its first moment.
_SPREAD_S = 2.0
_STANDBY_S = 5.0
_CHANCE = random.SystemRandom()


class SourceTask:
    """One source's task; `make` gives its transport."""

    def __init__(
        self,
        source: Source,
        transport: Transport,
        services: Services,
        *,
        backoff: Backoff | None = None,
        spread_s: float = _SPREAD_S,
    ) -> None:
        self.source = source
        self.state = SourceState(source)
        self._transport = transport
        self._services = services
        self._inlet = Inlet(source, services, self.state)
        self._backoff = backoff or Backoff()
        self._spread_s = spread_s

    async def run(self) -> None:
        """Until cancelled. Whatever goes wrong here is this source's alone."""
        self.state.begin()
        if self.source.refused:
            self.state.aside("not-taken", "this hub takes nothing from this source")
            return
        while not self._services.cursors.claim(self.source.id):
            self.state.aside("standby", "another process of this machine reads it")
            await asyncio.sleep(_STANDBY_S)
        try:
            await asyncio.sleep(_CHANCE.uniform(0, self._spread_s))
            while True:
                pause_s = await self._attempt()
                await asyncio.sleep(pause_s)
        finally:
            self._services.cursors.release(self.source.id)

    async def _attempt(self) -> float:
        """One connection, from its beginning to its end; how long to wait for the next."""
        self._inlet.connecting()
        reason, retry_after_s = "the source ended the connection", None
        try:
            await self._transport.run(self._inlet)
        except SourceDownError as error:
            reason, retry_after_s = error.what, error.retry_after_s
            self.source.metrics.error(error)
        except HubError as error:
            reason = str(error)
            self.source.metrics.error(error)
        except TimeoutError as error:
            reason = "no answer in time"
            self.source.metrics.error(error)
        except OSError as error:
            # Its text may quote what a peer sent; the system's own words do not.
            reason = error.strerror or type(error).__name__
            self.source.metrics.error(error)
        except Exception as error:  # noqa: BLE001 - one source's fault never ends another's task
            reason = f"failed with {type(error).__name__}"
            self.source.metrics.error(error)
            if self.state.word != "down":
                _log.exception("a transport failed: source=%s", self.source.id)
        self.state.down(reason)
        return self._backoff.pause_s(held_s=self._inlet.held_s, retry_after_s=retry_after_s)
