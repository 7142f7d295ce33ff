"""Entries of dated registers, from their records to what stages look them up in. Pure."""

from collections.abc import Callable
from typing import Any

from hub.codec import from_micros, micros

__all__ = ["Decode", "applied"]

Decode = Callable[[bytes], dict[str, Any]]

_FOREVER_US = 2**62


def applied(decode: Decode, target: Any) -> Callable[[Any], None]:
    """What enters a register's records into `target.put(key, entry, from_us, to_us)`.

    A record without a value removes its entry.
    """

    def apply(message: Any) -> None:
        value = message.value()
        if not value:
            target.put(message.key(), None, 0, 1)
            return
        record = decode(value)
        until = record["valid_to"]
        target.put(
            message.key(),
            {**record, "valid_from": from_micros(micros(record["valid_from"]))},
            micros(record["valid_from"]),
            _FOREVER_US if until is None else micros(until),
        )

    return apply
