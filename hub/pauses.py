"""Which sources of a worker are paused, as too much of what they send is refused.

Sources of one connector share raw partitions, so none of them can hold its partition up: a payload
of a paused one becomes a dead letter unread, and its raw topic keeps the bytes. `hub.breaker` has
the rule. What changes belongs to the open transaction, and is told once that is committed.

A worker knows what it has read itself. It starts with nothing paused, and so does a source whose
entry changes or of which another worker takes a partition over: at worst that gives some more
refusals before it is paused again. Replayed payloads are always read, and count for nothing: they
say what people mended, not what the source sends now.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import schemas
from hub.breaker import CLOSED, SET_ASIDE, Breaker, Closed, Open, State
from hub.config import BreakerConfig, Config
from hub.connector import Rejection
from hub.dead_letter import Refused
from hub.engine.task import Partition
from hub.envelope import Canonical, Result
from hub.metrics import StageMetrics
from hub.parsing import Parsed, RawRecord
from hub.replayed import INDEXES

__all__ = ["Pauses"]

_log = logging.getLogger("hub.pauses")
# What no parser has seen, for another cause than what the source sends.
_UNREAD = frozenset(
    {
        "bad-raw-record",
        "evidence-corrupt",
        "evidence-erased",
        "evidence-missing",
        "evidence-name",
    }
)
_DEFAULT = BreakerConfig()


class _Change(NamedTuple):
    """A source that was paused, or is read again."""

    source_id: str
    paused: bool
    topic: str
    code: str
    """Of the refusal that paused it."""


class Pauses:
    """The breakers of the sources that one worker reads."""

    def __init__(
        self, config: Config, metrics: StageMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._clock = clock
        # Only of sources of which something was refused lately; all others are closed.
        self._states: dict[str, State] = {}
        self._places: dict[str, set[Partition]] = {}
        self._open: set[str] = set()
        # Of the open transaction: how sources stood when it began, and what to tell.
        self._before: dict[str, State] = {}
        self._changes: list[_Change] = []
        # Of whom it was told last that they are paused.
        self._told: set[str] = set()
        metrics.no_source_paused()

    def sets_aside(self, raw: RawRecord) -> bool:
        """Whether a payload is not to be read now; it is counted as set aside then."""
        if not self._open:
            return False
        headers = dict(raw.headers)
        source_id = (headers.get("source_id") or b"").decode("utf-8", "replace")
        state = self._states.get(source_id)
        if not isinstance(state, Open) or INDEXES in headers:
            return False
        if self._breaker(source_id).reads(state, self._clock):
            return False
        self._become(source_id, Partition(raw.topic, raw.partition), state.one_more())
        return True

    def watched(self, parsed: Parsed) -> Iterator[tuple[int | None, Result]]:
        """The outcomes of a payload that is read, and at their end what they say of its source."""
        events = refused = 0
        code = ""
        for each in parsed.outcomes:
            result = each[1]
            if isinstance(result, Canonical):
                events += 1
            elif isinstance(result, Rejection) and result.code not in _UNREAD:
                refused += 1
                code = result.code
            yield each
        if refused or parsed.record.source_id in self._states:
            self._judge(parsed.record, events, refused, code)

    def why(self, source_id: str) -> Rejection:
        """What the dead letter of a payload says that was set aside."""
        return Rejection(
            code=SET_ASIDE,
            message=f"it was not read: its source is paused, as {self._reason(source_id)}",
            fix="mend what `hub dead list` names beside this, then `hub dead replay --source "
            f"{source_id}`; until then the raw topic keeps the payload, {self._kept()}",
        )

    def committed(self) -> None:
        """Tell who is paused now, and who is read again."""
        for change in self._changes:
            self._tell(change)
        self._begin()

    def rolled_back(self) -> None:
        """Every source stands as before the transaction."""
        for source_id, state in self._before.items():
            self._keep(source_id, state)
        self._begin()

    def forget(self, partition: Partition) -> None:
        """Another worker has the partition: what was read of its sources says less than it did."""
        for source_id in [id_ for id_, places in self._places.items() if partition in places]:
            self._start_anew(source_id)

    def take(self, config: Config) -> None:
        """Go by other sources: changed ones start anew, and of the others one payload is tried.

        An entry that is as before may name a file or a secret that is not.
        """
        for source_id in {*self._states, *self._before}:
            if config.source.get(source_id) != self._config.source.get(source_id):
                self._start_anew(source_id)
        self._config = config
        for states in (self._states, self._before):
            for source_id, state in states.items():
                if isinstance(state, Open):
                    states[source_id] = state.due()

    def _judge(self, record: Refused, events: int, refused: int, code: str) -> None:
        """What a payload that was read says of its source."""
        if any(name == INDEXES for name, _ in record.headers):
            return
        breaker = self._breaker(record.source_id)
        verdict = breaker.verdict(events, refused)
        if verdict is None:
            return
        before = self._states.get(record.source_id, CLOSED)
        after = breaker.after(before, self._clock, refused=verdict)
        self._become(record.source_id, Partition(record.topic, record.partition), after, code)

    def _become(self, source_id: str, place: Partition, state: State, code: str = "") -> None:
        before = self._states.get(source_id, CLOSED)
        if state == before:
            return
        self._before.setdefault(source_id, before)
        self._places.setdefault(source_id, set()).add(place)
        self._keep(source_id, state)
        paused = not isinstance(state, Closed)
        if paused is isinstance(before, Closed):
            self._changes.append(_Change(source_id, paused, place.topic, code))

    def _keep(self, source_id: str, state: State) -> None:
        if state == CLOSED:
            self._states.pop(source_id, None)
        else:
            self._states[source_id] = state
        if isinstance(state, Open):
            self._open.add(source_id)
        else:
            self._open.discard(source_id)

    def _begin(self) -> None:
        self._before.clear()
        self._changes.clear()

    def _start_anew(self, source_id: str) -> None:
        """As if nothing had been read of a source; a rollback doesn't bring it back."""
        self._keep(source_id, CLOSED)
        self._before.pop(source_id, None)
        self._places.pop(source_id, None)
        self._changes = [each for each in self._changes if each.source_id != source_id]
        if source_id in self._told:
            self._tell(_Change(source_id, paused=False, topic="", code=""))

    def _tell(self, change: _Change) -> None:
        self._metrics.source_paused(change.source_id, paused=change.paused)
        if change.paused:
            self._told.add(change.source_id)
            _log.warning(
                "source is paused: source=%r topic=%s: %s, the last as %s; what comes is set "
                "aside, but for one now and then. See 'A source is paused' in ops/README.md",
                change.source_id,
                change.topic,
                self._reason(change.source_id),
                change.code,
            )
        else:
            self._told.discard(change.source_id)
            _log.info(
                "source is read again: source=%r; what was refused or set aside comes with "
                "`hub dead replay --source`",
                change.source_id,
            )

    def _breaker(self, source_id: str) -> Breaker:
        settings = self._settings(source_id)
        return Breaker(settings.share, settings.payloads)

    def _settings(self, source_id: str) -> BreakerConfig:
        entry = self._config.source.get(source_id)
        return _DEFAULT if entry is None else entry.breaker

    def _reason(self, source_id: str) -> str:
        settings = self._settings(source_id)
        share = f"{settings.share * 100:g} %"
        return f"more than {share} of its last {settings.payloads} payloads were refused"

    def _kept(self) -> str:
        days = self._config.kept_days(schemas.topic_classes()["raw"]["retention"])
        return "for ever" if days is None else f"{days} days"
