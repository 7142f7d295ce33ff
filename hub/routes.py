"""Routing rules: from TOML to `route.v1`, checked against what exists, and written.

    [[rule]]
    id = "plates-police"
    text = "Every plate read goes to the police"
    valid_from = 2025-07-01T00:00:00+07:00
    nouns = ["plate_read"]
    to = { subscriber = "police", recipients = ["police"] }

Also `valid_to`, and what else it asks for: `kinds`, `severities`, `statuses`, `owners`, `purposes`,
`areas` (`scheme:code` of a ward, commune or district, old or new), `junctions` (by name), `hours`
(`22:00-05:00` in Hanoi) and `weekdays`; `drop = true` in place of `to`. A recipient may hold
`{owner}`, the agency that owns the device, and `{area}`, its ward now. A rule is dated: to change
one, end it and add its successor.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import schemas
from hub.areas.tables import shipped
from hub.config import Config
from hub.errors import PayloadError
from hub.hours import DAYS, minutes_of
from hub.register import moment
from hub.registry import Registry
from hub.render import rfc3339

__all__ = [
    "AHEAD",
    "SHIPPED",
    "TOPIC",
    "check_ahead",
    "publish",
    "read_toml",
    "record_key",
]

TOPIC = "route.v1"
SHIPPED = Path(__file__).parents[1] / "streams" / "rules.toml"
# A worker reads a rule before the rule holds, so that all workers decide alike.
AHEAD = timedelta(seconds=60)
_TEXTS = (
    "nouns",
    "kinds",
    "severities",
    "statuses",
    "owners",
    "purposes",
    "areas",
    "junctions",
    "hours",
    "weekdays",
)
_KEYS = {"id", "text", "valid_from", "valid_to", "to", "drop", *_TEXTS}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?|\*", re.IGNORECASE)
_AREA = re.compile(r"[A-Za-z0-9._-]+:[A-Za-z0-9]+")
_STANDS_FOR = re.compile(r"\{[^{}]*\}|[{}]")
_RULE = re.compile(r"^\s*\[\[\s*rule\s*\]\]", re.MULTILINE)


def record_key(route: Mapping[str, Any]) -> bytes:
    """Key of a rule on `route.v1`."""
    return f"{route['rule_id']}@{rfc3339(route['valid_from'])}".encode()


def read_toml(text: str, where: str = "rules") -> list[dict[str, Any]]:
    """The rules of a file, in its order; refuses what names something that does not exist."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error(f"not TOML: {error}", where, "correct it") from error
    rules = document.get("rule", [])
    if set(document) - {"rule"} or not isinstance(rules, list) or not rules:
        raise _error(
            "it must hold [[rule]] tables and nothing else", where, "see streams/rules.toml"
        )
    routes: dict[bytes, dict[str, Any]] = {}
    for number, rule in enumerate(rules):
        try:
            route = _route(rule)
            if record_key(route) in routes:
                fix = "give one another id or another valid_from"
                raise _error("the rule is there twice", "id", fix)
        except PayloadError as error:
            at = f"{where} {_place(text, number, len(rules), error.path)}"
            raise _error(error.what, f"{at} (rule {_id(rule)!r})", error.fix) from error
        routes[record_key(route)] = route
    return list(routes.values())


def _id(rule: Any) -> Any:
    return rule.get("id", "?") if isinstance(rule, dict) else "?"


def _place(text: str, number: int, count: int, path: str) -> str:
    """Where the key of a rule stands: its line, else its rule's."""
    rules = [found.end() for found in _RULE.finditer(text)]
    if len(rules) != count:
        # Written another way than as [[rule]]: lines can't be told.
        return f"rule {number + 1}, {path}"
    begin, end = rules[number], (*rules, len(text))[number + 1]
    key = re.compile(rf"^[ \t]*{re.escape(path.partition('.')[0])}\b", re.MULTILINE)
    found = key.search(text, begin, end)
    at = found.end() if found else begin
    return f"line {text.count(chr(10), 0, at) + 1}, {path}"


def _route(rule: Any) -> dict[str, Any]:
    """One rule; the path of a `PayloadError` is the key that is wrong."""
    if not isinstance(rule, dict):
        raise _error("a rule is a table", "rule", "write [[rule]]")
    for key in rule:
        _known(key, _KEYS, "key", key)
    if not _ID.fullmatch(str(rule.get("id", ""))):
        raise _error("id is missing or no name", "id", 'write id = "plates-police"')
    lists = {key: _texts(rule.get(key, []), key) for key in _TEXTS}
    _check_names(lists)
    starts, ends = _time(rule, "valid_from"), _time(rule, "valid_to")
    if starts is None:
        raise _error("valid_from is missing", "valid_from", "say from when the rule holds")
    if ends is not None and ends <= starts:
        fix = "make valid_to later than valid_from"
        raise _error("it ends before it begins", "valid_to", fix)
    drop = rule.get("drop", False)
    if not isinstance(drop, bool) or drop == ("to" in rule):
        fix = "write one of them"
        raise _error("exactly one of `to` and `drop = true` is needed", "drop", fix)
    subscriber, recipients = _target(rule["to"], lists["nouns"]) if not drop else ("", [])
    _check_status(lists["statuses"], subscriber)
    return {
        "rule_id": rule["id"],
        "valid_from": starts,
        "valid_to": ends,
        "text": str(rule.get("text", "")),
        **lists,
        "subscriber": subscriber,
        "recipients": recipients,
        "drop": drop,
    }


