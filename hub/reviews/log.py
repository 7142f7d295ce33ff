"""Candidates and decisions on their topics: read by `hub violation`, and decisions written by it.

Nobody holds a lock. A decision names the one it builds on; what was written is read back, and
whoever wrote second is told which decision came first.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import schemas
from hub.codec import EVENT_ID
from hub.config import Config
from hub.errors import ConfigError, RecordError
from hub.kafka.records import Record, read
from hub.law import NATIONAL, parse, text_at
from hub.registry import Registry
from hub.reviews.case import Case, fold
from hub.tables import Decoder, near_topic, publish
from schemas.models import CorrectedPlate, ReviewState, ViolationReview

__all__ = ["CANDIDATES", "TOPIC", "Proposal", "append", "candidate_of", "case_of", "decide"]

TOPIC = "police.violation_review.v1"
CANDIDATES = schemas.subscriber_topic("police", "violation")

_FIELDS = schemas.source("violation_review")["fields"]
# What an older writer could not know has its default; what has none, a decision must say.
_DEFAULTS = {field["name"]: field["default"] for field in _FIELDS if "default" in field}
_REQUIRED = {field["name"] for field in _FIELDS} - _DEFAULTS.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a person wants to decide."""

    state: ReviewState
    reviewer: str
    unit: str
    decided_at: datetime
    reason: str = ""
    law_namespace: str = ""
    law_code: str = ""
    case_ref: str = ""
    plate: CorrectedPlate | None = None

    def record(self, case: Case, subject_id: bytes, act_at: datetime | None) -> ViolationReview:
        """The decision that would come next in a case."""
        return {
            "review_id": uuid4().bytes,
            "event_id": case.event_id,
            "subject_id": subject_id,
            "previous_id": case.last_id,
            "state": self.state,
            "decided_at": self.decided_at,
            "act_at": act_at,
            "reviewer": self.reviewer,
            "unit": self.unit,
            "reason": self.reason,
            "law_namespace": self.law_namespace,
            "law_code": self.law_code,
            "law_version": self._law_version(act_at),
            "case_ref": self.case_ref,
            "restricted": {"plate": self.plate},
        }

    def repeats(self, decision: ViolationReview) -> bool:
        """Whether it says what was decided already, but for when."""
        return (
            self.state == decision["state"]
            and (self.reviewer, self.unit) == (decision["reviewer"], decision["unit"])
            and (self.reason, self.case_ref) == (decision["reason"], decision["case_ref"])
            and self.law_namespace == decision["law_namespace"]
            and self.law_code == decision["law_code"]
            and self.plate == decision["restricted"].get("plate")
        )

    def _law_version(self, act_at: datetime | None) -> str:
        if self.law_namespace != NATIONAL or act_at is None:
            return ""
        text = text_at(parse(self.law_code), act_at)
        return text.version if text else ""


def candidate_of(config: Config, registry: Registry, event_id: bytes) -> dict[str, Any] | None:
    """The police's record of a candidate; None when the topic does not hold it (any more)."""
    decoder = Decoder(registry)
    records: Generator[Record, None, None] = read(config.kafka, CANDIDATES, suggest=near_topic)
    for record in records:
        if record.value is not None and record.value[EVENT_ID] == event_id:
            records.close()
            return decoder.decode(record.value)
    return None


def case_of(config: Config, registry: Registry, event_id: bytes) -> Case:
    """The case of a candidate, from every decision that the topic holds about it."""
    decoder, key = Decoder(registry), _key(event_id)
    readable: list[tuple[ViolationReview, datetime]] = []
    unreadable: list[str] = []
    for record in read(config.kafka, TOPIC, suggest=near_topic):
        if record.key != key:
            continue
        try:
            readable.append((_decision(decoder.decode(record.value)), record.appended_at))
        except RecordError as error:
            # Whoever has the right to write may write anything: it must not end the case.
            unreadable.append(f"{TOPIC}/{record.partition} offset {record.offset}: {error.what}")
    return replace(fold(event_id, readable), unreadable=tuple(unreadable))


def _decision(record: dict[str, Any]) -> ViolationReview:
    if missing := _REQUIRED - record.keys():
        what = f"it is no decision, it has no {', '.join(sorted(missing))}"
        raise RecordError(what, code="no-decision")
    return cast("ViolationReview", {**_DEFAULTS, **record})


def append(config: Config, registry: Registry, decision: ViolationReview) -> None:
    """Write a decision and wait for all replicas; whether it holds is for the log to say."""
    publish(config, registry, TOPIC, {_key(decision["event_id"]): decision})


def decide(
    config: Config, registry: Registry, event_id: bytes, proposal: Proposal, now: datetime
) -> tuple[ViolationReview, bool]:
    """The decision of a person as it holds, and whether it was written; a repeat is not.

    `ConfigError` when there is no such candidate, `RecordError` when the decision can't come next,
    or somebody else's came first.
    """
    case = case_of(config, registry, event_id)
    if case.decisions and proposal.repeats(case.decisions[-1]):
        return case.decisions[-1], False
    decision = _next(config, registry, case, proposal)
    if why := case.refusal(decision, now):
        raise _refused(event_id, why)
    append(config, registry, decision)
    for void in case_of(config, registry, event_id).void:
        if void.decision["review_id"] == decision["review_id"]:
            raise _refused(event_id, f"it was written, and does not hold: {void.why}")
    return decision, True


def _next(config: Config, registry: Registry, case: Case, proposal: Proposal) -> ViolationReview:
    if case.decisions:
        subject_id, act_at = case.decisions[0]["subject_id"], case.act_at
    else:
        candidate = candidate_of(config, registry, case.event_id)
        if candidate is None:
            raise ConfigError(
                f"{CANDIDATES} holds no such candidate",
                where=str(UUID(bytes=case.event_id)),
                fix="take an event_id from that topic; it keeps 30 days: a case begins by then",
            )
        header = candidate["header"]
        subject_id, act_at = header["subject_id"], _act_at(header)
    return proposal.record(case, subject_id, act_at)


def _act_at(header: dict[str, Any]) -> datetime | None:
    """When the act was; as it was received where the device's clock can't be believed."""
    observed: datetime | None = header["observed_at"]
    received: datetime = header["received_at"]
    return received if observed is None or header["time_quality"] == "SUSPECT" else observed


def _refused(event_id: bytes, why: str) -> RecordError:
    text = str(UUID(bytes=event_id))
    fix = f"see `hub violation show {text}`, and decide on what stands there"
    return RecordError(why, code="decision-refused", where=text, fix=fix)


def _key(event_id: bytes) -> bytes:
    return str(UUID(bytes=event_id)).encode()
