"""Writes what a replay sends, in transactions, with the books and who did it."""

import getpass
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

import schemas
from hub.codec import received_minute
from hub.config import Config
from hub.engine.books import Books
from hub.engine.failpoint import passing
from hub.engine.task import Partition, Span
from hub.kafka.transaction import Headers, TransactionAbortedError, TransactionalProducer
from hub.schema_ids import SchemaIds

__all__ = ["TRANSACTIONAL_ID", "Record", "Writer", "actor", "written"]

# One for the whole cluster: a second replay takes it over, and the first one's next transaction is
# refused, as what it has looked up may no longer be true.
TRANSACTIONAL_ID = "hub-replay"
_ATTEMPTS = 3
# Bounds of one transaction; a single record may be larger than the second.
_RECORDS_MAX = 500
_BYTES_MAX = 8 * 2**20
_NO_PARTITION = -1
Told = TypeVar("Told")


class Record(NamedTuple):
    """A record to write; partition -1: by its key."""

    topic: str
    value: bytes
    key: bytes | None
    headers: Headers
    partition: int = -1


def actor() -> str:
    """Who runs this command: user and machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # A container may have a number only.
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


class Writer:
    """Holds a transactional id from its start to `close`; what was looked up since stays true."""

    def __init__(
        self, config: Config, ids: SchemaIds, *, transactional_id: str = TRANSACTIONAL_ID
    ) -> None:
        self._books_id = ids.current("ledger.v1")
        self._producer = TransactionalProducer(config.kafka, transactional_id)
        self._producer.open()

    def close(self) -> None:
        """Let go of the id; what is open is rolled back."""
        self._producer.close()

    def write(self, records: Sequence[Record]) -> None:
        """Write the records, and a ledger row for those on canonical topics, or none of it.

        `FencedError` when another replay has begun since.
        """
        if not records:
            return
        for attempt in range(_ATTEMPTS):
            try:
                self._producer.begin()
                for record in records:
                    self._producer.produce(*record)
                self._account(records)
                passing("before-commit")
                self._producer.commit()
                passing("after-commit")
            except TransactionAbortedError:
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    def _account(self, records: Iterable[Record]) -> None:
        """Say that these events were found, so that the canonical topics' books balance."""
        nouns = {noun.topic: noun for noun in schemas.nouns().values()}
        counts = Counter(
            (record.topic, _source(record.key), received_minute(record.value))
            for record in records
            if record.topic in nouns
        )
        for (topic, source, minute), count in counts.items():
            noun = nouns[topic]
            books = Books(stage="replay", lane=noun.lane, slot=actor(), schema_id=self._books_id)
            place = Partition(topic, _NO_PARTITION)
            row = (source, noun.name, minute, "found", count, 0)
            books.write({place: Span(0, 0)}, {place: [row]}, self._producer.produce)


def written(writer: Writer, items: Iterable[tuple[Sequence[Record], Told]]) -> Iterator[Told]:
    """Write the records of each item in one transaction with others; what they tell comes after."""
    records: list[Record] = []
    told: list[Told] = []
    size = 0
    for fresh, each in items:
        more = sum(len(record.value) for record in fresh)
        many = max(len(records) + len(fresh), len(told)) > _RECORDS_MAX
        if told and (many or size + more > _BYTES_MAX):
            writer.write(records)
            yield from told
            records, told, size = [], [], 0
        records += fresh
        told.append(each)
        size += more
    writer.write(records)
    yield from told


def _source(key: bytes | None) -> str:
    """The source a canonical key names, as the ledger reads it."""
    return unquote((key or b"").split(b"/")[0].decode("utf-8", "replace"))
