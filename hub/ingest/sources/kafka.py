"""Kafka in: mirrors a topic of another cluster; its offsets are committed once all is durable.

After a crash what was durable and not yet committed comes again, under the same `payload_id`: that
is made of source, topic, partition and offset. A record may be in its topic twice; that is the
other cluster's matter, and its events have the same ids.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from hub.ingest.intake import Arrival, Source
from hub.ingest.records import offset_payload_id
from hub.ingest.sources.inlet import Inlet
from hub.ingest.sources.transport import SourceDownError
from hub.kafka.mirror import Mirror, Mirrored
from hub.secrets import secret
from hub.transports import Kafka

__all__ = ["Topic", "connect"]

_RECORDS = 500
_WAIT_S = 0.2
_KEPT = frozenset({"traceparent", "content-encoding"})
# How CloudEvents writes its attributes in Kafka, and in HTTP, as connectors know them.
_CE, _CE_HTTP = "ce_", "ce-"


def connect(source: Source) -> "Topic":
    """The topic of a source's entry."""
    settings = source.config.transport
    assert isinstance(settings, Kafka)
    where = f"source.{source.id}.transport.secret_client"
    secrets = {
        name: secret(wanted, where=f"{where}.{name}")
        for name, wanted in settings.secret_client.items()
    }
    return Topic(source, settings, {**settings.client, **secrets})


class Topic:
    """One mirrored topic. Its client blocks, so it has a thread of its own while it is read."""

    def __init__(
        self, source: Source, settings: Kafka, client: dict[str, str | int | bool]
    ) -> None:
        self._source = source
        self._settings = settings
        self._client = client

    async def run(self, inlet: Inlet) -> None:
        """Read, make durable, commit; from where the group stands."""
        loop = asyncio.get_running_loop()
        name = f"kafka-{self._source.id}"
        with ThreadPoolExecutor(1, thread_name_prefix=name) as thread:
            mirror = await loop.run_in_executor(thread, self._open)
            try:
                while True:
                    records = await loop.run_in_executor(thread, mirror.read, _RECORDS, _WAIT_S)
                    reached = await loop.run_in_executor(thread, mirror.reached)
                    if records or reached:
                        inlet.up()
                    if records:
                        await self._take(inlet, records)
                        offsets = {each.partition: each.offset for each in records}
                        await loop.run_in_executor(thread, mirror.commit, offsets)
            finally:
                await asyncio.shield(loop.run_in_executor(thread, mirror.close))

    def _open(self) -> Mirror:
        settings = self._settings
        group = settings.group or f"hub.{self._source.id}"
        return Mirror(
            settings.bootstrap, settings.topic, group, start=settings.start, client=self._client
        )

    async def _take(self, inlet: Inlet, records: list[Mirrored]) -> None:
        size = sum(len(each.value or b"") for each in records)
        if not await inlet.reserve(size):
            raise SourceDownError("the hub holds as many bodies as it can")
        try:
            await inlet.put_all(self._arrivals(inlet, records))
        finally:
            inlet.give_back(size)

    def _arrivals(self, inlet: Inlet, records: list[Mirrored]) -> list[Arrival]:
        now = time.time()
        arrivals = []
        for each in records:
            if each.value is None:
                inlet.refuse("no-value")
                continue
            content_type, meta = self._headers(each)
            id_ = offset_payload_id(
                self._source.id, self._settings.topic, each.partition, each.offset
            )
            arrivals.append(Arrival(each.value, content_type, meta, id_, now))
        return arrivals

    def _headers(self, record: Mirrored) -> tuple[str, dict[str, str]]:
        """The content type, and what else of a record's headers a connector may need."""
        content_type, meta = "", {}
        wanted = self._source.shard_header
        for name, value in record.headers:
            lower = name.lower()
            text = (value or b"").decode("utf-8", "surrogateescape")
            if lower == "content-type":
                content_type = text
            elif lower.startswith(_CE):
                meta[f"header.{_CE_HTTP}{lower.removeprefix(_CE)}"] = text
            elif lower in _KEPT or lower == wanted:
                meta[f"header.{lower}"] = text
        return content_type, meta
