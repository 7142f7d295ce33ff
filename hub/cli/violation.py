"""`hub violation code|act`; `violation_case` has `review` and `show`."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hub.cli import violation_case
from hub.cli.common import Commands, command, group, json_option, near, table, time_or_day_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.law import Code, Rule, Text

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    violations = group(
        commands,
        "violation",
        help_="codes of violations, candidates and people's decisions",
        example="hub violation code 16824.7.7.c.01 --at 2026-03-01",
    )
    code = command(
        violations,
        "code",
        _code,
        help_="what a violation code says, and which text of its decree held when",
        example="hub violation code 16824.7.7.c.01 --at 2026-03-01",
        description="A code is DDDYY.article.clause.point.seq; the point đ is not d. With --at,\n"
        "the exit code is 1 when its decree was not in force at the time of the act.",
    )
    code.add_argument("code", metavar="CODE", help="whole, or down to its clause: 16824.7.7")
    code.add_argument("--at", metavar="DATE", help="when the act was: a day in Hanoi, or RFC 3339")
    json_option(code)
    act = command(
        violations,
        "act",
        _act,
        help_="the codes that an act seen by a camera may have",
        example="hub violation act red-light --category car",
        description="Without WORD, the hub's words are listed. Where several codes fit, only\n"
        "people can choose. Exit code 1 when none is on record.",
    )
    act.add_argument("act", metavar="WORD", nargs="?", help="the hub's word, as red-light")
    act.add_argument("--category", metavar="C", help="of the vehicle: car or motorbike")
    act.add_argument("--over", metavar="KMH", type=float, help="of speeding: km/h over the limit")
    act.add_argument(
        "--at", metavar="DATE", help="when the act was: a day in Hanoi, or RFC 3339 (default: now)"
    )
    json_option(act)
    violation_case.add(violations)


def _code(arguments: argparse.Namespace) -> int:
    from hub.law import hanoi_day, limitation_ends, named, parse, text_at, texts_of
    from hub.render import json_line

    code = parse(arguments.code)
    at = time_or_day_of(arguments.at, option="--at") if arguments.at else None
    held = text_at(code, at) if at else None
    rules, texts = named(code, at), texts_of(code)
    if arguments.json:
        print(json_line(_code_object(code, texts, rules, at, held)))
        return 1 if at and texts and not held else 0
    rows = [("code", str(code)), ("means", code.cited)]
    if not code.seq:
        rows.append(("open", "no sequence: it names the provision, not one act of it"))
    rows += [("text", _span(text)) for text in texts]
    if not texts:
        rows.append(("text", f"Decree {code.decree} is not on record: have its dates confirmed"))
    rows += [("act", f"{rule.act}  {rule.category}  {rule.text}") for rule in rules]
    if at and held:
        last = hanoi_day(limitation_ends(at) - timedelta(microseconds=1))
        rows += [("then", held.version), ("can be fined until", f"the end of {last} in Hanoi")]
        rows += [("note", held.remark)] if held.remark else []
    elif at and texts:
        rows.append(("then", f"not in force for an act of {arguments.at}"))
    print(table(rows))
    return 1 if at and texts and not held else 0


def _span(text: "Text") -> str:
    until = f"until {text.valid_to} (not included)" if text.valid_to else "until further notice"
    return f"{text.version}  from {text.valid_from} {until}"


def _code_object(
    code: "Code",
    texts: "tuple[Text, ...]",
    rules: "tuple[Rule, ...]",
    at: datetime | None,
    held: "Text | None",
) -> dict[str, Any]:
    from hub.law import NATIONAL, limitation_ends

    return {
        "law_namespace": NATIONAL,
        "law_code": str(code),
        "cited": code.cited,
        "complete": bool(code.seq),
        "texts": [
            {
                "version": text.version,
                "valid_from": text.valid_from.isoformat(),
                "valid_to": text.valid_to.isoformat() if text.valid_to else None,
                "source": text.source,
                "remark": text.remark,
            }
            for text in texts
        ],
        "acts": [_rule_object(rule) for rule in rules],
        "at": at,
        "law_version": held.version if held else "",
        "limitation_ends": limitation_ends(at) if at and held else None,
    }


def _rule_object(rule: "Rule") -> dict[str, Any]:
    return {
        "act": rule.act,
        "category": rule.category,
        "law_code": str(rule.code),
        "text": rule.text,
    }


def _act(arguments: argparse.Namespace) -> int:
    from hub.law import lookup, text_at, words
    from hub.render import json_line

    if arguments.act is None:
        print(json_line(words()) if arguments.json else "\n".join(words()))
        return 0
    word = arguments.act.lower().replace("-", "_")
    if word not in words():
        fix = near(word, words(), fallback="see `hub violation act` for the words")
        raise ConfigError(f"{arguments.act!r} is no word for an act", where="WORD", fix=fix)
    at = time_or_day_of(arguments.at, option="--at") if arguments.at else datetime.now(UTC)
    found = lookup(word, category=_category(arguments.category), at=at, over_kmh=arguments.over)
    texts = {rule.code: text_at(rule.code, at) for rule in found}
    if arguments.json:
        versions = {code: text.version if text else "" for code, text in texts.items()}
        for rule in found:
            print(json_line({**_rule_object(rule), "law_version": versions[rule.code]}))
        return 0 if found else 1
    if not found:
        print("no code is on record for it at that time")
        return 1
    print(table([(str(rule.code), rule.category, rule.text) for rule in found]))
    for text in dict.fromkeys(text for text in texts.values() if text):
        print(f"by {text.version}" + (f"; note: {text.remark}" if text.remark else ""))
    if len({rule.code for rule in found}) > 1:
        print("several fit: the category, the speed or a person decides")
    return 0


def _category(name: str | None) -> str | None:
    from hub.law.acts import CATEGORIES

    if name is None:
        return None
    if name.upper() not in CATEGORIES:
        fix = f"use {' or '.join(each.lower() for each in CATEGORIES)}"
        raise ConfigError(f"{name!r} is no category of the table", where="--category", fix=fix)
    return name.upper()
