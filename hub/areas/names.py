"""Vietnamese names of places, compared whatever their spelling.

Names arrive composed or decomposed, with the tone on either vowel (`hòa`, `hoà`), without any
diacritics, with or without their kind (`P.`, `Phường`, `Q.`), in any case, with spaces, hyphens or
neither. All of these are one name here. A mark that is there counts: `Yên Bái` is not `Yên Bài`,
while `Yen Bai` may be either.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from hub.areas.tables import Unit

__all__ = ["Key", "Names", "key_of", "readings", "words_of"]

_TONES = "\u0300\u0301\u0303\u0309\u0323"  # grave, acute, tilde, hook above, dot below
_ROMAN = {"i": "1", "ii": "2", "iii": "3"}  # Mỹ Đình I, in lists of before 2025
_CACHED_MAX = 16_384
_STROKED = {"đ": "d", "ð": "d"}  # the Icelandic letter looks the same and is often sent
_PREFIXES = {
    "phường": ("phường", "phuong", "p"),
    "xã": ("xã", "xa", "x"),
    "thị trấn": ("thị trấn", "thi tran", "tt"),
    "quận": ("quận", "quan", "q"),
    "huyện": ("huyện", "huyen", "h"),
    "thị xã": ("thị xã", "thi xa", "tx"),
}


class Key(NamedTuple):
    """What of a name is compared."""

    letters: str
    """Base letters and digits, lower-case, nothing between them."""
    marks: tuple[str, ...]
    """For each letter its circumflex, breve, horn or stroke, or nothing."""
    tones: str
    """The tones in order, wherever in their syllable they are written."""

    def may_be(self, name: "Key") -> bool:
        """Whether this is `name` with none or only some of its diacritics."""
        if self.letters != name.letters:
            return False
        marks = zip(self.marks, name.marks, strict=True)
        tones = iter(name.tones)
        return all(mine in ("", its) for mine, its in marks) and all(
            tone in tones for tone in self.tones
        )


@lru_cache(maxsize=_CACHED_MAX)
def key_of(text: str) -> Key:
    """The key of a name without its kind."""
    words = words_of(text)
    if words and words[-1] in _ROMAN:
        words[-1] = _ROMAN[words[-1]]
    letters: list[str] = []
    marks: list[str] = []
    tones = ""
    for letter in unicodedata.normalize("NFD", "".join(words)):
        if letter in _TONES:
            tones += letter
        elif unicodedata.combining(letter):
            if marks:
                marks[-1] += letter
        else:
            letters.append(_STROKED.get(letter, letter))
            marks.append("-" if letter in _STROKED else "")
    return Key("".join(letters), tuple(marks), tones)


def readings(text: str) -> list[tuple[str, Key]]:
    """The ways to read a text: as a name (kind empty), and as kind and name.

    Without diacritics `Phuong Mai` may be a ward `Mai` or a name that begins with `Phương`.
    """
    words = words_of(text)
    found = [("", key_of(text))] if words else []
    for kind, prefixes in _PREFIXES.items():
        for prefix in prefixes:
            size = prefix.count(" ") + 1
            if words[size:] and key_of(" ".join(words[:size])) == key_of(prefix):
                found.append((kind, key_of(" ".join(words[size:]))))
                break
    return found


def words_of(text: str) -> list[str]:
    """Words and numbers of a text, composed and lower-case, without what stands between them."""
    # NFKC also folds full-width letters; a mark that composes with nothing is no word.
    composed = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"(?:[^\W_][\u0300-\u036f]*)+", composed)


class Names:
    """Finds units by name. Build it once: it holds every unit it is given."""

    def __init__(self, units: Iterable[Unit]) -> None:
        by_letters: dict[str, list[tuple[Key, Unit]]] = {}
        for unit in units:
            key = key_of(unit.name)
            by_letters.setdefault(key.letters, []).append((key, unit))
        self._by_letters: Mapping[str, list[tuple[Key, Unit]]] = by_letters

    def find(self, text: str) -> tuple[Unit, ...]:
        """The units a text may mean, those with all its diacritics before all others.

        A kind that the text names decides between units of one name; where no unit of the name has
        it, it is taken for a mistake of the sender.
        """
        ways = readings(text)
        for fits in (Key.__eq__, Key.may_be):
            found: dict[Unit, None] = {}
            for kind, key in ways:
                same = [
                    unit for its, unit in self._by_letters.get(key.letters, ()) if fits(key, its)
                ]
                found |= dict.fromkeys([unit for unit in same if unit.kind == kind] or same)
            if found:
                return tuple(found)
        return ()
