"""Decisions as the log holds them, made up for tests."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

ACT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)
START = ACT + timedelta(hours=1)
EVENT = UUID("88767242-fef1-8a3b-a808-6b369901af78").bytes


def decision(number, state, previous=None, *, minutes=None, **changed):
    """Decision `number` of the case, a minute for each; `previous` is the number it builds on."""
    record = {
        "review_id": number.to_bytes(16, "big"),
        "event_id": EVENT,
        "subject_id": EVENT,
        "previous_id": previous.to_bytes(16, "big") if previous else None,
        "state": state,
        "decided_at": START + timedelta(minutes=number if minutes is None else minutes),
        "act_at": ACT,
        "reviewer": "CB-1204",
        "unit": "csgt-d3",
        "reason": "as the pictures show",
        "law_namespace": "vn" if state == "APPROVED" else "",
        "law_code": "16824.6.9.b.01" if state == "APPROVED" else "",
        "law_version": "",
        "case_ref": "",
        "restricted": {"plate": None},
    }
    return {**record, **changed}


def logged(*decisions):
    """With the time at which the log took each."""
    return [(each, each["decided_at"]) for each in decisions]
