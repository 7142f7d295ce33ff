"""What an erasure deletes, and what it must leave and why. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

__all__ = ["Fate", "Plan", "Remaining", "planned"]

# So many of the events that need an object are named; the rest are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Fate:
    """A stored object of the events, and what becomes of it."""

    name: str
    kind: Literal["body", "picture"]
    outcome: Literal["deleted", "absent", "kept"]
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As `erasure.v1` and `--json` say it."""
        return {
            "sha256": bytes.fromhex(self.name),
            "kind": self.kind,
            "outcome": self.outcome,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Remaining:
    """Records on a topic, which go at their retention."""

    topic: str
    count: int
    gone_by: datetime | None
    """None: the topic keeps them without end."""

    def as_dict(self) -> dict[str, Any]:
        """As `erasure.v1` and `--json` say it."""
        return {"topic": self.topic, "count": self.count, "gone_by": self.gone_by}


@dataclass(frozen=True, slots=True)
class Plan:
    """An erasure before it is done."""

    asked: bytes
    event_ids: tuple[bytes, ...]
    objects: tuple[Fate, ...]
    records: tuple[Remaining, ...]

    @property
    def deletes(self) -> tuple[Fate, ...]:
        """What goes at once."""
        return tuple(each for each in self.objects if each.outcome == "deleted")


def planned(
    objects: Mapping[str, Literal["body", "picture"]],
    *,
    there: Collection[str],
    holds: Mapping[str, Sequence[str]],
    needed_by: Mapping[str, Sequence[str]],
    waiting: Collection[str],
) -> tuple[Fate, ...]:
    """The fate of each object of the events that are erased.

    `there` are those that are stored; `holds` the holds that name one; `needed_by` the events that
    are not erased and refer to one; `waiting` payloads that normalise has not come to: nobody knows
    what else they give.
    """
    found = []
    for name, kind in sorted(objects.items()):
        if name not in there:
            found.append(Fate(name, kind, "absent"))
        elif holds.get(name):
            found.append(Fate(name, kind, "kept", f"held by {', '.join(holds[name])}"))
        elif needed_by.get(name):
            found.append(Fate(name, kind, "kept", f"also of {_some(needed_by[name])}"))
        elif name in waiting:
            why = "the same payload has arrived again and waits for normalise: run it again later"
            found.append(Fate(name, kind, "kept", why))
        else:
            found.append(Fate(name, kind, "deleted"))
    return tuple(found)


def _some(events: Sequence[str]) -> str:
    named = [f"event {each}" for each in sorted(events)[:_NAMED]]
    more = len(events) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
