"""Texts that name a place on the road, taken apart: roads, position, milestone, areas.

The forms that records of violations and device lists use, in any order and with any dash:

    Đường Phạm Văn Bạch - Đường Hoàng Quán Chi (VT87), Phường Yên Hòa, Thành phố Hà Nội
    Ngã tư Phạm Văn Bạch/Hoàng Quán Chi
    Km1716+005, Quốc lộ 1A

`VTnn` is the number of a camera position. A dash between names separates two roads, except in the
name of an area ("Phường Văn Miếu - Quốc Tử Giám"); which roads have a dash of their own ("Pháp Vân
- Cầu Giẽ") only the register of places knows. What can't be read stays in the names: nothing is
dropped in silence, and `raw` keeps the text as it came.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from hub.areas.names import Key, Names, key_of, readings, words_of
from hub.areas.tables import shipped

__all__ = ["Milestone", "PlaceText", "bare", "parse", "position_code"]

_CODE = re.compile(r"(?<![^\W_])VT[\s.\-]*0*([0-9]{1,4})(?![^\W_])", re.IGNORECASE)
# "Km12,5" and "Km12+1500" are no milestones: nothing says how they are meant.
_KM = re.compile(
    r"(?<![^\W_])km\s*([0-9]{1,4})(?:\s*\+\s*([0-9]{1,3}))?(?![0-9]|\s*\+|[.,][0-9])",
    re.IGNORECASE,
)
_ROUTE = re.compile(r"(?<![^\W_])(QL|TL|ĐT|DT|VĐ|VD)[\s.\-]*(?=[0-9])", re.IGNORECASE)
_ROUTES = {
    "ql": "Quốc lộ ",
    "tl": "Tỉnh lộ ",
    "đt": "Đường tỉnh ",
    "dt": "Đường tỉnh ",
    "vđ": "Vành đai ",
    "vd": "Vành đai ",
}
_STREET = re.compile(r"^đ(?:\s*\.\s*|\s+)", re.IGNORECASE)
# Hyphens, the non-breaking one too, en and em dash, minus.
_DASHES = "-\u2010\u2011\u2013\u2014\u2212/"
_ENDS = f"{_DASHES} .,:;"
_EMPTY = re.compile(rf"[(\[][{_ENDS}]*[)\]]")
# Between digits without spaces they belong to a name: "Đường 19/5", "Vành đai 3,5", "1-5".
_COMMA = re.compile(r"(?<![0-9]),|,(?![0-9])")
_DASH = re.compile(rf"(?<![0-9])[{_DASHES}]|[{_DASHES}](?![0-9])")

_CACHED_MAX = 16_384
# Kinds of road and junction without diacritics, word by word: they are no part of a name.
_STREETS = (("duong",), ("pho",), ("d",), ("tuyen",))
_NODES = (("nut", "giao", "thong"), ("nut", "giao"), ("nut",), ("giao", "lo"))
_WAYS = tuple(("nga", number) for number in ("ba", "tu", "nam", "sau", "bay"))
_ROADS = ("vanhdai", "quoclo", "tinhlo", "dailo", "caotoc")
_CITY = frozenset({"hanoi", "thanhphohanoi", "tphanoi", "tphn", "vietnam"})


class Milestone(NamedTuple):
    """A place on a road with kilometre stones."""

    km: int
    m: int
    """Metres past the stone, below 1,000."""

    def __str__(self) -> str:
        return f"Km{self.km}+{self.m:03d}"


@dataclass(frozen=True, slots=True)
class PlaceText:
    """What a text says of a place."""

    raw: str
    """As it came."""
    names: tuple[str, ...]
    """Roads in the order of the text; or one name, of a road or of a junction. NFC."""
    codes: tuple[str, ...]
    """Camera positions: `VT87`."""
    milestone: Milestone | None
    areas: tuple[str, ...]
    """Wards, communes and districts as they are named, the city left out."""
    says: str
    """`junction`, `road`, or nothing where the text leaves it open."""

    @property
    def key(self) -> str:
        """Equal for texts that differ in order, dash, kind of road, spelling or diacritics.

        Of the position and the areas nothing is in it, except where there is nothing else.
        """
        letters = {bare(name).letters for name in self.names}
        if self.milestone is not None:
            letters.add(str(self.milestone).lower())
        return "|".join(sorted(letters or {code.lower() for code in self.codes}))

    @property
    def canonical(self) -> str:
        """The text in the one form that records use, roads in the order of the alphabet."""
        names = sorted(self.names, key=lambda name: (bare(name).letters, name))
        head = " - ".join(names)
        codes = ", ".join(self.codes)
        if codes:
            head = f"{head} ({codes})" if head else codes
        stone = str(self.milestone) if self.milestone is not None else ""
        return ", ".join(filter(None, (stone, head, *self.areas)))


@lru_cache(maxsize=_CACHED_MAX)
def parse(text: str) -> PlaceText:
    """Take a text apart; any text at all, at worst it is one unknown name."""
    flat = _balanced(" ".join(unicodedata.normalize("NFC", text).split()))
    codes: dict[str, None] = {}
    while found := _CODE.search(flat):
        codes[f"VT{int(found[1])}"] = None
        flat = f"{flat[: found.start()]} {flat[found.end() :]}"
    milestone, flat = _milestone(_ROUTE.sub(lambda found: _ROUTES[found[1].lower()], flat))
    names: list[str] = []
    areas: list[str] = []
    for segment in _split(_COMMA, _EMPTY.sub(" ", flat)):
        if _is_city(segment):
            continue
        if _is_area(segment, sure=not names):
            areas.append(segment)
        else:
            names += _split(_DASH, segment)
    junction = len(names) > 1 or any(_skip((*_NODES, *_WAYS), words_of(name)) for name in names)
    road = milestone is not None or any(_is_road(name) for name in names)
    if len(names) > 1:
        names = [_without_kind(name) for name in names]
    return PlaceText(
        raw=text,
        names=tuple(_STREET.sub("Đường ", name) for name in names),
        codes=tuple(sorted(codes, key=lambda code: int(code[2:]))),
        milestone=milestone,
        areas=tuple(areas),
        says="junction" if junction else "road" if road else "",
    )


def position_code(text: str) -> str | None:
    """`VT87` for a text that is the number of a camera position and nothing else, or None."""
    found = _CODE.fullmatch(text.strip())
    return f"VT{int(found[1])}" if found else None


def bare(name: str) -> Key:
    """The key of one name without its kind: `Đường Láng` and `Láng` have the same.

    A name that begins like a kind (`Dương Đình Nghệ`) loses that word everywhere alike, as nobody
    can tell it from the kind once the diacritics are gone.
    """
    words = words_of(name)
    while skip := _skip((*_STREETS, *_NODES, *_WAYS), words):
        words = words[skip:]
    return key_of(" ".join(words))


def _skip(kinds: tuple[tuple[str, ...], ...], words: list[str]) -> int:
    """How many leading words are a kind, when something follows them."""
    for kind in kinds:
        size = len(kind)
        if len(words) > size and all(
            key_of(word).letters == letters for word, letters in zip(words, kind, strict=False)
        ):
            return size
    return 0


def _without_kind(name: str) -> str:
    """A road of a junction without the junction's kind, `Nút giao` or `Ngã tư`.

    `Ngã Tư Sở` with capitals is a name of its own.
    """
    words = name.split()
    while size := _skip(_NODES, words) or (
        words[1:2] and words[1].islower() and _skip(_WAYS, words)
    ):
        words = words[size:]
    return " ".join(words)


def _is_road(name: str) -> bool:
    return bool(_skip(_STREETS, words_of(name))) or bare(name).letters.startswith(_ROADS)


def _milestone(text: str) -> tuple[Milestone | None, str]:
    """The one milestone of a text, and the rest; two are a stretch of road, not a place."""
    found = _KM.search(text)
    if found is None:
        return None, text
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    if _KM.search(rest):
        return None, text
    return Milestone(int(found[1]), int(found[2] or 0)), rest


def _balanced(text: str) -> str:
    """Without parentheses where one is left open: they would hold the rest together."""
    depth = 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if depth < 0:
            break
    return text if depth == 0 else " ".join(re.sub(r"[()\[\]]", " ", text).split())


def _split(separator: re.Pattern[str], text: str) -> list[str]:
    """The parts of a text that name something; what is in parentheses stays together."""
    return list(_parts(separator, text))


def _parts(separator: re.Pattern[str], text: str) -> Iterator[str]:
    start = 0
    ends = [found.start() for found in separator.finditer(text) if _outside(text, found.start())]
    for end in (*ends, len(text)):
        part = " ".join(text[start:end].split()).strip(_ENDS)
        if words_of(part):
            yield part
        start = end + 1


def _outside(text: str, at: int) -> bool:
    before = text[:at]
    return sum(map(before.count, "([")) == sum(map(before.count, ")]"))


def _is_city(segment: str) -> bool:
    return key_of(segment).letters in _CITY


def _is_area(segment: str, *, sure: bool) -> bool:
    """Whether a part between commas names a ward, commune or district.

    Before any road was named, only a unit of the register with its kind is one for sure: `Xã Đàn`
    is a street.
    """
    kinds = [kind for kind, _ in readings(segment) if kind]
    if sure:
        units = _units().find(segment) if kinds else ()
        return any(unit.kind in kinds for unit in units)
    return bool(kinds) or bool(_units().find(segment))


@cache
def _units() -> Names:
    register = shipped()
    return Names(unit for scheme in register.schemes for unit in register.units(scheme.name))
