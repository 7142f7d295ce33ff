"""Seeded faults: each takes one promise out of the real engine, and a check must notice.

A mutant is a function that puts its change in with `put(owner, name, value)`: `setattr` in a
process of its own (`python -m mutants NAME run process …`), a monkeypatch on the model. Tests
expect each to be caught, strictly and for the reason given here.
"""

import functools
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TopicPartition

import hub.kafka.clients
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.engine.loop import Loop
from hub.engine.state import Changelog
from hub.ingest.log import IngestLog
from hub.kafka.transaction import TransactionalProducer
from hub.process import Process
from streams.deduplicate import Window

__all__ = ["MUTANTS", "Mutant", "caught"]

Put = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Mutant:
    """One seeded fault: how it is put in, and what it breaks."""

    put_in: Callable[[Put], None]
    breaks: str


MUTANTS: dict[str, Mutant] = {}


def mutant(breaks: str) -> Callable[[Callable[[Put], None]], Callable[[Put], None]]:
    """Register a mutant under its function's name."""

    def register(put_in: Callable[[Put], None]) -> Callable[[Put], None]:
        MUTANTS[put_in.__name__.replace("_", "-")] = Mutant(put_in, breaks)
        return put_in

    return register


@contextmanager
def caught(words: str) -> Iterator[None]:
    """Let an AssertionError through that says these words; any other end proves nothing."""
    try:
        yield
    except AssertionError as error:
        if re.search(words, str(error)) is None:
            raise RuntimeError(f"not caught for {words!r}, but for: {error}") from error
        raise


@mutant("ids marked before the commit are kept on a rollback: what comes again is lost")
def keeps_ids_on_rollback(put: Put) -> None:
    put(Window, "rollback", Window.commit)


@mutant("the consumer stays behind a batch that was rolled back: the batch is lost")
def does_not_seek(put: Put) -> None:
    put(Loop, "_seek", lambda _loop, _partition, _offset: None)


@mutant("state is not recovered: what came before the restart is delivered again")
def does_not_recover(put: Put) -> None:
    put(Changelog, "restore", lambda _changelog, _wanted, _states: None)


@mutant("no new epoch after a slow commit: the delayed one ends a later transaction")
def keeps_its_epoch(put: Put) -> None:
    put(TransactionalProducer, "_reopen", lambda _producer, _why: None)


@mutant("a random transactional id: what a dead process left open is not ended by the next")
def random_id(put: Put) -> None:
    real = TransactionalProducer.__init__

    @functools.wraps(real)
    def init(self: Any, kafka: Any, id_: str, **more: Any) -> None:
        real(self, kafka, f"{id_}-{uuid.uuid4()}", **more)

    put(TransactionalProducer, "__init__", init)


@mutant("dead letters outside the transaction: a rollback does not take them back")
def letters_outside(put: Put) -> None:
    real = Process._refuse

    def refuse(self: Any, partition: Any, _produce: Any, message: Any, error: Any) -> None:
        client = hub.kafka.clients.producer(self._changelog._kafka)

        def produce(topic: str, value: bytes, key: bytes) -> None:
            assert topic == DEAD_LETTERS
            client.produce(topic, value, key)
            client.flush()

        real(self, partition, produce, message, error)

    put(Process, "_refuse", refuse)


@mutant("offsets committed outside the transaction, before it: its records are lost with it")
def offsets_outside(put: Put) -> None:
    real = Loop._commit

    def commit(self: Any) -> None:
        if self._spans:
            places = [
                TopicPartition(*partition, span.to) for partition, span in self._spans.items()
            ]
            self._consumer.commit(offsets=places, asynchronous=False)
        real(self)

    def commit_alone(self: Any, _offsets: Any = (), _metadata: Any = None) -> None:
        real_commit(self)

    real_commit = TransactionalProducer.commit
    put(Loop, "_commit", commit)
    put(TransactionalProducer, "commit", commit_alone)


@mutant("a revoked partition is neither committed nor forgotten: two workers write for it")
def keeps_revoked(put: Put) -> None:
    def on_revoke(_loop: Any, client: Any, partitions: Sequence[Any]) -> None:
        client.incremental_unassign(partitions)

    put(Loop, "_on_revoke", on_revoke)


@mutant("group metadata from before the first assignment: a member that is none may commit")
def stale_metadata(put: Put) -> None:
    class Stale:
        """The consumer, with the metadata it had before it was a member."""

        def __init__(self, client: Any) -> None:
            self._client = client
            self._metadata = client.consumer_group_metadata()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def consumer_group_metadata(self) -> Any:
            return self._metadata

    init = Loop.__init__

    @functools.wraps(init)
    def made(self: Any, *arguments: Any, **more: Any) -> None:
        init(self, *arguments, **more)
        self._consumer = Stale(self._consumer)

    put(Loop, "__init__", made)


@mutant("ingest answers before the sync: a power cut takes what was acknowledged")
def answers_before_sync(put: Put) -> None:
    real = IngestLog._write

    def write(self: Any, group: list[Any]) -> None:
        for index, (_, token, settle) in enumerate(group):
            settle([(token, self._next + index)])
        real(self, [(record, token, lambda _results: None) for record, token, _ in group])

    put(IngestLog, "_write", write)
