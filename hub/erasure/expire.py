"""Removes stored objects that are past their retention class, and leaves a record of it."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.config import Config
from hub.erasure.record import ERASURES, Journal
from hub.evidence import EvidenceStore, Past
from hub.identity import uuid_text
from hub.retention import object_days

__all__ = ["ExpiredDay", "expire", "to_expire"]


@dataclass(frozen=True, slots=True)
class ExpiredDay:
    """What of one day is past its class."""

    past: Past
    objects: int
    size_bytes: int
    held: int
    """Of them, those that a legal hold names: they stay."""

    def as_dict(self) -> dict[str, Any]:
        """As `erasure.v1` and `--json` say it."""
        return {
            "kind": self.past.kind,
            "day": self.past.day.isoformat(),
            "objects": self.objects,
            "size_bytes": self.size_bytes,
            "held": self.held,
        }


def to_expire(config: Config, store: EvidenceStore, held: Collection[str]) -> list[ExpiredDay]:
    """What is past its class now; days of which only held objects are left are no news."""
    found = []
    for past in store.past(object_days(config)):
        sizes = store.sizes(past)
        going = {name: size for name, size in sizes.items() if name not in held}
        if going or not sizes:
            found.append(ExpiredDay(past, len(going), sum(going.values()), len(sizes) - len(going)))
    return found


def expire(
    config: Config,
    store: EvidenceStore,
    held: Callable[[], Collection[str]],
    journal: Journal,
    *,
    run_by: str,
) -> tuple[list[ExpiredDay], int]:
    """Remove it, between two records; the days, and how many left-overs were swept.

    `held` names the objects under legal holds. Killed in the middle, it is simply run again.
    """
    names = held()
    days = to_expire(config, store, names)
    if any(each.objects for each in days):
        erasure_id = uuid.uuid4().bytes
        record = {
            "erasure_id": erasure_id,
            "cause": "expiry",
            "run_by": run_by,
            "expired": [each.as_dict() for each in days],
        }
        _write(journal, record, "begun")
        journal.check_clock(erasure_id)
        for each in days:
            store.drop(each.past, names)
        _write(journal, record, "done")
    return days, store.sweep(config.kept_days("erasure") or 0)


def _write(journal: Journal, record: dict[str, Any], state: str) -> None:
    row = {**record, "written_at": datetime.now(UTC), "state": state}
    journal.write(ERASURES, uuid_text(record["erasure_id"]), row)
