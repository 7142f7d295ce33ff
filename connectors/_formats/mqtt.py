"""What MQTT says of a payload beside its bytes. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from hub.connector import Event, Outcome, Payload

__all__ = ["as_kept", "was_kept"]

_TRUE: Final = frozenset({"1", "true"})


def was_kept(payload: Payload) -> bool:
    """Whether the broker had kept it: a retained message is what was, told to who subscribes."""
    return payload.meta.get("mqtt_retained", "").lower() in _TRUE


def as_kept(outcomes: Iterable[Outcome], payload: Payload) -> Iterator[Outcome]:
    """The outcomes, their events `replayed` where the broker had kept the payload."""
    kept = was_kept(payload)
    for outcome in outcomes:
        yield replace(outcome, replayed=True) if kept and isinstance(outcome, Event) else outcome
