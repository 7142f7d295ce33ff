"""What a device's text says of a plate, and what it leaves open."""

from dataclasses import dataclass
from datetime import datetime

from hub.plates.grammar import Candidate, allowed, match, never_issued
from hub.plates.normal import normalise
from hub.plates.repair import Repair, repairs
from hub.plates.tables import CATEGORIES, COLOURS, PLATE_COLOURS, hanoi_day
from schemas.models import PlateCategory, PlateColour

__all__ = ["Reading", "read"]

_CATEGORIES, _COLOURS = frozenset(CATEGORIES), frozenset(COLOURS)


@dataclass(frozen=True, slots=True)
class Reading:
    """A plate as read. Where the text is no plate of Vietnam, it is kept and has no candidate."""

    raw: str
    """The text exactly as the source gave it."""
    norm: str
    """Upper case letters and digits only, `Đ` as D, unrepaired; '' when nothing was read."""
    text: str
    """The norm, or what the repair made of it."""
    category: PlateCategory
    """As the source gave it."""
    colour: PlateColour
    """As the source gave it."""
    candidates: tuple[Candidate, ...]
    """Every plate the text can be; without a clear repair, every plate it can be repaired to."""
    fitting: tuple[Candidate, ...]
    """Those that category and colour leave; all that either would leave, where they exclude all."""
    repair: Repair | None
    """The one character that was changed."""
    sentinel: bool
    """Whether the text is the device's word for "nothing read"."""
    folded: tuple[tuple[str, str], ...]
    """Characters of other scripts or widths, and the plain ones taken for them."""
    dropped: str
    """Letters and digits that no plate of Vietnam has. A text with such has no candidate."""
    contradictions: tuple[str, ...]
    """Where text, category and colour can't all be right, in words. Nothing is corrected."""

    @property
    def repaired(self) -> bool:
        """Whether `text` differs from what was read."""
        return self.repair is not None

    @property
    def ambiguous(self) -> bool:
        """Whether several plates fit, and category and colour do not decide."""
        return len(self.fitting) > 1

    @property
    def candidate(self) -> Candidate | None:
        """The one plate it is; None when it is none or ambiguous."""
        return self.fitting[0] if len(self.fitting) == 1 else None


def read(
    text: str,
    *,
    category: PlateCategory | None = None,
    colour: PlateColour | None = None,
    at: datetime | None = None,
    max_repairs: int = 1,
) -> Reading:
    """Read a device's text.

    `category` and `colour` are what the source tells of the plate (None is UNKNOWN), `at` is the
    time of the reading, with its offset, for which provinces are named (None: the newest names).
    `max_repairs` is 1 or 0 characters: more would be guessing. Raises `ValueError` on any other
    number, on a name that the schema lacks and on a time without an offset.
    """
    category, colour = category or "UNKNOWN", colour or "UNKNOWN"
    if category not in _CATEGORIES or colour not in _COLOURS or max_repairs not in (0, 1):
        raise ValueError(f"no category, colour or number: {category}, {colour}, {max_repairs}")
    on = None if at is None else hanoi_day(at)
    norm, folded, dropped, sentinel = normalise(text)
    candidates: tuple[Candidate, ...] = ()
    repair = None
    if not dropped and not sentinel:
        candidates = match(norm, on)
        if not candidates and max_repairs:
            candidates, repair = _repaired(repairs(norm, on))
    fitting, contradictions = _weighed(candidates, category, colour)
    if not candidates and not dropped and never_issued(norm):
        contradictions += (f"local code {norm[:2]} was never issued",)
    return Reading(
        raw=text,
        norm=norm,
        text=repair.text if repair else norm,
        category=category,
        colour=colour,
        candidates=candidates,
        fitting=fitting,
        repair=repair,
        sentinel=sentinel,
        folded=folded,
        dropped=dropped,
        contradictions=contradictions,
    )


def _repaired(found: tuple[Repair, ...]) -> tuple[tuple[Candidate, ...], Repair | None]:
    """What a text can be repaired to; the repair itself only when there is no other."""
    candidates = tuple(candidate for each in found for candidate in each.candidates)
    return candidates, found[0] if len(found) == 1 else None


def _weighed(
    candidates: tuple[Candidate, ...], category: str, colour: str
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """The candidates that category and colour leave, and what contradicts what."""
    fitting = candidates
    contradictions: list[str] = []
    if category != "UNKNOWN" and candidates:
        fitting = tuple(each for each in candidates if each.is_of(category)) or candidates
        if not fitting[0].is_of(category):
            contradictions.append(
                f"a plate of kind {_named(fitting)} is not of category {category}"
            )
    if colour == "UNKNOWN":
        return fitting, tuple(contradictions)
    if colour not in PLATE_COLOURS:
        contradictions.append(f"no plate is {colour}")
    elif not candidates and category != "UNKNOWN" and not allowed(category, colour):
        contradictions.append(f"no plate of category {category} is {colour}")
    elif candidates:
        coloured = tuple(each for each in fitting if each.can_be(colour))
        if not coloured:
            contradictions.append(f"a plate of kind {_named(fitting)} is not given in {colour}")
        fitting = coloured or fitting
    return fitting, tuple(contradictions)


def _named(candidates: tuple[Candidate, ...]) -> str:
    """Their kinds; the plate itself stays out of words that may be shown."""
    return " or ".join(dict.fromkeys(each.kind.replace("_", " ") for each in candidates))
