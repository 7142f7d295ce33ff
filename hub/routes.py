"""Routing rules: from TOML to `route.v1`, checked against what exists, and written.

    [[rule]]
    id = "plates-police"
    text = "Every plate read goes to the police"
    valid_from = 2025-07-01T00:00:00+07:00
    nouns = ["plate_read"]
    to = { subscriber = "police", recipients = ["police"] }

Also `valid_to`, `kinds`, `severities`, `owners`, `purposes`, `areas`; `drop = true` in place of
`to`. A rule is dated: to change one, end it and add its successor.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import schemas
from hub.config import Config
from hub.errors import PayloadError
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
_TEXTS = ("nouns", "kinds", "severities", "owners", "purposes", "areas")
_KEYS = {"id", "text", "valid_from", "valid_to", "to", "drop", *_TEXTS}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?|\*", re.IGNORECASE)
_AREA = re.compile(r"[A-Za-z0-9._-]+:[A-Za-z0-9]+")
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
    lines = [text.count("\n", 0, found.end()) + 1 for found in _RULE.finditer(text)]
    routes: dict[bytes, dict[str, Any]] = {}
    for number, rule in enumerate(rules):
        line = f" line {lines[number]}" if len(lines) == len(rules) else f" rule {number + 1}"
        route = _route(rule, f"{where}{line}")
        if record_key(route) in routes:
            fix = "give one another id or another valid_from"
            raise _error("the rule is there twice", _at(f"{where}{line}", rule), fix)
        routes[record_key(route)] = route
    return list(routes.values())


def _at(where: str, rule: Mapping[str, Any]) -> str:
    return f"{where} (rule {rule.get('id', '?')!r})"


def _route(rule: Any, where: str) -> dict[str, Any]:
    if not isinstance(rule, dict):
        raise _error("a rule is a table", where, "write [[rule]]")
    where = _at(where, rule)
    for key in rule:
        _known(key, _KEYS, "key", where)
    if not _ID.fullmatch(str(rule.get("id", ""))):
        raise _error("id is missing or no name", where, 'write id = "plates-police"')
    lists = {key: _texts(rule.get(key, []), key, where) for key in _TEXTS}
    _check_names(lists, where)
    starts, ends = _time(rule, "valid_from", where), _time(rule, "valid_to", where)
    if starts is None:
        raise _error("valid_from is missing", where, "say from when the rule holds")
    if ends is not None and ends <= starts:
        raise _error("it ends before it begins", where, "make valid_to later than valid_from")
    drop = rule.get("drop", False)
    if not isinstance(drop, bool) or drop == ("to" in rule):
        raise _error("exactly one of `to` and `drop = true` is needed", where, "write one of them")
    subscriber, recipients = _target(rule["to"], lists["nouns"], where) if not drop else ("", [])
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


def _known(name: str, known: Iterable[str], what: str, where: str) -> None:
    known = sorted(known)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise _error(f"unknown {what} {name!r}", where, fix)


def _texts(value: Any, key: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _error(f"{key} must be a list of texts", where, f'write {key} = ["…"]')
    return value


def _check_names(lists: Mapping[str, Sequence[str]], where: str) -> None:
    for noun in lists["nouns"]:
        _known(noun, schemas.nouns(), "noun", where)
    for severity in lists["severities"]:
        fields = {field["name"]: field for field in schemas.source("header")["fields"]}
        _known(severity, fields["severity"]["type"]["symbols"], "severity", where)
    for kind in lists["kinds"]:
        if not _KIND.fullmatch(kind):
            fix = "write it as vehicle.passage, or weather.* for all below"
            raise _error(f"{kind!r} is no kind", where, fix)
    for area in lists["areas"]:
        if not _AREA.fullmatch(area):
            raise _error(f"{area!r} is no area", where, "write scheme:code, nso-2025-07:00004")


def _time(rule: Mapping[str, Any], key: str, where: str) -> datetime | None:
    value = rule.get(key)
    if value is None:
        return None
    try:
        # tomllib has read TOML's own dates and times already.
        return moment(value.isoformat() if isinstance(value, date) else str(value))
    except ValueError as error:
        raise _error(f"{key}: {error}", where, "give the time its offset") from error


def _target(value: Any, nouns: Sequence[str], where: str) -> tuple[str, list[str]]:
    if not isinstance(value, dict) or set(value) - {"subscriber", "recipients"}:
        fix = 'write to = { subscriber = "police", recipients = ["police"] }'
        raise _error("`to` must name a subscriber and recipients", where, fix)
    subscriber = str(value.get("subscriber", ""))
    _known(subscriber, schemas.subscribers(), "subscriber", where)
    for noun in nouns:
        _known(noun, schemas.subscribers()[subscriber].nouns, f"noun of {subscriber}", where)
    recipients = _texts(value.get("recipients", []), "recipients", where)
    for recipient in recipients:
        if recipient.startswith("{") or not recipient.isprintable():
            _known(recipient, ("{area}", "{owner}"), "recipient", where)
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
