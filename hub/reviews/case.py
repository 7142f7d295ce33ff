"""The case of one violation candidate: which decisions hold, and which may come next. Pure.

    candidate → under review → approved → notified → contested ⇄ fined → closed
                             ↘ rejected → under review, with a reason

A case may be closed once it is approved or rejected; nothing may be skipped. Decisions are records
of a log, and several people may write at once: each names the decision it builds on, and the first
that does so holds. What comes too late, out of order or incomplete is void: it stays in the log,
and every reader finds the same reason.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from hub.errors import PayloadError
from hub.law import NATIONAL, limitation_ends, parse, text_at, texts_of
from hub.render import rfc3339
from schemas.models import ReviewState, ViolationReview

__all__ = ["NEXT", "STATES", "Case", "CaseState", "Void", "fold"]

CaseState = Literal[ReviewState, "CANDIDATE"]

NEXT: Final[Mapping[CaseState, tuple[ReviewState, ...]]] = {
    "CANDIDATE": ("UNDER_REVIEW",),
    "UNDER_REVIEW": ("APPROVED", "REJECTED"),
    "APPROVED": ("NOTIFIED", "CLOSED"),
    "REJECTED": ("UNDER_REVIEW", "CLOSED"),
    "NOTIFIED": ("CONTESTED", "FINED", "CLOSED"),
    "CONTESTED": ("FINED", "CLOSED"),
    "FINED": ("CONTESTED", "CLOSED"),
    "CLOSED": (),
}
STATES: Final = tuple(state for state in NEXT if state != "CANDIDATE")
"""States that a decision can bring, in the order of a case."""

# A person must say why it went so; a fine that was paid closes by itself.
_REASONED: Final = {
    ("UNDER_REVIEW", "REJECTED"),
    ("REJECTED", "UNDER_REVIEW"),
    ("NOTIFIED", "CONTESTED"),
    ("FINED", "CONTESTED"),
    ("APPROVED", "CLOSED"),
    ("NOTIFIED", "CLOSED"),
    ("CONTESTED", "CLOSED"),
}
_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AGENCY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAMESPACE = re.compile(r"[a-z][a-z0-9.-]{0,31}")
_AHEAD = timedelta(minutes=5)
_TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class Void:
    """A decision that does not hold, and why."""

    decision: ViolationReview
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """What the log says of a candidate so far."""

    event_id: bytes
    decisions: tuple[ViolationReview, ...] = ()
    """Those that hold, each building on the one before."""
    void: tuple[Void, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Records about it that are no decisions: where they stand, and why."""

    @property
    def state(self) -> CaseState:
        """Where the case stands."""
        return self.decisions[-1]["state"] if self.decisions else "CANDIDATE"

    @property
    def last_id(self) -> bytes | None:
        """The decision that the next one must build on."""
        return self.decisions[-1]["review_id"] if self.decisions else None

    @property
    def act_at(self) -> datetime | None:
        """When the act was, as the first decision that knows it says."""
        return next((each["act_at"] for each in self.decisions if each["act_at"]), None)

    def refusal(self, decision: ViolationReview, now: datetime) -> str:
        """Why a decision can't come next; empty when it can. `now` is when the log took it."""
        return (
            self._out_of_place(decision)
            or self._out_of_time(decision, now)
            or _incomplete(decision)
            or self._unreasoned(decision)
            or _law_fault(decision, self.act_at or decision["act_at"])
        )

    def after(self, decision: ViolationReview, appended_at: datetime) -> "Case":
        """The case with one more record of the log; a repeat changes nothing."""
        known = (*self.decisions, *(each.decision for each in self.void))
        if decision in known:
            return self
        if any(each["review_id"] == decision["review_id"] for each in known):
            why = "another decision has the same id"
        else:
            why = self.refusal(decision, appended_at)
        if why:
            return replace(self, void=(*self.void, Void(decision, why)))
        return replace(self, decisions=(*self.decisions, decision))

    def _out_of_place(self, decision: ViolationReview) -> str:
        if decision["event_id"] != self.event_id:
            return f"it is about another violation, {UUID(bytes=decision['event_id'])}"
        based_on = decision["previous_id"]
        if based_on != self.last_id:
            if based_on and not any(each["review_id"] == based_on for each in self.decisions):
                return f"it builds on a decision that does not hold, {UUID(bytes=based_on)}"
            return f"another decision came first: {_told(self.decisions[-1])}"
        allowed = NEXT[self.state]
        if decision["state"] not in allowed:
            words = " or ".join(_word(state) for state in allowed) or "nothing else"
            return f"what is {_word(self.state)} becomes {words}, not {_word(decision['state'])}"
        return ""

    def _out_of_time(self, decision: ViolationReview, now: datetime) -> str:
        decided_at, act_at = decision["decided_at"], self.act_at or decision["act_at"]
        if decided_at > now + _AHEAD:
            return f"it was decided in the future, {rfc3339(decided_at)}"
        if self.decisions and decided_at < self.decisions[-1]["decided_at"]:
            return f"it was decided before the one it builds on: {_told(self.decisions[-1])}"
        if act_at and decision["act_at"] not in (None, act_at):
            return f"it is about an act at another time than {rfc3339(act_at)}"
        if act_at and decided_at < act_at:
            return f"it was decided before the act, {rfc3339(act_at)}"
        return ""

    def _unreasoned(self, decision: ViolationReview) -> str:
        if decision["reason"].strip():
            return ""
        if (self.state, decision["state"]) in _REASONED:
            step = f"{_word(self.state)} becomes {_word(decision['state'])}"
            return f"what is {step} for a reason only"
        act_at = self.act_at or decision["act_at"]
        if decision["state"] == "FINED" and act_at:
            ends = limitation_ends(act_at)
            if decision["decided_at"] >= ends:
                return (
                    f"the act could be fined until {rfc3339(ends)} (Decree 168/2024, article 4); "
                    "later only for a reason, such as evasion"
                )
        return ""


