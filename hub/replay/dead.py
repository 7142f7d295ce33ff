"""Replays dead letters: what would happen, or does it, letter by letter.

What is sent goes the way of every payload: a refused part of a payload back to its raw topic, with
headers that let only that part through; a refused canonical record back to its topic. What was sent
is remembered in the same transaction, so after a crash the command can simply be run again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import schemas
from hub.codec import RecordCodec
from hub.config import Config
from hub.evidence import EvidenceStore
from hub.parsing import Parser, event_codecs
from hub.registry import Registry
from hub.replay.letters import REPLAYS, Letter, Selection, groups, replayed, select
from hub.replay.records import Records
from hub.replay.steps import Steps
from hub.replay.verdict import Judge, Verdict, again, remembered
from hub.replay.writer import Record, Writer, actor, written
from hub.schema_ids import SchemaIds
from hub.tables import defence_of

__all__ = ["apply", "dry_run"]


def dry_run(
    config: Config, registry: Registry, wanted: Selection, *, repeat: bool = False
) -> Iterator[Verdict]:
    """What would become of each letter; writes nothing, not even pictures."""
    for verdicts, _ in _judged(config, registry, wanted, repeat=repeat):
        yield from verdicts


def apply(
    config: Config, registry: Registry, wanted: Selection, *, repeat: bool = False
) -> Iterator[Verdict]:
    """Send what is an event now; yields what became of each letter once that is committed.

    `repeat` also sends what was replayed before.
    """
    ids = SchemaIds(registry)
    codec = RecordCodec(schemas.built(REPLAYS), ids.current(REPLAYS))
    by, store = actor(), EvidenceStore.open(config.evidence())

    def items() -> Iterator[tuple[Sequence[Record], Sequence[Verdict]]]:
        for verdicts, record in _judged(config, registry, wanted, repeat=repeat):
            if record is not None:
                _keep_body(record, store)
            remember = remembered(verdicts, codec, now=datetime.now(UTC), by=by)
            yield [*([] if record is None else [record]), *remember], verdicts

    # Opened before anything is looked up: a replay that began earlier can't write any more.
    with closing(Writer(config, ids)) as writer:
        for verdicts in written(writer, items()):
            yield from verdicts


def _keep_body(record: Record, store: EvidenceStore) -> None:
    """Its topic keeps the record from now on, and so must the store its body."""
    body = dict(record.headers).get("body")
    if body is not None:
        store.keep(body if isinstance(body, str) else body.decode(), "body")


def _judged(
    config: Config, registry: Registry, wanted: Selection, *, repeat: bool
) -> Iterator[tuple[Sequence[Verdict], Record | None]]:
    """Verdicts on the letters of one record, and what to write for them."""
    known = replayed(config, registry)
    letters = select(config, registry, wanted)
    before = [letter for letter in letters if letter.dead_id in known and not repeat]
    for letter in before:
        yield [Verdict(letter, "replayed", at=known[letter.dead_id])], None
    rest = [letter for letter in letters if repeat or letter.dead_id not in known]
    if not rest:
        return
    records = Records(config, registry)
    judge = _judge(config, registry)
    for group, record in records.of(groups(rest)):
        if record is None:
            yield _expired(group.letters, records), None
            continue
        verdicts = [
            replace(each, at=records.expired_at(each.letter)) if each.word == "expired" else each
            for each in judge.verdicts(group, record)
        ]
        yield verdicts, again(group, record, verdicts)


def _expired(letters: Iterable[Letter], records: Records) -> list[Verdict]:
    return [Verdict(letter, "expired", at=records.expired_at(letter)) for letter in letters]


def _judge(config: Config, registry: Registry) -> Judge:
    parser = Parser(
        config,
        codecs=event_codecs(SchemaIds(registry)),
        evidence=EvidenceStore.open(config.evidence()),
        keep_pictures=False,
        defence=defence_of(config, registry),
    )
    return Judge(parser, Steps(config, registry))
