"""A range of raw payloads of one source, and what the current connectors make of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import schemas
from hub.codec import EventCodec
from hub.config import Config
from hub.connector import Connector, Rejection
from hub.defence import Defence
from hub.discovery import connector
from hub.envelope import Canonical, raw_topic
from hub.errors import ConfigError
from hub.evidence import EvidenceStore
from hub.kafka.admin import Cluster
from hub.kafka.history import History, Stretch
from hub.kafka.reading import group_offsets
from hub.parsing import Parser, RawRecord
from hub.raw_topics import connector_topics
from hub.render import rfc3339

__all__ = ["Found", "Span", "kept_for", "normalised", "parsed", "payloads", "shortfalls", "span_of"]


@dataclass(frozen=True, slots=True)
class Span:
    """Payloads of one source that were appended to its raw topics in `[since, until)`."""

    source: str
    connector: Connector
    since: datetime
    until: datetime

    @property
    def since_ms(self) -> int:
        """Its beginning, ms since 1970."""
        return int(self.since.timestamp() * 1000)

    @property
    def nouns(self) -> list[schemas.NounSpec]:
        """What its connector can find."""
        return [schemas.nouns()[name] for name in self.connector.may_emit]

    def stretches(self, history: History) -> list[Stretch]:
        """Where its payloads stand, among those of other sources."""
        topics = connector_topics(self.connector.name)
        return history.between(topics, self.since_ms, int(self.until.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Found:
    """The outcomes of one payload: its events with their places, and what was refused."""

    record: RawRecord
    events: Sequence[tuple[int, Canonical]]
    refused: Sequence[Rejection]


def span_of(config: Config, source: str, since: datetime, until: datetime) -> Span:
    """The range; `ConfigError` for an unknown source or times in the wrong order."""
    entry = config.source.get(source)
    if entry is None:
        known = ", ".join(sorted(config.source)) or "none"
        raise ConfigError(
            f"hub.toml has no source {source!r}", where="--source", fix=f"there are: {known}"
        )
    if since >= until:
        raise ConfigError("it ends before it begins", where="--to", fix="give a later time")
    return Span(source, connector(entry.connector), since, until)


def normalised(config: Config, span: Span, stretches: Iterable[Stretch]) -> list[Stretch]:
    """The part of the stretches that normalise has committed; what it is yet to read comes anyway.

    Asked before the canonical topics are read: what is committed then stands on them.
    """
    lanes = {raw_topic(span.connector.name, lane): lane for lane in ("bulk", "urgent")}
    by_topic: dict[str, list[Stretch]] = {}
    for each in stretches:
        by_topic.setdefault(each.topic, []).append(each)
    found = []
    for topic, mine in by_topic.items():
        numbers = [each.partition for each in mine]
        group = f"hub.normalise.{lanes[topic]}"
        committed = group_offsets(config.kafka, group, topic, numbers)
        found += [each._replace(end=min(each.end, committed[each.partition])) for each in mine]
    return found


def payloads(history: History, span: Span, stretches: Iterable[Stretch]) -> Iterator[RawRecord]:
    """The source's payloads, each partition in its order."""
    source = span.source.encode()
    for message in history.read(stretches):
        raw = RawRecord.of(message)
        if dict(raw.headers).get("source_id") == source:
            yield raw


def parsed(
    config: Config,
    codecs: Mapping[str, EventCodec],
    records: Iterable[RawRecord],
    *,
    defence: Defence,
    keep_pictures: bool = False,
) -> Iterator[Found]:
    """What the connectors, as they are installed here, find in the payloads."""
    parser = Parser(
        config,
        codecs=codecs,
        evidence=EvidenceStore.open(config.evidence()),
        keep_pictures=keep_pictures,
        defence=defence,
    )
    for record in records:
        events, refused = [], []
        for index, result in parser.parse(record).outcomes:
            if isinstance(result, Canonical):
                events.append((index or 0, result))
            elif isinstance(result, Rejection):
                refused.append(result)
        yield Found(record, events, refused)


def kept_for(config: Config, topics: Collection[str]) -> timedelta | None:
    """How long all of these topics keep their records; None: for ever."""
    states = Cluster(config.kafka).topics(topics)
    kept = [int(state.config.get("retention.ms", "-1")) for state in states.values()]
    bounded = [each for each in kept if each >= 0]
    return timedelta(milliseconds=min(bounded)) if bounded else None


def shortfalls(config: Config, span: Span) -> list[str]:
    """What of the range is no longer kept, for people."""
    found = []
    for what, topics in (
        ("raw payloads", connector_topics(span.connector.name)),
        ("canonical events", [noun.topic for noun in span.nouns]),
    ):
        kept = kept_for(config, topics)
        if kept is not None and span.since < (oldest := datetime.now(UTC) - kept):
            found.append(
                f"{what} are kept {kept / timedelta(days=1):g} days: "
                f"those from before {rfc3339(oldest)} have expired"
            )
    return found
