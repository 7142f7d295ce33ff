"""Records of deletions and holds, written by one process at a time."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import schemas
from hub.codec import RecordCodec
from hub.config import Config
from hub.errors import EnvironmentNotReadyError
from hub.identity import uuid_text
from hub.registry import Registry
from hub.replay.writer import Record, Writer
from hub.schema_ids import SchemaIds
from hub.tables import rows

__all__ = ["ERASURES", "HOLDS", "Journal", "erased_events"]

ERASURES, HOLDS = "erasure.v1", "hold.v1"
# One for the whole cluster: whoever begins later takes it over, and what an earlier one has found
# out of holds and references, which may no longer be true, is then refused.
_TRANSACTIONAL_ID = "hub-keeping"
_SKEW_S = 300.0


class Journal(AbstractContextManager["Journal"]):
    """Writes to `erasure.v1` and `hold.v1`; opened before anything is looked up."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        ids = SchemaIds(registry)
        self._codecs = {
            topic: RecordCodec(schemas.built(topic), ids.current(topic))
            for topic in (ERASURES, HOLDS)
        }
        self._writer = Writer(config, ids, transactional_id=_TRANSACTIONAL_ID)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, topic: str, key: str, record: Mapping[str, Any]) -> None:
        """Write one record; `FencedError` when another deletion or hold has begun since."""
        self._writer.write([Record(topic, self._codecs[topic].encode(record), key.encode(), [])])

    def check_clock(self, erasure_id: bytes) -> None:
        """Refuse to go on when this machine's clock is not the brokers': days are told by it."""
        for record, row in rows(self._config, self._registry, ERASURES):
            if row["erasure_id"] != erasure_id:
                continue
            apart_s = (datetime.now(UTC) - record.appended_at).total_seconds()
            if abs(apart_s) <= _SKEW_S:
                return
            raise EnvironmentNotReadyError(
                f"this clock and the brokers' are {abs(apart_s):.0f} s apart; nothing was deleted",
                where=uuid_text(erasure_id),
                fix="run NTP here and on the brokers, then run it again",
            )
        raise EnvironmentNotReadyError(
            "the record of this deletion can't be read back; nothing was deleted",
            where=ERASURES,
            fix="check the brokers with `hub doctor`, then run it again",
        )


def erased_events(config: Config, registry: Registry) -> set[bytes]:
    """Events that were erased on request: they need their objects no more."""
    return {each for _, row in rows(config, registry, ERASURES) for each in row["event_ids"]}
