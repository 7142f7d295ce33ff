"""What is doubtful in a whole set of routing rules, beyond each rule by itself.

`hub.routes.read_toml` refuses a rule that is wrong. Here rules are held against each other: the
versions of one rule that hold at once or leave a gap, rules that never take effect or say the same,
and nouns of a subscriber that no rule brings. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import schemas
from hub.render import rfc3339

__all__ = ["Doubt", "changes", "doubts"]

_ASKS = ("nouns", "kinds", "severities", "owners", "purposes", "areas")
_FOREVER = datetime.max.replace(tzinfo=UTC)
# Tests and exercises of every noun reach the operators without any rule.
_OPERATORS = "ops"
Route = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing to look at; `wrong` when the rules must not be loaded so."""

    rule: str
    text: str
    wrong: bool = False


def doubts(routes: Iterable[Route], now: datetime) -> list[Doubt]:
    """Everything doubtful in these rules, those that must not be loaded first."""
    known = sorted(routes, key=lambda each: (each["rule_id"], each["valid_from"]))
    found = [*_versions(known), *_without_effect(known), *_twice(known), *_missing(known, now)]
    return sorted(found, key=lambda doubt: not doubt.wrong)


def changes(before: Route | None, after: Route) -> list[str]:
    """What a rule changes, a line each: `+ field: value`, `- …`."""
    lines = []
    for field, value in after.items():
        old = before[field] if before is not None else None
        if before is not None and old == value:
            continue
        if before is not None and not _is_empty(old):
            lines.append(f"- {field}: {_shown(old)}")
        if not _is_empty(value):
            lines.append(f"+ {field}: {_shown(value)}")
    return lines


def _versions(known: Sequence[Route]) -> Iterator[Doubt]:
    """Versions of one rule should follow each other without a gap and without an overlap."""
    for one, other in pairwise(known):
        if one["rule_id"] != other["rule_id"]:
            continue
        ends, starts = _end(one), other["valid_from"]
        if ends > starts:
            yield Doubt(
                one["rule_id"],
                f"the version of {rfc3339(one['valid_from'])} still holds when that of "
                f"{rfc3339(starts)} begins: give it valid_to",
                wrong=True,
            )
        elif ends < starts:
            text = f"no version of it holds from {rfc3339(ends)} to {rfc3339(starts)}"
            yield Doubt(one["rule_id"], text)


def _without_effect(known: Sequence[Route]) -> Iterator[Doubt]:
    """Rules all of whose events another rule drops, for as long as they hold."""
    for rule in known:
        for other in known:
            if other["drop"] and not rule["drop"] and _covers(other, rule) and _lasts(other, rule):
                yield Doubt(rule["rule_id"], f"never takes effect: {other['rule_id']} drops it all")


def _twice(known: Sequence[Route]) -> Iterator[Doubt]:
    """Rules of two ids of which one adds nothing to the other."""
    for rule in known:
        for other in known:
            if (
                rule["rule_id"] != other["rule_id"]
                and rule["subscriber"] == other["subscriber"]
                and rule["drop"] == other["drop"]
                and set(rule["recipients"]) <= set(other["recipients"])
                and _covers(other, rule)
                and _lasts(other, rule)
                # Of two that say exactly the same, one is named.
                and not (_same(rule, other) and rule["rule_id"] < other["rule_id"])
            ):
                yield Doubt(rule["rule_id"], f"adds nothing to {other['rule_id']}")


def _missing(known: Sequence[Route], now: datetime) -> Iterator[Doubt]:
    """Nouns that a subscriber has topics for and no rule brings, now or later."""
    brought = {
        (rule["subscriber"], noun)
        for rule in known
        if not rule["drop"] and _end(rule) > now
        for noun in rule["nouns"] or schemas.nouns()
    }
    for id_, subscriber in schemas.subscribers().items():
        for noun in subscriber.nouns:
            if (id_, noun) not in brought and id_ != _OPERATORS:
                yield Doubt("-", f"no rule brings {noun} to {id_}")


def _covers(wide: Route, narrow: Route) -> bool:
    """Whether every event that the one rule matches is matched by the other."""
    return all(
        not wide[ask]
        or (
            bool(narrow[ask])
            and all(any(_includes(ask, w, n) for w in wide[ask]) for n in narrow[ask])
        )
        for ask in _ASKS
    )


def _includes(ask: str, wide: str, narrow: str) -> bool:
    if ask == "kinds" and wide.endswith("*"):
        return narrow.startswith(wide[:-1])
    return wide == narrow


def _lasts(long: Route, short: Route) -> bool:
    return long["valid_from"] <= short["valid_from"] and _end(long) >= _end(short)


def _same(one: Route, other: Route) -> bool:
    return all(one[field] == other[field] for field in one if field not in ("rule_id", "text"))


def _end(route: Route) -> datetime:
    ends: datetime = route["valid_to"] or _FOREVER
    return ends


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", []) or value is False


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    return ", ".join(value) if isinstance(value, list) else str(value)
