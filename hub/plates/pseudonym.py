"""Pseudonyms of vehicles, for views that may follow a passage but not know the plate."""

import hashlib
import hmac
from binascii import hexlify
from datetime import datetime
from typing import Any

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
_BLOCK = hashlib.sha256().block_size
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


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

    __slots__ = ("_hours", "_key", "_months", "_subscriber")

    def __init__(self, key: bytes, subscriber: str) -> None:
        self._key = key
        self._subscriber = subscriber
        self._months: dict[str, _Pads] = {}
        self._hours: dict[int, _Pads] = {}

    def of(self, vehicle: VehicleKey, at: datetime) -> str | None:
        """The pseudonym at a time with its offset; None when no plate was read.

        All that a camera could not read would otherwise be one vehicle. Raises `ValueError` on a
        time without an offset.
        """
        pads = self._month(at)
        if not vehicle.text:
            return None
        return _letters(pads, parts(vehicle.text, vehicle.category, vehicle.colour)).decode()

    def letters(self, vehicle: bytes, at_us: int) -> bytes:
        """The same for every event: text, category and colour as `parts`, the time in µs."""
        pads = self._hours.get(at_us // _HOUR_US)
        if pads is None:
            pads = self._month(from_micros(at_us))
            if len(self._hours) >= _HOURS_MAX:
                self._hours.clear()
            if at_us >= 0:
                self._hours[at_us // _HOUR_US] = pads
        return _letters(pads, vehicle)

    def _month(self, at: datetime) -> "_Pads":
        month = hanoi_day(at).isoformat()[:7]
        pads = self._months.get(month)
        if pads is None:
            if len(self._months) >= _MONTHS_MAX:
                self._months.clear()
            named = parts("pseudonym", self._subscriber, month)
            pads = self._months[month] = _pads(hmac.digest(self._key, named, "sha256"))
        return pads

    def __repr__(self) -> str:
        return f"Pseudonyms(key=<withheld>, subscriber={self._subscriber!r})"


_Pads = tuple[Any, Any]
"""SHA-256 over a key's inner and outer block of HMAC (RFC 2104), to go on from."""


def _pads(key: bytes) -> _Pads:
    block = key.ljust(_BLOCK, b"\x00")
    return hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))


def _letters(pads: _Pads, message: bytes) -> bytes:
    # HMAC-SHA-256 with its two blocks done beforehand: a third of the time of `hmac.digest`.
    inner, outer = pads[0].copy(), pads[1].copy()
    inner.update(message)
    outer.update(inner.digest())
    return hexlify(outer.digest()[:16]).translate(_LETTERS)


def parts(*texts: str) -> bytes:
    """Texts with their lengths before them, as ids are made (`hub.identity.make_id`)."""
    return b"".join(
        len(data).to_bytes(4, "big") + data for data in (text.encode() for text in texts)
    )
