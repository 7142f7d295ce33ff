"""What becomes of a canonical record: the steps in their order, on bytes.

    deduplicate and merge, or compare with the last state → place → route → cut each view

An Avro record is the concatenation of its fields, so most records are never decoded: the header's
fixed fields are read in place, the enrichment is appended, and a view cuts `restricted` out where
the record header `cut` says it stands. Records that can't be spliced are decoded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from zlib import crc32

import schemas
from hub.codec import (
    CUT,
    EVENT_ID,
    LIFECYCLE,
    PREFIX_LENGTH,
    STATUS,
    SUBJECT_ID,
    VARIABLE,
    Cut,
    HeadReader,
    micros,
    part_encoders,
    restricted_fields,
)
from hub.envelope import LISTED
from hub.errors import RecordError
from hub.likeness import HEADER as LIKE
from hub.likeness import LIKENESS
from hub.plates import Pseudonyms
from streams.assumed_end import assumed_end
from streams.deduplicate import Window
from streams.head import COARSE_US, Heads, encoded_names, minute_of
from streams.last_state import ENDED, OVER, UPDATED, LastStates, Word
from streams.merge import Merger
from streams.partition import Partition
from streams.place import DeviceRegister
from streams.plan import Plan, Planner, place_time
from streams.pseudonym import NO_PSEUDONYM, pseudonym
from streams.report import report_of
from streams.route import RuleBook
from streams.unknown import Row, Unknown
from streams.view import Rights

__all__ = ["Arrival", "Process"]

_PLANS_MAX = 200_000
_STATUS_AND_SEVERITY = slice(STATUS, STATUS + 2)
_EMPTY_RESTRICTED = bytes(len(restricted_fields()))
_PLATE = 1  # its bit of `Cut.present`
# Events that stand for one report alone, Avro's int 1, and with no end to assume, null.
_NO_END = b"\x00"
_ONE_REPORT = b"\x02" + _NO_END

_OUTCOMES = {
    Word.REPEAT: "duplicate",
    Word.CONFIRMED: "merged",
    Word.SUPERSEDED: "superseded",
}

Emit = Callable[[str, bytes, bytes], None]


class Arrival(Protocol):
    """A record read from a topic."""

    def key(self) -> bytes | None:
        """The record's key."""

    def value(self) -> bytes | None:
        """The record's value."""

    def headers(self) -> Sequence[tuple[str, bytes]] | None:
        """The record's headers."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of time and append time in ms."""


