"""The questions of `hub explain`: an event, a subject, a dead letter, a payload."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hub.breaker import SET_ASIDE
from hub.codec import EVENT_ID
from hub.config import Config
from hub.connector import Nothing
from hub.envelope import Canonical, Withheld
from hub.explain.arrivals import milliseconds
from hub.explain.logs import (
    SKEW_MS,
    Logs,
    Span,
    canonical_topics,
    origin_of,
    subscriber_topics,
)
from hub.explain.model import Explanation, Letter, PayloadWay, Spot, Way, appended_at, spot_of
from hub.explain.parsed import Payloads
from hub.explain.ways import Ways, letter_of
from hub.identity import uuid_text
from hub.registry import Registry

__all__ = ["Explainer"]

_AROUND = timedelta(hours=1)
# A subject may have thousands of events; each is explained by its own id.
_WAYS_MAX = 20


class _Handled(NamedTuple):
    """The ledger's row of a payload, or whether normalise has not come to it yet."""

    row: Mapping[str, Any] | None
    waits: bool


class Explainer:
    """Answers one question; `progress` is told how far a long search has come."""

    def __init__(
        self, config: Config, registry: Registry, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self._config = config
        self._logs = Logs(config, registry, progress)
        self._payloads = Payloads(config, registry, self._logs)
        self._ways = Ways(config, registry, self._logs, self._payloads)

    def close(self) -> None:
        """Let go of the connections."""
        self._logs.history.close()

    def id(self, id_: bytes, around: datetime | None = None) -> Explanation:
        """The event, the events of the subject, or the dead letter with this id."""
        told = Explanation({"id": uuid_text(id_), "around": around})
        span = _span(around)
        found = self._logs.events({id_}, canonical_topics(), span)
        mine = [each for each in found if each.value()[EVENT_ID] == id_]
        if mine:
            told.ways = self._ways.of(mine)
            told.others = self._others(id_, found, mine, span)
            return told
        delivered = self._logs.events({id_}, subscriber_topics(self._config.nouns()), span)
        found += self._canonical_of(delivered, found, span)
        told.left_out = max(0, len(found) - _WAYS_MAX)
        told.ways = self._ways.of(found[told.left_out :])
        told.ways += self._only_delivered(delivered, found)
        if not told.ways:
            self._dead(id_, span, told)
        return self._searched(told)

    def payload(self, sha256: bytes, around: datetime | None = None) -> Explanation:
        """Every arrival of the payload, and everything it gave."""
        told = Explanation({"payload": sha256.hex(), "around": around})
        span = _span(around)
        self._payload(sha256, self._logs.payloads(sha256.hex(), span), span, told)
        return self._searched(told)

    def _canonical_of(
        self, delivered: Sequence[Any], found: Sequence[Any], span: Span
    ) -> list[Any]:
        """Canonical records of delivered ones: process may have given them another subject."""
        known = {each.value()[EVENT_ID] for each in found}
        missing = {each.value()[EVENT_ID] for each in delivered} - known
        nouns = {each.topic().split(".")[1] for each in delivered}
        if not missing:
            return []
        topics = [noun.topic for noun in self._config.nouns().values() if noun.name in nouns]
        return [
            each
            for each in self._logs.events(missing, topics, span)
            if each.value()[EVENT_ID] in missing
        ]

    def _others(
        self, id_: bytes, found: Sequence[Any], mine: Sequence[Any], span: Span
    ) -> list[Way]:
        """Other events of the subject, where the event's id is one.

        An update of what was merged carries the subject of the first report, which is its event's
        id, on the subscribers' topics alone.
        """
        noun = next(each for each in self._config.nouns().values() if each.topic == mine[0].topic())
        span = (milliseconds(appended_at(mine[0])) - SKEW_MS, span[1])
        topics = subscriber_topics([noun.name])
        delivered = self._logs.events({id_}, topics, span) if noun.merge else []
        more = self._canonical_of(delivered, found, span)
        others = [each for each in (*found, *more) if each.value()[EVENT_ID] != id_]
        return self._ways.of(others[-_WAYS_MAX:])

    def _only_delivered(self, delivered: Sequence[Any], found: Sequence[Any]) -> list[Way]:
        """Ways of events of which only subscribers hold a record."""
        known = {each.value()[EVENT_ID] for each in found}
        events: dict[bytes, list[Any]] = {}
        for each in delivered:
            if each.value()[EVENT_ID] not in known:
                events.setdefault(each.value()[EVENT_ID], []).append(each)
        return [self._ways.of_delivered(each) for each in list(events.values())[-_WAYS_MAX:]]

    def _dead(self, id_: bytes, span: Span, told: Explanation) -> None:
        """A dead letter's id leads to what was refused."""
        letters = self._logs.letters(
            lambda each: (
                each["dead_id"] == id_
                # What process refused may have been this very event.
                or (each["stage"] == "process" and each["body"][EVENT_ID] == id_)
            ),
            span,
        )
        for letter in letters[:1]:
            spot = Spot(letter["topic"], letter["partition"], letter["offset"])
            message = self._logs.history.at(*spot)
            if letter["stage"] == "process":
                if message is not None:
                    told.ways = self._ways.of([message])
                else:
                    told.ways = [
                        Way(spot=spot, missing=self._logs.expiry(spot), letter=letter_of(letter))
                    ]
            else:
                raws = [] if message is None else [message]
                self._payload(letter["sha256"], raws, span, told, {spot})

    def _payload(
        self,
        sha256: bytes,
        raws: Sequence[Any],
        span: Span,
        told: Explanation,
        only: set[Spot] | None = None,
    ) -> None:
        """What the arrivals of a payload gave; found by its digest, also when it has expired."""
        rows, waiting = {}, set()
        for each in raws:
            spot = spot_of(each)
            self._payloads.known(each)
            rows[spot], waits = self._logs.handled(
                "normalise", _lane_of(spot), spot, appended_at(each)
            )
            if waits:
                waiting.add(spot)
        if raws:
            since = min(milliseconds(appended_at(each)) for each in raws) - SKEW_MS
            ends = [row["written_at"] for row in rows.values() if row]
            all_handled = len(ends) == len(raws)
            span = (since, milliseconds(max(ends)) + 2 * SKEW_MS if all_handled else None)
        events = self._logs.events_of(sha256, span)
        letters = [
            letter_of(each)
            for each in self._logs.letters(
                lambda each: each["stage"] == "normalise" and each["sha256"] == sha256, span
            )
        ]
        origins = [origin_of(self._logs.decoded(each.value())) for each in events]
        ways = self._ways.of(events)
        spots = dict.fromkeys([*rows, *filter(None, origins), *(each.refused for each in letters)])
        for spot in spots:
            if only is not None and spot not in only:
                continue
            told.payloads.append(
                self._payload_way(
                    spot,
                    sha256,
                    _Handled(rows.get(spot), spot in waiting),
                    [way for way, origin in zip(ways, origins, strict=True) if origin == spot],
                    [each for each in letters if each.refused == spot],
                )
            )

    def _payload_way(
        self,
        spot: Spot,
        sha256: bytes,
        handled: "_Handled",
        events: list[Way],
        letters: list[Letter],
    ) -> PayloadWay:
        payload = self._payloads.payload(spot, sha256.hex())
        outcome = "events" if events else "refused" if letters else "nothing"
        if letters and not events and all(each.code == SET_ASIDE for each in letters):
            outcome = "set aside"
        # raw.<connector>.v1 or raw.<connector>.urgent.v1
        name = spot.topic.split(".")[1]
        versions = [each.parse.version for each in events if each.parse]
        versions += [each.component.partition(" ")[2] for each in letters]
        parse = self._payloads.parse_step(name, versions[0] if versions else "", None, outcome)
        way = PayloadWay(payload, parse, events, letters)
        if handled.row is not None:
            parse.slot, parse.written_at = handled.row["slot"], handled.row["written_at"]
        elif handled.waits:
            parse.outcome = "waiting"
            return way
        elif payload.appended_at is not None:
            parse.outcome = "lost"
            way.problems.append(f"lost at normalise: no row of the ledger explains {spot}")
        if payload.appended_at is not None:
            self._compare(spot, way)
        return way

    def _compare(self, spot: Spot, way: PayloadWay) -> None:
        """Hold what the payload gave against what the current parser finds in it."""
        why = self._payloads.unable(spot)
        if why:
            way.parse.why = why
            return
        results = self._payloads.outcomes(spot)
        found = {index for index, each in results if isinstance(each, Canonical)}
        held = {each.parse.index for each in way.events if each.parse}
        refused = {index for index in found if any(letter.covers(index) for letter in way.letters)}
        whys = (each.why for _, each in results if isinstance(each, Nothing | Withheld))
        way.parse.why = next(whys, "")
        way.mended = sorted(refused, key=str)
        if found and any(letter.index is None for letter in way.letters):
            way.mended = [None]
        else:
            way.problems += [
                f"lost: the event at place {index} of {spot} is on no topic"
                for index in sorted(found - held - refused, key=str)
            ]

    def _searched(self, told: Explanation) -> Explanation:
        """For what was not found: where it was looked for, and since when that is complete."""
        if not told.found:
            for each in self._logs.searched:
                kept = [self._logs.kept_from(topic) for topic in each.topics]
                each.kept_from = max(filter(None, kept), default=None)
            told.searched = self._logs.searched
        return told


def _lane_of(raw: Spot) -> str:
    return "urgent" if ".urgent." in raw.topic else "bulk"


def _span(around: datetime | None) -> Span:
    """The append times to look at."""
    if around is None:
        return None, None
    return milliseconds(around - _AROUND), milliseconds(around + _AROUND)
