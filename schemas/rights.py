"""Rights: which fields of which noun a subscriber gets, for what, on what basis, and when. Pure.

What no right gives is withheld. A right holds for `valid_from <= t < valid_to`, where t is the time
at which the hub wrote the canonical record; so every worker and every re-run decides alike.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

__all__ = ["PSEUDONYM", "Right", "rights_of"]

PSEUDONYM = "view.pseudonym"
"""The one field that a right gives and no source does: it stands for the plate."""
_KEYS = {
    "id", "nouns", "fields", "purpose", "purpose_vi", "legal_basis", "valid_from", "valid_to",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Right:
    """One subscriber's right to some nouns, with some of their restricted fields."""

    id: str
    nouns: tuple[str, ...]
    fields: tuple[str, ...]
    """Paths such as `restricted.plate`; none: the nouns without personal data."""
    purpose: str
    purpose_vi: str
    legal_basis: str
    valid_from: datetime
    valid_to: datetime | None
    """None: until further notice."""

    def holds(self, at: datetime) -> bool:
        """Whether it holds for records that were written at that time."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


def rights_of(
    subscriber: str,
    tables: Sequence[Mapping[str, Any]],
    *,
    nouns: Collection[str],
    fields: Collection[str],
) -> tuple[Right, ...]:
    """A subscriber's rights from their TOML tables, by id and start.

    `nouns` are those it has topics for, `fields` all that a right can give. `ValueError` names the
    right and what is wrong with it.
    """
    rights = tuple(_right(subscriber, table, nouns, fields) for table in tables)
    ordered = tuple(sorted(rights, key=lambda right: (right.id, right.valid_from)))
    for before, after in pairwise(ordered):
        if before.id == after.id and (
            before.valid_to is None or after.valid_from < before.valid_to
        ):
            what = f"{after.valid_from} begins before the one of {before.valid_from} has ended"
            raise _wrong(subscriber, after.id, what, "give that one a valid_to")
    for noun in nouns:
        if not any(noun in right.nouns for right in ordered):
            what = f"no right gives {noun}, so its topic would stay empty"
            raise _wrong(subscriber, "", what, "add a right, or take the noun away")
    return ordered


def _right(
    subscriber: str, table: Mapping[str, Any], nouns: Collection[str], fields: Collection[str]
) -> Right:
    id_ = str(table.get("id", ""))
    if missing := sorted(_KEYS - {"valid_to"} - set(table)):
        raise _wrong(subscriber, id_, f"{missing[0]} is missing", "write it; see the other rights")
    if unknown := sorted(set(table) - _KEYS):
        fix = f"use {', '.join(sorted(_KEYS))}"
        raise _wrong(subscriber, id_, f"unknown key {unknown[0]!r}", fix)
    for name, known in (("nouns", nouns), ("fields", fields)):
        for each in table[name]:
            if each not in known:
                what = f"{each!r} is none of its {name}"
                raise _wrong(subscriber, id_, what, f"use {', '.join(sorted(known))}")
    for name in ("id", "purpose", "purpose_vi", "legal_basis", "nouns"):
        if not table[name]:
            raise _wrong(subscriber, id_, f"{name} is empty", "say it")
    starts, ends = table["valid_from"], table.get("valid_to")
    for name, at in (("valid_from", starts), ("valid_to", ends)):
        if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
            fix = "write it as 2025-07-01T00:00:00+07:00"
            raise _wrong(subscriber, id_, f"{name} is no time with an offset", fix)
    if ends is not None and ends <= starts:
        what, fix = "it ends before it begins", "make valid_to later than valid_from"
        raise _wrong(subscriber, id_, what, fix)
    return Right(
        id=id_,
        nouns=tuple(table["nouns"]),
        fields=tuple(table["fields"]),
        purpose=table["purpose"],
        purpose_vi=table["purpose_vi"],
        legal_basis=table["legal_basis"],
        valid_from=starts,
        valid_to=ends,
    )


def _wrong(subscriber: str, id_: str, what: str, fix: str) -> ValueError:
    of = f"right {id_!r} of {subscriber}" if id_ else subscriber
    return ValueError(f"schemas/views.toml, {of}: {what}. To mend it: {fix}")
