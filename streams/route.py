"""Which subscribers get an event: dated rules, taken at the append time of the canonical record.

Append time is on the record, so every worker and every re-run decides alike. Only the time of day
that a rule asks for is that of the event itself: the time at which its place is looked up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.hours import FOREVER_US, Hours
from hub.junctions import same_junction
from streams.within import Candidates

__all__ = ["Choice", "Facts", "RuleBook", "Target", "matches"]

_OPERATORS = "ops"
_LIVE = frozenset(("LIVE",))


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may ask of an event."""

    noun: str
    kind: str
    severity: str
    status: str = "LIVE"
    owner: str = ""
    purpose: str = ""
    junction: str = ""
    areas: tuple[Candidates, ...] = ()
    """Where it lies, by each list of units."""
    wards: tuple[str, ...] = ()
    """The wards or communes of now that come into question: what `{area}` stands for."""
    happened_us: int = 0

    @property
    def live(self) -> bool:
        """Whether it is real life: anything else is for the operators."""
        return self.status == "LIVE"


@dataclass(frozen=True, slots=True)
class Target:
    """A subscriber that gets the event, the rules that chose it and whom it is meant for."""

    subscriber: str
    rules: tuple[tuple[str, int], ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Where an event goes; nowhere when `targets` is empty.

    Holds for what was appended at `from_us <= t < to_us` and happened at `low_us <= t < high_us`.
    """

    targets: tuple[Target, ...]
    from_us: int
    to_us: int
    low_us: int = -FOREVER_US
    high_us: int = FOREVER_US


class _Rule:
    """A rule, and what it asks made ready to be compared."""

    __slots__ = (
        "areas",
        "drop",
        "from_us",
        "hours",
        "id",
        "junctions",
        "kinds",
        "prefixes",
        "recipients",
        "sets",
        "subscriber",
        "to_us",
    )

    def __init__(self, rule: Mapping[str, Any], from_us: int, to_us: int) -> None:
        self.id: str = rule["rule_id"]
        self.from_us, self.to_us = from_us, to_us
        self.subscriber: str = rule["subscriber"]
        self.drop: bool = rule["drop"]
        self.recipients: tuple[str, ...] = tuple(rule["recipients"])
        kinds = rule["kinds"]
        self.kinds = frozenset(kinds)
        self.prefixes = tuple(kind[:-1] for kind in kinds if kind.endswith("*"))
        self.areas = frozenset(rule["areas"])
        self.junctions: tuple[str, ...] = tuple(rule.get("junctions", ()))
        hours = Hours.of(rule.get("hours", ()), rule.get("weekdays", ()))
        self.hours = None if hours.always else hours
        # Without a status it is LIVE: what is not real life is for the operators alone.
        self.sets = (
            frozenset(rule["nouns"]),
            frozenset(rule["severities"]),
            frozenset(rule["owners"]),
            frozenset(rule["purposes"]),
            frozenset(rule.get("statuses", ())) or _LIVE,
        )

    def fits(self, facts: Facts) -> bool:
        """Whether everything it asks holds, but for the time."""
        nouns, severities, owners, purposes, statuses = self.sets
        return (
            (not nouns or facts.noun in nouns)
            and facts.status in statuses
            and (facts.live or (self.subscriber == _OPERATORS and not self.drop))
            and (not severities or facts.severity in severities)
            and (not owners or facts.owner in owners)
            and (not purposes or facts.purpose in purposes)
            and (
                not self.kinds
                or facts.kind in self.kinds
                or (bool(self.prefixes) and facts.kind.startswith(self.prefixes))
            )
            and (not self.areas or self._lies(facts.areas))
            and (
                not self.junctions
                or any(same_junction(name, facts.junction) for name in self.junctions)
            )
        )

    def _lies(self, areas: Iterable[Candidates]) -> bool:
        """Whether the event lies in the rule's areas.

        Where several units come into question, the rule delivers if one of them is meant, and drops
        only if each is: doubt neither hides an event from anybody nor loses it.
        """
        wanted = self.areas
        if self.drop:
            return any(all(wanted & one for one in each) for each in areas if each)
        return any(wanted & one for each in areas for one in each)


def matches(rule: Mapping[str, Any], facts: Facts) -> bool:
    """Whether one rule asks for such an event, at whatever time it holds."""
    made = _Rule(rule, 0, FOREVER_US)
    return made.fits(facts) and (made.hours is None or made.hours.around(facts.happened_us)[0])


@dataclass(slots=True)
class RuleBook:
    """The rules by record key; `revision` grows with every change."""

    revision: int = 0
    _rules: dict[bytes, _Rule] = field(default_factory=dict)
    _ordered: tuple[_Rule, ...] = ()

    def put(self, key: bytes, rule: Mapping[str, Any] | None, from_us: int, to_us: int) -> None:
        """Set (or with None, remove) the rule stored under a record key."""
        if rule is None:
            self._rules.pop(key, None)
        else:
            self._rules[key] = _Rule(rule, from_us, to_us)
        self._ordered = tuple(self._rules[each] for each in sorted(self._rules))
        self.revision += 1

    def choose(self, facts: Facts, at_us: int) -> Choice:
        """The subscribers of an event with these facts, appended at that time."""
        from_us, to_us = low, high = -FOREVER_US, FOREVER_US
        chosen: dict[str, Target] = {}
        if not facts.live:
            # Tests and exercises reach the operators alone, whatever the rules say.
            chosen[_OPERATORS] = Target(_OPERATORS, (("not-live", 0),), ())
        for rule in self._ordered:
            if not rule.fits(facts):
                continue
            for edge in (rule.from_us, rule.to_us):
                if edge <= at_us:
                    from_us = max(from_us, edge)
                else:
                    to_us = min(to_us, edge)
            if not rule.from_us <= at_us < rule.to_us:
                continue
            if rule.hours is not None:
                within, begin, end = rule.hours.around(facts.happened_us)
                low, high = max(low, begin), min(high, end)
                if not within:
                    continue
            if rule.drop:
                chosen.clear()
                break
            before = chosen.get(rule.subscriber, Target(rule.subscriber, (), ()))
            chosen[rule.subscriber] = Target(
                rule.subscriber,
                (*before.rules, (rule.id, rule.from_us)),
                tuple(dict.fromkeys((*before.recipients, *_recipients(rule.recipients, facts)))),
            )
        return Choice(tuple(chosen.values()), from_us, to_us, low, high)

    def __len__(self) -> int:
        return len(self._rules)


def _recipients(named: Iterable[str], facts: Facts) -> Iterable[str]:
    """Recipients with what `{owner}` and `{area}` stand for; none where that is not known.

    A recipient for an area is named for each that comes into question.
    """
    for each in named:
        text = each.replace("{owner}", facts.owner)
        if "{owner}" in each and not facts.owner:
            continue
        if "{area}" not in each:
            yield text
            continue
        for ward in facts.wards:
            yield text.replace("{area}", ward)
