"""Bodies of events cut to what a record has room for: a feed may tell a megabyte of one alert.

Without it such an alert would be refused as a whole. A body that fits stays as it is, to the byte,
so its event keeps its id. What is cut leaves a flag: `text_cut`, or the list's name and `_cut`.
"""

from collections.abc import Collection
from typing import Any, Final

__all__ = ["BODY_MAX", "fitted", "size_of"]

BODY_MAX: Final = 800_000
"""Bytes of a body; a record has room for 900,000, and the header wants some of them."""

_TEXT_MAX: Final = 60_000  # bytes: 20,000 letters of any script
_SHARED_MAX: Final = 64
_LEAST: Final = 1_000  # bytes; with less, a part of an item would be a scrap


def fitted(
    body: dict[str, Any],
    flags: list[str],
    *,
    whole: Collection[str] = (),
    most: int = BODY_MAX,
) -> dict[str, Any]:
    """The body as it is where it fits, else with texts and lists cut, and with flags.

    Texts go before lists, and both in the order of the members. A list of up to 64 items shares its
    room evenly, a longer one keeps its first items. Members named in `whole` are never cut inside:
    a text, such as an id, stays; of a list, as of outlines, the items stay that have room.
    """
    return _members(body, most, flags, frozenset(whole))


def size_of(value: Any) -> int:
    """Bytes that a value takes in a record, or a few more."""
    size = 0
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            size += 3 + (len(one) if one.isascii() else len(one.encode("utf-8", "surrogatepass")))
        elif isinstance(one, dict):
            size += 8
            rest += one.values()
        elif isinstance(one, list | tuple):
            size += 8
            rest += one
        else:
            size += 10
    return size


def _members(
    members: dict[str, Any], most: int, flags: list[str], whole: frozenset[str]
) -> dict[str, Any]:
    if size_of(members) <= most:
        return dict(members)
    kept = dict(members)
    texts = [name for name, value in kept.items() if isinstance(value, str) and name not in whole]
    lists = [name for name, value in kept.items() if isinstance(value, list)]
    cut = {*texts, *lists}
    left = most - size_of([value for name, value in kept.items() if name not in cut])
    for place, name in enumerate(texts):
        # Half at most, so that something is left for what comes after it.
        share = min(_TEXT_MAX, (left - 3 * (len(texts) - place)) // 2)
        kept[name] = _text(kept[name], share, flags)
        left -= size_of(kept[name])
    spare = 0
    for name, share in zip(lists, _shares([kept[name] for name in lists], left), strict=True):
        kept[name] = _items(name, kept[name], share + spare, flags, whole)
        spare += share - size_of(kept[name])
    return kept


def _shares(values: list[Any], most: int) -> list[int]:
    """What each may take: all it wants, or as much as each other that wants more than that."""
    sizes = [size_of(value) for value in values]
    shares = [0] * len(sizes)
    smallest_first = sorted(range(len(sizes)), key=sizes.__getitem__)
    for place, one in enumerate(smallest_first):
        shares[one] = min(sizes[one], most // (len(sizes) - place))
        most -= shares[one]
    return shares


def _text(text: str, most: int, flags: list[str]) -> str:
    if size_of(text) <= most:
        return text
    _flag("text_cut", flags)
    return text.encode("utf-8", "surrogatepass")[: max(0, most - 3)].decode("utf-8", "ignore")


def _items(
    name: str, items: list[Any], most: int, flags: list[str], whole: frozenset[str]
) -> list[Any]:
    if size_of(items) <= most:
        return items
    kept: list[Any] = []
    left = most - size_of([])
    shares = _shares(items, left) if len(items) <= _SHARED_MAX else []
    for place, item in enumerate(items):
        # What the items before it left over, and its own share of the rest.
        share = left - sum(shares[place + 1 :])
        here = item
        if size_of(item) > share and name not in whole and share >= _LEAST:
            here = _item(item, share, flags, whole)
        if size_of(here) <= share:
            kept.append(here)
            left -= size_of(here)
        else:
            _flag(f"{name}_cut", flags)
            if left < _LEAST and not shares and name not in whole:
                break
    return kept


def _item(item: Any, most: int, flags: list[str], whole: frozenset[str]) -> Any:
    if isinstance(item, str):
        return _text(item, min(most, _TEXT_MAX), flags)
    return _members(item, most, flags, whole) if isinstance(item, dict) else item


def _flag(flag: str, flags: list[str]) -> None:
    if flag not in flags:
        flags.append(flag)
