"""Names what is missing or doubled, where counts differ.

Every row tells how many records of its offsets it explains, so the row that is wrong is found first
and only its records are suspects. Books hold no ids: where a row left some events out rightly (by
rule, or merged), the missing one is among those without a trace, and all of them are named.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import schemas
from hub.codec import RecordCodec, from_micros
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.kafka.archive import Archive, Place
from hub.ledger.check import Difference
from hub.ledger.evidence import Event, Evidence, Paper, within
from hub.ledger.held import NAMED_MAX, Held, Kinds, decoded, event_name
from hub.ledger.rows import IN, Rows, cells_of

__all__ = ["named"]

# Differences that are looked into; the others are told by their counts.
_LOOKED_INTO = 50
_SKEW = timedelta(minutes=5)
# Kafka reads times below 0 as something else.
_OLDEST_US = 10**6


def named(
    archive: Archive,
    kinds: Kinds,
    rows: Rows,
    found: Sequence[Difference],
    starts: Mapping[Place, int],
) -> list[str]:
    """The differences as problems, with the ids that are missing or doubled."""
    looked = found[:_LOOKED_INTO]
    if not looked:
        return []
    oldest = min(max(each.cell.minute, _OLDEST_US) for each in looked)
    later = archive.starts(starts, max(from_micros(oldest) - _SKEW, from_micros(_OLDEST_US)))
    starts = {place: max(start, later[place].offset) for place, start in starts.items()}
    books = {place: start for place, start in starts.items() if place.topic == "ledger.v1"}
    # Rows up to here tell of records that can be read already.
    until = archive.ends(books)
    evidence = _evidence(archive, kinds, rows, looked, starts)
    suspects = [Suspect(each, evidence, rows) for each in looked]
    codec = RecordCodec(schemas.built("ledger.v1"), 0)
    for message in archive.read(books, until):
        if (row := decoded(codec, message)) is not None:
            for suspect in suspects:
                suspect.hear(row)
    return [*(each.text() for each in suspects), *(each.text for each in found[_LOOKED_INTO:])]


def _evidence(
    archive: Archive,
    kinds: Kinds,
    rows: Rows,
    looked: Sequence[Difference],
    starts: Mapping[Place, int],
) -> Evidence:
    cells = {each.cell for each in looked if each.cell.noun}
    payloads = {each.cell[1:] for each in looked if each.stage == "normalise" and not each.place}
    evidence = Evidence(
        kinds, frozenset(cells), frozenset(payloads), Held(kinds, rows, committed={})
    )
    nouns = {cell.noun for cell in cells}
    topics = {DEAD_LETTERS}
    topics |= {topic for topic, noun in kinds.canonical.items() if noun in nouns or payloads}
    topics |= {topic for topic, noun in kinds.subscriber.items() if noun in nouns}
    topics |= kinds.raw if payloads else set()
    places = {place: start for place, start in starts.items() if place.topic in topics}
    for message in archive.read(places, archive.ends(places)):
        evidence.enter(message)
    evidence.settle()
    return evidence


@dataclass(slots=True)
class Suspect:
    """One difference, and what its rows and records tell of it."""

    difference: Difference
    evidence: Evidence
    rows: Rows
    findings: list[str] = field(default_factory=list)
    more: int = 0

    def hear(self, row: Mapping[str, Any]) -> None:
        """Hold one row against the records of its offsets."""
        kind, stage, cell, place, _ = self.difference
        here = Place(row["topic"], row["partition"])
        if row["stage"] != stage or (place or here) != here:
            return
        if kind in ("in", "dead") and row["from_offset"] < self.rows.span(here).begin:
            return
        said = 0
        for each, outcome, count, produced in cells_of(row):
            if kind == "dead" and outcome == "dead":
                said += count
            elif each == cell:
                said += _share(kind, stage, outcome, count, produced)
        there, suspects = self._there(here, row["from_offset"], row["to_offset"])
        if said != there:
            where = f"{here.topic}/{here.number}"
            span = f"row {row['from_offset']} to {row['to_offset']} of {where}"
            self._note(f"the {span} by slot {row['slot']} says {said}, there are {there}")
            self._suspect(suspects, said, there)

    def text(self) -> str:
        """The problem, with what was found out."""
        self._name(self._doubled())
        found = [self.difference.text, *self.findings]
        return "; ".join(found) + (f"; and {self.more} more" if self.more else "")

    def _note(self, text: str) -> None:
        if len(self.findings) < NAMED_MAX:
            self.findings.append(text)
        else:
            self.more += 1

    def _name(self, names: Iterable[str]) -> None:
        for name in names:
            self._note(name)

    def _there(self, here: Place, start: int, end: int) -> tuple[int, list[Any]]:
        """Records that a row should have counted, and those it may have left out."""
        kind, stage, cell, _, _ = self.difference
        known = self.evidence
        if kind == "dead":
            return len(within(known.letters.get(here, []), start, end)), []
        if kind == "found":
            events = self._of_payloads(here, start, end)
            return len(events), self._untraced_payloads(here, start, end, events)
        if stage == "normalise":
            papers = within(known.raw.get(cell[1:], {}).get(here, ()), start, end)
            return len(papers), self._untraced_payloads(here, start, end, [])
        events = within(known.events.get(cell, {}).get(here, ()), start, end)
        if kind == "in":
            return len(events), self._untraced_events(here, events)
        first = self._firsts(here, events)
        copies = known.copies.get(cell, {})
        return sum(copies.get(each.event_id, Counter()).total() for each in first), first

    def _firsts(self, here: Place, events: Sequence[Event]) -> list[Event]:
        """Those events that come with their id for the first time: the others are duplicates."""
        seen: dict[bytes, int] = {}
        for event in self.evidence.events.get(self.difference.cell, {}).get(here, ()):
            seen.setdefault(event.event_id, event.offset)
        return [event for event in events if seen[event.event_id] == event.offset]

    def _of_payloads(self, here: Place, start: int, end: int) -> list[Event]:
        return [
            event
            for events in self.evidence.events.get(self.difference.cell, {}).values()
            for event in events
            if event.origin and event.origin[0] == here and start <= event.origin[1] < end
        ]

    def _untraced_payloads(
        self, here: Place, start: int, end: int, events: Sequence[Event]
    ) -> list[Paper]:
        """Payloads of a row that left nothing behind; else those that left something else."""
        papers = within(
            self.evidence.raw.get(self.difference.cell[1:], {}).get(here, ()), start, end
        )
        refused = self.evidence.refused(here)
        gone = [
            paper
            for paper in papers
            if (here, paper.offset) not in self.evidence.traced and paper.offset not in refused
        ]
        own = {event.origin[1] for event in events if event.origin}
        return gone or [paper for paper in papers if paper.offset not in own] or papers

    def _suspect(self, suspects: list[Any], said: int, there: int) -> None:
        """Name what a row left out, or says and is not there."""
        kind = self.difference.kind
        if kind == "delivered" and said > there:
            self._name(self._undelivered(suspects, said - there))
        elif kind == "in" and there > said:
            self._list(suspects, there - said)
        elif kind == "found" and said > there:
            self._list(suspects, said - there)

    def _untraced_events(self, here: Place, events: Sequence[Event]) -> list[Paper]:
        """Events of a row that are on no subscriber's topic, no duplicate and no dead letter.

        One that was passed over may be there all the same: what came again went out in its place.
        """
        sent = self.evidence.sent
        refused = self.evidence.refused(here)
        found = []
        for each in self._firsts(here, events):
            origins = sent.get(each.event_id)
            name = f"event {event_name(each.event_id)}"
            if origins is None and each.offset not in refused:
                found.append(Paper(each.offset, name))
            elif origins and each.origin is not None and each.origin not in origins:
                found.append(Paper(each.offset, name, ", but a repeat of it was delivered"))
        return found

    def _list(self, papers: Sequence[Paper], lost: int) -> None:
        if len(papers) > lost:
            self._note(f"{lost} of these {len(papers)}")
        self._name(f"{each.name} (offset {each.offset}){each.remark}" for each in papers)

    def _undelivered(self, events: Sequence[Event], lost: int) -> Iterator[str]:
        """Events that are on fewer topics than others of their kind, the likely ones first."""
        cell = self.difference.cell
        copies = self.evidence.copies.get(cell, {})
        topics = {topic for each in copies.values() for topic in each}
        lacks = {event: topics - set(copies.get(event.event_id, ())) for event in events}
        likely = [event for event in events if event.event_id in copies and lacks[event]]
        if sum(len(lacks[event]) for event in likely) < lost:
            # None of its kind may be where it is missing, or it is nowhere: any of them may be it.
            kinds = self.evidence.kinds.subscriber
            topics = {topic for topic, noun in kinds.items() if noun == cell.noun}
            lacks = {event: topics - set(copies.get(event.event_id, ())) for event in events}
            likely = [event for event in events if lacks[event]]
        for event in likely:
            where = ", ".join(sorted(lacks[event]))
            yield f"event {event_name(event.event_id)} (offset {event.offset}) is not on {where}"

    def _doubled(self) -> Iterator[str]:
        """What stands on a topic more often than it can rightly, or comes from nowhere."""
        kind, _, cell, place, _ = self.difference
        events = [each for all_ in self.evidence.events.get(cell, {}).values() for each in all_]
        if kind == "delivered":
            yield from self._doubled_copies({event.event_id for event in events})
        elif kind == "found":
            yield from _doubled_events(events)
        elif kind == "dead" and place is not None:
            for paper, count in Counter(self.evidence.letters.get(place, ())).items():
                if count > 1:
                    what = f"dead letter {paper.name} of offset {paper.offset}"
                    yield f"{what} is there {count} times"

    def _doubled_copies(self, known: Container[bytes]) -> Iterator[str]:
        for id_, topics in self.evidence.copies.get(self.difference.cell, {}).items():
            for topic, count in topics.items():
                if count > 1:
                    yield f"event {event_name(id_)} is {count} times on {topic}"
                if id_ not in known:
                    yield f"event {event_name(id_)} on {topic} is no canonical event"


def _doubled_events(events: Sequence[Event]) -> Iterator[str]:
    origins = Counter(event.origin for event in events)
    for event in events:
        name = f"event {event_name(event.event_id)} (offset {event.offset})"
        if event.origin is None:
            yield f"{name} comes from no payload"
        elif origins[event.origin] > 1:
            yield f"{name} is {origins[event.origin]} times on its topic"


def _share(kind: str, stage: str, outcome: str, count: int, produced: int) -> int:
    """What one count of a row says in a comparison."""
    if kind == "found":
        return count if outcome == "found" else 0
    if kind == "delivered":
        return produced if outcome == "delivered" else 0
    return count if kind == "in" and outcome in IN[stage] else 0
