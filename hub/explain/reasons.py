"""Why a subscriber did not get an event, which rules drop it, and whose device saw it. Pure."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import schemas
from hub.areas.resolve import Areas
from hub.codec import from_micros, micros
from hub.errors import ConfigError
from hub.explain.model import PlaceStep
from hub.hours import day_and_clock
from hub.render import rfc3339
from hub.rights import in_force
from hub.route_checks import ASKS

__all__ = [
    "Registered",
    "Rule",
    "choice_of",
    "chooses",
    "dropping",
    "facts_from",
    "mismatch",
    "place_step",
    "place_time",
    "rules_of",
    "why_not",
]

# What a rule may ask for; hours and weekdays are one question.
_ASKS = (*ASKS, "hours")
_ASKED = "asked"
_FOREVER_US = 2**62
_SHOWN_RULES = 3
_SHOWN_AREAS = 6


class Rule(NamedTuple):
    """A rule and the time it holds, in µs since 1970: `from_us <= t < to_us`."""

    record: Mapping[str, Any]
    from_us: int
    to_us: int

    def named(self) -> str:
        """For people; a rule's start is its version."""
        return f"{self.record['rule_id']} (since {rfc3339(from_micros(self.from_us))})"


@dataclass(frozen=True, slots=True)
class Registered:
    """Register and rules as they stood at a time."""

    register: Any
    """`streams.place.DeviceRegister`."""
    book: Any
    """`streams.route.RuleBook`."""
    rules: Sequence[Rule]
    entered: Mapping[tuple[str, int], datetime]
    """When each device's entry, by id and start in µs, was written."""


def place_time(header: Mapping[str, Any]) -> int:
    """When place is looked up at, in µs, as the planner does it."""
    at_us: int = importlib.import_module("streams.plan").place_time(header)
    return at_us


def facts_from(
    *,
    noun: str,
    kind: str,
    severity: str,
    status: str,
    device: Mapping[str, str],
    happened: datetime,
    appended: datetime,
) -> Any:
    """`streams.route.Facts` of an event that need not exist, as the planner would have them.

    `device` are fields of its entry in the register: owner_agency, purpose, junction, area
    (`scheme:code`), legacy_district. `ConfigError` for unknown names.
    """
    enums = {field["name"]: field["type"] for field in schemas.source("header")["fields"]}
    for name, value, known in (
        ("noun", noun, list(schemas.nouns())),
        ("severity", severity, enums["severity"]["symbols"]),
        ("status", status, enums["status"]["symbols"]),
    ):
        if value not in known:
            fix = f"use one of {', '.join(known)}"
            raise ConfigError(f"unknown {name} {value!r}", where=f"--{name}", fix=fix)
    scheme, _, code = device.get("area", "").partition(":")
    if (scheme or code) and not (scheme and code):
        area = device["area"]
        raise ConfigError(f"{area!r} is no area", where="--area", fix="write nso-2025-07:00008")
    areas = Areas()
    if code and areas.register.index(scheme) >= 0 and not areas.register.unit(scheme, code):
        fix = f"see `hub area resolve --code {code}`"
        raise ConfigError(f"{scheme} has no unit {code}", where="--area", fix=fix)
    district = device.get("legacy_district", "")
    if district and not areas.resolve(district=district).meant:
        fix = "write its name or its code of three digits"
        raise ConfigError(f"there was no district {district!r}", where="--district", fix=fix)
    register = importlib.import_module("streams.place").DeviceRegister(areas=areas)
    texts = {field["name"]: "" for field in schemas.source("device")["fields"]}
    entry = {
        **texts,
        **{name: value for name, value in device.items() if name != "area"},
        "aliases": [{"source_id": _ASKED, "device_ref": _ASKED}],
        "lane": None,
        "lat": None,
        "lon": None,
        "area_scheme": scheme,
        "area_code": code,
    }
    register.put(b"", entry, -_FOREVER_US, _FOREVER_US)
    header = {
        "kind": kind,
        "severity": severity,
        "status": status,
        "source_id": _ASKED,
        "device_ref": _ASKED,
        "observed_at": happened,
        "time_quality": "DEVICE",
    }
    return _look_up(header, noun, register, micros(appended)).facts


def _look_up(header: Mapping[str, Any], noun: str, register: Any, appended_us: int) -> Any:
    """`streams.plan.Found`, as the planner finds it."""
    # Found by name: the engine does not depend on what it runs.
    plan = importlib.import_module("streams.plan")
    return plan.look_up(header, noun, register, appended_us)


