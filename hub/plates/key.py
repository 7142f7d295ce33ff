"""The vehicle key: what tells one vehicle from another."""

from dataclasses import dataclass, field

from hub.plates.reading import Reading
from schemas.models import PlateCategory, PlateColour

__all__ = ["VehicleKey", "vehicle_key"]


@dataclass(frozen=True, slots=True)
class VehicleKey:
    """Text, category and colour: the same text may be a car's and a motorbike's, on white and blue.

    **A weak key must not trigger enforcement alone**: no violation, notice or match with a list
    follows from it before a person has looked, or a second reading agrees.
    """

    text: str
    """The normalised text, after its repair; '' when nothing was read."""
    category: PlateCategory
    colour: PlateColour
    reasons: tuple[str, ...] = field(default=(), compare=False)
    """Why it is weak: no part of the key."""

    @property
    def weak(self) -> bool:
        """Whether it may be the key of another vehicle, or of none."""
        return bool(self.reasons)


def vehicle_key(reading: Reading) -> VehicleKey:
    """The key of the vehicle that was read.

    Category and colour are the source's. They are not taken from the text, even where it fits one
    kind of plate only: that they were seen apart from it is what makes the key strong.
    """
    reasons = []
    if reading.sentinel:
        reasons.append("nothing was read")
    elif not reading.candidates:
        reasons.append("the text is no plate of the grammar")
    elif not reading.repaired and reading.candidates[0].text != reading.text:
        reasons.append("the text is no plate before a repair, and several would do")
    if reading.category == "UNKNOWN":
        reasons.append("the category is UNKNOWN")
    if reading.colour == "UNKNOWN":
        reasons.append("the colour is UNKNOWN")
    if reading.repaired:
        reasons.append("a character was repaired")
    reasons += reading.contradictions
    return VehicleKey(reading.text, reading.category, reading.colour, tuple(reasons))
