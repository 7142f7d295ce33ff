"""What one subscriber may see: which fields of `restricted` its view keeps back.

Deny is by whole field of `restricted`; absent and withheld are told apart in `view.withheld`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["View"]

_RIGHT = "personal-data"


@dataclass(frozen=True, slots=True)
class View:
    """A subscriber's view over the fields of `restricted`, given in the schema's order."""

    subscriber: str
    withhold: tuple[str, ...]
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = set(self.withhold) - {f"restricted.{name}" for name in self.fields}
        if unknown:
            raise ValueError(f"view {self.subscriber} withholds unknown fields {sorted(unknown)}")

    @property
    def masks(self) -> bool:
        """Whether anything is withheld at all."""
        return bool(self.withhold)

    @property
    def masks_all(self) -> bool:
        """Whether nothing of `restricted` is shown, so that it need not be decoded."""
        return len(set(self.withhold)) == len(self.fields)

    def kept(self, restricted: dict[str, Any]) -> dict[str, Any]:
        """`restricted` as this subscriber may see it."""
        return {
            name: None if f"restricted.{name}" in self.withhold else value
            for name, value in restricted.items()
        }

    def record(self, present: int) -> dict[str, Any]:
        """The record `View`, for an event whose `restricted` holds the fields of a bit mask."""
        held: Sequence[str] = [
            f"restricted.{name}" for bit, name in enumerate(self.fields) if present >> bit & 1
        ]
        return {
            "id": self.subscriber,
            "withheld": [
                {"field": field, "right": _RIGHT} for field in held if field in self.withhold
            ],
        }
