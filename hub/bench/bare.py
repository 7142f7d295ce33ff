"""Process without places, rules and rights: what those cost is the difference."""

import importlib
from collections.abc import Mapping
from typing import Any

import schemas

__all__ = ["Bare"]

_ALWAYS_US = 2**62


class Bare:
    """Stands for the planner: every event goes whole to all who know its noun, and says no more.

    `encode` are the encoders of a subscriber's parts. Operators get nothing, as in an ordinary
    minute.
    """

    def __init__(self, encode: Mapping[str, Any]) -> None:
        self._encode = encode
        # Found by name, like the steps themselves.
        self._plan = importlib.import_module("streams.plan")
        self._view = importlib.import_module("streams.view").View
        self._plans: dict[str, Any] = {}

    def revision(self) -> tuple[int, int]:
        """Nothing ever changes."""
        return 0, 0

    def plan(self, _header: Mapping[str, Any], noun: str, _appended_us: int) -> Any:
        """The same plan for every event of a noun."""
        if noun not in self._plans:
            targets = tuple(
                self._delivery(each.id, noun)
                for each in schemas.subscribers().values()
                if noun in each.nouns and each.id != "ops"
            )
            bounds = (-_ALWAYS_US, _ALWAYS_US) * 2
            self._plans[noun] = self._plan.Plan(*bounds, targets)
        return self._plans[noun]

    def _delivery(self, subscriber: str, noun: str) -> Any:
        fields = tuple(f"restricted.{name}" for name in schemas.restricted_fields())
        view = self._view(subscriber, fields, frozenset(fields), {})
        nothing = {"rules": [], "recipients": (), "lane": "bulk"}
        return self._plan.Delivery(
            subscriber=subscriber,
            topic=schemas.subscriber_topic(subscriber, noun),
            view=view,
            masks=False,
            masks_all=False,
            appended=self._encode["place"]({}) + self._encode["routing"](nothing),
            encode_view=self._encode["view"],
            pseudonyms=None,
        )
