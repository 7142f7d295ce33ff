"""Subscribers' rights in words, for commands that show them. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import schemas
from schemas import Right

__all__ = ["as_dict", "in_force", "listed", "told"]


def in_force(subscriber: str, noun: str, at: datetime) -> list[Right]:
    """A subscriber's rights to a noun, for records that were written at that time."""
    rights = schemas.subscribers()[subscriber].rights
    return [right for right in rights if noun in right.nouns and right.holds(at)]


def as_dict(right: Right) -> dict[str, Any]:
    """A right for `--json`."""
    return {
        "id": right.id,
        "fields": right.fields,
        "purpose": right.purpose,
        "purpose_vi": right.purpose_vi,
        "legal_basis": right.legal_basis,
        "valid_from": right.valid_from,
        "valid_to": right.valid_to,
    }


def told(right: Right) -> str:
    """What a right gives of its noun, why, and from when to when."""
    fields = ", ".join(right.fields) or "no personal data"
    return f"{right.id} ({_span(right)}) gives {fields}: {_why(right)}"


def listed() -> Iterator[str]:
    """Every right of every subscriber, whatever its dates, in lines that a shell takes as remarks.

    So they can stand above the access rules that carry them out.
    """
    for subscriber in schemas.subscribers().values():
        yield f"# {subscriber.id}: {subscriber.title}"
        for right in subscriber.rights:
            fields = ", ".join(right.fields) or "no personal data"
            yield f"#   {right.id} ({_span(right)}): {', '.join(right.nouns)} with {fields}"
            yield f"#     {_why(right)}"


def _span(right: Right) -> str:
    until = f", until {right.valid_to.isoformat()}" if right.valid_to else ""
    return f"since {right.valid_from.isoformat()}{until}"


def _why(right: Right) -> str:
    return f"{right.purpose} [{right.legal_basis}]"
