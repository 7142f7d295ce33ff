"""Checks the books: what each stage took in against what it says became of it.

The *in* side is counted by reading the input topics themselves, never from the loop that wrote the
rows, so a loss in the loop shows. Per stage, source, noun and minute of receipt:

- normalise: payloads = with events + only refused + nothing (what is of defence is withheld at
  parse; a payload that holds nothing else is one with nothing; one that was set aside, as its
  source is paused, is refused)
- normalise to process: events found (and replayed) = events on the canonical topics
- process: events = delivered + merged + duplicate + superseded + dropped + dead
- process to subscribers: records produced = records on the subscribers' topics
- dead letters are as many as the books say, for each input partition.

Rows and inputs are compared over the same offsets, so the first and the third are exact whatever
the retention. The others go by the minute, and need every topic concerned to have kept it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import schemas
from hub.codec import EARLIEST_US, MINUTE_US, RecordCodec, from_micros, micros
from hub.config import Config
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.envelope import raw_topic
from hub.errors import EnvironmentNotReadyError
from hub.kafka.admin import Cluster
from hub.kafka.archive import Archive, KafkaArchive, Place, Start
from hub.ledger.check import Balance, Floors, Line, differences, faults, lines
from hub.ledger.held import Held, Kinds, decoded, unreadable
from hub.ledger.names import named
from hub.ledger.rows import Rows
from hub.raw_topics import connectors_in_use
from hub.render import rfc3339

__all__ = ["Balance", "Line", "balance", "check"]

LEDGER = "ledger.v1"
# Records are appended after they were received, by another clock.
_SKEW = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
_EPOCH = from_micros(0)


def balance(config: Config, *, since: datetime | None = None) -> Balance:
    """Read the books and the topics, and compare them.

    `since` leaves earlier minutes of receipt out, and the reading of most of what is older; without
    it everything is compared that is surely kept. What waits in front of a stage is no fault. Safe
    while the stages run. `EnvironmentNotReadyError` when a topic is missing or can't be read.
    """
    archive = KafkaArchive(config.kafka)
    try:
        return check(
            archive,
            connectors_in_use(config, Cluster(config.kafka).topic_names()),
            since=since,
            now=datetime.now(UTC),
            kept_days=config.kept_days,
        )
    finally:
        archive.close()


# The days of a site that sets none.
_DECLARED = Config()


def check(
    archive: Archive,
    connectors: Sequence[str],
    *,
    since: datetime | None,
    now: datetime,
    kept_days: Callable[[str], int | None] = _DECLARED.kept_days,
) -> Balance:
    """Compare what an archive holds; `now` is when it is asked.

    `kept_days` gives the days of a retention class.
    """
    groups = _groups(connectors)
    kinds = _kinds(groups)
    at = max(since or _EPOCH, now - _kept(kept_days))
    inputs = {group: archive.places(topics) for group, topics in groups.items()}
    # First how far the stages are, then the books, then the topics, then how the books went on: in
    # this order nothing that is right looks wrong.
    committed: dict[Place, int] = {}
    for group, places in inputs.items():
        committed |= archive.committed(group, places)
    starts = archive.starts(
        archive.places([*kinds.raw, *kinds.canonical, *kinds.subscriber, DEAD_LETTERS, LEDGER]),
        at - _SKEW,
    )
    stages = {topic: group.split(".")[1] for group, topics in groups.items() for topic in topics}
    begins = {place: start.offset for place, start in starts.items()}
    books = {place: start for place, start in begins.items() if place.topic == LEDGER}
    topics = {place: start for place, start in begins.items() if place.topic != LEDGER}

    rows, moved = Rows(begins, stages), Rows(begins, stages)
    ends = archive.ends(books)
    strange = _enter(archive, books, ends, rows)
    held = Held(kinds, rows, committed)
    for message in archive.read(topics, archive.ends(topics)):
        held.enter(message)
    strange += _enter(archive, ends, archive.ends(books), moved)
    _refuse_if_cut(archive, starts, held)

    since_us = -(-micros(at) // MINUTE_US) * MINUTE_US
    # Where nothing lies before what was read, times that can't be right are compared too.
    whole = not any(start.offset for start in starts.values())
    floors = _floors(kinds, starts, held, EARLIEST_US if whole else since_us)
    shown_us = EARLIEST_US if whole and since is None else since_us
    result = Balance(lines(rows, moved, held, since_us=shown_us, now_us=micros(now)))
    result.notes = _notes(floors, since_us, expired=not whole and (since or _EPOCH) < at - _MINUTE)
    result.problems = [*strange, *held.unreadable, *faults(rows, held)]
    found = list(differences(rows, moved, held, floors))
    result.problems += named(archive, kinds, rows, found, topics | books)
    return result


def _enter(
    archive: Archive, starts: Mapping[Place, int], ends: Mapping[Place, int], rows: Rows
) -> list[str]:
    """Add up the rows of a stretch of the ledger; what of it is no row."""
    codec = RecordCodec(schemas.built(LEDGER), 0)
    strange = []
    for message in archive.read(starts, ends):
        if (row := decoded(codec, message)) is None:
            strange.append(unreadable(message))
        else:
            rows.enter(row)
    return strange


def _groups(connectors: Sequence[str]) -> dict[str, list[str]]:
    """Input topics of every consumer group of a stage."""
    found = {}
    for lane in ("urgent", "bulk"):
        found[f"hub.normalise.{lane}"] = [raw_topic(name, lane) for name in connectors]
        nouns = schemas.nouns().values()
        found[f"hub.process.{lane}"] = [noun.topic for noun in nouns if noun.lane == lane]
    return found


def _kinds(groups: Mapping[str, list[str]]) -> Kinds:
    return Kinds(
        frozenset(
            topic
            for group, topics in groups.items()
            if group.startswith("hub.normalise.")
            for topic in topics
        ),
        {noun.topic: noun.name for noun in schemas.nouns().values()},
        {
            schemas.subscriber_topic(subscriber.id, noun): noun
            for subscriber in schemas.subscribers().values()
            for noun in subscriber.nouns
        },
    )


def _kept(kept_days: Callable[[str], int | None]) -> timedelta:
    """How far back every topic can surely be read: a day less than the shortest retention."""
    classes, own = schemas.topic_classes(), schemas.own_topics()
    named = [
        *(classes[name]["retention"] for name in ("raw", "canonical")),
        *(subscriber.retention for subscriber in schemas.subscribers().values()),
        *(own[name].retention for name in (DEAD_LETTERS, LEDGER)),
    ]
    days = [kept_days(name) for name in named]
    return timedelta(days=min(each for each in days if each is not None) - 1)


def _refuse_if_cut(archive: Archive, starts: Mapping[Place, Start], held: Held) -> None:
    """What expired while it was read would look lost."""
    now = archive.starts(starts, None)
    for place, start in starts.items():
        if now[place].kept > start.offset and place in held.first_ms:
            raise EnvironmentNotReadyError(
                "its oldest records expired while they were read",
                where=f"{place.topic}/{place.number}",
                fix="run it again, with a later --since",
            )


def _floors(kinds: Kinds, starts: Mapping[Place, Start], held: Held, since_us: int) -> Floors:
    """From when on everything is kept, by noun."""
    canonical = dict.fromkeys(kinds.canonical.values(), since_us)
    delivered = dict(canonical)
    for place, start in starts.items():
        first_ms = held.first_ms.get(place)
        if not start.cut or first_ms is None:
            continue
        # The records before the first one are gone: only minutes after it are whole.
        floor = max(since_us, -(-first_ms * 1000 // MINUTE_US) * MINUTE_US)
        if (noun := kinds.canonical.get(place.topic)) is not None:
            canonical[noun] = max(canonical[noun], floor)
        elif (noun := kinds.subscriber.get(place.topic)) is not None:
            delivered[noun] = max(delivered[noun], floor)
    return Floors(canonical, delivered)


def _notes(floors: Floors, since_us: int, *, expired: bool) -> list[str]:
    """What was asked for and can't be proven."""
    found = []
    if expired:
        until = rfc3339(from_micros(since_us))
        found.append(f"not provable any more: minutes before {until}; topics keep no longer")
    for what, by_noun in zip(("canonical", "subscribers'"), floors, strict=True):
        for noun, floor in sorted(by_noun.items()):
            if floor > since_us:
                kept = rfc3339(from_micros(floor))
                found.append(
                    f"not provable any more: {noun} before {kept}, from when on its {what} topics"
                    " are kept"
                )
    return found
