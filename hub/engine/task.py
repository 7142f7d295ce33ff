"""What the engine runs: a stage's work between two commits, its state and its books."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from hub.kafka.transaction import Headers

__all__ = ["Partition", "Produce", "Restored", "Span", "Task"]


class Partition(NamedTuple):
    """One input partition."""

    topic: str
    number: int


class Span(NamedTuple):
    """Offsets of one input partition that a transaction handles: `from_ <= offset < to`."""

    from_: int
    to: int


@dataclass(frozen=True, slots=True)
class Restored:
    """An input partition to take over, and the offset its state must stand at (None: the start)."""

    partition: Partition
    committed: int | None


class Produce(Protocol):
    """Writes a record in the open transaction."""

    def __call__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int = -1,
    ) -> None:
        """Queue the record."""


class Task(Protocol):
    """A stage in one lane.

    `handle` may raise `UnavailableError` (the batch is rolled back and comes again); a record that
    is at fault itself becomes a dead letter in the same transaction.
    """

    stage: str
    lane: str
    topics: Sequence[str]

    def tick(self) -> bool:
        """Between batches: follow registers; False pauses the input for now."""

    def restore(self, partitions: Iterable[Restored]) -> None:
        """Bring state to exactly the committed offsets; `InvariantError` when that can't be."""

    def forget(self, partition: Partition) -> None:
        """Another worker has the partition now."""

    def handle(self, partition: Partition, messages: Sequence[Any], produce: Produce) -> None:
        """Handle records of one partition, in their order."""

    def refuse(self, message: Any, cause: str, produce: Produce) -> None:
        """Write a record that can't be processed as a dead letter."""

    def seal(self, spans: Mapping[Partition, Span], produce: Produce) -> None:
        """Write what the transaction changed in state, and its ledger rows."""

    def committed(self) -> None:
        """The transaction was committed."""

    def rolled_back(self) -> None:
        """The transaction was rolled back: state is as it was before."""


Failpoint = Callable[[str], None]
