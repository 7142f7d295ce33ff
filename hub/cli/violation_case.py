"""`hub violation review|show`: what people decided about a candidate, and deciding."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from hub.cli.common import (
    Commands,
    command,
    config_of,
    decoded_text,
    json_option,
    near,
    read_input,
    table,
    time_of,
)
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.reviews.case import Case
    from schemas.models import CorrectedPlate, ReviewState, ViolationReview

__all__ = ["add"]

_SHOWN = ("act_word", "act", "source_code", "law_code", "law_version", "speed_kmh",
          "speed_limit_kmh", "signal_state", "red_elapsed_s", "lane", "vehicle_type",
          "position_code", "detector", "detector_model", "detector_version",
          "calibration_ref")  # fmt: skip
_PLATE_MAX = 15


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands to `hub violation`."""
    review = command(
        commands,
        "review",
        _review,
        help_="write down what a person decided about a candidate",
        example="hub violation review EVENT_ID --to under_review --by CB-1204 --unit csgt-d3",
        description="Checked against the decisions that are there, written, and read back: of two\n"
        "people who decide at once the first in the log holds, and the other is told so.\n"
        "The same decision again writes nothing. Exit code 1 when it does not hold.",
    )
    review.add_argument("event_id", metavar="EVENT_ID", help="of police.violation.v1")
    review.add_argument("--to", required=True, metavar="STATE", help="under_review, approved …")
    review.add_argument("--by", required=True, metavar="REF", help="officer's number, not a name")
    review.add_argument("--unit", required=True, metavar="CODE", help="agency code of the unit")
    review.add_argument("--reason", default="", metavar="TEXT", help="without names and plates")
    review.add_argument("--code", default="", metavar="CODE", help="of the violation, as decided")
    review.add_argument(
        "--namespace", default="", metavar="N", help="list of codes it is of (default: vn)"
    )
    review.add_argument(
        "--case", default="", metavar="REF", help="the unit's reference of the file"
    )
    review.add_argument(
        "--plate-from", metavar="FILE", help="the plate as corrected; - for standard input"
    )
    review.add_argument("--plate-category", metavar="C", default="UNKNOWN", help="CAR, MOTORBIKE …")
    review.add_argument("--plate-colour", metavar="C", default="UNKNOWN", help="WHITE, BLUE …")
    review.add_argument("--at", metavar="T", help="when it was decided, RFC 3339 (default: now)")
    json_option(review)
    show = command(
        commands,
        "show",
        _show,
        help_="a candidate, without personal data, and what people decided about it",
        example="hub violation show EVENT_ID",
        description="Decisions that do not hold are shown with the reason.",
    )
    show.add_argument("event_id", metavar="EVENT_ID", help="of police.violation.v1")
    json_option(show)


def _review(arguments: argparse.Namespace) -> int:
    from hub.law import NATIONAL
    from hub.registry import Registry
    from hub.render import json_line
    from hub.reviews.log import Proposal, decide

    now = datetime.now(UTC)
    event_id = _id_of(arguments.event_id)
    proposal = Proposal(
        state=_state_of(arguments.to),
        reviewer=arguments.by,
        unit=arguments.unit,
        decided_at=time_of(arguments.at, option="--at") if arguments.at else now,
        reason=arguments.reason,
        law_namespace=arguments.namespace or (NATIONAL if arguments.code else ""),
        law_code=arguments.code,
        case_ref=arguments.case,
        plate=_plate_of(arguments),
    )
    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        decision, written = decide(config, registry, event_id, proposal, now)
    finally:
        registry.close()
    if arguments.json:
        print(json_line({"written": written, "decision": _open(decision)}))
    else:
        state = decision["state"].lower()
        print(f"{arguments.event_id} is {state}" + ("" if written else " already; nothing written"))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from hub.registry import Registry
    from hub.render import json_line
    from hub.reviews.log import candidate_of, case_of

    event_id = _id_of(arguments.event_id)
    config = config_of(arguments)
    registry = Registry(config.registry_url)
    try:
        candidate = candidate_of(config, registry, event_id)
        case = case_of(config, registry, event_id)
    finally:
        registry.close()
    if candidate is None and not (case.decisions or case.void or case.unreadable):
        raise ConfigError(
            "there is no such candidate, and no decision about one",
            where=arguments.event_id,
            fix="take an event_id from police.violation.v1, which keeps 30 days",
        )
    if arguments.json:
        print(json_line(_as_object(arguments.event_id, candidate, case)))
        return 0
    rows = [("violation", arguments.event_id), ("state", case.state.lower())]
    rows += _candidate_rows(candidate)
    if act_at := case.act_at or (candidate and candidate["header"]["observed_at"]):
        rows.append(("can be fined until", _last_day(act_at)))
    print(table(rows))
    for decision in case.decisions:
        print(_line(decision))
    for void in case.void:
        print(f"void: {_line(void.decision)}\n  {void.why}")
    for told in case.unreadable:
        print(f"unreadable: {told}")
    return 0