def rules_of(routes: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Rules by id and start, with their validity as the steps compare it."""
    return [
        Rule(
            route,
            micros(route["valid_from"]),
            micros(route["valid_to"]) if route["valid_to"] else _FOREVER_US,
        )
        for route in sorted(routes, key=lambda each: (each["rule_id"], each["valid_from"]))
    ]


def choice_of(rules: Iterable[Rule], facts: Any, at_us: int) -> Any:
    """`streams.route.Choice` for an event with these facts, appended at that time."""
    book = importlib.import_module("streams.route").RuleBook()
    for number, rule in enumerate(rules):
        book.put(b"%06d" % number, rule.record, rule.from_us, rule.to_us)
    return book.choose(facts, at_us)


def dropping(rules: Iterable[Rule], facts: Any, at_us: int) -> list[Rule]:
    """The rules that drop the event."""
    return [rule for rule in rules if rule.record["drop"] and chooses(rule, facts, at_us)]


def why_not(subscriber: str, rules: Iterable[Rule], facts: Any, status: str, at_us: int) -> str:
    """Why an event with these facts, appended at that time, does not go to a subscriber."""
    noun = facts.noun
    if noun not in schemas.subscribers()[subscriber].nouns:
        return f"its view has no {noun}"
    if not in_force(subscriber, noun, from_micros(at_us)):
        return f"no right gives it {noun} then"
    if not facts.live:
        return f"status {status} is not LIVE: it goes to ops only"
    known = list(rules)
    if dropped := dropping(known, facts, at_us):
        return f"dropped by rule {', '.join(rule.named() for rule in dropped)}"
    mine = [
        rule
        for rule in known
        if rule.record["subscriber"] == subscriber
        and (not rule.record["nouns"] or noun in rule.record["nouns"])
    ]
    if not mine:
        return f"no rule sends it {noun}"
    told = "; ".join(mismatch(rule, facts, at_us) for rule in mine[:_SHOWN_RULES])
    more = f"; and {len(mine) - _SHOWN_RULES} rules more" if len(mine) > _SHOWN_RULES else ""
    return f"no rule matches: {told}{more}"


def mismatch(rule: Rule, facts: Any, at_us: int) -> str:
    """Why one rule does not choose the event."""
    if at_us < rule.from_us:
        return f"{rule.record['rule_id']} holds only from {rfc3339(from_micros(rule.from_us))}"
    if at_us >= rule.to_us:
        return f"{rule.record['rule_id']} ended {rfc3339(from_micros(rule.to_us))}"
    wants = []
    live = replace(facts, status="LIVE")
    for ask in _ASKS:
        asks = _ask(rule.record, ask)
        alone = {**rule.record, **dict.fromkeys((*_ASKS, "weekdays"), ()), **asks}
        if not _matches(alone, facts if ask == "statuses" else live):
            wanted = ", ".join(text for texts in asks.values() for text in texts) or "LIVE"
            wants.append(f"{ask} {wanted} (it has {_has(ask, facts)})")
    return f"{rule.record['rule_id']} wants {' and '.join(wants)}"


def _ask(record: Mapping[str, Any], ask: str) -> dict[str, Any]:
    """What a rule asks for of one thing, as its fields."""
    names = ("weekdays", "hours") if ask == "hours" else (ask,)
    return {name: record.get(name, ()) for name in names}


def _has(ask: str, facts: Any) -> str:
    """What an event has of what a rule asks for."""
    if ask == "hours":
        return f"{day_and_clock(facts.happened_us)} in Hanoi"
    if ask == "areas":
        names = dict.fromkeys(name for each in facts.areas for one in each for name in sorted(one))
        shown, more = list(names)[:_SHOWN_AREAS], len(names) - _SHOWN_AREAS
        return (", ".join(shown) or "none") + (f" and {more} more" if more > 0 else "")
    fact = {"severities": "severity", "statuses": "status"}
    return getattr(facts, fact.get(ask, ask.removesuffix("s"))) or "none"


def chooses(rule: Rule, facts: Any, at_us: int) -> bool:
    """Whether the rule alone would choose the event, by the very code that routes."""
    return rule.from_us <= at_us < rule.to_us and _matches(rule.record, facts)


def _matches(record: Mapping[str, Any], facts: Any) -> bool:
    found: bool = importlib.import_module("streams.route").matches(record, facts)
    return found


def place_step(
    header: Mapping[str, Any], noun: str, registered: Registered, appended_us: int
) -> tuple[PlaceStep, Any]:
    """What the registers answer for an event's device at its time, and the `Facts` for rules."""
    found = _look_up(header, noun, registered.register, appended_us)
    entry, place = found.entry, found.place
    step = PlaceStep(device_ref=header["device_ref"], resolution=place.get("resolution", "UNKNOWN"))
    if entry is not None:
        step.device_id, step.name = place["device_id"], place["name"]
        step.valid_from = from_micros(entry.from_us)
        step.entered_at = registered.entered.get((step.device_id, entry.from_us))
        step.areas = [f"{each['scheme']}:{each['code']}" for each in place["areas_then"]]
        step.road_id, step.junction_id = place["road_id"], place["junction_id"]
        step.position_code = place["position_code"]
        places = importlib.import_module("streams.place")
        ids = places.ids_of(entry, found.facts.happened_us, registered.register.locations)
        step.notes = list(ids.notes)
    return step, found.facts
