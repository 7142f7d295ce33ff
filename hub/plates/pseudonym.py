"""Pseudonyms of vehicles, for views that may follow a passage but not know the plate."""

import hashlib
import hmac
from binascii import hexlify
from datetime import datetime

from hub.codec import from_micros
from hub.plates.key import VehicleKey
from hub.plates.tables import hanoi_day

__all__ = ["Pseudonyms", "parts"]

# 16 letters in place of hexadecimal digits: what has no digit can't be taken for a plate by a
# check that looks for plates in a view.
_LETTERS = bytes.maketrans(b"0123456789abcdef", b"ghjkmnpqrstuvwxy")

# Keys that are remembered. Events are days late, not years; wrong clocks must not fill the memory.
_MONTHS_MAX = 24
_HOURS_MAX = 1_000
# A month in Hanoi begins with an hour in UTC, since 1911.
_HOUR_US = 3_600_000_000
_BYTES = 16


class Pseudonyms:
    """Gives one subscriber's pseudonyms: 32 small letters, 128 bits of keyed BLAKE2b (RFC 7693).

    The site's key gives each subscriber and calendar month (in Hanoi) a key of its own, and that
    one the pseudonym of text, category and colour. So a vehicle has one pseudonym within a month
    and a view; those of two views or two months do not join.

    What it does not do: whoever holds the site's or the month's key can try all plates (about 10^8,
    minutes on one core), so a pseudonym is still personal data (Law 91/2025/QH15, article 2(1)).
    Events of two views still join by `event_id`, and a vehicle that passes the same places every
    day can be told by them. A reading without colour or category, or with a misread character, is
    another key and has another pseudonym.
    """

    __slots__ = ("_hours", "_key", "_months", "_subscriber")

    def __init__(self, key: bytes, subscriber: str) -> None:
        self._key = key
        self._subscriber = subscriber
        self._months: dict[str, hashlib.blake2b] = {}
        self._hours: dict[int, hashlib.blake2b] = {}

    def of(self, vehicle: VehicleKey, at: datetime) -> str | None:
        """The pseudonym at a time with its offset; None when no plate was read.

        All that a camera could not read would otherwise be one vehicle. Raises `ValueError` on a
        time without an offset.
        """
        keyed = self._month(at)
        if not vehicle.text:
            return None
        return _letters(keyed, parts(vehicle.text, vehicle.category, vehicle.colour)).decode()

    def letters(self, vehicle: bytes, at_us: int) -> bytes:
        """The same for every event: text, category and colour as `parts`, the time in µs."""
        keyed = self._hours.get(at_us // _HOUR_US)
        if keyed is None:
            keyed = self._month(from_micros(at_us))
            if len(self._hours) >= _HOURS_MAX:
                self._hours.clear()
            if at_us >= 0:
                self._hours[at_us // _HOUR_US] = keyed
        return _letters(keyed, vehicle)

    def _month(self, at: datetime) -> hashlib.blake2b:
        month = hanoi_day(at).isoformat()[:7]
        keyed = self._months.get(month)
        if keyed is None:
            if len(self._months) >= _MONTHS_MAX:
                self._months.clear()
            named = parts("pseudonym", self._subscriber, month)
            key = hmac.digest(self._key, named, "sha256")
            keyed = self._months[month] = hashlib.blake2b(key=key, digest_size=_BYTES)
        return keyed

    def __repr__(self) -> str:
        return f"Pseudonyms(key=<withheld>, subscriber={self._subscriber!r})"


def _letters(keyed: hashlib.blake2b, message: bytes) -> bytes:
    # Going on from a key taken up beforehand: a third of the time of HMAC-SHA-256 done so.
    mine = keyed.copy()
    mine.update(message)
    return hexlify(mine.digest()).translate(_LETTERS)


def parts(*texts: str) -> bytes:
    """Texts with their lengths before them, as ids are made (`hub.identity.make_id`)."""
    return b"".join(
        len(data).to_bytes(4, "big") + data for data in (text.encode() for text in texts)
    )
