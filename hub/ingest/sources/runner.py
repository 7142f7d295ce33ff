"""All sources that a process goes to, and what a changed configuration means for them."""

import asyncio
import importlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import ConfigError
from hub.ingest.intake import Source
from hub.ingest.sources.inlet import Services
from hub.ingest.sources.task import SourceTask
from hub.ingest.sources.transport import Transport
from hub.transports import HttpStream, Mqtt, OnvifPullpoint, Pulled, RsmpTcp

__all__ = ["Sources", "check", "transport_of"]

_log = logging.getLogger("hub.ingest.sources")

_END_S = 5.0


def transport_of(source: Source) -> Transport:
    """The transport that a source's entry asks for; `ConfigError` when its settings are wrong.

    Found by name, so that a client library is loaded only where a source needs it.
    """
    kind = source.config.transport.kind
    module = importlib.import_module(f"hub.ingest.sources.{kind}")
    transport: Transport = module.connect(source)
    return transport


def check(sources: Iterable[Source]) -> None:
    """Refuse two entries for one connection: devices allow few, and all would come twice."""
    found: dict[tuple[str, str], str] = {}
    for source in sources:
        claimed = _claimed(source)
        if claimed is None:
            continue
        (what, which), key, fix = claimed
        other = found.setdefault((what, which), source.id)
        if other != source.id:
            raise ConfigError(
                f"{other} and {source.id} {what}",
                where=f"source.{source.id}.transport.{key}",
                fix=fix,
            )


def _claimed(source: Source) -> tuple[tuple[str, str], str, str] | None:
    """What only one entry may have: which one, the setting that says so, how to mend two."""
    match source.config.transport:
        case HttpStream(url=url):
            fix = "one entry is one connection, for all channels of a recorder"
            return ("open the same stream", url.partition("?")[0]), "url", fix
        case Mqtt(url=url, client_id=client_id) if client_id:
            fix = "give each its own, or leave it out"
            return ("are the same client of one broker", f"{url} {client_id}"), "client_id", fix
        case OnvifPullpoint(url=url):
            fix = "one entry is one subscription: list all that is wanted in its `topics`"
            place = url.rstrip("/").removesuffix("/onvif/device_service")
            return ("subscribe at the same camera", place), "url", fix
        case RsmpTcp(port=port) if port:
            return ("listen on the same port", str(port)), "port", "give each site its own port"
    return None


class Sources:
    """The tasks of a process's sources; used from the event loop only."""

    def __init__(self, services: Services, *, slot: str) -> None:
        self._services = services
        self._slot = slot
        self._tasks: dict[str, tuple[SourceTask, asyncio.Task[None]]] = {}

    def prepare(self, sources: Iterable[Source]) -> dict[str, SourceTask]:
        """A task for each source that this process goes to, not yet begun.

        Raises `ConfigError` for the first whose settings can't work; nothing has changed then.
        """
        own = [
            source
            for source in sources
            if isinstance(transport := source.config.transport, Pulled)
            and transport.slot in {"", self._slot}
        ]
        check(own)
        return {
            source.id: SourceTask(source, transport_of(source), self._services) for source in own
        }

    def start(self, prepared: Mapping[str, SourceTask]) -> None:
        """Begin with these."""
        for source_id, task in prepared.items():
            running = asyncio.create_task(task.run(), name=f"source-{source_id}")
            self._tasks[source_id] = (task, running)

    async def end(self, source_ids: Iterable[str]) -> None:
        """End these; the others do not notice."""
        ending = {id_: self._tasks.pop(id_) for id_ in list(source_ids) if id_ in self._tasks}
        running = [task for _, task in ending.values()]
        for task in running:
            task.cancel()
        if running:
            _, late = await asyncio.wait(running, timeout=_END_S)
            if late:
                _log.warning("sources that do not end: %s", ", ".join(t.get_name() for t in late))
                for task in late:
                    task.cancel()
                await asyncio.wait(late, timeout=1.0)
        for source, _ in ending.values():
            source.state.gone()

    async def stop(self) -> None:
        """End all."""
        await self.end(list(self._tasks))

    def report(self) -> dict[str, Any]:
        """What `/sources` says, by source."""
        return {id_: task.state.report() for id_, (task, _) in sorted(self._tasks.items())}