def _candidate_rows(candidate: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    from hub.render import plain

    if candidate is None:
        return [("candidate", "police.violation.v1 does not hold it any more")]
    header, body, place = (candidate[name] for name in ("header", "body", "place"))
    rows = [("observed", f"{plain(header['observed_at'])} ({header['time_quality']})")]
    rows += [(name, str(body[name])) for name in _SHOWN if body[name] not in (None, "")]
    where = (place["name"], place["road"], place["junction"])
    rows += [("device", f"{header['source_id']}/{header['device_ref']}")]
    rows += [("place", ", ".join(dict.fromkeys(filter(None, where))))] if any(where) else []
    held = [name for name, value in candidate["restricted"].items() if value]
    rows.append(("not shown", ", ".join(held) or "nothing"))
    if header["quality_flags"]:
        rows.append(("doubtful", ", ".join(header["quality_flags"])))
    return rows


def _last_day(act_at: datetime) -> str:
    from hub.law import hanoi_day, limitation_ends

    last = hanoi_day(limitation_ends(act_at) - timedelta(microseconds=1))
    return f"the end of {last} in Hanoi"


def _line(decision: "ViolationReview") -> str:
    from hub.render import rfc3339

    by = f"{decision['reviewer']} ({decision['unit']})"
    told = [decision["law_code"], decision["law_version"], decision["case_ref"], decision["reason"]]
    told += ["plate corrected"] if decision["restricted"].get("plate") else []
    words = "; ".join(filter(None, told))
    line = f"{rfc3339(decision['decided_at'])}  {decision['state'].lower()}  by {by}"
    return f"{line}: {words}" if words else line


def _open(decision: "ViolationReview") -> dict[str, Any]:
    """A decision without personal data, and whether it corrects the plate."""
    shown: dict[str, Any] = {**decision}
    corrected = shown.pop("restricted").get("plate") is not None
    return {**shown, "plate_corrected": corrected}


def _as_object(event_id: str, candidate: Mapping[str, Any] | None, case: "Case") -> dict[str, Any]:
    from hub.law import limitation_ends

    open_ = candidate and {key: part for key, part in candidate.items() if key != "restricted"}
    held = candidate and [name for name, value in candidate["restricted"].items() if value]
    act_at = case.act_at or (candidate and candidate["header"]["observed_at"])
    return {
        "violation": event_id,
        "state": case.state,
        "candidate": open_,
        "not_shown": held,
        "limitation_ends": limitation_ends(act_at) if act_at else None,
        "decisions": [_open(decision) for decision in case.decisions],
        "unreadable": case.unreadable,
        "void": [{"why": void.why, "decision": _open(void.decision)} for void in case.void],
    }


def _id_of(text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError as error:
        fix = "write it as a subscriber prints it, with 36 characters"
        raise ConfigError(f"{text!r} is no event_id", where="EVENT_ID", fix=fix) from error


def _state_of(text: str) -> "ReviewState":
    from hub.reviews.case import STATES

    state = text.upper().replace("-", "_")
    if state not in STATES:
        words = [each.lower() for each in STATES]
        fix = near(text.lower(), words, fallback=f"use {', '.join(words)}")
        raise ConfigError(f"{text!r} is no state that a decision brings", where="--to", fix=fix)
    return state


def _plate_of(arguments: argparse.Namespace) -> "CorrectedPlate | None":
    from hub.plates import CATEGORIES, COLOURS
    from hub.plates.normal import normalise

    if arguments.plate_from is None:
        return None
    raw = decoded_text(read_input(arguments.plate_from), arguments.plate_from)
    text = normalise(raw).norm
    if not 0 < len(text) <= _PLATE_MAX:
        # What was read is not repeated: it is personal, and may be another file.
        fix = "write the plate only"
        raise ConfigError("it holds no plate", where=arguments.plate_from, fix=fix)
    found: dict[str, str] = {"text": text}
    for name, known in (("category", CATEGORIES), ("colour", COLOURS)):
        given = getattr(arguments, f"plate_{name}").upper()
        if given not in known:
            fix = f"use {', '.join(known)}"
            raise ConfigError(f"{given!r} is none of them", where=f"--plate-{name}", fix=fix)
        found[name] = given
    return cast("CorrectedPlate", found)
