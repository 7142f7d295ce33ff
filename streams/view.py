"""What one subscriber may see, by its dated rights: which nouns, and which fields of `restricted`.

Deny is the default: a noun, or a field of `restricted`, is given only where a right gives it at the
time the canonical record was appended. Absent and withheld are told apart in `view.withheld`.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import schemas
from hub.codec import micros
from schemas.rights import PSEUDONYM

__all__ = ["Granted", "Rights", "View"]

_FOREVER_US = 2**62
_NEVER = "personal-data"
"""In place of a right's id, where the subscriber has none to a field at any time."""
_PLATE = "restricted.plate"


@dataclass(frozen=True, slots=True)
class View:
    """A subscriber's view of one noun, over the fields of `restricted` in the schema's order."""

    subscriber: str
    fields: tuple[str, ...]
    """Paths of all fields of `restricted`."""
    given: frozenset[str]
    """Paths that a right gives."""
    openers: Mapping[str, str]
    """By path that is not given: the right of another date that gives it."""

    @property
    def masks(self) -> bool:
        """Whether anything of `restricted` is withheld at all."""
        return not self.given.issuperset(self.fields)

    @property
    def masks_all(self) -> bool:
        """Whether nothing of `restricted` is shown, so that it need not be decoded."""
        return self.given.isdisjoint(self.fields)

    @property
    def pseudonyms(self) -> bool:
        """Whether a pseudonym stands for the plate."""
        return PSEUDONYM in self.given

    def kept(self, restricted: Mapping[str, Any]) -> dict[str, Any]:
        """`restricted` as this subscriber may see it."""
        return {
            name: value if f"restricted.{name}" in self.given else None
            for name, value in restricted.items()
        }

    def record(self, present: int) -> dict[str, Any]:
        """The record `View`, for an event whose `restricted` holds the fields of a bit mask."""
        held = [field for bit, field in enumerate(self.fields) if present >> bit & 1]
        # No source gives a pseudonym: it is missed only by those who had it, or will have it.
        if _PLATE in held and PSEUDONYM in self.openers:
            held.append(PSEUDONYM)
        return {
            "id": self.subscriber,
            "withheld": [
                {"field": field, "right": self.openers.get(field, _NEVER)}
                for field in held
                if field not in self.given
            ],
        }


class Granted(NamedTuple):
    """What rights give of a noun, for records appended at `from_us <= t < to_us`."""

    view: View | None
    """None: the noun is not given."""
    from_us: int
    to_us: int


class Rights:
    """One subscriber's views by noun and time."""

    __slots__ = ("_edges", "_granted")

    def __init__(self, subscriber: schemas.SubscriberSpec) -> None:
        self._edges: dict[str, list[int]] = {}
        self._granted: dict[str, list[Granted]] = {}
        for noun in subscriber.nouns:
            mine = [right for right in subscriber.rights if noun in right.nouns]
            edges = sorted({edge for right in mine for edge in _span(right)} | {-_FOREVER_US})
            spans = pairwise([*edges, _FOREVER_US])
            self._edges[noun] = edges
            self._granted[noun] = [_granted(subscriber.id, mine, *span) for span in spans]

    def at(self, noun: str, appended_us: int) -> Granted:
        """What is given of a noun at a time; of one without a topic, nothing."""
        if noun not in self._edges:
            return Granted(None, -_FOREVER_US, _FOREVER_US)
        return self._granted[noun][bisect_right(self._edges[noun], appended_us) - 1]


def _granted(subscriber: str, rights: Sequence[schemas.Right], from_us: int, to_us: int) -> Granted:
    """What these rights to one noun give between two of their edges."""
    holding = [right for right in rights if _span(right)[0] <= from_us < _span(right)[1]]
    if not holding:
        return Granted(None, from_us, to_us)
    given = frozenset(field for right in holding for field in right.fields)
    # The next one to begin, else the last one that ended.
    past = sorted((right for right in rights if _span(right)[1] <= from_us), key=_span)
    ahead = sorted((right for right in rights if _span(right)[0] >= to_us), key=_span)
    openers = {
        field: right.id
        for right in (*past, *reversed(ahead))
        for field in right.fields
        if field not in given
    }
    fields = tuple(f"restricted.{name}" for name in schemas.restricted_fields())
    return Granted(View(subscriber, fields, given, openers), from_us, to_us)


def _span(right: schemas.Right) -> tuple[int, int]:
    """When a right holds, in µs since 1970: `from_us <= t < to_us`."""
    until = right.valid_to
    return micros(right.valid_from), _FOREVER_US if until is None else micros(until)
