"""What is doubtful in a whole set of routing rules, beyond each rule by itself.

`hub.routes.read_toml` refuses a rule that is wrong. Here rules are held against each other: the
versions of one rule that hold at once or leave a gap, rules that never take effect or say the same,
and nouns of a subscriber that no rule brings, or none at some hours, or only in part. They are held
against the registers too: who asks for an owner that no device has waits in vain. Pure.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import schemas
from hub.areas.tables import shipped
from hub.hours import Hours
from hub.junctions import same_junction
from hub.render import rfc3339

__all__ = ["ASKS", "Doubt", "changes", "doubts"]

# What a rule may ask for beside hours and weekdays, which are compared as parts of a week.
ASKS = (
    "nouns",
    "kinds",
    "severities",
    "statuses",
    "owners",
    "purposes",
    "areas",
    "junctions",
)
# What leaves out a part of a noun at any hour.
_PARTLY = ("kinds", "severities", "owners", "purposes", "areas", "junctions")
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


def doubts(
    routes: Iterable[Route], now: datetime, devices: Iterable[Mapping[str, Any]] = ()
) -> list[Doubt]:
    """Everything doubtful in these rules, those that must not be loaded first.

    `devices` is the register, where one is at hand: what rules name is looked for in it.
    """
    known = sorted(routes, key=lambda each: (each["rule_id"], each["valid_from"]))
    found = [
        *_versions(known),
        *_without_effect(known),
        *_twice(known),
        *_missing(known, now),
        *_foreign_areas(known),
        *_unregistered(known, list(devices)),
    ]
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
            if rule["drop"] or not other["drop"]:
                continue
            if _covers(other, rule) and _lasts(other, rule):
                # A rule drops only what lies in its areas for certain.
                when = "takes effect only where an area is not certain" if other["areas"] else ""
                text = f"{when or 'never takes effect'}: {other['rule_id']} drops it all"
                yield Doubt(rule["rule_id"], text)


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
    """Nouns that a subscriber has topics for and no rule brings, or not always, or only in part."""
    concerned = {id_: set(each.nouns) for id_, each in schemas.subscribers().items()}
    # Of the operators' topics only those are for real life that nobody else has.
    others = (nouns for id_, nouns in concerned.items() if id_ != _OPERATORS)
    concerned[_OPERATORS] = concerned[_OPERATORS].difference(*others)
    for id_, nouns in concerned.items():
        for noun in sorted(nouns):
            brings = [
                rule
                for rule in known
                if rule["subscriber"] == id_
                and not rule["drop"]
                and _end(rule) > now
                and (not rule["nouns"] or noun in rule["nouns"])
            ]
            whole = [rule for rule in brings if not any(_asked(rule, ask) for ask in _PARTLY)]
            if whole or not brings:
                yield from (Doubt("-", text) for text in _gaps(f"{noun} to {id_}", whole, now))
            for rule in brings if not whole else ():
                asks = " and ".join(ask for ask in _PARTLY if _asked(rule, ask))
                text = f"brings {noun} to {id_} only in part ({asks}), and no rule brings the rest"
                yield Doubt(rule["rule_id"], text)


def _gaps(what: str, rules: Sequence[Route], now: datetime) -> dict[str, None]:
    """When none of some rules holds from now on, and at which hours none of those that hold."""
    found: dict[str, None] = {}
    starts = {rule["valid_from"] for rule in rules if rule["valid_from"] > now}
    edges = sorted({now, *starts, *(_end(rule) for rule in rules), _FOREVER})
    for begin, end in pairwise(edges):
        hours = [_hours(rule) for rule in rules if rule["valid_from"] <= begin < _end(rule)]
        rest = Hours.union(hours).rest()
        if not hours:
            since = f" from {rfc3339(begin)}" if begin > now else ""
            until = f" until {rfc3339(end)}" if end < _FOREVER else ""
            found[f"no rule brings {what}{since}{until}"] = None
        elif rest.parts:
            found[f"no rule brings {what} at {rest}"] = None
    return found


def _foreign_areas(known: Sequence[Route]) -> Iterator[Doubt]:
    """Areas of lists that the hub does not have: right only where the register uses them too."""
    schemes = [each.name for each in shipped().schemes]
    for rule in known:
        for scheme in dict.fromkeys(area.partition(":")[0] for area in rule["areas"]):
            if scheme not in schemes:
                text = f"no list of areas is named {scheme!r}"
                yield Doubt(rule["rule_id"], text + _near(scheme, schemes))


def _unregistered(known: Sequence[Route], devices: Sequence[Mapping[str, Any]]) -> Iterator[Doubt]:
    """Owners, purposes, junctions and recipients that the register does not know."""
    if not devices:
        return
    has = {
        name: sorted({device[name] for device in devices} - {""})
        for name in ("owner_agency", "managing_unit", "purpose", "junction")
    }
    agencies = [*has["owner_agency"], *has["managing_unit"], *schemas.subscribers()]
    for rule in known:
        id_ = rule["rule_id"]
        for ask, name in (("owners", "owner_agency"), ("purposes", "purpose")):
            for value in rule[ask]:
                if value not in has[name]:
                    what = f"no device of the register has the {name} {value!r}"
                    yield Doubt(id_, what + _near(value, has[name]))
        for value in rule["junctions"]:
            if not any(same_junction(value, each) for each in has["junction"]):
                what = f"no device of the register stands at the junction {value!r}"
                yield Doubt(id_, what + _near(value, has["junction"]))
        for value in rule["recipients"]:
            if "{" not in value and value not in agencies:
                what = f"recipient {value!r} is no subscriber, owner or managing unit"
                yield Doubt(id_, what + _near(value, agencies))


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _covers(wide: Route, narrow: Route) -> bool:
    """Whether every event that the one rule matches is matched by the other."""
    return _hours(wide).covers(_hours(narrow)) and all(
        not _asked(wide, ask)
        or (
            bool(_asked(narrow, ask))
            and all(
                any(_includes(ask, w, n) for w in _asked(wide, ask)) for n in _asked(narrow, ask)
            )
        )
        for ask in ASKS
    )


def _asked(rule: Route, ask: str) -> Sequence[str]:
    """What a rule asks for; of the status always something."""
    asked: Sequence[str] = rule[ask]
    return asked or (["LIVE"] if ask == "statuses" else [])


def _hours(rule: Route) -> Hours:
    return Hours.of(rule["hours"], rule["weekdays"])


def _includes(ask: str, wide: str, narrow: str) -> bool:
    if ask == "kinds" and wide.endswith("*"):
        return narrow.startswith(wide[:-1])
    if ask == "junctions":
        return same_junction(wide, narrow)
    if ask == "areas" and wide != narrow:
        scheme, _, code = narrow.partition(":")
        unit = shipped().unit(scheme, code)
        return unit is not None and bool(unit.district) and wide == f"{scheme}:{unit.district}"
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
