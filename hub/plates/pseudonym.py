"""Pseudonyms of vehicles, for views that may follow a passage but not know the plate."""

import hmac
from datetime import datetime

from hub.plates.key import VehicleKey
from hub.plates.tables import hanoi_day

__all__ = ["Pseudonyms"]

# 16 letters in place of hexadecimal digits: what has no digit can't be taken for a plate by a
# check that looks for plates in a view.
_LETTERS = str.maketrans("0123456789abcdef", "ghjkmnpqrstuvwxy")

# Keys that are remembered. Events are days late, not years; wrong clocks must not fill the memory.
_MONTHS_MAX = 24


class Pseudonyms:
    """Gives one subscriber's pseudonyms: 32 small letters, 128 bits of HMAC-SHA-256.

    The site's key gives each subscriber and calendar month (in Hanoi) a key of its own, and that
    one the pseudonym of text, category and colour. So a vehicle has one pseudonym within a month
    and a view; those of two views or two months do not join.

    What it does not do: whoever holds the site's or the month's key can try all plates (about 10^8,
    minutes on one core), so a pseudonym is still personal data (Law 91/2025/QH15, article 2(1)).
    Events of two views still join by `event_id`, and a vehicle that passes the same places every
    day can be told by them. A reading without colour or category, or with a misread character, is
    another key and has another pseudonym.
    """

    __slots__ = ("_key", "_months", "_subscriber")

    def __init__(self, key: bytes, subscriber: str) -> None:
        self._key = key
        self._subscriber = subscriber
        self._months: dict[str, bytes] = {}

    def of(self, vehicle: VehicleKey, at: datetime) -> str | None:
        """The pseudonym at a time with its offset; None when no plate was read.

        All that a camera could not read would otherwise be one vehicle. Raises `ValueError` on a
        time without an offset.
        """
        month = hanoi_day(at).isoformat()[:7]
        if not vehicle.text:
            return None
        key = self._months.get(month)
        if key is None:
            if len(self._months) >= _MONTHS_MAX:
                self._months.clear()
            key = self._months[month] = _keyed(self._key, "pseudonym", self._subscriber, month)
        digest = _keyed(key, vehicle.text, vehicle.category, vehicle.colour)
        return digest[:16].hex().translate(_LETTERS)

    def __repr__(self) -> str:
        return f"Pseudonyms(key=<withheld>, subscriber={self._subscriber!r})"


def _keyed(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 of length-prefixed parts, as ids are made (`hub.identity.make_id`)."""
    message = b"".join(
        len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts)
    )
    return hmac.digest(key, message, "sha256")