def fold(event_id: bytes, log: Iterable[tuple[ViolationReview, datetime]]) -> Case:
    """The case after every record about it, in the order of the log, with its time of append."""
    case = Case(event_id)
    for decision, appended_at in log:
        case = case.after(decision, appended_at)
    return case


def _incomplete(decision: ViolationReview) -> str:
    if not _REFERENCE.fullmatch(decision["reviewer"]):
        return "the reviewer must be a number of letters, digits, dots and dashes, never a name"
    if not _AGENCY.fullmatch(decision["unit"]):
        return "the unit must be an agency code of letters, digits, dots and dashes"
    if max(len(decision["reason"]), len(decision["case_ref"])) > _TEXT_MAX:
        return f"reason and reference of the case have at most {_TEXT_MAX} characters"
    if decision["state"] == "APPROVED" and not decision["law_code"]:
        return "an approval names the code of the violation"
    return ""


def _law_fault(decision: ViolationReview, act_at: datetime | None) -> str:
    code, namespace = decision["law_code"], decision["law_namespace"]
    if not code:
        return ""
    if namespace != NATIONAL:
        named = bool(_NAMESPACE.fullmatch(namespace))
        return "" if named else f"{namespace!r} is no name of a list of codes"
    try:
        parsed = parse(code)
    except PayloadError as error:
        return f"{code!r} is no national code: {error.what}"
    if act_at and texts_of(parsed) and not text_at(parsed, act_at):
        return f"Decree {parsed.decree} was not in force at the time of the act, {rfc3339(act_at)}"
    return ""


def _word(state: str) -> str:
    return state.lower().replace("_", " ")


def _told(decision: ViolationReview) -> str:
    by = f"{decision['reviewer']} ({decision['unit']})"
    return f"{_word(decision['state'])} at {rfc3339(decision['decided_at'])} by {by}"
