"""Which subscribers get an event: dated rules, taken at the append time of the canonical record.

Append time is on the record, so every worker and every re-run decides alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Choice", "Facts", "RuleBook", "Target"]

_FOREVER_US = 2**62


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may ask of an event."""

    noun: str
    kind: str
    severity: str
    live: bool
    owner: str = ""
    purpose: str = ""
    areas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A subscriber that gets the event, the rules that chose it and whom it is meant for."""

    subscriber: str
    rules: tuple[tuple[str, int], ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Where an event goes; nowhere when `targets` is empty. Holds for `from_us <= t < to_us`."""

    targets: tuple[Target, ...]
    from_us: int
    to_us: int


@dataclass(slots=True)
class RuleBook:
    """The rules by record key; `revision` grows with every change."""

    revision: int = 0
    _rules: dict[bytes, tuple[Mapping[str, Any], int, int]] = field(default_factory=dict)

    def put(self, key: bytes, rule: Mapping[str, Any] | None, from_us: int, to_us: int) -> None:
        """Set (or with None, remove) the rule stored under a record key."""
        if rule is None:
            self._rules.pop(key, None)
        else:
            self._rules[key] = (rule, from_us, to_us)
        self.revision += 1

    def choose(self, facts: Facts, at_us: int) -> Choice:
        """The subscribers of an event with these facts, appended at that time."""
        low, high = -_FOREVER_US, _FOREVER_US
        chosen: dict[str, Target] = {}
        for key in sorted(self._rules):
            rule, from_us, to_us = self._rules[key]
            if not _matches(rule, facts):
                continue
            for edge in (from_us, to_us):
                low, high = (max(low, edge), high) if edge <= at_us else (low, min(high, edge))
            if not from_us <= at_us < to_us:
                continue
            if rule["drop"]:
                chosen.clear()
                break
            subscriber = rule["subscriber"]
            before = chosen.get(subscriber, Target(subscriber, (), ()))
            recipients = dict.fromkeys((*before.recipients, *_recipients(rule, facts)))
            chosen[subscriber] = Target(
                subscriber, (*before.rules, (rule["rule_id"], from_us)), tuple(recipients)
            )
        if not facts.live:
            # Tests and exercises reach the operators alone, whatever the rules say.
            chosen = {"ops": Target("ops", (("not-live", 0),), ())}
        return Choice(tuple(chosen.values()), low, high)

    def __len__(self) -> int:
        return len(self._rules)


def _matches(rule: Mapping[str, Any], facts: Facts) -> bool:
    return (
        (not rule["nouns"] or facts.noun in rule["nouns"])
        and (not rule["kinds"] or any(_kind(pattern, facts.kind) for pattern in rule["kinds"]))
        and (not rule["severities"] or facts.severity in rule["severities"])
        and (not rule["owners"] or facts.owner in rule["owners"])
        and (not rule["purposes"] or facts.purpose in rule["purposes"])
        and (not rule["areas"] or any(area in rule["areas"] for area in facts.areas))
    )


def _kind(pattern: str, kind: str) -> bool:
    return kind == pattern or (pattern.endswith("*") and kind.startswith(pattern[:-1]))


def _recipients(rule: Mapping[str, Any], facts: Facts) -> list[str]:
    stands_for = {"{owner}": facts.owner, "{area}": facts.areas[0] if facts.areas else ""}
    named = (stands_for.get(each, each) for each in rule["recipients"])
    return [each for each in named if each]
