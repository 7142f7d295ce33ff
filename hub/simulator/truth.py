"""What must come of what the hub accepted, worked out beside the hub from its written rules.

Nothing here uses the hub's own parsers, ids or steps: a second opinion is worth nothing when it is
the first one's echo. The rules: an occurrence that comes again is a duplicate; a vehicle read again
by the same camera within five seconds is merged, unless it is read surer by ten per cent, or whole
for the first time, and unless the last read arrived more than a minute ago; a state equal to its
subject's last is a repeat, an older one is superseded; messages of an alert's chain share a
subject, and a cancel holds although it came first; what is not LIVE goes to the operators alone.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

__all__ = ["Expectation", "Fact", "MatchKey", "Refusal", "Shot", "Truth"]

OCCURRENCES = frozenset({"plate_read", "detection", "violation"})
SUBSCRIBERS = {
    "plate_read": ("police", "htmoc"),
    "detection": ("police", "htmoc"),
    "violation": ("police",),
    "situation": ("police", "htmoc"),
    "alert": ("police", "htmoc"),
    "signal_state": ("htmoc",),
    "health": ("ops",),
}
"""The shipped routes, by noun."""


_NEAR_US, _SURER = 5_000_000, 10
# A vehicle is forgotten six steps of ten seconds after the step its last read arrived in.
_STEP_MS, _STEPS = 10_000, 6


class MatchKey(NamedTuple):
    """Tells one delivered event from another by its header; the noun is the topic's."""

    source_id: str
    device_ref: str
    kind: str
    native_id: str | None
    observed_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An event that a payload holds."""

    noun: str
    kind: str
    device_ref: str = ""
    native_id: str | None = None
    observed_us: int | None = None
    subject: tuple[str, ...] = ()
    """The thing whose state is told; an alert's identifier; empty for occurrences."""
    trusted: bool = True
    """Whether its time may order it; else the time of receipt does."""
    content: str = ""
    """Equal for reports of equal states."""
    lifecycle: str = "UNKNOWN"
    """As the source states it; empty where nobody judges it."""
    status: str = "LIVE"
    device_id: str | None = None
    """The register's id, "" for a device it does not know, None where no device is named."""
    withheld: tuple[str, ...] = ()
    """Fields of `restricted` that hold something."""
    plate: str = ""
    vehicle: str = ""
    """The vehicle's true plate, where the camera has read it and its clock can be believed."""
    score: int = 0
    """How sure the camera is, in per cent."""
    chained: bool = False
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A dead letter that must come; `code` is empty where any will do."""

    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One payload on its way: when, from whom, its bytes, and what they mean."""

    at_s: float
    source_id: str
    lane: str
    """What must stay in order: a device, a situation, a chain of alerts."""
    content_type: str
    body: bytes
    kind: str
    """What it is in the plan: `plate_read`, `heartbeat`, `broken` and so on."""
    facts: tuple[Fact, ...] = ()
    refusal: Refusal | None = None

    @property
    def path(self) -> str:
        """Where it is posted, without a secret."""
        return f"/v1/ingest/{self.source_id}"

    def again(self, at_s: float) -> "Shot":
        """The same bytes once more, as a sender without an answer would send them."""
        return replace(self, at_s=at_s, kind="retransmission")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a subscriber must find."""

    count: int
    lifecycle: str
    """Empty where the source's word is not this table's business."""
    device_id: str | None
    withheld: tuple[str, ...]
    reports: int = 1


@dataclass(slots=True)
class _Passing:
    """A vehicle in front of a camera."""

    low_us: int
    high_us: int
    score: int
    whole: bool
    step: int
    """When its last read arrived; 0 where nobody knows of any arrival."""
    reports: int = 1


@dataclass(slots=True)
class _State:
    observed_us: int | None
    content: str
    lifecycle: str


@dataclass(slots=True)
class Truth:
    """Grows with each accepted payload; `expected` is what the subscribers must hold."""

    expected: dict[str, dict[MatchKey, Expectation]] = field(default_factory=dict)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters by source and code."""
    maybe_refused: Counter[str] = field(default_factory=Counter)
    """Dead letters by source that may come once more: their payload may have arrived twice."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Events by what becomes of them; payloads that hold none as `nothing` or `refused`."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Payloads by their kind in the plan."""
    turned_away: Counter[str] = field(default_factory=Counter)
    """Payloads that the hub would not take, by source and HTTP status."""
    plates: set[str] = field(default_factory=set)
    _seen: set[tuple[str, MatchKey]] = field(default_factory=set)
    _passing: dict[tuple[str, str, str], _Passing] = field(default_factory=dict)
    _states: dict[tuple[str, ...], _State] = field(default_factory=dict)
    _chains: dict[tuple[str, str], str] = field(default_factory=dict)

    def accept(
        self, shot: Shot, *, indeterminate: bool = False, arrived_ms: int | None = None
    ) -> None:
        """Note a payload the hub answered with 200, in the order of its lane.

        `indeterminate`: an earlier try got no answer, so the payload may be there twice.
        `arrived_ms` is when its event was appended to the canonical topic; without it, no vehicle
        is ever forgotten.
        """
        self.accepted[shot.kind] += 1
        if shot.refusal is not None:
            self.outcomes["refused"] += 1
            self.refused[shot.source_id, shot.refusal.code] += 1
            self.maybe_refused[shot.source_id] += indeterminate
        elif not shot.facts:
            self.outcomes["nothing"] += 1
        for fact in shot.facts:
            if fact.plate:
                self.plates.add(fact.plate)
            if fact.noun in OCCURRENCES:
                self._occurrence(shot.source_id, fact, (arrived_ms or 0) // _STEP_MS)
            else:
                self._state(shot.source_id, fact)

    def turn_away(self, shot: Shot, status: int) -> None:
        """Note a payload the hub refused at its door."""
        self.turned_away[f"{shot.source_id} {status}"] += 1

    def to_json(self) -> str:
        """The finished truth, for a check in another process or on another day."""
        return json.dumps(
            {
                "version": 2,
                "expected": {
                    topic: sorted(
                        (
                            [
                                *key,
                                item.count,
                                item.lifecycle,
                                item.device_id,
                                [*item.withheld],
                                item.reports,
                            ]
                            for key, item in items.items()
                        ),
                        key=repr,
                    )
                    for topic, items in sorted(self.expected.items())
                },
                "refused": [[*key, count] for key, count in sorted(self.refused.items())],
                "maybe_refused": dict(sorted(self.maybe_refused.items())),
                "outcomes": dict(sorted(self.outcomes.items())),
                "accepted": dict(sorted(self.accepted.items())),
                "turned_away": dict(sorted(self.turned_away.items())),
                "plates": sorted(self.plates),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Truth":
        """A truth to check against; it knows no last states, so it accepts nothing more."""
        tree: Mapping[str, Any] = json.loads(text)
        if tree.get("version") != 2:
            raise ValueError(f"a truth of version {tree.get('version')!r}; this reads version 2")
        return cls(
            expected={
                topic: {
                    MatchKey(*row[:5]): Expectation(row[5], row[6], row[7], tuple(row[8]), row[9])
                    for row in rows
                }
                for topic, rows in tree["expected"].items()
            },
            refused=Counter({(source, code): n for source, code, n in tree["refused"]}),
            maybe_refused=Counter(tree["maybe_refused"]),
            outcomes=Counter(tree["outcomes"]),
            accepted=Counter(tree["accepted"]),
            turned_away=Counter(tree["turned_away"]),
            plates=set(tree["plates"]),
        )

    def _occurrence(self, source_id: str, fact: Fact, step: int) -> None:
        key = (fact.noun, _key(source_id, fact))
        if key in self._seen:
            self.outcomes["duplicate"] += 1
            return
        self._seen.add(key)
        passing = self._passage(source_id, fact, step)
        if passing is None or passing.reports == 1:
            self._deliver(source_id, fact, "")
            return
        whole = fact.plate[:1] == fact.vehicle[:1]
        if fact.score >= passing.score + _SURER or (whole and not passing.whole):
            passing.score, passing.whole = fact.score, passing.whole or whole
            self._deliver(source_id, fact, "UPDATED", passing.reports)
        else:
            self.outcomes["merged"] += 1

    def _passage(self, source_id: str, fact: Fact, step: int) -> _Passing | None:
        """The vehicle this read belongs to, with this read counted; None when it is not known."""
        at_us = fact.observed_us
        if not fact.vehicle or at_us is None:
            return None
        name = (source_id, fact.device_ref, fact.vehicle)
        passing = self._passing.get(name)
        if (
            passing
            and passing.step + _STEPS >= step
            and passing.low_us - _NEAR_US <= at_us <= passing.high_us + _NEAR_US
        ):
            passing.step = step
            passing.reports += 1
            passing.low_us = min(passing.low_us, at_us)
            passing.high_us = max(passing.high_us, at_us)
            return passing
        whole = fact.plate[:1] == fact.vehicle[:1]
        self._passing[name] = _Passing(at_us, at_us, fact.score, whole, step)
        return self._passing[name]

    def _state(self, source_id: str, fact: Fact) -> None:
        subject = (source_id, fact.noun, *fact.subject)
        if fact.chained:
            subject = (source_id, fact.noun, self._chain(source_id, fact))
        last = self._states.get(subject)
        observed_us = fact.observed_us if fact.trusted else None
        content = f"{fact.content}\n{fact.kind}\n{fact.status}\n{fact.lifecycle}"
        again = (fact.noun, _key(source_id, fact))
        if last is not None and last.content == content:
            self.outcomes["repeat"] += 1
            if last.observed_us is not None and observed_us is not None:
                last.observed_us = max(last.observed_us, observed_us)
        elif fact.chained and again in self._seen:
            self.outcomes["repeat"] += 1
        elif last is not None and _older(observed_us, last.observed_us):
            if fact.chained and last.lifecycle == "CANCELLED":
                self._seen.add(again)
                self._deliver(source_id, fact, "CANCELLED")
            else:
                self.outcomes["superseded"] += 1
        else:
            lifecycle = fact.lifecycle
            if lifecycle == "UNKNOWN":
                lifecycle = "UPDATED" if last else "NEW"
            self._states[subject] = _State(observed_us, content, lifecycle)
            self._seen.add(again)
            self._deliver(source_id, fact, lifecycle)

    def _chain(self, source_id: str, fact: Fact) -> str:
        """The subject of an alert's chain: the first known, else the first it names."""
        names = (*fact.subject, *fact.references)
        known: Iterator[str] = (
            self._chains[source_id, name] for name in names if (source_id, name) in self._chains
        )
        root = next(known, (fact.references or fact.subject)[0])
        for name in names:
            self._chains.setdefault((source_id, name), root)
        return root

    def _deliver(self, source_id: str, fact: Fact, lifecycle: str, reports: int = 1) -> None:
        self.outcomes["delivered"] += 1
        for subscriber in SUBSCRIBERS[fact.noun] if fact.status == "LIVE" else ("ops",):
            items = self.expected.setdefault(f"{subscriber}.{fact.noun}.v1", {})
            key = _key(source_id, fact)
            count = items[key].count + 1 if key in items else 1
            withheld = fact.withheld if subscriber == "htmoc" else ()
            items[key] = Expectation(count, lifecycle, fact.device_id, withheld, reports)


def _key(source_id: str, fact: Fact) -> MatchKey:
    return MatchKey(source_id, fact.device_ref, fact.kind, fact.native_id, fact.observed_us)


def _older(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one < other