class Process:
    """The process stage of one worker, without Kafka.

    `frames` gives, for a writer schema's prefix and a noun, the prefix of each subscriber's schema
    built from that same version, or None when it is unknown and the record must be decoded.
    `reader` gives the reader of that version; without it every record is of the current one.
    `nouns` are the declared ones with a site's own windows; `key` is the site's, for pseudonyms.
    """

    def __init__(
        self,
        *,
        lane: str,
        slot: str,
        key: bytes,
        register: DeviceRegister,
        rules: RuleBook,
        frames: Callable[[bytes, str], Mapping[str, bytes] | None],
        recode: Callable[[bytes, str], tuple[bytes, Cut]],
        reader: Callable[[bytes, str], HeadReader] | None = None,
        nouns: Mapping[str, schemas.NounSpec] | None = None,
    ) -> None:
        self._frames = frames
        self._recode = recode
        self._topics = {noun.topic: noun for noun in (nouns or schemas.nouns()).values()}
        self._partitions: dict[tuple[str, int], Partition] = {}
        subscribers = schemas.subscribers().values()
        # The parts are the same in every subscriber's schema; any one gives their encoders.
        some = next(iter(subscribers))
        parts = part_encoders(schemas.built(schemas.subscriber_topic(some.id, some.nouns[0])))
        self._encode = parts
        self._planner = Planner(
            register,
            rules,
            lane,
            parts,
            {each.id: Rights(each) for each in subscribers},
            {each.id: Pseudonyms(key, each.id) for each in subscribers},
        )
        readers = {
            noun.name: HeadReader(schemas.built(noun.topic)) for noun in schemas.nouns().values()
        }
        self._reader = reader or (lambda _prefix, noun: readers[noun])
        self._revision = self._planner.revision()
        self._heads = Heads()
        self._slot = slot
        self._hub = b""
        self._register = register
        self._unknown = Unknown(register, self._partitions, _ignored)

    # State of input partitions

    def open(self, topic: str, partition: int) -> Partition:
        """Begin an input partition with empty state."""
        noun = self._topics[topic]
        merger = Merger(noun.merge) if noun.merge else None
        fresh = Partition(noun, Window(noun.window_s * 1000), LastStates(noun.keep_alive_s), merger)
        self._partitions[topic, partition] = fresh
        return fresh

    def state(self, topic: str, partition: int) -> Partition:
        """State of an input partition."""
        return self._partitions[topic, partition]

    def close(self, topic: str, partition: int) -> None:
        """Forget an input partition."""
        self._partitions.pop((topic, partition), None)

    def commit(self) -> None:
        """The open transaction was committed."""
        for each in self._partitions.values():
            each.commit()

    def rollback(self) -> None:
        """The open transaction was rolled back."""
        for each in self._partitions.values():
            each.rollback()

    # Records

    def handle(
        self,
        topic: str,
        partition: int,
        arrivals: Sequence[Arrival],
        *,
        now_us: int,
        emit: Emit,
        refuse: Callable[[Arrival, RecordError], None],
        unknown: Callable[[Row], None] | None = None,
    ) -> None:
        """Decide on records of one input partition, in their order.

        `unknown` takes the row of a device that the register does not know, once an hour.
        """
        state = self._partitions[topic, partition]
        if self._register.changed:
            self._forget_changed()
        if self._revision != self._planner.revision():
            self._revision = self._planner.revision()
            for each in self._partitions.values():
                each.plans.clear()
        elif len(state.plans) > _PLANS_MAX:
            state.plans.clear()
        self._unknown.show = unknown or _ignored
        self._heads.trim()
        self._hub = self._encode["hub"]({"processed_at": now_us, "slot": self._slot})
        handle = self._occurrence if state.noun.family == "occurrence" else self._state
        for arrival in arrivals:
            try:
                handle(arrival, state, emit)
            except RecordError as error:
                refuse(arrival, error)
            except (IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
                # Bytes that are no event of this hub.
                refuse(arrival, RecordError(f"not a canonical event: {error!r}", code="not-avro"))

    def _forget_changed(self) -> None:
        """Drop the plans of the devices whose entries have changed, and no others.

        Making all plans anew for each change takes eight times as long as using them.
        """
        names = {encoded_names(*name) for name in self._register.changed}
        self._register.changed.clear()
        for each in self._partitions.values():
            for plan in [plan for plan in each.plans if plan[0] in names]:
                del each.plans[plan]

    def _occurrence(self, arrival: Arrival, state: Partition, emit: Emit) -> None:
        """One plate read, detection or violation: spliced, not decoded."""
        value, key = arrival.value(), arrival.key()
        if not value or not key or value[0]:
            raise RecordError("a record without key, value or framing", code="not-framed")
        appended_ms = arrival.timestamp()[1]
        source, names, minute, place_us, kind = self._heads.read(value, key)
        if not state.window.first(value[EVENT_ID], appended_ms):
            state.tally.add(source, minute, "duplicate")
            return
        merger, name = state.merger, (names, value[_STATUS_AND_SEVERITY], kind)
        plan = state.plans.get(name)
        try:
            merged = told = stranger = None
            compared = False
            for label, data in arrival.headers() or ():
                if label == "cut":
                    told = data
                elif label == LIKE and merger is not None and data and len(data) == LIKENESS.size:
                    merged = merger.report(data, value[SUBJECT_ID], appended_ms)
                    compared = True
            if (
                plan is None
                or not plan.low_us <= place_us < plan.high_us - COARSE_US
                or not plan.from_us <= appended_ms * 1000 < plan.to_us
            ):
                plan, stranger = self._plan(state, value, appended_ms)
                state.plans[name] = plan
            deliver = plan.targets and (merged is None or merged.deliver)
            if deliver:
                said = _ONE_REPORT
                if merged is not None:
                    thing = merged.thing
                    value = _restated(value, thing.subject, ENDED if thing.over else UPDATED)
                    said = self._encode["reports"](thing.reports) + _NO_END
                self._deliver(state, plan, value, key, emit, place_us, told, said)
        except Exception:
            # Else the event could not be sent again once what was wrong is mended.
            state.window.forget_last()
            state.plans.pop(name, None)
            raise
        if compared and merger is not None:
            merger.accept()
        if stranger is not None:
            self._unknown.tell(state, stranger, appended_ms)
        outcome = "delivered" if deliver else "merged" if plan.targets else "dropped"
        state.tally.add(source, minute, outcome, len(plan.targets) if deliver else 0)

    def _plan(
        self, state: Partition, value: bytes, appended_ms: int
    ) -> tuple[Plan, Mapping[str, Any] | None]:
        """A new plan, and the event's header where the register does not know its device."""
        noun = state.noun.name
        header = self._header(value, noun)
        plan = self._planner.plan(header, noun, appended_ms * 1000)
        if not self._unknown.is_unknown(header):
            return plan, None
        return self._unknown.within_hour(plan, appended_ms), header

    def _state(self, arrival: Arrival, state: Partition, emit: Emit) -> None:
        """One signal state, situation, alert …: compared with the last of its subject."""
        value, key = arrival.value(), arrival.key()
        if value is None or key is None or len(value) <= VARIABLE or value[0]:
            raise RecordError("a record without key, value or framing", code="not-framed")
        noun = state.noun
        headers = dict(arrival.headers() or ())
        if self._frames(value[:PREFIX_LENGTH], noun.name) is None:
            value, cut = self._recode(value, noun.name)
        else:
            cut = Cut(*self._cut(headers.get("cut"), value, noun.name))
        reader = self._reader(value[:PREFIX_LENGTH], noun.name)
        header = reader.header(value)
        source = header["source_id"]
        minute = minute_of(micros(header["received_at"]))
        plan = self._planner.plan(header, noun.name, arrival.timestamp()[1] * 1000)
        verdict = state.states.decide(report_of(value, header, cut, reader, noun.name))
        if self._unknown.is_unknown(header):
            self._unknown.tell(state, header, arrival.timestamp()[1])
        if verdict.word is not Word.DELIVER:
            state.tally.add(source, minute, _OUTCOMES[verdict.word])
            return
        value = _restated(value, verdict.subject, verdict.lifecycle)
        if plan.targets:
            end = None
            if noun.ttl_h and LISTED not in headers and verdict.lifecycle not in OVER:
                end = assumed_end(noun, header, reader.body(value, cut))
            said = self._encode["reports"](verdict.reports) + self._encode["assumed_end_at"](end)
            self._deliver(state, plan, value, key, emit, place_time(header), cut.pack(), said)
            state.tally.add(source, minute, "delivered", len(plan.targets))
        else:
            state.tally.add(source, minute, "dropped")

    def _deliver(  # noqa: PLR0917 - a call by position in the hot path
        self,
        state: Partition,
        plan: Plan,
        value: bytes,
        key: bytes,
        emit: Emit,
        place_us: int,
        told: bytes | None,
        said: bytes = _ONE_REPORT,
    ) -> None:
        """Write the record to each target, as its view shows it.

        `place_us` is the event's time, `told` the record's header `cut`, and `said` what the steps
        have to say: the encoded fields `reports` and `assumed_end_at`.
        """
        noun = state.noun.name
        frames = self._frames(value[:PREFIX_LENGTH], noun)
        if frames is None:
            value, cut = self._recode(value, noun)
            told = cut.pack()
            frames = self._frames(value[:PREFIX_LENGTH], noun) or {}
        start, end, present, check = self._cut(told, value, noun)
        hub = said + self._hub
        rest = value[PREFIX_LENGTH:]
        # Made before anything is written: what can't be read is refused for all, or for none.
        written = []
        for target in plan.targets:
            frame = frames[target.subscriber]
            tail = target.tails.get(present) or target.tail(present)
            named = NO_PSEUDONYM
            if target.pseudonyms is not None and present & _PLATE:
                named = pseudonym(value, start, end, target.pseudonyms, place_us)
            if target.masks and present:
                kept = _EMPTY_RESTRICTED
                if not target.masks_all:
                    reader = self._reader(value[:PREFIX_LENGTH], noun)
                    restricted = reader.restricted(value, Cut(start, end, present, check))
                    kept = self._encode["restricted"](target.view.kept(restricted))
                parts = (frame, value[PREFIX_LENGTH:start], kept, value[end:], tail, named, hub)
                written.append((target.topic, b"".join(parts)))
            else:
                written.append((target.topic, b"".join((frame, rest, tail, named, hub))))
        for topic, record in written:
            emit(topic, record, key)

    def _cut(self, told: bytes | None, value: bytes, noun: str) -> tuple[int, int, int, int]:
        """Where `restricted` stands: from the record's header, else by decoding."""
        if told and len(told) == CUT.size:
            cut: tuple[int, int, int, int] = CUT.unpack(told)
            # Another record's cut, or damaged bytes: neither is spliced.
            if cut[3] == crc32(value[VARIABLE:]):
                return cut
        return self._reader(value[:PREFIX_LENGTH], noun).cut(value)

    def _header(self, value: bytes, noun: str) -> dict[str, Any]:
        """The header, whatever version the record is of."""
        if self._frames(value[:PREFIX_LENGTH], noun) is None:
            value, _ = self._recode(value, noun)
        return self._reader(value[:PREFIX_LENGTH], noun).header(value)


def _restated(value: bytes, subject: bytes, lifecycle: int) -> bytes:
    """The event with another subject and lifecycle; both have a fixed place."""
    rest = value[LIFECYCLE + 1 :]
    return b"".join((value[: SUBJECT_ID.start], subject, bytes((lifecycle << 1,)), rest))


def _ignored(_row: Row) -> None:
    """Whoever only asks what becomes of a record needs no rows."""