def _known(name: str, known: Iterable[str], what: str, key: str) -> None:
    known = sorted(known)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise _error(f"unknown {what} {name!r}", key, fix)


def _texts(value: Any, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _error(f"{key} must be a list of texts", key, f'write {key} = ["…"]')
    return value


def _check_names(lists: Mapping[str, Sequence[str]]) -> None:
    enums = {field["name"]: field["type"] for field in schemas.source("header")["fields"]}
    for key, what, known in (
        ("nouns", "noun", schemas.nouns()),
        ("severities", "severity", enums["severity"]["symbols"]),
        ("statuses", "status", enums["status"]["symbols"]),
        ("weekdays", "weekday", DAYS),
    ):
        for name in lists[key]:
            _known(name, known, what, key)
    for kind in lists["kinds"]:
        if not _KIND.fullmatch(kind):
            fix = "write it as vehicle.passage, or weather.* for all below"
            raise _error(f"{kind!r} is no kind", "kinds", fix)
    for area in lists["areas"]:
        _check_area(area)
    for hours in lists["hours"]:
        try:
            minutes_of(hours)
        except ValueError as error:
            what, _, fix = str(error).partition(": ")
            raise _error(what, "hours", fix) from error


def _check_area(area: str) -> None:
    """Refuse an area that its list of units does not have; a site may have lists of its own."""
    if not _AREA.fullmatch(area):
        fix = "write scheme:code, nso-2025-07:00004"
        raise _error(f"{area!r} is no area", "areas", fix)
    scheme, _, code = area.partition(":")
    register = shipped()
    if register.index(scheme) >= 0 and register.unit(scheme, code) is None:
        others = [each.name for each in register.schemes if register.unit(each.name, code)]
        fix = f"did you mean {others[0]}:{code}?" if others else "see `hub area resolve --name …`"
        raise _error(f"{scheme} has no unit {code}", "areas", fix)


def _check_status(statuses: Sequence[str], subscriber: str) -> None:
    """Refuse a rule that would never take effect: what is not live is for the operators alone."""
    other = [status for status in statuses if status != "LIVE"]
    if other and subscriber != "ops":
        what = f"what is {' or '.join(other)} goes to ops only, whatever rules say"
        raise _error(what, "statuses", "leave them out, or make it a rule to ops")


def _time(rule: Mapping[str, Any], key: str) -> datetime | None:
    value = rule.get(key)
    if value is None:
        return None
    try:
        # tomllib has read TOML's own dates and times already.
        return moment(value.isoformat() if isinstance(value, date) else str(value))
    except ValueError as error:
        raise _error(str(error), key, "give the time its offset") from error


def _target(value: Any, nouns: Sequence[str]) -> tuple[str, list[str]]:
    if not isinstance(value, dict) or set(value) - {"subscriber", "recipients"}:
        fix = 'write to = { subscriber = "police", recipients = ["police"] }'
        raise _error("`to` must name a subscriber and recipients", "to", fix)
    subscriber = str(value.get("subscriber", ""))
    _known(subscriber, schemas.subscribers(), "subscriber", "to.subscriber")
    for noun in nouns:
        _known(noun, schemas.subscribers()[subscriber].nouns, f"noun of {subscriber}", "nouns")
    recipients = _texts(value.get("recipients", []), "to.recipients")
    for recipient in recipients:
        for name in _STANDS_FOR.findall(recipient):
            _known(name, ("{area}", "{owner}"), "part of a recipient", "to.recipients")
        if not recipient.isprintable() or recipient != recipient.strip():
            fix = "write an agency code, ward-police:{area} or {owner}"
            raise _error(f"{recipient!r} is no recipient", "to.recipients", fix)
    if twice := [each for each in recipients if recipients.count(each) > 1]:
        raise _error(f"recipient {twice[0]!r} is there twice", "to.recipients", "remove one")
    return subscriber, recipients


def check_ahead(
    held: Mapping[bytes, Mapping[str, Any]], new: Iterable[Mapping[str, Any]], now: datetime
) -> None:
    """Refuse what would change the past or the next minute: workers would decide differently."""
    soonest = now + AHEAD
    fix = f"let it take effect after {rfc3339(soonest)}, or say --now for a first load"
    for route in new:
        before = held.get(record_key(route))
        where = f"rule {route['rule_id']!r}"
        if before == route:
            continue
        if before is None or _but_end(before) != _but_end(route):
            if route["valid_from"] < soonest:
                what = "begins" if before is None else "is changed, and it holds already or"
                raise _error(f"{what} less than {AHEAD.seconds} s ahead", where, fix)
            continue
        for end in (before["valid_to"], route["valid_to"]):
            if end is not None and end < soonest:
                raise _error(f"ends less than {AHEAD.seconds} s ahead", where, fix)


def _but_end(route: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in route.items() if key not in ("valid_to", "text")}


def publish(config: Config, registry: Registry, routes: Iterable[Mapping[str, Any]]) -> int:
    """Write rules to `route.v1` and wait for all replicas; how many."""
    # Reading a register needs no broker, so the client library is loaded only here.
    from hub import tables

    return tables.publish(config, registry, TOPIC, {record_key(each): each for each in routes})


def _error(what: str, where: str, fix: str) -> PayloadError:
    return PayloadError(what, code="route", path=where, fix=fix)
