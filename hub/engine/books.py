"""Ledger rows: what one transaction did with one input partition."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import schemas
from hub.codec import RecordCodec, from_micros
from hub.engine.task import Partition, Produce, Span

__all__ = ["Books", "Count"]

_TOPIC = "ledger.v1"
Count = tuple[str, str, int, str, int, int]
"""(source, noun, minute in µs, outcome, records, produced)"""


class Books:
    """Writes the ledger rows of one worker, inside its transactions."""

    def __init__(self, *, stage: str, lane: str, slot: str, schema_id: int) -> None:
        self._stage, self._lane, self._slot = stage, lane, slot
        self._codec = RecordCodec(schemas.built(_TOPIC), schema_id)

    def write(
        self,
        spans: Mapping[Partition, Span],
        counts: Mapping[Partition, Iterable[Count]],
        produce: Produce,
    ) -> None:
        """One packed row for each input partition of the transaction."""
        now = datetime.now(UTC)
        for partition, span in spans.items():
            row = {
                "stage": self._stage,
                "lane": self._lane,
                "slot": self._slot,
                "topic": partition.topic,
                "partition": partition.number,
                "from_offset": span.from_,
                "to_offset": span.to,
                "written_at": now,
                "counts": [
                    {
                        "source_id": source,
                        "noun": noun,
                        "minute": from_micros(minute),
                        "outcome": outcome,
                        "count": count,
                        "produced": produced,
                    }
                    for source, noun, minute, outcome, count, produced in counts[partition]
                ],
            }
            key = f"{self._stage}/{partition.topic}/{partition.number}".encode()
            produce(_TOPIC, self._codec.encode(row), key)
