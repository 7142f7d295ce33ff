"""Why a subscriber did not get an event, which rules drop it, and whose device saw it. Pure."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import schemas
from hub.codec import from_micros, micros
from hub.errors import ConfigError
from hub.explain.model import PlaceStep
from hub.render import rfc3339

__all__ = [
    "Registered",
    "Rule",
    "choice_of",
    "chooses",
    "dropping",
    "facts_from",
    "facts_of",
    "mismatch",
    "place_step",
    "place_time",
    "rules_of",
    "why_not",
]

# What a rule may ask for, and what of the facts it is held against.
_ASKS = {
    "kinds": "kind",
    "severities": "severity",
    "owners": "owner",
    "purposes": "purpose",
    "areas": "areas",
}
_SHOWN_RULES = 3


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


def facts_of(header: Mapping[str, Any], noun: str, device: Mapping[str, Any]) -> Any:
    """What the rules may ask of an event, as the planner asks it."""
    # Found by name: the engine does not depend on what it runs.
    return importlib.import_module("streams.plan").facts_of(header, noun, device)


def facts_from(
    *, noun: str, kind: str, severity: str, status: str, owner: str, purpose: str, area: str
) -> Any:
    """`streams.route.Facts` of an event that need not exist; `ConfigError` for unknown names."""
    enums = {field["name"]: field["type"] for field in schemas.source("header")["fields"]}
    for name, value, known in (
        ("noun", noun, list(schemas.nouns())),
        ("severity", severity, enums["severity"]["symbols"]),
        ("status", status, enums["status"]["symbols"]),
    ):
        if value not in known:
            fix = f"use one of {', '.join(known)}"
            raise ConfigError(f"unknown {name} {value!r}", where=f"--{name}", fix=fix)
    scheme, _, code = area.partition(":")
    if area and not (scheme and code):
        raise ConfigError(f"{area!r} is no area", where="--area", fix="write nso-2025-07:00008")
    header = {"kind": kind, "severity": severity, "status": status}
    device = {"owner_agency": owner, "purpose": purpose, "area_scheme": scheme, "area_code": code}
    return facts_of(header, noun, device)


def rules_of(routes: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Rules by id and start, with their validity as the steps compare it."""
    return [
        Rule(
            route,
            micros(route["valid_from"]),
            micros(route["valid_to"]) if route["valid_to"] else 2**62,
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
    for ask, fact in _ASKS.items():
        asked_alone = {**rule.record, **{name: [] for name in _ASKS}, ask: rule.record[ask]}
        if not chooses(rule._replace(record=asked_alone), facts, at_us):
            has = getattr(facts, fact)
            shown = (", ".join(has) if isinstance(has, tuple) else has) or "none"
            wants.append(f"{ask} {', '.join(rule.record[ask])} (it has {shown})")
    return f"{rule.record['rule_id']} wants {' and '.join(wants) or 'another noun'}"


def chooses(rule: Rule, facts: Any, at_us: int) -> bool:
    """Whether the rule alone would choose the event, by the very code that routes."""
    book = importlib.import_module("streams.route").RuleBook()
    chooses = {**rule.record, "drop": False, "subscriber": rule.record["subscriber"] or "nobody"}
    book.put(b"", chooses, rule.from_us, rule.to_us)
    return bool(book.choose(replace(facts, live=True), at_us).targets)


def place_step(
    header: Mapping[str, Any], registered: Registered, appended_us: int
) -> tuple[PlaceStep, Mapping[str, Any]]:
    """What the registers answer for an event's device at its time, and the device's whole entry."""
    ref, at_us = header["device_ref"], place_time(header)
    entry = registered.register.find(header["source_id"], ref, at_us) if ref else None
    places = importlib.import_module("streams.place")
    locations = registered.register.locations
    place = places.place_of(
        entry,
        ref,
        at_us,
        now_us=appended_us,
        areas=registered.register.areas,
        locations=locations,
    )
    step = PlaceStep(device_ref=ref, resolution=place.get("resolution", "UNKNOWN"))
    if entry is None:
        return step, {}
    step.device_id, step.name = place["device_id"], place["name"]
    step.valid_from = from_micros(entry.from_us)
    step.entered_at = registered.entered.get((step.device_id, entry.from_us))
    step.areas = [f"{each['scheme']}:{each['code']}" for each in place["areas_then"]]
    step.road_id, step.junction_id = place["road_id"], place["junction_id"]
    step.position_code = place["position_code"]
    step.notes = list(places.ids_of(entry, at_us, locations).notes)
    return step, entry.device
